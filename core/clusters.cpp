#include "clusters.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "interrupt.hpp"

namespace interlace {
namespace {
constexpr index chunk = 256;
constexpr index worth_blas = 8;  // columns from which a call of BLAS is shorter than the loop
}  // namespace

Clusters::Clusters(ClusterRows rows) : r_(std::move(rows)) {
    start_.assign(r_.n_clusters + 1, 0);
    if (r_.columns.empty()) return;  // rows are not needed by cluster
    for (index i = 0; i < r_.rows.n; ++i) ++start_[r_.clusters[i] + 1];
    for (index c = 0; c < r_.n_clusters; ++c) start_[c + 1] += start_[c];
    order_.resize(r_.rows.n);
    std::vector<index> next(start_.begin(), start_.end() - 1);
    for (index i = 0; i < r_.rows.n; ++i) order_[next[r_.clusters[i]]++] = static_cast<std::uint32_t>(i);
}

void Clusters::load_x(index row, double* x) const {
    const Rows& rows = r_.rows;
    const double* xr = rows.x + row * rows.x_row;
    for (index a = 0; a < rows.p; ++a) x[a] = xr[a * rows.x_col] - rows.x_origin[a];
}

double Clusters::residual(index row) const {
    const Rows& rows = r_.rows;
    const double* xr = rows.x + row * rows.x_row;
    double r = rows.y[row] - rows.y_origin;
    for (index a = 0; a < rows.p; ++a) r -= (xr[a * rows.x_col] - rows.x_origin[a]) * r_.beta[a];
    return r;
}

std::vector<double> Clusters::scores() const {
    const Rows& rows = r_.rows;
    const index p = rows.p;
    std::vector<double> out(r_.n_clusters * p, 0.0);
    for (index i = 0; i < rows.n; ++i) {
        if (i % chunk == 0) check_interrupt();
        double v = residual(i);
        for (size_t f = 0; f < rows.factors.size(); ++f) {
            const FactorRows& fr = rows.factors[f];
            const double *z = fr.z + i * fr.k, *b = r_.residual[f] + fr.codes[i] * fr.k;
            for (index c = 0; c < fr.k; ++c) v -= (z[c] - fr.origin[c]) * b[c];
        }
        if (rows.w) v *= rows.w[i];
        const double* xr = rows.x + i * rows.x_row;
        double* s = out.data() + r_.clusters[i] * p;
        for (index a = 0; a < p; ++a) s[a] += (xr[a * rows.x_col] - rows.x_origin[a]) * v;
    }
    return out;
}

void Clusters::solve_columns(const std::uint32_t* at, index m, const double* xk, double* v) const {
    const Rows& rows = r_.rows;
    const index p = rows.p;
    std::copy(xk, xk + m * p, v);
    for (size_t f = 0; f < rows.factors.size(); ++f) {
        const FactorRows& fr = rows.factors[f];
        for (index i = 0; i < m; ++i) {
            const double *z = fr.z + at[i] * fr.k, *b = r_.columns[f] + fr.codes[at[i]] * fr.k * p;
            double* vi = v + i * p;
            for (index c = 0; c < fr.k; ++c, b += p) {
                const double t = z[c] - fr.origin[c];
                for (index a = 0; a < p; ++a) vi[a] -= t * b[a];
            }
        }
    }
    if (rows.w)
        for (index i = 0; i < m; ++i)
            for (index a = 0; a < p; ++a) v[i * p + a] *= rows.w[at[i]];
}

// each(cluster, rows, number of rows, X K, V^-1 X K) for runs of rows of one cluster, all of it row-major
template <class Each> void Clusters::by_cluster(index first, index last, Each each) const {
    if (first < 0 || last > r_.n_clusters || first > last || r_.columns.empty()) throw std::out_of_range("no such clusters");
    const index p = r_.rows.p;
    std::vector<double> x(chunk * p), xk(chunk * p), v(chunk * p);
    index cluster = first;
    for (index i0 = start_[first]; i0 < start_[last]; i0 += chunk) {
        const index m = std::min(chunk, start_[last] - i0);
        const std::uint32_t* at = order_.data() + i0;
        for (index i = 0; i < m; ++i) load_x(at[i], x.data() + i * p);
        if (p > 0) blas::gemm('N', 'N', p, m, p, 1.0, r_.white, p, x.data(), p, 0.0, xk.data(), p);
        solve_columns(at, m, xk.data(), v.data());
        for (index i = 0; i < m;) {
            while (start_[cluster + 1] <= i0 + i) ++cluster;
            const index run = std::min(m, start_[cluster + 1] - i0) - i;
            each(cluster - first, at + i, run, xk.data() + i * p, v.data() + i * p);
            i += run;
        }
        check_interrupt();
    }
}

std::vector<double> Clusters::squares(index first, index last) const {
    const index p = r_.rows.p;
    std::vector<double> out(std::max<index>(last - first, 0) * p * p, 0.0);
    by_cluster(first, last, [&](index j, const std::uint32_t*, index m, const double* xk, const double* v) {
        double* s = out.data() + j * p * p;
        if (p >= worth_blas) {
            blas::gemm('N', 'T', p, p, m, 1.0, v, p, xk, p, 1.0, s, p);
            return;
        }
        for (index i = 0; i < m; ++i)
            for (index a = 0; a < p; ++a)
                for (index b = 0; b < p; ++b) s[a * p + b] += xk[i * p + a] * v[i * p + b];
    });
    return out;
}

std::vector<double> Clusters::sums(index first, index last) const {
    const index p = r_.rows.p;
    std::vector<double> out(std::max<index>(last - first, 0) * p, 0.0);
    by_cluster(first, last, [&](index j, const std::uint32_t* at, index m, const double*, const double* v) {
        for (index i = 0; i < m; ++i) {
            const double r = residual(at[i]);
            for (index a = 0; a < p; ++a) out[j * p + a] += v[i * p + a] * r;
        }
    });
    return out;
}

}  // namespace interlace
