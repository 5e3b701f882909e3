// Bindings of priors, analysis, factor and inverse.
#include "bindings.hpp"
#include "explained.hpp"
#include "inverse.hpp"

namespace interlace {
namespace {

// One (levels, k) array per grouping factor.
nb::list effects(const Cholesky& l, const Blocks& u) {
    const RandomPart& r = *l.products().random;
    nb::list out;
    for (size_t f = 0; f < u.size(); ++f) out.append(to_numpy(u[f], {sz(r.levels()[f]), sz(r.k()[f])}));
    return out;
}

std::shared_ptr<Precision> precision(const FlatIndex& ptr, const Codes& col, const In& val, double max_bytes) {
    const auto n = static_cast<index>(ptr.size()) - 1;
    std::vector<index> p(ptr.data(), ptr.data() + ptr.size());
    std::vector<std::int32_t> c(col.data(), col.data() + col.size());
    if (n < 1 || p[0] != 0 || p[sz(n)] != static_cast<index>(c.size()) || val.size() != c.size()) throw std::invalid_argument("lengths differ");
    for (index l = 0; l < n; ++l) {
        bool own = false;
        for (index e = p[sz(l)]; e < p[sz(l + 1)]; ++e) {
            own = own || c[sz(e)] == l;
            if (c[sz(e)] < 0 || c[sz(e)] >= n || (e > p[sz(l)] && c[sz(e)] <= c[sz(e - 1)])) throw std::invalid_argument("columns ascending");
        }
        if (!own) throw std::invalid_argument("every row needs its diagonal entry");
    }
    std::vector<double> v(val.data(), val.data() + val.size());
    return released([&] { return std::const_pointer_cast<Precision>(make_precision(std::move(p), std::move(c), std::move(v), max_bytes)); });
}

// A function of (levels, m) arrays.
template <class F> auto on_columns(F f) {
    return [f](const Precision& q, const In2& v) {
        if (v.shape(0) != sz(q.levels())) throw std::invalid_argument("one row for each level");
        std::vector<double> out(v.data(), v.data() + v.size());
        released([&] { f(q, out, static_cast<index>(v.shape(1))); });
        return to_numpy(std::move(out), {v.shape(0), v.shape(1)});
    };
}

void bind_prior(nb::module_& m) {
    nb::class_<Precision>(m, "Precision")
        .def_prop_ro("log_det", [](const Precision& q) { return q.log_det; })
        .def_prop_ro("scale", [](const Precision& q) { return q.scale; })
        .def_prop_ro("variance", [](const Precision& q) { return to_numpy(q.variance, {q.variance.size()}); }, nb::rv_policy::move)
        .def("inverse", [](const Precision& q) { return to_numpy(released([&] { return q.inverse(); }), {q.val.size()}); })
        .def("covariance", on_columns([](const Precision& q, std::vector<double>& v, index c) { q.covariance(v, c); }))
        .def("spread", on_columns([](const Precision& q, std::vector<double>& v, index c) { q.spread(v, c); }))
        .def("apply", on_columns([](const Precision& q, std::vector<double>& v, index c) { v = q.apply(v, c); }));
    m.def("precision", &precision, "ptr"_a, "col"_a, "val"_a, "max_bytes"_a);
    nb::class_<Prior>(m, "Prior")
        .def_static("identity", [] { return Prior{}; })
        .def_static("none", [](std::optional<Codes> held) {  // levels x k in one row, 1 where a coefficient is 0
            Prior p{Prior::Kind::none};
            if (held) p.held = std::make_shared<const std::vector<char>>(held->data(), held->data() + held->size());
            return p;
        }, "held"_a = nb::none())
        .def_static("known", [](std::shared_ptr<Precision> q) { return Prior{Prior::Kind::precision, std::move(q)}; });
}

void bind_inverse(nb::module_& m) {
    nb::class_<JointInverse>(m, "JointInverse")
        .def("diagonal", [](const JointInverse& j, index f) {
            const size_t k = sz(j.pattern->k.at(sz(f)));
            return to_numpy(j.diagonal[sz(f)], {sz(j.pattern->levels[sz(f)]), k, k});
        })
        .def("cross", [](const JointInverse& j, index a, index b) {
            const size_t s = sz(j.pattern->pair_index(a, b));
            return to_numpy(j.cross[s], {j.pattern->pairs[s].col.size(), sz(j.pattern->k[sz(a)]), sz(j.pattern->k[sz(b)])});
        })
        .def("e", [](const JointInverse& j, index f) {
            const size_t rows = sz(j.pattern->q(f)), p = rows ? j.e.at(sz(f)).size() / rows : 0;
            return to_numpy(j.e[sz(f)], {sz(j.pattern->levels[sz(f)]), sz(j.pattern->k[sz(f)]), p});
        });
}

void bind_solves(nb::class_<Cholesky>& c) {
    c.def("apply_ztz", [](const Cholesky& l, const Natural& v) {
            const auto in = blocks_of(l.products(), v);
            return natural_arrays(l.products(), released([&] { return l.apply_ztz(in.first, in.second); }), in.second);
        })
        .def("half_solve", [](const Cholesky& l, const Natural& v) {  // L^-1 Lambda' V: its leading rows, and the transpose of the others
            const auto in = blocks_of(l.products(), v);
            const Rhs r = released([&] {
                Rhs out = l.lambda_t(in.first, in.second);
                l.forward(out);
                return out;
            });
            return nb::make_tuple(to_numpy(r.lead, {sz(l.symbolic().q_lead), sz(in.second)}), to_numpy(r.rest, {sz(in.second), sz(l.symbolic().q_rest)}));
        })
        .def("solve", [](const Cholesky& l, const Natural& v) {  // M^-1 Lambda' V
            const auto in = blocks_of(l.products(), v);
            return natural_arrays(l.products(), released([&] {
                                      Rhs r = l.lambda_t(in.first, in.second);
                                      l.forward(r);
                                      l.backward(r);
                                      return l.natural(r);
                                  }), in.second);
        })
        .def("spread", [](const Cholesky& l, const Natural& v, const In2& x) {  // x is m x p
            const auto in = blocks_of(l.products(), v);
            if (x.shape(0) != sz(in.second) || x.shape(1) != sz(l.p())) throw std::invalid_argument("x is of shape (m, p)");
            std::vector<double> beta(x.data(), x.data() + x.size());
            const Blocks b = released([&] { return l.spread(in.first, in.second, beta.data()); });
            return nb::make_tuple(natural_arrays(l.products(), b, in.second), to_numpy(std::move(beta), {x.shape(0), x.shape(1)}));
        })
        .def("solve_responses", [](const Cholesky& l, const std::vector<CrossProducts>& responses) {
            const auto found = released([&] { return l.solve_responses(responses); });
            nb::list out;
            for (const ResponseSolution& s : found)
                out.append(nb::make_tuple(to_numpy(s.beta, {s.beta.size()}), effects(l, s.u), s.pwrss));
            return out;
        });
}

void bind_inverses(nb::class_<Cholesky>& c) {
    c.def("joint_inverse", [](const Cholesky& l) { return released([&] { return JointInverse::of(l); }); })
        .def("leverage",
             [](const Cholesky& l, const JointInverse& inverse, In y, Strided2 x, std::vector<Codes> codes, std::vector<In2> z,
                std::vector<index> levels, std::optional<In> w, double y_origin, In x_origin, std::vector<In> z_origin) {
                 const PyRows r(y, x, codes, z, levels, w, y_origin, x_origin, z_origin);
                 if (levels != l.products().random->levels()) throw std::invalid_argument("rows do not belong to this model");
                 const Leverage h = released([&] { return leverage(l, inverse, r.rows); });
                 return nb::make_tuple(to_numpy(h.overall, {h.overall.size()}), to_numpy(h.fixed, {h.fixed.size()}),
                                       to_numpy(h.prior, {h.prior.size()}));
             },
             "inverse"_a, "y"_a, "x"_a, "codes"_a, "z"_a, "levels"_a, "w"_a.none(), "y_origin"_a, "x_origin"_a, "z_origin"_a)
        .def("explained",
             [](const Cholesky& l) {
                 const Explained e = released([&] { return Explained::of(l); });
                 const std::vector<index>& k = l.products().random->k();
                 nb::list traces, squares;
                 for (size_t f = 0, pair = 0; f < k.size(); ++f) {
                     traces.append(to_numpy(e.traces[f], {sz(k[f]), sz(k[f])}));
                     for (size_t g = f; g < k.size(); ++g, ++pair)
                         squares.append(to_numpy(e.squares[pair], {sz(k[f]), sz(k[g]), sz(k[f]), sz(k[g])}));
                 }
                 return nb::make_tuple(traces, squares);
             })
        .def("inverse_diagonal", [](const Cholesky& l) {
            const Blocks d = released([&] { return l.conditional_diagonal(); });
            nb::list out;
            for (index f = 0; f < l.products().random->factors(); ++f) {
                const size_t k = sz(l.products().random->k()[f]);
                out.append(to_numpy(d[f], {sz(l.products().random->levels()[f]), k, k}));
            }
            return out;
        });
}

}  // namespace

nb::tuple effects_as_they_are(const Solved& solved, const std::vector<std::pair<index, index>>& places, const std::vector<In2>& factors,
                              double y, const In& x, const In& beta, index intercept) {
    const RandomPart& random = *solved.products().random;
    const auto p = solved.p();
    if (places.size() != factors.size() || x.size() != sz(p) || beta.size() != sz(p) || intercept >= p) throw std::invalid_argument("sizes differ");
    std::vector<BlockFactor> blocks;
    for (size_t i = 0; i < places.size(); ++i) {
        const auto [f, start] = places[i];
        const index k = square(factors[i]);
        if (f < 0 || f >= random.factors() || start < 0 || start + k > random.k()[f]) throw std::invalid_argument("no such block");
        blocks.push_back({f, start, k, factors[i].data()});
    }
    const FixedOrigin origin{y, to_vector(x), to_vector(beta), intercept};
    std::vector<std::pair<index, index>> shapes;
    for (const BlockFactor& block : blocks) shapes.emplace_back(block.f, block.k);
    return effects_to_numpy(released([&] { return from_origin(solved, blocks, origin); }), random, shapes);
}

nb::tuple effects_to_numpy(Effects e, const RandomPart& random, const std::vector<std::pair<index, index>>& shapes) {
    nb::list u, b;
    const size_t p = e.beta.size();
    for (size_t i = 0; i < shapes.size(); ++i) {
        const std::vector<size_t> shape{sz(random.levels()[shapes[i].first]), sz(shapes[i].second)};
        u.append(to_numpy(std::move(e.u[i]), shape));
        b.append(to_numpy(std::move(e.b[i]), shape));
    }
    return nb::make_tuple(to_numpy(std::move(e.beta), {p}), to_numpy(std::move(e.vcov), {p, p}), nb::tuple(u), nb::tuple(b), e.squares);
}

void bind_factor(nb::module_& m) {
    bind_prior(m);
    bind_inverse(m);
    nb::class_<Symbolic>(m, "Symbolic")
        .def_ro("flops", &Symbolic::flops)
        .def_ro("panel_size", &Symbolic::panel_size)
        .def_ro("q_rest", &Symbolic::q_rest)
        .def_prop_ro("fronts", [](const Symbolic& s) { return s.fronts.size(); })
        .def_prop_ro("complete", &Symbolic::complete)
        .def("bytes", &Symbolic::bytes);
    m.def("analyze", [](const CrossProducts& a, const std::vector<Prior>& priors, double max_bytes) {
        return released([&] { return std::const_pointer_cast<Symbolic>(analyze(a.random->pattern, priors, max_bytes)); });
    });
    nb::class_<Cholesky> c(m, "Cholesky");
    c.def(nb::init<CrossProducts, std::shared_ptr<Symbolic>>())
        .def("factorize",
             [](Cholesky& l, const std::vector<In2>& factors) {
                 Blocks f;
                 for (const auto& a : factors) f.emplace_back(a.data(), a.data() + a.size());
                 released([&] { l.factorize(f); });
             })
        .def_prop_ro("ld_l2", &Cholesky::ld_l2)
        .def_prop_ro("ld_rx2", &Cholesky::ld_rx2)
        .def_prop_ro("pwrss", &Cholesky::pwrss)
        .def_prop_ro("beta", [](const Cholesky& l) { return to_numpy(l.beta(), {sz(l.p())}); }, nb::rv_policy::move)
        .def_prop_ro("rx", [](const Cholesky& l) {  // row-major upper: the transpose of the column-major lower factor
            return to_numpy(l.rx(), {sz(l.p() + 1), sz(l.p() + 1)});
        }, nb::rv_policy::move)
        .def("solve_xy", [](const Cholesky& l) {
            const Blocks u = released([&] { return l.solve_xy(); });
            return natural_arrays(l.products(), u, l.p() + 1);
        })
        .def("spherical", [](const Cholesky& l) {
            return effects(l, released([&] { return l.spherical(); }));
        })
        .def("effects", [](const Cholesky& l, const std::vector<std::pair<index, index>>& places, const std::vector<In2>& factors, double y,
                           const In& x, const In& beta, index intercept) {
            return effects_as_they_are(l, places, factors, y, x, beta, intercept);
        })
        .def("unscaled_covariance", [](const Cholesky& l) {
            return to_numpy(released([&] { return l.unscaled_covariance(); }), {sz(l.p()), sz(l.p())});
        });
    bind_solves(c);
    bind_inverses(c);
}

}  // namespace interlace
