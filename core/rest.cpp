#include "rest.hpp"

#include <algorithm>

#include "interrupt.hpp"

namespace interlace {

Rest::Rest(const Symbolic& s) : pattern(*s.pattern), priors(s.priors), leading(s.leading), base(pattern.factors() + 1, 0) {
    for (index f = leading; f < pattern.factors(); ++f) {
        base[f + 1] = base[f] + pattern.levels[f];
        factor.insert(factor.end(), pattern.levels[f], static_cast<std::int32_t>(f));
        weight.insert(weight.end(), pattern.levels[f], pattern.k[f]);
    }
    for (const auto& p : pattern.pairs) transpose(p);
}

void Rest::rare_first(std::vector<std::int32_t>& nodes) const {
    if (leading == 0) return;
    std::vector<index> met(nodes.size());
    for (const std::int32_t node : nodes) {
        const index own = factor[node] - 1, level = node - base[factor[node]];
        met[node] = transposed_ptr[own][level + 1] - transposed_ptr[own][level];
    }
    std::stable_sort(nodes.begin(), nodes.end(), [&met](std::int32_t a, std::int32_t b) { return met[a] < met[b]; });
}

void Rest::transpose(const PairPattern& p) {
    const index levels_j = pattern.levels[p.j], levels_i = pattern.levels[p.i];
    std::vector<index> ptr(levels_j + 1, 0);
    for (const std::int32_t c : p.col) ++ptr[c + 1];
    for (index l = 0; l < levels_j; ++l) ptr[l + 1] += ptr[l];
    std::vector<std::int32_t> level(p.col.size());
    std::vector<index> at(ptr.begin(), ptr.end() - 1);
    for (index l = 0; l < levels_i; ++l)
        for (index b = p.ptr[l]; b < p.ptr[l + 1]; ++b) level[at[p.col[b]]++] = static_cast<std::int32_t>(l);
    transposed_ptr.push_back(std::move(ptr));
    transposed_level.push_back(std::move(level));
}

bool nearly_dense(const Rest& rest) {
    const index n = rest.nodes();
    if (n <= 48) return true;
    const index sample = std::min<index>(n, 64);
    const double enough = 0.3;
    std::vector<index> mark(n, -1);
    double share = 0;
    for (index s = 0; s < sample; ++s) {
        const index node = s * n / sample;
        index count = 0;
        rest.for_neighbours(node, [&](index m) {
            if (mark[m] != node) {
                mark[m] = node;
                ++count;
            }
            return static_cast<double>(count) < enough * static_cast<double>(n);
        });
        share += static_cast<double>(count) / (enough * static_cast<double>(n));
    }
    return share >= 0.7 * static_cast<double>(sample);
}

Graph build_graph(const Rest& rest) {
    Graph g;
    const index n = rest.nodes();
    g.ptr.assign(n + 1, 0);
    std::vector<index> mark(n, -1);
    for (index v = 0; v < n; ++v) {
        mark[v] = v;
        rest.for_neighbours(v, [&](index m) {
            if (mark[m] != v) {
                mark[m] = v;
                g.adj.push_back(static_cast<std::int32_t>(m));
            }
            return true;
        });
        g.ptr[v + 1] = static_cast<index>(g.adj.size());
        check_interrupt();
    }
    return g;
}

bool leads(const Pattern& pattern, const Priors& priors) {
    if (priors[0].links()) return false;
    bool linked = false;
    double left = 0, nodes = 0;
    for (index f = 1; f < pattern.factors(); ++f) {
        linked = linked || priors[f].links();
        nodes += static_cast<double>(pattern.levels[f]);
    }
    if (!linked) return true;
    for (index g = 0; g < pattern.levels[0]; ++g) {
        double met = 0;
        for (index j = 1; j < pattern.factors(); ++j) met += static_cast<double>(pattern.pairs[j - 1].ptr[g + 1] - pattern.pairs[j - 1].ptr[g]);
        left += met * met;
    }
    return left <= 8.0 * nodes;
}

}  // namespace interlace
