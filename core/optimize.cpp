#include "optimize.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <stdexcept>

#include "interrupt.hpp"
#include "line.hpp"
#include "small.hpp"

namespace interlace {
namespace {

using Vector = std::vector<double>;

double norm(const Vector& v) { return std::sqrt(small::dot(static_cast<index>(v.size()), v.data(), v.data())); }

// Quadratic model m(s) = g's + s'Hs/2 in the eigenbasis of H.
class Quadratic {
  public:
    Quadratic(const Vector& g, const Vector& h) : n_(static_cast<index>(g.size())), q_(h), lambda_(n_), g_(n_) {
        if (!blas::syevd(n_, q_.data(), lambda_.data())) throw NotFinite("the eigenvalues of the Hessian did not converge");
        for (index i = 0; i < n_; ++i) g_[i] = small::dot(n_, &q_[i * n_], g.data());
    }
    double smallest() const { return lambda_[0]; }
    double largest() const { return std::max(std::abs(lambda_[0]), std::abs(lambda_[n_ - 1])); }
    // g'H^-1 g / 2 where H is positive, infinite when it is clearly not
    double newton_decrement() const {
        const double floor = 1e-10 * largest() + 1e-300;  // all zero where nothing matters
        if (lambda_[0] < -floor) return std::numeric_limits<double>::infinity();
        double d = 0;
        for (index i = 0; i < n_; ++i) d += 0.5 * g_[i] * g_[i] / std::max(lambda_[i], floor);
        return d;
    }
    // Minimiser of the model within |s| <= radius; returns the predicted decrease.
    double step(double radius, Vector& s) const {
        const double floor = 1e-12 * largest() + 1e-300;
        double shift = lambda_[0] > floor ? 0.0 : floor - lambda_[0];
        Vector c = shifted(shift);
        if (norm(c) > radius) {
            double low = shift, high = shift + norm(g_) / radius + floor;
            for (int it = 0; it < 100; ++it) {  // Newton on 1/|s| - 1/radius, kept inside the bracket
                const double len = norm(c);
                if (std::abs(len - radius) < 1e-6 * radius) break;
                (len > radius ? low : high) = shift;
                double slope = 0;
                for (index i = 0; i < n_; ++i) slope += c[i] * c[i] / (lambda_[i] + shift);
                const double next = shift + (len - radius) / radius * len * len / slope;
                shift = next > low && next < high ? next : 0.5 * (low + high);
                c = shifted(shift);
            }
        } else if (lambda_[0] <= floor && lambda_[0] < 0) {  // the hard case: walk along the direction of negative curvature
            const double len = norm(c);
            const double more = std::sqrt(std::max(0.0, radius * radius - len * len));
            c[0] += g_[0] > 0 ? -more : more;
        }
        double decrease = 0;
        s.assign(n_, 0.0);
        for (index i = 0; i < n_; ++i) {
            decrease -= c[i] * (g_[i] + 0.5 * lambda_[i] * c[i]);
            for (index j = 0; j < n_; ++j) s[j] += q_[j + i * n_] * c[i];
        }
        return decrease;
    }

  private:
    Vector shifted(double shift) const {
        Vector c(n_);
        for (index i = 0; i < n_; ++i) c[i] = -g_[i] / (lambda_[i] + shift);
        return c;
    }
    index n_;
    Vector q_, lambda_, g_;
};

// Secant correction C of the Hessian: (H + C) s = y, symmetric rank one (as NL2SOL keeps one beside the Gauss-Newton part).
class Secant {
  public:
    explicit Secant(index n) : n_(n), c_(n * n, 0.0) {}
    void update(const Vector& s, const Vector& y, const Vector& hessian) {
        if (!(norm(s) > seen)) return;
        Vector r(y);
        for (index i = 0; i < n_; ++i)
            for (index j = 0; j < n_; ++j) r[i] -= (hessian[i * n_ + j] + c_[i * n_ + j]) * s[j];
        const double rs = small::dot(n_, r.data(), s.data());
        if (std::abs(rs) < 1e-6 * norm(r) * norm(s)) return;
        for (index i = 0; i < n_; ++i)
            for (index j = 0; j < n_; ++j) c_[i * n_ + j] += r[i] * r[j] / rs;
    }
    void forget() { std::fill(c_.begin(), c_.end(), 0.0); }
    Vector corrected(const Vector& h) const {
        Vector out(h);
        for (size_t i = 0; i < out.size(); ++i) out[i] += c_[i];
        return out;
    }

