#include "front.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "interrupt.hpp"
#include "pool.hpp"
#include "tiles.hpp"

namespace interlace {
namespace {

// Columns of a front treated at once. One call of BLAS must not keep an interrupt waiting for long.
constexpr index step = 256;

void factor_one(const FrontMatrix& f) {
    const index n = f.size, below = n - 1;
    double* a = f.panel;
    if (!(a[0] > 0)) throw NotPositiveDefinite();
    a[0] = std::sqrt(a[0]);
    const double inv = 1.0 / a[0];
    for (index r = 1; r < n; ++r) a[r] *= inv;
    for (index c = 0; c < below; ++c)
        for (index r = c; r < below; ++r) f.update[r + c * below] -= a[1 + r] * a[1 + c];
}

// Left-looking over blocks of pivot columns.
void factor_blocks(const FrontMatrix& f) {
    const index n = f.size, below = n - f.pivots;
    double* a = f.panel;
    for (index j0 = 0; j0 < f.pivots; j0 += step) {
        const index nb = std::min(step, f.pivots - j0), rows = n - j0 - nb;
        double* d = a + j0 + j0 * n;
        if (j0 > 0) blas::gemm('N', 'T', n - j0, nb, j0, -1.0, a + j0, n, a + j0, n, 1.0, d, n);
        if (!blas::potrf_lower(nb, d, n)) throw NotPositiveDefinite();
        blas::trsm_lower('R', 'T', rows, nb, d, n, d + nb, n);
        check_interrupt();
    }
    if (below > 0) blas::syrk_lower('N', below, f.pivots, -1.0, a + f.pivots, n, 1.0, f.update, below);
}

void invert_blocks(index n, index pivots, const double* l, double* z) {
    std::vector<double> w;
    for (index j0 = (pivots - 1) / step * step; j0 >= 0; j0 -= step) {
        const index nb = std::min(step, pivots - j0), j1 = j0 + nb, rows = n - j1;
        const double* ljj = l + j0 + j0 * n;
        double* zjj = z + j0 + j0 * n;
        for (index c = 0; c < nb; ++c) std::copy_n(ljj + c + c * n, nb - c, zjj + c + c * n);
        blas::potri_lower(nb, zjj, n);
        if (rows > 0) {
            w.resize(rows * nb);
            for (index c = 0; c < nb; ++c) std::copy_n(ljj + nb + c * n, rows, &w[c * rows]);
            blas::trsm_lower('R', 'N', rows, nb, ljj, n, w.data(), rows);
            blas::symm_lower('L', rows, nb, -1.0, z + j1 + j1 * n, n, w.data(), rows, 0.0, z + j1 + j0 * n, n);
            blas::gemm('T', 'N', nb, nb, rows, -1.0, w.data(), rows, z + j1 + j0 * n, n, 1.0, zjj, n);
        }
        check_interrupt();
    }
}

}  // namespace

void factor_front(const FrontMatrix& f) {
    if (f.pivots == 1) factor_one(f);
    else if (worth_tiles(f.size)) factor_tiles(f);
    else factor_blocks(f);
}

void subtract_outer(const FrontMatrix& f, const double* b, index m) {
    const index below = f.size - f.pivots;
    blas::syrk_lower('N', f.pivots, m, -1.0, b, f.size, 1.0, f.panel, f.size);
    if (below == 0) return;
    blas::gemm('N', 'T', below, f.pivots, m, -1.0, b + f.pivots, f.size, b, f.size, 1.0, f.panel + f.pivots, f.size);
    blas::syrk_lower('N', below, m, -1.0, b + f.pivots, f.size, 1.0, f.update, below);
}

void invert_front(index n, index pivots, const double* l, double* z) {
    if (n == 1) z[0] = 1.0 / (l[0] * l[0]);
    else if (worth_tiles(n)) invert_tiles(n, pivots, l, z);
    else invert_blocks(n, pivots, l, z);
}

}  // namespace interlace
