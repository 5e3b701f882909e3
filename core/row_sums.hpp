// Sums over rows that need no pairs of grouping factors: of the fixed part, the response, and each factor by itself.
#pragma once
#include <memory>
#include <vector>

#include "crossproducts.hpp"
#include "growing.hpp"
#include "level_table.hpp"

namespace interlace {

ResponsePart empty_response(const Rows& rows);
void watch(ResponsePart& response, GrowingSums& sums);

// Everything but Z_i'Z_j, of rows that come in chunks: the same bits for any chunks, as long as X has few columns.
class OwnSums {
  public:
    OwnSums(const Rows& shape, RandomPart& random, FixedPart& fixed, ResponsePart& response);
    OwnSums(const OwnSums&) = delete;
    OwnSums& operator=(const OwnSums&) = delete;
    void add(const Rows& rows);           // streaming over them
    void add_products(const Rows& rows);  // all but the logarithms of the weights
    double finish();                      // once: the parts are the sums; the sum of the logarithms of the weights

  private:
    RandomPart& random_;
    FixedPart& fixed_;
    ResponsePart& response_;
    double sum_log_w_ = 0;
    std::vector<std::unique_ptr<LevelTable>> tables_;  // per factor; none where it has many columns
    GrowingSums sums_, logs_;
};

// Adds the products with several responses of the rows, y (rows x responses, column-major) about an origin each.
void add_responses(Rows rows, const double* y, const std::vector<double>& y_origin,
                   const std::vector<std::shared_ptr<ResponsePart>>& responses, GrowingSums& sums);

}  // namespace interlace
