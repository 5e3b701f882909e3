#include "elsewhere.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "interrupt.hpp"

namespace interlace {
namespace {

using Vector = std::vector<double>;

bool any_zero(const Vector& x) { return std::any_of(x.begin(), x.end(), [](double v) { return v == 0.0; }); }

// A criterion whose searches end as soon as they come to a minimum that is known.
class Elsewhere : public Objective {
  public:
    struct Known {};

    Elsewhere(ProfiledDeviance& d, const Vector& best) : d_(d), best_(best), inner_(!any_zero(best)) {
        value_ = d.value(best);
        if (!inner_) return;
        Vector gradient;
        d.derivatives(gradient, hessian_);
        best_ = signed_columns(best);
    }
    index size() const override { return d_.size(); }
    void adjust(Vector& x) const override { d_.adjust(x); }
    void hold(const Vector& x, Vector& gradient) const override { d_.hold(x, gradient); }
    double rounding() const override { return d_.rounding(); }
    double value(const Vector& x) override {
        here_ = x;
        return last_ = d_.value(x);
    }
    void derivatives(Vector& gradient, Vector& hessian) override {
        if (is_near()) throw Known{};
        d_.derivatives(gradient, hessian);
    }
    double best_value() const { return value_; }

  private:
    // Diagonal entries positive: the sign of a column does not matter.
    Vector signed_columns(Vector x) const {
        const auto& entries = d_.map().entries;
        const Vector before(x);
        for (size_t i = 0; i < x.size(); ++i)
            if (entries[i].row == entries[i].col && before[i] < 0)
                for (size_t j = 0; j < x.size(); ++j)
                    if (entries[j].factor == entries[i].factor && entries[j].col == entries[i].col) x[j] = -x[j];
        return x;
    }
    // So low, and where the quadratic about the minimum says so: from there it goes down to it.
    bool is_near() const {
        if (!inner_ || last_ - value_ > near) return false;
        const Vector x = signed_columns(here_);
        const size_t m = x.size();
        double rise = 0;
        for (size_t i = 0; i < m; ++i)
            for (size_t j = 0; j < m; ++j) rise += 0.5 * (x[i] - best_[i]) * hessian_[i * m + j] * (x[j] - best_[j]);
        return std::abs(last_ - value_ - rise) <= 0.2 * rise + 1e-8;
    }
    static constexpr double near = 0.5;
    ProfiledDeviance& d_;
    Vector best_, hessian_, here_;
    double value_ = 0, last_ = 0;
    bool inner_;
};

// Does a search from there end below the known minimum, or not at all?
bool lower_from(ProfiledDeviance& d, Elsewhere& criterion, Vector start, const Limits& limits) {
    try {
        Minimum found = minimise(criterion, std::move(start), limits.elsewhere_tolerance, limits.elsewhere);
        try_boundary(d, found, limits);
        const double below = criterion.best_value() - found.value;
        if (below > 0.5 * limits.same_value || found.status == Status::too_many_evaluations) return true;
        if (below <= 0) return false;
        d.value(found.x);
        return d.factor().pwrss() <= limits.exact * d.factor().products().response->yy;
    } catch (const Elsewhere::Known&) {
        return false;
    } catch (const std::domain_error&) {  // there the model fits the response exactly
        return false;
    }
}

Vector point(const Vector& all, size_t i, size_t m) {
    const auto first = all.begin() + static_cast<std::ptrdiff_t>(i * m);
    return Vector(first, first + static_cast<std::ptrdiff_t>(m));
}

}  // namespace

std::vector<std::uint8_t> lower_elsewhere(const std::vector<CrossProducts>& responses, const std::shared_ptr<const Symbolic>& symbolic,
                                          const Parametrization& map, Criterion kind, const Vector& starts, index n, const Vector& best,
                                          const Limits& limits) {
    const size_t m = map.entries.size(), each = static_cast<size_t>(n);
    std::vector<std::uint8_t> out(responses.size(), 0);
    for (size_t r = 0; r < responses.size(); ++r) {
        check_interrupt();
        ProfiledDeviance d(Cholesky(responses[r], symbolic), map, kind);
        Elsewhere criterion(d, point(best, r, m));
        for (size_t i = r * each; i < (r + 1) * each && !out[r]; ++i)
            if (std::isfinite(starts[i * m])) out[r] = lower_from(d, criterion, point(starts, i, m), limits);
    }
    return out;
}

std::vector<double> values_at(const std::vector<CrossProducts>& responses, const std::shared_ptr<const Symbolic>& symbolic,
                              const Parametrization& map, Criterion kind, const Vector& points, index n) {
    const size_t m = map.entries.size(), each = static_cast<size_t>(n);
    Vector out(responses.size() * each, std::numeric_limits<double>::infinity());
    for (size_t r = 0; r < responses.size(); ++r) {
        check_interrupt();
        ProfiledDeviance d(Cholesky(responses[r], symbolic), map, kind);
        for (size_t i = r * each; i < (r + 1) * each; ++i) {
            try {
                out[i] = d.value(point(points, i, m));
            } catch (const std::domain_error&) {  // there the model fits the response exactly
            }
        }
    }
    return out;
}

}  // namespace interlace
