#include "few_rows.hpp"

#include <algorithm>
#include <cmath>

#include "small.hpp"

namespace interlace {

FewRows::FewRows(const Cholesky& l) : l_(l) {
    const Symbolic& s = l.symbolic();
    front_of_.resize(s.q_rest);
    for (size_t f = 0; f < s.fronts.size(); ++f)
        std::fill_n(front_of_.begin() + s.fronts[f].first, s.fronts[f].pivots, static_cast<index>(f));
    offset_.assign(s.fronts.size(), -1);
}

std::vector<double> FewRows::covariance(const Rows& rows) {
    const index m = rows.n, p = rows.p;
    std::vector<double> c(m * m, 0.0);
    fixed_.resize(p * m);
    for (index i = 0; i < m; ++i)
        for (index j = 0; j < p; ++j) fixed_[i * p + j] = rows.x[i * rows.x_row + j * rows.x_col] - rows.x_origin[j];
    touch(rows);
    leading(rows, c);
    others(rows);
    upwards(m, c);
    if (p > 0) {
        blas::trsm_lower('L', 'N', p, m, l_.rx().data(), p + 1, fixed_.data(), p);
        blas::syrk_lower('T', m, p, 1.0, fixed_.data(), p, 1.0, c.data(), m);
    }
    for (index i = 0; i < m; ++i)
        for (index j = i; j < m; ++j) {
            if (rows.w) c[i * m + j] *= std::sqrt(rows.w[i] * rows.w[j]);
            if (i == j) c[i * m + j] += 1.0;
        }
    return c;
}

// Fronts that eliminate a level of these rows or what it leaves, and those above them, in the order of elimination.
void FewRows::touch(const Rows& rows) {
    const Symbolic& s = l_.symbolic();
    for (const index f : touched_) offset_[f] = -1;
    touched_.clear();
    for (index i = 0; i < rows.n; ++i) {
        for (size_t f = s.leading; f < rows.factors.size(); ++f)
            touch_front(front_of_[s.position[s.node_base[f] + rows.factors[f].codes[i]]]);
        if (s.leading) l_.for_element_rows(rows.factors[0].codes[i], [&](index, index pos) { touch_front(front_of_[pos]); });
    }
    std::sort(touched_.begin(), touched_.end());
    q_ = 0;
    for (const index f : touched_) {
        offset_[f] = q_;
        q_ += s.fronts[f].pivots;
    }
    rest_.assign(q_ * rows.n, 0.0);
}

void FewRows::touch_front(index front) {
    for (; front != -1 && offset_[front] == -1; front = l_.symbolic().fronts[front].parent) {
        offset_[front] = 0;
        touched_.push_back(front);
    }
}

// F'z of a row
void FewRows::white(const FactorRows& rows, size_t f, index row, std::vector<double>& out) const {
    const index k = rows.k;
    std::vector<double> z(k);
    for (index c = 0; c < k; ++c) z[c] = rows.z[row * k + c] - rows.origin[c];
    out.assign(k, 0.0);
    small::add_atb(k, 1, k, 1.0, l_.factors()[f].data(), z.data(), out.data());
}

// Levels of the leading factor: rows that share one are related, and each leaves its element on the rest.
void FewRows::leading(const Rows& rows, std::vector<double>& c) {
    const Symbolic& s = l_.symbolic();
    if (!s.leading) return;
    const FactorRows& fr = rows.factors[0];
    const index k = fr.k, m = rows.n, p = rows.p;
    const double* reduced = l_.reduced().lead.data();
    std::vector<double> all(m * k), v, t;
    for (index i = 0; i < m; ++i) {
        const index g = fr.codes[i];
        white(fr, 0, i, v);
        small::solve_l(k, 1, l_.lead_l(g), v.data());
        std::copy(v.begin(), v.end(), &all[i * k]);
        for (index a = 0; a < k; ++a)
            for (index j = 0; j < p; ++j) fixed_[i * p + j] -= v[a] * reduced[(g * k + a) * (p + 1) + j];
        const index columns = s.column_ptr[g + 1] - s.column_ptr[g];
        t.assign(columns, 0.0);
        small::add_atb(columns, 1, k, 1.0, l_.element(g), v.data(), t.data());
        l_.for_element_rows(g, [&](index at, index pos) { rest(pos)[i * q_] -= t[at]; });
    }
    for (index i = 0; i < m; ++i)
        for (index j = i; j < m; ++j)
            if (fr.codes[i] == fr.codes[j]) c[i * m + j] += small::dot(k, &all[i * k], &all[j * k]);
}

void FewRows::others(const Rows& rows) {
    const Symbolic& s = l_.symbolic();
    std::vector<double> v;
    for (size_t f = s.leading; f < rows.factors.size(); ++f)
        for (index i = 0; i < rows.n; ++i) {
            white(rows.factors[f], f, i, v);
            double* to = rest(s.position[s.node_base[f] + rows.factors[f].codes[i]]);
            for (index a = 0; a < rows.factors[f].k; ++a) to[a + i * q_] += v[a];
        }
}

void FewRows::upwards(index m, std::vector<double>& c) {
    const Symbolic& s = l_.symbolic();
    const index p = l_.p();
    std::vector<double> t;
    for (const index number : touched_) {
        const Front& f = s.fronts[number];
        const double* l = l_.panel(f);
        double* x = &rest_[offset_[number]];
        blas::trsm_lower('L', 'N', f.pivots, m, l, f.size(), x, q_);
        blas::syrk_lower('T', m, f.pivots, 1.0, x, q_, 1.0, c.data(), m);
        if (p > 0) blas::gemm('T', 'N', p, m, f.pivots, -1.0, &l_.reduced().rest[f.first], s.q_rest, x, q_, 1.0, fixed_.data(), p);
        if (f.rows == 0) continue;
        t.resize(f.rows * m);
        blas::gemm('N', 'N', f.rows, m, f.pivots, 1.0, l + f.pivots, f.size(), x, q_, 0.0, t.data(), f.rows);
        for (index r = 0; r < f.rows; ++r) {
            double* to = rest(s.row_index[f.row_ptr + r]);
            for (index i = 0; i < m; ++i) to[i * q_] -= t[r + i * f.rows];
        }
    }
}

}  // namespace interlace
