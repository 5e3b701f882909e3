// The fixed part, and products with Lambda and Z'Z.
#include "solved.hpp"

#include <algorithm>
#include <cmath>

#include "front.hpp"
#include "small.hpp"

namespace interlace {

Solved::Solved(CrossProducts products) : a_(std::move(products)), levels_(a_.random->levels()), k_(a_.random->k()) {}

void Solved::factor_fixed() {
    const index m = p() + 1;
    const FixedPart& fixed = *a_.fixed;
    const ResponsePart& response = *a_.response;
    for (index c = 0; c < m - 1; ++c) {
        for (index d = c; d < m - 1; ++d) sx_[d + c * m] += fixed.xx[c * (m - 1) + d];
        sx_[m - 1 + c * m] += response.xy[c];
    }
    sx_[m * m - 1] += response.yy;
    if (!blas::potrf_lower(m, sx_.data(), m)) throw NotPositiveDefinite();
    ld_rx2_ = 0;
    for (index c = 0; c < m - 1; ++c) ld_rx2_ += 2.0 * std::log(sx_[c + c * m]);
    pwrss_ = sx_[m * m - 1] * sx_[m * m - 1];
    beta_.resize(m - 1);
    for (index c = 0; c < m - 1; ++c) beta_[c] = sx_[m - 1 + c * m];
    blas::trsm_lower('L', 'T', m - 1, 1, sx_.data(), m, beta_.data(), std::max<index>(1, m - 1));
}

Blocks Solved::zxy() const {
    const index m = p() + 1;
    Blocks out;
    for (size_t f = 0; f < k_.size(); ++f) {
        const index rows = levels_[f] * k_[f];
        const auto &zx = a_.fixed->zx[f], &zy = a_.response->zy[f];
        std::vector<double> v(rows * m);
        for (index r = 0; r < rows; ++r) {
            small::copy(m - 1, zx.data() + r * (m - 1), &v[r * m]);
            v[r * m + m - 1] = zy[r];
        }
        out.push_back(std::move(v));
    }
    return out;
}

std::vector<double> Solved::unscaled_covariance() const {
    const index n = p();
    std::vector<double> v(n * n);
    for (index c = 0; c < n; ++c) std::copy_n(sx_.data() + c * (n + 1), n, v.data() + c * n);
    blas::potri_lower(n, v.data(), std::max<index>(1, n));
    for (index c = 0; c < n; ++c)
        for (index r = 0; r < c; ++r) v[r + c * n] = v[c + r * n];
    return v;
}

Blocks Solved::apply_lambda(const Blocks& v, index m) const {
    Blocks out;
    for (size_t f = 0; f < k_.size(); ++f) {
        std::vector<double> w(v[f].size(), 0.0);
        for (index l = 0; l < levels_[f]; ++l)
            small::add_ab(k_[f], m, k_[f], 1.0, f_[f].data(), &v[f][l * k_[f] * m], &w[l * k_[f] * m]);
        out.push_back(std::move(w));
    }
    return out;
}

Blocks Solved::apply_lambda_t(const Blocks& v, index m) const {
    Blocks out;
    for (size_t f = 0; f < k_.size(); ++f) {
        std::vector<double> w(v[f].size(), 0.0);
        for (index l = 0; l < levels_[f]; ++l)
            small::add_atb(k_[f], m, k_[f], 1.0, f_[f].data(), &v[f][l * k_[f] * m], &w[l * k_[f] * m]);
        out.push_back(std::move(w));
    }
    return out;
}

Blocks Solved::apply_ztz(const Blocks& v, index m) const {
    const RandomPart& random = *a_.random;
    Blocks out;
    for (size_t f = 0; f < k_.size(); ++f) {
        const index k = k_[f];
        std::vector<double> w(v[f].size(), 0.0);
        for (index l = 0; l < levels_[f]; ++l)
            small::add_ab(k, m, k, 1.0, &random.diag[f][l * k * k], &v[f][l * k * m], &w[l * k * m]);
        out.push_back(std::move(w));
    }
    for (index s = 0; s < random.pairs(); ++s) {
        const PairBlocks pair = random.pair(s);
        const index ki = k_[pair.i], kj = k_[pair.j];
        for (index l = 0; l < levels_[pair.i]; ++l)
            for (index b = pair.ptr[l]; b < pair.ptr[l + 1]; ++b) {
                const double* a = &pair.val[b * ki * kj];
                const index c = pair.col[b];
                small::add_ab(ki, m, kj, 1.0, a, &v[pair.j][c * kj * m], &out[pair.i][l * ki * m]);
                small::add_atb(kj, m, ki, 1.0, a, &v[pair.i][l * ki * m], &out[pair.j][c * kj * m]);
            }
    }
    return out;
}

}  // namespace interlace
