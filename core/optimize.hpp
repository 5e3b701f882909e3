// Trust-region minimisation with second derivatives, for smooth functions of a few to some hundred parameters.
#pragma once
#include <stdexcept>
#include <vector>

#include "blas.hpp"

namespace interlace {

// A criterion, or its derivatives, that floating-point arithmetic cannot express.
struct NotFinite : std::domain_error {
    using std::domain_error::domain_error;
};

class Objective {
  public:
    virtual ~Objective() = default;
    virtual index size() const = 0;
    // Moves a trial point where the function is the same but better conditioned (may do nothing).
    virtual void adjust(std::vector<double>& x) const = 0;
    // Sets to zero what a gradient says of entries that are at a limit, where it says to go beyond (may do nothing).
    virtual void hold(const std::vector<double>&, std::vector<double>&) const {}
    virtual double value(const std::vector<double>& x) = 0;
    // Rounding error of the last value, beyond that of its own size.
    virtual double rounding() const { return 0.0; }
    // Of one parameter: do derivatives cost so much that a few more values are better? Then there is an approximate second derivative
    // at the point of the last call of value().
    virtual bool dear() const { return false; }
    virtual double curvature() { return 0.0; }
    // Gradient and approximate Hessian (size x size, symmetric) at the point of the last call of value().
    virtual void derivatives(std::vector<double>& gradient, std::vector<double>& hessian) = 0;
};

enum class Status { converged, stalled, too_many_evaluations };

struct Minimum {
    std::vector<double> x, gradient, hessian;
    double value = 0;
    double decrement = 0;  // predicted further decrease, g'H^-1 g / 2
    double rounding = 0;   // of the value
    index evaluations = 0, gradients = 0;
    Status status = Status::converged;
};

// The Hessian that the objective gives is corrected by a symmetric rank-one secant term, so that convergence is superlinear even
// if it is approximate. Stops when the predicted decrease is below `tolerance` (or the rounding error of the value).
Minimum minimise(Objective& objective, std::vector<double> start, double tolerance, index max_evaluations);

}  // namespace interlace
