#include "row_sums.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <type_traits>
#include <utility>

#include "blas.hpp"
#include "interrupt.hpp"

namespace interlace {
namespace {

constexpr index chunk = GrowingSums::block;

// f(r0, m) for all rows, m at a time from row r0 on: up to the end of each block of these sums.
template <class F> void in_blocks(index n, GrowingSums& sums, F f) {
    for (index r0 = 0; r0 < n;) {
        const index m = std::min(sums.room(), n - r0);
        f(r0, m);
        sums.count(m);
        r0 += m;
        check_interrupt();
    }
}

// f(N) for a count known to the compiler: N is 0 where it is none of the few that nearly all models have. Loops of known
// length take half the time.
template <class F> void with_count(index n, F f) {
    switch (n) {
        case 1: return f(std::integral_constant<index, 1>{});
        case 2: return f(std::integral_constant<index, 2>{});
        case 3: return f(std::integral_constant<index, 3>{});
        case 4: return f(std::integral_constant<index, 4>{});
        default: return f(std::integral_constant<index, 0>{});
    }
}

// Are the columns of Z those of X, about the same origin?
bool is_in_x(const Rows& rows, const FactorRows& f) {
    return f.z == rows.x && f.k == rows.p && rows.x_row == rows.p && rows.x_col == 1 && std::equal(f.origin, f.origin + f.k, rows.x_origin);
}

// Rows [r0, r0 + m) about the origin, times the square root of the weight.
struct Chunk {
    std::vector<double> x, y, root_w;
    explicit Chunk(const Rows& rows) : x(chunk * rows.p), y(chunk), root_w(chunk, 1.0) {
        for (const auto& f : rows.factors) z_.emplace_back(is_in_x(rows, f) ? 0 : chunk * f.k);
    }
    // The columns of a grouping factor; those of X are looked at once.
    const double* z(size_t f) const { return z_[f].empty() ? x.data() : z_[f].data(); }
    void load_x(const Rows& rows, index r0, index m) {
        with_count(rows.p, [&](auto P) {
            load_columns<P()>(rows.x + r0 * rows.x_row, rows.x_row, rows.x_col, rows.x_origin, m, rows.p, x.data());
        });
        if (rows.w) weigh(x.data(), m, rows.p);
    }
    void load(const Rows& rows, index r0, index m) {
        for (index i = 0; i < m; ++i) y[i] = rows.y[r0 + i] - rows.y_origin;
        for (size_t f = 0; f < rows.factors.size(); ++f) {
            const FactorRows& fr = rows.factors[f];
            if (z_[f].empty()) continue;
            with_count(fr.k, [&](auto K) { load_columns<K()>(fr.z + r0 * fr.k, fr.k, 1, fr.origin, m, fr.k, z_[f].data()); });
        }
        if (!rows.w) return;
        for (index i = 0; i < m; ++i) root_w[i] = std::sqrt(rows.w[r0 + i]);
        weigh(y.data(), m, 1);
        for (size_t f = 0; f < rows.factors.size(); ++f)
            if (!z_[f].empty()) weigh(z_[f].data(), m, rows.factors[f].k);
    }

