// Rows to cross-products: streaming over the rows, chunk by chunk.
#include "crossproducts.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <type_traits>

#include "interrupt.hpp"

namespace interlace {
namespace {

constexpr index chunk = 256;

using Order = std::vector<std::uint32_t>;

// Stable counting sort of `before` (or of 0..n-1 when it is empty) by code.
Order sort_by(const std::int32_t* codes, index n, index levels, const Order& before) {
    std::vector<std::uint32_t> start(levels + 1, 0);
    for (index r = 0; r < n; ++r) ++start[codes[r] + 1];
    for (index l = 0; l < levels; ++l) start[l + 1] += start[l];
    Order order(n);
    if (before.empty())
        for (index r = 0; r < n; ++r) order[start[codes[r]]++] = static_cast<std::uint32_t>(r);
    else
        for (const std::uint32_t r : before) order[start[codes[r]]++] = r;
    return order;
}

PairPattern pair_pattern(const Rows& rows, index i, index j, const Order& order) {
    const FactorRows &fi = rows.factors[i], &fj = rows.factors[j];
    PairPattern out;
    out.i = i;
    out.j = j;
    out.ptr.assign(fi.levels + 1, 0);
    std::int32_t a = -1, b = -1;
    for (const std::uint32_t r : order) {
        if (fi.codes[r] != a || fj.codes[r] != b) {
            a = fi.codes[r];
            b = fj.codes[r];
            ++out.ptr[a + 1];
            out.col.push_back(b);
        }
    }
    for (index l = 0; l < fi.levels; ++l) out.ptr[l + 1] += out.ptr[l];
    return out;
}

// What row r adds to the block of its two levels.
void add_pair(const Rows& rows, const FactorRows& fi, const FactorRows& fj, index r, double* v) {
    const double w = rows.w ? rows.w[r] : 1.0;
    const double *zi = fi.z + r * fi.k, *zj = fj.z + r * fj.k;
    for (index c = 0; c < fi.k; ++c) {
        const double t = w * (zi[c] - fi.origin[c]);
        for (index d = 0; d < fj.k; ++d) v[c * fj.k + d] += t * (zj[d] - fj.origin[d]);
    }
}

// Blocks of a pair, rows sorted by (level of i, level of j).
std::vector<double> accumulate_pair(const Rows& rows, const PairPattern& pair, const Order& order) {
    const FactorRows &fi = rows.factors[pair.i], &fj = rows.factors[pair.j];
    const index block = fi.k * fj.k;
    std::vector<double> val(pair.col.size() * block, 0.0);
    double* v = val.data() - block;
    std::int32_t a = -1, b = -1;
    for (const std::uint32_t r : order) {
        if (fi.codes[r] != a || fj.codes[r] != b) {
            a = fi.codes[r];
            b = fj.codes[r];
            v += block;
        }
        add_pair(rows, fi, fj, r, v);
    }
    return val;
}

// Blocks of a pair, rows in any order.
std::vector<double> accumulate_found(const Rows& rows, const PairPattern& pair) {
    const FactorRows &fi = rows.factors[pair.i], &fj = rows.factors[pair.j];
    const index block = fi.k * fj.k;
    std::vector<double> val(pair.col.size() * block, 0.0);
    for (index r = 0; r < rows.n; ++r) {
        const index at = pair.find(fi.codes[r], fj.codes[r]);
        if (at == -1) throw std::invalid_argument("levels meet in these rows that do not meet in the pattern");
        add_pair(rows, fi, fj, r, &val[at * block]);
    }
    return val;
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
    double sum_log_w = 0;
    for (index r0 = 0; r0 < rows.n; r0 += chunk) {
        const index m = std::min(chunk, rows.n - r0);
        c.load(rows, r0, m);
        c.load_x(rows, r0, m);
        add_fixed(c, m, rows, fixed);
        add_response(c, m, rows, r0, response);
        add_random(c, m, rows, r0, random, fixed);
        check_interrupt();
    }
    if (rows.w)
        for (index r = 0; r < rows.n; ++r) sum_log_w += std::log(rows.w[r]);
    return sum_log_w;
}

// syrk fills the column-major lower triangle, which is the row-major upper one, as the loops do
void mirror(FixedPart& fixed) {
    for (index a = 0; a < fixed.p; ++a)
        for (index b = 0; b < a; ++b) fixed.xx[a * fixed.p + b] = fixed.xx[b * fixed.p + a];
}

CrossProducts accumulate_own(const Rows& rows, const std::shared_ptr<RandomPart>& random) {
    auto fixed = std::make_shared<FixedPart>();
    auto response = std::make_shared<ResponsePart>();
    clear_own(rows, *random, *fixed, *response);
    const double sum_log_w = add_own(rows, *random, *fixed, *response);
    mirror(*fixed);
    return {rows.n, sum_log_w, random, std::move(fixed), std::move(response)};
}

PairSums pair_sums(const Rows& rows, index i, index j, const Order& order) {
    PairSums out;
    out.pattern = pair_pattern(rows, i, j, order);
    out.values = accumulate_pair(rows, out.pattern, order);
    return out;
}

// The sums of both, blocks in order.
PairSums merged(const PairSums& a, const PairSums& b, index block) {
    PairSums out;
    out.parts = a.parts + b.parts;
    out.pattern.i = a.pattern.i;
    out.pattern.j = a.pattern.j;
    out.pattern.ptr.reserve(a.pattern.ptr.size());
    out.pattern.ptr.push_back(0);
    out.pattern.col.reserve(a.pattern.col.size() + b.pattern.col.size());
    out.values.reserve(a.values.size() + b.values.size());
    const auto take = [&](const PairSums& from, index at) {
        out.pattern.col.push_back(from.pattern.col[at]);
        out.values.insert(out.values.end(), from.values.begin() + at * block, from.values.begin() + (at + 1) * block);
    };
    const index levels = static_cast<index>(a.pattern.ptr.size()) - 1;
    for (index l = 0; l < levels; ++l) {
        index s = a.pattern.ptr[l], t = b.pattern.ptr[l];
        const index s1 = a.pattern.ptr[l + 1], t1 = b.pattern.ptr[l + 1];
        while (s < s1 || t < t1) {
            if (t == t1 || (s < s1 && a.pattern.col[s] < b.pattern.col[t])) {
                take(a, s++);
            } else if (s == s1 || b.pattern.col[t] < a.pattern.col[s]) {
                take(b, t++);
            } else {
                take(a, s++);
                double* to = &out.values[out.values.size() - static_cast<size_t>(block)];
                for (index e = 0; e < block; ++e) to[e] += b.values[t * block + e];
                ++t;
            }
        }
        out.pattern.ptr.push_back(static_cast<index>(out.pattern.col.size()));
        if (l % 1024 == 0) check_interrupt();
    }
    return out;
}

}  // namespace

Accumulation::Accumulation(const Rows& shape)
    : random_(std::make_shared<RandomPart>()), fixed_(std::make_shared<FixedPart>()), response_(std::make_shared<ResponsePart>()) {
    auto pattern = std::make_shared<Pattern>();
    for (const auto& f : shape.factors) {
        pattern->levels.push_back(f.levels);
        pattern->k.push_back(f.k);
    }
    random_->pattern = std::move(pattern);
    clear_own(shape, *random_, *fixed_, *response_);
    waiting_.resize(shape.factors.size() * (shape.factors.size() - 1) / 2);
}

void Accumulation::add(const Rows& rows) {
    if (rows.n > INT32_MAX) throw std::length_error("more than 2^31 rows in one chunk");
    const Pattern& shape = *random_->pattern;
    bool belongs = static_cast<index>(rows.factors.size()) == shape.factors() && rows.p == fixed_->p;
    for (size_t f = 0; belongs && f < rows.factors.size(); ++f)
        belongs = rows.factors[f].levels == shape.levels[f] && rows.factors[f].k == shape.k[f];
    if (!belongs) throw std::invalid_argument("rows of another design");
    sum_log_w_ += add_own(rows, *random_, *fixed_, *response_);
    n_ += rows.n;
    // Z_i'Z_j, rows sorted by (level of i, level of j)
    const index factors = shape.factors();
    std::vector<Order> by(factors);
    size_t s = 0;
    for (index i = 0; i < factors; ++i)
        for (index j = i + 1; j < factors; ++j, ++s) {
            if (by[j].empty()) by[j] = sort_by(rows.factors[j].codes, rows.n, rows.factors[j].levels, {});
            const Order order = sort_by(rows.factors[i].codes, rows.n, rows.factors[i].levels, by[j]);
            waiting_[s].push_back(pair_sums(rows, i, j, order));
            settle(waiting_[s], shape.k[i] * shape.k[j], false);
            check_interrupt();
        }
}

// Those of as many chunks become one, the last ones first: each block is copied as often as the number of chunks has digits.
void Accumulation::settle(std::vector<PairSums>& waiting, index block, bool all) {
    while (waiting.size() > 1) {
        PairSums &a = waiting[waiting.size() - 2], &b = waiting.back();
        if (!all && a.parts > b.parts) return;
        a = merged(a, b, block);
        waiting.pop_back();
    }
}

CrossProducts Accumulation::take() {
    auto pattern = std::make_shared<Pattern>();
    pattern->levels = random_->pattern->levels;
    pattern->k = random_->pattern->k;
    size_t s = 0;
    for (index i = 0; i < pattern->factors(); ++i)
        for (index j = i + 1; j < pattern->factors(); ++j, ++s) {
            if (waiting_[s].empty()) throw std::logic_error("no rows were added");
            settle(waiting_[s], pattern->k[i] * pattern->k[j], true);
            pattern->pairs.push_back(std::move(waiting_[s][0].pattern));
            random_->cross.push_back(std::move(waiting_[s][0].values));
            waiting_[s].clear();
        }
    random_->pattern = std::move(pattern);
    mirror(*fixed_);
    return {n_, sum_log_w_, std::move(random_), std::move(fixed_), std::move(response_)};
}

CrossProducts accumulate(const Rows& rows) {
    Accumulation out(rows);
    out.add(rows);
    return out.take();
}

CrossProducts accumulate_on(const SharedPattern& pattern, const Rows& rows) {
    bool belongs = static_cast<index>(rows.factors.size()) == pattern->factors();
    for (size_t f = 0; belongs && f < rows.factors.size(); ++f)
        belongs = rows.factors[f].levels == pattern->levels[f] && rows.factors[f].k == pattern->k[f];
    if (!belongs) throw std::invalid_argument("rows do not belong to this pattern");
    auto random = std::make_shared<RandomPart>();
    random->pattern = pattern;
    CrossProducts out = accumulate_own(rows, random);
    for (const PairPattern& pair : pattern->pairs) {
        random->cross.push_back(accumulate_found(rows, pair));
        check_interrupt();
    }
    return out;
}

CrossProducts with_response(const CrossProducts& base, const Rows& rows) {
    return with_responses(base, rows, rows.y, {rows.y_origin})[0];
}

std::vector<CrossProducts> with_responses(const CrossProducts& base, Rows rows, const double* y, const std::vector<double>& y_origin) {
    if (rows.n != base.n || rows.p != base.fixed->p) throw std::invalid_argument("rows do not belong to these cross-products");
    std::vector<std::shared_ptr<ResponsePart>> responses;
    for (size_t s = 0; s < y_origin.size(); ++s) responses.push_back(std::make_shared<ResponsePart>(empty_response(rows)));
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
    std::vector<CrossProducts> out;
    for (auto& r : responses) out.push_back({base.n, base.sum_log_w, base.random, base.fixed, std::move(r)});
    return out;
}

}  // namespace interlace
