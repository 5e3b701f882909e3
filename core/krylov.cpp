#include "krylov.hpp"

#include <cmath>

#include "front.hpp"

namespace interlace {
namespace {

constexpr index most_iterations = 5000;

template <int M> void dots(const std::vector<double>& a, const std::vector<double>& b, double* out) {
    std::fill(out, out + M, 0.0);
    for (size_t i = 0; i < a.size(); i += M)
        for (size_t j = 0; j < M; ++j) out[j] += a[i + j] * b[i + j];
}

}  // namespace

template <int M>
index conjugate_gradients(const Crossed& c, const std::vector<double>& b, double tolerance, std::vector<double>& x,
                          std::array<Tridiagonal, M>* told) {
    std::vector<double> r(b), d(b), s(b.size());
    x.assign(b.size(), 0.0);
    double rho[M], target[M], curve[M], next[M], alpha[M], before[M] = {}, beta[M] = {};
    dots<M>(r, r, rho);
    for (int j = 0; j < M; ++j) target[j] = tolerance * tolerance * rho[j];
    for (index it = 1; it <= most_iterations; ++it) {
        // 1) a step of each column that has not ended
        c.apply<M>(d.data(), s.data());
        dots<M>(d, s, curve);
        bool going = false;
        for (int j = 0; j < M; ++j) {
            const bool on = rho[j] > target[j] && rho[j] > 0;
            if (on && !(curve[j] > 0)) throw NotPositiveDefinite();
            alpha[j] = on ? rho[j] / curve[j] : 0.0;
            going = going || on;
        }
        if (!going) return it - 1;
        for (size_t i = 0; i < r.size(); i += M)
            for (size_t j = 0; j < M; ++j) {
                x[i + j] += alpha[j] * d[i + j];
                r[i + j] -= alpha[j] * s[i + j];
            }
        dots<M>(r, r, next);
        // 2) what it says of C
        for (int j = 0; j < M && told; ++j) {
            if (alpha[j] == 0) continue;
            Tridiagonal& t = (*told)[static_cast<size_t>(j)];
            const bool first = t.diagonal.empty();
            if (!first) t.off.push_back(std::sqrt(beta[j]) / before[j]);
            t.diagonal.push_back(1.0 / alpha[j] + (first ? 0.0 : beta[j] / before[j]));
        }
        // 3) the next direction
        for (int j = 0; j < M; ++j) {
            if (alpha[j] == 0) {
                beta[j] = 0;
                continue;
            }
            before[j] = alpha[j];
            beta[j] = next[j] / rho[j];
            rho[j] = next[j];
        }
        for (size_t i = 0; i < r.size(); i += M)
            for (size_t j = 0; j < M; ++j) d[i + j] = r[i + j] + beta[j] * d[i + j];
        check_interrupt();
    }
    throw NotSettled();
}

template index conjugate_gradients<2>(const Crossed&, const std::vector<double>&, double, std::vector<double>&, std::array<Tridiagonal, 2>*);
template index conjugate_gradients<8>(const Crossed&, const std::vector<double>&, double, std::vector<double>&, std::array<Tridiagonal, 8>*);

}  // namespace interlace
