#include "scan.hpp"

#include <algorithm>
#include <stdexcept>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace interlace {
namespace {

constexpr index lanes = 8, block = 128;  // those of NumPy's pairwise sums, so that sums are the same to the last digit

// Two numbers at a time: compilers make single instructions of the least and the largest of two only where no number is missing.
#if defined(__SSE2__)
struct Two {
    __m128d v;
    static Two of(const double* x) { return {_mm_loadu_pd(x)}; }
    void to(double* x) const { _mm_storeu_pd(x, v); }
    friend Two operator+(Two a, Two b) { return {_mm_add_pd(a.v, b.v)}; }
    friend Two operator*(Two a, Two b) { return {_mm_mul_pd(a.v, b.v)}; }
    friend Two lower(Two a, Two b) { return {_mm_min_pd(a.v, b.v)}; }  // b where a is no number
    friend Two higher(Two a, Two b) { return {_mm_max_pd(a.v, b.v)}; }
};
#else
struct Two {
    double a, b;
    static Two of(const double* x) { return {x[0], x[1]}; }
    void to(double* x) const {
        x[0] = a;
        x[1] = b;
    }
    friend Two operator+(Two u, Two v) { return {u.a + v.a, u.b + v.b}; }
    friend Two operator*(Two u, Two v) { return {u.a * v.a, u.b * v.b}; }
    friend Two lower(Two u, Two v) { return {u.a < v.a ? u.a : v.a, u.b < v.b ? u.b : v.b}; }
    friend Two higher(Two u, Two v) { return {u.a > v.a ? u.a : v.a, u.b > v.b ? u.b : v.b}; }
};
#endif

double pairwise(const double* a) { return ((a[0] + a[1]) + (a[2] + a[3])) + ((a[4] + a[5]) + (a[6] + a[7])); }

// The first numbers, as many as fill all lanes once and more: how many these are.
index in_lanes(const double* x, index n, Scan& out) {
    constexpr index twos = lanes / 2;
    Two sum[twos], squares[twos], low[2], high[2];
    for (index j = 0; j < twos; ++j) {
        sum[j] = Two::of(x + 2 * j);
        squares[j] = sum[j] * sum[j];
    }
    for (index j = 0; j < 2; ++j) {
        low[j] = lower(sum[2 + j], sum[j]);
        high[j] = higher(sum[2 + j], sum[j]);
    }
    index i = lanes;
    for (; i + lanes <= n; i += lanes)
        for (index j = 0; j < twos; ++j) {
            const Two v = Two::of(x + i + 2 * j);
            sum[j] = sum[j] + v;
            squares[j] = squares[j] + v * v;
            low[j % 2] = lower(v, low[j % 2]);
            high[j % 2] = higher(v, high[j % 2]);
        }
    double of[lanes];
    for (index j = 0; j < twos; ++j) sum[j].to(of + 2 * j);
    out.sum = pairwise(of);
    for (index j = 0; j < twos; ++j) squares[j].to(of + 2 * j);
    out.squares = pairwise(of);
    lower(low[0], low[1]).to(of);
    out.low = std::min(of[0], of[1]);
    higher(high[0], high[1]).to(of);
    out.high = std::max(of[0], of[1]);
    return i;
}

// Up to `block` numbers side by side in `lanes` sums.
Scan leaf(const double* x, index n) {
    Scan out{-0.0, 0.0, x[0], x[0]};
    index i = n < lanes ? 0 : in_lanes(x, n, out);
    for (; i < n; ++i) {
        const double v = x[i];
        out.sum += v;
        out.squares += v * v;
        out.low = std::min(out.low, v);
        out.high = std::max(out.high, v);
    }
    return out;
}

}  // namespace

bool all_below(const std::int32_t* codes, index n, index levels) {
    const auto end = static_cast<std::uint32_t>(std::min<index>(levels, std::int64_t{1} << 31));  // a negative code lies above
    bool all = true;
    for (index i = 0; i < n; ++i) all &= static_cast<std::uint32_t>(codes[i]) < end;
    return all;
}

bool all_occur(const std::int32_t* codes, index n, index levels) {
    std::vector<char> seen(levels, 0);
    index left = levels;
    for (index i = 0; i < n && left > 0; ++i) {
        const index code = codes[i];
        if (code < 0 || code >= levels || seen[code]) continue;
        seen[code] = 1;
        --left;
    }
    return left == 0;
}

Counted counted(const std::int64_t* values, index n, std::int64_t low, index span) {
    std::vector<std::int32_t> place(span, -1);
    for (index i = 0; i < n; ++i) place[values[i] - low] = 0;
    Counted out;
    for (index v = 0; v < span; ++v) {
        if (place[v] < 0) continue;
        place[v] = static_cast<std::int32_t>(out.levels.size());
        out.levels.push_back(low + v);
    }
    out.codes.resize(n);
    for (index i = 0; i < n; ++i) out.codes[i] = place[values[i] - low];
    return out;
}

template <class Integer>
std::vector<std::int32_t> looked_up(const Integer* values, index n, std::int64_t low, const std::int32_t* table, index size) {
    std::vector<std::int32_t> out(n);
    const auto above = [low](Integer value) {  // the difference may be larger than an integer of its own type
        return static_cast<std::uint64_t>(value) - static_cast<std::uint64_t>(low);
    };
    const auto end = static_cast<std::uint64_t>(size);
    if (table == nullptr)
        for (index i = 0; i < n; ++i) out[i] = above(values[i]) < end ? static_cast<std::int32_t>(above(values[i])) : -1;
    else
        for (index i = 0; i < n; ++i) out[i] = above(values[i]) < end ? table[above(values[i])] : -1;
    return out;
}
template std::vector<std::int32_t> looked_up(const std::int32_t*, index, std::int64_t, const std::int32_t*, index);
template std::vector<std::int32_t> looked_up(const std::int64_t*, index, std::int64_t, const std::int32_t*, index);

template <class Integer> std::vector<index> first_met(const Integer* values, index n, std::int64_t low, std::int8_t* table, index size) {
    std::vector<index> out;
    for (index i = 0; i < n; ++i) {
        const std::uint64_t at = static_cast<std::uint64_t>(values[i]) - static_cast<std::uint64_t>(low);
        if (at >= static_cast<std::uint64_t>(size)) throw std::invalid_argument("an integer lies outside of the table");
        if (table[at]) continue;
        table[at] = 1;
        out.push_back(i);
    }
    return out;
}
template std::vector<index> first_met(const std::int32_t*, index, std::int64_t, std::int8_t*, index);
template std::vector<index> first_met(const std::int64_t*, index, std::int64_t, std::int8_t*, index);

Scan scan(const double* x, index n, index stride) {
    if (n <= block && stride == 1) return leaf(x, n);
    if (n <= block) {
        double near[block] = {};
        for (index i = 0; i < n; ++i) near[i] = x[i * stride];
        return leaf(near, n);
    }
    const index half = n / 2 - (n / 2) % lanes;
    const Scan a = scan(x, half, stride), b = scan(x + half * stride, n - half, stride);
    return {a.sum + b.sum, a.squares + b.squares, std::min(a.low, b.low), std::max(a.high, b.high)};
}

}  // namespace interlace
