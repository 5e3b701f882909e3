// Solves with the factor.
#include <algorithm>

#include "cholesky.hpp"
#include "interrupt.hpp"
#include "small.hpp"

namespace interlace {
namespace {

constexpr index many_columns = 8;  // from so many on, the columns of the right-hand side are worked on one after the other, as they lie

}  // namespace

Rhs Cholesky::ordered(const Blocks& v, index m) const {
    Rhs out;
    out.m = m;
    if (s_->leading) out.lead = v[0];
    out.rest.assign(s_->q_rest * m, 0.0);
    const index nodes = static_cast<index>(s_->order.size());
    for (index node = 0; node < nodes; ++node) {
        const index f = s_->node_factor[node], k = k_[f], at = s_->position[node];
        const double* from = &v[f][(node - s_->node_base[f]) * k * m];
        for (index c = 0; c < m; ++c)
            for (index i = 0; i < k; ++i) out.rest[at + i + c * s_->q_rest] = from[i * m + c];
    }
    return out;
}

Rhs Cholesky::lambda_t(const Blocks& v, index m) const {
    Rhs out;
    out.m = m;
    out.lead.assign(s_->q_lead * m, 0.0);
    out.rest.assign(s_->q_rest * m, 0.0);
    for (index g = 0; g < s_->lead_levels; ++g)
        small::add_atb(k_[0], m, k_[0], 1.0, f_[0].data(), &v[0][g * k_[0] * m], &out.lead[g * k_[0] * m]);
    const index nodes = static_cast<index>(s_->order.size());
    std::vector<double> t;
    for (index node = 0; node < nodes; ++node) {
        const index f = s_->node_factor[node], k = k_[f], at = s_->position[node];
        t.assign(k * m, 0.0);
        small::add_atb(k, m, k, 1.0, f_[f].data(), &v[f][(node - s_->node_base[f]) * k * m], t.data());
        for (index c = 0; c < m; ++c)
            for (index i = 0; i < k; ++i) out.rest[at + i + c * s_->q_rest] = t[i * m + c];
    }
    return out;
}

Blocks Cholesky::natural(const Rhs& r) const {
    const index m = r.m;
    Blocks out;
    if (s_->leading) out.push_back(r.lead);
    for (size_t f = out.size(); f < k_.size(); ++f) out.emplace_back(levels_[f] * k_[f] * m);
    const index nodes = static_cast<index>(s_->order.size());
    for (index node = 0; node < nodes; ++node) {
        const index f = s_->node_factor[node], k = k_[f], at = s_->position[node];
        double* v = &out[f][(node - s_->node_base[f]) * k * m];
        for (index c = 0; c < m; ++c)
            for (index i = 0; i < k; ++i) v[i * m + c] = r.rest[at + i + c * s_->q_rest];
    }
    return out;
}

void Cholesky::forward(Rhs& r) const {
    const index k = k_[0], m = r.m, q = s_->q_rest;
    // 1) leading levels
    for (index g = 0; g < s_->lead_levels; ++g) small::solve_l(k, m, lead_l(g), &r.lead[g * k * m]);
    if (q == 0) return;
    // 2) what they take from the rest: C_g'x_g
    std::vector<double> t;
    std::vector<index> place;
    for (index g = 0; g < s_->lead_levels; ++g) {
        const index columns = s_->column_ptr[g + 1] - s_->column_ptr[g];
        t.assign(columns * m, 0.0);
        if (m < many_columns) {
            small::add_atb(columns, m, k, 1.0, element(g), &r.lead[g * k * m], t.data());
            for_element_rows(g, [&](index j, index pos) {
                for (index col = 0; col < m; ++col) r.rest[pos + col * q] -= t[j * m + col];
            });
            continue;
        }
        small::add_atb(m, columns, k, 1.0, &r.lead[g * k * m], element(g), t.data());
        place.resize(columns);
        for_element_rows(g, [&](index j, index pos) { place[j] = pos; });
        for (index col = 0; col < m; ++col) {
            double* to = &r.rest[col * q];
            const double* from = &t[col * columns];
            for (index j = 0; j < columns; ++j) to[place[j]] -= from[j];
        }
    }
    // 3) fronts upwards
    for (const Front& f : s_->fronts) {
        const double* l = &panels_[f.panel];
        double* x = &r.rest[f.first];
        if (f.size() == 1) {
            for (index c = 0; c < m; ++c) x[c * q] /= l[0];
            continue;
        }
        blas::trsm_lower('L', 'N', f.pivots, m, l, f.size(), x, q);
        if (f.rows == 0) continue;
        t.resize(f.rows * m);
        blas::gemm('N', 'N', f.rows, m, f.pivots, 1.0, l + f.pivots, f.size(), x, q, 0.0, t.data(), f.rows);
        const index* row = &s_->row_index[f.row_ptr];
        for (index c = 0; c < m; ++c)
            for (index i = 0; i < f.rows; ++i) r.rest[row[i] + c * q] -= t[i + c * f.rows];
    }
    check_interrupt();
}

void Cholesky::backward(Rhs& r) const {
    const index k = k_[0], m = r.m, q = s_->q_rest;
    // 1) fronts downwards
    std::vector<double> t;
    for (index n = static_cast<index>(s_->fronts.size()) - 1; n >= 0; --n) {
        const Front& f = s_->fronts[n];
        const double* l = &panels_[f.panel];
        double* x = &r.rest[f.first];
        if (f.size() == 1) {
            for (index c = 0; c < m; ++c) x[c * q] /= l[0];
            continue;
        }
        if (f.rows > 0) {
            t.resize(f.rows * m);
            const index* row = &s_->row_index[f.row_ptr];
            for (index c = 0; c < m; ++c)
                for (index i = 0; i < f.rows; ++i) t[i + c * f.rows] = r.rest[row[i] + c * q];
            blas::gemm('T', 'N', f.pivots, m, f.rows, -1.0, l + f.pivots, f.size(), t.data(), f.rows, 1.0, x, q);
        }
        blas::trsm_lower('L', 'T', f.pivots, m, l, f.size(), x, q);
    }
    // 2) leading levels
    for (index g = 0; g < s_->lead_levels; ++g) {
        double* x = &r.lead[g * k * m];
        if (q > 0) {
            const index columns = s_->column_ptr[g + 1] - s_->column_ptr[g];
            t.resize(columns * m);
            for_element_rows(g, [&](index j, index pos) {
                for (index col = 0; col < m; ++col) t[j * m + col] = r.rest[pos + col * q];
            });
            small::add_ab(k, m, columns, -1.0, element(g), t.data(), x);
        }
        small::solve_lt(k, m, lead_l(g), x);
    }
    check_interrupt();
}

Blocks Cholesky::solve_xy() const {
    Rhs r = r_;
    backward(r);
    return natural(r);
}

void Cholesky::take_inner(const Blocks& v, index m, double* h) const {
    Rhs c = lambda_t(v, m);
    forward(c);
    const index ql = static_cast<index>(c.lead.size()) / m, qr = static_cast<index>(c.rest.size()) / m;
    blas::gemm('N', 'T', m, m, ql, -1.0, c.lead.data(), m, c.lead.data(), m, 1.0, h, m);
    if (qr > 0) blas::gemm('T', 'N', m, m, qr, -1.0, c.rest.data(), qr, c.rest.data(), qr, 1.0, h, m);
}

Blocks Cholesky::spread(const Blocks& v, index m, double* x) const {
    const index n = p(), q = s_->q_rest, q_lead = s_->q_lead;
    Rhs u = ordered(v, m);
    if (n > 0 && m > 0) {
        blas::trsm_lower('L', 'T', n, m, sx_.data(), n + 1, x, n);
        if (q_lead > 0) blas::gemm('T', 'N', m, q_lead, n, -1.0, x, n, r_.lead.data(), n + 1, 1.0, u.lead.data(), m);
        if (q > 0) blas::gemm('N', 'N', q, m, n, -1.0, r_.rest.data(), q, x, n, 1.0, u.rest.data(), q);
    }
    backward(u);
    return apply_lambda(natural(u), m);
}

Blocks Cholesky::spherical() const {
    const index m = r_.m, p = m - 1, q_lead = s_->q_lead, q_rest = s_->q_rest;
    Rhs u;
    u.m = 1;
    u.lead.resize(q_lead);
    for (index i = 0; i < q_lead; ++i) {
        const double* r = &r_.lead[i * m];
        u.lead[i] = r[p];
        for (index j = 0; j < p; ++j) u.lead[i] -= r[j] * beta_[j];
    }
    u.rest.assign(r_.rest.end() - q_rest, r_.rest.end());
    for (index j = 0; j < p; ++j)
        for (index i = 0; i < q_rest; ++i) u.rest[i] -= r_.rest[i + j * q_rest] * beta_[j];
    backward(u);
    return natural(u);
}

std::vector<ResponseSolution> Cholesky::solve_responses(const std::vector<CrossProducts>& responses) const {
    if (responses.empty()) return {};
    const index n = p(), m = n + 1, many = static_cast<index>(responses.size()), q_lead = s_->q_lead, q_rest = s_->q_rest;
    // 1) L^-1 Lambda'Z'y of all of them
    Blocks zy;
    for (size_t f = 0; f < k_.size(); ++f) zy.emplace_back(levels_[f] * k_[f] * many);
    std::vector<double> xy(n * many), beta(n * many);  // column-major
    for (index s = 0; s < many; ++s) {
        const CrossProducts& a = responses[s];
        if (a.random != a_.random || a.fixed != a_.fixed) throw std::invalid_argument("these cross-products belong to other rows");
        for (size_t f = 0; f < k_.size(); ++f)
            for (size_t i = 0; i < a.response->zy[f].size(); ++i) zy[f][static_cast<index>(i) * many + s] = a.response->zy[f][i];
        std::copy_n(a.response->xy.data(), n, xy.data() + s * n);
    }
    Rhs u = lambda_t(zy, many);
    forward(u);
    // 2) RX'^-1 (X'y - RZX'L^-1 Lambda'Z'y), beta and pwrss
    blas::gemm('N', 'T', n, many, q_lead, -1.0, r_.lead.data(), m, u.lead.data(), many, 1.0, xy.data(), n);
    if (q_rest > 0) blas::gemm('T', 'N', n, many, q_rest, -1.0, r_.rest.data(), q_rest, u.rest.data(), q_rest, 1.0, xy.data(), n);
    blas::trsm_lower('L', 'N', n, many, sx_.data(), m, xy.data(), std::max<index>(1, n));
    beta = xy;
    blas::trsm_lower('L', 'T', n, many, sx_.data(), m, beta.data(), std::max<index>(1, n));
    std::vector<ResponseSolution> out(many);
    for (index s = 0; s < many; ++s) {
        double left = responses[s].response->yy - small::dot(n, xy.data() + s * n, xy.data() + s * n);
        for (index i = 0; i < q_lead; ++i) left -= u.lead[i * many + s] * u.lead[i * many + s];
        left -= small::dot(q_rest, u.rest.data() + s * q_rest, u.rest.data() + s * q_rest);
        out[s].pwrss = left;
        out[s].beta.assign(beta.begin() + s * n, beta.begin() + (s + 1) * n);
    }
    // 3) u
    if (n > 0) blas::gemm('T', 'N', many, q_lead, n, -1.0, beta.data(), n, r_.lead.data(), m, 1.0, u.lead.data(), many);
    if (n > 0) blas::gemm('N', 'N', q_rest, many, n, -1.0, r_.rest.data(), q_rest, beta.data(), n, 1.0, u.rest.data(), q_rest);
    backward(u);
    const Blocks all = natural(u);
    for (index s = 0; s < many; ++s)
        for (const auto& v : all) {
            std::vector<double> one(v.size() / many);
            for (size_t i = 0; i < one.size(); ++i) one[i] = v[static_cast<index>(i) * many + s];
            out[s].u.push_back(std::move(one));
        }
    return out;
}

}  // namespace interlace
