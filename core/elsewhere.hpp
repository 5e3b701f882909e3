// Whether a criterion has a lower minimum than the one that was found, for many responses of the same rows.
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "search.hpp"

namespace interlace {

// Which responses may have a minimum lower than `best` (parameters in a row): a search from one of their starts ends below it, or does not
// end. Each response has `n` starts in a row; a start that is no number is none.
std::vector<std::uint8_t> lower_elsewhere(const std::vector<CrossProducts>& responses, const std::shared_ptr<const Symbolic>& symbolic,
                                          const Parametrization& map, Criterion kind, const std::vector<double>& starts, index n,
                                          const std::vector<double>& best, const Limits& limits);

// The criterion at n points for each response, in a row; infinite where it cannot be computed.
std::vector<double> values_at(const std::vector<CrossProducts>& responses, const std::shared_ptr<const Symbolic>& symbolic,
                              const Parametrization& map, Criterion kind, const std::vector<double>& points, index n);

}  // namespace interlace
