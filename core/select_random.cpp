// Cross-products of fewer random effects: some grouping factors in any order, some columns of each, or some of their levels.
#include <algorithm>
#include <stdexcept>
#include <tuple>
#include <utility>

#include "crossproducts.hpp"

namespace interlace {
namespace {

using Columns = std::vector<index>;

// Rows `i` and columns `j` of each of the blocks, m x n, which lie one after the other.
std::vector<double> of_blocks(const std::vector<double>& blocks, index m, index n, const Columns& i, const Columns& j) {
    std::vector<double> out;
    const size_t count = m > 0 && n > 0 ? blocks.size() / (m * n) : 0;
    out.reserve(count * i.size() * j.size());
    for (size_t b = 0; b < count; ++b)
        for (const index r : i)
            for (const index c : j) out.push_back(blocks[b * (m * n) + (r * n + c)]);
    return out;
}

Columns all(index p) {
    Columns out(p);
    for (index c = 0; c < p; ++c) out[c] = c;
    return out;
}

// What the products say of X and y alone; nothing of Z yet.
std::pair<std::shared_ptr<FixedPart>, std::shared_ptr<ResponsePart>> of_x_and_y(const CrossProducts& a) {
    auto fixed = std::make_shared<FixedPart>();
    auto response = std::make_shared<ResponsePart>();
    fixed->p = a.fixed->p;
    fixed->xx = a.fixed->xx;
    response->yy = a.response->yy;
    response->xy = a.response->xy;
    return {std::move(fixed), std::move(response)};
}

// A pair of factors the other way round: pattern and blocks.
std::pair<PairPattern, std::vector<double>> transposed(const PairPattern& pair, const std::vector<double>& values, index k_i, index k_j,
                                                       index levels_j) {
    PairPattern out{pair.j, pair.i, std::vector<index>(levels_j + 1, 0), std::vector<std::int32_t>(pair.col.size())};
    std::vector<double> turned(values.size());
    for (const std::int32_t level : pair.col) ++out.ptr[level + 1];
    for (size_t l = 1; l < out.ptr.size(); ++l) out.ptr[l] += out.ptr[l - 1];
    std::vector<index> next(out.ptr.begin(), out.ptr.end() - 1);
    for (size_t l = 0; l + 1 < pair.ptr.size(); ++l)
        for (index b = pair.ptr[l]; b < pair.ptr[l + 1]; ++b) {
            const index at = next[pair.col[b]]++;
            out.col[at] = static_cast<std::int32_t>(l);
            for (index r = 0; r < k_i; ++r)
                for (index c = 0; c < k_j; ++c)
                    turned[(at * k_j + c) * k_i + r] = values[(b * k_i + r) * k_j + c];
        }
    return {std::move(out), std::move(turned)};
}

void check(const Pattern& pattern, const std::vector<index>& factors, const std::vector<Columns>& columns) {
    if (factors.size() != columns.size()) throw std::invalid_argument("some columns for each of the grouping factors");
    for (size_t f = 0; f < factors.size(); ++f) {
        if (factors[f] < 0 || factors[f] >= pattern.factors() || std::count(factors.begin(), factors.end(), factors[f]) > 1)
            throw std::invalid_argument("no such grouping factor, or one that is there twice");
        for (const index c : columns[f])
            if (c < 0 || c >= pattern.k[factors[f]]) throw std::invalid_argument("no such column of Z");
    }
}

}  // namespace

CrossProducts select_random(const CrossProducts& a, const std::vector<index>& factors, const std::vector<Columns>& columns) {
    const Pattern& from = *a.random->pattern;
    check(from, factors, columns);
    auto pattern = std::make_shared<Pattern>();
    auto random = std::make_shared<RandomPart>();
    const auto [fixed, response] = of_x_and_y(a);
    const Columns of_x = all(a.fixed->p);
    // 1) each grouping factor by itself
    for (size_t f = 0; f < factors.size(); ++f) {
        const size_t old = factors[f];
        const index k = from.k[old];
        pattern->levels.push_back(from.levels[old]);
        pattern->k.push_back(static_cast<index>(columns[f].size()));
        random->diag.push_back(of_blocks(a.random->diag[old], k, k, columns[f], columns[f]));
        fixed->zx.push_back(of_blocks(a.fixed->zx[old], k, a.fixed->p, columns[f], of_x));
        response->zy.push_back(of_blocks(a.response->zy[old], k, 1, columns[f], {0}));
    }
    // 2) pairs, the other way round where their order is
    for (size_t i = 0; i < factors.size(); ++i)
        for (size_t j = i + 1; j < factors.size(); ++j) {
            const bool turned = factors[i] > factors[j];
            const index first = std::min(factors[i], factors[j]), second = std::max(factors[i], factors[j]);
            const size_t s = (from.pair_index(first, second));
            PairPattern pair = from.pairs[s];
            std::vector<double> values = a.random->cross[s];
            if (turned)
                std::tie(pair, values) = transposed(pair, values, from.k[first], from.k[second],
                                                    from.levels[second]);
            pair.i = static_cast<index>(i);
            pair.j = static_cast<index>(j);
            random->cross.push_back(of_blocks(values, from.k[factors[i]], from.k[factors[j]],
                                              columns[i], columns[j]));
            pattern->pairs.push_back(std::move(pair));
        }
    random->pattern = std::move(pattern);
    return {a.n, a.sum_log_w, std::move(random), fixed, response};
}

namespace {

// Some of the blocks, which have so many numbers each.
std::vector<double> some(const std::vector<double>& blocks, index size, const Columns& kept) {
    std::vector<double> out(kept.size() * size);
    for (size_t l = 0; l < kept.size(); ++l)
        std::copy_n(blocks.begin() + kept[l] * size, size, out.begin() + static_cast<index>(l) * size);
    return out;
}

// A pair of factors with some of their levels, which are all that meet.
PairPattern with_levels(const PairPattern& pair, const Columns& rows, const Columns& columns, index levels_j) {
    std::vector<std::int32_t> place(levels_j, -1);
    for (size_t l = 0; l < columns.size(); ++l) place[columns[l]] = static_cast<std::int32_t>(l);
    PairPattern out{pair.i, pair.j, {0}, {}};
    for (const index l : rows) {
        for (index b = pair.ptr[l]; b < pair.ptr[l + 1]; ++b) out.col.push_back(place[pair.col[b]]);
        out.ptr.push_back(static_cast<index>(out.col.size()));
    }
    if (out.col.size() != pair.col.size() || std::count(out.col.begin(), out.col.end(), -1) > 0)
        throw std::invalid_argument("a level that is left out has rows");
    return out;
}

}  // namespace

CrossProducts select_levels(const CrossProducts& a, const std::vector<Columns>& levels) {
    const Pattern& from = *a.random->pattern;
    if (levels.size() != from.k.size()) throw std::invalid_argument("some levels for each of the grouping factors");
    auto pattern = std::make_shared<Pattern>();
    auto random = std::make_shared<RandomPart>();
    const auto [fixed, response] = of_x_and_y(a);
    pattern->k = from.k;
    for (size_t f = 0; f < levels.size(); ++f) {
        const index k = from.k[f];
        index last = -1;
        for (const index l : levels[f]) {
            if (l <= last || l >= from.levels[f]) throw std::invalid_argument("levels are given once each and in their order");
            last = l;
        }
        pattern->levels.push_back(static_cast<index>(levels[f].size()));
        random->diag.push_back(some(a.random->diag[f], k * k, levels[f]));
        fixed->zx.push_back(some(a.fixed->zx[f], k * fixed->p, levels[f]));
        response->zy.push_back(some(a.response->zy[f], k, levels[f]));
    }
    for (size_t s = 0; s < from.pairs.size(); ++s) {
        const PairPattern& pair = from.pairs[s];
        pattern->pairs.push_back(with_levels(pair, levels[pair.i], levels[pair.j], from.levels[pair.j]));
        random->cross.push_back(a.random->cross[s]);
    }
    random->pattern = std::move(pattern);
    return {a.n, a.sum_log_w, std::move(random), fixed, response};
}

}  // namespace interlace
