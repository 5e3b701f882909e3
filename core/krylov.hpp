// Conjugate gradients for C X = B, M columns at once, and what they tell of quadratic forms of functions of C (Lanczos quadrature).
#pragma once
#include <array>
#include <stdexcept>
#include <vector>

#include "crossed.hpp"

namespace interlace {

// The iterations ended before the residual was small.
struct NotSettled : std::runtime_error {
    NotSettled() : std::runtime_error("the conjugate gradients did not converge") {}
};

// The tridiagonal matrix of a column: what C is on its Krylov space.
struct Tridiagonal {
    std::vector<double> diagonal, off;
    // e_1'f(T) e_1
    template <class F> double form(F f) const;
};

// X (rest x M row-major) with |B - C X| <= tolerance |B| for each column; columns of zeros stay zero. The iterations.
template <int M>
index conjugate_gradients(const Crossed& c, const std::vector<double>& b, double tolerance, std::vector<double>& x,
                          std::array<Tridiagonal, M>* told = nullptr);

template <class F> double Tridiagonal::form(F f) const {
    const index n = static_cast<index>(diagonal.size());
    std::vector<double> t(n * n, 0.0), values(n);
    for (index i = 0; i < n; ++i) {
        t[i + i * n] = diagonal[i];
        if (i + 1 < n) t[i + 1 + i * n] = t[i + (i + 1) * n] = off[i];
    }
    if (n == 0 || !blas::syevd(n, t.data(), values.data())) return 0.0;
    double sum = 0;
    for (index i = 0; i < n; ++i) sum += t[i * n] * t[i * n] * f(values[i]);
    return sum;
}

}  // namespace interlace
