#include "level_table.hpp"

#include <type_traits>

namespace interlace {
namespace {

constexpr index line = 8;  // numbers that come from memory together

// f(K, P) for k effects and p columns of X.
template <index P, class F> void with_effects(index k, F f) {
    switch (k) {
        case 1: return f(std::integral_constant<index, 1>{}, std::integral_constant<index, P>{});
        case 2: return f(std::integral_constant<index, 2>{}, std::integral_constant<index, P>{});
        case 3: return f(std::integral_constant<index, 3>{}, std::integral_constant<index, P>{});
        default: return f(std::integral_constant<index, 4>{}, std::integral_constant<index, P>{});
    }
}
template <class F> void with_sizes(index k, index p, F f) {
    switch (p) {
        case 1: return with_effects<1>(k, f);
        case 2: return with_effects<2>(k, f);
        case 3: return with_effects<3>(k, f);
        default: return with_effects<4>(k, f);
    }
}

// The numbers of a level: Z'X (k x p), Z'y (k), and the lower triangle of Z'Z where there is one.
constexpr index numbers(index k, index p, bool in_x) { return k * p + k + (in_x ? 0 : k * (k + 1) / 2); }

// No level crosses the end of a line where it can be helped.
index step_of(index n) { return n <= line / 2 ? line / 2 : n <= line ? line : n; }

template <index K, index P, bool InX>
void add_rows(const double* z, const double* x, const double* y, const std::int32_t* codes, index m, index known, index step, double* sums) {
    constexpr index n = numbers(K, P, InX);
    double sum[n];  // of a level while its rows follow each other: a sum in memory would wait for the one before it
    double* home = sums + codes[0] * step;
    for (index e = 0; e < n; ++e) sum[e] = home[e];
    for (index i = 0; i < m; ++i, z += K, x += P) {
        if (i + rows_ahead < known) {
            const double* place = sums + codes[i + rows_ahead] * step;
            fetch(place);
            if (n > line) fetch(place + line);
        }
        double* level = sums + codes[i] * step;
        if (level != home) {
            for (index e = 0; e < n; ++e) home[e] = sum[e];
            home = level;
            for (index e = 0; e < n; ++e) sum[e] = home[e];
        }
        double* s = sum;
        for (index a = 0; a < K; ++a)
            for (index b = 0; b < P; ++b) *s++ += z[a] * x[b];
        for (index a = 0; a < K; ++a) *s++ += z[a] * y[i];
        if (!InX)
            for (index a = 0; a < K; ++a)
                for (index b = 0; b <= a; ++b) *s++ += z[a] * z[b];
    }
    for (index e = 0; e < n; ++e) home[e] = sum[e];
}

}  // namespace

LevelTable::LevelTable(index k, index p, index levels, bool in_x)
    : k_(k), p_(p), levels_(levels), in_x_(in_x), step_(step_of(numbers(k, p, in_x))), sums_(levels * step_, 0.0) {}

void LevelTable::add(const double* z, const double* x, const double* y, const std::int32_t* codes, index m, index known) {
    with_sizes(k_, p_, [&](auto K, auto P) {
        if (in_x_ && K() == P()) add_rows<K(), P(), true>(z, x, y, codes, m, known, step_, sums_.data());
        else add_rows<K(), P(), false>(z, x, y, codes, m, known, step_, sums_.data());
    });
}

void LevelTable::write(std::vector<double>& zz, std::vector<double>& zx, std::vector<double>& zy) const {
    zz.resize(levels_ * k_ * k_);
    zx.resize(levels_ * k_ * p_);
    zy.resize(levels_ * k_);
    for (index g = 0; g < levels_; ++g) {
        const double *x = &sums_[g * step_], *y = x + k_ * p_, *lower = y + k_;
        for (index c = 0; c < k_ * p_; ++c) zx[g * k_ * p_ + c] = x[c];
        for (index a = 0; a < k_; ++a) zy[g * k_ + a] = y[a];
        double* to = &zz[g * k_ * k_];
        for (index a = 0; a < k_; ++a)
            for (index b = 0; b <= a; ++b) to[a * k_ + b] = to[b * k_ + a] = in_x_ ? x[a * p_ + b] : *lower++;
    }
}

}  // namespace interlace
