// Bindings only: names, shapes, the GIL. The numbers happen elsewhere.
#pragma GCC diagnostic push  // nanobind's own headers are not ours to mend
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wconversion"
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>
#pragma GCC diagnostic pop

#include <any>
#include <exception>
#include <optional>

#include "clusters.hpp"
#include "crossproducts.hpp"
#include "deviance.hpp"
#include "interrupt.hpp"
#include "moments.hpp"
#include "triangle.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace interlace {
namespace {

using In = nb::ndarray<const double, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using In2 = nb::ndarray<const double, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Strided2 = nb::ndarray<const double, nb::ndim<2>, nb::device::cpu>;
using Codes = nb::ndarray<const std::int32_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Flat = nb::ndarray<const double, nb::c_contig, nb::device::cpu>;
using Out = nb::ndarray<nb::numpy, double>;
using OutIndex = nb::ndarray<nb::numpy, std::int64_t>;

template <class T> nb::ndarray<nb::numpy, T> to_numpy(std::vector<T> v, std::vector<size_t> shape) {
    auto* held = new std::vector<T>(std::move(v));
    nb::capsule owner(held, [](void* p) noexcept { delete static_cast<std::vector<T>*>(p); });
    return nb::ndarray<nb::numpy, T>(held->data(), shape.size(), shape.data(), owner);
}
template <class A> std::vector<double> to_vector(const A& a) { return std::vector<double>(a.data(), a.data() + a.size()); }
index square(const In2& a) {
    if (a.shape(0) != a.shape(1)) throw std::invalid_argument("a square matrix is needed");
    return static_cast<index>(a.shape(0));
}

// Runs f without the GIL; every 50 ms at most it looks whether a signal (Ctrl-C) is waiting, and lets its exception through.
template <class F> auto released(F f) {
    std::exception_ptr signal;
    try {
        nb::gil_scoped_release release;
        InterruptScope scope([&signal] {
            nb::gil_scoped_acquire acquire;
            if (PyErr_CheckSignals() == 0) return false;
            signal = std::make_exception_ptr(nb::python_error());
            return true;
        });
        return f();
    } catch (const Interrupted&) {
        std::rethrow_exception(signal);
    }
}

struct PyRows {
    Rows rows;
    PyRows(In y, Strided2 x, const std::vector<Codes>& codes, const std::vector<In2>& z, const std::vector<index>& levels,
           std::optional<In> w, double y_origin, In x_origin, const std::vector<In>& z_origin) {
        const size_t n = y.shape(0);
        if (x.shape(0) != n || x_origin.shape(0) != x.shape(1) || (w && w->shape(0) != n)) throw std::invalid_argument("lengths differ");
        if (codes.size() != z.size() || codes.size() != levels.size() || codes.size() != z_origin.size() || codes.empty())
            throw std::invalid_argument("one array of codes, z, levels and origin for each grouping factor");
        rows.n = static_cast<index>(n);
        rows.p = static_cast<index>(x.shape(1));
        rows.y = y.data();
        rows.x = x.data();
        rows.x_row = x.stride(0);
        rows.x_col = x.stride(1);
        rows.w = w ? w->data() : nullptr;
        rows.y_origin = y_origin;
        rows.x_origin = x_origin.data();
        for (size_t f = 0; f < codes.size(); ++f) {
            if (codes[f].shape(0) != n || z[f].shape(0) != n || z_origin[f].shape(0) != z[f].shape(1))
                throw std::invalid_argument("lengths differ");
            for (size_t r = 0; r < n; ++r)
                if (codes[f].data()[r] < 0 || codes[f].data()[r] >= levels[f]) throw std::invalid_argument("a code is out of range");
            rows.factors.push_back({codes[f].data(), z[f].data(), z_origin[f].data(), static_cast<index>(z[f].shape(1)), levels[f]});
        }
    }
};

size_t sz(index n) { return static_cast<size_t>(n); }

nb::tuple get_state(const CrossProducts& a) {
    nb::list diag, zx, zy, pairs;
    const RandomPart& r = *a.random;
    for (index f = 0; f < r.factors(); ++f) {
        diag.append(to_numpy(r.diag[f], {r.diag[f].size()}));
        zx.append(to_numpy(a.fixed->zx[f], {a.fixed->zx[f].size()}));
        zy.append(to_numpy(a.response->zy[f], {a.response->zy[f].size()}));
    }
    for (const PairBlocks& p : r.pairs)
        pairs.append(nb::make_tuple(p.i, p.j, to_numpy(p.ptr, {p.ptr.size()}),
                                    to_numpy(std::vector<index>(p.col.begin(), p.col.end()), {p.col.size()}),
                                    to_numpy(p.val, {p.val.size()})));
    return nb::make_tuple(a.n, a.sum_log_w, r.levels, r.k, diag, pairs, to_numpy(a.fixed->xx, {a.fixed->xx.size()}), zx,
                          to_numpy(a.response->xy, {a.response->xy.size()}), zy, a.response->yy);
}

using FlatIndex = nb::ndarray<const std::int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

CrossProducts from_state(const nb::tuple& s) {
    auto random = std::make_shared<RandomPart>();
    auto fixed = std::make_shared<FixedPart>();
    auto response = std::make_shared<ResponsePart>();
    random->levels = nb::cast<std::vector<index>>(s[2]);
    random->k = nb::cast<std::vector<index>>(s[3]);
    const auto blocks = [](nb::handle list) {
        Blocks out;
        for (nb::handle a : nb::cast<nb::list>(list)) out.push_back(to_vector(nb::cast<Flat>(a)));
        return out;
    };
    random->diag = blocks(s[4]);
    for (nb::handle h : nb::cast<nb::list>(s[5])) {
        const nb::tuple t = nb::cast<nb::tuple>(h);
        PairBlocks p;
        p.i = nb::cast<index>(t[0]);
        p.j = nb::cast<index>(t[1]);
        const auto ptr = nb::cast<FlatIndex>(t[2]), col = nb::cast<FlatIndex>(t[3]);
        p.ptr.assign(ptr.data(), ptr.data() + ptr.size());
        for (size_t i = 0; i < col.size(); ++i) p.col.push_back(static_cast<std::int32_t>(col.data()[i]));
        p.val = to_vector(nb::cast<Flat>(t[4]));
        random->pairs.push_back(std::move(p));
    }
    fixed->xx = to_vector(nb::cast<Flat>(s[6]));
    fixed->zx = blocks(s[7]);
    response->xy = to_vector(nb::cast<Flat>(s[8]));
    fixed->p = static_cast<index>(response->xy.size());
    response->zy = blocks(s[9]);
    response->yy = nb::cast<double>(s[10]);
    return {nb::cast<index>(s[0]), nb::cast<double>(s[1]), std::move(random), std::move(fixed), std::move(response)};
}

nb::list natural_arrays(const CrossProducts& a, const Blocks& v, index m) {
    nb::list out;
    for (index f = 0; f < a.random->factors(); ++f)
        out.append(to_numpy(v[f], {sz(a.random->levels[f]), sz(a.random->k[f]), sz(m)}));
    return out;
}

// Blocks from one (levels, k, m) array per grouping factor.
using Cubes = nb::ndarray<const double, nb::ndim<3>, nb::c_contig, nb::device::cpu>;
using Natural = std::vector<Cubes>;

std::pair<Blocks, index> blocks_of(const CrossProducts& a, const Natural& v) {
    const RandomPart& r = *a.random;
    Blocks out;
    if (static_cast<index>(v.size()) != r.factors()) throw std::invalid_argument("one array for each grouping factor");
    for (size_t f = 0; f < v.size(); ++f) {
        if (v[f].shape(0) != sz(r.levels[f]) || v[f].shape(1) != sz(r.k[f]) || v[f].shape(2) != v[0].shape(2))
            throw std::invalid_argument("arrays of shape (levels, k, m)");
        out.emplace_back(v[f].data(), v[f].data() + v[f].size());
    }
    return {std::move(out), static_cast<index>(v[0].shape(2))};
}

Parametrization parametrization(const std::vector<std::tuple<index, index, index>>& entries, const std::vector<In2>& basis) {
    Parametrization map;
    for (const auto& [factor, row, col] : entries) map.entries.push_back({factor, row, col});
    for (const auto& b : basis) map.basis.emplace_back(b.data(), b.data() + b.size());
    return map;
}

// Python callables as an Objective, so that criteria written in Python meet the same minimiser.
class PythonObjective : public Objective {
  public:
    PythonObjective(nb::callable value, nb::callable derivatives, index n)
        : value_(std::move(value)), derivatives_(std::move(derivatives)), n_(n) {}
    index size() const override { return n_; }
    void adjust(std::vector<double>&) const override {}
    double value(const std::vector<double>& x) override {
        x_ = x;
        return nb::cast<double>(value_(to_numpy(x, {x.size()})));
    }
    void derivatives(std::vector<double>& gradient, std::vector<double>& hessian) override {
        const auto [g, h] = nb::cast<std::pair<Flat, Flat>>(derivatives_(to_numpy(x_, {x_.size()})));
        if (g.size() != sz(n_) || h.size() != sz(n_ * n_)) throw std::invalid_argument("derivatives of the wrong size");
        gradient = to_vector(g);
        hessian = to_vector(h);
    }

