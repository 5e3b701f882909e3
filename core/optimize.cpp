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

// What may be left where values alone lead to the end: as little as further steps with derivatives leave.
constexpr double known = 1e-15;

// Steps from a point to lower ones, each as long as the last ones have shown that the quadratic model may be believed.
class TrustRegion {
  public:
    // `best` has a point and its value.
    TrustRegion(Objective& objective, Minimum best) : objective_(objective), best_(std::move(best)), secant_(objective.size()) {
        objective_.derivatives(best_.gradient, plain_);
        ++best_.gradients;
        best_.hessian = plain_;
        best_.rounding = objective_.rounding();
        radius_ = 2.0 * std::max(1.0, norm(best_.x) / std::sqrt(static_cast<double>(objective_.size())));
    }
    Minimum run(double tolerance, index max_evaluations) {
        while (true) {
            check_interrupt();
            prepare();
            if (best_.decrement < std::max(tolerance, noise())) return ended(Status::converged);
            if (best_.evaluations >= max_evaluations) return ended(Status::too_many_evaluations);
            Trial t = next();
            const double ratio = (best_.value - t.value + 10 * noise()) / (t.predicted + 10 * noise());
            if (ratio > 1e-4) accept(std::move(t), ratio);
            else if (!shorten(t)) return ended(best_.decrement <= jump_ && std::isfinite(jump_) ? all_rounding() : Status::stalled);
        }
    }

  private:
    struct Trial {
        Vector x, step;
        double predicted, value;
    };

    double noise() const { return 1e-14 * (1.0 + std::abs(best_.value)) + best_.rounding; }
    Minimum ended(Status status) {
        best_.status = status;
        return std::move(best_);
    }
    // After steps so short, what the value jumps by is its rounding error, as it was seen.
    Status all_rounding() {
        best_.rounding = std::max(best_.rounding, jump_);
        return Status::converged;
    }
    void prepare() {
        if (model_) return;
        Vector free(best_.gradient);
        objective_.hold(best_.x, free);
        model_.emplace(free, best_.hessian);
        best_.decrement = model_->newton_decrement();
    }
    Trial next() {
        Trial t;
        t.predicted = model_->step(radius_, t.step);
        t.x = best_.x;
        for (size_t i = 0; i < t.x.size(); ++i) t.x[i] += t.step[i];
        objective_.adjust(t.x);
        for (size_t i = 0; i < t.x.size(); ++i) t.step[i] = t.x[i] - best_.x[i];
        try {
            t.value = objective_.value(t.x);
        } catch (const std::domain_error&) {
            t.value = std::numeric_limits<double>::infinity();
        }
        ++best_.evaluations;
        return t;
    }
    // False if the next step would be too short.
    bool shorten(const Trial& t) {
        if (t.x != best_.x) jump_ = t.value - best_.value;
        radius_ = 0.25 * std::min(radius_, norm(t.step));
        if (!fresh_) {  // perhaps the secant part misled the model
            secant_.forget();
            best_.hessian = plain_;
            model_.reset();
            fresh_ = true;
        }
        return radius_ >= 1e-10;
    }
    void accept(Trial t, double ratio) {
        const double length = norm(t.step);
        if (ratio < 0.25) radius_ = 0.5 * length;
        else if (ratio > 0.7 && length > 0.8 * radius_) radius_ = 3.0 * radius_;
        // derivatives there, and what the step taught about the Hessian
        Vector gradient, hessian, change;
        best_.rounding = objective_.rounding();
        objective_.derivatives(gradient, hessian);
        ++best_.gradients;
        for (size_t i = 0; i < gradient.size(); ++i) change.push_back(gradient[i] - best_.gradient[i]);
        secant_.update(t.step, change, hessian);
        fresh_ = false;
        jump_ = 0;
        best_.x = std::move(t.x);
        best_.value = t.value;
        best_.gradient = std::move(gradient);
        plain_ = std::move(hessian);
        best_.hessian = secant_.corrected(plain_);
        model_.reset();
    }

    Objective& objective_;
    Minimum best_;
    Secant secant_;
    Vector plain_;  // Hessian as the objective gives it
    double radius_ = 0;
    bool fresh_ = true;
    double jump_ = 0;  // by how much the value rose in the shortest step that led nowhere
    std::optional<Quadratic> model_;
};

}  // namespace

Minimum minimise(Objective& objective, std::vector<double> start, double tolerance, index max_evaluations) {
    Minimum first;
    objective.adjust(start);
    first.x = std::move(start);
    first.value = objective.value(first.x);
    ++first.evaluations;
    if (!std::isfinite(first.value)) throw NotFinite("the criterion is not finite at the start");
    if (objective.size() == 0) return first;
    if (objective.dear()) {
        if (const auto found = along_line(objective, first, known, max_evaluations)) return *found;
        objective.value(first.x);
    }
    return TrustRegion(objective, std::move(first)).run(tolerance, max_evaluations);
}

}  // namespace interlace
