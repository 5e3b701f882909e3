// The penalized least-squares problem without a factor: solves by conjugate gradients, log det M and the traces of its derivatives from
// probes.
//
// With D the diagonal blocks of M and C = I - G'Q G what is left of them (crossed.hpp),
//   log det M = log det D + tr (C - I) + tr h(C),   h(c) = log c - (c - 1),
// of which the first two are exact and h is small but where C has small eigenvalues. Orthonormal columns V that span most of these
// (a few steps of subspace iteration) are taken out: tr h(C) = tr V'h(C)V + E z'h(C)z, z = (I - V V')r for random signs r. Each z'h(C)z
// is Lanczos quadrature by the conjugate gradients that solve C x = z, and x gives the traces of M^-1 that derivatives need. The signs
// are a function of seed, probe and place alone: criteria at other factors have the same ones, and are smooth functions of these.
#pragma once
#include "krylov.hpp"

namespace interlace {

class Iterative : public Solved {
  public:
    // Levels of all factors are independent.
    Iterative(CrossProducts products, index probes, std::uint64_t seed);
    // All that Solved has; throws NotPositiveDefinite, NotSettled. `traces`: log det M and half_trace() as well, else these are not there.
    void solve(const Blocks& factors, bool traces);

    const Prior& prior(index) const override { return prior_; }
    Blocks solve_xy() const override { return solved_; }
    Blocks spherical() const override;
    void take_inner(const Blocks& v, index m, double* h) const override;
    // M^-1 Lambda'V for natural V
    Blocks solve_columns(const Blocks& v, index m) const;

    // sum_g (Z'V^-1 Z F)_gg per factor: half of d log det M / d F
    const Blocks& half_trace() const { return half_trace_; }
    index probes() const { return probes_; }
    index iterations() const { return iterations_; }  // of the last solve
    // What each probe says of log det M, less what is exact
    const std::vector<double>& log_dets() const { return log_dets_; }
    // Of half_trace(): probes x (all blocks k x k)
    const std::vector<double>& half_traces() const { return half_traces_; }
    double log_det_error() const;  // standard error of log det M

  private:
    static constexpr int M = 8;
    template <int W> void solve_batch(const Blocks& v, index m, index first, Blocks& out) const;
    void estimate();
    void exact_half_trace();
    std::vector<double> subspace() const;
    // A batch of columns: their h(C), and what they give of half_trace(), M x width
    void columns(const std::vector<double>& b, double* forms, double* halves);
    std::vector<double> probe(index first, const std::vector<double>& v) const;
    index width() const;  // numbers in half_trace()

    Prior prior_;
    Crossed crossed_;
    index probes_, iterations_ = 0;
    std::uint64_t seed_;
    Blocks solved_, half_trace_;
    std::vector<double> log_dets_, half_traces_;
};

}  // namespace interlace