  private:
    nb::callable value_, derivatives_;
    index n_;
    std::vector<double> x_;
};

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

// From the C functions of scipy.linalg.cython_blas and cython_lapack, by their names.
void load_blas(const nb::dict& blas, const nb::dict& lapack) {
    for (const char* const* name = blas::names; *name; ++name) {
        nb::object capsule = nb::borrow(blas.contains(*name) ? blas[*name] : lapack[*name]);
        blas::set_pointer(*name, PyCapsule_GetPointer(capsule.ptr(), PyCapsule_GetName(capsule.ptr())));
    }
}

void bind_products(nb::module_& m) {
    nb::class_<CrossProducts>(m, "CrossProducts")
        .def_ro("n", &CrossProducts::n)
        .def_ro("sum_log_w", &CrossProducts::sum_log_w)
        .def_prop_ro("p", [](const CrossProducts& a) { return a.fixed->p; })
        .def_prop_ro("levels", [](const CrossProducts& a) { return a.random->levels; })
        .def_prop_ro("k", [](const CrossProducts& a) { return a.random->k; })
        .def_prop_ro("xx", [](const CrossProducts& a) { return to_numpy(a.fixed->xx, {sz(a.fixed->p), sz(a.fixed->p)}); }, nb::rv_policy::move)
        .def_prop_ro("xy", [](const CrossProducts& a) { return to_numpy(a.response->xy, {sz(a.fixed->p)}); }, nb::rv_policy::move)
        .def_prop_ro("yy", [](const CrossProducts& a) { return a.response->yy; })
        .def("zz_diagonal", [](const CrossProducts& a, index f) {
            const size_t k = sz(a.random->k.at(f));
            return to_numpy(a.random->diag.at(f), {sz(a.random->levels[f]), k, k});
        })
        .def("zz_pair", [](const CrossProducts& a, index i, index j) {
            const PairBlocks& p = a.random->pair(i, j);
            return nb::make_tuple(to_numpy(p.ptr, {p.ptr.size()}), to_numpy(std::vector<index>(p.col.begin(), p.col.end()), {p.col.size()}),
                                  to_numpy(p.val, {p.col.size(), sz(a.random->k[i]), sz(a.random->k[j])}));
        })
        .def("zx", [](const CrossProducts& a, index f) {
            return to_numpy(a.fixed->zx.at(f), {sz(a.random->levels[f]), sz(a.random->k[f]), sz(a.fixed->p)});
        })
        .def("zx_total", [](const CrossProducts& a, index f) {
            return to_numpy(zx_total(a, f), {sz(a.random->k.at(f)), sz(a.fixed->p)});
        })
        .def("zy", [](const CrossProducts& a, index f) {
            return to_numpy(a.response->zy.at(f), {sz(a.random->levels[f]), sz(a.random->k[f])});
        })
        .def("__getstate__", &get_state)
        .def("__setstate__", [](CrossProducts& a, const nb::tuple& s) { new (&a) CrossProducts(from_state(s)); });
    m.def("accumulate",
          [](In y, Strided2 x, std::vector<Codes> codes, std::vector<In2> z, std::vector<index> levels, std::optional<In> w,
             double y_origin, In x_origin, std::vector<In> z_origin) {
              const PyRows r(y, x, codes, z, levels, w, y_origin, x_origin, z_origin);
              return released([&] { return accumulate(r.rows); });
          },
          "y"_a, "x"_a, "codes"_a, "z"_a, "levels"_a, "w"_a.none(), "y_origin"_a, "x_origin"_a, "z_origin"_a);
    m.def("with_response",
          [](const CrossProducts& base, In y, Strided2 x, std::vector<Codes> codes, std::vector<In2> z, std::vector<index> levels,
             std::optional<In> w, double y_origin, In x_origin, std::vector<In> z_origin) {
              const PyRows r(y, x, codes, z, levels, w, y_origin, x_origin, z_origin);
              return released([&] { return with_response(base, r.rows); });
          },
          "base"_a, "y"_a, "x"_a, "codes"_a, "z"_a, "levels"_a, "w"_a.none(), "y_origin"_a, "x_origin"_a, "z_origin"_a);
    m.def("combine", [](const CrossProducts& a, const CrossProducts& b, double sign) {
        return released([&] { return combine(a, b, sign); });
    });
    m.def("explained", [](const CrossProducts& a) { return released([&] { return explained(a); }); });
    m.def("select_fixed", [](const CrossProducts& a, std::vector<index> keep) { return select_fixed(a, keep); });
}

void bind_factor(nb::module_& m) {
    nb::class_<Symbolic>(m, "Symbolic")
        .def_ro("flops", &Symbolic::flops)
        .def_ro("panel_size", &Symbolic::panel_size)
        .def_ro("q_rest", &Symbolic::q_rest)
        .def_prop_ro("fronts", [](const Symbolic& s) { return s.fronts.size(); })
        .def_prop_ro("complete", [](const Symbolic& s) { return s.q_rest == 0 || !s.fronts.empty(); })
        .def("bytes", &Symbolic::bytes);
    m.def("analyze", [](const CrossProducts& a, double max_bytes) {
        return released([&] { return std::const_pointer_cast<Symbolic>(analyze(*a.random, max_bytes)); });
    });
    nb::class_<Cholesky>(m, "Cholesky")
        .def(nb::init<CrossProducts, std::shared_ptr<Symbolic>>())
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
            const Blocks u = released([&] { return l.spherical(); });
            nb::list out;
            for (size_t f = 0; f < u.size(); ++f)
                out.append(to_numpy(u[f], {sz(l.products().random->levels[f]), sz(l.products().random->k[f])}));
            return out;
        })
        .def("unscaled_covariance", [](const Cholesky& l) {
            return to_numpy(released([&] { return l.unscaled_covariance(); }), {sz(l.p()), sz(l.p())});
        })
        .def("apply_ztz", [](const Cholesky& l, const Natural& v) {
            const auto in = blocks_of(l.products(), v);
            return natural_arrays(l.products(), released([&] { return l.apply_ztz(in.first, in.second); }), in.second);
        })
        .def("half_solve", [](const Cholesky& l, const Natural& v) {  // L^-1 Lambda' V
            const auto in = blocks_of(l.products(), v);
            const Blocks out = released([&] {
                Rhs r = l.lambda_t(in.first, in.second);
                l.forward(r);
                return l.natural(r);
            });
            return natural_arrays(l.products(), out, in.second);
        })
        .def("inverse_diagonal", [](const Cholesky& l) {
            const Blocks d = released([&] { return l.inverse_diagonal(); });
            nb::list out;
            for (index f = 0; f < l.products().random->factors(); ++f) {
                const size_t k = sz(l.products().random->k[f]);
                out.append(to_numpy(d[f], {sz(l.products().random->levels[f]), k, k}));
            }
            return out;
        });
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
    m.def("pivoted", [](const In2& natural, const In2& factor, index free) {
        const index k = square(factor);
        if (square(natural) != k || free > k) throw std::invalid_argument("the factor and its basis have the same size");
        Turned t = pivoted(k, free, natural.data(), factor.data());
        return nb::make_tuple(to_numpy(std::move(t.basis), {sz(k), sz(k)}), to_numpy(std::move(t.factor), {sz(k), sz(k)}));
    });
}

