#include "folds.hpp"

#include <algorithm>
#include <cmath>

#include "few_rows.hpp"
#include "inverse.hpp"
#include "small.hpp"

namespace interlace {
namespace {

// Of what is left of a column of [X y] beside those before it, per row: below this share of the whole digits may be lost.
constexpr double share_left = 1e-3;
// Of the square of a column: what is left of it beside the others shows that they are independent.
constexpr double independent = 1e-6;
constexpr double exact_fit = 1e-13;

// Copies of some rows.
struct SomeRows {
    Rows rows;
    std::vector<double> y, x, w;
    std::vector<std::vector<double>> z;
    std::vector<std::vector<std::int32_t>> codes;

    SomeRows(const Rows& all, const std::vector<index>& places) {
        const index n = static_cast<index>(places.size()), p = all.p;
        y.resize(n);
        x.resize(n * p);
        if (all.w) w.resize(n);
        for (index i = 0; i < n; ++i) {
            y[i] = all.y[places[i]];
            for (index c = 0; c < p; ++c) x[i * p + c] = all.x[places[i] * all.x_row + c * all.x_col];
            if (all.w) w[i] = all.w[places[i]];
        }
        rows.n = n;
        rows.p = p;
        rows.y = y.data();
        rows.x = x.data();
        rows.x_row = p;
        rows.w = all.w ? w.data() : nullptr;
        rows.y_origin = all.y_origin;
        rows.x_origin = all.x_origin;
        for (const FactorRows& f : all.factors) {
            z.emplace_back(n * f.k);
            codes.emplace_back(n);
            for (index i = 0; i < n; ++i) {
                std::copy_n(f.z + places[i] * f.k, f.k, &z.back()[i * f.k]);
                codes.back()[i] = f.codes[places[i]];
            }
            rows.factors.push_back({codes.back().data(), z.back().data(), f.origin, f.k, f.levels});
        }
    }
};

// Pivots of the Cholesky factor of [X y]'[X y], squared; empty where one is not positive.
std::vector<double> pivots(const CrossProducts& a) {
    const index p = a.fixed->p, m = p + 1;
    std::vector<double> s(m * m);
    for (index i = 0; i < p; ++i) {
        for (index j = 0; j < p; ++j) s[i * m + j] = a.fixed->xx[i * p + j];
        s[p * m + i] = a.response->xy[i];
    }
    s[m * m - 1] = a.response->yy;
    if (!small::cholesky(m, s.data())) return {};
    std::vector<double> out(m);
    for (index i = 0; i < m; ++i) out[i] = s[i * m + i] * s[i * m + i];
    return out;
}

bool well_known(const CrossProducts& whole, const CrossProducts& left) {
    const std::vector<double> before = pivots(whole), after = pivots(left);
    if (before.empty() || after.empty() || left.n <= left.fixed->p + 1) return false;
    const double share = share_left * static_cast<double>(left.n) / static_cast<double>(whole.n);
    const index p = left.fixed->p;
    for (index i = 0; i <= p; ++i)
        if (after[i] < share * before[i] || (i < p && after[i] < independent * left.fixed->xx[i * p + i])) return false;
    return true;
}

// y - X beta - Z b about the origin.
std::vector<double> residuals(const Cholesky& l, const Rows& rows) {
    const Blocks b = l.apply_lambda(l.spherical(), 1);
    std::vector<double> out(rows.n);
    for (index i = 0; i < rows.n; ++i) {
        double r = rows.y[i] - rows.y_origin;
        for (index c = 0; c < rows.p; ++c) r -= (rows.x[i * rows.x_row + c] - rows.x_origin[c]) * l.beta()[c];
        for (size_t f = 0; f < rows.factors.size(); ++f) {
            const FactorRows& fr = rows.factors[f];
            for (index c = 0; c < fr.k; ++c) r -= (fr.z[i * fr.k + c] - fr.origin[c]) * b[f][fr.codes[i] * fr.k + c];
        }
        out[i] = r;
    }
    return out;
}

double energy(const Cholesky& l, double scale) { return l.ld_l2() + l.ld_rx2() + l.pwrss() / scale; }

// Rows whose covariance is formed; the density of more than these takes a factorisation with them instead.
constexpr index few = 512;

// log N of r given C scale, but for constants: -(log det C + r'C^-1 r / scale) / 2.
double log_density(index m, std::vector<double> c, std::vector<double> r, double scale) {
    if (!blas::potrf_lower(m, c.data(), m)) throw NotPositiveDefinite();
    blas::trsm_lower('L', 'N', m, 1, c.data(), m, r.data(), m);
    double log_det = 0;
    for (index i = 0; i < m; ++i) log_det += 2.0 * std::log(c[i * m + i]);
    return -0.5 * (log_det + small::dot(m, r.data(), r.data()) / scale);
}

// Rows of a fold that belong together, and their residuals times the roots of their weights.
struct Unit {
    std::vector<index> rows, places;  // among all rows, and among those that went
    std::vector<double> residual;
};

std::vector<Unit> units_of(const Fold& fold, const Rows& gone, const std::vector<double>& residual) {
    std::vector<Unit> out(fold.n_units);
    for (index i = 0; i < fold.n; ++i) {
        Unit& unit = out[fold.units[i]];
        unit.rows.push_back(fold.rows[i]);
        unit.places.push_back(i);
        unit.residual.push_back(gone.w ? std::sqrt(gone.w[i]) * residual[i] : residual[i]);
    }
    return out;
}

// What a model says of rows that it has not seen.
class Unseen {
  public:
    Unseen(const WholeModel& whole, const CrossProducts& left, const Cholesky& l, double scale)
        : whole_(whole), left_(left), l_(l), rows_(l), scale_(scale) {}

