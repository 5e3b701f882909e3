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

constexpr index chunk = 256;

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

// Rows [r0, r0 + m) about the origin, times the square root of the weight.
struct Chunk {
    std::vector<double> x, y, root_w;
    std::vector<std::vector<double>> z;
    explicit Chunk(const Rows& rows) : x(chunk * rows.p), y(chunk), root_w(chunk, 1.0) {
        for (const auto& f : rows.factors) z.emplace_back(chunk * f.k);
    }
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
            with_count(fr.k, [&](auto K) { load_columns<K()>(fr.z + r0 * fr.k, fr.k, 1, fr.origin, m, fr.k, z[f].data()); });
        }
        if (!rows.w) return;
        for (index i = 0; i < m; ++i) root_w[i] = std::sqrt(rows.w[r0 + i]);
        weigh(y.data(), m, 1);
        for (size_t f = 0; f < rows.factors.size(); ++f) weigh(z[f].data(), m, rows.factors[f].k);
    }

  private:
    template <index P>
    static void load_columns(const double* from, index row, index col, const double* origin, index m, index columns, double* to) {
        const index p = P ? P : columns;
        for (index i = 0; i < m; ++i, from += row, to += p)
            for (index c = 0; c < p; ++c) to[c] = from[c * col] - origin[c];
    }
    void weigh(double* values, index m, index columns) const {
        for (index i = 0; i < m; ++i)
            for (index c = 0; c < columns; ++c) values[i * columns + c] *= root_w[i];
    }
};

template <index P> void add_squares(const double* x, index m, index columns, double* xx) {
    const index p = P ? P : columns;
    for (index i = 0; i < m; ++i, x += p)
        for (index a = 0; a < p; ++a)
            for (index b = a; b < p; ++b) xx[a * p + b] += x[a] * x[b];
}

void add_fixed(const Chunk& c, index m, const Rows& rows, FixedPart& fixed) {
    const index p = rows.p;
    if (p >= 12)
        blas::syrk_lower('N', p, m, 1.0, c.x.data(), p, 1.0, fixed.xx.data(), p);
    else
        with_count(p, [&](auto P) { add_squares<P()>(c.x.data(), m, p, fixed.xx.data()); });
}

