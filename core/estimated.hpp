// The criterion by the iterative engine: an estimate that is a smooth function of the parameters, as its probes stay the same.
#pragma once
#include "deviance.hpp"
#include "iterative.hpp"

namespace interlace {

class EstimatedDeviance : public FactorObjective {
  public:
    EstimatedDeviance(Iterative solver, Parametrization map, Criterion kind);

    double value(const std::vector<double>& par) override;
    // The slopes are estimates by themselves, and not quite those of the estimated value.
    double rounding() const override;
    const Solved& solved() const override { return solver_; }
    Derivatives along(const std::vector<Direction>& directions, std::optional<double> scale) const override {
        return interlace::derivatives(solver_, solver_.half_trace(), kind_, directions, scale);
    }
    const Iterative& solver() const { return solver_; }
    // Covariance of the slopes over sets of probes, size x size.
    std::vector<double> noise() const;

  private:
    Iterative solver_;
};

}  // namespace interlace
