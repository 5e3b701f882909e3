#include "absorbed_solve.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "absorbed_sweep.hpp"
#include "reduced.hpp"

namespace interlace {
namespace {

// Gradients are taken until the normal equations hold to the first of these, relative to what the lead leaves of a column; what is
// found is accepted if they hold to the second when they are worked out from the residuals. Less than this share of the numbers that
// were subtracted from each other says nothing.
constexpr double tolerance = 1e-11, accepted = 1e-10, share = 1e-4;
constexpr index rounds = 6;
constexpr double large = 100;  // effects so many times the column leave rounding that a second projection takes away
// A preconditioner that needs more iterations than these is not worth going on with while there is another; after the first it can be
// told.
constexpr index patience = 60, look = 10;
// Levels that meet so few others, and these so few times as many in turn, are a chain or a map: their factor is small.
constexpr double few_met = 64, slowly = 4;
class Diagonal : public Preconditioner {
  public:
    explicit Diagonal(const AbsorbedRows& a) : inverse_(a.diagonal()) {
        for (double& d : inverse_) d = d > 0 ? 1.0 / d : 0.0;
    }
    void apply(const double* r, double* z, index m) const override {
        const index q = static_cast<index>(inverse_.size());
        for (index i = 0; i < q; ++i)
            for (index j = 0; j < m; ++j) z[i * m + j] = inverse_[i] * r[i * m + j];
    }
    const std::vector<double>& inverse() const { return inverse_; }

