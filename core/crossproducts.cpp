// Cross-products to cross-products: no row is looked at.
#include "crossproducts.hpp"

#include <algorithm>
#include <limits>
#include <stdexcept>

#include "fixed_root.hpp"
#include "interrupt.hpp"
#include "small.hpp"

namespace interlace {
namespace {

void add_scaled(std::vector<double>& a, const std::vector<double>& b, double c) {
    for (size_t i = 0; i < a.size(); ++i) a[i] += c * b[i];
}

// target, on pair t of a pattern, += c times the blocks of `part`, whose pattern is that one or lies in it.
void add_cross(std::vector<double>& target, const Pattern& pattern, const RandomPart& part, index t, double c) {
    if (part.pattern.get() == &pattern) return add_scaled(target, part.cross[t], c);
    const PairPattern& pair = pattern.pairs[t];
    const index block = pattern.k[pair.i] * pattern.k[pair.j];
    const std::vector<index> at = places(part.pattern->pairs[t], pair);
    for (size_t b = 0; b < at.size(); ++b)
        for (index e = 0; e < block; ++e) target[at[b] * block + e] += c * part.cross[t][static_cast<index>(b) * block + e];
}

// Zeros on a pattern.
CrossProducts zeros(const SharedPattern& pattern, index p) {
    auto random = std::make_shared<RandomPart>();
    auto fixed = std::make_shared<FixedPart>();
    auto response = std::make_shared<ResponsePart>();
    random->pattern = pattern;
    fixed->p = p;
    fixed->xx.assign(p * p, 0.0);
    response->xy.assign(p, 0.0);
    for (index f = 0; f < pattern->factors(); ++f) {
        random->diag.emplace_back(pattern->q(f) * pattern->k[f], 0.0);
        fixed->zx.emplace_back(pattern->q(f) * p, 0.0);
        response->zy.emplace_back(pattern->q(f), 0.0);
    }
    for (const PairPattern& pair : pattern->pairs)
        random->cross.emplace_back(static_cast<index>(pair.col.size()) * pattern->k[pair.i] * pattern->k[pair.j], 0.0);
    return {0, 0.0, std::move(random), std::move(fixed), std::move(response)};
}

}  // namespace

CrossProducts combine(const std::vector<CrossProducts>& parts, const std::vector<double>& coefficients, index n, double sum_log_w) {
    if (parts.empty() || parts.size() != coefficients.size()) throw std::invalid_argument("one coefficient for each of the cross-products");
    const index p = parts[0].fixed->p;
    SharedPattern pattern = parts[0].random->pattern;
    for (const CrossProducts& a : parts) {
        if (a.fixed->p != p) throw std::invalid_argument("cross-products of different designs cannot be combined");
        pattern = unite(pattern, a.random->pattern);
    }
    const CrossProducts empty = zeros(pattern, p);
    auto random = std::make_shared<RandomPart>(*empty.random);
    auto fixed = std::make_shared<FixedPart>(*empty.fixed);
    auto response = std::make_shared<ResponsePart>(*empty.response);
    for (size_t s = 0; s < parts.size(); ++s) {
        const CrossProducts& a = parts[s];
        const double c = coefficients[s];
        for (index f = 0; f < pattern->factors(); ++f) {
            add_scaled(random->diag[f], a.random->diag[f], c);
            add_scaled(fixed->zx[f], a.fixed->zx[f], c);
            add_scaled(response->zy[f], a.response->zy[f], c);
        }
        for (index t = 0; t < random->pairs(); ++t) add_cross(random->cross[t], *pattern, *a.random, t, c);
        add_scaled(fixed->xx, a.fixed->xx, c);
        add_scaled(response->xy, a.response->xy, c);
        response->yy += c * a.response->yy;
        check_interrupt();
    }
    return {n, sum_log_w, std::move(random), std::move(fixed), std::move(response)};
}

double explained(const CrossProducts& a) {
    const index p = a.fixed->p;
    if (p == 0) return 0.0;
    const auto root = FixedRoot::of(p, a.fixed->xx.data());
    if (!root) return std::numeric_limits<double>::infinity();
    std::vector<double> z = a.response->xy;
    root->half_solve(1, z.data());
    double sum = 0;
    for (const double v : z) sum += v * v;
    return sum;
}

std::vector<double> zx_total(const CrossProducts& a, index f) {
    const index block = a.random->k().at(f) * a.fixed->p;
    std::vector<double> out(block, 0.0);
    for (index g = 0; g < a.random->levels()[f]; ++g)
        for (index i = 0; i < block; ++i) out[i] += a.fixed->zx[f][g * block + i];
    return out;
}

CrossProducts select_fixed(const CrossProducts& a, const std::vector<index>& keep) {
    auto fixed = std::make_shared<FixedPart>();
    auto response = std::make_shared<ResponsePart>(*a.response);
    const index p = a.fixed->p, m = static_cast<index>(keep.size());
    fixed->p = m;
    fixed->xx.resize(m * m);
    response->xy.resize(m);
    for (index i = 0; i < m; ++i) {
        response->xy[i] = a.response->xy[keep[i]];
        for (index j = 0; j < m; ++j) fixed->xx[i * m + j] = a.fixed->xx[keep[i] * p + keep[j]];
    }
    for (const auto& zx : a.fixed->zx) {
        const index rows = p ? static_cast<index>(zx.size()) / p : 0;
        std::vector<double> out(rows * m);
        for (index r = 0; r < rows; ++r)
            for (index j = 0; j < m; ++j) out[r * m + j] = zx[r * p + keep[j]];
        fixed->zx.push_back(std::move(out));
    }
    return {a.n, a.sum_log_w, a.random, std::move(fixed), std::move(response)};
}

CrossProducts answered(const CrossProducts& base, double yy, std::vector<double> xy, std::vector<std::vector<double>> zy) {
    bool fits = xy.size() == base.response->xy.size() && zy.size() == base.response->zy.size();
    for (size_t f = 0; fits && f < zy.size(); ++f) fits = zy[f].size() == base.response->zy[f].size();
    if (!fits) throw std::invalid_argument("products with a response have the shape of those that are there");
    auto response = std::make_shared<ResponsePart>();
    response->yy = yy;
    response->xy = std::move(xy);
    response->zy = std::move(zy);
    return {base.n, base.sum_log_w, base.random, base.fixed, std::move(response)};
}

CrossProducts with_fixed(const CrossProducts& a, const double* h, index m, const double* v) {
    auto fixed = std::make_shared<FixedPart>();
    auto response = std::make_shared<ResponsePart>(*a.response);
    const index p = a.fixed->p;
    fixed->p = m;
    // 1) X'(y - X v), and y'y with it
    std::vector<double> xy(a.response->xy), xh(p * m, 0.0);
    for (index i = 0; i < p; ++i) {
        const double xv = small::dot(p, &a.fixed->xx[i * p], v);
        response->yy += v[i] * (xv - 2.0 * xy[i]);
        xy[i] -= xv;
    }
    // 2) in the new columns
    small::add_ab(p, m, p, 1.0, a.fixed->xx.data(), h, xh.data());
    fixed->xx.assign(m * m, 0.0);
    small::add_atb(m, m, p, 1.0, h, xh.data(), fixed->xx.data());
    response->xy.assign(m, 0.0);
    small::add_atb(m, 1, p, 1.0, h, xy.data(), response->xy.data());
    for (size_t f = 0; f < a.fixed->zx.size(); ++f) {
        const std::vector<double>& zx = a.fixed->zx[f];
        const index rows = static_cast<index>(response->zy[f].size());
        std::vector<double> out(rows * m, 0.0);
        for (index r = 0; r < rows; ++r) {
            response->zy[f][r] -= small::dot(p, zx.data() + r * p, v);
            small::add_ab(1, m, p, 1.0, zx.data() + r * p, h, out.data() + r * m);
        }
        fixed->zx.push_back(std::move(out));
    }
    return {a.n, a.sum_log_w, a.random, std::move(fixed), std::move(response)};
}

namespace {

// Each of the blocks B (m x n, one after the other) becomes L'B; L is m x m. Nothing stands for the identity.
void from_left(index m, index n, const std::vector<double>& l, std::vector<double>& blocks) {
    if (l.empty()) return;
    std::vector<double> out(m * n);
    for (size_t at = 0; at < blocks.size(); at += m * n) {
        std::fill(out.begin(), out.end(), 0.0);
        small::add_atb(m, n, m, 1.0, l.data(), &blocks[at], out.data());
        std::copy(out.begin(), out.end(), blocks.begin() + at);
    }
}

// The same for B R; R is n x n.
void from_right(index m, index n, const std::vector<double>& r, std::vector<double>& blocks) {
    if (r.empty()) return;
    std::vector<double> out(m * n);
    for (size_t at = 0; at < blocks.size(); at += m * n) {
        std::fill(out.begin(), out.end(), 0.0);
        small::add_ab(m, n, n, 1.0, &blocks[at], r.data(), out.data());
        std::copy(out.begin(), out.end(), blocks.begin() + at);
    }
}

}  // namespace

CrossProducts with_random(const CrossProducts& a, const std::vector<std::vector<double>>& g) {
    const Pattern& pattern = *a.random->pattern;
    const index p = a.fixed->p;
    if (static_cast<index>(g.size()) != pattern.factors()) throw std::invalid_argument("one matrix for each grouping factor");
    auto random = std::make_shared<RandomPart>(*a.random);
    auto fixed = std::make_shared<FixedPart>(*a.fixed);
    auto response = std::make_shared<ResponsePart>(*a.response);
    for (index f = 0; f < pattern.factors(); ++f) {
        const index k = pattern.k[f];
        if (!g[f].empty() && static_cast<index>(g[f].size()) != k * k) throw std::invalid_argument("one row and column for each column of Z");
        from_left(k, k, g[f], random->diag[f]);
        from_right(k, k, g[f], random->diag[f]);
        if (p > 0) from_left(k, p, g[f], fixed->zx[f]);
        from_left(k, 1, g[f], response->zy[f]);
        check_interrupt();
    }
    for (size_t s = 0; s < pattern.pairs.size(); ++s) {
        const PairPattern& pair = pattern.pairs[s];
        from_left(pattern.k[pair.i], pattern.k[pair.j], g[pair.i], random->cross[s]);
        from_right(pattern.k[pair.i], pattern.k[pair.j], g[pair.j], random->cross[s]);
        check_interrupt();
    }
    return {a.n, a.sum_log_w, std::move(random), std::move(fixed), std::move(response)};
}

}  // namespace interlace
