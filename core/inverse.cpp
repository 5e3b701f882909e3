#include "inverse.hpp"

#include <cmath>

namespace interlace {
namespace {

// Copies the diagonal blocks of M^-1.
struct KeepDiagonal {
    Blocks& out;
    const std::vector<index>& k;
    void diagonal(index f, index level, const double* z) { std::copy_n(z, k[f] * k[f], &out[f][level * k[f] * k[f]]); }
    void pair(index, index, const double*) {}
    void link(index, const double*) {}
};

// Keeps F_i Z F_j' of every block.
class KeepAll {
  public:
    KeepAll(const Blocks& f, JointInverse& out) : f_(f), out_(out), k_(out.pattern->k) {}
    void diagonal(index f, index level, const double* z) { keep(f, f, z, &out_.diagonal[f][level * k_[f] * k_[f]]); }
    void pair(index s, index block, const double* z) {
        const PairPattern& p = out_.pattern->pairs[s];
        keep(p.i, p.j, z, &out_.cross[s][block * k_[p.i] * k_[p.j]]);
    }
    void link(index, const double*) {}

  private:
    void keep(index i, index j, const double* z, double* to) {
        const index ki = k_[i], kj = k_[j];
        if (ki == 1 && kj == 1) {
            to[0] = f_[i][0] * z[0] * f_[j][0];
            return;
        }
        t_.assign(ki * kj, 0.0);
        small::add_ab(ki, kj, ki, 1.0, f_[i].data(), z, t_.data());
        small::add_abt(ki, kj, kj, 1.0, t_.data(), f_[j].data(), to);
    }
    const Blocks& f_;
    JointInverse& out_;
    const std::vector<index>& k_;
    std::vector<double> t_;
};

constexpr index chunk = 256;

// One row after another, in chunks whose columns of X are made white together.
class RowLeverage {
  public:
    RowLeverage(const Cholesky& l, const JointInverse& inverse, const Rows& rows)
        : inverse_(inverse), rows_(rows), k_(inverse.pattern->k), priors_(l.symbolic().priors), white_(chunk * rows.p), less_(rows.p) {
        for (size_t f = 0; f < k_.size(); ++f) {
            z_.emplace_back(k_[f]);
            std::vector<double> g(k_[f] * k_[f], 0.0);
            small::add_abt(k_[f], k_[f], k_[f], 1.0, l.factors()[f].data(), l.factors()[f].data(), g.data());
            g_.push_back(std::move(g));
        }
    }
    void run(Leverage& out) {
        for (index r0 = 0; r0 < rows_.n; r0 += chunk) {
            const index m = std::min(chunk, rows_.n - r0);
            whiten(r0, m);
            for (index i = 0; i < m; ++i) one(r0 + i, white_.data() + i * rows_.p, out);
            check_interrupt();
        }
    }

  private:
    // R^-1 x for each row x
    void whiten(index r0, index m) {
        const index p = rows_.p;
        for (index i = 0; i < m; ++i) {
            const double* x = rows_.x + (r0 + i) * rows_.x_row;
            for (index c = 0; c < p; ++c) white_[i * p + c] = x[c * rows_.x_col] - rows_.x_origin[c];
        }
        blas::trsm_lower('L', 'N', p, m, inverse_.rx.data(), std::max<index>(1, p), white_.data(), std::max<index>(1, p));
    }
    void one(index r, const double* a, Leverage& out) {
        const index p = rows_.p;
        const Pattern& pattern = *inverse_.pattern;
        double random = 0, prior = 0, overall = 0, fixed = 0;
        small::copy(p, a, less_.data());  // becomes R^-1 x - E'z
        for (size_t f = 0; f < k_.size(); ++f) {
            const FactorRows& fr = rows_.factors[f];
            const index k = k_[f], g = fr.codes[r];
            for (index c = 0; c < k; ++c) z_[f][c] = fr.z[r * k + c] - fr.origin[c];
            random += quadratic(k, k, z_[f].data(), &inverse_.diagonal[f][g * k * k], z_[f].data());
            const double own = quadratic(k, k, z_[f].data(), g_[f].data(), z_[f].data());
            if (!priors_[f].absorbed()) prior += priors_[f].links() ? own * priors_[f].precision->variance[g] : own;
            for (index c = 0; c < k; ++c) {
                const double *e = inverse_.e[f].data() + (g * k + c) * p, v = z_[f][c];
                for (index j = 0; j < p; ++j) less_[j] -= v * e[j];
            }
        }
        for (size_t s = 0; s < pattern.pairs.size(); ++s) {
            const PairPattern& pair = pattern.pairs[s];
            const index ki = k_[pair.i], kj = k_[pair.j], b = pair.find(rows_.factors[pair.i].codes[r], rows_.factors[pair.j].codes[r]);
            if (b == -1) throw std::invalid_argument("levels meet in these rows that do not meet in the pattern");
            random += 2.0 * quadratic(ki, kj, z_[pair.i].data(), &inverse_.cross[s][b * ki * kj], z_[pair.j].data());
        }
        for (index j = 0; j < p; ++j) {
            overall += less_[j] * less_[j];
            fixed += less_[j] * a[j];
        }
        const double w = rows_.w ? rows_.w[r] : 1.0;
        out.overall[r] = w * (random + overall);
        out.fixed[r] = w * fixed;
        out.prior[r] = prior;
    }
    static double quadratic(index m, index n, const double* x, const double* a, const double* y) {
        if (m == 1 && n == 1) return x[0] * a[0] * y[0];
        double s = 0;
        for (index i = 0; i < m; ++i) s += x[i] * small::dot(n, a + i * n, y);
        return s;
    }

