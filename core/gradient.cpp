#include "gradient.hpp"

#include <algorithm>
#include <cmath>

#include "interrupt.hpp"
#include "small.hpp"

namespace interlace {
namespace {

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

// P = C Z for the elements of a front, one after another; f(g, P).
template <class F> void for_elements(const Cholesky& l, const Front& front, const double* z, F f) {
    const Symbolic& s = l.symbolic();
    const index k = l.products().random->k[0], n = front.size();
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
        if (n >= 32 && 5 * columns >= n) {
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
        f(g, p.data());
        if (o % 256 == 0) check_interrupt();
    }
    flush();
}

// Lower-triangle access to the block of M^-1 on a front.
double entry(const double* z, index n, index a, index b) { return a >= b ? z[a + b * n] : z[b + a * n]; }

// Accumulates sum_g (W F)_gg per grouping factor.
class TraceTerms {
  public:
    explicit TraceTerms(const Cholesky& l) : l_(l), s_(l.symbolic()), random_(*l.products().random), k_(random_.k) {
        for (const index k : k_) sum_.emplace_back(k * k, 0.0);
    }
    Blocks compute() {
        const index k = k_[0];
        for (index g = 0; g < random_.levels[0]; ++g)
            if (s_.column_ptr[g + 1] == s_.column_ptr[g]) {
                if (k == 1) {  // the same without a small matrix for each number
                    const double inv = 1.0 / l_.lead_l(g)[0];
                    sum_[0][0] += random_.diag[0][g] * l_.factors()[0][0] * (inv * inv);
                    continue;
                }
                inverse_.set(k, 0, l_.lead_l(g), nullptr, nullptr);
                add_lead(g);
            }
        l_.selected_inverse([this](const Front& front, const double* z) { add_front(front, z); });
        return std::move(sum_);
    }

  private:
    // target += A F B', with A (r x c) as given or transposed
    void add_product(double* target, index r, index c, index cols, const double* a, const double* f, const double* b) {
        t_.assign(r * c, 0.0);
        small::add_ab(r, c, c, 1.0, a, f, t_.data());
        small::add_abt(r, cols, c, 1.0, t_.data(), b, target);
    }
    void add_lead(index g) {
        const index k = k_[0];
        add_product(sum_[0].data(), k, k, k, &random_.diag[0][g * k * k], l_.factors()[0].data(), inverse_.gg.data());
    }
    void add_element(index g, const double* p) {
        const index k = k_[0], columns = s_.column_ptr[g + 1] - s_.column_ptr[g];
        inverse_.set(k, columns, l_.lead_l(g), l_.element(g), p);
        add_lead(g);
        index at = 0;
        for (index e = s_.elem_ptr[g]; e < s_.elem_ptr[g + 1]; ++e) {
            const PairBlocks& pair = random_.pairs[s_.elem_pair[e]];
            const index kj = k_[pair.j];
            const double* a = &pair.val[s_.elem_block[e] * k * kj];
            const double *f0 = l_.factors()[0].data(), *fj = l_.factors()[pair.j].data();
            if (k == 1 && kj == 1) {
                sum_[0][0] += a[0] * fj[0] * inverse_.gh[at];
                sum_[pair.j][0] += a[0] * f0[0] * inverse_.gh[at];
                ++at;
                continue;
            }
            block_.resize(k * kj);  // (M^-1)_gh
            for (index i = 0; i < k; ++i)
                for (index j = 0; j < kj; ++j) block_[i * kj + j] = inverse_.gh[i * columns + at + j];
            add_product(sum_[0].data(), k, kj, k, a, fj, block_.data());
            t_.assign(k * kj, 0.0);  // F_0 (M^-1)_gh
            small::add_ab(k, kj, k, 1.0, f0, block_.data(), t_.data());
            small::add_atb(kj, kj, k, 1.0, a, t_.data(), sum_[pair.j].data());
            at += kj;
        }
    }
    void add_front(const Front& front, const double* z) {
        const index n = front.size();
        for_elements(l_, front, z, [this](index g, const double* p) { add_element(g, p); });
        index at = 0;
        for (index o = front.node_begin; o < front.node_end; ++o) {
            const index node = s_.order[o], f = s_.node_factor[node], k = k_[f], level = node - s_.node_base[f];
            block_.resize(k * k);
            for (index i = 0; i < k; ++i)
                for (index j = 0; j < k; ++j) block_[i * k + j] = entry(z, n, at + i, at + j);
            add_product(sum_[f].data(), k, k, k, &random_.diag[f][level * k * k], l_.factors()[f].data(), block_.data());
            at += k;
        }
        for (index e = front.entry_begin; e < front.entry_end; ++e) {
            const FrontEntry& en = s_.entries[e];
            const PairBlocks& pair = random_.pairs[en.pair];
            const index ki = k_[pair.i], kj = k_[pair.j];
            const double* a = &pair.val[en.block * ki * kj];
            block_.resize(ki * kj);  // (M^-1)_ij
            for (index i = 0; i < ki; ++i)
                for (index j = 0; j < kj; ++j) block_[i * kj + j] = entry(z, n, en.pos_i + i, en.pos_j + j);
            add_product(sum_[pair.i].data(), ki, kj, ki, a, l_.factors()[pair.j].data(), block_.data());
            t_.assign(ki * kj, 0.0);
            small::add_ab(ki, kj, ki, 1.0, l_.factors()[pair.i].data(), block_.data(), t_.data());
            small::add_atb(kj, kj, ki, 1.0, a, t_.data(), sum_[pair.j].data());
        }
    }

