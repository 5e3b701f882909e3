// One look at a column of numbers, before a model is made of it.
#pragma once
#include "blas.hpp"

namespace interlace {

struct Scan {
    double sum = 0;      // pairwise, as NumPy adds: no number means that there is one that is none, or that they are too large
    double squares = 0;  // sum of squares
    double low = 0, high = 0;
};

// n >= 1 numbers, so many doubles apart.
Scan scan(const double* x, index n, index stride);

}  // namespace interlace
