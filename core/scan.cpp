#include "scan.hpp"

#include <algorithm>
#include <stdexcept>

namespace interlace {
namespace {

constexpr index lanes = 8, block = 128;  // those of NumPy's pairwise sums, so that sums are the same to the last digit

// Up to `block` numbers side by side in `lanes` sums.
Scan leaf(const double* x, index n, index stride) {
    Scan out;
    out.low = out.high = x[0];
    if (n < lanes) {
        out.sum = -0.0;
        for (index i = 0; i < n; ++i) {
            const double v = x[i * stride];
            out.sum += v;
            out.squares += v * v;
            out.low = std::min(out.low, v);
            out.high = std::max(out.high, v);
        }
        return out;
    }
    double sum[lanes], squares[lanes], low[lanes], high[lanes];
    for (index j = 0; j < lanes; ++j) {
        const double v = x[j * stride];
        sum[j] = low[j] = high[j] = v;
        squares[j] = v * v;
    }
    index i = lanes;
    for (; i + lanes <= n; i += lanes)
        for (index j = 0; j < lanes; ++j) {
            const double v = x[(i + j) * stride];
            sum[j] += v;
            squares[j] += v * v;
            low[j] = v < low[j] ? v : low[j];
            high[j] = v > high[j] ? v : high[j];
        }
    const auto pairwise = [](const double* a) { return ((a[0] + a[1]) + (a[2] + a[3])) + ((a[4] + a[5]) + (a[6] + a[7])); };
    out.sum = pairwise(sum);
    out.squares = pairwise(squares);
    for (index j = 0; j < lanes; ++j) {
        out.low = std::min(out.low, low[j]);
        out.high = std::max(out.high, high[j]);
    }
    for (; i < n; ++i) {
        const double v = x[i * stride];
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
    if (n <= block) return leaf(x, n, stride);
    const index half = n / 2 - (n / 2) % lanes;
    const Scan a = scan(x, half, stride), b = scan(x + half * stride, n - half, stride);
    return {a.sum + b.sum, a.squares + b.squares, std::min(a.low, b.low), std::max(a.high, b.high)};
}

}  // namespace interlace
