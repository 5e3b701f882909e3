// Where correlated effects end with a singular covariance, other directions may be at a minimum as well.
#pragma once
#include <vector>

#include "deviance.hpp"

namespace interlace {

// For each block of correlated effects whose covariance is (nearly) singular at x, where an evaluation is cheap: covariances of rank one
// and the same size in all directions. Returns parameters at the local minima among them, the lowest first and few of them, that are
// in other directions than x and whose criterion is less than `above` higher than there.
std::vector<std::vector<double>> turned(ProfiledDeviance& d, const std::vector<double>& x, double above);

// x with every effect as large as the largest of its block, where that is (nearly) singular and an evaluation is cheap; empty where none
// is.
std::vector<double> opened(const ProfiledDeviance& d, const std::vector<double>& x);

}  // namespace interlace