    const JointInverse& inverse_;
    const Rows& rows_;
    const std::vector<index>& k_;
    const Priors& priors_;
    std::vector<double> white_, less_;
    Blocks z_, g_;
};

}  // namespace

// Declared with the factor, defined here: it reads the same pass.
Blocks Cholesky::inverse_diagonal() const {
    Blocks out;
    for (size_t f = 0; f < k_.size(); ++f) out.emplace_back(levels_[f] * k_[f] * k_[f], 0.0);
    KeepDiagonal keep{out, k_};
    visit_inverse(*this, keep);
    return out;
}

Blocks Cholesky::conditional_diagonal() const {
    if (!varying_) return inverse_diagonal();
    Blocks own = varying_->inverse_diagonal(), out;
    for (size_t f = 0; f < k_.size(); ++f) out.emplace_back(levels_[f] * k_[f] * k_[f], 0.0);
    for (size_t i = 0; i < own.size(); ++i) out[s_->varying_factors[i]] = std::move(own[i]);
    return out;
}

JointInverse JointInverse::of(const Cholesky& l) {
    const index p = l.p(), m = p + 1;
    JointInverse out;
    out.pattern = l.products().random->pattern;
    const Pattern& pattern = *out.pattern;
    for (index f = 0; f < pattern.factors(); ++f) out.diagonal.emplace_back(pattern.q(f) * pattern.k[f], 0.0);
    for (const PairPattern& pair : pattern.pairs)
        out.cross.emplace_back(static_cast<index>(pair.col.size()) * pattern.k[pair.i] * pattern.k[pair.j], 0.0);
    // 1) C
    KeepAll keep(l.factors(), out);
    visit_inverse(l, keep);
    // 2) R and E
    out.rx.assign(p * p, 0.0);
    for (index c = 0; c < p; ++c) std::copy_n(&l.rx()[c * m + c], p - c, &out.rx[c * p + c]);
    for (const auto& v : l.apply_lambda(l.solve_xy(), m)) {
        const index q = static_cast<index>(v.size()) / m;
        std::vector<double> e(q * p);
        for (index i = 0; i < q; ++i) small::copy(p, &v[i * m], e.data() + i * p);
        blas::trsm_lower('L', 'N', p, q, out.rx.data(), std::max<index>(1, p), e.data(), std::max<index>(1, p));
        out.e.push_back(std::move(e));
    }
    return out;
}

Leverage leverage(const Cholesky& l, const JointInverse& inverse, const Rows& rows) {
    if (rows.p != l.p() || static_cast<index>(rows.factors.size()) != inverse.pattern->factors())
        throw std::invalid_argument("rows do not belong to this model");
    Leverage out;
    for (auto* v : {&out.overall, &out.fixed, &out.prior}) v->resize(rows.n);
    RowLeverage(l, inverse, rows).run(out);
    return out;
}

}  // namespace interlace
