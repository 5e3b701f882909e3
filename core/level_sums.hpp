// The slopes of the criterion of a model with one grouping factor from sums over its levels, which add and subtract: those of some
// levels are those of all less those of the others.
#pragma once
#include <vector>

#include "deviance.hpp"

namespace interlace {

// With B_g = Z_g'[X y], U_g = M_g^-1 F'B_g and E_g = B_g - A_g F U_g, m = p + 1:
struct LevelSums {
    std::vector<double> trace;      // A_g F M_g^-1, k x k
    std::vector<double> crossed;    // E_g[a, i] U_g[b, j], k x k x m x m
    std::vector<double> explained;  // (F'B_g)'U_g, m x m
    LevelSums(index k, index m) : trace(k * k, 0.0), crossed(k * k * m * m, 0.0), explained(m * m, 0.0) {}
};

// More random effects or columns of [X y] than these are not summed.
constexpr index most_effects = 3, most_columns = 12;

// Are slopes of this model such sums?
bool is_summed(const CrossProducts& a, const Symbolic& symbolic);

// B_g of a level, k x m.
void columns_of_level(const CrossProducts& a, index level, double* to);
// The same of all levels, one after the other.
std::vector<double> columns_of_levels(const CrossProducts& a);

// `sign` times the terms of levels at a factor F: their A_g, k x k, and B_g, k x m, one after the other.
// Throws NotPositiveDefinite.
void add_levels(double sign, const std::vector<double>& f, index m, index levels, const double* a, const double* b, LevelSums& to);

// d criterion / d F (k x k, see gradient.hpp) where the levels of `a` are those of the sums; true but for a sum that is no longer
// positive definite by rounding.
bool slope_of(const LevelSums& sums, const CrossProducts& a, Criterion kind, std::vector<double>& out);

}  // namespace interlace
