// Sums over the rows of a chunk that need no pairs of grouping factors: of the fixed part, the response, and each factor by itself.
#pragma once
#include "crossproducts.hpp"

namespace interlace {

ResponsePart empty_response(const Rows& rows);
// Everything but Z_i'Z_j, of no rows.
void clear_own(const Rows& rows, RandomPart& random, FixedPart& fixed, ResponsePart& response);
// Adds these rows to it, streaming over them; of X'X the upper triangle. The sum of log weights.
double add_own(const Rows& rows, RandomPart& random, FixedPart& fixed, ResponsePart& response);
// syrk fills the column-major lower triangle, which is the row-major upper one, as the loops do
void mirror(FixedPart& fixed);
// Adds the same of several responses of the rows, y (rows x responses, column-major) about an origin each.
void add_responses(Rows rows, const double* y, const std::vector<double>& y_origin,
                   const std::vector<std::shared_ptr<ResponsePart>>& responses);

}  // namespace interlace
