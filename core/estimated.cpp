#include "estimated.hpp"

namespace interlace {
namespace {

constexpr double apart = 0.01;  // share of the error of the value, by which slopes and values may contradict each other

}  // namespace

EstimatedDeviance::EstimatedDeviance(Iterative solver, Parametrization map, Criterion kind)
    : FactorObjective(std::move(map), kind), solver_(std::move(solver)) {}

double EstimatedDeviance::value(const std::vector<double>& par) {
    par_ = par;
    solver_.solve(map_.factors(solver_.products().random->k(), par), true);
    return last_value();
}

double EstimatedDeviance::rounding() const { return FactorObjective::rounding() + apart * solver_.log_det_error(); }

std::vector<double> EstimatedDeviance::noise() const {
    const std::vector<index>& k = solver_.products().random->k();
    const index m = size(), probes = solver_.probes();
    const std::vector<double>& all = solver_.half_traces();
    const index width = static_cast<index>(all.size()) / probes;
    // 1) the slopes that each probe gives
    std::vector<double> slopes, mean(m, 0.0);
    for (index s = 0; s < probes; ++s) {
        Blocks blocks;
        index at = s * width;
        for (const index kf : k) {
            blocks.emplace_back(kf * kf);
            for (double& one : blocks.back()) one = 2.0 * all[at++];
        }
        const std::vector<double> own = map_.reduced(k, blocks);
        for (index i = 0; i < m; ++i) mean[i] += own[i] / static_cast<double>(probes);
        slopes.insert(slopes.end(), own.begin(), own.end());
    }
    // 2) the covariance of their mean
    std::vector<double> out(m * m, 0.0);
    const double n = static_cast<double>(probes);
    for (index s = 0; s < probes; ++s)
        for (index i = 0; i < m; ++i)
            for (index j = 0; j < m; ++j)
                out[i * m + j] += (slopes[s * m + i] - mean[i]) * (slopes[s * m + j] - mean[j]) / (n * (n - 1.0));
    return out;
}

}  // namespace interlace