  private:
    std::vector<double> inverse_;
};

// Sums of products of columns (q x M), in the order of the rows
template <int M> void dots(const std::vector<double>& a, const std::vector<double>& b, double* out) {
    std::fill(out, out + M, 0.0);
    const size_t q = a.size() / M;
    for (size_t i = 0; i < q; ++i)
        for (size_t j = 0; j < M; ++j) out[j] += a[i * M + j] * b[i * M + j];
}

template <int M> void lengths(const std::vector<double>& r, const std::vector<double>& inverse, double* out) {
    std::fill(out, out + M, 0.0);
    for (size_t i = 0; i < inverse.size(); ++i)
        for (size_t j = 0; j < M; ++j) out[j] += inverse[i] * r[i * M + j] * r[i * M + j];
    for (int j = 0; j < M; ++j) out[j] = std::sqrt(out[j]);
}

// One system S x = b for M columns at once: r is what is left of b.
template <int M> struct Conjugate {
    const std::function<void(const double*, double*)> product;  // S v
    const std::vector<double>& inverse;  // of the diagonal
    std::vector<double>&x, &r;
    const double* target;  // by column
    double length[M] = {};

    bool reached() {
        lengths<M>(r, inverse, length);
        for (int j = 0; j < M; ++j)
            if (length[j] > target[j]) return false;
        return true;
    }
    // Iterations done; ends where all columns have reached their target, at `most`, or where go_on(iterations) says no.
    template <class GoOn> index run(const Preconditioner& p, index most, GoOn go_on) {
        std::vector<double> z(r.size()), d(r.size()), s(r.size());
        double rho[M] = {}, next[M], curve[M];
        p.apply(r.data(), z.data(), M);
        d = z;
        dots<M>(r, z, rho);
        for (index it = 1; it <= most; ++it) {
            product(d.data(), s.data());
            dots<M>(d, s, curve);
            for (int j = 0; j < M; ++j) curve[j] = curve[j] > 0 && rho[j] > 0 && length[j] > target[j] ? rho[j] / curve[j] : 0.0;
            for (size_t i = 0; i < r.size(); i += M)
                for (size_t j = 0; j < M; ++j) {
                    x[i + j] += curve[j] * d[i + j];
                    r[i + j] -= curve[j] * s[i + j];
                }
            if (reached() || it == most || !go_on(it)) return it;
            p.apply(r.data(), z.data(), M);
            dots<M>(r, z, next);
            for (int j = 0; j < M; ++j) {
                const double beta = rho[j] > 0 ? next[j] / rho[j] : 0.0;
                rho[j] = next[j];
                curve[j] = beta;
            }
            for (size_t i = 0; i < r.size(); i += M)
                for (size_t j = 0; j < M; ++j) d[i + j] = z[i + j] + curve[j] * d[i + j];
        }
        return most;
    }
};

// Powers of two that bring the largest number of each column near 1.
template <int M> void scales(const AbsorbedRows& a, const ColumnBlock& c, double* scale) {
    for (int j = 0; j < M; ++j) {
        scale[j] = 1.0;
        double largest = 0;
        for (index r = 0; j < c.m && r < a.n; ++r) largest = std::max(largest, std::fabs(c.x[r * c.row + j * c.col]));
        int power = 0;
        if (largest > 0) std::frexp(largest, &power);
        if (power > 300 || power < -300) scale[j] = std::ldexp(1.0, -power);
    }
}

int strength(const std::string& method) { return method == "exact" ? 0 : method == "diagonal" ? 1 : method == "direct" ? 2 : 3; }

// The columns of one call, M at once (those beyond the last are zeros), and what is found out of them.
template <int M> class Batch {
  public:
    Batch(const AbsorbedRows& a, const ColumnBlock& columns)
        : a_(a), columns_(columns), sweep_(a), diagonal_(a), x_(a.q * M, 0.0), r_(a.q * M, 0.0) {
        scales<M>(a, columns, scale_);
    }
    // D'W M v, and how long v and M v are
    void begin();
    // Residuals to out (if there is one), D'W of them to r, the lead's coefficients if `keep`; do the normal equations hold?
    bool finish(double* out, bool keep);
    // From the rows, or from what they were collapsed to
    Conjugate<M> gradients(const Collapsed* collapsed) {
        for (int j = 0; j < M; ++j) target_[j] = tolerance * norm(j);
        if (collapsed && !product_) product_ = std::make_unique<Collapsed::Product<M>>(*collapsed);
        const auto product = [this](const double* v, double* out) {
            if (product_) product_->apply(v, out);
            else sweep_.apply(v, out);
        };
        return {product, diagonal_.inverse(), x_, r_, target_, {}};
    }
    const Diagonal& diagonal() const { return diagonal_; }
    double defect(index j) const { return norm(j) > 0 ? length_[j] / norm(j) : 0.0; }
    // Were numbers subtracted that are so much larger than the column that their rounding is to be seen?
    bool cancelled() const {
        for (int j = 0; j < M; ++j)
            if (explained_[j] > large * whole_[j]) return true;
        return false;
    }
    void effects(index first, index all, std::vector<std::vector<double>>& to) const;

  private:
    // What a column is measured by: what the lead leaves of it, or a share of the numbers that are subtracted from each other.
    double norm(index j) const { return std::max(left_[j], share * std::max(whole_[j], explained_[j])); }
    void column(index row, double* t) const {
        const double* from = columns_.x + a_.row(row) * columns_.row;
        for (int j = 0; j < M; ++j) t[j] = j < columns_.m ? from[j * columns_.col] * scale_[j] : 0.0;
    }

    const AbsorbedRows& a_;
    ColumnBlock columns_;
    Sweep<M> sweep_;
    std::unique_ptr<Collapsed::Product<M>> product_;
    Diagonal diagonal_;
    std::vector<double> x_, r_, lead_;
    double scale_[M], whole_[M] = {}, left_[M] = {}, explained_[M] = {}, target_[M] = {}, length_[M] = {};
};

template <int M> void Batch<M>::begin() {
    if (a_.q == 0) return;
    const index tasks = static_cast<index>(a_.chunks.size()) - 1;
    std::vector<double> squares(tasks * 2 * M, 0.0);
    sweep_(r_.data(), [&](index row, double* t) { column(row, t); },
           [&](index task, index row, const double* e) {
               double *s = &squares[task * 2 * M], v[M];
               column(row, v);
               const double w = a_.weight(row);
               for (int j = 0; j < M; ++j) {
                   s[j] += w * v[j] * v[j];
                   s[M + j] += w * e[j] * e[j];
               }
           },
           [](index, const double*) {});
    for (int j = 0; j < M; ++j) {
        for (index t = 0; t < tasks; ++t) {
            whole_[j] += squares[t * 2 * M + j];
            left_[j] += squares[t * 2 * M + M + j];
        }
        whole_[j] = std::sqrt(whole_[j]);
        left_[j] = std::sqrt(left_[j]);
    }
}

template <int M> bool Batch<M>::finish(double* out, bool keep) {
    const index k = a_.factors[0].k;
    lead_.assign(keep ? a_.factors[0].diag.size() * M : 0, 0.0);
    sweep_(a_.q > 0 ? r_.data() : nullptr,
           [&](index row, double* t) {
               double d[M];
               column(row, t);
               sweep_.gather(row, x_.data(), d);
               for (int j = 0; j < M; ++j) t[j] -= d[j];
           },
           [&](index, index row, const double* e) {
               if (!out) return;
               const index to = a_.row(row);
               for (index j = 0; j < columns_.m; ++j) out[j * a_.n + to] = e[j] / scale_[j];
           },
           [&](index level, const double* c) {
               if (keep) std::copy(c, c + k * M, &lead_[level * k * M]);
           });
    lengths<M>(r_, diagonal_.inverse(), length_);
    std::fill(explained_, explained_ + M, 0.0);
    const std::vector<double> d = a_.diagonal();
    for (index i = 0; i < a_.q; ++i)
        for (int j = 0; j < M; ++j) explained_[j] += d[i] * x_[i * M + j] * x_[i * M + j];
    bool holds = true;
    for (int j = 0; j < M; ++j) {
        explained_[j] = std::sqrt(explained_[j]);
        holds = holds && length_[j] <= accepted * norm(j);
    }
    return holds;
}

template <int M> void Batch<M>::effects(index first, index all, std::vector<std::vector<double>>& to) const {
    for (const AbsorbedRows::Factor& f : a_.factors) {
        const double* from = &f == &a_.factors[0] ? lead_.data() : x_.data() + f.base * M;
        for (index level = 0; level < f.levels; ++level)
            for (index c = 0; c < f.k; ++c)
                for (index j = 0; j < columns_.m; ++j) {
                    double v = from[(level * f.k + c) * M + j];
                    if (!f.plain()) {
                        const double* t = &f.transform[level * f.k * f.k];
                        v = 0;
                        for (index l = c; l < f.k; ++l) v += t[c * f.k + l] * from[(level * f.k + l) * M + j];
                    }
                    to[f.given][(level * f.k + c) * all + first + j] = v / scale_[j];
                }
    }
}

// May a preconditioner go on? Told from how fast the slowest column has come down.
template <int M> bool quick_enough(const Conjugate<M>& cg, const double* start, index it) {
    if (it < look) return true;
    for (int j = 0; j < M; ++j) {
        if (cg.length[j] <= cg.target[j]) continue;
        const double rate = std::log(cg.length[j] / start[j]) / static_cast<double>(it);
        if (rate >= 0 || std::log(cg.target[j] / start[j]) / rate > static_cast<double>(patience)) return false;
    }
    return true;
}

template <int M> bool in_any_case(const Conjugate<M>&, const double*, index) { return true; }

}  // namespace

std::unique_ptr<Preconditioner> diagonal_inverse(const AbsorbedRows& a) { return std::make_unique<Diagonal>(a); }

void add_parts(const std::vector<std::vector<double>>& parts, index size, double* out) {
    constexpr index piece = 16384;
    pool::each((size + piece - 1) / piece, [&](index t) {
        const index first = t * piece, last = std::min(size, first + piece);
        std::copy(parts[0].begin() + first, parts[0].begin() + last, out + first);
        for (size_t p = 1; p < parts.size(); ++p)
            for (index i = first; i < last; ++i) out[i] += parts[p][i];
    });
}

const ReducedFactor* AbsorbedSystem::direct() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!tried_) {
        direct_ = reduced_factor(rows_, {2e9, std::max(2e6, 10.0 * static_cast<double>(rows_.n + rows_.q))});
        tried_ = true;
    }
    return direct_.get();
}

