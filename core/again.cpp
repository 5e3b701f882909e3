#include "again.hpp"

#include <algorithm>
#include <cmath>

#include "small.hpp"

namespace interlace {
namespace {

constexpr double tolerance = 1e-10, close = 1e-12, ill_conditioned = 1e-6;
// A shorter step teaches nothing.
constexpr double unseen = 1e-9;
// Diagonal entries below the first are tried at zero; beyond the second another basis is wanted.
constexpr double nearly_zero = 1e-2, large = 25.0;
constexpr index most_evaluations = 60, most_steps = 6;

bool is_diagonal(const Entry& e) { return e.row == e.col; }

// Variances that are near zero are no worse there; asked only of grouping factors with one effect.
bool at_zero(ProfiledDeviance& criterion, Again& out) {
    const auto& k = criterion.factor().products().random->k();
    std::vector<double> trial(out.par);
    bool some = false;
    for (size_t i = 0; i < trial.size(); ++i) {
        const Entry& e = criterion.map().entries[i];
        if (!is_diagonal(e) || std::abs(trial[i]) >= nearly_zero) continue;
        if (k[e.factor] > 1) return false;
        trial[i] = 0.0;
        some = true;
    }
    if (!some) return false;
    const double value = criterion.value(trial);
    ++out.evaluations;
    if (value > out.value + tolerance + 1e-14 * std::abs(out.value)) return false;
    for (size_t i = 0; i < trial.size(); ++i)
        if (trial[i] == 0.0) out.gradient[i] = 0.0;  // the criterion is even there
    out.par = trial;
    out.value = value;
    return true;
}

// The Hessian learns from a step: symmetric rank one.
void learn(std::vector<double>& h, const std::vector<double>& step, const std::vector<double>& before, const std::vector<double>& after) {
    const index n = static_cast<index>(step.size());
    std::vector<double> r(n);
    double rs = 0, rr = 0, ss = 0;
    for (index i = 0; i < n; ++i) {
        r[i] = after[i] - before[i];
        for (index j = 0; j < n; ++j) r[i] -= h[i * n + j] * step[j];
        rs += r[i] * step[i];
        rr += r[i] * r[i];
        ss += step[i] * step[i];
    }
    if (ss < unseen * unseen || std::abs(rs) < 1e-6 * std::sqrt(rr * ss)) return;
    for (index i = 0; i < n; ++i)
        for (index j = 0; j < n; ++j) h[i * n + j] += r[i] * r[j] / rs;
}

// Newton steps from a point whose gradient and Hessian are known, as long as each comes ten times nearer; true if the gradient is
// rounding error then. The criterion is left at the last point.
bool newton_steps(ProfiledDeviance& criterion, Again& out) {
    std::vector<double> step;
    if (!newton(out.hessian, out.gradient, step, out.decrement)) return false;
    for (index s = 0; s < most_steps && out.decrement > finished; ++s) {
        std::vector<double> trial(out.par);
        for (size_t i = 0; i < trial.size(); ++i) {
            trial[i] -= step[i];
            step[i] = -step[i];
            if (is_diagonal(criterion.map().entries[i]) && std::abs(trial[i]) < nearly_zero) return false;
        }
        std::vector<double> gradient = criterion.gradient(trial);
        ++out.evaluations;
        std::vector<double> hessian(out.hessian);
        learn(hessian, step, out.gradient, gradient);
        double decrement = 0;
        if (!newton(hessian, gradient, step, decrement) || !(decrement < 0.1 * out.decrement)) {
            criterion.value(out.par);
            return out.decrement < close;
        }
        out.par = std::move(trial);
        out.gradient = std::move(gradient);
        out.hessian = std::move(hessian);
        out.value = criterion.last_value();
        out.decrement = decrement;
    }
    return out.decrement < close;
}

}  // namespace

bool newton(const std::vector<double>& h, const std::vector<double>& g, std::vector<double>& step, double& decrement) {
    const index n = static_cast<index>(g.size());
    std::vector<double> l(h);
    step = g;
    double low = 0, high = 0;
    if (!small::cholesky(n, l.data())) return false;
    for (index i = 0; i < n; ++i) {
        const double pivot = l[i * n + i] * l[i * n + i];
        low = i ? std::min(low, pivot) : pivot;
        high = std::max(high, h[i * n + i]);
    }
    if (low <= ill_conditioned * high) return false;
    small::solve_l(n, 1, l.data(), step.data());
    decrement = 0.5 * small::dot(n, step.data(), step.data());
    small::solve_lt(n, 1, l.data(), step.data());
    return true;
}

bool is_inner(const Parametrization& map, const std::vector<double>& par) {
    for (size_t i = 0; i < par.size(); ++i)
        if (std::abs(par[i]) > large || (is_diagonal(map.entries[i]) && std::abs(par[i]) < nearly_zero)) return false;
    return true;
}

Again search_near(ProfiledDeviance& criterion, const std::vector<double>& start) {
    Again out;
    out.par = start;
    if (start.empty() || !is_inner(criterion.map(), start)) return search_again(criterion, start);
    out.value = criterion.value(start);
    out.evaluations = 1;
    if (criterion.rounding() > wrong) return out;
    criterion.derivatives(out.gradient, out.hessian);
    out.certain = newton_steps(criterion, out);
    return out.certain ? out : search_again(criterion, start);
}

Again search_again(ProfiledDeviance& criterion, const std::vector<double>& start) {
    Minimum found = minimise(criterion, start, tolerance, most_evaluations);
    Again out{found.x, found.gradient, found.hessian, found.value, found.decrement, found.evaluations, false};
    if (found.status != Status::converged || found.rounding > wrong || out.par.empty()) return out;
    if (is_inner(criterion.map(), out.par)) out.certain = newton_steps(criterion, out);
    else out.certain = at_zero(criterion, out);
    return out;
}

}  // namespace interlace
