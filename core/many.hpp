// Searches of one criterion for many responses of the same rows, one after the other, without a word of Python between them.
#pragma once
#include <memory>
#include <vector>

#include "search.hpp"

namespace interlace {

struct End {
    bool easy = false;  // one search found the minimum, and nothing else has to be tried
    std::vector<double> start;  // of the search, by moments; empty where that is none
    std::vector<double> par, beta, covariance;  // (RX'RX)^-1, p x p
    double value = 0, pwrss = 0;
    index evaluations = 0;
};

// `without`: parameters that are tried at zero together, as a variance of zero may be a second minimum.
std::vector<End> search_many(const std::vector<CrossProducts>& responses, const std::shared_ptr<const Symbolic>& symbolic,
                             const Parametrization& map, Criterion kind, const std::vector<std::vector<index>>& without,
                             const Limits& limits);

}  // namespace interlace
