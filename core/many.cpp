#include "many.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "interrupt.hpp"
#include "moments.hpp"
#include "small.hpp"

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
    double decrement(const Vector& g) const {
        double d = 0;
        for (index i = 0; i < n_; ++i) {
            const double along = small::dot(n_, &q_[i * n_], g.data());
            d += 0.5 * along * along / lambda_[i];
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

bool any_zero(const Vector& x) { return std::any_of(x.begin(), x.end(), [](double v) { return v == 0.0; }); }

void polish(ProfiledDeviance& d, Minimum& best, const Limits& limits) {
    if (best.x.empty() || any_zero(best.x)) return;
    const Newton newton(best.hessian);
    if (!newton.conditioned(limits.ill_conditioned)) return;
    for (index s = 0; s < limits.steps; ++s) {
        const double left = newton.decrement(best.gradient);
        if (!(left > limits.finished && left < limits.no_minimum)) return;
        Vector x = newton.step(best.x, best.gradient);
        const double value = d.value(x);
        Vector gradient = d.gradient(x);
        best.evaluations += 1;
        if (!(newton.decrement(gradient) < left && value < best.value + limits.tolerance)) return;
        best.x = std::move(x);
        best.value = value;
        best.gradient = std::move(gradient);
    }
}

double at_rounding(double value) { return 1e-14 * std::abs(value); }

bool searched(ProfiledDeviance& d, const std::vector<std::vector<index>>& without, const Limits& limits, End& end) {
    const CrossProducts& a = d.factor().products();
    const double yy = a.response->yy;
    if (!(yy > 0) || explained(a) > limits.nearly_all * yy) return false;
    // 1) one search, from the moments of the response
    Vector start = moment_start(a, d.map(), d.factor().symbolic().priors);
    for (const double v : start)
        if (!(std::abs(v) < limits.large)) return false;
    Minimum best = minimise(d, std::move(start), limits.tolerance, limits.evaluations);
    if (best.status != Status::converged || best.rounding > limits.no_minimum) return false;
    // 2) sizes near zero at zero
    Vector trial(best.x);
    for (size_t i = 0; i < trial.size(); ++i)
        if (d.map().entries[i].row == d.map().entries[i].col && std::abs(trial[i]) < limits.near_zero) trial[i] = 0.0;
    if (trial != best.x) {
        const double value = d.value(trial);
        ++best.evaluations;
        if (value <= best.value + limits.tolerance + at_rounding(best.value)) {
            best.x = trial;
            best.value = value;
        }
    }
    // 3) whole terms at zero
    for (const auto& effects : without) {
        trial = best.x;
        for (const index i : effects) trial[i] = 0.0;
        const double value = d.value(trial);
        ++best.evaluations;
        if (value < best.value - limits.tolerance - at_rounding(value)) return false;
    }
    polish(d, best, limits);
    // 4) what follows there
    end.value = d.value(best.x);
    end.pwrss = d.factor().pwrss();
    if (!(end.pwrss > limits.exact * yy)) return false;
    end.beta = d.factor().beta();
    end.covariance = d.factor().unscaled_covariance();
    end.evaluations = best.evaluations;
    end.par = std::move(best.x);
    return true;
}

}  // namespace

std::vector<End> search_many(const std::vector<CrossProducts>& responses, const std::shared_ptr<const Symbolic>& symbolic,
                             const Parametrization& map, Criterion kind, const std::vector<std::vector<index>>& without,
                             const Limits& limits) {
    std::vector<End> out(responses.size());
    for (size_t r = 0; r < responses.size(); ++r) {
        check_interrupt();
        ProfiledDeviance d(Cholesky(responses[r], symbolic), map, kind);
        try {
            out[r].easy = searched(d, without, limits, out[r]);
        } catch (const std::domain_error&) {  // the other path says what is wrong
            out[r].easy = false;
        }
    }
    return out;
}

}  // namespace interlace
