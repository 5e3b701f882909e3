// Absorbed factors: factors whose levels are fixed effects of their own, and of which no column is ever made. The rows lie in the
// order of the levels of the largest factor, the lead; its levels do not touch each other, and eliminating them leaves a system of
// the levels of the other factors, the rest. That system is never written down here: a sweep over the rows applies it.
#pragma once
#include <cstdint>
#include <vector>

#include "blas.hpp"

namespace interlace {

// What is given of one factor. Pointers are borrowed.
struct AbsorbedFactor {
    const std::int32_t* codes = nullptr;  // n, each in [0, levels)
    const double* z = nullptr;            // n x k row-major; nothing: a column of ones
    index levels = 0, k = 1;
    bool intercept = true;                // is the first column one of ones?
    bool plain() const { return z == nullptr; }
};

struct AbsorbedRows {
    // One factor as it is used: the columns of each level are orthonormal with the weights, but a plain one is left as it is.
    struct Factor {
        index given = 0;               // its number among those given
        index levels = 0, k = 1, base = 0;  // base: its first coordinate in the rest (0 for the lead)
        bool intercept = true;
        std::vector<double> z;         // n x k in the order of the rows; empty: ones
        std::vector<double> transform; // levels x k x k row-major, T: the columns are those given times T; empty: plain
        std::vector<double> diag;      // levels x k: sum of w z^2; 0 where there is no such column
        bool plain() const { return transform.empty(); }
    };
    index n = 0, q = 0;                // rows; coordinates of the rest
    std::vector<Factor> factors;       // the lead first, then by size
    std::vector<std::uint32_t> perm;   // the row that comes r-th; empty: the rows are in order
    std::vector<index> start;          // first row of each level of the lead
    std::vector<std::int32_t> at;      // n x (factors - 1): coordinate of the row's level in the rest
    std::vector<double> w;             // empty: ones
    std::vector<index> chunks;         // levels of the lead at which tasks are cut, never by the number of threads

    AbsorbedRows(index rows, const std::vector<AbsorbedFactor>& given, const double* weights);
    index rest() const { return static_cast<index>(factors.size()) - 1; }
    index row(index r) const { return perm.empty() ? r : static_cast<index>(perm[r]); }
    double weight(index r) const { return w.empty() ? 1.0 : w[r]; }
    bool counts() const;                   // are all columns ones, and all weights?
    std::vector<double> diagonal() const;  // of the rest, q
};

// Columns of numbers that are read with any strides, m at most.
struct ColumnBlock {
    const double* x = nullptr;
    index row = 0, col = 0, m = 0;
};

}  // namespace interlace
