// The end of a search, in the columns as they are: factors, coefficients and effects.
#pragma once
#include <vector>

#include "cholesky.hpp"
#include "from_origin.hpp"

namespace interlace {

// Columns `start` to `start + k` of grouping factor f; r (k x k) takes effects of the columns as they are to those about the origin: it
// is I but for the row of one effect, which has a 1 on the diagonal too.
struct Shift {
    index f, start, k;
    const double* r;
};

// T = R^-1 F as a lower triangular matrix, all k x k.
std::vector<double> as_they_are(index k, const double* r, const double* f);

// R T, the factor about the origin.
std::vector<double> about_origin(index k, const double* r, const double* t);

struct Finished {
    Blocks factors;  // per block, lower triangular
    Effects effects;
};

// From the relative covariance factors about the origin, one per grouping factor; l becomes the factor at what is found.
Finished finish(Cholesky& l, const Blocks& factors, const std::vector<Shift>& blocks, const FixedOrigin& origin);

}  // namespace interlace
