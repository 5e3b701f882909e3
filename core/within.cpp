#include "within.hpp"

#include <algorithm>
#include <cmath>

#include "small.hpp"

namespace interlace {
namespace {

using Vector = std::vector<double>;

// What the rows within levels must gain of n log sigma^2 over the slopes of all rows.
constexpr double least_gain = 3.0;
// Share of a column below which nothing of it is left.
constexpr double nothing = 1e-10;

// Least squares by one column after the other, in the upper triangle: those of which too little is left are passed over.
class LeastSquares {
  public:
    // s: cross-products of [X y], m x m with m = p + 1; `whole`: the squares of which a share must be left
    LeastSquares(Vector s, const Vector& whole) : beta_(whole.size(), 0.0), used_(whole.size(), false) {
        const index p = static_cast<index>(whole.size()), m = p + 1;
        for (index j = 0; j < p; ++j) {
            const double *row = &s[j * m], pivot = row[j];
            if (!(pivot > nothing * whole[j])) continue;
            used_[j] = true;
            for (index r = j + 1; r < m; ++r) {
                const double share = row[r] / pivot;
                double* other = &s[r * m];
                for (index c = r; c < m; ++c) other[c] -= share * row[c];
            }
        }
        left_ = s[m * m - 1];
        for (index j = p - 1; j >= 0; --j) {
            if (!used_[j]) continue;
            const index after = p - j - 1;
            beta_[j] = (s[j * m + p] - small::dot(after, &s[j * m] + j + 1, beta_.data() + j + 1)) / s[j * m + j];
        }
    }
    bool used(index j) const { return used_[j]; }
    double beta(index j) const { return beta_[j]; }
    double left() const { return left_; }
    index rank() const { return static_cast<index>(std::count(used_.begin(), used_.end(), true)); }

  private:
    Vector beta_;
    std::vector<bool> used_;
    double left_ = 0;
};

Vector all_rows(const CrossProducts& a) {
    const index p = a.fixed->p, m = p + 1;
    Vector s(m * m);
    for (index i = 0; i < p; ++i) {
        for (index j = 0; j < p; ++j) s[i * m + j] = a.fixed->xx[i * p + j];
        s[i * m + p] = s[p * m + i] = a.response->xy[i];
    }
    s[p * m + p] = a.response->yy;
    return s;
}

Vector squares(const Vector& s, index p) {
    Vector out(p);
    for (index j = 0; j < p; ++j) out[j] = s[j * (p + 1) + j];
    return out;
}

// [X y]'[X y] less what columns first to last of each level take; how many these are together.
index take_levels(const CrossProducts& a, index f, index first, index last, Vector& s) {
    const index p = a.fixed->p, m = p + 1, all = a.random->k()[f], k = last - first;
    Vector l(k * k), b(k * m), d(k);
    index taken = 0;
    for (index g = 0; g < a.random->levels()[f]; ++g) {
        for (index i = 0; i < k; ++i) {
            small::copy(k, &a.random->diag[f][(g * all + first + i) * all + first], &l[i * k]);
            d[i] = l[i * k + i];
            const index row = g * all + first + i;
            small::copy(p, a.fixed->zx[f].data() + row * p, &b[i * m]);
            b[i * m + p] = a.response->zy[f][row];
        }
        for (index j = 0; j < k; ++j) {  // a row of L^-1 [Z'X Z'y] after the other, columns without anything left passed over
            for (index r = 0; r < j; ++r) {
                const double v = l[j * k + r];
                if (v == 0.0) continue;
                l[j * k + j] -= v * v;
                for (index c = 0; c < m; ++c) b[j * m + c] -= v * b[r * m + c];
            }
            const bool there = l[j * k + j] > nothing * d[j];
            const double inv = there ? 1.0 / std::sqrt(l[j * k + j]) : 0.0;
            taken += there;
            for (index c = 0; c < m; ++c) b[j * m + c] *= inv;
            for (index i = j + 1; i < k; ++i) {
                for (index r = 0; r < j; ++r) l[i * k + j] -= l[i * k + r] * l[j * k + r];
                l[i * k + j] *= inv;
            }
        }
        small::add_atb(m, m, k, -1.0, b.data(), b.data(), s.data());
    }
    return taken;
}

// Least squares of so many columns take as long as a search does.
constexpr index most_columns = 500;

class Conflicts {
  public:
    explicit Conflicts(const CrossProducts& a) : a_(a), p_(a.fixed->p), all_(all_rows(a)), whole_(squares(all_, p_)), ols_(all_, whole_) {}
    void look(index f, index first, index last, std::vector<Within>& out) const {
        Vector s = all_;
        const index taken = take_levels(a_, f, first, last, s);
        const LeastSquares within(s, whole_);
        const index df = a_.n - taken - within.rank();
        if (within.rank() == 0 || df < 1 || !(within.left() > 1e-13 * a_.response->yy)) return;
        const double gain = std::log(left_by(s) / within.left());
        if (!(static_cast<double>(a_.n - taken) * gain > least_gain)) return;
        out.push_back({completed(within), within.left() / static_cast<double>(df), gain});
    }

  private:
    // Squares within levels that the slopes of all rows leave.
    double left_by(const Vector& s) const {
        const index m = p_ + 1;
        double left = s[m * m - 1];
        for (index i = 0; i < p_; ++i) {
            left -= 2.0 * ols_.beta(i) * s[i * m + p_];
            for (index j = 0; j < p_; ++j) left += ols_.beta(i) * ols_.beta(j) * s[i * m + j];
        }
        return left;
    }
    // The coefficients that levels do not tell within them, given the others.
    Vector completed(const LeastSquares& within) const {
        const index m = p_ + 1;
        Vector rest = all_, beta(p_);
        for (index i = 0; i < m; ++i) {
            double v = all_[i * m + p_];
            for (index j = 0; j < p_; ++j) v -= all_[i * m + j] * within.beta(j);
            rest[i * m + p_] = rest[p_ * m + i] = v;
        }
        for (index j = 0; j < p_; ++j)
            if (within.used(j))
                for (index i = 0; i < p_; ++i) rest[i * m + j] = rest[j * m + i] = 0.0;
        const LeastSquares others(rest, whole_);
        for (index j = 0; j < p_; ++j) beta[j] = within.used(j) ? within.beta(j) : others.beta(j);
        return beta;
    }

    const CrossProducts& a_;
    index p_;
    Vector all_, whole_;
    LeastSquares ols_;
};

}  // namespace

std::vector<Within> within_levels(const CrossProducts& a) {
    std::vector<Within> out;
    if (a.fixed->p == 0 || a.fixed->p > most_columns) return out;
    const Conflicts conflicts(a);
    for (index f = 0; f < a.random->factors(); ++f) {
        const index k = a.random->k()[f];
        conflicts.look(f, 0, k, out);
        for (index j = 0; k > 1 && j < k; ++j) conflicts.look(f, j, j + 1, out);
    }
    return out;
}

}  // namespace interlace
