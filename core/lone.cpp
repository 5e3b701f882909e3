#include "lone.hpp"

#include <algorithm>
#include <cmath>
#include <type_traits>

#include "interrupt.hpp"
#include "pool.hpp"
#include "small.hpp"

namespace interlace::lone {
namespace {

using small::multiply;
using small::multiply_transposed;

constexpr index most_effects = 3, most_columns = 12;  // of Z, of [X y]
constexpr index block = 4096;                         // levels that are summed together

// f(K, M) for k effects and m columns: M is 0 where it is none of the few that nearly all models have.
template <class F> void with_sizes(index k, index m, F f) {
    const auto columns = [&](auto K) {
        switch (m) {
            case 2: return f(K, std::integral_constant<index, 2>{});
            case 3: return f(K, std::integral_constant<index, 3>{});
            case 4: return f(K, std::integral_constant<index, 4>{});
            default: return f(K, std::integral_constant<index, 0>{});
        }
    };
    switch (k) {
        case 1: return columns(std::integral_constant<index, 1>{});
        case 2: return columns(std::integral_constant<index, 2>{});
        default: return columns(std::integral_constant<index, 3>{});
    }
}

// f(block, first level, last level + 1) for all blocks, by as many threads as there may be.
template <class F> void in_blocks(index levels, F f) {
    const index blocks = (levels + block - 1) / block;
    const auto one = [&](index b) {
        check_interrupt();
        f(b, b * block, std::min(levels, (b + 1) * block));
    };
    if (blocks > 1) pool::each(blocks, one);
    else if (blocks == 1) one(0);
}

// Adds the logarithms of numbers above 1: one logarithm for as many as multiply to no more than floating-point numbers can be.
class LogProduct {
  public:
    void times(double value) {
        if (value > large) {
            sum_ += std::log(value);
            return;
        }
        product_ *= value;
        if (product_ > large) settle();
    }
    double log() {
        settle();
        return sum_;
    }

