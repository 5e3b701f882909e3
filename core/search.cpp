#include "search.hpp"

#include <algorithm>
#include <cmath>

#include "moments.hpp"
#include "small.hpp"
#include "turned.hpp"

namespace interlace {
namespace {

using Vector = std::vector<double>;

// Newton steps with a Hessian that stays, in its eigenbasis.
class Newton {
  public:
    explicit Newton(const Vector& h) : n_(static_cast<index>(std::lround(std::sqrt(static_cast<double>(h.size()))))), q_(h), lambda_(n_) {
        good_ = blas::syevd(n_, q_.data(), lambda_.data());
    }
    bool conditioned(double share) const { return good_ && lambda_[0] > share * lambda_[n_ - 1]; }
    // Directions that do not matter are left out.
    double decrement(const Vector& g) const {
        const double seen = 1e-8 * std::max(std::abs(lambda_[0]), std::abs(lambda_[n_ - 1]));
        double d = 0;
        for (index i = 0; i < n_; ++i) {
            const double along = small::dot(n_, &q_[i * n_], g.data());
            if (std::abs(lambda_[i]) > seen) d += 0.5 * along * along / lambda_[i];
        }
        return d;
    }
    Vector step(const Vector& x, const Vector& g) const {
        Vector out(x);
        for (index i = 0; i < n_; ++i) {
            const double along = small::dot(n_, &q_[i * n_], g.data()) / lambda_[i];
            for (index j = 0; j < n_; ++j) out[j] -= along * q_[i * n_ + j];
        }
        return out;
    }

  private:
    index n_;
    Vector q_, lambda_;
    bool good_ = false;
};

// The slopes of parameters that are not zero: the others stay there.
Vector free_slopes(Vector gradient, const Vector& x) {
    for (size_t i = 0; i < x.size(); ++i)
        if (x[i] == 0.0) gradient[i] = 0.0;
    return gradient;
}

// A Hessian by which the others stay where they are, and say nothing of its condition.
Vector free_curvatures(Vector h, const Vector& x) {
    const size_t n = x.size();
    double largest = 0;
    for (size_t i = 0; i < n; ++i)
        if (x[i] != 0.0) largest = std::max(largest, h[i * n + i]);
    for (size_t i = 0; i < n; ++i)
        for (size_t j = 0; j < n; ++j)
            if (x[i] == 0.0 || x[j] == 0.0) h[i * n + j] = i == j ? largest : 0.0;
    return h;
}

double at_rounding(double value) { return 1e-14 * std::abs(value); }

void polish(ProfiledDeviance& d, Minimum& best, const Limits& limits) {
    const Newton newton(free_curvatures(best.hessian, best.x));
    if (!newton.conditioned(limits.ill_conditioned)) return;
    for (index s = 0; s < limits.steps; ++s) {
        const Vector slopes = free_slopes(best.gradient, best.x);
        const double left = newton.decrement(slopes);
        if (!(left > limits.finished && left < limits.no_minimum)) return;
        Vector x = newton.step(best.x, slopes);
        for (size_t i = 0; i < x.size(); ++i)
            if (best.x[i] == 0.0) x[i] = 0.0;  // which rounding error may have moved
        Vector gradient = d.gradient(x);
        const double value = d.last_value();
        ++best.evaluations;
        ++best.gradients;
        // the value may be higher by its rounding error, as for the steps that led here
        const double highest = best.value + limits.tolerance + 10 * at_rounding(best.value);
        if (!(newton.decrement(free_slopes(gradient, x)) < left && value < highest)) return;
        best.x = std::move(x);
        best.value = value;
        best.gradient = std::move(gradient);
    }
}

// Is the criterion lower with the whole of some term at zero?
bool better_without(ProfiledDeviance& d, const std::vector<std::vector<index>>& without, Minimum& best, const Limits& limits) {
    for (const auto& effects : without) {
        Vector trial(best.x);
        for (const index i : effects) trial.at(i) = 0.0;
        const double value = d.value(trial);
        ++best.evaluations;
        if (value < best.value - limits.tolerance - at_rounding(value)) return true;
    }
    return false;
}

bool is_elsewhere(const ProfiledDeviance& d, const Vector& rival, const Vector& best, const Limits& limits) {
    for (size_t i = 0; i < rival.size(); ++i) {
        const Entry& e = d.map().entries[i];
        if (e.row != e.col) continue;
        const double here = std::max(std::abs(best[i]), limits.near_zero), there = std::max(std::abs(rival[i]), limits.near_zero);
        if (there > limits.apart * here || here > limits.apart * there) return true;
    }
    return false;
}

// Is it (nearly) as low elsewhere, where the slopes within levels are believed? With several parameters a clear conflict is enough.
bool rivalled(ProfiledDeviance& d, const Minimum& best, const Limits& limits) {
    const Cholesky& l = d.factor();
    const Rivals found = rivals(l.products(), d.map(), l.symbolic().priors);
    if (best.x.size() > 1 && found.gain > limits.conflict) return true;
    return std::any_of(found.starts.begin(), found.starts.end(), [&](const Vector& rival) {
        return is_elsewhere(d, rival, best.x, limits) && d.value(rival) < best.value + limits.rival;
    });
}

// Where a covariance is singular: does a search from one that is not end lower?
bool better_opened(ProfiledDeviance& d, Minimum& best, const Limits& limits) {
    Vector start = opened(d, best.x);
    if (start.empty()) return false;
    try {
        const Minimum found = minimise(d, std::move(start), limits.elsewhere_tolerance, limits.opened);
        best.evaluations += found.evaluations;
        best.gradients += found.gradients;
        return found.value < best.value - limits.same_value;
    } catch (const NotPositiveDefinite&) {  // there the model fits the response exactly
        return false;
    }
}

}  // namespace

void try_boundary(ProfiledDeviance& d, Minimum& best, const Limits& limits) {
    Vector trial(best.x);
    for (size_t i = 0; i < trial.size(); ++i)
        if (d.map().entries[i].row == d.map().entries[i].col && std::abs(trial[i]) < limits.near_zero) trial[i] = 0.0;
    if (trial == best.x) return;
    const double value = d.value(trial);
    ++best.evaluations;
    if (!(value <= best.value + limits.tolerance + at_rounding(best.value))) return;
    best.gradient = d.gradient(trial);
    ++best.gradients;
    best.x = std::move(trial);
    best.value = value;
}

Searched search(ProfiledDeviance& d, Vector start, const std::vector<std::vector<index>>& without, const Limits& limits) {
    Searched out;
    // 1) one search
    for (const double v : start)
        if (!(std::abs(v) < limits.large)) return out;
    out.best = minimise(d, std::move(start), limits.tolerance, limits.evaluations);
    out.reach = out.best.x.empty() ? Reach::enough : Reach::ended;
    if (out.best.x.empty() || out.best.status != Status::converged || out.best.rounding > limits.no_minimum) return out;
    // 2) the boundary, and terms that are better left out
    Minimum best(out.best);
    try_boundary(d, best, limits);
    if (better_without(d, without, best, limits) || rivalled(d, best, limits) || !turned(d, best.x, limits.rival).empty() ||
        better_opened(d, best, limits))
        return out;
    // 3) proof of the end, and the last digits
    if (limits.prove) {
        best.hessian = d.hessian(best.x);
        best.gradients += 2 * static_cast<index>(best.x.size());
    }
    const Newton newton(best.hessian);
    if (newton.decrement(best.gradient) > limits.no_minimum) return out;
    polish(d, best, limits);
    out.best = std::move(best);
    out.reach = Reach::enough;
    return out;
}

}  // namespace interlace
