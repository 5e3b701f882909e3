// Symbolic analysis of M = Lambda'Z'Z Lambda + P, blocked by grouping factor; P is I, or what the priors say.
//
// The levels of the leading factor (the one with most random effects) do not touch each other: they are eliminated first, level
// by level. Each leaves an outer product on the levels of the other factors that it occurs with: an *element*. What remains, the
// Schur complement on these levels (the *rest*), is factorised by a multifrontal Cholesky: elements are assembled straight into
// the front that eliminates the first of their levels, so the Schur complement itself is never formed. If it would be dense
// there is one front and the work is LAPACK's; a nested design gives fronts without rows below the pivots and no fill.
// Where priors link levels, nothing may lead, and all are the rest.
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "pattern.hpp"
#include "prior.hpp"

namespace interlace {

struct Front {
    index first = 0;    // rest position of the first pivot
    index pivots = 0;   // scalars eliminated here
    index rows = 0;     // scalars below the pivots
    index row_ptr = 0;  // into Symbolic::row_index and ::parent_pos
    index parent = -1;
    index panel = 0;    // into the factor's panel storage, (pivots + rows) x pivots, column-major
    index node_begin = 0, node_end = 0;    // into Symbolic::order
    index elem_begin = 0, elem_end = 0;    // into Symbolic::elem_order
    index head = 0;  // positions from here on are met by so many elements that these are written out there (see elements.hpp)
    index entry_begin = 0, entry_end = 0;  // into Symbolic::entries
    index size() const { return pivots + rows; }
};

// One block of Z_i'Z_j of two factors of the rest, or of the precision of one of them, at its place in a front.
struct FrontEntry {
    std::int32_t pair;          // of the pattern; -1 - f: the prior of factor f
    std::int32_t pos_i, pos_j;  // positions of the two levels in the front
    index block;                // within the pair; entry of the precision
    std::int32_t level_i, level_j;
};

struct Symbolic {
    SharedPattern pattern;
    Priors priors;
    index leading = 0;                // number of leading factors: 1, or 0 where priors link levels
    index lead_levels = 0;
    index q_lead = 0, q_rest = 0;
    std::vector<index> node_base;     // factor of the rest -> number of its first node
    std::vector<index> position;      // node -> rest position of its first scalar
    std::vector<std::int32_t> node_factor;  // node -> factor
    std::vector<std::int32_t> order;  // nodes by elimination
    // elements, by level of the leading factor
    std::vector<index> elem_ptr;      // levels_0 + 1, into the three below
    std::vector<std::int32_t> elem_pair, elem_level;  // pair (0, j) is pairs[j - 1]; level of factor j
    std::vector<index> elem_block;    // block within the pair
    std::vector<index> column_ptr;    // levels_0 + 1: scalar columns of the element
    std::vector<std::int32_t> column_pos;  // their positions in the owner front, ascending
    std::vector<std::int32_t> elem_order;  // levels of the leading factor by owner front
    std::vector<Front> fronts;        // postorder
    std::vector<index> row_index;     // rest position of each front row
    std::vector<std::int32_t> parent_pos;  // its position in the parent front
    std::vector<FrontEntry> entries;
    // the same of the grouping factors that have a prior, where others have none, and which they are
    std::shared_ptr<const Symbolic> varying;
    std::vector<index> varying_factors;
    // what it costs
    index panel_size = 0;     // doubles in the factor's panels
    index stack_size = 0;     // doubles in the update stack at its deepest
    index inverse_size = 0;   // doubles alive in the selected inverse at its deepest
    double flops = 0;         // of one factorisation
    bool complete() const { return (q_rest == 0 || !fronts.empty()) && (!varying || varying->complete()); }  // else the factor was refused
    double bytes(index p) const;  // everything one factor needs with p fixed effects
};

// Does an element meet so much of a front with n rows that it is written out as a whole?
inline bool is_wide(index columns, index n) { return n >= 32 && 5 * columns >= n; }

// max_bytes: analysis stops (and the result has no fronts, only costs) when the factor would need more.
std::shared_ptr<const Symbolic> analyze(SharedPattern pattern, Priors priors, double max_bytes);

}  // namespace interlace
