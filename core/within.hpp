// What the rows within the levels of a grouping factor say of the coefficients, against what all rows say.
//
// A covariate may have one slope within levels and another one between them. With small random effects the criterion follows the
// slope of all rows, with large ones that of the rows within levels: two minima, far from each other.
#pragma once
#include <optional>
#include <vector>

#include "crossproducts.hpp"

namespace interlace {

struct Within {
    std::vector<double> beta;  // p: within levels where these tell it, the others by least squares given those
    double sigma2;             // of the residuals within levels
    double gain;               // of log sigma^2 over the slopes of all rows
};

// Of each grouping factor, with all its columns and with each alone, where the gain in n log sigma^2 is enough for a second minimum.
std::vector<Within> within_levels(const CrossProducts& a);

}  // namespace interlace