// Rows ahead of the present one whose sums are asked for from memory, where levels come in no order.
constexpr index ahead = 8;
inline void fetch(const double* place) {
#if defined(__GNUC__)
    __builtin_prefetch(place, 1);
#else
    (void)place;
#endif
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
template <index K> void add_by_level(const double* z, const double* y, const std::int32_t* codes, index m, index columns, double* zy) {
    if constexpr (K > 0) {
        Running<K> to(zy + codes[0] * K);
        for (index i = 0; i < m; ++i, z += K) {
            if (i + ahead < m) fetch(zy + codes[i + ahead] * K);
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

template <index P> double add_products(const double* x, const double* y, index m, index columns, double* xy) {
    const index p = P ? P : columns;
    double yy = 0;
    for (index i = 0; i < m; ++i, x += p) {
        yy += y[i] * y[i];
        for (index a = 0; a < p; ++a) xy[a] += x[a] * y[i];
    }
    return yy;
}

void add_response(const Chunk& c, index m, const Rows& rows, index r0, ResponsePart& out) {
    const index p = rows.p;
    std::vector<double> xy(p, 0.0);
    with_count(p, [&](auto P) { out.yy += add_products<P()>(c.x.data(), c.y.data(), m, p, xy.data()); });
    for (index a = 0; a < p; ++a) out.xy[a] += xy[a];
    for (size_t f = 0; f < rows.factors.size(); ++f) {
        const FactorRows& r = rows.factors[f];
        with_count(r.k, [&](auto K) { add_by_level<K()>(c.z[f].data(), c.y.data(), r.codes + r0, m, r.k, out.zy[f].data()); });
    }
}

// Z'Z and Z'X of one factor, added up by level.
template <index K, index P>
void add_effects(const double* z, const double* x, const std::int32_t* codes, index m, index effects, index columns, double* diag, double* zx) {
    if constexpr (K > 0 && P > 0) {
        Running<K * K> d(diag + codes[0] * K * K);
        Running<K * P> to(zx + codes[0] * K * P);
        for (index i = 0; i < m; ++i, z += K, x += P) {
            if (i + ahead < m) {
                fetch(diag + codes[i + ahead] * K * K);
                fetch(zx + codes[i + ahead] * K * P);
            }
            d.move_to(diag + codes[i] * K * K);
            to.move_to(zx + codes[i] * K * P);
            for (index a = 0; a < K; ++a) {
                for (index b = 0; b < K; ++b) d.sum[a * K + b] += z[a] * z[b];
                for (index b = 0; b < P; ++b) to.sum[a * P + b] += z[a] * x[b];
            }
        }
        d.leave();
        to.leave();
    } else {
        const index k = effects, p = columns;
        for (index i = 0; i < m; ++i, z += k, x += p) {
            double *d = diag + codes[i] * k * k, *to = zx + codes[i] * k * p;
            for (index a = 0; a < k; ++a) {
                for (index b = 0; b < k; ++b) d[a * k + b] += z[a] * z[b];
                for (index b = 0; b < p; ++b) to[a * p + b] += z[a] * x[b];
            }
        }
    }
}

void add_random(const Chunk& c, index m, const Rows& rows, index r0, RandomPart& random, FixedPart& fixed) {
    const index p = rows.p;
    for (size_t f = 0; f < rows.factors.size(); ++f) {
        const FactorRows& r = rows.factors[f];
        with_count(r.k, [&](auto K) {
            with_count(p, [&](auto P) {
                add_effects<K(), P()>(c.z[f].data(), c.x.data(), r.codes + r0, m, r.k, p, random.diag[f].data(), fixed.zx[f].data());
            });
        });
    }
}

// Sums of some thousand rows before they are added to those of all: the rounding error of a sum that grows row by row grows with
// it. Arrays that are so long that adding them would take time are sums of few rows each, and are those of all rows throughout.
class Blocked {
  public:
    static constexpr index rows = 4096;
    static constexpr size_t longest = 8192;
    Blocked(RandomPart& of_random, FixedPart& of_fixed, ResponsePart& of_response) : total_(of_response) {
        fixed.p = of_fixed.p;
        take(of_fixed.xx, fixed.xx);
        take(of_response.xy, response.xy);
        random.diag.resize(of_random.diag.size());
        fixed.zx.resize(of_fixed.zx.size());
        response.zy.resize(of_response.zy.size());
        for (size_t f = 0; f < random.diag.size(); ++f) {
            take(of_random.diag[f], random.diag[f]);
            take(of_fixed.zx[f], fixed.zx[f]);
            take(of_response.zy[f], response.zy[f]);
        }
    }
    Blocked(const Blocked&) = delete;
    Blocked& operator=(const Blocked&) = delete;
    ~Blocked() {
        for (const auto& [total, recent] : lent_) total->swap(*recent);
    }
    void settle() {
        for (const auto& [total, recent] : added_) {
            for (size_t e = 0; e < total->size(); ++e) (*total)[e] += (*recent)[e];
            std::fill(recent->begin(), recent->end(), 0.0);
        }
        total_.yy += response.yy;
        response.yy = 0;
    }
    RandomPart random;
    FixedPart fixed;
    ResponsePart response;

  private:
    using Numbers = std::vector<double>;
    void take(Numbers& total, Numbers& recent) {
        if (total.size() > longest) {
            total.swap(recent);
            lent_.emplace_back(&total, &recent);
        } else {
            recent.assign(total.size(), 0.0);
            added_.emplace_back(&total, &recent);
        }
    }
    ResponsePart& total_;
    std::vector<std::pair<Numbers*, Numbers*>> added_, lent_;
};

void add_rows(Chunk& c, const Rows& rows, index r0, index end, RandomPart& random, FixedPart& fixed, ResponsePart& response) {
    for (; r0 < end; r0 += chunk) {
        const index m = std::min(chunk, end - r0);
        c.load(rows, r0, m);
        c.load_x(rows, r0, m);
        add_fixed(c, m, rows, fixed);
        add_response(c, m, rows, r0, response);
        add_random(c, m, rows, r0, random, fixed);
        check_interrupt();
    }
}

double log_weights(const Rows& rows) {
    double total = 0;
    for (index r0 = 0; rows.w && r0 < rows.n; r0 += Blocked::rows) {
        double some = 0;
        for (index r = r0; r < std::min(r0 + Blocked::rows, rows.n); ++r) some += std::log(rows.w[r]);
        total += some;
    }
    return total;
}

}  // namespace

ResponsePart empty_response(const Rows& rows) {
    ResponsePart out;
    out.xy.assign(rows.p, 0.0);
    for (const auto& f : rows.factors) out.zy.emplace_back(f.levels * f.k, 0.0);
    return out;
}

// Everything but Z_i'Z_j, of no rows.
void clear_own(const Rows& rows, RandomPart& random, FixedPart& fixed, ResponsePart& response) {
    const index p = rows.p;
    response = empty_response(rows);
    fixed.p = p;
    fixed.xx.assign(p * p, 0.0);
    for (const auto& f : rows.factors) {
        random.diag.emplace_back(f.levels * f.k * f.k, 0.0);
        fixed.zx.emplace_back(f.levels * f.k * p, 0.0);
    }
}

// Adds these rows to it, streaming over them; of X'X the upper triangle. The sum of log weights.
double add_own(const Rows& rows, RandomPart& random, FixedPart& fixed, ResponsePart& response) {
    Chunk c(rows);
    if (rows.n <= Blocked::rows) {
        add_rows(c, rows, 0, rows.n, random, fixed, response);
        return log_weights(rows);
    }
    Blocked recent(random, fixed, response);
    for (index r0 = 0; r0 < rows.n; r0 += Blocked::rows) {
        add_rows(c, rows, r0, std::min(r0 + Blocked::rows, rows.n), recent.random, recent.fixed, recent.response);
        recent.settle();
    }
    return log_weights(rows);
}

// syrk fills the column-major lower triangle, which is the row-major upper one, as the loops do
void mirror(FixedPart& fixed) {
    for (index a = 0; a < fixed.p; ++a)
        for (index b = 0; b < a; ++b) fixed.xx[a * fixed.p + b] = fixed.xx[b * fixed.p + a];
}

void add_responses(Rows rows, const double* y, const std::vector<double>& y_origin,
                   const std::vector<std::shared_ptr<ResponsePart>>& responses) {
    rows.y = y;  // the first of them, for load()
    Chunk c(rows);
    for (index r0 = 0; r0 < rows.n; r0 += chunk) {
        const index m = std::min(chunk, rows.n - r0);
        c.load(rows, r0, m);
        c.load_x(rows, r0, m);
        for (size_t s = 0; s < responses.size(); ++s) {
            const double* ys = y + static_cast<index>(s) * rows.n + r0;
            for (index i = 0; i < m; ++i) c.y[i] = (ys[i] - y_origin[s]) * c.root_w[i];
            add_response(c, m, rows, r0, *responses[s]);
        }
        check_interrupt();
    }
}

}  // namespace interlace
