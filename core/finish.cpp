#include "finish.hpp"

#include "small.hpp"
#include "triangle.hpp"

namespace interlace {
namespace {

std::vector<double> own_factor(const Shift& block, const std::vector<double>& whole, index width) {
    const index k = block.k;
    std::vector<double> own(k * k);
    for (index i = 0; i < k; ++i) small::copy(k, &whole[(block.start + i) * width + block.start], &own[i * k]);
    return own;
}

void put(const Shift& block, const std::vector<double>& own, std::vector<double>& whole, index width) {
    const index k = block.k;
    for (index i = 0; i < k; ++i) small::copy(k, &own[i * k], &whole[(block.start + i) * width + block.start]);
}

}  // namespace

std::vector<double> as_they_are(index k, const double* r, const double* f) {
    std::vector<double> back(k * k), out(k * k);  // R moves one effect, so that 2I - R undoes it
    for (index i = 0; i < k; ++i)
        for (index j = 0; j < k; ++j) back[i * k + j] = (i == j ? 2.0 : 0.0) - r[i * k + j];
    small::add_ab(k, k, k, 1.0, back.data(), f, out.data());
    return lower_factor(k, std::move(out));
}

std::vector<double> about_origin(index k, const double* r, const double* t) {
    std::vector<double> out(k * k);
    small::add_ab(k, k, k, 1.0, r, t, out.data());
    return out;
}

Finished finish(Cholesky& l, const Blocks& factors, const std::vector<Shift>& blocks, const FixedOrigin& origin) {
    const std::vector<index> k = l.products().random->k();
    Finished out;
    Blocks whole(factors);
    std::vector<BlockFactor> own;
    for (const Shift& block : blocks) {
        out.factors.push_back(as_they_are(block.k, block.r, own_factor(block, factors[block.f], k[block.f]).data()));
        put(block, about_origin(block.k, block.r, out.factors.back().data()), whole[block.f], k[block.f]);
    }
    for (size_t i = 0; i < blocks.size(); ++i) own.push_back({blocks[i].f, blocks[i].start, blocks[i].k, out.factors[i].data()});
    l.factorize(whole);
    out.effects = from_origin(l, own, origin);
    return out;
}

}  // namespace interlace
