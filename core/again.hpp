// Searches by the thousand, of problems that differ little from each other.
#pragma once
#include <vector>

#include "deviance.hpp"

namespace interlace {

struct Again {
    std::vector<double> par, gradient, hessian;
    double value = 0, decrement = 0;
    index evaluations = 0;
    bool certain = false;  // an inner minimum with a positive Hessian, or a variance at zero; else somebody who can do more must look
};

// A decrement that is rounding error, and a share of wrong digits that is too much.
constexpr double finished = 1e-18, wrong = 1e-4;
// H^-1 g, and g'H^-1 g / 2; false where H is not clearly positive.
bool newton(const std::vector<double>& h, const std::vector<double>& g, std::vector<double>& step, double& decrement);
// Are all sizes clearly apart from zero, and no parameter so large that another basis is wanted?
bool is_inner(const Parametrization& map, const std::vector<double>& par);

// From a start that is near the end: Newton steps alone, or else `search_again`.
Again search_near(ProfiledDeviance& criterion, const std::vector<double>& start);
// One search from a start, then Newton steps until the gradient is rounding error. The criterion is left at the end.
Again search_again(ProfiledDeviance& criterion, const std::vector<double>& start);

}  // namespace interlace
