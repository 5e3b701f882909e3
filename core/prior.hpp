// What stands in place of I for one grouping factor in M = Lambda'Z'Z Lambda + I.
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "blas.hpp"

namespace interlace {

class Cholesky;

// The sparse inverse Q of a known covariance K between the levels of a grouping factor: u ~ N(0, sigma^2 K x I_k), so that
// Q x I_k stands in place of I. Immutable.
struct Precision {
    std::vector<index> ptr;         // levels + 1
    std::vector<std::int32_t> col;  // symmetric, columns ascending, the diagonal is there
    std::vector<double> val;
    double log_det = 0;                      // log det Q
    std::vector<double> variance;            // the diagonal of K
    double scale = 1;                        // its mean
    std::shared_ptr<const Cholesky> factor;  // of Q
    index levels() const { return static_cast<index>(ptr.size()) - 1; }
    // V (levels x m, row-major) becomes K V
    void covariance(std::vector<double>& v, index m) const;
    // Independent standard normal Z (levels x m) becomes a draw of covariance K
    void spread(std::vector<double>& z, index m) const;
    // The entries of K on the pattern of Q
    std::vector<double> inverse() const;
    // Q V
    std::vector<double> apply(const std::vector<double>& v, index m) const;
};

// Throws NotPositiveDefinite if Q is not, and length_error if its factor would need more than max_bytes.
std::shared_ptr<const Precision> make_precision(std::vector<index> ptr, std::vector<std::int32_t> col, std::vector<double> val,
                                                double max_bytes);

struct Prior {
    // none: nothing, so that the levels are fixed effects ("absorbed"); their factor F is theirs to choose, I for instance.
    enum class Kind { identity, none, precision };
    Kind kind = Kind::identity;
    std::shared_ptr<const Precision> precision = nullptr;
    // Of absorbed levels (levels x k, or nothing): the coefficients that are 0, as others tell all that they could. Their columns are 0.
    std::shared_ptr<const std::vector<char>> held = nullptr;
    bool links() const { return kind == Kind::precision; }  // may levels touch each other through it?
    bool absorbed() const { return kind == Kind::none; }
    double diagonal(index place, index k) const;  // of coefficient place % k of level place / k
    index count(index coefficients) const;        // of those, how many are fixed effects
    double log_det() const { return links() ? precision->log_det : 0.0; }
    double scale() const { return links() ? precision->scale : 1.0; }
};

using Priors = std::vector<Prior>;  // one per grouping factor

}  // namespace interlace
