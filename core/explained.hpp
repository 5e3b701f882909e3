// What the random effects explain of each other: B = I - M^-1 = Lambda'Z'V^-1 Z Lambda, V = I + Z Lambda Lambda'Z'. It is dense, and only
// sums over its blocks are kept, from which the traces of V^-1 dV_i V^-1 dV_j follow: the curvature of log det V.
#pragma once
#include <vector>

#include "cholesky.hpp"

namespace interlace {

struct Explained {
    Blocks traces;   // per grouping factor: sum over its levels of their blocks, k x k
    Blocks squares;  // per pair f <= g, (0, 0), (0, 1), ...: sum over levels a, c of B[a r, c t] B[a s, c u], over r, t, s, u

    // Work is that of the inverse of a dense matrix over the rest, and of products of it with the elements of the leading levels.
    // Throws std::invalid_argument where something else than I stands in Lambda'Z'Z Lambda + I.
    static Explained of(const Cholesky& l);
};

}  // namespace interlace
