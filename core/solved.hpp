// The model at one set of relative covariance factors F_f (k x k, any square matrix with F F' = the relative covariance; lower triangular or
// not makes no difference here): what everybody asks who need not know how the system of the random effects was solved.
#pragma once
#include <vector>

#include "crossproducts.hpp"
#include "prior.hpp"

namespace interlace {

using Blocks = std::vector<std::vector<double>>;  // one array per grouping factor

class Solved {
  public:
    explicit Solved(CrossProducts products);
    virtual ~Solved() = default;

    double ld_l2() const { return ld_l2_; }    // log det V: log det M less that of P, of the effects that vary
    double ld_rx2() const { return ld_rx2_; }  // log det of [D X]'V^-1 [D X], D the columns of absorbed levels
    index absorbed() const { return absorbed_; }  // columns of D
    double pwrss() const { return pwrss_; }
    const std::vector<double>& beta() const { return beta_; }
    // Cholesky factor of the (p + 1) x (p + 1) Schur complement of [X y], column-major lower: RX' and RX^-T X'y below it.
    const std::vector<double>& rx() const { return sx_; }
    const Blocks& factors() const { return f_; }
    const CrossProducts& products() const { return a_; }
    index p() const { return a_.fixed->p; }
    std::vector<double> unscaled_covariance() const;  // (RX'RX)^-1, p x p

    Blocks zxy() const;                                   // Z'[X y], natural, m = p + 1
    Blocks apply_ztz(const Blocks& v, index m) const;     // Z'Z V
    Blocks apply_lambda(const Blocks& v, index m) const;  // Lambda V
    Blocks apply_lambda_t(const Blocks& v, index m) const;  // Lambda'V

    virtual const Prior& prior(index f) const = 0;
    // M^-1 Lambda'Z'[X y], natural, m = p + 1
    virtual Blocks solve_xy() const = 0;
    virtual Blocks spherical() const = 0;  // u = M^-1 Lambda'Z'(y - X beta), natural
    // h (m x m) -= (Lambda'V)'M^-1 Lambda'V for natural V
    virtual void take_inner(const Blocks& v, index m, double* h) const = 0;

  protected:
    // RX, beta and pwrss from what [X y] loses to the random effects, which stands in sx_ with a minus, lower triangle
    void factor_fixed();

    CrossProducts a_;
    std::vector<index> levels_, k_;
    Blocks f_;
    std::vector<double> sx_, beta_;
    double ld_l2_ = 0, ld_rx2_ = 0, pwrss_ = 0;
    index absorbed_ = 0;
};

}  // namespace interlace
