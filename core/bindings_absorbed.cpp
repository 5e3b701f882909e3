// Bindings of absorbed factors.
#include "absorbed_solve.hpp"
#include "bindings.hpp"
#include "levels_rank.hpp"

namespace interlace {
namespace {

using Given = nb::ndarray<const double, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

std::shared_ptr<AbsorbedSystem> absorbed(const std::vector<Codes>& codes, const std::vector<index>& levels, const std::vector<std::optional<Given>>& z,
                                         const std::vector<bool>& intercept, std::optional<In> w) {
    if (codes.empty() || codes.size() != levels.size() || codes.size() != z.size() || codes.size() != intercept.size())
        throw std::invalid_argument("codes, levels, columns and intercept of each factor");
    const size_t n = codes[0].shape(0);
    if (n == 0 || n > 4294967295u || (w && w->shape(0) != n)) throw std::invalid_argument("lengths differ");
    std::vector<AbsorbedFactor> given;
    for (size_t f = 0; f < codes.size(); ++f) {
        if (codes[f].shape(0) != n || (z[f] && z[f]->shape(0) != n) || (!z[f] && !intercept[f])) throw std::invalid_argument("lengths differ");
        for (size_t r = 0; r < n; ++r)
            if (codes[f].data()[r] < 0 || codes[f].data()[r] >= levels[f]) throw std::invalid_argument("a code is out of range");
        given.push_back({codes[f].data(), z[f] ? z[f]->data() : nullptr, levels[f], z[f] ? static_cast<index>(z[f]->shape(1)) : 1, intercept[f]});
    }
    return released([&] { return std::make_shared<AbsorbedSystem>(AbsorbedRows(static_cast<index>(n), given, w ? w->data() : nullptr)); });
}

nb::dict project(const AbsorbedSystem& s, const Strided2& x, bool residuals, bool effects, index most) {
    if (static_cast<index>(x.shape(0)) != s.rows().n) throw std::invalid_argument("lengths differ");
    const size_t n = x.shape(0), m = x.shape(1);
    auto* out = residuals ? new double[n * m] : nullptr;
    nb::capsule owner(out ? out : new double[1], [](void* p) noexcept { delete[] static_cast<double*>(p); });
    const ColumnBlock block{x.data(), x.stride(0), x.stride(1), static_cast<index>(m)};
    Projected p = released([&] { return s.project(block, out, effects, most); });
    nb::dict d;
    if (residuals) {
        const size_t shape[2] = {m, n};
        d["residuals"] = nb::ndarray<nb::numpy, double>(out, 2, shape, owner);  // a row for each column
    }
    d["normal"] = to_numpy(std::move(p.residual), {m});
    d["iterations"] = to_numpy(std::move(p.iterations), {m});
    d["method"] = p.method;
    nb::list effect;
    for (size_t g = 0; g < p.effects.size(); ++g)
        for (const AbsorbedRows::Factor& f : s.rows().factors)
            if (f.given == static_cast<index>(g)) effect.append(to_numpy(std::move(p.effects[g]), {sz(f.levels), sz(f.k), m}));
    d["effects"] = effect;
    return d;
}

// By factor as given, levels x k: the coefficients that may be 0, so that the others are determined; empty if that is not known.
nb::list held(const AbsorbedRows& a, const LevelsRank& r) {
    nb::list out;
    for (size_t g = 0; g < a.factors.size() && r.rank >= 0; ++g)
        for (const AbsorbedRows::Factor& f : a.factors) {
            if (f.given != static_cast<index>(g)) continue;
            std::vector<std::int32_t> flags(f.diag.size());
            for (size_t i = 0; i < flags.size(); ++i) flags[i] = f.diag[i] == 0.0 || (&f != &a.factors[0] && r.free[sz(f.base) + i]);
            out.append(to_numpy(std::move(flags), {sz(f.levels), sz(f.k)}));
        }
    return out;
}

nb::dict rank(const AbsorbedSystem& s, double most, double flops, double doubles) {
    const AbsorbedRows& a = s.rows();
    bool plain = true;
    for (const AbsorbedRows::Factor& f : a.factors) plain = plain && f.plain();
    LevelsRank r = released([&] {
        LevelsRank found = plain ? levels_rank(a, most) : components(a);
        if (found.rank < 0) found.free = s.rank_by_elimination({flops, doubles}, found.rank);
        return found;
    });
    nb::dict d;
    d["rank"] = r.rank;
    d["components"] = r.components;
    nb::list of;
    for (auto& c : r.component) {
        const size_t levels = c.size();
        of.append(to_numpy(std::move(c), {levels}));
    }
    d["component"] = of;
    d["held"] = held(a, r);
    return d;
}

}  // namespace

void bind_absorbed(nb::module_& m) {
    nb::class_<AbsorbedSystem>(m, "AbsorbedSystem")
        .def("project", &project, "columns"_a, "residuals"_a, "effects"_a, "most"_a)
        .def("rank", &rank, "most"_a, "flops"_a, "doubles"_a);
    m.def("absorbed", &absorbed, "codes"_a, "levels"_a, "z"_a, "intercept"_a, "w"_a.none());
}

}  // namespace interlace
