// What the leading factor leaves, as a graph: levels of the other factors are its nodes. Which order suits it?
#pragma once
#include <cstdint>
#include <vector>

#include "ordering.hpp"
#include "symbolic.hpp"

namespace interlace {

// The rest as a graph given by elements (cliques) and pair blocks.
struct Rest {
    const Pattern& pattern;
    const Priors& priors;
    index leading;                     // factors before the rest: 0 or 1
    std::vector<index> base;           // factor -> first node
    std::vector<std::int32_t> factor;  // node -> factor
    std::vector<index> weight;         // node -> scalars
    std::vector<std::vector<index>> transposed_ptr;           // pair -> levels of j
    std::vector<std::vector<std::int32_t>> transposed_level;  // pair -> level of i

    explicit Rest(const Symbolic& s);
    index nodes() const { return static_cast<index>(factor.size()); }
    index pair_count() const { return static_cast<index>(pattern.pairs.size()); }
    index first_pair() const { return leading == 1 ? pattern.factors() - 1 : 0; }  // of two factors of the rest

    // Calls f(neighbour) for everything adjacent to a node, with repeats; stops when f returns false.
    template <class F> void for_neighbours(index node, F f) const {
        const index fac = factor[node], level = node - base[fac];
        if (leading == 1) {
            const index own = fac - 1;  // pair (0, fac)
            for (index e = transposed_ptr[own][level]; e < transposed_ptr[own][level + 1]; ++e) {
                const index g = transposed_level[own][e];
                for (index j = 1; j < pattern.factors(); ++j) {
                    const PairPattern& p = pattern.pairs[j - 1];
                    for (index b = p.ptr[g]; b < p.ptr[g + 1]; ++b)
                        if (!f(base[j] + p.col[b])) return;
                }
            }
        }
        for (index s = first_pair(); s < pair_count(); ++s) {
            const PairPattern& p = pattern.pairs[s];
            if (p.i == fac)
                for (index b = p.ptr[level]; b < p.ptr[level + 1]; ++b)
                    if (!f(base[p.j] + p.col[b])) return;
            if (p.j == fac)
                for (index e = transposed_ptr[s][level]; e < transposed_ptr[s][level + 1]; ++e)
                    if (!f(base[p.i] + transposed_level[s][e])) return;
        }
        if (!priors[fac].links()) return;
        const Precision& q = *priors[fac].precision;
        for (index e = q.ptr[level]; e < q.ptr[level + 1]; ++e)
            if (q.col[e] != level && !f(base[fac] + q.col[e])) return;
    }

    // Nodes by how many levels of the leading factor they meet.
    void rare_first(std::vector<std::int32_t>& nodes) const;

  private:
    void transpose(const PairPattern& p);
};

// Would a fill-reducing order be of no use? True for small problems and when a sample of nodes touches a large share of all.
bool nearly_dense(const Rest& rest);
Graph build_graph(const Rest& rest);

// Does the first factor lead? Where levels of others are linked, only if what it leaves on them is sparse: a level that meets many
// makes them a clique, and a fill-reducing order may do better with it among the others.
bool leads(const Pattern& pattern, const Priors& priors);

}  // namespace interlace
