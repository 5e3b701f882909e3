#include "fixed_root.hpp"

#include <algorithm>

#include "interrupt.hpp"

namespace interlace {

std::optional<FixedRoot> FixedRoot::of(index p, const double* xx) {
    std::vector<double> l(xx, xx + p * p);
    if (p > 0 && !blas::potrf_lower(p, l.data(), p)) return std::nullopt;
    check_interrupt();
    return FixedRoot(p, std::move(l));
}

void FixedRoot::solve(index count, double* rows) const {
    half_solve(count, rows);
    if (p_ > 0 && count > 0) blas::trsm_lower('L', 'T', p_, count, l_.data(), p_, rows, p_);
}

void FixedRoot::half_solve(index count, double* rows) const {
    if (p_ > 0 && count > 0) blas::trsm_lower('L', 'N', p_, count, l_.data(), p_, rows, p_);
}

}  // namespace interlace
