// Derivatives of the profiled criterion with respect to the relative covariance factors, on the cross-products alone.
#pragma once
#include <optional>
#include <vector>

#include "cholesky.hpp"

namespace interlace {

enum class Criterion { ml, reml };

// A direction in which the factor of one grouping factor moves: dF (k x k, row-major).
struct Direction {
    index factor;
    std::vector<double> df;
};

struct Derivatives {
    Blocks gradient;              // per grouping factor: d criterion / d F, k x k row-major
    std::vector<double> average;  // m x m: average-information part of the Hessian along the directions
    Blocks misfit;                // per grouping factor: sum_g s_g u_g', minus half of d pwrss / d F, k x k row-major
};

// The criterion at the state of the factor, without -sum log w.
double criterion_value(const Solved& l, Criterion kind);

// With V = I + Z Lambda Lambda'Z', W = Z'V^-1 Z, E = Z'V^-1 X, s = Z'V^-1 (y - X beta), u = F's and sigma^2 = pwrss / df:
//   d criterion = 2 sum_g tr( (W_gg F - E_g K E_g'F - s_g s_g'F / sigma^2) dF' ),   K = (X'V^-1 X)^-1 for REML, 0 for ML.
// (W F)_gg = sum_h A_gh F_h (M^-1)_hg needs M^-1 on the pattern of A = Z'Z only.
// The average-information part is t_i'(W - E K E')t_j / sigma^2 - (s't_i)(s't_j) / (df sigma^4), t_i = dF_i u + F dF_i's:
// Gilmour, Thompson & Cullis (1995), profiled over sigma.
// With `scale` sigma^2 is that number and not profiled out: derivatives of ldL2 (+ ldRX2) + pwrss / scale.
Derivatives derivatives(const Cholesky& l, Criterion kind, const std::vector<Direction>& directions, std::optional<double> scale = {});
// The same where sum_g (W F)_gg, per grouping factor k x k, is known from elsewhere.
Derivatives derivatives(const Solved& l, Blocks traces, Criterion kind, const std::vector<Direction>& directions,
                        std::optional<double> scale = {});
// The average-information part alone: no block of M^-1 is needed.
std::vector<double> average_alone(const Solved& l, Criterion kind, const std::vector<Direction>& directions);

}  // namespace interlace
