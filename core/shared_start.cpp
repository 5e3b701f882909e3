#include "shared_start.hpp"

#include <algorithm>
#include <cmath>

#include "small.hpp"

namespace interlace {
namespace {

// Points beside the start, relative to a parameter: near enough for differences, far enough for digits.
constexpr double beside = 2e-3;
// Steps to the end of a curve that is known, and passes over all levels from there.
constexpr index most_steps = 12, most_passes = 4;
// Slopes that are wrong to third order have curvatures that are wrong by three times as much: of a decrement its square.
constexpr double missed = 9.0;

}  // namespace

// Slopes near the start to second order: g(d) = g + H d + d'T d / 2.
struct SharedStart::Curve {
    index n;
    std::vector<double> g, h, t;  // n; n x n; n x n x n, the slope last
    explicit Curve(index size) : n(size), g(size), h(size * size), t(size * size * size) {}

    void at(const std::vector<double>& d, std::vector<double>& slope, std::vector<double>& curvature) const {
        slope = g;
        curvature = h;
        for (index i = 0; i < n; ++i)
            for (index k = 0; k < n; ++k) {
                for (index j = 0; j < n; ++j) curvature[i * n + k] += d[j] * t[(i * n + j) * n + k];
                slope[k] += 0.5 * d[i] * (h[i * n + k] + curvature[i * n + k]);
            }
        for (index i = 0; i < n; ++i)
            for (index k = 0; k < i; ++k) curvature[i * n + k] = curvature[k * n + i] = 0.5 * (curvature[i * n + k] + curvature[k * n + i]);
    }
};

SharedStart::SharedStart(const CrossProducts& whole, const Parametrization& map, Criterion kind, std::vector<double> start)
    : whole_(whole), map_(map), kind_(kind), k_(whole.random->k()[0]), m_(whole.fixed->p + 1), start_(std::move(start)) {
    b_ = columns_of_levels(whole);
    for (const double v : start_) steps_.push_back(beside * std::max(std::abs(v), 0.1));
    const size_t n = start_.size();
    const auto add = [&](size_t i, double by_i, size_t j, double by_j) {
        std::vector<double> par(start_);
        par[i] += by_i * steps_[i];
        par[j] += by_j * steps_[j];
        points_.push_back(point(std::move(par)));
    };
    add(0, 0.0, 0, 0.0);
    for (size_t i = 0; i < n; ++i) {
        add(i, 1.0, i, 0.0);
        add(i, -1.0, i, 0.0);
    }
    for (size_t i = 0; i < n; ++i)
        for (size_t j = 0; j < i; ++j) add(i, 1.0, j, 1.0);
}

std::optional<SharedStart> SharedStart::of(const CrossProducts& whole, const Symbolic& symbolic, const Parametrization& map, Criterion kind,
                                           const std::vector<double>& start, index searches) {
    const index n = static_cast<index>(start.size());
    if (!is_summed(whole, symbolic) || !is_inner(map, start) || (n + 1) * (n + 2) / 2 + n > searches) return {};
    try {
        return SharedStart(whole, map, kind, start);
    } catch (const NotPositiveDefinite&) {
        return {};
    }
}

SharedStart::Point SharedStart::point(std::vector<double> par) const {
    Point out{map_.factors({k_}, par)[0], LevelSums(k_, m_)};
    add_levels(1.0, out.f, m_, whole_.random->levels()[0], whole_.random->diag[0].data(), b_.data(), out.sums);
    return out;
}

bool SharedStart::slopes(const Point& at, const CrossProducts& left, const std::vector<index>& levels, std::vector<double>& gradient) const {
    LevelSums sums(at.sums);
    std::vector<double> b(k_ * m_);
    for (const index g : levels) {
        columns_of_level(left, g, b.data());
        add_levels(-1.0, at.f, m_, 1, &whole_.random->diag[0][g * k_ * k_], &b_[g * k_ * m_], sums);
        add_levels(1.0, at.f, m_, 1, &left.random->diag[0][g * k_ * k_], b.data(), sums);
    }
    Blocks full(1);
    if (!slope_of(sums, left, kind_, full[0])) return false;
    gradient = map_.reduced({k_}, full);
    return true;
}

bool SharedStart::read(const CrossProducts& left, const std::vector<index>& levels, Curve& out) const {
    const index n = out.n;
    std::vector<std::vector<double>> g(points_.size());
    for (size_t i = 0; i < points_.size(); ++i)
        if (!slopes(points_[i], left, levels, g[i])) return false;
    out.g = g[0];
    index both = 1 + 2 * n;
    for (index i = 0; i < n; ++i) {
        const std::vector<double> &up = g[1 + 2 * i], &down = g[2 + 2 * i];
        for (index k = 0; k < n; ++k) {
            out.h[i * n + k] = (up[k] - down[k]) / (2.0 * steps_[i]);
            out.t[(i * n + i) * n + k] = (up[k] - 2.0 * g[0][k] + down[k]) / (steps_[i] * steps_[i]);
        }
        for (index j = 0; j < i; ++j, ++both)
            for (index k = 0; k < n; ++k)
                out.t[(i * n + j) * n + k] = out.t[(j * n + i) * n + k] =
                    (g[both][k] - up[k] - g[1 + 2 * j][k] + g[0][k]) / (steps_[i] * steps_[j]);
    }
    return true;
}

bool SharedStart::search(const CrossProducts& left, const std::vector<index>& levels, Again& out) const {
    const index n = static_cast<index>(start_.size());
    Curve curve(n);
    if (!read(left, levels, curve)) return false;
    std::vector<double> d(n, 0.0), slope, step;
    // 1) the end of the curve
    double decrement = 0, before = 0;
    for (index s = 0; s < most_steps; ++s) {
        curve.at(d, slope, out.hessian);
        if (!newton(out.hessian, slope, step, decrement)) return false;
        if (s == 0) before = decrement / missed;
        if (decrement <= finished) break;
        for (index i = 0; i < n; ++i) d[i] -= step[i];
    }
    // 2) true slopes from there on: each step leaves the share of the decrement that the one before it left
    for (out.evaluations = 1; out.evaluations <= most_passes; ++out.evaluations) {
        out.par = start_;
        for (index i = 0; i < n; ++i) out.par[i] += d[i];
        if (!is_inner(map_, out.par) || !slopes(point(out.par), left, levels, out.gradient)) return false;
        if (!newton(out.hessian, out.gradient, step, out.decrement)) return false;
        for (index i = 0; i < n; ++i) {
            d[i] -= step[i];
            out.par[i] -= step[i];
        }
        if (out.decrement <= finished || out.decrement * out.decrement <= finished * before) return is_inner(map_, out.par);
        if (!(out.decrement < 0.1 * before)) return false;
        before = out.decrement;
    }
    return false;
}

}  // namespace interlace
