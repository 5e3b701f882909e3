// The Cholesky factor of X'X, and what is solved with it.
#pragma once
#include <optional>
#include <vector>

#include "blas.hpp"

namespace interlace {

// X'X = R'R, p x p, or of any symmetric positive definite matrix; sizes of the columns do not matter.
class FixedRoot {
  public:
    // None where a pivot is not positive.
    static std::optional<FixedRoot> of(index p, const double* xx);
    // (X'X)^-1 of the rows of `rows`, count x p row-major, in place.
    void solve(index count, double* rows) const;
    // R'^-1 of the same: inner products of what comes out are those with (X'X)^-1 of what went in.
    void half_solve(index count, double* rows) const;

  private:
    FixedRoot(index p, std::vector<double> l) : p_(p), l_(std::move(l)) {}
    index p_;
    std::vector<double> l_;  // column-major, lower
};

}  // namespace interlace
