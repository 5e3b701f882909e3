// A start for the search: variance components from the moments of the data.
#pragma once
#include <vector>

#include "deviance.hpp"

namespace interlace {

// Equates quadratic forms of the least-squares residuals r = Qy with their expectations (MINQUE(0), Rao 1970): for each grouping
// factor f, with A = Z'QZ (Q projects off the first columns of X, all of them if they are few),
//   sum_g s_g s_g' = sigma^2 sum_g A_gg + sum_f' sum_gh A_gh Sigma_f' A_gh',   s = Z'r,
// and r'r = sigma^2 (n - p) + sum_f tr(A_ff Sigma_f): linear in sigma^2 and Sigma. Directions that come out (nearly) negative are set
// to a small positive value. A known covariance counts as its mean variance times I. Returns parameters of `map`.
std::vector<double> moment_start(const CrossProducts& a, const Parametrization& map, const Priors& priors);

// The same about the coefficients, and with the residual variance, that the rows within the levels of a grouping factor say, where
// these are others than those of least squares (see within.hpp). There the criterion may have other minima.
struct Rivals {
    std::vector<std::vector<double>> starts;
    double gain = 0;  // the largest, of log sigma^2
};
Rivals rivals(const CrossProducts& a, const Parametrization& map, const Priors& priors);

}  // namespace interlace
