// Z'[Z X y] of one grouping factor while rows are added up. What belongs to a level lies side by side: where levels come in no order, each
// row then waits for one place in memory and not for three.
#pragma once
#include <cstdint>
#include <vector>

#include "crossproducts.hpp"

namespace interlace {

// A loop over columns has a length that the compiler knows, up to this number of them.
constexpr index most_known = 4;

// Rows ahead of the present one whose sums are asked for from memory, where levels come in no order.
constexpr index rows_ahead = 32;
inline void fetch(const double* place) {
#if defined(__GNUC__)
    __builtin_prefetch(place, 1);
#else
    (void)place;
#endif
}

class LevelTable {
  public:
    static bool serves(index k, index p) { return k >= 1 && p >= 1 && k <= most_known && p <= most_known; }
    // `in_x`: are the columns of Z those of X, about the same origin, as in all rows that come? Then Z'X says what Z'Z is.
    LevelTable(index k, index p, index levels, bool in_x);

    double* data() { return sums_.data(); }
    size_t size() const { return sums_.size(); }
    bool in_x() const { return in_x_; }
    // From m rows, weighted; the codes of the first `known` rows from here on may be looked at.
    void add(const double* z, const double* x, const double* y, const std::int32_t* codes, index m, index known);
    // The sums as they are kept afterwards: k x k, k x p and k numbers for each level.
    void write(std::vector<double>& zz, std::vector<double>& zx, std::vector<double>& zy) const;

  private:
    index k_, p_, levels_;
    bool in_x_;
    index step_;  // numbers from one level to the next
    std::vector<double> sums_;
};

}  // namespace interlace
