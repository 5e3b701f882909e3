// The system that the levels of the leading factor leave of the others, applied and not written down. With D the diagonal blocks of
// M = Lambda'Z'Z Lambda + I, B the blocks of Z'Z between the leading factor and the rest, E those within the rest, L L' = D:
//
//   L^-1 (what the lead leaves) L^-T = C = I - G'Q G,   Q = B'K B - E,   K = F D^-1 F' of the lead,   G = F L^-T of the rest.
//
// For two factors the eigenvalues of C lie in (0, 1]: I - C = N'N, N what is between the factors, scaled.
// Vectors of the rest are natural arrays of its factors, one after another: (levels x k) x M row-major.
#pragma once
#include <memory>
#include <vector>

#include "interrupt.hpp"
#include "pool.hpp"
#include "solved.hpp"

namespace interlace {

class Crossed {
  public:
    explicit Crossed(std::shared_ptr<const RandomPart> random);
    // D, K and G at these factors. Throws NotPositiveDefinite where they are not finite.
    void set(const Blocks& factors);

    const RandomPart& random() const { return *random_; }
    index rest() const { return base_.back(); }  // effects of the rest
    index lead() const { return random_->pattern->q(0); }
    index base(index f) const { return base_[f]; }  // where a factor of the rest begins
    const std::vector<double>& k_block(index f) const { return k_[f]; }  // F D^-1 F', levels x k x k
    const std::vector<double>& p_block(index f) const { return p_[f]; }  // F D^-1
    const double* l_block(index f, index level) const { return &l_[f][level * random_->k()[f] * random_->k()[f]]; }  // L, of the rest
    double log_det() const { return log_det_; }                          // log det D

    // C V, and V the rest
    template <int M> void apply(const double* v, double* out) const;
    // G V and G'V
    template <int M> void g(const double* v, double* out) const { scale<M>(v, out, false); }
    template <int M> void gt(const double* v, double* out) const { scale<M>(v, out, true); }
    // Q W for W the rest, with B W before K to `lead` if that is not null
    template <int M> void q(const double* w, double* out, double* lead) const;
    // B W for the lead; B'T for the rest
    template <int M> void gather(const double* w, double* lead) const;
    template <int M> void scatter(const double* lead, double* out) const;

    // Diagonal blocks of Q (of B'K B: E has none), natural; and of B G G'B', of the lead
    std::vector<double> own_q() const;
    std::vector<double> own_lead() const;

  private:
    template <int M> void scale(const double* v, double* out, bool transposed) const;
    template <int M, bool In, bool Out, class Row> void sweep(const double* w, double* out, Row row) const;
    template <int M> void within_rest(index task, const double* w, double* out) const;
    // out = the sums of what the tasks have left in sums_, width numbers for each effect of the rest
    void reduce(index size, double* out) const;

    std::shared_ptr<const RandomPart> random_;
    std::vector<index> base_;   // factor -> first effect among the rest; the end
    std::vector<index> pairs_;  // pairs of the lead
    std::vector<index> begin_;  // task -> first level of the lead
    Blocks k_, p_, g_, l_;
    double log_det_ = 0;
    mutable std::vector<double> sums_, w_, qw_;  // task x rest; the rest: one computation at a time
};

}  // namespace interlace
