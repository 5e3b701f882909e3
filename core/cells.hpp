// Rows that repeat: cells of equal rows, each with how often it occurs and what it has of y.
#pragma once
#include <cstdint>
#include <vector>

#include "blas.hpp"

namespace interlace {

// A column of the rows as codes from 0 to levels - 1.
struct CodedColumn {
    const std::int32_t* codes;
    index levels;
};
// What rows have of y; rows may be cells already, with their numbers of rows and squares about y.
struct OfResponse {
    const double* y;
    const std::int64_t* count;  // null: all one
    const double* within;       // null: all zero
};
struct Cells {
    std::vector<std::int32_t> first;   // its first row
    std::vector<std::int64_t> count;   // its rows
    std::vector<double> mean, within;  // of y, and the sum of squares about it
};

// Cells in the order in which they first occur; `about` is a number in the middle of y. None at all where there are more than `most`.
Cells cells_of(const std::vector<CodedColumn>& columns, index n, const OfResponse& of, double about, index most);

}  // namespace interlace
