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

// From a start that is near the end: Newton steps alone, or else `search_again`.
Again search_near(ProfiledDeviance& criterion, const std::vector<double>& start);
// One search from a start, then Newton steps until the gradient is rounding error. The criterion is left at the end.
Again search_again(ProfiledDeviance& criterion, const std::vector<double>& start);

}  // namespace interlace
