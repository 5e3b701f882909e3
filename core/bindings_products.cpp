// Bindings of patterns and cross-products.
#include <algorithm>

#include "bindings.hpp"
#include "blocks.hpp"
#include "cells.hpp"
#include "coded.hpp"
#include "fixed_root.hpp"
#include "scan.hpp"

namespace interlace {
namespace {

nb::tuple get_state(const CrossProducts& a) {
    nb::list diag, zx, zy, pairs;
    const RandomPart& r = *a.random;
    for (index f = 0; f < r.factors(); ++f) {
        diag.append(to_numpy(r.diag[f], {r.diag[f].size()}));
        zx.append(to_numpy(a.fixed->zx[f], {a.fixed->zx[f].size()}));
        zy.append(to_numpy(a.response->zy[f], {a.response->zy[f].size()}));
    }
    for (index s = 0; s < r.pairs(); ++s) {
        const PairBlocks p = r.pair(s);
        pairs.append(nb::make_tuple(p.i, p.j, to_numpy(p.ptr, {p.ptr.size()}),
                                    to_numpy(std::vector<index>(p.col.begin(), p.col.end()), {p.col.size()}),
                                    to_numpy(p.val, {p.val.size()})));
    }
    return nb::make_tuple(a.n, a.sum_log_w, r.levels(), r.k(), diag, pairs, to_numpy(a.fixed->xx, {a.fixed->xx.size()}), zx,
                          to_numpy(a.response->xy, {a.response->xy.size()}), zy, a.response->yy);
}

CrossProducts from_state(const nb::tuple& s) {
    auto random = std::make_shared<RandomPart>();
    auto fixed = std::make_shared<FixedPart>();
    auto response = std::make_shared<ResponsePart>();
    auto pattern = std::make_shared<Pattern>();
    pattern->levels = nb::cast<std::vector<index>>(s[2]);
    pattern->k = nb::cast<std::vector<index>>(s[3]);
    const auto blocks = [](nb::handle list) {
        Blocks out;
        for (nb::handle a : nb::cast<nb::list>(list)) out.push_back(to_vector(nb::cast<Flat>(a)));
        return out;
    };
    random->diag = blocks(s[4]);
    for (nb::handle h : nb::cast<nb::list>(s[5])) {
        const nb::tuple t = nb::cast<nb::tuple>(h);
        PairPattern p;
        p.i = nb::cast<index>(t[0]);
        p.j = nb::cast<index>(t[1]);
        const auto ptr = nb::cast<FlatIndex>(t[2]), col = nb::cast<FlatIndex>(t[3]);
        p.ptr.assign(ptr.data(), ptr.data() + ptr.size());
        for (size_t i = 0; i < col.size(); ++i) p.col.push_back(static_cast<std::int32_t>(col.data()[i]));
        random->cross.push_back(to_vector(nb::cast<Flat>(t[4])));
        pattern->pairs.push_back(std::move(p));
    }
    random->pattern = std::move(pattern);
    fixed->xx = to_vector(nb::cast<Flat>(s[6]));
    fixed->zx = blocks(s[7]);
    response->xy = to_vector(nb::cast<Flat>(s[8]));
    fixed->p = static_cast<index>(response->xy.size());
    response->zy = blocks(s[9]);
    response->yy = nb::cast<double>(s[10]);
    return {nb::cast<index>(s[0]), nb::cast<double>(s[1]), std::move(random), std::move(fixed), std::move(response)};
}

template <class Integer> void bind_tables(nb::module_& m) {
    using Values = nb::ndarray<const Integer, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
    using Marks = nb::ndarray<std::int8_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
    m.def("looked_up", [](const Values& values, std::int64_t low, index size, const std::optional<Codes>& table) {
        const index n = static_cast<index>(values.size());
        if (table && static_cast<index>(table->size()) != size) throw std::invalid_argument("the table has another size");
        const std::int32_t* from = table ? table->data() : nullptr;
        return to_numpy(released([&] { return looked_up(values.data(), n, low, from, size); }), {sz(n)});
    }, "values"_a, "low"_a, "size"_a, "table"_a.none());
    m.def("first_met", [](const Values& values, std::int64_t low, const Marks& table) {
        const index n = static_cast<index>(values.size()), size = static_cast<index>(table.size());
        std::vector<index> rows = released([&] { return first_met(values.data(), n, low, table.data(), size); });
        const size_t found = rows.size();
        return to_numpy(std::move(rows), {found});
    });
}

void bind_numbers(nb::module_& m) {
    m.def("scan", [](const Array<double, 1, false>& x) {
        if (x.shape(0) == 0) throw std::invalid_argument("there are no numbers");
        const auto look = [&] { return scan(x.data(), static_cast<index>(x.shape(0)), x.stride(0)); };
        const Scan s = x.shape(0) < 10000 ? look() : released(look);
        return nb::make_tuple(s.sum, s.squares, s.low, s.high);
    });
    m.def("cells",
          [](const std::vector<Codes>& codes, const std::vector<index>& levels, const In& y, std::optional<FlatIndex> count,
             std::optional<In> within, double about, index most) {
              const size_t rows = y.shape(0);
              if (codes.size() != levels.size() || (count && count->shape(0) != rows) || (within && within->shape(0) != rows))
                  throw std::invalid_argument("lengths differ");
              std::vector<CodedColumn> columns;
              for (size_t c = 0; c < codes.size(); ++c) {
                  if (codes[c].shape(0) != rows) throw std::invalid_argument("lengths differ");
                  columns.push_back({codes[c].data(), levels[c]});
              }
              const OfResponse of{y.data(), count ? count->data() : nullptr, within ? within->data() : nullptr};
              Cells found = released([&] { return cells_of(columns, static_cast<index>(rows), of, about, most); });
              const size_t n = found.first.size();
              return nb::make_tuple(to_numpy(std::move(found.first), {n}), to_numpy(std::move(found.count), {n}),
                                    to_numpy(std::move(found.mean), {n}), to_numpy(std::move(found.within), {n}));
          },
          "codes"_a, "levels"_a, "y"_a, "count"_a.none(), "within"_a.none(), "about"_a, "most"_a);
    m.def("all_occur", [](const Codes& codes, index levels) {
        return released([&] { return all_occur(codes.data(), static_cast<index>(codes.size()), levels); });
    });
    m.def("counted", [](const FlatIndex& values) {
        const size_t n = values.size();
        if (n == 0) return nb::object(nb::none());
        const auto ends = std::minmax_element(values.data(), values.data() + n);
        const std::int64_t low = *ends.first, high = *ends.second;
        // dense enough to be counted: the difference may be larger than an integer of its own type
        if (static_cast<std::uint64_t>(high) - static_cast<std::uint64_t>(low) > 4 * n + 1024) return nb::object(nb::none());
        Counted found = released([&] { return counted(values.data(), static_cast<index>(n), low, high - low + 1); });
        const size_t levels = found.levels.size();
        return nb::object(nb::make_tuple(to_numpy(std::move(found.codes), {n}), to_numpy(std::move(found.levels), {levels})));
    });
    bind_tables<std::int32_t>(m);
    bind_tables<std::int64_t>(m);
}

void bind_values(nb::module_& m) {
    nb::class_<Pattern>(m, "Pattern")
        .def_ro("levels", &Pattern::levels)
        .def_ro("k", &Pattern::k)
        .def("__eq__", [](const Pattern& a, const Pattern& b) { return a == b; }, nb::is_operator());
    nb::class_<CrossProducts>(m, "CrossProducts")
        .def_ro("n", &CrossProducts::n)
        .def_prop_ro("pattern", [](const CrossProducts& a) { return std::const_pointer_cast<Pattern>(a.random->pattern); })
        .def_ro("sum_log_w", &CrossProducts::sum_log_w)
        .def_prop_ro("p", [](const CrossProducts& a) { return a.fixed->p; })
        .def_prop_ro("levels", [](const CrossProducts& a) { return a.random->levels(); })
        .def_prop_ro("k", [](const CrossProducts& a) { return a.random->k(); })
        .def_prop_ro("xx", [](const CrossProducts& a) { return to_numpy(a.fixed->xx, {sz(a.fixed->p), sz(a.fixed->p)}); }, nb::rv_policy::move)
        .def_prop_ro("xy", [](const CrossProducts& a) { return to_numpy(a.response->xy, {sz(a.fixed->p)}); }, nb::rv_policy::move)
        .def_prop_ro("yy", [](const CrossProducts& a) { return a.response->yy; })
        .def("zz_diagonal", [](const CrossProducts& a, index f) {
            const size_t k = sz(a.random->k().at(f));
            return to_numpy(a.random->diag.at(f), {sz(a.random->levels()[f]), k, k});
        })
        .def("zz_pair", [](const CrossProducts& a, index i, index j) {
            const PairBlocks p = a.random->pair(i, j);
            return nb::make_tuple(to_numpy(p.ptr, {p.ptr.size()}), to_numpy(std::vector<index>(p.col.begin(), p.col.end()), {p.col.size()}),
                                  to_numpy(p.val, {p.col.size(), sz(a.random->k()[i]), sz(a.random->k()[j])}));
        })
        .def("zx", [](const CrossProducts& a, index f) {
            return to_numpy(a.fixed->zx.at(f), {sz(a.random->levels()[f]), sz(a.random->k()[f]), sz(a.fixed->p)});
        })
        .def("zx_total", [](const CrossProducts& a, index f) {
            return to_numpy(zx_total(a, f), {sz(a.random->k().at(f)), sz(a.fixed->p)});
        })
        .def("zy", [](const CrossProducts& a, index f) {
            return to_numpy(a.response->zy.at(f), {sz(a.random->levels()[f]), sz(a.random->k()[f])});
        })
        .def("__getstate__", &get_state)
        .def("__setstate__", [](CrossProducts& a, const nb::tuple& s) { new (&a) CrossProducts(from_state(s)); });
}

void bind_accumulation(nb::module_& m) {
    m.def("accumulate",
          [](In y, Strided2 x, std::vector<Codes> codes, std::vector<In2> z, std::vector<index> levels, std::optional<In> w,
             double y_origin, In x_origin, std::vector<In> z_origin) {
              const PyRows r(y, x, codes, z, levels, w, y_origin, x_origin, z_origin);
              return released([&] { return accumulate(r.rows); });
          },
          "y"_a, "x"_a, "codes"_a, "z"_a, "levels"_a, "w"_a.none(), "y_origin"_a, "x_origin"_a, "z_origin"_a);
    nb::class_<Accumulation>(m, "Accumulation")
        .def("__init__",
             [](Accumulation* self, In y, Strided2 x, std::vector<Codes> codes, std::vector<In2> z, std::vector<index> levels,
                std::optional<In> w, double y_origin, In x_origin, std::vector<In> z_origin) {
                 new (self) Accumulation(PyRows(y, x, codes, z, levels, w, y_origin, x_origin, z_origin).rows);
             },
             "y"_a, "x"_a, "codes"_a, "z"_a, "levels"_a, "w"_a.none(), "y_origin"_a, "x_origin"_a, "z_origin"_a)
        .def("add",
             [](Accumulation& a, In y, Strided2 x, std::vector<Codes> codes, std::vector<In2> z, std::vector<index> levels,
                std::optional<In> w, double y_origin, In x_origin, std::vector<In> z_origin) {
                 const PyRows r(y, x, codes, z, levels, w, y_origin, x_origin, z_origin);
                 released([&] { a.add(r.rows); });
             },
             "y"_a, "x"_a, "codes"_a, "z"_a, "levels"_a, "w"_a.none(), "y_origin"_a, "x_origin"_a, "z_origin"_a)
        .def("add_cells",
             [](Accumulation& a, index n, double sum_log_w, double within, In y, Strided2 x, std::vector<Codes> codes, std::vector<In2> z,
                std::vector<index> levels, std::optional<In> w, double y_origin, In x_origin, std::vector<In> z_origin) {
                 const PyRows r(y, x, codes, z, levels, w, y_origin, x_origin, z_origin);
                 released([&] { a.add_cells(r.rows, n, sum_log_w, within); });
             },
             "n"_a, "sum_log_w"_a, "within"_a, "y"_a, "x"_a, "codes"_a, "z"_a, "levels"_a, "w"_a.none(), "y_origin"_a, "x_origin"_a,
             "z_origin"_a)
        .def("take", [](Accumulation& a) { return released([&] { return a.take(); }); });
    m.def("with_response",
          [](const CrossProducts& base, In y, Strided2 x, std::vector<Codes> codes, std::vector<In2> z, std::vector<index> levels,
             std::optional<In> w, double y_origin, In x_origin, std::vector<In> z_origin) {
              const PyRows r(y, x, codes, z, levels, w, y_origin, x_origin, z_origin);
              return released([&] { return with_response(base, r.rows); });
          },
          "base"_a, "y"_a, "x"_a, "codes"_a, "z"_a, "levels"_a, "w"_a.none(), "y_origin"_a, "x_origin"_a, "z_origin"_a);
    m.def("accumulate_on",
          [](std::shared_ptr<Pattern> pattern, In y, Strided2 x, std::vector<Codes> codes, std::vector<In2> z, std::vector<index> levels,
             std::optional<In> w, double y_origin, In x_origin, std::vector<In> z_origin) {
              const PyRows r(y, x, codes, z, levels, w, y_origin, x_origin, z_origin);
              return released([&] { return accumulate_on(pattern, r.rows); });
          },
          "pattern"_a, "y"_a, "x"_a, "codes"_a, "z"_a, "levels"_a, "w"_a.none(), "y_origin"_a, "x_origin"_a, "z_origin"_a);
}

void bind_combinations(nb::module_& m) {
    nb::class_<ResponseSums>(m, "ResponseSums")
        .def(nb::init<>())
        .def("add",
             [](ResponseSums& sums, In2 responses, In origins, In y, Strided2 x, std::vector<Codes> codes, std::vector<In2> z,
                std::vector<index> levels, std::optional<In> w, double y_origin, In x_origin, std::vector<In> z_origin) {
                 const PyRows r(y, x, codes, z, levels, w, y_origin, x_origin, z_origin);
                 if (responses.shape(1) != y.shape(0) || responses.shape(0) != origins.shape(0))
                     throw std::invalid_argument("lengths differ");
                 const std::vector<double> about(origins.data(), origins.data() + origins.size());
                 released([&] { sums.add(r.rows, responses.data(), about); });
             },
             "responses"_a, "origins"_a, "y"_a, "x"_a, "codes"_a, "z"_a, "levels"_a, "w"_a.none(), "y_origin"_a, "x_origin"_a,
             "z_origin"_a)
        .def("take", [](ResponseSums& sums, const CrossProducts& base) { return sums.take(base); });
    m.def("combine", [](const std::vector<CrossProducts>& parts, const std::vector<double>& coefficients, index n, double sum_log_w) {
        return released([&] { return combine(parts, coefficients, n, sum_log_w); });
    });
    m.def("fold",
          [](const CrossProducts& a, index first, std::vector<index> numbers, std::vector<FlatIndex> ptr, std::vector<FlatIndex> col,
             std::vector<In> val, std::optional<index> intercept, In origin) {
              Folding f{static_cast<index>(origin.size()), first, std::move(numbers), {}, intercept.value_or(-1), to_vector(origin)};
              if (ptr.size() != col.size() || ptr.size() != val.size()) throw std::invalid_argument("one array for each set of cells");
              const auto integers = [](const FlatIndex& i) { return std::vector<index>(i.data(), i.data() + i.size()); };
              for (size_t g = 0; g < ptr.size(); ++g) f.cells.push_back({integers(ptr[g]), integers(col[g]), to_vector(val[g])});
              return released([&] { return fold(a, f); });
          },
          "a"_a, "first"_a, "numbers"_a, "ptr"_a, "col"_a, "val"_a, "intercept"_a.none(), "origin"_a);
    m.def("explained", [](const CrossProducts& a) { return released([&] { return explained(a); }); });
    m.def("white_zx", [](const CrossProducts& a) {
        std::vector<std::vector<double>> white(a.fixed->zx);
        const bool good = released([&] {
            const auto root = FixedRoot::of(a.fixed->p, a.fixed->xx.data());
            for (size_t f = 0; root && f < white.size(); ++f) root->half_solve(a.random->pattern->q(static_cast<index>(f)), white[f].data());
            return root.has_value();
        });
        nb::list out;
        for (size_t f = 0; good && f < white.size(); ++f)
            out.append(to_numpy(std::move(white[f]), {sz(a.random->levels()[f]), sz(a.random->k()[f]), sz(a.fixed->p)}));
        return good ? nb::object(out) : nb::none();
    });
    m.def("with_fixed", [](const CrossProducts& a, const In2& h, const Flat& v) {
        if (h.shape(0) != sz(a.fixed->p) || v.size() != sz(a.fixed->p)) throw std::invalid_argument("one row and one number per column of X");
        return with_fixed(a, h.data(), static_cast<index>(h.shape(1)), v.data());
    });
    m.def("with_random", [](const CrossProducts& a, const std::vector<std::optional<In2>>& g) {
        std::vector<std::vector<double>> of_z;
        for (const auto& one : g) of_z.emplace_back(one ? std::vector<double>(one->data(), one->data() + one->size()) : std::vector<double>());
        return released([&] { return with_random(a, of_z); });
    });
    m.def("block_facts", [](const CrossProducts& a, index f, index start, index k, double scale, bool seen, double dependent,
                            double not_spanned, double least) {
        const Block block{f, start, k};
        BlockFacts found = released([&] { return block_facts(a, block, scale, seen, {dependent, not_spanned, least}); });
        nb::object white = nb::none();
        if (!found.white.empty()) white = nb::cast(to_numpy(std::move(found.white), {sz(k), sz(k)}));
        return nb::make_tuple(to_numpy(std::move(found.size), {sz(k)}), white, found.mean, found.spread, found.levels);
    });
    m.def("together", [](const CrossProducts& a, index f, index start, const In2& basis, index first, double unseen) {
        const Block block{f, start, static_cast<index>(basis.shape(0))};
        return together(a, block, basis.data(), static_cast<index>(basis.shape(1)), first, unseen);
    });
    m.def("full_levels", &full_levels);
    m.def("farthest", [](const In& origin, const In2& basis, index intercept) {
        const auto k = static_cast<index>(origin.size());
        if (basis.shape(0) != sz(k) || basis.shape(1) != sz(k) || intercept < 0 || intercept >= k) throw std::invalid_argument("sizes differ");
        const Farthest found = farthest(origin.data(), basis.data(), k, intercept);
        return nb::make_tuple(found.times, found.column);
    });
    m.def("independent", [](const CrossProducts& a, const In& origin, double share) {
        if (origin.shape(0) != sz(a.fixed->p)) throw std::invalid_argument("one number for each column of X");
        return released([&] { return independent(a, origin.data(), share); });
    });
    m.def("select_fixed", [](const CrossProducts& a, std::vector<index> keep) { return select_fixed(a, keep); });
    m.def("answered", [](const CrossProducts& base, double yy, const In& xy, const std::vector<In>& zy) {
        std::vector<std::vector<double>> of_z;
        for (const In& one : zy) of_z.emplace_back(one.data(), one.data() + one.size());
        return answered(base, yy, {xy.data(), xy.data() + xy.size()}, std::move(of_z));
    });
    m.def("select_random", [](const CrossProducts& a, std::vector<index> factors, std::vector<std::vector<index>> columns) {
        return released([&] { return select_random(a, factors, columns); });
    });
    m.def("select_levels", [](const CrossProducts& a, const std::vector<FlatIndex>& levels) {
        std::vector<std::vector<index>> kept;
        for (const FlatIndex& one : levels) kept.emplace_back(one.data(), one.data() + one.size());
        return released([&] { return select_levels(a, kept); });
    });
}

}  // namespace

void bind_products(nb::module_& m) {
    bind_numbers(m);
    bind_values(m);
    bind_accumulation(m);
    bind_combinations(m);
}

}  // namespace interlace
