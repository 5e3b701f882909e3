// Bindings of the iterative engine.
#include "bindings.hpp"
#include "estimated.hpp"
#include "moments.hpp"

namespace interlace {
namespace {

Blocks to_blocks(const std::vector<In2>& arrays) {
    Blocks out;
    for (const auto& a : arrays) out.emplace_back(a.data(), a.data() + a.size());
    return out;
}

void bind_solver(nb::module_& m) {
    nb::class_<Iterative>(m, "Iterative")
        .def(nb::init<CrossProducts, index, std::uint64_t>(), "products"_a, "probes"_a, "seed"_a)
        .def("solve", [](Iterative& s, const std::vector<In2>& factors, bool traces) {
            const Blocks f = to_blocks(factors);
            released([&] { s.solve(f, traces); });
        }, "factors"_a, "traces"_a)
        .def_prop_ro("ld_l2", &Iterative::ld_l2)
        .def_prop_ro("ld_rx2", &Iterative::ld_rx2)
        .def_prop_ro("pwrss", &Iterative::pwrss)
        .def_prop_ro("iterations", &Iterative::iterations)
        .def_prop_ro("log_det_error", &Iterative::log_det_error)
        .def_prop_ro("beta", [](const Iterative& s) { return to_numpy(s.beta(), {sz(s.p())}); }, nb::rv_policy::move)
        .def_prop_ro("half_trace", [](const Iterative& s) {
            nb::list out;
            for (size_t f = 0; f < s.half_trace().size(); ++f) {
                const size_t k = sz(s.products().random->k()[f]);
                out.append(to_numpy(s.half_trace()[f], {k, k}));
            }
            return out;
        })
        .def("spherical", [](const Iterative& s) {
            const Blocks u = s.spherical();
            nb::list out;
            for (size_t f = 0; f < u.size(); ++f)
                out.append(to_numpy(u[f], {sz(s.products().random->levels()[f]), sz(s.products().random->k()[f])}));
            return out;
        })
        .def("effects", [](const Iterative& s, const std::vector<std::pair<index, index>>& places, const std::vector<In2>& factors, double y,
                           const In& x, const In& beta, index intercept) {
            return effects_as_they_are(s, places, factors, y, x, beta, intercept);
        })
        .def("unscaled_covariance", [](const Iterative& s) { return to_numpy(s.unscaled_covariance(), {sz(s.p()), sz(s.p())}); });
}

}  // namespace

void bind_iterative(nb::module_& m) {
    nb::exception<NotSettled>(m, "NotSettledError", PyExc_ArithmeticError);
    bind_solver(m);
    nb::class_<EstimatedDeviance>(m, "EstimatedDeviance")
        .def("__init__", [](EstimatedDeviance* self, const CrossProducts& a, index probes, std::uint64_t seed, const Entries& entries,
                            const std::vector<In2>& basis, const std::string& kind) {
            new (self) EstimatedDeviance(Iterative(a, probes, seed), parametrization(entries, basis), criterion_of(kind));
        })
        .def("value", [](EstimatedDeviance& d, const Flat& par) {
            const auto x = to_vector(par);
            return released([&] { return d.value(x); });
        })
        .def("gradient", [](EstimatedDeviance& d, const Flat& par) {
            const auto x = to_vector(par);
            auto g = released([&] { return d.gradient(x); });
            return to_numpy(g, {g.size()});
        })
        .def("derivatives", [](EstimatedDeviance& d, const Flat& par) {
            const auto x = to_vector(par);
            std::vector<double> g, h;
            released([&] {
                d.value(x);
                d.derivatives(g, h);
            });
            return nb::make_tuple(to_numpy(g, {g.size()}), to_numpy(h, {g.size(), g.size()}));
        })
        // where value() was asked last:
        .def_prop_ro("last_value", &EstimatedDeviance::last_value)
        .def_prop_ro("pwrss", [](const EstimatedDeviance& d) { return d.solver().pwrss(); })
        .def_prop_ro("log_det_error", [](const EstimatedDeviance& d) { return d.solver().log_det_error(); })
        .def_prop_ro("iterations", [](const EstimatedDeviance& d) { return d.solver().iterations(); })
        .def("noise", [](const EstimatedDeviance& d) { return to_numpy(d.noise(), {sz(d.size()), sz(d.size())}); })
        .def("moment_start", [](const EstimatedDeviance& d) {
            const CrossProducts& a = d.solver().products();
            auto x = released([&] { return moment_start(a, d.map(), Priors(sz(a.random->factors()))); });
            return to_numpy(x, {x.size()});
        })
        .def("minimise", [](EstimatedDeviance& d, const Flat& start, double tolerance, index max_evaluations) {
            const auto x = to_vector(start);
            return to_dict(released([&] { return minimise(d, x, tolerance, max_evaluations); }));
        });
}

}  // namespace interlace
