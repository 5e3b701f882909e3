// What the files of bindings share: types of arrays, Python's lock, rows.
#pragma once
#include "arrays.hpp"
#pragma GCC diagnostic push  // nanobind's own headers are not ours to mend
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wconversion"
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>
#pragma GCC diagnostic pop

#include <exception>
#include <optional>
#include <stdexcept>

#include "cholesky.hpp"
#include "crossproducts.hpp"
#include "deviance.hpp"
#include "from_origin.hpp"
#include "interrupt.hpp"
#include "scan.hpp"
#include "search.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace interlace {

using In = Array<double, 1>;
using In2 = Array<double, 2>;
using Strided2 = Array<double, 2, false>;
using Codes = Array<std::int32_t, 1>;
using Flat = Array<double, 0>;

template <class A> std::vector<double> to_vector(const A& a) { return std::vector<double>(a.data(), a.data() + a.size()); }
inline index square(const In2& a) {
    if (a.shape(0) != a.shape(1)) throw std::invalid_argument("a square matrix is needed");
    return static_cast<index>(a.shape(0));
}

// Runs f without the GIL; every 50 ms at most it looks whether a signal (Ctrl-C) is waiting, and lets its exception through, or
// whether another thread says stop.
template <class F> auto released(F f) {
    if (Stop::asked()) throw Stopped();  // many short calls are never interrupted
    std::exception_ptr signal;
    try {
        nb::gil_scoped_release release;
        InterruptScope scope([&signal] {
            if (Stop::asked()) {
                signal = std::make_exception_ptr(Stopped());
                return true;
            }
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
            if (!all_below(codes[f].data(), static_cast<index>(n), levels[f])) throw std::invalid_argument("a code is out of range");
            rows.factors.push_back({codes[f].data(), z[f].data(), z_origin[f].data(), static_cast<index>(z[f].shape(1)), levels[f]});
        }
    }
};

inline size_t sz(index n) { return static_cast<size_t>(n); }

using FlatIndex = Array<std::int64_t, 1>;

inline nb::list natural_arrays(const CrossProducts& a, const Blocks& v, index m) {
    nb::list out;
    for (index f = 0; f < a.random->factors(); ++f)
        out.append(to_numpy(v[f], {sz(a.random->levels()[f]), sz(a.random->k()[f]), sz(m)}));
    return out;
}

// Blocks from one (levels, k, m) array per grouping factor.
using Cubes = Array<double, 3>;
using Natural = std::vector<Cubes>;

inline std::pair<Blocks, index> blocks_of(const CrossProducts& a, const Natural& v) {
    const RandomPart& r = *a.random;
    Blocks out;
    if (static_cast<index>(v.size()) != r.factors()) throw std::invalid_argument("one array for each grouping factor");
    for (size_t f = 0; f < v.size(); ++f) {
        if (v[f].shape(0) != sz(r.levels()[f]) || v[f].shape(1) != sz(r.k()[f]) || v[f].shape(2) != v[0].shape(2))
            throw std::invalid_argument("arrays of shape (levels, k, m)");
        out.emplace_back(v[f].data(), v[f].data() + v[f].size());
    }
    return {std::move(out), static_cast<index>(v[0].shape(2))};
}

using Entries = std::vector<std::tuple<index, index, index>>;

inline Parametrization parametrization(const Entries& entries, const std::vector<In2>& basis) {
    Parametrization map;
    for (const auto& [factor, row, col] : entries) map.entries.push_back({factor, row, col});
    for (const auto& b : basis) map.basis.emplace_back(b.data(), b.data() + b.size());
    return map;
}

inline Criterion criterion_of(const std::string& kind) {
    if (kind != "ml" && kind != "reml") throw std::invalid_argument("kind is 'ml' or 'reml'");
    return kind == "reml" ? Criterion::reml : Criterion::ml;
}

inline Limits limits_of(const nb::dict& given) {
    const auto number = [&](const char* name) { return nb::cast<double>(given[name]); };
    return {number("tolerance"), static_cast<index>(number("evaluations")), number("large"), number("near_zero"),
            number("no_minimum"), number("finished"), number("ill_conditioned"), static_cast<index>(number("steps")),
            number("exact"), number("nearly_all"), number("apart"), number("rival"), number("conflict"), nb::cast<bool>(given["prove"]),
            static_cast<index>(number("opened")), static_cast<index>(number("elsewhere")), number("elsewhere_tolerance"), number("same_value")};
}

// `from_origin` as Python asks for it: blocks as (grouping factor, start), each with its factor.
nb::tuple effects_as_they_are(const Solved& solved, const std::vector<std::pair<index, index>>& places, const std::vector<In2>& factors,
                              double y, const In& x, const In& beta, index intercept);

// Of all that `from_origin` has found; `shapes` are blocks as (grouping factor, width).
nb::tuple effects_to_numpy(Effects e, const RandomPart& random, const std::vector<std::pair<index, index>>& shapes);

nb::dict to_dict(const Minimum& m);

void bind_products(nb::module_& m);
void bind_factor(nb::module_& m);
void bind_again(nb::module_& m);
void bind_absorbed(nb::module_& m);
void bind_iterative(nb::module_& m);

}  // namespace interlace