  private:
    // A shorter step teaches nothing: the change of the gradient is rounding error.
    static constexpr double seen = 1e-9;
    index n_;
    Vector c_;
};

}  // namespace

// What may be left where values alone lead to the end: as little as further steps with derivatives leave.
constexpr double known = 1e-15;

Minimum minimise(Objective& objective, std::vector<double> start, double tolerance, index max_evaluations) {
    const index n = objective.size();
    Minimum best;
    objective.adjust(start);
    best.x = std::move(start);
    best.value = objective.value(best.x);
    ++best.evaluations;
    if (!std::isfinite(best.value)) throw NotFinite("the criterion is not finite at the start");
    if (n == 0) return best;
    if (objective.dear()) {
        if (const auto found = along_line(objective, best, known, max_evaluations)) return *found;
        objective.value(best.x);
    }
    Vector plain;  // Hessian as the objective gives it
    objective.derivatives(best.gradient, plain);
    ++best.gradients;
    Secant secant(n);
    best.hessian = plain;
    double radius = 2.0 * std::max(1.0, norm(best.x) / std::sqrt(static_cast<double>(n)));
    bool fresh = true;
    best.rounding = objective.rounding();
    std::optional<Quadratic> quadratic;
    double jump = 0;  // by how much the value rose in the shortest step that led nowhere
    while (true) {
        check_interrupt();
        // 1) step within the trust region
        if (!quadratic) {
            Vector free(best.gradient);
            objective.hold(best.x, free);
            quadratic.emplace(free, best.hessian);
        }
        const Quadratic& model = *quadratic;
        best.decrement = model.newton_decrement();
        const double noise = 1e-14 * (1.0 + std::abs(best.value)) + best.rounding;
        if (best.decrement < std::max(tolerance, noise)) {
            best.status = Status::converged;
            return best;
        }
        if (best.evaluations >= max_evaluations) {
            best.status = Status::too_many_evaluations;
            return best;
        }
        Vector s;
        const double predicted = model.step(radius, s);
        Vector x(best.x);
        for (index i = 0; i < n; ++i) x[i] += s[i];
        objective.adjust(x);
        for (index i = 0; i < n; ++i) s[i] = x[i] - best.x[i];
        // 2) does the function follow the model?
        double value;
        try {
            value = objective.value(x);
        } catch (const std::domain_error&) {
            value = std::numeric_limits<double>::infinity();
        }
        ++best.evaluations;
        const double ratio = (best.value - value + 10 * noise) / (predicted + 10 * noise);
        if (!(ratio > 1e-4)) {
            if (x != best.x) jump = value - best.value;
            radius = 0.25 * std::min(radius, norm(s));
            if (!fresh) {  // perhaps the secant part misled the model
                secant.forget();
                best.hessian = plain;
                quadratic.reset();
                fresh = true;
            }
            if (radius < 1e-10) {
                // After steps so short, what the value jumps by is its rounding error, as it was seen.
                const bool all_rounding = best.decrement <= jump && std::isfinite(jump);
                if (all_rounding) best.rounding = std::max(best.rounding, jump);
                best.status = all_rounding ? Status::converged : Status::stalled;
                return best;
            }
            continue;
        }
        const double len = norm(s);
        if (ratio < 0.25) radius = 0.5 * len;
        else if (ratio > 0.7 && len > 0.8 * radius) radius = 3.0 * radius;
        // 3) derivatives there, and what the step taught about the Hessian
        Vector gradient, hessian;
        best.rounding = objective.rounding();
        objective.derivatives(gradient, hessian);
        ++best.gradients;
        Vector y(n);
        for (index i = 0; i < n; ++i) y[i] = gradient[i] - best.gradient[i];
        secant.update(s, y, hessian);
        fresh = false;
        jump = 0;
        best.x = std::move(x);
        best.value = value;
        best.gradient = std::move(gradient);
        plain = std::move(hessian);
        best.hessian = secant.corrected(plain);
        quadratic.reset();
    }
}

}  // namespace interlace
