#include "line.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "interrupt.hpp"

namespace interlace {
namespace {

using Vector = std::vector<double>;

// Values after which the trust region is better, and the fewest that a polynomial is believed from.
constexpr index most = 9, enough = 4;
// In units of what raises the criterion by 1: the distance between values, as rounding is divided by it; how far from the start a
// minimum may be; how far from zero the start must be.
constexpr double step = 0.25, reach = 8.0, from_zero = 16.0;

// The polynomial through some values, by divided differences.
class Polynomial {
  public:
    void add(double x, double value) {
        // the difference over the last j + 1 points
        Vector differences{value};
        for (size_t j = 1; j <= x_.size(); ++j) differences.push_back((differences[j - 1] - last_[j - 1]) / (x - x_[x_.size() - j]));
        x_.push_back(x);
        coefficients_.push_back(differences.back());
        last_ = std::move(differences);
    }
    index points() const { return static_cast<index>(x_.size()); }
    // The place nearest to x, on the side where it lies, that is no nearer than `distance` to any point.
    double apart(double x, double distance) const {
        for (size_t pass = 0; pass < x_.size(); ++pass)
            for (const double other : x_)
                if (std::abs(x - other) < 0.99 * distance) x = other + (x < x_[0] ? -distance : distance);
        return x;
    }
    double curvature(double x) const { return at(x)[1]; }
    // The minimum next to x; NaN if there is none.
    double minimum(double x) const {
        for (int it = 0; it < 50; ++it) {
            const auto [g, h] = at(x);
            if (!(h > 0)) return std::numeric_limits<double>::quiet_NaN();
            x -= g / h;
            if (std::abs(g / h) <= 1e-15 * std::abs(x)) break;
        }
        return x;
    }

  private:
    std::array<double, 2> at(double x) const {
        double p = 0, g = 0, h = 0;
        for (size_t i = x_.size(); i-- > 0;) {
            h = h * (x - x_[i]) + 2 * g;
            g = g * (x - x_[i]) + p;
            p = p * (x - x_[i]) + coefficients_[i];
        }
        return {g, h};
    }
    Vector x_, last_, coefficients_;
};

}  // namespace

std::optional<Minimum> along_line(Objective& objective, Minimum& first, double finished, index max_evaluations) {
    const double start = first.x[0], base = first.value, curvature = objective.curvature();
    if (!(curvature > 0)) return std::nullopt;
    const double unit = std::sqrt(2.0 / curvature);
    if (!(std::abs(start) > from_zero * unit)) return std::nullopt;
    Minimum here = first;
    const auto ask = [&](double x) {
        check_interrupt();
        try {
            here.value = objective.value({x});
        } catch (const std::domain_error&) {
            here.value = std::numeric_limits<double>::quiet_NaN();
        }
        here.evaluations = ++first.evaluations;
        here.x = {x};
        here.rounding = objective.rounding();
        if (here.value < first.value) {
            first.x = here.x;
            first.value = here.value;
            first.rounding = here.rounding;
        }
        return std::isfinite(here.value);
    };
    Polynomial values;
    values.add(start, 0.0);
    double best = start, next = start + step * unit;
    while (first.evaluations < std::min(most, max_evaluations)) {
        if (!ask(next)) return std::nullopt;
        values.add(next, here.value - base);
        const double before = best, s = next - start;
        best = values.points() == 2 ? start - ((here.value - base) / s - curvature * s / 2) / curvature : values.minimum(best);
        if (!(std::abs(best - start) < reach * unit)) return std::nullopt;
        next = values.apart(best, step * unit);
        if (values.points() < enough) continue;
        // each degree more takes so much from the error of the one before
        const double error = std::abs(best - before) * 4 * unit / std::abs(start), bend = values.curvature(best);
        const double noise = 1e-14 * (1.0 + std::abs(here.value)) + here.rounding, left = 0.5 * bend * error * error;
        if (!(left < std::max(finished, noise * noise))) continue;
        if (!ask(best) || here.value > first.value + 10 * noise) return std::nullopt;
        here.gradient = {bend * error};
        here.hessian = {bend};
        here.decrement = left;
        return here;
    }
    return std::nullopt;
}

}  // namespace interlace
