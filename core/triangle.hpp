// Lower triangular factors of the covariance of k random effects, k x k row-major, and a basis that suits one of them.
#pragma once
#include <vector>

#include "blas.hpp"

namespace interlace {

// Lower triangular T with a diagonal that is not negative and T T' = F F', without forming F F'. Where F is singular, T has a zero
// column for each direction that is missing.
std::vector<double> lower_factor(index k, std::vector<double> f);

struct Turned {
    std::vector<double> basis, factor;
};
// The covariance with factor `natural` T, T lower triangular, in another basis: basis' T' (T'T'')  basis'' is the same. The columns of
// the new basis are in order of conditional variance given the earlier ones, so that the directions in which the covariance is
// (nearly) singular come last; those with a conditional standard deviation above one are in units of it. The last k - free effects
// stay where they are.
Turned pivoted(index k, index free, const double* natural, const double* factor);

}  // namespace interlace
