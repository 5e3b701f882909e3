#include "deviance.hpp"

#include <algorithm>
#include <cmath>

#include "level_sums.hpp"
#include "small.hpp"

namespace interlace {

Blocks Parametrization::factors(const std::vector<index>& k, const std::vector<double>& par) const {
    Blocks t, out;
    for (const index n : k) {
        t.emplace_back(n * n, 0.0);
        out.emplace_back(n * n, 0.0);
    }
    for (size_t i = 0; i < entries.size(); ++i) {
        const Entry& e = entries[i];
        t[e.factor][e.row * k[e.factor] + e.col] = par[i];
    }
    for (size_t f = 0; f < k.size(); ++f) small::add_ab(k[f], k[f], k[f], 1.0, basis[f].data(), t[f].data(), out[f].data());
    return out;
}

std::vector<double> Parametrization::reduced(const std::vector<index>& k, const Blocks& full) const {
    Blocks t;  // basis' G
    for (size_t f = 0; f < k.size(); ++f) {
        t.emplace_back(k[f] * k[f], 0.0);
        small::add_atb(k[f], k[f], k[f], 1.0, basis[f].data(), full[f].data(), t[f].data());
    }
    std::vector<double> out;
    for (const Entry& e : entries) out.push_back(t[e.factor][e.row * k[e.factor] + e.col]);
    return out;
}

ProfiledDeviance::ProfiledDeviance(Cholesky factor, Parametrization map, Criterion kind)
    : FactorObjective(std::move(map), kind), factor_(std::move(factor)) {}

void FactorObjective::adjust(std::vector<double>& par) const {
    for (size_t i = 0; i < par.size(); ++i)
        if (map_.entries[i].row == map_.entries[i].col && std::abs(par[i]) < diagonal_floor)
            par[i] = std::copysign(diagonal_floor, par[i]);
}

void FactorObjective::hold(const std::vector<double>& par, std::vector<double>& gradient) const {
    for (size_t i = 0; i < par.size(); ++i)
        if (map_.entries[i].row == map_.entries[i].col && std::abs(par[i]) <= diagonal_floor && par[i] * gradient[i] > 0) gradient[i] = 0.0;
}

Blocks ProfiledDeviance::factors(const std::vector<double>& par) const {
    const std::vector<index>& k = factor().products().random->k();
    Blocks out = map_.factors(k, par);
    for (size_t f = 0; f < out.size(); ++f)
        for (index c = 0; c < k[f] && factor_.symbolic().priors[f].absorbed(); ++c) out[f][c * k[f] + c] = 1.0;
    return out;
}

double ProfiledDeviance::value(const std::vector<double>& par) {
    par_ = par;
    factor_.factorize(factors(par));
    return last_value();
}

double FactorObjective::rounding() const {
    constexpr double epsilon = 2.2e-16;
    const CrossProducts& a = solved().products();
    double error = epsilon * static_cast<double>(a.n) * a.response->yy / solved().pwrss();
    if (kind_ == Criterion::reml) {
        const index p = a.fixed->p;
        for (index j = 0; j < p; ++j) {
            const double pivot = solved().rx()[j + j * (p + 1)];
            error += epsilon * a.fixed->xx[j + j * p] / (pivot * pivot);
        }
    }
    return error;
}

std::vector<double> FactorObjective::gradient(const std::vector<double>& par) {
    value(par);
    return map_.reduced(solved().products().random->k(), along({}, std::nullopt).gradient);
}

std::vector<Direction> FactorObjective::directions() const {
    const auto& k = solved().products().random->k();
    std::vector<Direction> out;
    for (const Entry& e : map_.entries) {
        Direction d{e.factor, std::vector<double>(k[e.factor] * k[e.factor], 0.0)};
        for (index r = 0; r < k[e.factor]; ++r) d.df[r * k[e.factor] + e.col] = map_.basis[e.factor][r * k[e.factor] + e.row];
        out.push_back(std::move(d));
    }
    return out;
}

void FactorObjective::derivatives(std::vector<double>& gradient, std::vector<double>& hessian) {
    const auto& k = solved().products().random->k();
    const index m = size();
    // 1) first derivatives and average information
    Derivatives d = along(directions(), std::nullopt);
    gradient = map_.reduced(k, d.gradient);
    hessian = std::move(d.average);
    // 2) d^2 (T T') = e_r e_r'' + e_r' e_r' when two entries share a column: adds 2 B_rr', B = d criterion / d(T T') = G T^-1 / 2
    for (size_t f = 0; f < k.size(); ++f) {
        const index n = k[f];
        std::vector<double> t(n * n, 0.0), b(n * n, 0.0);
        for (index i = 0; i < m; ++i)
            if (map_.entries[i].factor == static_cast<index>(f)) t[map_.entries[i].row * n + map_.entries[i].col] = par_[i];
        small::add_atb(n, n, n, 0.5, map_.basis[f].data(), d.gradient[f].data(), b.data());
        for (index r = 0; r < n; ++r)  // B T = G / 2, by back substitution over columns
            for (index c = n - 1; c >= 0; --c) {
                for (index l = c + 1; l < n; ++l) b[r * n + c] -= b[r * n + l] * t[l * n + c];
                // an effect that has no parameters: nothing depends on it
                b[r * n + c] = t[c * n + c] == 0.0 ? 0.0 : b[r * n + c] / t[c * n + c];
            }
        for (index i = 0; i < m; ++i)
            for (index j = 0; j < m; ++j) {
                const Entry &p = map_.entries[i], &q = map_.entries[j];
                if (p.factor != static_cast<index>(f) || q.factor != p.factor || p.col != q.col) continue;
                hessian[i * m + j] += b[p.row * n + q.row] + b[q.row * n + p.row];
            }
    }
}

namespace {

// With more levels than these the factor, which several threads make, is quicker.
constexpr index few_levels = 4096;

// The gradient where it is a sum over levels: no factor is made, and that of the last value stays. Empty where rounding is in the way.
std::vector<double> summed_gradient(const CrossProducts& a, const std::vector<double>& columns, const Parametrization& map, Criterion kind,
                                    const std::vector<double>& par) {
    const std::vector<index>& k = a.random->k();
    const index m = a.fixed->p + 1;
    LevelSums sums(k[0], m);
    add_levels(1.0, map.factors(k, par)[0], m, a.random->levels()[0], a.random->diag[0].data(), columns.data(), sums);
    Blocks full(1);
    return slope_of(sums, a, kind, full[0]) ? map.reduced(k, full) : std::vector<double>();
}

}  // namespace

std::vector<double> ProfiledDeviance::hessian(const std::vector<double>& par) {
    const index m = size();
    const CrossProducts& a = factor().products();
    const bool summed = is_summed(a, factor().symbolic()) && a.random->levels()[0] <= few_levels;
    const std::vector<double> columns = summed ? columns_of_levels(a) : std::vector<double>();
    const auto gradient_at = [&](const std::vector<double>& x) {
        std::vector<double> g = summed ? summed_gradient(a, columns, map_, kind_, x) : std::vector<double>();
        return g.empty() ? gradient(x) : g;
    };
    std::vector<double> h(m * m), x(par);
    for (index i = 0; i < m; ++i) {
        const double step = 1e-4 * std::max(1.0, std::abs(par[i]));
        x[i] = par[i] + step;
        const std::vector<double> up = gradient_at(x);
        x[i] = par[i] - step;
        const std::vector<double> down = gradient_at(x);
        x[i] = par[i];
        for (index j = 0; j < m; ++j) h[i * m + j] = (up[j] - down[j]) / (2.0 * step);
    }
    for (index i = 0; i < m; ++i)
        for (index j = 0; j < i; ++j) h[i * m + j] = h[j * m + i] = 0.5 * (h[i * m + j] + h[j * m + i]);
    return h;
}

}  // namespace interlace
