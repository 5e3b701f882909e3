// One look at a column of numbers, before a model is made of it.
#pragma once
#include <cstdint>
#include <vector>

#include "blas.hpp"

namespace interlace {

struct Scan {
    double sum = 0;      // pairwise, as NumPy adds: no number means that there is one that is none, or that they are too large
    double squares = 0;  // sum of squares
    double low = 0, high = 0;
};

// n >= 1 numbers, so many doubles apart.
Scan scan(const double* x, index n, index stride);

// Are all codes from 0 to levels - 1?
bool all_below(const std::int32_t* codes, index n, index levels);

// Does every code from 0 to levels - 1 occur? Others do not count.
bool all_occur(const std::int32_t* codes, index n, index levels);

// Integers low, ..., low + span - 1 as codes, in their order, of those that occur.
struct Counted {
    std::vector<std::int32_t> codes;   // n
    std::vector<std::int64_t> levels;  // ascending
};
Counted counted(const std::int64_t* values, index n, std::int64_t low, index span);

// The codes of integers, from a table of those of low, low + 1, ..., or how far they lie above low where there is none; -1 outside.
template <class Integer>
std::vector<std::int32_t> looked_up(const Integer* values, index n, std::int64_t low, const std::int32_t* table, index size);

// Rows in which an integer occurs that was not marked in `table`, where integer v stands at v - low; marks them. All must lie there.
template <class Integer> std::vector<index> first_met(const Integer* values, index n, std::int64_t low, std::int8_t* table, index size);

}  // namespace interlace
