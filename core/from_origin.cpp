#include "from_origin.hpp"

#include "small.hpp"

namespace interlace {
namespace {

// beta and its covariance of the columns as they are: the intercept is that of X about its origin less the origin times the others.
void move_fixed(Effects& e, const FixedOrigin& origin) {
    const auto p = static_cast<index>(e.beta.size());
    for (index j = 0; j < p; ++j) e.beta[j] += origin.beta[j];
    const index one = origin.intercept;
    if (one < 0) return;
    e.beta[one] += origin.y - small::dot(p, origin.x.data(), e.beta.data());
    double* v = e.vcov.data();
    for (index j = 0; j < p; ++j) {
        double moved = 0;
        for (index i = 0; i < p; ++i) moved += origin.x[i] * v[i * p + j];
        v[one * p + j] -= moved;
    }
    for (index i = 0; i < p; ++i) v[i * p + one] -= small::dot(p, v + i * p, origin.x.data());
}

double squares(const Prior& prior, const std::vector<double>& u, index k) {
    if (prior.absorbed()) return 0;
    const auto n = static_cast<index>(u.size());
    return small::dot(n, u.data(), prior.links() ? prior.precision->apply(u, k).data() : u.data());
}

}  // namespace

Effects from_origin(const Solved& solved, const std::vector<BlockFactor>& blocks, const FixedOrigin& origin) {
    const RandomPart& random = *solved.products().random;
    const Blocks all = solved.spherical();
    Effects out{solved.beta(), solved.unscaled_covariance(), {}, {}, 0};
    for (index f = 0; f < random.factors(); ++f) out.squares += squares(solved.prior(f), all[f], random.k()[f]);
    for (const BlockFactor& block : blocks) {
        const index levels = random.levels()[block.f], width = random.k()[block.f], k = block.k;
        std::vector<double> u(levels * k), b(levels * k);
        for (index g = 0; g < levels; ++g)
            for (index i = 0; i < k; ++i) u[g * k + i] = all[block.f][g * width + block.start + i];
        for (index g = 0; g < levels; ++g)
            for (index i = 0; i < k; ++i) b[g * k + i] = small::dot(k, block.t + i * k, &u[g * k]);
        out.u.push_back(std::move(u));
        out.b.push_back(std::move(b));
    }
    move_fixed(out, origin);
    return out;
}

}  // namespace interlace
