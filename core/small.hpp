// Dense kernels for the k x k blocks of a grouping factor: k is 1, 2 or 3 nearly always, so calling BLAS would cost more
// than the arithmetic. Row-major, leading dimension = number of columns.
#pragma once
#include <cmath>
#include <vector>

#include "blas.hpp"

namespace interlace::small {

namespace detail {
void add_ab(index m, index n, index k, double alpha, const double* a, const double* b, double* c);
void add_atb(index m, index n, index k, double alpha, const double* a, const double* b, double* c);
void solve_l(index k, index n, const double* l, double* b);
void solve_lt(index k, index n, const double* l, double* b);
constexpr index large = 4096;  // products from which BLAS pays
}  // namespace detail

// A few numbers: a call of memmove for two takes longer than they do.
inline void copy(index n, const double* from, double* to) {
    index i = 0;
    for (; i + 1 < n; i += 2) {
        const double a = from[i], b = from[i + 1];
        to[i] = a;
        to[i + 1] = b;
    }
    if (i < n) to[i] = from[i];
}

// C (m x n) += alpha * A (m x k) * B (k x n)
inline void add_ab(index m, index n, index k, double alpha, const double* a, const double* b, double* c) {
    if (m == 1 && k == 1) {
        const double v = alpha * a[0];
        for (index j = 0; j < n; ++j) c[j] += v * b[j];
    } else if (m * n * k < detail::large) {
        detail::add_ab(m, n, k, alpha, a, b, c);
    } else {
        blas::gemm('N', 'N', n, m, k, alpha, b, n, a, k, 1.0, c, n);
    }
}
// C (m x n) += alpha * A' B, A (k x m), B (k x n)
inline void add_atb(index m, index n, index k, double alpha, const double* a, const double* b, double* c) {
    if (m == 1 && k == 1) {
        const double v = alpha * a[0];
        for (index j = 0; j < n; ++j) c[j] += v * b[j];
    } else if (m * n * k < detail::large) {
        detail::add_atb(m, n, k, alpha, a, b, c);
    } else {
        blas::gemm('N', 'T', n, m, k, alpha, b, n, a, m, 1.0, c, n);
    }
}
// C (m x n) += alpha * A B', A (m x k), B (n x k)
inline void add_abt(index m, index n, index k, double alpha, const double* a, const double* b, double* c) {
    if (m * n * k >= detail::large) {
        blas::gemm('T', 'N', n, m, k, alpha, b, k, a, k, 1.0, c, n);
        return;
    }
    for (index i = 0; i < m; ++i)
        for (index j = 0; j < n; ++j) {
            double v = 0;
            for (index l = 0; l < k; ++l) v += a[i * k + l] * b[j * k + l];
            c[i * n + j] += alpha * v;
        }
}
// Lower Cholesky in place (upper triangle left as it is); false if a pivot is not positive.
inline bool cholesky(index k, double* a) {
    for (index j = 0; j < k; ++j) {
        double d = a[j * k + j];
        for (index l = 0; l < j; ++l) d -= a[j * k + l] * a[j * k + l];
        if (!(d > 0)) return false;
        d = std::sqrt(d);
        a[j * k + j] = d;
        for (index i = j + 1; i < k; ++i) {
            double v = a[i * k + j];
            for (index l = 0; l < j; ++l) v -= a[i * k + l] * a[j * k + l];
            a[i * k + j] = v / d;
        }
    }
    return true;
}
// B (k x n) = L^-1 B
inline void solve_l(index k, index n, const double* l, double* b) {
    if (k == 1) {
        const double inv = 1.0 / l[0];
        for (index j = 0; j < n; ++j) b[j] *= inv;
    } else {
        detail::solve_l(k, n, l, b);
    }
}
// B (k x n) = L^-T B
inline void solve_lt(index k, index n, const double* l, double* b) {
    if (k == 1) solve_l(k, n, l, b);
    else detail::solve_lt(k, n, l, b);
}
inline double dot(index n, const double* a, const double* b) {
    double s = 0;
    for (index i = 0; i < n; ++i) s += a[i] * b[i];
    return s;
}

}  // namespace interlace::small
