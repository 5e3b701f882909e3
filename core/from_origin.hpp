// From a model about the origin of its cross-products to the effects of the columns as they are.
#pragma once
#include <vector>

#include "solved.hpp"

namespace interlace {

// Columns `start` to `start + k` of grouping factor f, with a lower triangular factor T (k x k).
struct BlockFactor {
    index f, start, k;
    const double* t;
};

// What was taken from y and the columns of X; `intercept`, if there is one, takes what the means of the other columns stand for.
struct FixedOrigin {
    double y;
    std::vector<double> x, beta;
    index intercept = -1;
};

struct Effects {
    std::vector<double> beta;
    std::vector<double> vcov;  // unscaled, p x p
    Blocks u, b;               // per block, levels x k: spherical effects and b = T u
    double squares = 0;        // u'P u, of the effects that vary
};

Effects from_origin(const Solved& solved, const std::vector<BlockFactor>& blocks, const FixedOrigin& origin);

}  // namespace interlace
