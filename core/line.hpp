// A minimum of a function of one parameter from values alone, where derivatives cost more than a few of these.
#pragma once
#include <optional>

#include "optimize.hpp"

namespace interlace {

// From the point of `first`, whose value was asked last: the minima of the polynomials through all values so far follow each other
// to the end. Nothing if there is no minimum within a few standard errors; `first` is the lowest point then. `finished`: the
// decrease that may be left.
std::optional<Minimum> along_line(Objective& objective, Minimum& first, double finished, index max_evaluations);

}  // namespace interlace
