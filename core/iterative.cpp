#include "iterative.hpp"

#include <algorithm>
#include <cmath>

#include "front.hpp"
#include "small.hpp"

namespace interlace {
namespace {

// Residuals, of their right-hand sides: of columns that the estimates rest on, and of probes.
constexpr double exact = 1e-12, probed = 1e-8;
constexpr int rounds = 4;             // of subspace iteration
constexpr double dependent = 1e-8;    // of a column, where nothing is left of it beside others

double h(double c) { return std::log(c) - (c - 1.0); }

// One of two signs, a function of its arguments alone (the finaliser of splitmix64).
double sign(std::uint64_t seed, std::uint64_t probe, std::uint64_t place) {
    std::uint64_t z = seed * 0x9e3779b97f4a7c15ULL + probe * 0xd1b54a32d192ed03ULL + place * 0x8cb92ba72f3d8dd7ULL;
    for (int i = 0; i < 2; ++i) {
        z += 0x9e3779b97f4a7c15ULL;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
        z ^= z >> 31;
    }
    return z >> 63 ? 1.0 : -1.0;
}

// Columns of b (rows x M) lose what those of v have; M of v may be zero.
template <int M> void project_off(const std::vector<double>& v, std::vector<double>& b) {
    double inner[M * M] = {};
    for (size_t i = 0; i < b.size(); i += M)
        for (size_t r = 0; r < M; ++r)
            for (size_t c = 0; c < M; ++c) inner[r * M + c] += v[i + r] * b[i + c];
    for (size_t i = 0; i < b.size(); i += M)
        for (size_t r = 0; r < M; ++r)
            for (size_t c = 0; c < M; ++c) b[i + c] -= v[i + r] * inner[r * M + c];
}

// Orthonormal columns by Gram and Schmidt, twice; those that depend on earlier ones become zero.
template <int M> void orthonormalise(std::vector<double>& v) {
    for (size_t c = 0; c < M; ++c) {
        double before = 0, left = 0;
        for (size_t i = c; i < v.size(); i += M) before += v[i] * v[i];
        for (int twice = 0; twice < 2; ++twice) {
            double inner[M] = {};
            for (size_t i = 0; i < v.size(); i += M)
                for (size_t r = 0; r < c; ++r) inner[r] += v[i + r] * v[i + c];
            for (size_t i = 0; i < v.size(); i += M)
                for (size_t r = 0; r < c; ++r) v[i + c] -= inner[r] * v[i + r];
        }
        for (size_t i = c; i < v.size(); i += M) left += v[i] * v[i];
        const double by = left > dependent * dependent * before ? 1.0 / std::sqrt(left) : 0.0;
        for (size_t i = c; i < v.size(); i += M) v[i] *= by;
    }
}

}  // namespace

Iterative::Iterative(CrossProducts products, index probes, std::uint64_t seed)
    : Solved(std::move(products)), crossed_(a_.random), probes_(std::max<index>(2, probes)), seed_(seed) {}

index Iterative::width() const {
    index w = 0;
    for (const index k : k_) w += k * k;
    return w;
}

void Iterative::solve(const Blocks& factors, bool traces) {
    f_ = factors;
    crossed_.set(factors);
    const index m = p() + 1;
    // 1) the random effects of each column of [X y]
    const Blocks zxy = this->zxy();
    iterations_ = 0;
    solved_ = solve_columns(zxy, m);
    // 2) what they take from its products
    sx_.assign(m * m, 0.0);
    const Blocks right = apply_lambda_t(zxy, m);
    for (size_t f = 0; f < k_.size(); ++f)
        blas::gemm('N', 'T', m, m, levels_[f] * k_[f], -1.0, right[f].data(), m, solved_[f].data(), m, 1.0, sx_.data(), m);
    for (index c = 0; c < m; ++c)
        for (index d = c + 1; d < m; ++d) sx_[d + c * m] = 0.5 * (sx_[d + c * m] + sx_[c + d * m]);
    factor_fixed();
    // 3) log det M
    ld_l2_ = crossed_.log_det();
    half_trace_.clear();
    if (traces) estimate();
}

Blocks Iterative::spherical() const {
    const index m = p() + 1;
    Blocks u;
    for (const auto& all : solved_) {
        std::vector<double> one(all.size() / m);
        for (size_t i = 0; i < one.size(); ++i) one[i] = all[i * m + m - 1] - small::dot(m - 1, &all[i * m], beta_.data());
        u.push_back(std::move(one));
    }
    return u;
}

void Iterative::take_inner(const Blocks& v, index m, double* h) const {
    const Blocks u = solve_columns(v, m), right = apply_lambda_t(v, m);
    std::vector<double> found(m * m, 0.0);
    for (size_t f = 0; f < k_.size(); ++f)
        blas::gemm('N', 'T', m, m, levels_[f] * k_[f], 1.0, right[f].data(), m, u[f].data(), m, 1.0, found.data(), m);
    for (index c = 0; c < m; ++c)
        for (index d = 0; d < m; ++d) h[d + c * m] -= 0.5 * (found[d + c * m] + found[c + d * m]);
}

Blocks Iterative::solve_columns(const Blocks& v, index m) const {
    Blocks out;
    for (size_t f = 0; f < k_.size(); ++f) out.emplace_back(levels_[f] * k_[f] * m, 0.0);
    index first = 0;
    for (; first + 2 < m; first += M) solve_batch<M>(v, m, first, out);
    if (first < m) solve_batch<2>(v, m, first, out);
    return out;
}

// u_rest = L^-T x, C x = G'(v_rest - B'K v_lead); u_lead = P'(v_lead - B F u_rest)
template <int W> void Iterative::solve_batch(const Blocks& v, index m, index first, Blocks& out) const {
    const index some = std::min<index>(W, m - first), q = crossed_.rest(), k = k_[0];
    const auto spread = [&](const std::vector<double>& from, double* to, index rows) {
        for (index i = 0; i < rows; ++i)
            for (index j = 0; j < W; ++j) to[i * W + j] = j < some ? from[i * m + first + j] : 0.0;
    };
    // 1) the right-hand side
    std::vector<double> lead(crossed_.lead() * W), kv(lead.size(), 0.0), b(q * W), w(q * W), x;
    spread(v[0], lead.data(), crossed_.lead());
    for (index g = 0; g < levels_[0]; ++g) small::add_ab(k, W, k, 1.0, &crossed_.k_block(0)[g * k * k], &lead[g * k * W], &kv[g * k * W]);
    crossed_.scatter<W>(kv.data(), w.data());
    for (size_t f = 1; f < k_.size(); ++f) spread(v[f], &b[crossed_.base(static_cast<index>(f)) * W], levels_[f] * k_[f]);
    for (size_t i = 0; i < b.size(); ++i) w[i] = b[i] - w[i];
    crossed_.gt<W>(w.data(), b.data());
    // 2) the rest: w = F u = G x
    conjugate_gradients<W>(crossed_, b, exact, x);
    crossed_.g<W>(x.data(), w.data());
    for (size_t f = 1; f < k_.size(); ++f) {
        const index kf = k_[f];
        double* from = &x[crossed_.base(static_cast<index>(f)) * W];
        for (index l = 0; l < levels_[f]; ++l) {
            double* u = from + l * kf * W;
            small::solve_lt(kf, W, crossed_.l_block(static_cast<index>(f), l), u);
            for (index i = 0; i < kf; ++i)
                for (index j = 0; j < some; ++j) out[f][(l * kf + i) * m + first + j] = u[i * W + j];
        }
    }
    // 3) the lead
    crossed_.gather<W>(w.data(), kv.data());
    std::vector<double> r(k * W), u(k * W);
    for (index g = 0; g < levels_[0]; ++g) {
        for (index i = 0; i < k * W; ++i) r[i] = lead[g * k * W + i] - kv[g * k * W + i];
        std::fill(u.begin(), u.end(), 0.0);
        small::add_atb(k, W, k, 1.0, &crossed_.p_block(0)[g * k * k], r.data(), u.data());
        for (index i = 0; i < k; ++i)
            for (index j = 0; j < some; ++j) out[0][(g * k + i) * m + first + j] = u[i * W + j];
    }
}

// ---- probes

void Iterative::estimate() {
    const index w = width();
    exact_half_trace();
    // 1) h(C) on the subspace
    const std::vector<double> v = subspace();
    std::vector<double> forms(M), halves(M * w), sum(w, 0.0);
    columns(v, forms.data(), halves.data());
    for (int j = 0; j < M; ++j) {
        ld_l2_ += forms[j];
        for (index i = 0; i < w; ++i) sum[i] += halves[j * w + i];
    }
    // 2) beside it
    log_dets_.assign(probes_, 0.0);
    half_traces_.assign(probes_ * w, 0.0);
    for (index first = 0; first < probes_; first += M) {
        columns(probe(first, v), forms.data(), halves.data());
        const index some = std::min<index>(M, probes_ - first);
        std::copy_n(forms.begin(), some, &log_dets_[first]);
        std::copy_n(halves.begin(), some * w, &half_traces_[first * w]);
    }
    const double share = 1.0 / static_cast<double>(probes_);
    for (index s = 0; s < probes_; ++s) {
        ld_l2_ += share * log_dets_[s];
        for (index i = 0; i < w; ++i) sum[i] += share * half_traces_[s * w + i];
    }
    index at = 0;
    for (auto& block : half_trace_)
        for (double& one : block) one += sum[at++];
}

// Where probes say nothing: sum_g A P less (I - A K) T P, T the diagonal blocks of Q and of B G G'B'. tr(C - I) goes to log det M.
void Iterative::exact_half_trace() {
    const std::vector<double> own[2] = {crossed_.own_lead(), crossed_.own_q()};
    index at = 0;
    for (size_t f = 0; f < k_.size(); ++f) {
        const index k = k_[f];
        std::vector<double> sum(k * k, 0.0), t(k * k);
        for (index l = 0; l < levels_[f]; ++l) {
            const double *a = &a_.random->diag[f][l * k * k], *kk = &crossed_.k_block(static_cast<index>(f))[l * k * k];
            const double *pp = &crossed_.p_block(static_cast<index>(f))[l * k * k], *o = f == 0 ? &own[0][l * k * k] : &own[1][at];
            // (A - T + A K T) P
            std::copy(a, a + k * k, t.begin());
            for (index i = 0; i < k * k; ++i) t[i] -= o[i];
            std::vector<double> ak(k * k, 0.0);
            small::add_ab(k, k, k, 1.0, a, kk, ak.data());
            small::add_ab(k, k, k, 1.0, ak.data(), o, t.data());
            small::add_ab(k, k, k, 1.0, t.data(), pp, sum.data());
            if (f > 0) {  // tr G'T G = tr T K
                for (index i = 0; i < k * k; ++i) ld_l2_ -= o[i] * kk[i];
                at += k * k;
            }
        }
        half_trace_.push_back(std::move(sum));
    }
}

// Orthonormal columns for the small eigenvalues of C: those of constants, and signs.
std::vector<double> Iterative::subspace() const {
    const index q = crossed_.rest();
    std::vector<double> v(q * M), t(q * M);
    for (index i = 0; i < q && q <= M; ++i) v[i * M + i] = 1.0;  // all there is
    if (q <= M) return v;
    int c = 0;
    for (size_t f = 1; f < k_.size(); ++f)
        for (index i = 0; i < k_[f] && c < M / 2; ++i, ++c)
            for (index l = 0; l < levels_[f]; ++l) v[(crossed_.base(static_cast<index>(f)) + l * k_[f] + i) * M + c] = 1.0;
    for (; c < M; ++c)
        for (index i = 0; i < q; ++i) v[i * M + c] = sign(seed_, ~static_cast<std::uint64_t>(c), static_cast<std::uint64_t>(i));
    for (int round = 0; round < rounds; ++round) {
        crossed_.apply<M>(v.data(), t.data());
        for (size_t i = 0; i < v.size(); ++i) v[i] -= t[i];
        orthonormalise<M>(v);
    }
    return v;
}

std::vector<double> Iterative::probe(index first, const std::vector<double>& v) const {
    const index q = crossed_.rest();
    std::vector<double> z(q * M);
    for (index i = 0; i < q; ++i)
        for (index j = 0; j < M; ++j)
            z[i * M + j] = first + j < probes_ ? sign(seed_, static_cast<std::uint64_t>(first + j), static_cast<std::uint64_t>(i)) : 0.0;
    project_off<M>(v, z);
    return z;
}

void Iterative::columns(const std::vector<double>& b, double* forms, double* halves) {
    const index q = crossed_.rest(), lead = crossed_.lead(), w = width();
    std::array<Tridiagonal, M> told;
    std::vector<double> x;
    iterations_ = std::max(iterations_, conjugate_gradients<M>(crossed_, b, probed, x, &told));
    for (int j = 0; j < M; ++j) {
        double size = 0;
        for (size_t i = static_cast<size_t>(j); i < b.size(); i += M) size += b[i] * b[i];
        forms[j] = size * told[static_cast<size_t>(j)].form(h);
    }
    // Q G x, Q G b for the rest; B G (x - b), B G b for the lead
    std::vector<double> g(q * M), qx(q * M), qb(q * M), lx(lead * M), lb(lead * M);
    crossed_.g<M>(x.data(), g.data());
    crossed_.q<M>(g.data(), qx.data(), lx.data());
    crossed_.g<M>(b.data(), g.data());
    crossed_.q<M>(g.data(), qb.data(), lb.data());
    for (size_t i = 0; i < lx.size(); ++i) lx[i] -= lb[i];
    // less (I - A K) y z' P
    std::fill(halves, halves + M * w, 0.0);
    index offset = 0;
    for (size_t f = 0; f < k_.size(); ++f) {
        const index k = k_[f];
        const double *left = f == 0 ? lx.data() : &qx[crossed_.base(static_cast<index>(f)) * M];
        const double *right = f == 0 ? lb.data() : &qb[crossed_.base(static_cast<index>(f)) * M];
        std::vector<double> y(k * M), z(k * M), ak(k * k);
        for (index l = 0; l < levels_[f]; ++l) {
            const double *a = &a_.random->diag[f][l * k * k], *kk = &crossed_.k_block(static_cast<index>(f))[l * k * k];
            const double* pp = &crossed_.p_block(static_cast<index>(f))[l * k * k];
            std::copy_n(left + l * k * M, k * M, y.begin());
            std::fill(ak.begin(), ak.end(), 0.0);
            std::fill(z.begin(), z.end(), 0.0);
            small::add_ab(k, k, k, 1.0, a, kk, ak.data());
            small::add_ab(k, M, k, -1.0, ak.data(), left + l * k * M, y.data());
            small::add_atb(k, M, k, 1.0, pp, right + l * k * M, z.data());
            for (index r = 0; r < k; ++r)
                for (index c = 0; c < k; ++c)
                    for (int j = 0; j < M; ++j) halves[j * w + offset + r * k + c] -= y[r * M + j] * z[c * M + j];
        }
        offset += k * k;
    }
}

double Iterative::log_det_error() const {
    double mean = 0, square = 0;
    const double n = static_cast<double>(probes_);
    for (const double one : log_dets_) mean += one / n;
    for (const double one : log_dets_) square += (one - mean) * (one - mean);
    return std::sqrt(square / (n - 1.0) / n);
}

}  // namespace interlace
