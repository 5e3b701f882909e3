#include "small.hpp"

// Compiled for wider vectors too; the loader picks what the processor has. (It does so before the thread sanitizer is there.)
#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_THREAD__)
#define INTERLACE_VECTOR __attribute__((target_clones("arch=skylake-avx512", "arch=haswell", "default")))
#else
#define INTERLACE_VECTOR
#endif

namespace interlace::small::detail {
namespace {

// Where levels see a few of their effects only, most numbers are zeros: below this length a look costs more than the work.
constexpr index skipped = 8;

inline bool nothing(double v, index n) { return v == 0.0 && n >= skipped; }

}  // namespace

INTERLACE_VECTOR void add_ab(index m, index n, index k, double alpha, const double* a, const double* b, double* c) {
    for (index i = 0; i < m; ++i)
        for (index l = 0; l < k; ++l) {
            const double v = alpha * a[i * k + l];
            if (nothing(v, n)) continue;
            for (index j = 0; j < n; ++j) c[i * n + j] += v * b[l * n + j];
        }
}

INTERLACE_VECTOR void add_atb(index m, index n, index k, double alpha, const double* a, const double* b, double* c) {
    for (index l = 0; l < k; ++l)
        for (index i = 0; i < m; ++i) {
            const double v = alpha * a[l * m + i];
            if (nothing(v, n)) continue;
            for (index j = 0; j < n; ++j) c[i * n + j] += v * b[l * n + j];
        }
}

INTERLACE_VECTOR void solve_l(index k, index n, const double* l, double* b) {
    for (index i = 0; i < k; ++i) {
        for (index r = 0; r < i; ++r) {
            const double v = l[i * k + r];
            if (nothing(v, n)) continue;
            for (index j = 0; j < n; ++j) b[i * n + j] -= v * b[r * n + j];
        }
        const double inv = 1.0 / l[i * k + i];
        for (index j = 0; j < n; ++j) b[i * n + j] *= inv;
    }
}

INTERLACE_VECTOR void solve_lt(index k, index n, const double* l, double* b) {
    for (index i = k - 1; i >= 0; --i) {
        for (index r = i + 1; r < k; ++r) {
            const double v = l[r * k + i];
            if (nothing(v, n)) continue;
            for (index j = 0; j < n; ++j) b[i * n + j] -= v * b[r * n + j];
        }
        const double inv = 1.0 / l[i * k + i];
        for (index j = 0; j < n; ++j) b[i * n + j] *= inv;
    }
}

}  // namespace interlace::small::detail
