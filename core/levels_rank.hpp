// The rank of the dummy columns of absorbed factors, exactly. Two factors: levels less connected components. More: the levels of the
// two largest are followed along a spanning tree of their graph, and each row that closes a cycle is an equation between the levels
// of the others; those are eliminated in whole numbers modulo a prime.
#pragma once
#include <cstdint>
#include <vector>

#include "absorbed.hpp"

namespace interlace {

struct LevelsRank {
    index rank = -1;                                     // -1: not asked for, or more work than `most`
    index components = 0;                                // of all factors together
    std::vector<std::vector<std::int32_t>> component;    // factor as given -> level -> its component, -1 where it does not occur
    std::vector<char> free;                              // q: coordinates of the rest that may be 0, so that the others are determined
};

// Components alone; any columns.
LevelsRank components(const AbsorbedRows& a);
// Rank as well; every factor is plain. `most` products in the elimination.
LevelsRank levels_rank(const AbsorbedRows& a, double most);

}  // namespace interlace
