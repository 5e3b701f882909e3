// The system of the rest written down, where it is sparse: S = D'W D - C'C with a row of C for each column of each level of the lead.
#pragma once
#include <cstdint>
#include <vector>

#include "absorbed.hpp"

namespace interlace {

// Symmetric, both triangles without the diagonal, over the coordinates that count; the diagonal of D'W D is 1.
struct ReducedMatrix {
    std::vector<std::int32_t> coordinate;  // node -> coordinate of the rest
    std::vector<index> ptr;
    std::vector<std::int32_t> col;
    std::vector<double> val, diag;
    std::vector<double> scale;  // node -> root of the diagonal of D'W D
    index nodes() const { return static_cast<index>(coordinate.size()); }
};

// What writing it down takes, in products at most; and how many levels a level meets, from some of them.
struct ReducedCost {
    double products = 0, met = 0;
};

// How many levels of the second factor one of them meets through the lead, and how many these meet in turn: means over some of them.
struct Spread {
    double once = 0, twice = 0;
};

// The levels of the rest that each level of the lead meets: the rows of C.
struct Meetings {
    std::vector<index> ptr;            // levels of the lead + 1
    std::vector<std::int32_t> at;      // coordinates
    std::vector<double> value;         // k of the lead for each
};

Meetings meetings(const AbsorbedRows& a);
ReducedCost cost(const AbsorbedRows& a);
Spread spread(const AbsorbedRows& a);
ReducedMatrix reduced_matrix(const AbsorbedRows& a, const Meetings& c);

}  // namespace interlace
