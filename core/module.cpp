// Bindings of clusters and criteria, and the module itself. Bindings know names, shapes and the GIL; numbers happen elsewhere.
#include <limits>

#include <any>

#include "bindings.hpp"
#include "clusters.hpp"
#include "deviance.hpp"
#include "finish.hpp"
#include "many.hpp"
#include "moments.hpp"
#include "pool.hpp"
#include "small.hpp"
#include "triangle.hpp"
#include "turned.hpp"

namespace interlace {

nb::dict to_dict(const Minimum& m) {
    const size_t n = m.x.size();
    nb::dict d;
    d["par"] = to_numpy(m.x, {n});
    d["value"] = m.value;
    d["gradient"] = to_numpy(m.gradient.empty() ? std::vector<double>(n) : m.gradient, {n});
    d["hessian"] = to_numpy(m.hessian.empty() ? std::vector<double>(n * n) : m.hessian, {n, n});
    d["decrement"] = m.decrement;
    d["rounding"] = m.rounding;
    d["evaluations"] = m.evaluations;
    d["gradients"] = m.gradients;
    d["status"] = m.status == Status::converged ? "converged" : m.status == Status::stalled ? "stalled" : "too many evaluations";
    return d;
}

namespace {

nb::dict search_many_responses(const std::vector<CrossProducts>& responses, const std::shared_ptr<const Symbolic>& symbolic,
                               const Parametrization& map, Criterion kind, const std::vector<std::vector<index>>& without,
                               const Limits& limits) {
    const std::vector<End> ends = released([&] { return search_many(responses, symbolic, map, kind, without, limits); });
    const size_t r = ends.size(), m = map.entries.size(), p = r ? sz(responses[0].fixed->p) : 0;
    std::vector<double> start(r * m, std::numeric_limits<double>::quiet_NaN()), par(r * m), value(r), pwrss(r), beta(r * p), covariance(r * p * p);
    std::vector<std::int64_t> easy(r), evaluations(r);
    for (size_t i = 0; i < r; ++i) {
        easy[i] = ends[i].easy;
        std::copy(ends[i].start.begin(), ends[i].start.end(), start.begin() + static_cast<std::ptrdiff_t>(i * m));
        if (!ends[i].easy) continue;
        evaluations[i] = ends[i].evaluations;
        value[i] = ends[i].value;
        pwrss[i] = ends[i].pwrss;
        std::copy(ends[i].par.begin(), ends[i].par.end(), par.begin() + static_cast<std::ptrdiff_t>(i * m));
        std::copy(ends[i].beta.begin(), ends[i].beta.end(), beta.begin() + static_cast<std::ptrdiff_t>(i * p));
        std::copy(ends[i].covariance.begin(), ends[i].covariance.end(), covariance.begin() + static_cast<std::ptrdiff_t>(i * p * p));
    }
    nb::dict out;
    out["easy"] = to_numpy(std::move(easy), {r});
    out["evaluations"] = to_numpy(std::move(evaluations), {r});
    out["start"] = to_numpy(std::move(start), {r, m});
    out["par"] = to_numpy(std::move(par), {r, m});
    out["value"] = to_numpy(std::move(value), {r});
    out["pwrss"] = to_numpy(std::move(pwrss), {r});
    out["beta"] = to_numpy(std::move(beta), {r, p});
    out["covariance"] = to_numpy(std::move(covariance), {r, p, p});
    return out;
}

std::vector<Direction> to_directions(const std::vector<std::pair<index, In2>>& given, const std::vector<index>& k) {
    std::vector<Direction> out;
    for (const auto& [factor, df] : given) {
        if (factor < 0 || sz(factor) >= k.size() || df.shape(0) != sz(k[factor]) || df.shape(1) != sz(k[factor]))
            throw std::invalid_argument("a direction is a grouping factor and a matrix of its size");
        out.push_back({factor, std::vector<double>(df.data(), df.data() + df.size())});
    }
    return out;
}

// Python callables as an Objective, so that criteria written in Python meet the same minimiser.
class PythonObjective : public Objective {
  public:
    PythonObjective(nb::callable value, nb::callable derivatives, nb::object rounding, index n)
        : value_(std::move(value)), derivatives_(std::move(derivatives)), rounding_(std::move(rounding)), n_(n) {}
    index size() const override { return n_; }
    void adjust(std::vector<double>&) const override {}
    double value(const std::vector<double>& x) override {
        x_ = x;
        return nb::cast<double>(value_(to_numpy(x, {x.size()})));
    }
    double rounding() const override { return rounding_.is_none() ? 0.0 : nb::cast<double>(rounding_()); }
    void derivatives(std::vector<double>& gradient, std::vector<double>& hessian) override {
        const auto [g, h] = nb::cast<std::pair<Flat, Flat>>(derivatives_(to_numpy(x_, {x_.size()})));
        if (g.size() != sz(n_) || h.size() != sz(n_ * n_)) throw std::invalid_argument("derivatives of the wrong size");
        gradient = to_vector(g);
        hessian = to_vector(h);
    }