    void describe(const Rows& gone, const std::vector<Unit>& units, WithoutFold& out) {
        const bool together = gone.n <= few;
        std::vector<double> c;
        if (together) {
            c = rows_.covariance(gone);
            for (index i = 0; i < gone.n; ++i) out.spread.push_back(c[i * gone.n + i] - 1.0);
        } else {
            out.spread = leverage(l_, JointInverse::of(l_), gone).overall;
        }
        for (const Unit& unit : units) {
            if (unit.rows.size() < 2) out.log_ratio.push_back(0.0);  // the density of a row follows from its own numbers
            else if (together) out.log_ratio.push_back(of_block(unit, c, gone.n));
            else out.log_ratio.push_back(units.size() == 1 ? compared(whole_.a) : alone(unit));
        }
    }

  private:
    double of_block(const Unit& unit, const std::vector<double>& c, index n) const {
        const index m = static_cast<index>(unit.places.size());
        std::vector<double> own(m * m);
        for (index i = 0; i < m; ++i)
            for (index j = i; j < m; ++j) own[i * m + j] = c[unit.places[i] * n + unit.places[j]];
        return log_density(m, std::move(own), unit.residual, scale_);
    }
    double alone(const Unit& unit) {
        const SomeRows own(whole_.rows, unit.rows);
        if (own.rows.n <= few) return log_density(own.rows.n, rows_.covariance(own.rows), unit.residual, scale_);
        const CrossProducts a = accumulate_on(left_.random->pattern, own.rows);
        return compared(combine({left_, a}, {1.0, 1.0}, left_.n + a.n, left_.sum_log_w + a.sum_log_w));
    }
    // by what the criterion loses with them
    double compared(const CrossProducts& with_them) const {
        Cholesky with(with_them, whole_.symbolic);
        with.factorize(l_.factors());
        return 0.5 * (energy(l_, scale_) - energy(with, scale_));
    }

    const WholeModel& whole_;
    const CrossProducts& left_;
    const Cholesky& l_;
    FewRows rows_;
    double scale_;
};

// Searches share what the levels say that keep all rows: with more of others than a quarter they would save nothing.
constexpr index rare = 4;

// The criterion is left at the end.
Again search_without(const WholeModel& whole, const Rows& gone, const CrossProducts& left, ProfiledDeviance& criterion) {
    if (!whole.shared) return search_near(criterion, whole.start);
    std::vector<index> levels(gone.factors[0].codes, gone.factors[0].codes + gone.n);
    std::sort(levels.begin(), levels.end());
    levels.erase(std::unique(levels.begin(), levels.end()), levels.end());
    Again out;
    if (rare * static_cast<index>(levels.size()) > gone.factors[0].levels || !whole.shared->search(left, levels, out))
        return search_near(criterion, whole.start);
    out.value = criterion.value(out.par);
    out.certain = criterion.rounding() <= wrong;
    return out;
}

}  // namespace

WithoutFold without_fold(const WholeModel& whole, const Fold& fold) {
    WithoutFold out;
    // 1) what is left
    const SomeRows gone(whole.rows, std::vector<index>(fold.rows, fold.rows + fold.n));
    const CrossProducts theirs = accumulate_on(whole.a.random->pattern, gone.rows);
    const CrossProducts left = combine({whole.a, theirs}, {1.0, -1.0}, whole.a.n - theirs.n, whole.a.sum_log_w - theirs.sum_log_w);
    out.known = well_known(whole.a, left);
    if (!out.known) return out;
    // 2) its model
    ProfiledDeviance criterion(Cholesky(left, whole.symbolic), whole.map, whole.kind);
    out.found = search_without(whole, gone.rows, left, criterion);
    const Cholesky& l = criterion.factor();
    out.pwrss = l.pwrss();
    out.found.certain = out.found.certain && out.pwrss > exact_fit * left.response->yy;
    if (!out.found.certain) return out;
    // 3) what it says of the rows that went
    const double df = static_cast<double>(left.n - (whole.kind == Criterion::reml ? left.fixed->p : 0)), scale = out.pwrss / df;
    out.residual = residuals(l, gone.rows);
    Unseen(whole, left, l, scale).describe(gone.rows, units_of(fold, gone.rows, out.residual), out);
    return out;
}

}  // namespace interlace
