// Numeric factorisation of M = Lambda'Z'Z Lambda + P and of the fixed part, P = I but for priors, for relative covariance factors F_f (k x k, any
// square matrix with F F' = the relative covariance; lower triangular or not makes no difference here).
#pragma once
#include <memory>
#include <vector>

#include "crossproducts.hpp"
#include "front.hpp"
#include "solved.hpp"
#include "symbolic.hpp"

namespace interlace {

// Right-hand sides in the order of the factor: `lead` q_lead x m row-major, `rest` q_rest x m column-major.
struct Rhs {
    index m = 0;
    std::vector<double> lead, rest;
};

// For one response: what the last row of the factor says.
struct ResponseSolution {
    std::vector<double> beta;
    Blocks u;  // natural
    double pwrss = 0;
};

class Cholesky : public Solved {
  public:
    // Products and analysis must have the same pattern.
    Cholesky(CrossProducts products, std::shared_ptr<const Symbolic> symbolic);

    // L, RX, beta, u and the penalized residual sum of squares. Throws NotPositiveDefinite if a pivot is not positive.
    // Where these were its factors the last time, everything is there already.
    void factorize(const Blocks& factors);

    double ld_m() const { return ld_l2_ + ld_prior_; }
    // The factor of the effects that vary alone, where some do not: nothing otherwise
    const Cholesky* varying() const { return varying_.get(); }
    const Symbolic& symbolic() const { return *s_; }

    // V and Lambda' V in the order of the factor, V natural: per factor levels x k x m row-major
    Rhs ordered(const Blocks& v, index m) const;
    Rhs lambda_t(const Blocks& v, index m) const;
    Blocks natural(const Rhs& r) const;
    void forward(Rhs& r) const;   // L^-1
    void backward(Rhs& r) const;  // L^-T
    // Standard normal V and x (p x m, column-major) turned into draws whose covariance is the inverse of the joint system: b, natural, and
    // beta in x.
    Blocks spread(const Blocks& v, index m, double* x) const;
    const Prior& prior(index f) const override { return s_->priors[f]; }
    Blocks solve_xy() const override;
    Blocks spherical() const override;
    void take_inner(const Blocks& v, index m, double* h) const override;
    // beta, u and pwrss of other responses for the same rows
    std::vector<ResponseSolution> solve_responses(const std::vector<CrossProducts>& responses) const;

    // One visit for each front, from the roots down: f(front, Z) with Z the lower triangle (column-major, front.size()^2) of
    // the block of M^-1 that belongs to the front.
    template <class F> void selected_inverse(F f) const;

    const double* lead_l(index g) const { return &lead_l_[g * k_[0] * k_[0]]; }
    const double* element(index g) const { return elem_c_.data() + s_->column_ptr[g] * k_[0]; }  // k_0 x columns, row-major
    const double* panel(const Front& front) const { return &panels_[front.panel]; }
    const Rhs& reduced() const { return r_; }  // L^-1 Lambda'Z'[X y]
    // f(column of the element, its rest position), for the element that level g of the leading factor leaves.
    template <class F> void for_element_rows(index g, F f) const;
    // Diagonal blocks of M^-1, natural (levels x k x k)
    Blocks inverse_diagonal() const;
    // The same of the effects that vary, given those that do not; 0 for these
    Blocks conditional_diagonal() const;

  private:
    void eliminate_lone();
    void factor_lead();
    void factor_fronts();
    void fixed_products();
    void assemble(index front, double* panel, double* update, Blocks& updates) const;
    void assemble_elements(const Front& front, double* panel, double* update) const;
    void front_inverse(index front, const Front* parent, const double* parent_z, double* z) const;

    std::shared_ptr<const Symbolic> s_;
    std::vector<double> lead_l_, elem_c_, panels_;
    std::vector<std::vector<index>> children_;
    Rhs r_;
    double ld_prior_ = 0;
    bool complete_ = false;  // for the factors f_
    bool lone_;              // see lone.hpp
    std::unique_ptr<Cholesky> varying_;
};

template <class F> void Cholesky::for_element_rows(index g, F f) const {
    index at = 0;
    for (index e = s_->elem_ptr[g]; e < s_->elem_ptr[g + 1]; ++e) {
        const index factor = s_->elem_pair[e] + 1;
        const index pos = s_->position[s_->node_base[factor] + s_->elem_level[e]];
        for (index j = 0; j < k_[factor]; ++j, ++at) f(at, pos + j);
    }
}

template <class F> void Cholesky::selected_inverse(F f) const {
    const index n = static_cast<index>(s_->fronts.size());
    std::vector<std::vector<double>> alive(n);
    std::vector<index> waiting(n);
    for (index i = n - 1; i >= 0; --i) {
        const Front& front = s_->fronts[i];
        waiting[i] = static_cast<index>(children_[i].size());
        std::vector<double> z(front.size() * front.size());
        const bool root = front.parent == -1;
        front_inverse(i, root ? nullptr : &s_->fronts[front.parent], root ? nullptr : alive[front.parent].data(), z.data());
        f(front, static_cast<const double*>(z.data()));
        if (waiting[i] > 0) alive[i] = std::move(z);
        if (!root && --waiting[front.parent] == 0) std::vector<double>().swap(alive[front.parent]);
    }
}

}  // namespace interlace
