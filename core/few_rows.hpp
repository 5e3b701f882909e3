// What the model says of a few rows together that it has not seen: work for the levels that they have and for the fronts above
// these, not for all levels.
#pragma once
#include <vector>

#include "cholesky.hpp"

namespace interlace {

class FewRows {
  public:
    explicit FewRows(const Cholesky& l);
    // I + W^1/2 [Z X] J [Z X]'W^1/2 of the rows, n x n column-major, lower triangle: their covariance over sigma^2, times weights.
    // With B = W^1/2 [Z Lambda, X] that is I + B H^-1 B', and H^-1 = T'T for T the inverse of the joint factor: the columns of T B'
    // come from one half solve.
    std::vector<double> covariance(const Rows& rows);

  private:
    void touch(const Rows& rows);
    void touch_front(index front);
    double* rest(index position) { return &rest_[offset_[front_of_[position]] + position - l_.symbolic().fronts[front_of_[position]].first]; }
    void leading(const Rows& rows, std::vector<double>& c);
    void others(const Rows& rows);
    void upwards(index m, std::vector<double>& c);
    void white(const FactorRows& rows, size_t f, index row, std::vector<double>& out) const;

    const Cholesky& l_;
    std::vector<index> front_of_;  // rest position -> its front
    std::vector<index> offset_;    // front -> its place among those touched, -1 elsewhere
    std::vector<index> touched_;
    index q_ = 0;                  // scalars that the touched fronts eliminate
    std::vector<double> rest_;     // q_ x m column-major
    std::vector<double> fixed_;    // p x m column-major: x less what the random effects take from it
};

}  // namespace interlace
