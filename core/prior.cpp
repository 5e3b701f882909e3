#include "prior.hpp"

#include <algorithm>
#include <numeric>
#include <stdexcept>

#include "inverse.hpp"

namespace interlace {
namespace {

// Products of no rows for one effect per level. y'y is 1, so that the factor of the "fixed part" exists.
CrossProducts no_rows(index levels) {
    auto pattern = std::make_shared<Pattern>();
    pattern->levels = {levels};
    pattern->k = {1};
    auto random = std::make_shared<RandomPart>();
    random->pattern = std::move(pattern);
    random->diag.emplace_back(levels, 0.0);
    auto fixed = std::make_shared<FixedPart>();
    fixed->zx.emplace_back();
    auto response = std::make_shared<ResponsePart>();
    response->yy = 1.0;
    response->zy.emplace_back(levels, 0.0);
    return {0, 0.0, std::move(random), std::move(fixed), std::move(response)};
}

// Copies M^-1 = K on the pattern of Q.
struct KeepLinks {
    const Precision& q;
    std::vector<index> row;  // of each entry
    std::vector<double> out;
    explicit KeepLinks(const Precision& of) : q(of), out(of.val.size()) {
        for (index l = 0; l < q.levels(); ++l) row.insert(row.end(), q.ptr[l + 1] - q.ptr[l], l);
    }
    index place(index l, index c) const {
        const auto begin = q.col.begin() + q.ptr[l], end = q.col.begin() + q.ptr[l + 1];
        return std::lower_bound(begin, end, static_cast<std::int32_t>(c)) - q.col.begin();
    }
    void diagonal(index, index level, const double* z) { out[place(level, level)] = z[0]; }
    void pair(index, index, const double*) {}
    void link(index e, const double* z) { out[e] = out[place(q.col[e], row[e])] = z[0]; }
};

}  // namespace

index Prior::count(index coefficients) const {
    if (!absorbed()) return 0;
    return coefficients - (held ? std::count(held->begin(), held->end(), char{1}) : 0);
}

double Prior::diagonal(index place, index k) const {
    if (kind == Kind::identity) return 1.0;
    if (kind == Kind::none) return held && (*held)[place] ? 1.0 : 0.0;
    const index level = place / k;
    const Precision& q = *precision;
    const auto begin = q.col.begin() + q.ptr[level], end = q.col.begin() + q.ptr[level + 1];
    return q.val[std::lower_bound(begin, end, static_cast<std::int32_t>(level)) - q.col.begin()];
}

std::shared_ptr<const Precision> make_precision(std::vector<index> ptr, std::vector<std::int32_t> col, std::vector<double> val,
                                                double max_bytes) {
    auto q = std::make_shared<Precision>();
    q->ptr = std::move(ptr);
    q->col = std::move(col);
    q->val = std::move(val);
    // Q is M without data; the prior in the analysis is this value before it has a factor, and a copy, so as not to hold itself
    CrossProducts nothing = no_rows(q->levels());
    const auto plain = std::make_shared<Precision>(*q);
    auto symbolic = analyze(nothing.random->pattern, {{Prior::Kind::precision, plain}}, max_bytes);
    if (!symbolic->complete() || symbolic->bytes(0) > max_bytes) throw std::length_error("the factor of the precision would not fit");
    auto factor = std::make_shared<Cholesky>(std::move(nothing), std::move(symbolic));
    factor->factorize({{0.0}});
    q->log_det = factor->ld_m();
    q->variance = factor->inverse_diagonal()[0];
    q->scale = std::accumulate(q->variance.begin(), q->variance.end(), 0.0) / static_cast<double>(q->levels());
    q->factor = std::move(factor);
    return q;
}

void Precision::covariance(std::vector<double>& v, index m) const {
    Rhs r = factor->ordered({v}, m);
    factor->forward(r);
    factor->backward(r);
    v = factor->natural(r)[0];
}

std::vector<double> Precision::inverse() const {
    KeepLinks keep(*this);
    visit_inverse(*factor, keep);
    return std::move(keep.out);
}

void Precision::spread(std::vector<double>& z, index m) const {
    Rhs r = factor->ordered({z}, m);
    factor->backward(r);
    z = factor->natural(r)[0];
}

std::vector<double> Precision::apply(const std::vector<double>& v, index m) const {
    std::vector<double> out(v.size(), 0.0);
    for (index l = 0; l < levels(); ++l)
        for (index e = ptr[l]; e < ptr[l + 1]; ++e)
            for (index c = 0; c < m; ++c) out[l * m + c] += val[e] * v[col[e] * m + c];
    return out;
}

}  // namespace interlace
