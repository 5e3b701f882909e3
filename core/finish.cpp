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

// R T in the place of the block.
void put_about_origin(const Shift& block, const std::vector<double>& t, std::vector<double>& whole, index width) {
    const index k = block.k;
    std::vector<double> moved(k * k);
    small::add_ab(k, k, k, 1.0, block.r, t.data(), moved.data());
    for (index i = 0; i < k; ++i)
        for (index j = 0; j < k; ++j) whole[(block.start + i) * width + block.start + j] = moved[i * k + j];
}

}  // namespace

std::vector<double> as_they_are(index k, const double* r, const double* f) {
    std::vector<double> back(k * k), out(k * k);  // R moves one effect, so that 2I - R undoes it
    for (index i = 0; i < k; ++i)
        for (index j = 0; j < k; ++j) back[i * k + j] = (i == j ? 2.0 : 0.0) - r[i * k + j];
    small::add_ab(k, k, k, 1.0, back.data(), f, out.data());
    return lower_factor(k, std::move(out));
}

Finished finish(Cholesky& l, const Blocks& about_origin, const std::vector<Shift>& blocks, const FixedOrigin& origin) {
    const std::vector<index> k = l.products().random->k();
    Finished out;
    Blocks whole(about_origin);
    std::vector<BlockFactor> own;
    for (const Shift& block : blocks) {
        out.factors.push_back(as_they_are(block.k, block.r, own_factor(block, about_origin[block.f], k[block.f]).data()));
        put_about_origin(block, out.factors.back(), whole[block.f], k[block.f]);
    }
    for (size_t i = 0; i < blocks.size(); ++i) own.push_back({blocks[i].f, blocks[i].start, blocks[i].k, out.factors[i].data()});
    l.factorize(whole);
    out.effects = from_origin(l, own, origin);
    return out;
}

}  // namespace interlace