  private:
    std::vector<std::vector<double>> z_;  // nothing for a factor whose columns are those of X
    template <index P>
    static void load_columns(const double* from, index row, index col, const double* origin, index m, index columns, double* to) {
        const index p = P ? P : columns;
        if (P > 0 && row == P && col == 1) {  // as most come: strides that the compiler knows
            for (index i = 0; i < m; ++i)
                for (index c = 0; c < P; ++c) to[i * P + c] = from[i * P + c] - origin[c];
            return;
        }
        for (index i = 0; i < m; ++i, from += row, to += p)
            for (index c = 0; c < p; ++c) to[c] = from[c * col] - origin[c];
    }
    void weigh(double* values, index m, index columns) const {
        for (index i = 0; i < m; ++i)
            for (index c = 0; c < columns; ++c) values[i * columns + c] *= root_w[i];
    }
};

// N sums that are added to while a loop runs: in memory, which other numbers might share, each would wait for the one before it.
template <index N> struct Local {
    double sum[N];
    double* home;
    explicit Local(double* first) : home(first) {
        for (index e = 0; e < N; ++e) sum[e] = home[e];
    }
    ~Local() {
        for (index e = 0; e < N; ++e) home[e] = sum[e];
    }
    Local(const Local&) = delete;
    Local& operator=(const Local&) = delete;
};

template <index P> void add_squares(const double* x, index m, index columns, double* xx) {
    if constexpr (P > 0) {
        Local<P * P> to(xx);
        for (index i = 0; i < m; ++i, x += P)
            for (index a = 0; a < P; ++a)
                for (index b = a; b < P; ++b) to.sum[a * P + b] += x[a] * x[b];
    } else {
        const index p = columns;
        for (index i = 0; i < m; ++i, x += p)
            for (index a = 0; a < p; ++a)
                for (index b = a; b < p; ++b) xx[a * p + b] += x[a] * x[b];
    }
}

void add_fixed(const Chunk& c, index m, const Rows& rows, FixedPart& fixed) {
    const index p = rows.p;
    if (p >= 12)
        blas::syrk_lower('N', p, m, 1.0, c.x.data(), p, 1.0, fixed.xx.data(), p);
    else
        with_count(p, [&](auto P) { add_squares<P()>(c.x.data(), m, p, fixed.xx.data()); });
}

// N sums of a level while its rows follow each other: a sum in memory would wait for the one before it.
template <index N> struct Running {
    double sum[N];
    double* home;
    explicit Running(double* first) : home(first) { enter(); }
    void move_to(double* place) {
        if (place == home) return;
        leave();
        home = place;
        enter();
    }
    void enter() {
        for (index e = 0; e < N; ++e) sum[e] = home[e];
    }
    void leave() {
        for (index e = 0; e < N; ++e) home[e] = sum[e];
    }
};

// Products with y of the columns of one factor, added up by level.
template <index K> void add_by_level(const double* z, const double* y, const std::int32_t* codes, index m, index known, index columns,
                                       double* zy) {
    if constexpr (K > 0) {
        Running<K> to(zy + codes[0] * K);
        for (index i = 0; i < m; ++i, z += K) {
            if (i + rows_ahead < known) fetch(zy + codes[i + rows_ahead] * K);
            to.move_to(zy + codes[i] * K);
            for (index a = 0; a < K; ++a) to.sum[a] += z[a] * y[i];
        }
        to.leave();
    } else {
        for (index i = 0; i < m; ++i, z += columns) {
            double* to = zy + codes[i] * columns;
            for (index a = 0; a < columns; ++a) to[a] += z[a] * y[i];
        }
    }
}

// Adds to xy; the sum of squares from `yy` on.
template <index P> double add_products(const double* x, const double* y, index m, index columns, double yy, double* xy) {
    if constexpr (P > 0) {
        Local<P> to(xy);
        for (index i = 0; i < m; ++i, x += P) {
            yy += y[i] * y[i];
            for (index a = 0; a < P; ++a) to.sum[a] += x[a] * y[i];
        }
    } else {
        const index p = columns;
        for (index i = 0; i < m; ++i, x += p) {
            yy += y[i] * y[i];
            for (index a = 0; a < p; ++a) xy[a] += x[a] * y[i];
        }
    }
    return yy;
}

void add_fixed_response(const Chunk& c, index m, const Rows& rows, ResponsePart& out) {
    with_count(rows.p, [&](auto P) { out.yy = add_products<P()>(c.x.data(), c.y.data(), m, rows.p, out.yy, out.xy.data()); });
}

void add_factor_response(const Chunk& c, index m, const Rows& rows, index r0, size_t f, ResponsePart& out) {
    const FactorRows& r = rows.factors[f];
    with_count(r.k, [&](auto K) { add_by_level<K()>(c.z(f), c.y.data(), r.codes + r0, m, rows.n - r0, r.k, out.zy[f].data()); });
}

// Z'Z and Z'X of one factor with many columns, added up by level.
void add_effects(const Chunk& c, index m, const Rows& rows, index r0, size_t f, double* diag, double* zx) {
    const FactorRows& r = rows.factors[f];
    const index k = r.k, p = rows.p;
    const double *z = c.z(f), *x = c.x.data();
    for (index i = 0; i < m; ++i, z += k, x += p) {
        double *d = diag + r.codes[r0 + i] * k * k, *to = zx + r.codes[r0 + i] * k * p;
        for (index a = 0; a < k; ++a) {
            for (index b = 0; b < k; ++b) d[a * k + b] += z[a] * z[b];
            for (index b = 0; b < p; ++b) to[a * p + b] += z[a] * x[b];
        }
    }
}

}  // namespace

ResponsePart empty_response(const Rows& rows) {
    ResponsePart out;
    out.xy.assign(rows.p, 0.0);
    for (const auto& f : rows.factors) out.zy.emplace_back(f.levels * f.k, 0.0);
    return out;
}

void watch(ResponsePart& response, GrowingSums& sums) {
    sums.watch(&response.yy, 1);
    sums.watch(response.xy.data(), response.xy.size());
    for (auto& numbers : response.zy) sums.watch(numbers.data(), numbers.size());
}

namespace {

// Arrays of sums; those of factors that have a table come out of it at the end.
void clear_own(const Rows& rows, RandomPart& random, FixedPart& fixed, ResponsePart& response) {
    const index p = rows.p;
    response.xy.assign(p, 0.0);
    fixed.p = p;
    fixed.xx.assign(p * p, 0.0);
    for (const auto& f : rows.factors) {
        const index levels = LevelTable::serves(f.k, p) ? 0 : f.levels;
        response.zy.emplace_back(levels * f.k, 0.0);
        random.diag.emplace_back(levels * f.k * f.k, 0.0);
        fixed.zx.emplace_back(levels * f.k * p, 0.0);
    }
}

}  // namespace

OwnSums::OwnSums(const Rows& shape, RandomPart& random, FixedPart& fixed, ResponsePart& response)
    : random_(random), fixed_(fixed), response_(response) {
    clear_own(shape, random, fixed, response);
    for (const auto& f : shape.factors)
        tables_.push_back(LevelTable::serves(f.k, shape.p) ? std::make_unique<LevelTable>(f.k, shape.p, f.levels, is_in_x(shape, f)) : nullptr);
    for (auto& table : tables_)
        if (table) sums_.watch(table->data(), table->size());
    sums_.watch(fixed.xx.data(), fixed.xx.size());
    for (auto& numbers : random.diag) sums_.watch(numbers.data(), numbers.size());
    for (auto& numbers : fixed.zx) sums_.watch(numbers.data(), numbers.size());
    watch(response, sums_);
    logs_.watch(&sum_log_w_, 1);
}

void OwnSums::add(const Rows& rows) {
    add_products(rows);
    if (!rows.w) return;
    in_blocks(rows.n, logs_, [&](index r0, index m) {
        for (index i = r0; i < r0 + m; ++i) sum_log_w_ += std::log(rows.w[i]);
    });
}

void OwnSums::add_products(const Rows& rows) {
    Chunk c(rows);
    in_blocks(rows.n, sums_, [&](index r0, index m) {
        c.load(rows, r0, m);
        c.load_x(rows, r0, m);
        add_fixed(c, m, rows, fixed_);
        add_fixed_response(c, m, rows, response_);
        for (size_t f = 0; f < tables_.size(); ++f) {
            if (tables_[f]) {
                tables_[f]->add(c.z(f), c.x.data(), c.y.data(), rows.factors[f].codes + r0, m, rows.n - r0);
                continue;
            }
            add_factor_response(c, m, rows, r0, f, response_);
            add_effects(c, m, rows, r0, f, random_.diag[f].data(), fixed_.zx[f].data());
        }
    });
}

// syrk fills the column-major lower triangle, which is the row-major upper one, as the loops do
double OwnSums::finish() {
    sums_.finish();
    logs_.finish();
    for (size_t f = 0; f < tables_.size(); ++f)
        if (tables_[f]) tables_[f]->write(random_.diag[f], fixed_.zx[f], response_.zy[f]);
    tables_.clear();
    for (index a = 0; a < fixed_.p; ++a)
        for (index b = 0; b < a; ++b) fixed_.xx[a * fixed_.p + b] = fixed_.xx[b * fixed_.p + a];
    return sum_log_w_;
}

void add_responses(Rows rows, const double* y, const std::vector<double>& y_origin,
                   const std::vector<std::shared_ptr<ResponsePart>>& responses, GrowingSums& sums) {
    rows.y = y;  // the first of them, for load()
    Chunk c(rows);
    in_blocks(rows.n, sums, [&](index r0, index m) {
        c.load(rows, r0, m);
        c.load_x(rows, r0, m);
        for (size_t s = 0; s < responses.size(); ++s) {
            const double* ys = y + static_cast<index>(s) * rows.n + r0;
            for (index i = 0; i < m; ++i) c.y[i] = (ys[i] - y_origin[s]) * c.root_w[i];
            add_fixed_response(c, m, rows, *responses[s]);
            for (size_t f = 0; f < rows.factors.size(); ++f) add_factor_response(c, m, rows, r0, f, *responses[s]);
        }
    });
}

}  // namespace interlace
