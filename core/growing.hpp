// Sums over ever more rows that lose few digits, and that do not depend on the chunks in which the rows come.
#pragma once
#include <cstddef>
#include <vector>

#include "elements.hpp"

namespace interlace {

// The rounding error of a sum that grows row by row grows with it. So what the last rows add is put aside every so many rows,
// counted from the first row of all, and starts from zero again; what was put aside is added up in blocks of blocks.
// Adding long arrays would take time. They are sums of few rows for each number, and are put aside more seldom or never.
class GrowingSums {
  public:
    static constexpr index block = 256, large_block = 4096;  // rows
    // Numbers that are zero now and that others add to; they stay where they are until `finish`.
    void watch(double* numbers, size_t size);
    index room() const { return block - n_ % block; }  // rows up to the end of this block
    void count(index rows);                            // that were added; no more than there was room for
    void finish();                                     // the numbers are the sums over all rows

  private:
    static constexpr size_t short_array = 512, longest = 8192;
    struct Watched {
        double* now;
        size_t size;
        std::vector<double> blocks, large_blocks;  // empty before the first of them is full
    };
    std::vector<Watched> watched_;
    index n_ = 0;
};

}  // namespace interlace
