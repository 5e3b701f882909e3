// The cross-products [Z X y]'W[Z X y] of a mixed model, in blocks, about an origin. Immutable once built; parts are shared.
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "blas.hpp"

namespace interlace {

// Z_i'W Z_j for two different grouping factors: a k_i x k_j block for each pair of levels that occurs, by rows of factor i,
// columns ascending.
struct PairBlocks {
    index i = 0, j = 0;
    std::vector<index> ptr;            // levels_i + 1
    std::vector<std::int32_t> col;     // level of factor j
    std::vector<double> val;           // row-major k_i x k_j blocks
};

struct RandomPart {
    std::vector<index> levels, k;
    std::vector<std::vector<double>> diag;  // factor -> levels x k x k
    std::vector<PairBlocks> pairs;          // i < j, ordered (0,1), (0,2), ..., (1,2), ...
    index factors() const { return static_cast<index>(k.size()); }
    index q(index f) const { return levels[f] * k[f]; }
    index q() const {
        index s = 0;
        for (index f = 0; f < factors(); ++f) s += q(f);
        return s;
    }
    const PairBlocks& pair(index i, index j) const;
};

struct FixedPart {
    index p = 0;
    std::vector<double> xx;               // p x p, full
    std::vector<std::vector<double>> zx;  // factor -> levels x k x p
};

struct ResponsePart {
    double yy = 0;
    std::vector<double> xy;               // p
    std::vector<std::vector<double>> zy;  // factor -> levels x k
};

struct CrossProducts {
    index n = 0;
    double sum_log_w = 0;
    std::shared_ptr<const RandomPart> random;
    std::shared_ptr<const FixedPart> fixed;
    std::shared_ptr<const ResponsePart> response;
};

// Rows as they come from the design; pointers are borrowed. `origin` is subtracted from each column before the products.
struct FactorRows {
    const std::int32_t* codes;
    const double* z;       // n x k row-major
    const double* origin;  // k
    index k, levels;
};
struct Rows {
    index n = 0, p = 0;
    const double* y = nullptr;
    const double* x = nullptr;  // n x p, strides below, in elements
    index x_row = 0, x_col = 1;
    const double* w = nullptr;  // null: all one
    double y_origin = 0;
    const double* x_origin = nullptr;
    std::vector<FactorRows> factors;
};

CrossProducts accumulate(const Rows& rows);
// Another response for the same rows: everything but the response part is shared with `base`.
CrossProducts with_response(const CrossProducts& base, const Rows& rows);
// a + sign * b; both about the same origin and with the same levels.
CrossProducts combine(const CrossProducts& a, const CrossProducts& b, double sign);
// What X alone explains of y'Wy; infinite where its columns depend on each other.
double explained(const CrossProducts& a);
// Z'X of a grouping factor, summed over its levels: k x p.
std::vector<double> zx_total(const CrossProducts& a, index f);
// The same products for some of the columns of X.
CrossProducts select_fixed(const CrossProducts& a, const std::vector<index>& keep);

}  // namespace interlace
