#include "cholesky.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "elements.hpp"
#include "interrupt.hpp"
#include "lone.hpp"
#include "small.hpp"
#include "tiles.hpp"

namespace interlace {
namespace {

[[noreturn]] void not_positive() { throw NotPositiveDefinite(); }

// l with l l' = F'A F + I for two effects; returns the log of the determinant.
double factor_two(const double* a, const double* f, double* l) {
    const double t00 = a[0] * f[0] + a[1] * f[2], t01 = a[0] * f[1] + a[1] * f[3];
    const double t10 = a[2] * f[0] + a[3] * f[2], t11 = a[2] * f[1] + a[3] * f[3];
    const double first = f[0] * t00 + f[2] * t10 + 1.0;
    if (!(first > 0)) not_positive();
    l[0] = std::sqrt(first);
    l[1] = 0.0;
    l[2] = (f[1] * t00 + f[3] * t10) / l[0];
    const double second = f[1] * t01 + f[3] * t11 + 1.0 - l[2] * l[2];
    if (!(second > 0)) not_positive();
    l[3] = std::sqrt(second);
    const double both = first * second;  // one logarithm, unless they are as large as numbers can be
    return both < 1e300 && both > 1e-300 ? std::log(both) : std::log(first) + std::log(second);
}

// Cross-products of the random effects alone that are no fixed effects, with y'y 1 so that the factor of the "fixed part" exists.
CrossProducts with_priors(const CrossProducts& a, const Symbolic& s) {
    const RandomPart& all = *a.random;
    auto random = std::make_shared<RandomPart>();
    auto fixed = std::make_shared<FixedPart>();
    auto response = std::make_shared<ResponsePart>();
    random->pattern = s.varying->pattern;
    response->yy = 1.0;
    for (const index f : s.varying_factors) {
        random->diag.push_back(all.diag[f]);
        fixed->zx.emplace_back();
        response->zy.emplace_back(all.pattern->q(f), 0.0);
    }
    for (const PairPattern& pair : random->pattern->pairs)
        random->cross.push_back(all.cross[all.pattern->pair_index(s.varying_factors[pair.i], s.varying_factors[pair.j])]);
    return {a.n, 0.0, std::move(random), std::move(fixed), std::move(response)};
}

}  // namespace

Cholesky::Cholesky(CrossProducts products, std::shared_ptr<const Symbolic> symbolic)
    : Solved(std::move(products)), s_(std::move(symbolic)), lone_(lone::is_lone(*s_, p())) {
    if (a_.random->pattern != s_->pattern && !(*a_.random->pattern == *s_->pattern))
        throw std::invalid_argument("the analysis belongs to cross-products of another pattern");
    if (!s_->complete()) throw std::invalid_argument("the analysis was refused: the factor would not fit");
    lead_l_.resize(s_->lead_levels * k_[0] * k_[0]);
    for (size_t f = 0; f < k_.size(); ++f) ld_prior_ += static_cast<double>(k_[f]) * s_->priors[f].log_det();
    for (size_t f = 0; f < k_.size(); ++f) absorbed_ += s_->priors[f].count(levels_[f] * k_[f]);
    if (s_->varying) varying_ = std::make_unique<Cholesky>(with_priors(a_, *s_), s_->varying);
    elem_c_.resize(s_->column_pos.size() * k_[0]);
    panels_.resize(s_->panel_size);
    children_.resize(s_->fronts.size());
    for (size_t f = 0; f < s_->fronts.size(); ++f)
        if (s_->fronts[f].parent != -1) children_[s_->fronts[f].parent].push_back(static_cast<index>(f));
}

void Cholesky::factorize(const Blocks& factors) {
    if (complete_ && factors == f_) return;
    complete_ = false;
    f_ = factors;
    if (lone_) {
        eliminate_lone();
    } else {
        ld_l2_ = -ld_prior_;
        factor_lead();
        factor_fronts();
        r_ = lambda_t(zxy(), p() + 1);
        forward(r_);
        fixed_products();
    }
    factor_fixed();
    if (varying_) {
        Blocks own;
        for (const index f : s_->varying_factors) own.push_back(f_[f]);
        varying_->factorize(own);
        ld_rx2_ += ld_l2_ - varying_->ld_l2();
        ld_l2_ = varying_->ld_l2();
    }
    complete_ = true;
}

void Cholesky::eliminate_lone() {
    const index m = p() + 1;
    r_.m = m;
    r_.lead.resize(s_->q_lead * m);
    sx_.assign(m * m, 0.0);
    ld_l2_ = lone::eliminate(a_, f_[0].data(), lead_l_.data(), r_.lead.data(), sx_.data());
}

// Per level of the leading factor: L_g L_g' = F'A_gg F + I, and C_gh = L_g^-1 F'A_gh F_h for the levels h it meets.
void Cholesky::factor_lead() {
    const RandomPart& random = *a_.random;
    const index k = k_[0];
    const double* f = f_[0].data();
    const Prior& prior = s_->priors[0];  // a factor whose levels are linked does not lead
    if (k == 1) {
        const double f0 = f[0];
        for (index g = 0; g < s_->lead_levels; ++g) {
            const double m = f0 * f0 * random.diag[0][g] + (prior.absorbed() ? prior.diagonal(g, 1) : 1.0);
            if (m <= 0) not_positive();
            lead_l_[g] = std::sqrt(m);
            ld_l2_ += std::log(m);
        }
    } else if (k == 2 && !prior.absorbed()) {
        for (index g = 0; g < s_->lead_levels; ++g) ld_l2_ += factor_two(&random.diag[0][g * 4], f, &lead_l_[g * 4]);
    } else {
        std::vector<double> t(k * k);
        for (index g = 0; g < s_->lead_levels; ++g) {
            double* l = &lead_l_[g * k * k];
            std::fill(t.begin(), t.end(), 0.0);
            std::fill(l, l + k * k, 0.0);
            small::add_ab(k, k, k, 1.0, &random.diag[0][g * k * k], f, t.data());
            small::add_atb(k, k, k, 1.0, f, t.data(), l);
            for (index c = 0; c < k; ++c) l[c * k + c] += prior.diagonal(g * k + c, k);
            if (!small::cholesky(k, l)) not_positive();
            for (index c = 0; c < k; ++c) ld_l2_ += 2.0 * std::log(l[c * k + c]);
        }
    }
    check_interrupt();
    if (s_->q_rest == 0) return;
    std::vector<double> t(k * *std::max_element(k_.begin(), k_.end()));
    for (index g = 0; g < s_->lead_levels; ++g) {
        const index columns = s_->column_ptr[g + 1] - s_->column_ptr[g];
        double* c = elem_c_.data() + s_->column_ptr[g] * k;
        const double* l = &lead_l_[g * k * k];
        index at = 0;
        for (index e = s_->elem_ptr[g]; e < s_->elem_ptr[g + 1]; ++e) {
            const index j = s_->elem_pair[e] + 1, kj = k_[j];
            const double* a = &random.cross[s_->elem_pair[e]][s_->elem_block[e] * k * kj];
            const double* fj = f_[j].data();
            if (k == 1 && kj == 1) {
                c[at++] = f[0] * a[0] * fj[0];
                continue;
            }
            std::fill(t.begin(), t.begin() + k * kj, 0.0);
            small::add_ab(k, kj, kj, 1.0, a, fj, t.data());
            for (index i = 0; i < k; ++i)
                for (index h = 0; h < kj; ++h) {
                    double v = 0;
                    for (index r = 0; r < k; ++r) v += f[r * k + i] * t[r * kj + h];
                    c[i * columns + at + h] = v;
                }
            at += kj;
        }
        small::solve_l(k, columns, l, c);
    }
    check_interrupt();
}

void Cholesky::assemble_elements(const Front& front, double* panel, double* update) const {
    const index k = k_[0], n = front.size();
    const FrontMatrix fm{panel, update, n, front.pivots};
    if (worth_tiles(n)) {
        subtract_elements(*this, front, fm);
        return;
    }
    const index batch = std::max<index>(k, 96 / k * k);
    std::vector<double> buffer;
    index filled = 0;
    const auto flush = [&] {
        if (filled > 0) subtract_outer(fm, buffer.data(), filled);
        std::fill(buffer.begin(), buffer.end(), 0.0);
        filled = 0;
    };
    for (index o = front.elem_begin; o < front.elem_end; ++o) {
        const index g = s_->elem_order[o], columns = s_->column_ptr[g + 1] - s_->column_ptr[g];
        const std::int32_t* pos = &s_->column_pos[s_->column_ptr[g]];
        const double* c = element(g);
        if (is_wide(columns, n)) {  // nearly a full row: collect and let BLAS do the products
            if (buffer.empty()) buffer.assign(n * batch, 0.0);
            if (filled + k > batch) flush();
            for (index i = 0; i < k; ++i, ++filled)
                for (index j = 0; j < columns; ++j) buffer[pos[j] + filled * n] = c[i * columns + j];
            continue;
        }
        for (index i = 0; i < k; ++i) {
            const double* ci = c + i * columns;
            for (index b = 0; b < columns; ++b) {
                const double v = ci[b];
                if (pos[b] < front.pivots) {
                    double* col = panel + pos[b] * n;
                    for (index a = b; a < columns; ++a) col[pos[a]] -= ci[a] * v;
                } else {
                    for (index a = b; a < columns; ++a) fm.at(pos[a], pos[b]) -= ci[a] * v;
                }
            }
        }
        if (o % 256 == 0) check_interrupt();
    }
    if (filled > 0) flush();
}

void Cholesky::assemble(index index_of_front, double* panel, double* update, Blocks& updates) const {
    const Front& front = s_->fronts[index_of_front];
    const RandomPart& random = *a_.random;
    const FrontMatrix fm{panel, update, front.size(), front.pivots};
    std::vector<double> t, v;
    const auto congruence = [&](index i, index j, const double* a) {  // v = F_i' A F_j
        const index ki = k_[i], kj = k_[j];
        t.assign(ki * kj, 0.0);
        v.assign(ki * kj, 0.0);
        small::add_ab(ki, kj, kj, 1.0, a, f_[j].data(), t.data());
        small::add_atb(ki, kj, ki, 1.0, f_[i].data(), t.data(), v.data());
    };
    // 1) diagonal blocks
    index at = 0;
    for (index o = front.node_begin; o < front.node_end; ++o) {
        const index node = s_->order[o], f = s_->node_factor[node], k = k_[f], level = node - s_->node_base[f];
        const double* d = &random.diag[f][level * k * k];
        const Prior& prior = s_->priors[f];
        if (k == 1) {
            fm.at(at, at) = f_[f][0] * f_[f][0] * d[0] + prior.diagonal(level, 1);
        } else {
            congruence(f, f, d);
            for (index c = 0; c < k; ++c)
                for (index r = c; r < k; ++r) fm.at(at + r, at + c) = v[r * k + c] + (r == c ? prior.diagonal(level * k + c, k) : 0.0);
        }
        at += k;
    }
    // 2) products of different factors of the rest, and what links the levels of one
    for (index e = front.entry_begin; e < front.entry_end; ++e) {
        const FrontEntry& entry = s_->entries[e];
        if (entry.pair < 0) {
            const index f = -1 - entry.pair;
            const double q = s_->priors[f].precision->val[entry.block];
            for (index c = 0; c < k_[f]; ++c) fm.lower(entry.pos_i + c, entry.pos_j + c) += q;
            continue;
        }
        const PairBlocks pair = random.pair(entry.pair);
        const index ki = k_[pair.i], kj = k_[pair.j];
        const double* a = &pair.val[entry.block * ki * kj];
        if (ki == 1 && kj == 1) {
            fm.lower(entry.pos_i, entry.pos_j) += f_[pair.i][0] * a[0] * f_[pair.j][0];
            continue;
        }
        congruence(pair.i, pair.j, a);
        for (index r = 0; r < ki; ++r)
            for (index c = 0; c < kj; ++c) fm.lower(entry.pos_i + r, entry.pos_j + c) += v[r * kj + c];
    }
    // 3) what the leading factor and the children of the front leave
    assemble_elements(front, panel, update);
    for (const index child : children_[index_of_front]) {
        const Front& cf = s_->fronts[child];
        const std::int32_t* pos = &s_->parent_pos[cf.row_ptr];
        const double* u = updates[child].data();
        for (index c = 0; c < cf.rows; ++c)
            for (index r = c; r < cf.rows; ++r) fm.at(pos[r], pos[c]) += u[r + c * cf.rows];
        std::vector<double>().swap(updates[child]);
    }
}

void Cholesky::factor_fronts() {
    const index n = static_cast<index>(s_->fronts.size());
    std::fill(panels_.begin(), panels_.end(), 0.0);
    Blocks updates(n);
    for (index i = 0; i < n; ++i) {
        const Front& front = s_->fronts[i];
        double* panel = &panels_[front.panel];
        updates[i].assign(front.rows * front.rows, 0.0);
        assemble(i, panel, updates[i].data(), updates);
        factor_front({panel, updates[i].data(), front.size(), front.pivots});
        for (index c = 0; c < front.pivots; ++c) ld_l2_ += 2.0 * std::log(panel[c + c * front.size()]);
        if (i % 64 == 0) check_interrupt();
    }
}

void Cholesky::fixed_products() {
    const index m = p() + 1, q_lead = s_->q_lead, q_rest = s_->q_rest;
    sx_.assign(m * m, 0.0);
    if (m >= 12) {
        blas::syrk_lower('N', m, q_lead, -1.0, r_.lead.data(), m, 0.0, sx_.data(), m);
    } else {
        for (index q = 0; q < q_lead; ++q) {
            const double* r = &r_.lead[q * m];
            for (index c = 0; c < m; ++c)
                for (index d = c; d < m; ++d) sx_[d + c * m] -= r[c] * r[d];
        }
    }
    if (q_rest > 0) blas::syrk_lower('T', m, q_rest, -1.0, r_.rest.data(), q_rest, 1.0, sx_.data(), m);
}

// The block of M^-1 on a front, from that of its parent.
void Cholesky::front_inverse(index index_of_front, const Front* parent, const double* parent_z, double* z) const {
    const Front& front = s_->fronts[index_of_front];
    const index n = front.size();
    const double* l = &panels_[front.panel];
    if (parent) {
        const std::int32_t* pos = &s_->parent_pos[front.row_ptr];
        const index up = parent->size();
        for (index c = 0; c < front.rows; ++c)
            for (index r = c; r < front.rows; ++r)
                z[front.pivots + r + (front.pivots + c) * n] = parent_z[pos[r] + pos[c] * up];
    }
    invert_front(n, front.pivots, l, z);
}

}  // namespace interlace
