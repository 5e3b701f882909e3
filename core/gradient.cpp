#include "gradient.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "inverse.hpp"
#include "lone.hpp"
#include "small.hpp"

namespace interlace {
namespace {

// Reads the blocks of M^-1 and accumulates sum_g (W F)_gg per grouping factor.
class TraceTerms {
  public:
    explicit TraceTerms(const Cholesky& l) : random_(*l.products().random), k_(random_.k()), f_(l.factors()) {
        for (const index k : k_) sum_.emplace_back(k * k, 0.0);
        visit_inverse(l, *this);
    }
    Blocks take() { return std::move(sum_); }

    void diagonal(index f, index level, const double* z) {
        const index k = k_[f];
        const double* a = &random_.diag[f][level * k * k];
        if (k == 1) sum_[f][0] += a[0] * f_[f][0] * z[0];
        else if (k == 2) add_two(sum_[f].data(), a, f_[f].data(), z);
        else add_product(sum_[f].data(), k, k, k, a, f_[f].data(), z);
    }
    void pair(index s, index block, const double* z) {
        const PairPattern& pair = random_.pattern->pairs[s];
        const index ki = k_[pair.i], kj = k_[pair.j];
        const double *a = &random_.cross[s][block * ki * kj], *fi = f_[pair.i].data(), *fj = f_[pair.j].data();
        if (ki == 1 && kj == 1) {
            sum_[pair.i][0] += a[0] * fj[0] * z[0];
            sum_[pair.j][0] += a[0] * fi[0] * z[0];
            return;
        }
        add_product(sum_[pair.i].data(), ki, kj, ki, a, fj, z);
        t_.assign(ki * kj, 0.0);  // F_i (M^-1)_ij
        small::add_ab(ki, kj, ki, 1.0, fi, z, t_.data());
        small::add_atb(kj, kj, ki, 1.0, a, t_.data(), sum_[pair.j].data());
    }

    void link(index, const double*) {}

  private:
    // target += A F B' of 2 x 2 matrices
    static void add_two(double* target, const double* a, const double* f, const double* b) {
        for (index i = 0; i < 2; ++i) {
            const double first = a[2 * i] * f[0] + a[2 * i + 1] * f[2], second = a[2 * i] * f[1] + a[2 * i + 1] * f[3];
            target[2 * i] += first * b[0] + second * b[1];
            target[2 * i + 1] += first * b[2] + second * b[3];
        }
    }
    // target += A F B', A of r x c
    void add_product(double* target, index r, index c, index cols, const double* a, const double* f, const double* b) {
        t_.assign(r * c, 0.0);
        small::add_ab(r, c, c, 1.0, a, f, t_.data());
        small::add_abt(r, cols, c, 1.0, t_.data(), b, target);
    }

