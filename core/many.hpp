// Searches of one criterion for many responses of the same rows, one after the other, without a word of Python between them.
#pragma once
#include <memory>
#include <vector>

#include "deviance.hpp"

namespace interlace {

// What the search of `optimize.py` goes by; see there.
struct Limits {
    double tolerance = 0;    // of the predicted decrease
    index evaluations = 0;   // before the basis would change
    double large = 0;        // a start beyond this needs more than one search
    double near_zero = 0;    // diagonal entries below this are tried at zero
    double no_minimum = 0;   // a value that is known to less is lost
    double finished = 0, ill_conditioned = 0;  // when an end is polished
    index steps = 0;         // Newton steps to polish it
    double exact = 0;        // share of y'y that is left where the response is fitted exactly
    double nearly_all = 0;   // share of y'y that X may explain
};

struct End {
    bool easy = false;  // one search found the minimum, and nothing else has to be tried
    std::vector<double> par, beta, covariance;  // (RX'RX)^-1, p x p
    double value = 0, pwrss = 0;
    index evaluations = 0;
};

// `without`: parameters that are tried at zero together, as a variance of zero may be a second minimum.
std::vector<End> search_many(const std::vector<CrossProducts>& responses, const std::shared_ptr<const Symbolic>& symbolic,
                             const Parametrization& map, Criterion kind, const std::vector<std::vector<index>>& without,
                             const Limits& limits);

}  // namespace interlace
