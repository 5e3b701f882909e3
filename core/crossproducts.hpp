// The cross-products [Z X y]'W[Z X y] of a mixed model: numbers on a pattern, in blocks, about an origin. Immutable once built;
// parts are shared.
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "pattern.hpp"

namespace interlace {

// Z_i'W Z_j for two different grouping factors: a k_i x k_j block for each pair of levels that meets. A view.
struct PairBlocks {
    index i, j;
    const std::vector<index>& ptr;            // levels_i + 1
    const std::vector<std::int32_t>& col;     // level of factor j
    const std::vector<double>& val;           // row-major k_i x k_j blocks
};

struct RandomPart {
    SharedPattern pattern;
    std::vector<std::vector<double>> diag;   // factor -> levels x k x k
    std::vector<std::vector<double>> cross;  // pair of the pattern -> blocks
    const std::vector<index>& levels() const { return pattern->levels; }
    const std::vector<index>& k() const { return pattern->k; }
    index factors() const { return pattern->factors(); }
    index pairs() const { return static_cast<index>(cross.size()); }
    PairBlocks pair(index s) const {
        const PairPattern& p = pattern->pairs[s];
        return {p.i, p.j, p.ptr, p.col, cross[s]};
    }
    PairBlocks pair(index i, index j) const { return pair(pattern->pair_index(i, j)); }
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

// Z_i'Z_j of some rows: blocks for the levels that meet in them, sorted by these.
struct PairSums {
    index parts = 1;  // chunks of rows
    std::vector<std::int32_t> row, col;
    std::vector<double> values;
};

class GrowingSums;
class OwnSums;

// Products that grow chunk by chunk, in the order of the rows: what a chunk costs is in proportion to its own rows, whatever was
// added before and however many levels there are.
class Accumulation {
  public:
    explicit Accumulation(const Rows& shape);  // its columns and levels; its rows are not looked at
    ~Accumulation();
    void add(const Rows& rows);
    // Cells of equal rows: each weight is the sum of those of a cell, y its mean. They stand for n rows, whose logarithms of weights
    // add up to sum_log_w, and whose weighted squares of y about these means to `within`.
    void add_cells(const Rows& cells, index n, double sum_log_w, double within);
    CrossProducts take();  // once; at least one chunk must have been added

  private:
    void check(const Rows& rows) const;
    void add_pairs(const Rows& rows);
    static void settle(std::vector<PairSums>& waiting, index block, bool all);
    std::shared_ptr<RandomPart> random_;
    std::shared_ptr<FixedPart> fixed_;
    std::shared_ptr<ResponsePart> response_;
    std::unique_ptr<OwnSums> own_;
    std::vector<std::vector<PairSums>> waiting_;  // per pair of factors, of ever fewer chunks
    index n_ = 0;
    double sum_log_w_ = 0, within_ = 0;  // of cells
};

CrossProducts accumulate(const Rows& rows);
// The same on a pattern that is there already; levels may meet only as they do in it.
CrossProducts accumulate_on(const SharedPattern& pattern, const Rows& rows);
// Another response for the same rows: everything but the response part is shared with `base`.
CrossProducts with_response(const CrossProducts& base, const Rows& rows);
// The same for r responses in one pass over the rows: y is r x n, about `y_origin` (r); those of `rows` are not looked at.
std::vector<CrossProducts> with_responses(const CrossProducts& base, Rows rows, const double* y, const std::vector<double>& y_origin);
// The same, chunk by chunk of the rows: `take`, once, gives what `base` becomes.
class ResponseSums {
  public:
    ResponseSums();
    ~ResponseSums();
    void add(Rows rows, const double* y, const std::vector<double>& y_origin);  // the same origins each time
    std::vector<CrossProducts> take(const CrossProducts& base);

  private:
    std::vector<std::shared_ptr<ResponsePart>> parts_;
    std::unique_ptr<GrowingSums> sums_;
    std::vector<index> effects_;  // per factor
    index n_ = 0, p_ = 0;
};
// sum_s coefficient_s part_s, all about the same origin and with the same levels. What n and the sum of log weights become depends
// on what the coefficients mean, so the caller says it. The result has the pattern of a part where that holds those of the others.
CrossProducts combine(const std::vector<CrossProducts>& parts, const std::vector<double>& coefficients, index n, double sum_log_w);
// What X alone explains of y'Wy; infinite where its columns depend on each other.
double explained(const CrossProducts& a);
// Z'X of a grouping factor, summed over its levels: k x p.
std::vector<double> zx_total(const CrossProducts& a, index f);
// The same products for some of the columns of X.
CrossProducts select_fixed(const CrossProducts& a, const std::vector<index>& keep);
// The same for some of the grouping factors, in the order given, and some of the columns of each.
CrossProducts select_random(const CrossProducts& a, const std::vector<index>& factors, const std::vector<std::vector<index>>& columns);
// The same rows with a response of which the products are all that is known.
CrossProducts answered(const CrossProducts& base, double yy, std::vector<double> xy, std::vector<std::vector<double>> zy);
// The products for X H and y - X v; H is p x m, row-major.
CrossProducts with_fixed(const CrossProducts& a, const double* h, index m, const double* v);
// The products for Z_f G_f of each grouping factor; G_f is k x k, row-major.
CrossProducts with_random(const CrossProducts& a, const std::vector<std::vector<double>>& g);
// The products for some of the levels of each grouping factor, ascending; those that are left out have no rows.
CrossProducts select_levels(const CrossProducts& a, const std::vector<std::vector<index>>& levels);

}  // namespace interlace
