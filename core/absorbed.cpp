#include "absorbed.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <stdexcept>

#include "interrupt.hpp"
#include "pool.hpp"

namespace interlace {
namespace {

// A column of a level that keeps less than this share of its length beside the others says nothing of its own.
constexpr double depends = 1e-11;
constexpr index most_chunks = 16;

struct Sorted {
    std::vector<index> start;         // levels + 1
    std::vector<std::uint32_t> rows;  // by level
};

Sorted by_level(index n, index levels, const std::int32_t* codes) {
    Sorted s{std::vector<index>(levels + 1, 0), std::vector<std::uint32_t>(n)};
    for (index r = 0; r < n; ++r) ++s.start[codes[r] + 1];
    std::partial_sum(s.start.begin(), s.start.end(), s.start.begin());
    std::vector<index> next(s.start.begin(), s.start.end() - 1);
    for (index r = 0; r < n; ++r) s.rows[next[codes[r]]++] = static_cast<std::uint32_t>(r);
    return s;
}

double dot(index m, const double* w, const double* a, const double* b) {
    double s = 0;
    for (index i = 0; i < m; ++i) s += w[i] * a[i] * b[i];
    return s;
}

// Columns v (m x k, column-major) become orthonormal with weights w, times `t` (k x k row-major); each is swept twice.
void orthonormal(index m, index k, const double* w, double* v, double* t, double* diag) {
    std::fill(t, t + k * k, 0.0);
    for (index c = 0; c < k; ++c) {
        double* vc = v + c * m;
        t[c * k + c] = 1.0;
        const double before = std::sqrt(dot(m, w, vc, vc));
        for (int pass = 0; pass < 2; ++pass)
            for (index l = 0; l < c; ++l) {
                const double h = dot(m, w, v + l * m, vc);
                for (index i = 0; i < m; ++i) vc[i] -= h * v[l * m + i];
                for (index i = 0; i <= l; ++i) t[i * k + c] -= h * t[i * k + l];
            }
        const double norm = std::sqrt(dot(m, w, vc, vc));
        const bool kept = norm > depends * before;
        diag[c] = kept ? 1.0 : 0.0;
        for (index i = 0; i < m; ++i) vc[i] = kept ? vc[i] / norm : 0.0;
        for (index i = 0; i <= c; ++i) t[i * k + c] = kept ? t[i * k + c] / norm : 0.0;
    }
}

// The columns of one factor, level by level; z is in the order of the rows.
void make_orthonormal(AbsorbedRows::Factor& f, const Sorted& rows, const std::vector<double>& w) {
    const index k = f.k;
    f.transform.assign(f.levels * k * k, 0.0);
    std::vector<double> v, weight;
    for (index level = 0; level < f.levels; ++level) {
        const index s = rows.start[level], m = rows.start[level + 1] - s;
        v.resize(m * k);
        weight.assign(m, 1.0);
        for (index i = 0; i < m; ++i) {
            const index r = rows.rows[s + i];
            if (!w.empty()) weight[i] = w[r];
            for (index c = 0; c < k; ++c) v[c * m + i] = f.z[r * k + c];
        }
        orthonormal(m, k, weight.data(), v.data(), &f.transform[level * k * k], &f.diag[level * k]);
        for (index i = 0; i < m; ++i)
            for (index c = 0; c < k; ++c) f.z[rows.rows[s + i] * k + c] = v[c * m + i];
        if (level % 256 == 0) check_interrupt();
    }
}

std::vector<index> by_size(const std::vector<AbsorbedFactor>& given) {
    std::vector<index> order(given.size());
    std::iota(order.begin(), order.end(), index{0});
    std::stable_sort(order.begin(), order.end(), [&](index a, index b) { return given[a].levels * given[a].k > given[b].levels * given[b].k; });
    return order;
}

// Runs of levels of the lead with about as many rows each: more of them where their sums over the rest are short.
std::vector<index> cut(const std::vector<index>& start, index n, index q) {
    index tasks = 1;
    while (2 * tasks <= most_chunks && 2 * tasks * 4 * q <= n && 2 * tasks * 8192 <= n) tasks *= 2;
    std::vector<index> chunks{0};
    for (index t = 1; t < tasks; ++t) {
        const index level = std::lower_bound(start.begin(), start.end(), t * n / tasks) - start.begin();
        if (level > chunks.back() && level < static_cast<index>(start.size()) - 1) chunks.push_back(level);
    }
    chunks.push_back(static_cast<index>(start.size()) - 1);
    return chunks;
}

}  // namespace

AbsorbedRows::AbsorbedRows(index rows, const std::vector<AbsorbedFactor>& given, const double* weights) : n(rows) {
    if (given.empty()) throw std::invalid_argument("at least one factor");
    const std::vector<index> order = by_size(given);
    const AbsorbedFactor& lead = given[order[0]];
    if (std::is_sorted(lead.codes, lead.codes + n)) {
        start.assign(lead.levels + 1, 0);
        for (index r = 0; r < n; ++r) ++start[lead.codes[r] + 1];
        std::partial_sum(start.begin(), start.end(), start.begin());
    } else {
        Sorted s = by_level(n, lead.levels, lead.codes);
        start = std::move(s.start);
        perm = std::move(s.rows);
    }
    check_interrupt();
    if (weights) {
        w.resize(n);
        for (index r = 0; r < n; ++r) w[r] = weights[row(r)];
    }
    for (const index g : order) {
        Factor f;
        f.given = g;
        f.levels = given[g].levels;
        f.k = given[g].plain() ? 1 : given[g].k;
        f.intercept = given[g].intercept;
        f.base = factors.empty() ? 0 : q;
        f.diag.assign(f.levels * f.k, 0.0);
        if (!factors.empty()) q += f.levels * f.k;
        if (q > 2147483647) throw std::length_error("more coefficients of levels than can be numbered");
        factors.push_back(std::move(f));
    }
    const index m = rest();
    at.resize(n * m);
    for (index f = 1; f <= m; ++f) {
        const std::int32_t* codes = given[factors[f].given].codes;
        const index base = factors[f].base, k = factors[f].k;
        for (index r = 0; r < n; ++r) at[r * m + f - 1] = static_cast<std::int32_t>(base + codes[row(r)] * k);
    }
    for (Factor& f : factors) {
        const AbsorbedFactor& from = given[f.given];
        check_interrupt();
        if (from.plain()) {
            for (index r = 0; r < n; ++r) f.diag[from.codes[row(r)]] += weight(r);
            continue;
        }
        f.z.resize(n * f.k);
        std::vector<std::int32_t> codes(n);
        for (index r = 0; r < n; ++r) {
            codes[r] = from.codes[row(r)];
            std::copy_n(from.z + row(r) * f.k, f.k, &f.z[r * f.k]);
        }
        make_orthonormal(f, by_level(n, f.levels, codes.data()), w);
    }
    chunks = cut(start, n, q);
}

bool AbsorbedRows::counts() const {
    return w.empty() && std::all_of(factors.begin(), factors.end(), [](const Factor& f) { return f.plain(); });
}

std::vector<double> AbsorbedRows::diagonal() const {
    std::vector<double> d;
    d.reserve(q);
    for (index f = 1; f <= rest(); ++f) d.insert(d.end(), factors[f].diag.begin(), factors[f].diag.end());
    return d;
}

}  // namespace interlace