const Preconditioner* AbsorbedSystem::sampled() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!sampled_) sampled_ = sampled_factors(rows_);
    return sampled_.get();
}

bool AbsorbedSystem::direct_first() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!spread_) spread_ = spread(rows_);
    return spread_->once <= few_met && spread_->twice <= slowly * spread_->once;
}

const Collapsed* AbsorbedSystem::collapsed() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!looked_) collapsed_ = Collapsed::of(rows_);
    looked_ = true;
    return collapsed_.get();
}

std::vector<char> AbsorbedSystem::rank_by_elimination(Room room, index& rank) const {
    rank = std::count_if(rows_.factors[0].diag.begin(), rows_.factors[0].diag.end(), [](double d) { return d > 0; });
    if (rows_.q == 0) return {};
    const auto factor = reduced_factor(rows_, room);
    if (!factor) {
        rank = -1;
        return {};
    }
    std::vector<char> depends = factor->depends();
    rank += std::count(depends.begin(), depends.end(), char{0});
    return depends;
}

template <int M>
void AbsorbedSystem::batch(const ColumnBlock& columns, double* out, index most, index first, bool again, Projected& result) const {
    const bool keep = !result.effects.empty();
    Batch<M> b(rows_, columns);
    b.begin();
    index iterations = 0;
    std::string method = "exact";
    for (index round = 0; round < rounds; ++round) {
        const bool once = rows_.q == 0 || (direct_first() && direct());  // what is hardly used is not made
        Conjugate<M> cg = b.gradients(once ? nullptr : collapsed());
        const auto goes_on = [&] { return rows_.q > 0 && iterations < most && !cg.reached(); };
        const auto run = [&](const Preconditioner& p, const char* name, index at_most, bool (*quick)(const Conjugate<M>&, const double*, index)) {
            method = name;
            double start[M];
            std::copy(cg.length, cg.length + M, start);
            iterations += cg.run(p, std::min(most - iterations, at_most), [&](index it) { return quick(cg, start, it); });
        };
        if (round == 0 && goes_on() && !direct_first()) {
            run(b.diagonal(), "diagonal", patience, quick_enough<M>);
            if (goes_on()) run(*sampled(), "sampled", patience, quick_enough<M>);
        }
        if (round < 3 && goes_on() && direct()) run(*direct(), "direct", 3, in_any_case<M>);
        else if (goes_on()) run(*sampled(), "sampled", most, in_any_case<M>);
        if (b.finish(out ? out + first * rows_.n : nullptr, keep)) break;
    }
    for (index j = 0; j < columns.m; ++j) {
        result.residual[first + j] = std::min(result.residual[first + j], b.defect(j));
        result.iterations[first + j] += iterations;
    }
    if (strength(method) > strength(result.method)) result.method = method;
    if (keep) b.effects(first, static_cast<index>(result.residual.size()), result.effects);
    if (again && out && !keep && b.cancelled()) {
        const std::vector<double> once(out + first * rows_.n, out + (first + columns.m) * rows_.n);
        batch<M>({once.data(), 1, rows_.n, columns.m}, out, most, first, false, result);
    }
}

Projected AbsorbedSystem::project(const ColumnBlock& columns, double* out, bool effects, index most) const {
    Projected result;
    result.residual.assign(columns.m, std::numeric_limits<double>::infinity());
    result.iterations.assign(columns.m, 0);
    if (effects) {
        result.effects.resize(rows_.factors.size());
        for (const AbsorbedRows::Factor& f : rows_.factors) result.effects[f.given].assign(f.levels * f.k * columns.m, 0.0);
    }
    for (index first = 0; first < columns.m; first += 8) {
        const index m = std::min<index>(8, columns.m - first);
        const ColumnBlock part{columns.x + first * columns.col, columns.row, columns.col, m};
        if (m == 1) batch<1>(part, out, most, first, true, result);
        else if (m == 2) batch<2>(part, out, most, first, true, result);
        else if (m == 3) batch<3>(part, out, most, first, true, result);
        else if (m == 4) batch<4>(part, out, most, first, true, result);
        else batch<8>(part, out, most, first, true, result);
    }
    return result;
}

}  // namespace interlace
