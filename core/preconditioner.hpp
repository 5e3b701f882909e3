// What conjugate gradients on the system of absorbed levels are helped by: an inverse that is nearly that of the system.
#pragma once
#include <memory>
#include <vector>

#include "absorbed.hpp"

namespace interlace {

class Preconditioner {
  public:
    virtual ~Preconditioner() = default;
    virtual void apply(const double* r, double* z, index m) const = 0;  // q x m row-major, z = P r
};

// The inverse of the diagonal; 0 where that is 0.
std::unique_ptr<Preconditioner> diagonal_inverse(const AbsorbedRows& a);

// The sparse factor of the system, where it is small enough: none otherwise. Coordinates that depend on others to
// rounding have the coefficient 0.
struct Room {
    double flops = 0, doubles = 0;  // of the factor, at most
};
class ReducedFactor : public Preconditioner {
  public:
    virtual std::vector<char> depends() const = 0;  // q: does the coordinate depend on others?
};
std::unique_ptr<ReducedFactor> reduced_factor(const AbsorbedRows& a, Room room);

// Factors of graphs that are sampled: each factor of the rest beside the lead, the levels of which meet (Gao, Kyng & Spielman 2025).
std::unique_ptr<Preconditioner> sampled_factors(const AbsorbedRows& a);

}  // namespace interlace
