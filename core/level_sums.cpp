#include "level_sums.hpp"

#include <algorithm>

#include "small.hpp"

namespace interlace {

namespace {

using small::multiply;
using small::multiply_transposed;

// (F'A F + I)^-1
template <index K> inline void inverse_of(const double* f, const double* af, double* out) {
    double l[K * K];
    multiply_transposed<K>(K, f, af, l);
    for (index c = 0; c < K; ++c) l[c * K + c] += 1.0;
    if (!small::cholesky(K, l)) throw NotPositiveDefinite();
    for (index c = 0; c < K * K; ++c) out[c] = c % (K + 1) == 0 ? 1.0 : 0.0;
    small::solve_l(K, K, l, out);
    small::solve_lt(K, K, l, out);
}

// M columns, or as many as `columns` says where M is zero.
template <index K, index M>
void add_sums(double sign, const double* f, index columns, index levels, const double* a, const double* b, LevelSums& to) {
    const index m = M ? M : columns;
    double af[K * K], inverse[K * K], t[K * most_columns], u[K * most_columns], e[K * most_columns];
    double *trace = to.trace.data(), *crossed = to.crossed.data(), *explained = to.explained.data();
    for (index g = 0; g < levels; ++g, a += K * K, b += K * m) {
        // 1) A F M^-1
        multiply<K>(K, a, f, af);
        inverse_of<K>(f, af, inverse);
        multiply<K>(K, af, inverse, e);
        for (index c = 0; c < K * K; ++c) trace[c] += sign * e[c];
        // 2) U and E
        multiply_transposed<K>(m, f, b, t);
        multiply<K>(m, inverse, t, u);
        multiply<K>(m, af, u, e);
        for (index c = 0; c < K * m; ++c) e[c] = sign * (b[c] - e[c]);
        // 3) their products
        for (index r = 0; r < K; ++r)
            for (index s = 0; s < K; ++s)
                for (index i = 0; i < m; ++i)
                    for (index j = 0; j < m; ++j) crossed[((r * K + s) * m + i) * m + j] += e[r * m + i] * u[s * m + j];
        for (index i = 0; i < m; ++i)
            for (index j = 0; j < m; ++j) {
                double v = 0;
                for (index r = 0; r < K; ++r) v += t[r * m + i] * u[r * m + j];
                explained[i * m + j] += sign * v;
            }
    }
}

template <index K> void add_of(double sign, const double* f, index m, index levels, const double* a, const double* b, LevelSums& to) {
    if (m == 2) return add_sums<K, 2>(sign, f, m, levels, a, b, to);
    if (m == 3) return add_sums<K, 3>(sign, f, m, levels, a, b, to);
    if (m == 4) return add_sums<K, 4>(sign, f, m, levels, a, b, to);
    add_sums<K, 0>(sign, f, m, levels, a, b, to);
}

// Column c of L^-T, of the first n columns of L (lower, row-major m x m), times `first`, its entry c.
void column_of_inverse(const std::vector<double>& l, index m, index c, double first, std::vector<double>& out) {
    out[c] = first;
    for (index i = c - 1; i >= 0; --i) {
        double v = 0;
        for (index j = i + 1; j <= c; ++j) v -= l[j * m + i] * out[j];
        out[i] = v / l[i * m + i];
    }
}

void add_outer(index n, double scale, const std::vector<double>& v, index m, std::vector<double>& to) {
    for (index i = 0; i < n; ++i)
        for (index j = 0; j < n; ++j) to[i * m + j] += scale * v[i] * v[j];
}

}  // namespace

bool is_summed(const CrossProducts& a, const Symbolic& symbolic) {
    return a.random->factors() == 1 && symbolic.priors[0].kind == Prior::Kind::identity && a.random->k()[0] <= most_effects &&
           a.fixed->p + 1 <= most_columns;
}

void columns_of_level(const CrossProducts& a, index level, double* to) {
    const index k = a.random->k()[0], p = a.fixed->p, m = p + 1;
    for (index c = 0; c < k; ++c) {
        small::copy(p, a.fixed->zx[0].data() + (level * k + c) * p, to + c * m);
        to[c * m + p] = a.response->zy[0][level * k + c];
    }
}

std::vector<double> columns_of_levels(const CrossProducts& a) {
    const index levels = a.random->levels()[0], size = a.random->k()[0] * (a.fixed->p + 1);
    std::vector<double> out(levels * size);
    for (index g = 0; g < levels; ++g) columns_of_level(a, g, out.data() + g * size);
    return out;
}

void add_levels(double sign, const std::vector<double>& f, index m, index levels, const double* a, const double* b, LevelSums& to) {
    if (f.size() == 1) return add_of<1>(sign, f.data(), m, levels, a, b, to);
    if (f.size() == 4) return add_of<2>(sign, f.data(), m, levels, a, b, to);
    add_of<3>(sign, f.data(), m, levels, a, b, to);
}

bool slope_of(const LevelSums& sums, const CrossProducts& a, Criterion kind, std::vector<double>& out) {
    const index p = a.fixed->p, m = p + 1, blocks = static_cast<index>(sums.trace.size());
    const bool reml = kind == Criterion::reml;
    // 1) the factor of the Schur complement of [X y]
    std::vector<double> s(m * m), n(m * m, 0.0), v(m);
    for (index i = 0; i < m; ++i)
        for (index j = 0; j <= i; ++j) {
            const double whole = i < p ? a.fixed->xx[i * p + j] : j < p ? a.response->xy[j] : a.response->yy;
            s[i * m + j] = whole - sums.explained[i * m + j];
        }
    if (!small::cholesky(m, s.data())) return false;
    // 2) N = K + v v'/sigma^2, v = (-beta, 1), K = (X'V^-1 X)^-1 for REML: E_g N U_g' is what M^-1 does not say
    const double pwrss = s[m * m - 1] * s[m * m - 1];
    column_of_inverse(s, m, p, 1.0, v);
    add_outer(m, static_cast<double>(a.n - (reml ? p : 0)) / pwrss, v, m, n);
    for (index c = 0; reml && c < p; ++c) {
        column_of_inverse(s, m, c, 1.0 / s[c * m + c], v);
        add_outer(c + 1, 1.0, v, m, n);
    }
    // 3) the slopes
    out.resize(blocks);
    for (index c = 0; c < blocks; ++c) out[c] = 2.0 * (sums.trace[c] - small::dot(m * m, &sums.crossed[c * m * m], n.data()));
    return true;
}

}  // namespace interlace
