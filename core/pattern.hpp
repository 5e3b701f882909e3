// The structure of the cross-products of one design: grouping factors with their levels and columns, and which levels meet.
// Made once, shared by everything that is computed from the design, never changed.
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "blas.hpp"

namespace interlace {

// Which levels of two different grouping factors meet: by level of factor i, levels of factor j ascending.
struct PairPattern {
    index i = 0, j = 0;
    std::vector<index> ptr;         // levels_i + 1
    std::vector<std::int32_t> col;  // level of factor j
    // The block of a pair of levels; -1 if they do not meet.
    index find(index level_i, index level_j) const;
    bool operator==(const PairPattern& other) const { return i == other.i && j == other.j && ptr == other.ptr && col == other.col; }
};

struct Pattern {
    std::vector<index> levels, k;    // per grouping factor
    std::vector<PairPattern> pairs;  // i < j, ordered (0,1), (0,2), ..., (1,2), ...
    index factors() const { return static_cast<index>(k.size()); }
    index q(index f) const { return levels[f] * k[f]; }
    index q() const;
    index pair_index(index i, index j) const;
    bool same_shape(const Pattern& other) const { return levels == other.levels && k == other.k; }
    bool operator==(const Pattern& other) const { return same_shape(other) && pairs == other.pairs; }
};

using SharedPattern = std::shared_ptr<const Pattern>;

// The pattern in which all levels meet that meet in a or in b: a itself, or b, where that is enough.
SharedPattern unite(const SharedPattern& a, const SharedPattern& b);

// For each block of `part` its number in `whole`, which has it.
std::vector<index> places(const PairPattern& part, const PairPattern& whole);

}  // namespace interlace
