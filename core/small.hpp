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

// The same for two or three effects, in place: a call would take longer than the arithmetic.
template <index K> inline void fixed_ab(index n, double alpha, const double* a, const double* b, double* c) {
    for (index i = 0; i < K; ++i)
        for (index j = 0; j < n; ++j) {
            double v = c[i * n + j];
            for (index l = 0; l < K; ++l) v += alpha * a[i * K + l] * b[l * n + j];
            c[i * n + j] = v;
        }
}
template <index K> inline void fixed_atb(index n, double alpha, const double* a, const double* b, double* c) {
    for (index i = 0; i < K; ++i)
        for (index j = 0; j < n; ++j) {
            double v = c[i * n + j];
            for (index l = 0; l < K; ++l) v += alpha * a[l * K + i] * b[l * n + j];
            c[i * n + j] = v;
        }
}
template <index K> inline void fixed_solve_l(index n, const double* l, double* b) {
    for (index i = 0; i < K; ++i) {
        const double inv = 1.0 / l[i * K + i];
        for (index j = 0; j < n; ++j) {
            double v = b[i * n + j];
            for (index r = 0; r < i; ++r) v -= l[i * K + r] * b[r * n + j];
            b[i * n + j] = v * inv;
        }
    }
}
template <index K> inline void fixed_solve_lt(index n, const double* l, double* b) {
    for (index i = K - 1; i >= 0; --i) {
        const double inv = 1.0 / l[i * K + i];
        for (index j = 0; j < n; ++j) {
            double v = b[i * n + j];
            for (index r = i + 1; r < K; ++r) v -= l[r * K + i] * b[r * n + j];
            b[i * n + j] = v * inv;
        }
    }
}
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
    } else if (m == 2 && k == 2 && n < 8) {
        detail::fixed_ab<2>(n, alpha, a, b, c);
    } else if (m == 3 && k == 3 && n < 8) {
        detail::fixed_ab<3>(n, alpha, a, b, c);
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
    } else if (m == 2 && k == 2 && n < 8) {
        detail::fixed_atb<2>(n, alpha, a, b, c);
    } else if (m == 3 && k == 3 && n < 8) {
        detail::fixed_atb<3>(n, alpha, a, b, c);
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
    } else if (k == 2 && n < 8) {
        detail::fixed_solve_l<2>(n, l, b);
    } else if (k == 3 && n < 8) {
        detail::fixed_solve_l<3>(n, l, b);
    } else {
        detail::solve_l(k, n, l, b);
    }
}
// B (k x n) = L^-T B
inline void solve_lt(index k, index n, const double* l, double* b) {
    if (k == 1) solve_l(k, n, l, b);
    else if (k == 2 && n < 8) detail::fixed_solve_lt<2>(n, l, b);
    else if (k == 3 && n < 8) detail::fixed_solve_lt<3>(n, l, b);
    else detail::solve_lt(k, n, l, b);
}
// C = A B or C = A'B for K rows, as long as the compiler knows how many.
template <index K> inline void multiply(index m, const double* a, const double* b, double* c) {
    for (index i = 0; i < K; ++i)
        for (index j = 0; j < m; ++j) {
            double v = 0;
            for (index r = 0; r < K; ++r) v += a[i * K + r] * b[r * m + j];
            c[i * m + j] = v;
        }
}
template <index K> inline void multiply_transposed(index m, const double* a, const double* b, double* c) {
    for (index i = 0; i < K; ++i)
        for (index j = 0; j < m; ++j) {
            double v = 0;
            for (index r = 0; r < K; ++r) v += a[r * K + i] * b[r * m + j];
            c[i * m + j] = v;
        }
}
inline double dot(index n, const double* a, const double* b) {
    double s = 0;
    for (index i = 0; i < n; ++i) s += a[i] * b[i];
    return s;
}

}  // namespace interlace::small