void bind_criterion(nb::module_& m) {
    nb::class_<ProfiledDeviance>(m, "ProfiledDeviance")
        .def("__init__",
             [](ProfiledDeviance* self, const CrossProducts& a, std::shared_ptr<Symbolic> s,
                const std::vector<std::tuple<index, index, index>>& entries, const std::vector<In2>& basis, const std::string& kind) {
                 if (kind != "ml" && kind != "reml") throw std::invalid_argument("kind is 'ml' or 'reml'");
                 new (self) ProfiledDeviance(Cholesky(a, s), parametrization(entries, basis),
                                             kind == "reml" ? Criterion::reml : Criterion::ml);
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
        .def_prop_ro("pwrss", [](const ProfiledDeviance& d) { return d.factor().pwrss(); })  // where value() was asked last
        .def("set_response", &ProfiledDeviance::set_response)
        .def("derivatives", [](ProfiledDeviance& d, const Flat& par) {
            const auto x = to_vector(par);
            std::vector<double> g, h;
            released([&] {
                d.value(x);
                d.derivatives(g, h);
            });
            return nb::make_tuple(to_numpy(g, {g.size()}), to_numpy(h, {g.size(), g.size()}));
        })
        .def("moment_start", [](const ProfiledDeviance& d) {
            auto x = released([&] { return moment_start(d.factor().products(), d.map()); });
            return to_numpy(x, {x.size()});
        })
        .def("minimise", [](ProfiledDeviance& d, const Flat& start, double tolerance, index max_evaluations) {
            const auto x = to_vector(start);
            return to_dict(released([&] { return minimise(d, x, tolerance, max_evaluations); }));
        });
    m.def("minimise", [](nb::callable value, nb::callable derivatives, const Flat& start, double tolerance, index max_evaluations) {
        PythonObjective objective(std::move(value), std::move(derivatives), static_cast<index>(start.size()));
        return to_dict(minimise(objective, to_vector(start), tolerance, max_evaluations));
    });
}

}  // namespace
}  // namespace interlace

NB_MODULE(_core, m) {
    m.doc() = "Compiled core of interlace. Use it through interlace.kernel only.";
    m.def("load_blas", &interlace::load_blas, "blas"_a, "lapack"_a);
    nb::exception<interlace::NotPositiveDefinite>(m, "NotPositiveDefiniteError", PyExc_ArithmeticError);
    interlace::bind_products(m);
    interlace::bind_factor(m);
    interlace::bind_clusters(m);
    interlace::bind_triangle(m);
    interlace::bind_criterion(m);
}
