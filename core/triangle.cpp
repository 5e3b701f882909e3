#include "triangle.hpp"

#include <algorithm>
#include <cmath>

#include "small.hpp"

namespace interlace {
namespace {

using Matrix = std::vector<double>;

// What remains of a row this small beside the row is rounding error.
constexpr double nothing = 1e-14;

double length(const double* row, index begin, index end) {
    double s = 0;
    for (index j = begin; j < end; ++j) s = std::hypot(s, row[j]);
    return s;
}

// The order of the pivots of a Cholesky factorisation of T T' with complete pivoting, among the first `free` rows.
std::vector<index> pivots(index k, index free, const double* t) {
    Matrix s(free * free, 0.0);
    for (index i = 0; i < free; ++i)
        for (index j = 0; j < free; ++j) s[i * free + j] = small::dot(free, t + i * k, t + j * k);
    std::vector<index> left, order;
    for (index i = 0; i < k; ++i) (i < free ? left : order).push_back(i);
    for (index done = 0; done < free; ++done) {
        const auto best = std::max_element(left.begin(), left.end(), [&](index i, index j) { return s[i * free + i] < s[j * free + j]; });
        const index p = *best;
        order.insert(order.begin() + done, p);
        left.erase(best);
        const double d = s[p * free + p];
        if (!(d > 0)) continue;
        const Matrix row(s.begin() + p * free, s.begin() + (p + 1) * free);
        for (const index i : left)
            for (const index j : left) s[i * free + j] -= row[i] * row[j] / d;
    }
    return order;
}

}  // namespace

Matrix lower_factor(index k, Matrix f) {
    Matrix t(k * k, 0.0), scale(k);
    for (index i = 0; i < k; ++i) scale[i] = length(&f[i * k], 0, k);
    index first = 0;  // column of F that comes next: what is left of F is columns first to k
    for (index i = 0; i < k; ++i) {
        double* row = &f[i * k];
        const double rest = length(row, first, k);
        if (first == k || !(rest > nothing * scale[i])) continue;
        // reflect what is left of row i into one column
        if (length(row, first + 1, k) > 0) {
            Matrix v(row + first, row + k);
            v[0] += std::copysign(rest, v[0]);
            const double vv = small::dot(k - first, v.data(), v.data());
            for (index r = i; r < k; ++r) {
                const double share = 2.0 * small::dot(k - first, &f[r * k + first], v.data()) / vv;
                for (index j = first; j < k; ++j) f[r * k + j] -= share * v[j - first];
            }
        }
        const double sign = row[first] < 0 ? -1.0 : 1.0;
        for (index r = i; r < k; ++r) t[r * k + i] = sign * f[r * k + first];
        ++first;
    }
    return t;
}

Turned pivoted(index k, index free, const double* natural, const double* factor) {
    const std::vector<index> order = pivots(k, free, factor);
    Matrix f(k * k), n(k * k), units(k * k, 0.0);
    for (index i = 0; i < k; ++i)
        for (index j = 0; j < k; ++j) {
            f[i * k + j] = factor[order[i] * k + j];
            n[i * k + j] = natural[i * k + order[j]];
        }
    Matrix t = lower_factor(k, std::move(f));
    for (index j = 0; j < k; ++j) {
        if (!(t[j * k + j] > 1.0)) units[j * k + j] = 1.0;
        else
            for (index i = j; i < k; ++i) units[i * k + j] = t[i * k + j];
    }
    Turned out{Matrix(k * k, 0.0), std::move(t)};
    small::add_ab(k, k, k, 1.0, n.data(), units.data(), out.basis.data());
    for (index c = 0; c < k; ++c)  // T' = units^-1 T
        for (index i = c; i < k; ++i) {
            double v = out.factor[i * k + c];
            for (index j = c; j < i; ++j) v -= units[i * k + j] * out.factor[j * k + c];
            out.factor[i * k + c] = v / units[i * k + i];
        }
    return out;
}

}  // namespace interlace