  private:
    static constexpr double large = 1e150;
    void settle() {
        sum_ += std::log(product_);
        product_ = 1.0;
    }
    double sum_ = 0, product_ = 1.0;
};

// Z_g'[X y], K x m
template <index K> void load(const double* zx, const double* zy, index p, double* to) {
    for (index a = 0; a < K; ++a) {
        for (index j = 0; j < p; ++j) to[a * (p + 1) + j] = zx[a * p + j];
        to[a * (p + 1) + p] = zy[a];
    }
}

template <index K, index M>
double eliminate_levels(const CrossProducts& a, const double* f, index from, index to, double* l, double* r, double* left) {
    const index m = M ? M : a.fixed->p + 1, p = m - 1;
    const double *diag = a.random->diag[0].data(), *zx = a.fixed->zx[0].data(), *zy = a.response->zy[0].data();
    double af[K * K], b[K * most_columns];
    LogProduct determinant;
    for (index g = from; g < to; ++g) {
        double *lg = l + g * K * K, *rg = r + g * K * m;
        // 1) L L' = F'A F + I
        multiply<K>(K, diag + g * K * K, f, af);
        multiply_transposed<K>(K, f, af, lg);
        for (index c = 0; c < K; ++c) lg[c * K + c] += 1.0;
        if (!small::cholesky(K, lg)) throw NotPositiveDefinite();
        double root = 1.0;
        for (index c = 0; c < K; ++c) {
            root *= lg[c * K + c];
            for (index d = c + 1; d < K; ++d) lg[c * K + d] = 0.0;
        }
        determinant.times(root);
        // 2) L^-1 F'Z'[X y] and its squares
        load<K>(zx + g * K * p, zy + g * K, p, b);
        multiply_transposed<K>(m, f, b, rg);
        small::detail::fixed_solve_l<K>(m, lg, rg);
        for (index c = 0; c < m; ++c)
            for (index d = c; d < m; ++d) {
                double v = 0;
                for (index e = 0; e < K; ++e) v += rg[e * m + c] * rg[e * m + d];
                left[d + c * m] -= v;
            }
    }
    return 2.0 * determinant.log();
}

// What the derivatives say of one level, for K effects and M columns (as many as `m` says where M is 0).
template <index K, index M> class Level {
  public:
    Level(const Cholesky& l, const std::vector<const double*>& directions)
        : m_(M ? M : l.p() + 1), l_(l), f_(l.factors()[0].data()), directions_(directions), v_(l.beta()) {
        for (double& b : v_) b = -b;
        v_.push_back(1.0);
    }
    void add(index g, Sums& to) {
        solve(g);
        for (index a = 0; a < K; ++a)
            for (index b = 0; b < K; ++b) {
                double traced = 0;
                for (index c = 0; c < K; ++c) traced += af_[a * K + c] * inverse_[c * K + b];
                to.trace[a * K + b] += traced;
                to.misfit[a * K + b] += s_[a] * u_[b];
            }
        project();
        const index p = m() - 1;
        for (index a = 0; a < K; ++a)
            for (index b = 0; b <= a; ++b) to.squares[a * K + b] += small::dot(p, e_ + a * m(), e_ + b * m());
        if (!directions_.empty()) add_directions(g, to);
    }

  private:
    index m() const { return M ? M : m_; }
    const double* products(index g) const { return &l_.products().random->diag[0][g * K * K]; }
    // A F, M^-1, E = Z'[X y] - A F M^-1 F'Z'[X y], and u and s
    void solve(index g) {
        const CrossProducts& a = l_.products();
        const index p = m() - 1;
        const double* lead = l_.lead_l(g);
        multiply<K>(K, products(g), f_, af_);
        for (index c = 0; c < K * K; ++c) inverse_[c] = c % (K + 1) == 0 ? 1.0 : 0.0;
        small::detail::fixed_solve_l<K>(K, lead, inverse_);
        small::detail::fixed_solve_lt<K>(K, lead, inverse_);
        double solved[K * most_columns];
        const double* r = &l_.reduced().lead[g * K * m()];
        for (index c = 0; c < K * m(); ++c) solved[c] = r[c];
        small::detail::fixed_solve_lt<K>(m(), lead, solved);
        load<K>(a.fixed->zx[0].data() + g * K * p, a.response->zy[0].data() + g * K, p, e_);
        small::detail::fixed_ab<K>(m(), -1.0, af_, solved, e_);
        for (index b = 0; b < K; ++b) {
            u_[b] = small::dot(m(), solved + b * m(), v_.data());
            s_[b] = small::dot(m(), e_ + b * m(), v_.data());
        }
    }
    // The columns X of E times RX^-1, in place
    void project() {
        const index p = m() - 1;
        const double* rx = l_.rx().data();
        for (index a = 0; a < K; ++a) {
            double* e = e_ + a * m();
            for (index j = 0; j < p; ++j) {
                for (index i = 0; i < j; ++i) e[j] -= rx[j + i * m()] * e[i];
                e[j] /= rx[j + j * m()];
            }
        }
    }
    // t_i = dF_i u + F dF_i's; t'W t = t'A t - c'c, c = L^-1 F'A t
    void add_directions(index g, Sums& to) {
        const index n = static_cast<index>(directions_.size()), p = m() - 1;
        double t[most_directions * K], at[most_directions * K], c[most_directions * K];
        for (index i = 0; i < n; ++i) {
            const double* d = directions_[i];
            double w[K];
            multiply_transposed<K>(1, d, s_, w);
            for (index a = 0; a < K; ++a) {
                double value = 0;
                for (index b = 0; b < K; ++b) value += d[a * K + b] * u_[b] + f_[a * K + b] * w[b];
                t[i * K + a] = value;
            }
            multiply<K>(1, products(g), t + i * K, at + i * K);
            multiply_transposed<K>(1, af_, t + i * K, c + i * K);
            small::detail::fixed_solve_l<K>(1, l_.lead_l(g), c + i * K);
        }
        for (index i = 0; i < n; ++i) {
            for (index j = 0; j <= i; ++j) to.inner[i * n + j] += small::dot(K, t + i * K, at + j * K) - small::dot(K, c + i * K, c + j * K);
            to.along_s[i] += small::dot(K, s_, t + i * K);
            for (index a = 0; a < K; ++a)
                for (index j = 0; j < p; ++j) to.along_e[i * p + j] += e_[a * m() + j] * t[i * K + a];
        }
    }

    index m_;
    const Cholesky& l_;
    const double* f_;
    const std::vector<const double*>& directions_;
    std::vector<double> v_;  // (-beta, 1)
    double af_[K * K], inverse_[K * K], e_[K * most_columns], u_[K], s_[K];
};

void mirror(index n, std::vector<double>& a) {
    for (index i = 0; i < n; ++i)
        for (index j = 0; j < i; ++j) a[j * n + i] = a[i * n + j];
}

}  // namespace

bool is_lone(const Symbolic& s, index p) {
    const Pattern& pattern = *s.pattern;
    return pattern.factors() == 1 && s.q_rest == 0 && s.leading == 1 && !s.priors[0].absorbed() && pattern.k[0] <= most_effects &&
           p + 1 <= most_columns;
}

double eliminate(const CrossProducts& a, const double* f, double* l, double* r, double* left) {
    const index k = a.random->k()[0], levels = a.random->levels()[0], m = a.fixed->p + 1;
    const index blocks = (levels + block - 1) / block;
    std::vector<double> taken(blocks * m * m, 0.0), logs(blocks);
    with_sizes(k, m, [&](auto K, auto M) {
        in_blocks(levels, [&](index b, index from, index to) {
            double own[most_columns * most_columns] = {};  // on a stack, where no other thread writes beside it
            logs[b] = eliminate_levels<K(), M()>(a, f, from, to, l, r, own);
            std::copy_n(own, m * m, &taken[b * m * m]);
        });
    });
    double log_det = 0;
    for (index b = 0; b < blocks; ++b) {
        log_det += logs[b];
        for (index c = 0; c < m * m; ++c) left[c] += taken[b * m * m + c];
    }
    return log_det;
}

Sums::Sums(index k, index p, index directions)
    : trace(k * k, 0.0), misfit(k * k, 0.0), squares(k * k, 0.0), inner(directions * directions, 0.0), along_s(directions, 0.0),
      along_e(p * directions, 0.0) {}

void Sums::add(const Sums& other) {
    const auto plus = [](std::vector<double>& to, const std::vector<double>& more) {
        for (size_t i = 0; i < to.size(); ++i) to[i] += more[i];
    };
    plus(trace, other.trace);
    plus(misfit, other.misfit);
    plus(squares, other.squares);
    plus(inner, other.inner);
    plus(along_s, other.along_s);
    plus(along_e, other.along_e);
}

Sums sums(const Cholesky& l, const std::vector<const double*>& directions) {
    const RandomPart& random = *l.products().random;
    const index k = random.k()[0], levels = random.levels()[0], p = l.p(), n = static_cast<index>(directions.size());
    std::vector<Sums> parts((levels + block - 1) / block, Sums(k, p, n));
    with_sizes(k, p + 1, [&](auto K, auto M) {
        in_blocks(levels, [&](index b, index from, index to) {
            Level<K(), M()> level(l, directions);
            Sums some(k, p, n);
            for (index g = from; g < to; ++g) level.add(g, some);
            parts[b] = std::move(some);
        });
    });
    Sums out(k, p, n);
    for (const Sums& part : parts) out.add(part);
    mirror(k, out.squares);
    mirror(n, out.inner);
    return out;
}

}  // namespace interlace::lone
