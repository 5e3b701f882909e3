#include "crossproducts.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <type_traits>

#include "interrupt.hpp"
#include "small.hpp"

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

// Rows [r0, r0 + m) about the origin, times the square root of the weight.
struct Chunk {
    std::vector<double> x, y, root_w;
    std::vector<std::vector<double>> z;
    explicit Chunk(const Rows& rows) : x(chunk * rows.p), y(chunk), root_w(chunk, 1.0) {
        for (const auto& f : rows.factors) z.emplace_back(chunk * f.k);
    }
    void load_x(const Rows& rows, index r0, index m) {
        for (index i = 0; i < m; ++i) {
            const double* xr = rows.x + (r0 + i) * rows.x_row;
            for (index c = 0; c < rows.p; ++c) x[i * rows.p + c] = (xr[c * rows.x_col] - rows.x_origin[c]) * root_w[i];
        }
    }
    void load(const Rows& rows, index r0, index m) {
        if (rows.w)
            for (index i = 0; i < m; ++i) root_w[i] = std::sqrt(rows.w[r0 + i]);
        for (index i = 0; i < m; ++i) y[i] = (rows.y[r0 + i] - rows.y_origin) * root_w[i];
        for (size_t f = 0; f < rows.factors.size(); ++f) {
            const FactorRows& fr = rows.factors[f];
            for (index i = 0; i < m; ++i)
                for (index c = 0; c < fr.k; ++c) z[f][i * fr.k + c] = (fr.z[(r0 + i) * fr.k + c] - fr.origin[c]) * root_w[i];
        }
    }
};

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

// Products with y of the columns of one factor, added up by level.
template <index K> void add_by_level(const double* z, const double* y, const std::int32_t* codes, index m, index columns, double* zy) {
    const index k = K ? K : columns;
    for (index i = 0; i < m; ++i, z += k) {
        double* to = zy + codes[i] * k;
        for (index a = 0; a < k; ++a) to[a] += z[a] * y[i];
    }
}

void add_response(const Chunk& c, index m, const Rows& rows, index r0, ResponsePart& out) {
    const index p = rows.p;
    std::vector<double> xy(p, 0.0);
    double yy = 0;
    for (index i = 0; i < m; ++i) {
        yy += c.y[i] * c.y[i];
        for (index a = 0; a < p; ++a) xy[a] += c.x[i * p + a] * c.y[i];
    }
    out.yy += yy;
    for (index a = 0; a < p; ++a) out.xy[a] += xy[a];
    for (size_t f = 0; f < rows.factors.size(); ++f) {
        const FactorRows& r = rows.factors[f];
        with_count(r.k, [&](auto K) { add_by_level<K()>(c.z[f].data(), c.y.data(), r.codes + r0, m, r.k, out.zy[f].data()); });
    }
}

