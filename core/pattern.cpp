#include "pattern.hpp"

#include <algorithm>
#include <stdexcept>

namespace interlace {
namespace {

PairPattern unite(const PairPattern& a, const PairPattern& b) {
    PairPattern out;
    out.i = a.i;
    out.j = a.j;
    const index levels = static_cast<index>(a.ptr.size()) - 1;
    out.ptr.assign(1, 0);
    for (index l = 0; l < levels; ++l) {
        std::set_union(a.col.begin() + a.ptr[l], a.col.begin() + a.ptr[l + 1], b.col.begin() + b.ptr[l], b.col.begin() + b.ptr[l + 1],
                       std::back_inserter(out.col));
        out.ptr.push_back(static_cast<index>(out.col.size()));
    }
    return out;
}

}  // namespace

index PairPattern::find(index level_i, index level_j) const {
    const auto begin = col.begin() + ptr[level_i], end = col.begin() + ptr[level_i + 1];
    const auto at = std::lower_bound(begin, end, static_cast<std::int32_t>(level_j));
    return at == end || *at != level_j ? -1 : static_cast<index>(at - col.begin());
}

index Pattern::q() const {
    index s = 0;
    for (index f = 0; f < factors(); ++f) s += q(f);
    return s;
}

index Pattern::pair_index(index i, index j) const {
    for (size_t s = 0; s < pairs.size(); ++s)
        if (pairs[s].i == i && pairs[s].j == j) return static_cast<index>(s);
    throw std::out_of_range("no such pair of grouping factors");
}

SharedPattern unite(const SharedPattern& a, const SharedPattern& b) {
    if (a == b || *a == *b) return a;
    if (!a->same_shape(*b)) throw std::invalid_argument("cross-products of different designs cannot be combined");
    auto out = std::make_shared<Pattern>();
    out->levels = a->levels;
    out->k = a->k;
    for (size_t s = 0; s < a->pairs.size(); ++s) out->pairs.push_back(unite(a->pairs[s], b->pairs[s]));
    if (*out == *a) return a;
    return *out == *b ? b : out;
}

std::vector<index> places(const PairPattern& part, const PairPattern& whole) {
    std::vector<index> out(part.col.size());
    const index levels = static_cast<index>(part.ptr.size()) - 1;
    for (index l = 0; l < levels; ++l) {
        index at = whole.ptr[l];
        for (index b = part.ptr[l]; b < part.ptr[l + 1]; ++b) {
            while (whole.col[at] != part.col[b]) ++at;
            out[b] = at;
        }
    }
    return out;
}

}  // namespace interlace