    const Cholesky& l_;
    const Symbolic& s_;
    const RandomPart& random_;
    const std::vector<index>& k_;
    Blocks sum_;
    LeadInverse inverse_;
    std::vector<double> t_, block_;
};

// Natural arrays of the solution: columns X of U = M^-1 Lambda'Z'X and E = Z'V^-1 X times RX^-1, and u, s.
struct Projected {
    Blocks u_x, e_x;  // q x p, row-major
    Blocks u, s;      // q
};

Projected project(const Cholesky& l) {
    const index p = l.p(), m = p + 1;
    const Blocks u = l.solve_xy();
    Blocks e = l.zxy();
    const Blocks az = l.apply_ztz(l.apply_lambda(u, m), m);
    for (size_t f = 0; f < e.size(); ++f)
        for (size_t i = 0; i < e[f].size(); ++i) e[f][i] -= az[f][i];
    Projected out;
    const auto split = [&](const Blocks& from, Blocks& x, Blocks& r) {
        for (const auto& v : from) {
            const index q = static_cast<index>(v.size()) / m;
            std::vector<double> vx(q * p), vr(q);
            for (index i = 0; i < q; ++i) {
                std::copy_n(&v[i * m], p, &vx[i * p]);
                vr[i] = v[i * m + p] - small::dot(p, &v[i * m], l.beta().data());
            }
            blas::trsm_lower('L', 'N', p, q, l.rx().data(), m, vx.data(), std::max<index>(1, p));
            x.push_back(std::move(vx));
            r.push_back(std::move(vr));
        }
    };
    split(u, out.u_x, out.u);
    split(e, out.e_x, out.s);
    return out;
}

std::vector<double> average_information(const Cholesky& l, const Projected& pr, double df, const std::vector<Direction>& dirs) {
    const RandomPart& random = *l.products().random;
    const index m = static_cast<index>(dirs.size()), p = l.p();
    Blocks t;
    for (index f = 0; f < random.factors(); ++f) t.emplace_back(random.q(f) * m, 0.0);
    // 1) t_i = dF_i u + F dF_i's
    std::vector<double> w;
    for (index i = 0; i < m; ++i) {
        const index f = dirs[i].factor, k = random.k[f];
        const double *d = dirs[i].df.data(), *fac = l.factors()[f].data();
        for (index level = 0; level < random.levels[f]; ++level) {
            const double *u = &pr.u[f][level * k], *s = &pr.s[f][level * k];
            w.assign(k, 0.0);
            small::add_atb(k, 1, k, 1.0, d, s, w.data());
            for (index a = 0; a < k; ++a) {
                double v = 0;
                for (index b = 0; b < k; ++b) v += d[a * k + b] * u[b] + fac[a * k + b] * w[b];
                t[f][(level * k + a) * m + i] = v;
            }
        }
    }
    // 2) t'W t = t'A t - |L^-1 Lambda'A t|^2
    const Blocks at = l.apply_ztz(t, m);
    Rhs c = l.lambda_t(at, m);
    l.forward(c);
    std::vector<double> h(m * m, 0.0), st(m, 0.0), et(m * p, 0.0);  // et column-major p x m
    for (size_t f = 0; f < t.size(); ++f) {
        const index q = static_cast<index>(t[f].size()) / m;
        blas::gemm('N', 'T', m, m, q, 1.0, t[f].data(), m, at[f].data(), m, 1.0, h.data(), m);
        blas::gemm('N', 'T', m, 1, q, 1.0, t[f].data(), m, pr.s[f].data(), 1, 1.0, st.data(), m);
        if (p > 0) blas::gemm('N', 'T', p, m, q, 1.0, pr.e_x[f].data(), p, t[f].data(), m, 1.0, et.data(), p);
    }
    const index ql = static_cast<index>(c.lead.size()) / m, qr = static_cast<index>(c.rest.size()) / m;
    blas::gemm('N', 'T', m, m, ql, -1.0, c.lead.data(), m, c.lead.data(), m, 1.0, h.data(), m);
    if (qr > 0) blas::gemm('T', 'N', m, m, qr, -1.0, c.rest.data(), qr, c.rest.data(), qr, 1.0, h.data(), m);
    if (p > 0) blas::gemm('T', 'N', m, m, p, -1.0, et.data(), p, et.data(), p, 1.0, h.data(), m);
    // 3) over sigma^2, profiled
    const double s2 = l.pwrss() / df;
    for (index i = 0; i < m; ++i)
        for (index j = 0; j < m; ++j) h[i + j * m] = h[i + j * m] / s2 - st[i] * st[j] / (df * s2 * s2);
    return h;
}

double degrees(const Cholesky& l, Criterion kind) {
    return static_cast<double>(l.products().n - (kind == Criterion::reml ? l.p() : 0));
}

}  // namespace

double criterion_value(const Cholesky& l, Criterion kind) {
    const double df = degrees(l, kind);
    const double two_pi = 6.283185307179586476925286766559;
    return l.ld_l2() + (kind == Criterion::reml ? l.ld_rx2() : 0.0) + df * (1.0 + std::log(two_pi * l.pwrss() / df));
}

Derivatives derivatives(const Cholesky& l, Criterion kind, const std::vector<Direction>& directions) {
    const RandomPart& random = *l.products().random;
    const double df = degrees(l, kind), s2 = l.pwrss() / df;
    const Projected pr = project(l);
    Derivatives out{TraceTerms(l).compute(), {}};
    const index p = l.p();
    for (index f = 0; f < random.factors(); ++f) {
        const index k = random.k[f];
        double* g = out.gradient[f].data();
        for (index level = 0; level < random.levels[f]; ++level)
            for (index a = 0; a < k; ++a)
                for (index b = 0; b < k; ++b) {
                    const index ra = level * k + a, rb = level * k + b;
                    double v = pr.s[f][ra] * pr.u[f][rb] / s2;
                    if (kind == Criterion::reml) v += small::dot(p, pr.e_x[f].data() + ra * p, pr.u_x[f].data() + rb * p);
                    g[a * k + b] -= v;
                }
        for (index c = 0; c < k * k; ++c) g[c] *= 2.0;
    }
    if (!directions.empty()) out.average = average_information(l, pr, df, directions);
    return out;
}

// Declared with the factor, defined here: it uses the same traversal as the gradient.
Blocks Cholesky::inverse_diagonal() const {
    Blocks out;
    for (size_t f = 0; f < k_.size(); ++f) out.emplace_back(levels_[f] * k_[f] * k_[f], 0.0);
    LeadInverse inverse;
    const index k = k_[0];
    const auto store = [&](index g) { std::copy(inverse.gg.begin(), inverse.gg.end(), &out[0][g * k * k]); };
    for (index g = 0; g < levels_[0]; ++g)
        if (s_->column_ptr[g + 1] == s_->column_ptr[g]) {
            inverse.set(k, 0, lead_l(g), nullptr, nullptr);
            store(g);
        }
    selected_inverse([&](const Front& front, const double* z) {
        for_elements(*this, front, z, [&](index g, const double* p) {
            inverse.set(k, s_->column_ptr[g + 1] - s_->column_ptr[g], lead_l(g), element(g), p);
            store(g);
        });
        index at = 0;
        for (index o = front.node_begin; o < front.node_end; ++o) {
            const index node = s_->order[o], f = s_->node_factor[node], kf = k_[f];
            double* target = &out[f][(node - s_->node_base[f]) * kf * kf];
            for (index i = 0; i < kf; ++i)
                for (index j = 0; j < kf; ++j) target[i * kf + j] = entry(z, front.size(), at + i, at + j);
            at += kf;
        }
    });
    return out;
}

}  // namespace interlace
