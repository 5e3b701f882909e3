// H^-1 of the joint system of (u, beta) on the pattern of the data.
//
//   H = | M      Lambda'Z'X |        J = | F  0 | H^-1 | F' 0 |
//       | sym.   X'X        |            | 0  I |      | 0  I |
//
// sigma^2 J is the covariance of (b - b^, beta - beta^). Its blocks for levels that meet come from one pass over the fronts
// (Takahashi's equations by blocks): M^-1 on the pattern, plus a part of rank p. Who needs each block once (the gradient) reads the
// pass; who needs them again (leverage, prediction variances) reads the value.
#pragma once
#include <algorithm>
#include <vector>

#include "cholesky.hpp"
#include "elements.hpp"
#include "interrupt.hpp"
#include "small.hpp"
#include "tiles.hpp"

namespace interlace {
namespace detail {

// What one leading level g and its element contribute: P = C Z on its columns gives
//   (M^-1)_gg = L^-T (I + P C') L^-1   and   (M^-1)_gh = -L^-T P_h.
struct LeadInverse {
    std::vector<double> gg, gh;  // k x k, k x columns
    void set(index k, index columns, const double* l, const double* c, const double* p) {
        gg.assign(k * k, 0.0);
        for (index i = 0; i < k; ++i) gg[i * k + i] = 1.0;
        if (columns > 0) {
            small::add_abt(k, k, columns, 1.0, p, c, gg.data());
            gh.assign(p, p + k * columns);
            for (double& v : gh) v = -v;
            small::solve_lt(k, columns, l, gh.data());
        }
        small::solve_lt(k, k, l, gg.data());
        for (index i = 0; i < k; ++i)  // times L^-1 from the right: transpose, solve, (symmetric)
            for (index j = i + 1; j < k; ++j) std::swap(gg[i * k + j], gg[j * k + i]);
        small::solve_lt(k, k, l, gg.data());
    }
};

// P = C Z of one element with few columns; Z has its lower triangle.
inline void narrow_product(index k, index columns, const double* c, const std::int32_t* pos, const double* z, index n, std::vector<double>& p) {
    p.assign(k * columns, 0.0);
    for (index b = 0; b < columns; ++b) {
        const double* zb = z + pos[b] * n;
        for (index i = 0; i < k; ++i) {
            const double* ci = c + i * columns;
            double* pi = &p[i * columns];
            const double cb = ci[b];
            double sum = zb[pos[b]] * cb;
            for (index a = b + 1; a < columns; ++a) {
                const double v = zb[pos[a]];
                sum += v * ci[a];
                pi[a] += v * cb;
            }
            pi[b] += sum;
        }
    }
}

// P = C Z for the elements of a front, one after another; f(g, P).
template <class F> void for_elements(const Cholesky& l, const Front& front, const double* z, F f) {
    const Symbolic& s = l.symbolic();
    const index k = l.products().random->k()[0], n = front.size();
    if (worth_tiles(n)) {
        multiply_elements(l, front, z, f);
        return;
    }
    const index batch = std::max<index>(k, 96 / k * k);
    std::vector<double> p, in, out;
    std::vector<index> waiting;
    const auto flush = [&] {
        if (waiting.empty()) return;
        const index m = static_cast<index>(waiting.size()) * k;
        blas::symm_lower('L', n, m, 1.0, z, n, in.data(), n, 0.0, out.data(), n);
        index at = 0;
        for (const index g : waiting) {
            const index columns = s.column_ptr[g + 1] - s.column_ptr[g];
            const std::int32_t* pos = &s.column_pos[s.column_ptr[g]];
            p.resize(k * columns);
            for (index i = 0; i < k; ++i, ++at)
                for (index j = 0; j < columns; ++j) p[i * columns + j] = out[pos[j] + at * n];
            f(g, p.data());
        }
        waiting.clear();
        std::fill(in.begin(), in.end(), 0.0);
    };
    for (index o = front.elem_begin; o < front.elem_end; ++o) {
        const index g = s.elem_order[o], columns = s.column_ptr[g + 1] - s.column_ptr[g];
        const std::int32_t* pos = &s.column_pos[s.column_ptr[g]];
        const double* c = l.element(g);
        if (is_wide(columns, n)) {
            if (in.empty()) {
                in.assign(n * batch, 0.0);
                out.resize(n * batch);
            }
            for (index i = 0; i < k; ++i) {
                const index at = static_cast<index>(waiting.size()) * k + i;
                for (index j = 0; j < columns; ++j) in[pos[j] + at * n] = c[i * columns + j];
            }
            waiting.push_back(g);
            if ((static_cast<index>(waiting.size()) + 1) * k > batch) flush();
            continue;
        }
        narrow_product(k, columns, c, pos, z, n, p);
        f(g, p.data());
        if (o % 256 == 0) check_interrupt();
    }
    flush();
}

// Lower-triangle access to the block of M^-1 on a front.
inline double entry(const double* z, index n, index a, index b) { return a >= b ? z[a + b * n] : z[b + a * n]; }

template <class V> void visit_lone_levels(const Cholesky& l, LeadInverse& inverse, std::vector<double>& block, V& v) {
    const Symbolic& s = l.symbolic();
    const index k = s.pattern->k[0];
    for (index g = 0; g < s.lead_levels; ++g)
        if (s.column_ptr[g + 1] == s.column_ptr[g]) {
            if (k == 1) {  // the same without a small matrix for each number
                const double inv = 1.0 / l.lead_l(g)[0];
                block.assign(1, inv * inv);
                v.diagonal(0, g, block.data());
                continue;
            }
            if (k == 2) {
                const double* lead = l.lead_l(g);
                const double a = 1.0 / lead[0], c = 1.0 / lead[3], b = -lead[2] * a * c;  // L^-1
                block.resize(4);
                block[0] = a * a + b * b;
                block[1] = block[2] = b * c;
                block[3] = c * c;
                v.diagonal(0, g, block.data());
                continue;
            }
            inverse.set(k, 0, l.lead_l(g), nullptr, nullptr);
            v.diagonal(0, g, inverse.gg.data());
        }
}

}  // namespace detail

// Calls v.diagonal(f, level, Z) with the k x k block of M^-1 of each level, and v.pair(s, block, Z) with the k_i x k_j block of each
// pair of levels that meet, row-major; v.link(entry, Z) with that of two levels that a prior links, by the entry of its precision.
template <class V> void visit_inverse(const Cholesky& l, V& v) {
    const Symbolic& s = l.symbolic();
    const Pattern& pattern = *s.pattern;
    const index k = pattern.k[0];
    detail::LeadInverse inverse;
    std::vector<double> block;
    // 1) levels of the leading factor that meet no other
    detail::visit_lone_levels(l, inverse, block, v);
    // 2) the others, front by front
    const auto element = [&](index g, const double* p) {
        const index columns = s.column_ptr[g + 1] - s.column_ptr[g];
        inverse.set(k, columns, l.lead_l(g), l.element(g), p);
        v.diagonal(0, g, inverse.gg.data());
        index at = 0;
        for (index e = s.elem_ptr[g]; e < s.elem_ptr[g + 1]; ++e) {
            const index kj = pattern.k[s.elem_pair[e] + 1];
            if (k == 1) {
                v.pair(s.elem_pair[e], s.elem_block[e], &inverse.gh[at]);
            } else {
                block.resize(k * kj);
                for (index i = 0; i < k; ++i)
                    for (index j = 0; j < kj; ++j) block[i * kj + j] = inverse.gh[i * columns + at + j];
                v.pair(s.elem_pair[e], s.elem_block[e], block.data());
            }
            at += kj;
        }
    };
    l.selected_inverse([&](const Front& front, const double* z) {
        const index n = front.size();
        const auto copy = [&](index row, index col, index ki, index kj) {
            block.resize(ki * kj);
            for (index i = 0; i < ki; ++i)
                for (index j = 0; j < kj; ++j) block[i * kj + j] = detail::entry(z, n, row + i, col + j);
        };
        detail::for_elements(l, front, z, element);
        index at = 0;
        for (index o = front.node_begin; o < front.node_end; ++o) {
            const index node = s.order[o], f = s.node_factor[node];
            copy(at, at, pattern.k[f], pattern.k[f]);
            v.diagonal(f, node - s.node_base[f], block.data());
            at += pattern.k[f];
        }
        for (index e = front.entry_begin; e < front.entry_end; ++e) {
            const FrontEntry& entry = s.entries[e];
            if (entry.pair < 0) {
                const index kf = pattern.k[-1 - entry.pair];
                copy(entry.pos_i, entry.pos_j, kf, kf);
                v.link(entry.block, block.data());
                continue;
            }
            const PairPattern& pair = pattern.pairs[entry.pair];
            copy(entry.pos_i, entry.pos_j, pattern.k[pair.i], pattern.k[pair.j]);
            v.pair(entry.pair, entry.block, block.data());
        }
    });
}

// With a factor R of X'V^-1 X = R R' (V the marginal covariance over sigma^2): J_bb = C + E E', J_b,beta = -E R^-1 and
// J_beta,beta = R^-T R^-1, where C = F M^-1 F' on the pattern and E = F M^-1 Lambda'Z'X R^-T.
struct JointInverse {
    SharedPattern pattern;
    Blocks diagonal;         // factor -> levels x k x k of C
    Blocks cross;            // pair of the pattern -> blocks of C
    Blocks e;                // factor -> levels x k x p
    std::vector<double> rx;  // R, p x p column-major, lower triangular

    static JointInverse of(const Cholesky& l);
};

// What the rows say of themselves through J, x_i over [Z X] about the origin, w_i the prior weight:
struct Leverage {
    std::vector<double> overall;  // w_i x_i'J x_i
    std::vector<double> fixed;    // the part of X: diag of X (X'V^-1 X)^-1 X'V^-1
    std::vector<double> prior;    // z_i'G z_i / sigma^2, G the covariance of b
};

Leverage leverage(const Cholesky& l, const JointInverse& inverse, const Rows& rows);

}  // namespace interlace
