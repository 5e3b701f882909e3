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

// Least squares by one column after the other: those of which too little is left are passed over.
class LeastSquares {
  public:
    // s: cross-products of [X y], m x m with m = p + 1; `whole`: the squares of which a share must be left
    LeastSquares(Vector s, const Vector& whole) : m_(static_cast<index>(whole.size()) + 1), s_(std::move(s)), used_(whole.size(), false) {
        const index p = m_ - 1;
        for (index j = 0; j < p; ++j) {
            if (!(s_[j * m_ + j] > nothing * whole[j])) continue;
            used_[j] = true;
            const Vector row(s_.begin() + j * m_, s_.begin() + (j + 1) * m_);  // swept: Goodnight (1979)
            const double pivot = row[j];
            for (index r = 0; r < m_; ++r) {
                if (r == j) continue;
                const double share = s_[r * m_ + j] / pivot;
                for (index c = 0; c < m_; ++c) s_[r * m_ + c] -= share * row[c];
                s_[r * m_ + j] = -share;
            }
            for (index c = 0; c < m_; ++c) s_[j * m_ + c] = row[c] / pivot;
            s_[j * m_ + j] = 1.0 / pivot;
        }
    }
    bool used(index j) const { return used_[j]; }
    double beta(index j) const { return used_[j] ? s_[j * m_ + m_ - 1] : 0.0; }
    double left() const { return s_[m_ * m_ - 1]; }
    index rank() const { return static_cast<index>(std::count(used_.begin(), used_.end(), true)); }

  private:
    index m_;
    Vector s_;
    std::vector<bool> used_;
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
    explicit Conflicts(const CrossProducts& a) : a_(a), p_(a.fixed->p), whole_(p_), all_(all_rows(a)) {
        for (index j = 0; j < p_; ++j) whole_[j] = all_[j * (p_ + 1) + j];
    }
    void look(index f, index first, index last, std::vector<Within>& out) const {
        Vector s = all_;
        const index taken = take_levels(a_, f, first, last, s);
        const LeastSquares within(s, whole_), ols(all_, whole_);
        const index df = a_.n - taken - within.rank();
        if (within.rank() == 0 || df < 1 || !(within.left() > 1e-13 * a_.response->yy)) return;
        const double gain = std::log(left_by(ols, s) / within.left());
        if (!(static_cast<double>(a_.n - taken) * gain > least_gain)) return;
        out.push_back({completed(within), within.left() / static_cast<double>(df), gain});
    }

  private:
    // Squares within levels that the slopes of all rows leave.
    double left_by(const LeastSquares& ols, const Vector& s) const {
        const index m = p_ + 1;
        double left = s[m * m - 1];
        for (index i = 0; i < p_; ++i) {
            left -= 2.0 * ols.beta(i) * s[i * m + p_];
            for (index j = 0; j < p_; ++j) left += ols.beta(i) * ols.beta(j) * s[i * m + j];
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
    Vector whole_, all_;
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