  private:
    nb::callable value_, derivatives_;
    nb::object rounding_;
    index n_;
    std::vector<double> x_;
};

// From the C functions of scipy.linalg.cython_blas and cython_lapack, by their names.
void load_blas(const nb::dict& blas, const nb::dict& lapack) {
    for (const char* const* name = blas::names; *name; ++name) {
        nb::object capsule = nb::borrow(blas.contains(*name) ? blas[*name] : lapack[*name]);
        blas::set_pointer(*name, PyCapsule_GetPointer(capsule.ptr(), PyCapsule_GetName(capsule.ptr())));
    }
}

// Clusters with the arrays they look at.
struct PyClusters {
    std::vector<std::any> held;  // arrays count their references
    std::optional<Clusters> clusters;
    PyClusters(In y, Strided2 x, const std::vector<Codes>& codes, const std::vector<In2>& z, const std::vector<index>& levels,
               std::optional<In> w, double y_origin, In x_origin, const std::vector<In>& z_origin, Codes cluster, index n_clusters,
               In beta, In2 white, const std::vector<In2>& residual, const std::vector<Cubes>& columns) {
        const PyRows r(y, x, codes, z, levels, w, y_origin, x_origin, z_origin);
        const size_t p = x.shape(1);
        if (cluster.shape(0) != y.shape(0) || beta.shape(0) != p || white.shape(0) != p || white.shape(1) != p)
            throw std::invalid_argument("lengths differ");
        if (residual.size() != z.size() || (!columns.empty() && columns.size() != z.size()))
            throw std::invalid_argument("effects of each grouping factor");
        ClusterRows c{r.rows, cluster.data(), n_clusters, beta.data(), white.data(), {}, {}};
        for (size_t i = 0; i < cluster.shape(0); ++i)
            if (cluster.data()[i] < 0 || cluster.data()[i] >= n_clusters) throw std::invalid_argument("a cluster is out of range");
        for (size_t f = 0; f < z.size(); ++f) {
            if (residual[f].shape(0) != sz(levels[f]) || residual[f].shape(1) != z[f].shape(1)) throw std::invalid_argument("effects (levels, k)");
            c.residual.push_back(residual[f].data());
            if (columns.empty()) continue;
            if (columns[f].shape(0) != sz(levels[f]) || columns[f].shape(1) != z[f].shape(1) || columns[f].shape(2) != p)
                throw std::invalid_argument("effects (levels, k, p)");
            c.columns.push_back(columns[f].data());
        }
        hold(y), hold(x), hold(x_origin), hold(cluster), hold(beta), hold(white);
        if (w) hold(*w);
        for (const auto& a : codes) hold(a);
        for (const auto& a : z) hold(a);
        for (const auto& a : z_origin) hold(a);
        for (const auto& a : residual) hold(a);
        for (const auto& a : columns) hold(a);
        clusters.emplace(released([&] { return Clusters(std::move(c)); }));
    }
    template <class A> void hold(const A& a) { held.emplace_back(a); }
};

void bind_clusters(nb::module_& m) {
    nb::class_<PyClusters>(m, "Clusters")
        .def(nb::init<In, Strided2, const std::vector<Codes>&, const std::vector<In2>&, const std::vector<index>&, std::optional<In>, double,
                      In, const std::vector<In>&, Codes, index, In, In2, const std::vector<In2>&, const std::vector<Cubes>&>(),
             "y"_a, "x"_a, "codes"_a, "z"_a, "levels"_a, "w"_a.none(), "y_origin"_a, "x_origin"_a, "z_origin"_a, "clusters"_a,
             "n_clusters"_a, "beta"_a, "white"_a, "residual"_a, "columns"_a)
        .def("scores", [](const PyClusters& c) {
            auto s = released([&] { return c.clusters->scores(); });
            const size_t J = sz(c.clusters->size());
            return to_numpy(std::move(s), {J, sz(c.clusters->columns())});
        })
        .def("squares", [](const PyClusters& c, index first, index last) {
            const size_t p = sz(c.clusters->columns());
            return to_numpy(released([&] { return c.clusters->squares(first, last); }), {sz(last - first), p, p});
        })
        .def("sums", [](const PyClusters& c, index first, index last) {
            return to_numpy(released([&] { return c.clusters->sums(first, last); }), {sz(last - first), sz(c.clusters->columns())});
        });
}

void bind_triangle(nb::module_& m) {
    m.def("lower_factor", [](const In2& f) { return to_numpy(lower_factor(square(f), to_vector(f)), {f.shape(0), f.shape(0)}); });
    m.def("as_they_are", [](const In2& shift, const In2& basis, const In2& factor) {
        const index k = square(factor);
        if (square(shift) != k || square(basis) != k) throw std::invalid_argument("matrices of one size");
        std::vector<double> f(sz(k * k));
        small::add_ab(k, k, k, 1.0, basis.data(), factor.data(), f.data());
        return to_numpy(as_they_are(k, shift.data(), f.data()), {sz(k), sz(k)});
    });
    m.def("about_origin", [](const In2& shift, const In2& factor) {
        const index k = square(factor);
        if (square(shift) != k) throw std::invalid_argument("matrices of one size");
        return to_numpy(about_origin(k, shift.data(), factor.data()), {sz(k), sz(k)});
    });
    m.def("pivoted", [](const In2& natural, const In2& factor, index free) {
        const index k = square(factor);
        if (square(natural) != k || free > k) throw std::invalid_argument("the factor and its basis have the same size");
        Turned t = pivoted(k, free, natural.data(), factor.data());
        return nb::make_tuple(to_numpy(std::move(t.basis), {sz(k), sz(k)}), to_numpy(std::move(t.factor), {sz(k), sz(k)}));
    });
}

void bind_derivatives(nb::class_<ProfiledDeviance>& c) {
    c.def("along", [](const ProfiledDeviance& d, const std::vector<std::pair<index, In2>>& directions, std::optional<double> scale) {
            const std::vector<Direction> along = to_directions(directions, d.factor().products().random->k());
            const Derivatives found = released([&] { return d.along(along, scale); });
            const auto squares = [&](const Blocks& blocks) {
                nb::list out;
                for (size_t f = 0; f < blocks.size(); ++f) {
                    const size_t k = sz(d.factor().products().random->k()[f]);
                    out.append(to_numpy(blocks[f], {k, k}));
                }
                return out;
            };
            return nb::make_tuple(squares(found.gradient), to_numpy(found.average, {along.size(), along.size()}), squares(found.misfit));
        }, nb::arg("directions"), nb::arg("scale") = nb::none());
}

void bind_starts(nb::class_<ProfiledDeviance>& c) {
    c.def("moment_start", [](const ProfiledDeviance& d) {
            auto x = released([&] {
                return d.begin().empty() ? moment_start(d.factor().products(), d.map(), d.factor().symbolic().priors) : d.begin();
            });
            return to_numpy(x, {x.size()});
        })
        .def("rivals", [](const ProfiledDeviance& d) {
            const Rivals x = released([&] { return rivals(d.factor().products(), d.map(), d.factor().symbolic().priors); });
            nb::list starts;
            for (const auto& one : x.starts) starts.append(to_numpy(one, {one.size()}));
            return nb::make_tuple(starts, x.gain);
        })
        .def("turned", [](ProfiledDeviance& d, const Flat& par, double above) {
            nb::list starts;
            for (const auto& one : released([&] { return turned(d, to_vector(par), above); })) starts.append(to_numpy(one, {one.size()}));
            return starts;
        })
        .def("opened", [](const ProfiledDeviance& d, const Flat& par) {
            nb::list starts;
            const std::vector<double> one = opened(d, to_vector(par));
            if (!one.empty()) starts.append(to_numpy(one, {one.size()}));
            return starts;
        });
}

void bind_searches(nb::class_<ProfiledDeviance>& c) {
    c.def("minimise", [](ProfiledDeviance& d, const Flat& start, double tolerance, index max_evaluations) {
            const auto x = to_vector(start);
            return to_dict(released([&] { return minimise(d, x, tolerance, max_evaluations); }));
        })
        .def("search", [](ProfiledDeviance& d, const Flat& start, const std::vector<std::vector<index>>& without, const Limits& limits) {
            const Searched found = released([&] { return search(d, to_vector(start), without, limits); });
            return nb::make_tuple(to_dict(found.best), found.reach != Reach::start, found.reach == Reach::enough);
        });
}

// `finish` as Python asks for it: blocks as (grouping factor, start), each with its shift. The criterion gives its factor away.
nb::tuple finished(ProfiledDeviance& d, const Flat& par, const std::vector<std::pair<index, index>>& places, const std::vector<In2>& shifts,
                   double y, const In& x, const In& beta, index intercept) {
    const RandomPart& random = *d.factor().products().random;
    const index p = d.factor().p();
    if (par.size() != sz(d.size()) || places.size() != shifts.size() || x.size() != sz(p) || beta.size() != sz(p) || intercept >= p)
        throw std::invalid_argument("sizes differ");
    std::vector<Shift> blocks;
    std::vector<std::pair<index, index>> shapes;
    for (size_t i = 0; i < places.size(); ++i) {
        const auto [f, start] = places[i];
        const index k = square(shifts[i]);
        if (f < 0 || f >= random.factors() || start < 0 || start + k > random.k()[f]) throw std::invalid_argument("no such block");
        blocks.push_back({f, start, k, shifts[i].data()});
        shapes.emplace_back(f, k);
    }
    const FixedOrigin origin{y, to_vector(x), to_vector(beta), intercept};
    const Blocks factors = d.factors(to_vector(par));
    Cholesky l = d.release();
    Finished found = released([&] { return finish(l, factors, blocks, origin); });
    nb::list t;
    for (size_t i = 0; i < blocks.size(); ++i) t.append(to_numpy(std::move(found.factors[i]), {sz(blocks[i].k), sz(blocks[i].k)}));
    nb::tuple effects = effects_to_numpy(std::move(found.effects), random, shapes);
    const double ld_l2 = l.ld_l2(), ld_rx2 = l.ld_rx2(), pwrss = l.pwrss();
    return nb::make_tuple(nb::tuple(t), effects, ld_l2, ld_rx2, pwrss, nb::cast(std::move(l)));
}

void bind_criterion(nb::module_& m) {
    nb::class_<Limits>(m, "Limits").def("__init__", [](Limits* self, const nb::kwargs& given) { new (self) Limits(limits_of(given)); })
        .def_ro("prove", &Limits::prove);
    nb::class_<ProfiledDeviance> c(m, "ProfiledDeviance");
    c.def("__init__",
             [](ProfiledDeviance* self, const CrossProducts& a, std::shared_ptr<Symbolic> s,
                const Entries& entries, const std::vector<In2>& basis, const std::string& kind) {
                 new (self) ProfiledDeviance(Cholesky(a, s), parametrization(entries, basis), criterion_of(kind));
             })
        .def("value", [](ProfiledDeviance& d, const Flat& par) {
            const auto x = to_vector(par);
            return released([&] { return d.value(x); });
        })
        .def("gradient", [](ProfiledDeviance& d, const Flat& par) {
            const auto x = to_vector(par);
            auto g = released([&] { return d.gradient(x); });
            return to_numpy(g, {g.size()});
        })
        .def("hessian", [](ProfiledDeviance& d, const Flat& par) {
            const auto x = to_vector(par);
            auto h = released([&] { return d.hessian(x); });
            return to_numpy(h, {x.size(), x.size()});
        })
        // where value() was asked last:
        .def_prop_ro("pwrss", [](const ProfiledDeviance& d) { return d.factor().pwrss(); })
        .def_prop_ro("rounding", &ProfiledDeviance::rounding)
        .def_prop_ro("ld_l2", [](const ProfiledDeviance& d) { return d.factor().ld_l2(); })
        .def_prop_ro("ld_rx2", [](const ProfiledDeviance& d) { return d.factor().ld_rx2(); })
        .def("derivatives", [](ProfiledDeviance& d, const Flat& par) {
            const auto x = to_vector(par);
            std::vector<double> g, h;
            released([&] {
                d.value(x);
                d.derivatives(g, h);
            });
            return nb::make_tuple(to_numpy(g, {g.size()}), to_numpy(h, {g.size(), g.size()}));
        })
        // the factor where value() was asked last: the criterion cannot be asked any more
        .def("release", [](ProfiledDeviance& d) { return d.release(); })
        .def("finish", &finished)
        .def("begin", [](ProfiledDeviance& d, const Flat& par) {
            if (par.size() != sz(d.size())) throw std::invalid_argument("one number for each parameter");
            d.begin(to_vector(par));
        });
    bind_derivatives(c);
    bind_starts(c);
    bind_searches(c);
    m.def("search_many", [](const std::vector<CrossProducts>& responses, std::shared_ptr<Symbolic> symbolic,
                            const std::vector<std::tuple<index, index, index>>& entries, const std::vector<In2>& basis,
                            const std::string& kind, const std::vector<std::vector<index>>& without, const Limits& limits) {
        return search_many_responses(responses, symbolic, parametrization(entries, basis), criterion_of(kind), without, limits);
    });
    m.def("minimise", [](nb::callable value, nb::callable derivatives, const Flat& start, double tolerance, index max_evaluations,
                         nb::object rounding) {
        PythonObjective objective(std::move(value), std::move(derivatives), std::move(rounding), static_cast<index>(start.size()));
        return to_dict(minimise(objective, to_vector(start), tolerance, max_evaluations));
    }, nb::arg("value"), nb::arg("derivatives"), nb::arg("start"), nb::arg("tolerance"), nb::arg("max_evaluations"),
       nb::arg("rounding") = nb::none());
}

}  // namespace
}  // namespace interlace