    const RandomPart& random_;
    const std::vector<index>& k_;
    const Blocks& f_;
    Blocks sum_;
    std::vector<double> t_;
};

// Natural arrays of the solution: columns X of E = Z'V^-1 X and of U = M^-1 Lambda'Z'X, which is Lambda'E where levels are independent,
// times RX^-1, and u, s.
struct Projected {
    Blocks u_x, e_x;  // q x p, row-major; U of linked levels alone
    Blocks u, s;      // q
};

Projected project(const Solved& l) {
    const index p = l.p(), m = p + 1;
    const Blocks u = l.solve_xy();
    Blocks e = l.zxy();
    const Blocks az = l.apply_ztz(l.apply_lambda(u, m), m);
    for (size_t f = 0; f < e.size(); ++f)
        for (size_t i = 0; i < e[f].size(); ++i) e[f][i] -= az[f][i];
    const auto projected = [&](const std::vector<double>& v) {
        const index q = static_cast<index>(v.size()) / m;
        std::vector<double> x(q * p);
        for (index i = 0; i < q; ++i) small::copy(p, &v[i * m], x.data() + i * p);
        blas::trsm_lower('L', 'N', p, q, l.rx().data(), m, x.data(), std::max<index>(1, p));
        return x;
    };
    const auto residual = [&](const std::vector<double>& v) {
        std::vector<double> r(v.size() / m);
        for (size_t i = 0; i < r.size(); ++i) r[i] = v[i * m + p] - small::dot(p, &v[i * m], l.beta().data());
        return r;
    };
    Projected out;
    for (size_t f = 0; f < e.size(); ++f) {
        out.u_x.push_back(l.prior(f).links() ? projected(u[f]) : std::vector<double>());
        out.e_x.push_back(projected(e[f]));
        out.u.push_back(residual(u[f]));
        out.s.push_back(residual(e[f]));
    }
    return out;
}

// sum_g E_g U_g' = (sum_g E_g E_g')F of independent levels, from the sum of squares.
std::vector<double> times_factor(index k, const std::vector<double>& squares, const std::vector<double>& f) {
    std::vector<double> out(k * k, 0.0);
    small::add_ab(k, k, k, 1.0, squares.data(), f.data(), out.data());
    return out;
}

// sum_g E_g U_g' of a grouping factor, k x k.
std::vector<double> products_of_rows(const Solved& l, const Projected& pr, index f) {
    const RandomPart& random = *l.products().random;
    const index k = random.k()[f], levels = random.levels()[f], p = l.p();
    const double* e = pr.e_x[f].data();
    if (l.prior(f).links()) {
        std::vector<double> out(k * k, 0.0);
        for (index level = 0; level < levels; ++level)
            for (index a = 0; a < k; ++a)
                for (index b = 0; b < k; ++b)
                    out[a * k + b] += small::dot(p, e + (level * k + a) * p, pr.u_x[f].data() + (level * k + b) * p);
        return out;
    }
    std::vector<double> squares(k * k, 0.0);
    for (index level = 0; level < levels; ++level)
        for (index a = 0; a < k; ++a)
            for (index b = 0; b <= a; ++b) squares[a * k + b] += small::dot(p, e + (level * k + a) * p, e + (level * k + b) * p);
    for (index a = 0; a < k; ++a)
        for (index b = 0; b < a; ++b) squares[b * k + a] = squares[a * k + b];
    return times_factor(k, squares, l.factors()[f]);
}

// Those that are not zero.
std::vector<index> columns_of(index k, const double* d) {
    std::vector<index> out;
    for (index b = 0; b < k; ++b) {
        index a = 0;
        while (a < k && d[a * k + b] == 0.0) ++a;
        if (a < k) out.push_back(b);
    }
    return out;
}

// t_i'(W - E K E')t_j / sigma^2 - (s't_i)(s't_j) / (df sigma^4) of h = t'W t, st = s't and et = RX^-T E't (p x m, column-major).
std::vector<double> over_sigma(std::vector<double> h, const std::vector<double>& st, const std::vector<double>& et, index p, double s2,
                               double profiled) {
    const index m = static_cast<index>(st.size());
    if (p > 0) blas::gemm('T', 'N', m, m, p, -1.0, et.data(), p, et.data(), p, 1.0, h.data(), m);
    for (index i = 0; i < m; ++i)
        for (index j = 0; j < m; ++j) h[i + j * m] = h[i + j * m] / s2 - st[i] * st[j] / (profiled * s2 * s2);
    return h;
}

// 2 (sum_g (W F)_gg - sum_g s_g u_g' / sigma^2 - fixed), the slope in F, where the first stands; `fixed` is empty for ML.
void finish_slope(std::vector<double>& slope, const std::vector<double>& misfit, const std::vector<double>& fixed, double s2) {
    for (size_t c = 0; c < slope.size(); ++c) slope[c] = 2.0 * (slope[c] - misfit[c] / s2 - (fixed.empty() ? 0.0 : fixed[c]));
}

// `profiled`: df of the sigma^2 that was profiled out, infinite where it is a given number.
std::vector<double> average_information(const Solved& l, const Projected& pr, double s2, double profiled, const std::vector<Direction>& dirs) {
    const RandomPart& random = *l.products().random;
    const index m = static_cast<index>(dirs.size()), p = l.p();
    Blocks t;
    for (index f = 0; f < random.factors(); ++f) t.emplace_back(random.pattern->q(f) * m, 0.0);
    // 1) t_i = dF_i u + F K dF_i's, K = I but for a known covariance
    std::vector<double> w;
    for (index i = 0; i < m; ++i) {
        const index f = dirs[i].factor, k = random.k()[f], levels = random.levels()[f];
        const double *d = dirs[i].df.data(), *fac = l.factors()[f].data();
        const std::vector<index> columns = columns_of(k, d);  // that dF_i has: one, where it belongs to one entry
        w.assign(levels * k, 0.0);
        for (index level = 0; level < levels; ++level)
            for (const index b : columns)
                for (index a = 0; a < k; ++a) w[level * k + b] += d[a * k + b] * pr.s[f][level * k + a];
        if (l.prior(f).links()) l.prior(f).precision->covariance(w, k);
        for (index level = 0; level < levels; ++level) {
            const double* u = &pr.u[f][level * k];
            for (index a = 0; a < k; ++a) {
                double v = 0;
                for (const index b : columns) v += d[a * k + b] * u[b] + fac[a * k + b] * w[level * k + b];
                t[f][(level * k + a) * m + i] = v;
            }
        }
    }
    // 2) t'W t = t'A t - (Lambda'A t)'M^-1 Lambda'A t
    const Blocks at = l.apply_ztz(t, m);
    std::vector<double> h(m * m, 0.0), st(m, 0.0), et(m * p, 0.0);  // et column-major p x m
    for (size_t f = 0; f < t.size(); ++f) {
        const index q = static_cast<index>(t[f].size()) / m;
        blas::gemm('N', 'T', m, m, q, 1.0, t[f].data(), m, at[f].data(), m, 1.0, h.data(), m);
        blas::gemm('N', 'T', m, 1, q, 1.0, t[f].data(), m, pr.s[f].data(), 1, 1.0, st.data(), m);
        if (p > 0) blas::gemm('N', 'T', p, m, q, 1.0, pr.e_x[f].data(), p, t[f].data(), m, 1.0, et.data(), p);
    }
    l.take_inner(at, m, h.data());
    return over_sigma(std::move(h), st, et, p, s2, profiled);
}

double degrees(const Solved& l, Criterion kind) {
    return static_cast<double>(l.products().n - (kind == Criterion::reml ? l.p() + l.absorbed() : 0));
}

double profiled_df(double df, const std::optional<double>& scale) { return scale ? std::numeric_limits<double>::infinity() : df; }

Derivatives of_lone_levels(const Cholesky& l, Criterion kind, const std::vector<Direction>& directions, std::optional<double> scale) {
    const double df = degrees(l, kind), s2 = scale.value_or(l.pwrss() / df);
    const std::vector<double>& f = l.factors()[0];
    std::vector<const double*> changes;
    for (const Direction& direction : directions) changes.push_back(direction.df.data());
    lone::Sums sums = lone::sums(l, changes);
    const index k = l.products().random->k()[0];
    const std::vector<double> fixed = kind == Criterion::reml ? times_factor(k, sums.squares, f) : std::vector<double>();
    finish_slope(sums.trace, sums.misfit, fixed, s2);
    Derivatives out{{std::move(sums.trace)}, {}, {std::move(sums.misfit)}};
    if (!directions.empty())
        out.average = over_sigma(std::move(sums.inner), sums.along_s, sums.along_e, l.p(), s2, profiled_df(df, scale));
    return out;
}

// Half of d ldL2 / d F (for REML with what absorbed levels add to ldRX2), less what is to come.
Blocks traces(const Cholesky& l, Criterion kind) {
    if (kind == Criterion::reml || !l.varying()) return TraceTerms(l).take();
    Blocks own = TraceTerms(*l.varying()).take(), out;
    for (const index k : l.products().random->k()) out.emplace_back(k * k, 0.0);
    for (size_t i = 0; i < own.size(); ++i) out[l.symbolic().varying_factors[i]] = std::move(own[i]);
    return out;
}

}  // namespace

double criterion_value(const Solved& l, Criterion kind) {
    const double df = degrees(l, kind);
    const double two_pi = 6.283185307179586476925286766559;
    return l.ld_l2() + (kind == Criterion::reml ? l.ld_rx2() : 0.0) + df * (1.0 + std::log(two_pi * l.pwrss() / df));
}

Derivatives derivatives(const Cholesky& l, Criterion kind, const std::vector<Direction>& directions, std::optional<double> scale) {
    if (lone::is_lone(l.symbolic(), l.p()) && directions.size() <= lone::most_directions) return of_lone_levels(l, kind, directions, scale);
    return derivatives(l, traces(l, kind), kind, directions, scale);
}

Derivatives derivatives(const Solved& l, Blocks traces, Criterion kind, const std::vector<Direction>& directions,
                        std::optional<double> scale) {
    const RandomPart& random = *l.products().random;
    const double df = degrees(l, kind), s2 = scale.value_or(l.pwrss() / df);
    const Projected pr = project(l);
    Derivatives out{std::move(traces), {}, {}};
    for (index f = 0; f < random.factors(); ++f) {
        const index k = random.k()[f];
        out.misfit.emplace_back(k * k, 0.0);
        double* misfit = out.misfit.back().data();
        for (index level = 0; level < random.levels()[f]; ++level)
            for (index a = 0; a < k; ++a)
                for (index b = 0; b < k; ++b) {
                    const index ra = level * k + a, rb = level * k + b;
                    misfit[a * k + b] += pr.s[f][ra] * pr.u[f][rb];
                }
        const std::vector<double> fixed = kind == Criterion::reml ? products_of_rows(l, pr, f) : std::vector<double>();
        finish_slope(out.gradient[f], out.misfit[f], fixed, s2);
    }
    if (!directions.empty()) out.average = average_information(l, pr, s2, profiled_df(df, scale), directions);
    return out;
}

std::vector<double> average_alone(const Solved& l, Criterion kind, const std::vector<Direction>& directions) {
    const double df = degrees(l, kind);
    return average_information(l, project(l), l.pwrss() / df, df, directions);
}

}  // namespace interlace
