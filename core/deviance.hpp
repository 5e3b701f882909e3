// The profiled deviance (ML) or REML criterion as a function of covariance parameters.
#pragma once
#include <memory>
#include <stdexcept>
#include <vector>

#include "gradient.hpp"
#include "optimize.hpp"

namespace interlace {

// Parameter i is entry (row, col) of the lower triangular matrix T of one grouping factor; F = basis T.
struct Entry {
    index factor, row, col;
};

struct Parametrization {
    std::vector<Entry> entries;
    Blocks basis;  // per grouping factor k x k
    Blocks factors(const std::vector<index>& k, const std::vector<double>& par) const;
    // d / d par of what has the derivatives `full` in the factors F, k x k
    std::vector<double> reduced(const std::vector<index>& k, const Blocks& full) const;
};

// A criterion as a function of entries of the factors, whoever solves the system of the random effects.
class FactorObjective : public Objective {
  public:
    FactorObjective(Parametrization map, Criterion kind) : map_(std::move(map)), kind_(kind) {}

    index size() const override { return static_cast<index>(map_.entries.size()); }
    // Diagonal entries are kept away from exact zero (where the even criterion has no gradient), too little to be seen.
    void adjust(std::vector<double>& par) const override;
    // Diagonal entries so near to zero where the criterion falls towards zero.
    void hold(const std::vector<double>& par, std::vector<double>& gradient) const override;
    // Where value() or gradient() was asked last.
    double last_value() const { return criterion_value(solved(), kind_) - solved().products().sum_log_w; }
    // pwrss is what is left of y'y: its relative error is that of y'y times their ratio. Likewise the pivots of RX.
    double rounding() const override;
    // Hessian: average information plus the exact curvature of F F' in the parameters.
    void derivatives(std::vector<double>& gradient, std::vector<double>& hessian) override;

    virtual const Solved& solved() const = 0;
    // At the point of the last value(): slopes in F, and the average information along any directions dF; at a given sigma^2 or
    // with it profiled out.
    virtual Derivatives along(const std::vector<Direction>& directions, std::optional<double> scale) const = 0;
    std::vector<double> gradient(const std::vector<double>& par);
    // Where a search may begin, if somebody knows better than the moments of the products do.
    void begin(std::vector<double> par) { begin_ = std::move(par); }
    const std::vector<double>& begin() const { return begin_; }
    const Parametrization& map() const { return map_; }

    static constexpr double diagonal_floor = 1e-6;

  protected:
    std::vector<Direction> directions() const;  // dF = basis e_row e_col' for each parameter
    Parametrization map_;
    Criterion kind_;
    std::vector<double> par_, begin_;
};

class ProfiledDeviance : public FactorObjective {
  public:
    ProfiledDeviance(Cholesky factor, Parametrization map, Criterion kind);

    double value(const std::vector<double>& par) override;
    // The relative covariance factors, one per grouping factor; those of absorbed levels are I.
    Blocks factors(const std::vector<double>& par) const;
    // A derivative takes the inverse on the pattern of the factor: twice what the factor takes, but for what is small beside both.
    bool dear() const override { return size() == 1 && factor().symbolic().flops > dear_flops; }
    double curvature() override { return average_alone(factor(), kind_, directions())[0]; }

    const Solved& solved() const override { return factor(); }
    Derivatives along(const std::vector<Direction>& directions, std::optional<double> scale) const override {
        return interlace::derivatives(factor(), kind_, directions, scale);
    }
    // Exact Hessian: central differences of the exact gradient.
    std::vector<double> hessian(const std::vector<double>& par);
    const Cholesky& factor() const {
        if (released_) throw std::logic_error("the factor of this criterion was released");
        return factor_;
    }
    // The factor, for who goes on with it: this criterion cannot be asked any more.
    Cholesky release() {
        factor();
        released_ = true;
        return std::move(factor_);
    }

    static constexpr double dear_flops = 1e9;

  private:
    Cholesky factor_;
    bool released_ = false;
};

}  // namespace interlace