NB_MODULE(_core, m) {
#ifdef NDEBUG
    nb::set_leak_warnings(false);  // threads may still hold values where a process ends early
#endif
    m.doc() = "Compiled core of interlace. Use it through interlace.kernel only.";
    m.def("load_blas", &interlace::load_blas, "blas"_a, "lapack"_a);
    m.def("set_threads", &interlace::pool::set_threads, "n"_a);
    m.def("threads", &interlace::pool::threads);
    nb::exception<interlace::NotPositiveDefinite>(m, "NotPositiveDefiniteError", PyExc_ArithmeticError);
    nb::exception<interlace::NotFinite>(m, "NotFiniteError", PyExc_ValueError);
    nb::exception<interlace::Stopped>(m, "StoppedError", PyExc_RuntimeError);
    nb::class_<interlace::Stop>(m, "Stop")
        .def(nb::init<>())
        .def("say", &interlace::Stop::say)
        .def_prop_ro("said", &interlace::Stop::said)
        .def("heed", &interlace::Stop::heed)
        .def("ignore", &interlace::Stop::ignore);
    interlace::bind_products(m);
    interlace::bind_factor(m);
    interlace::bind_clusters(m);
    interlace::bind_triangle(m);
    interlace::bind_criterion(m);
    interlace::bind_again(m);
    interlace::bind_absorbed(m);
    interlace::bind_iterative(m);
}