// Z'Z and Z'X of one factor, added up by level.
template <index K, index P>
void add_effects(const double* z, const double* x, const std::int32_t* codes, index m, index effects, index columns, double* diag, double* zx) {
    const index k = K ? K : effects, p = P ? P : columns;
    for (index i = 0; i < m; ++i, z += k, x += p) {
        double *d = diag + codes[i] * k * k, *to = zx + codes[i] * k * p;
        for (index a = 0; a < k; ++a) {
            for (index b = 0; b < k; ++b) d[a * k + b] += z[a] * z[b];
            for (index b = 0; b < p; ++b) to[a * p + b] += z[a] * x[b];
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

void add_scaled(std::vector<double>& a, const std::vector<double>& b, double c) {
    for (size_t i = 0; i < a.size(); ++i) a[i] += c * b[i];
}

// target, on pair t of a pattern, += c times the blocks of `part`, whose pattern is that one or lies in it.
void add_cross(std::vector<double>& target, const Pattern& pattern, const RandomPart& part, index t, double c) {
    if (part.pattern.get() == &pattern) return add_scaled(target, part.cross[t], c);
    const PairPattern& pair = pattern.pairs[t];
    const index block = pattern.k[pair.i] * pattern.k[pair.j];
    const std::vector<index> at = places(part.pattern->pairs[t], pair);
    for (size_t b = 0; b < at.size(); ++b)
        for (index e = 0; e < block; ++e) target[at[b] * block + e] += c * part.cross[t][static_cast<index>(b) * block + e];
}

// Everything but Z_i'Z_j, streaming over the rows.
CrossProducts accumulate_own(const Rows& rows, const std::shared_ptr<RandomPart>& random) {
    const index p = rows.p;
    auto fixed = std::make_shared<FixedPart>();
    auto response = std::make_shared<ResponsePart>(empty_response(rows));
    fixed->p = p;
    fixed->xx.assign(p * p, 0.0);
    for (const auto& f : rows.factors) {
        random->diag.emplace_back(f.levels * f.k * f.k, 0.0);
        fixed->zx.emplace_back(f.levels * f.k * p, 0.0);
    }
    Chunk c(rows);
    double sum_log_w = 0;
    for (index r0 = 0; r0 < rows.n; r0 += chunk) {
        const index m = std::min(chunk, rows.n - r0);
        c.load(rows, r0, m);
        c.load_x(rows, r0, m);
        add_fixed(c, m, rows, *fixed);
        add_response(c, m, rows, r0, *response);
        add_random(c, m, rows, r0, *random, *fixed);
        check_interrupt();
    }
    if (rows.w)
        for (index r = 0; r < rows.n; ++r) sum_log_w += std::log(rows.w[r]);
    // syrk fills the column-major lower triangle, which is the row-major upper one, as the loops do
    for (index a = 0; a < p; ++a)
        for (index b = 0; b < a; ++b) fixed->xx[a * p + b] = fixed->xx[b * p + a];
    return {rows.n, sum_log_w, random, std::move(fixed), std::move(response)};
}

// Zeros on a pattern.
CrossProducts zeros(const SharedPattern& pattern, index p) {
    auto random = std::make_shared<RandomPart>();
    auto fixed = std::make_shared<FixedPart>();
    auto response = std::make_shared<ResponsePart>();
    random->pattern = pattern;
    fixed->p = p;
    fixed->xx.assign(p * p, 0.0);
    response->xy.assign(p, 0.0);
    for (index f = 0; f < pattern->factors(); ++f) {
        random->diag.emplace_back(pattern->q(f) * pattern->k[f], 0.0);
        fixed->zx.emplace_back(pattern->q(f) * p, 0.0);
        response->zy.emplace_back(pattern->q(f), 0.0);
    }
    for (const PairPattern& pair : pattern->pairs)
        random->cross.emplace_back(static_cast<index>(pair.col.size()) * pattern->k[pair.i] * pattern->k[pair.j], 0.0);
    return {0, 0.0, std::move(random), std::move(fixed), std::move(response)};
}

}  // namespace

CrossProducts accumulate(const Rows& rows) {
    if (rows.n > INT32_MAX) throw std::length_error("more than 2^31 rows in one chunk");
    auto pattern = std::make_shared<Pattern>();
    auto random = std::make_shared<RandomPart>();
    for (const auto& f : rows.factors) {
        pattern->levels.push_back(f.levels);
        pattern->k.push_back(f.k);
    }
    CrossProducts out = accumulate_own(rows, random);
    // Z_i'Z_j, rows sorted by (level of i, level of j)
    const index factors = static_cast<index>(rows.factors.size());
    std::vector<Order> by(factors);
    for (index i = 0; i < factors; ++i)
        for (index j = i + 1; j < factors; ++j) {
            if (by[j].empty()) by[j] = sort_by(rows.factors[j].codes, rows.n, rows.factors[j].levels, {});
            const Order order = sort_by(rows.factors[i].codes, rows.n, rows.factors[i].levels, by[j]);
            pattern->pairs.push_back(pair_pattern(rows, i, j, order));
            random->cross.push_back(accumulate_pair(rows, pattern->pairs.back(), order));
            check_interrupt();
        }
    random->pattern = std::move(pattern);
    return out;
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

CrossProducts combine(const std::vector<CrossProducts>& parts, const std::vector<double>& coefficients, index n, double sum_log_w) {
    if (parts.empty() || parts.size() != coefficients.size()) throw std::invalid_argument("one coefficient for each of the cross-products");
    const index p = parts[0].fixed->p;
    SharedPattern pattern = parts[0].random->pattern;
    for (const CrossProducts& a : parts) {
        if (a.fixed->p != p) throw std::invalid_argument("cross-products of different designs cannot be combined");
        pattern = unite(pattern, a.random->pattern);
    }
    const CrossProducts empty = zeros(pattern, p);
    auto random = std::make_shared<RandomPart>(*empty.random);
    auto fixed = std::make_shared<FixedPart>(*empty.fixed);
    auto response = std::make_shared<ResponsePart>(*empty.response);
    for (size_t s = 0; s < parts.size(); ++s) {
        const CrossProducts& a = parts[s];
        const double c = coefficients[s];
        for (index f = 0; f < pattern->factors(); ++f) {
            add_scaled(random->diag[f], a.random->diag[f], c);
            add_scaled(fixed->zx[f], a.fixed->zx[f], c);
            add_scaled(response->zy[f], a.response->zy[f], c);
        }
        for (index t = 0; t < random->pairs(); ++t) add_cross(random->cross[t], *pattern, *a.random, t, c);
        add_scaled(fixed->xx, a.fixed->xx, c);
        add_scaled(response->xy, a.response->xy, c);
        response->yy += c * a.response->yy;
        check_interrupt();
    }
    return {n, sum_log_w, std::move(random), std::move(fixed), std::move(response)};
}

double explained(const CrossProducts& a) {
    const index p = a.fixed->p;
    if (p == 0) return 0.0;
    std::vector<double> r = a.fixed->xx, z = a.response->xy;
    if (!blas::potrf_lower(p, r.data(), p)) return std::numeric_limits<double>::infinity();
    blas::trsm_lower('L', 'N', p, 1, r.data(), p, z.data(), p);
    double sum = 0;
    for (const double v : z) sum += v * v;
    return sum;
}

std::vector<double> zx_total(const CrossProducts& a, index f) {
    const index block = a.random->k().at(f) * a.fixed->p;
    std::vector<double> out(block, 0.0);
    for (index g = 0; g < a.random->levels()[f]; ++g)
        for (index i = 0; i < block; ++i) out[i] += a.fixed->zx[f][g * block + i];
    return out;
}

CrossProducts select_fixed(const CrossProducts& a, const std::vector<index>& keep) {
    auto fixed = std::make_shared<FixedPart>();
    auto response = std::make_shared<ResponsePart>(*a.response);
    const index p = a.fixed->p, m = static_cast<index>(keep.size());
    fixed->p = m;
    fixed->xx.resize(m * m);
    response->xy.resize(m);
    for (index i = 0; i < m; ++i) {
        response->xy[i] = a.response->xy[keep[i]];
        for (index j = 0; j < m; ++j) fixed->xx[i * m + j] = a.fixed->xx[keep[i] * p + keep[j]];
    }
    for (const auto& zx : a.fixed->zx) {
        const index rows = p ? static_cast<index>(zx.size()) / p : 0;
        std::vector<double> out(rows * m);
        for (index r = 0; r < rows; ++r)
            for (index j = 0; j < m; ++j) out[r * m + j] = zx[r * p + keep[j]];
        fixed->zx.push_back(std::move(out));
    }
    return {a.n, a.sum_log_w, a.random, std::move(fixed), std::move(response)};
}

CrossProducts with_fixed(const CrossProducts& a, const double* h, index m, const double* v) {
    auto fixed = std::make_shared<FixedPart>();
    auto response = std::make_shared<ResponsePart>(*a.response);
    const index p = a.fixed->p;
    fixed->p = m;
    // 1) X'(y - X v), and y'y with it
    std::vector<double> xy(a.response->xy), xh(p * m, 0.0);
    for (index i = 0; i < p; ++i) {
        const double xv = small::dot(p, &a.fixed->xx[i * p], v);
        response->yy += v[i] * (xv - 2.0 * xy[i]);
        xy[i] -= xv;
    }
    // 2) in the new columns
    small::add_ab(p, m, p, 1.0, a.fixed->xx.data(), h, xh.data());
    fixed->xx.assign(m * m, 0.0);
    small::add_atb(m, m, p, 1.0, h, xh.data(), fixed->xx.data());
    response->xy.assign(m, 0.0);
    small::add_atb(m, 1, p, 1.0, h, xy.data(), response->xy.data());
    for (size_t f = 0; f < a.fixed->zx.size(); ++f) {
        const std::vector<double>& zx = a.fixed->zx[f];
        const index rows = static_cast<index>(response->zy[f].size());
        std::vector<double> out(rows * m, 0.0);
        for (index r = 0; r < rows; ++r) {
            response->zy[f][r] -= small::dot(p, &zx[r * p], v);
            small::add_ab(1, m, p, 1.0, &zx[r * p], h, &out[r * m]);
        }
        fixed->zx.push_back(std::move(out));
    }
    return {a.n, a.sum_log_w, a.random, std::move(fixed), std::move(response)};
}

}  // namespace interlace
