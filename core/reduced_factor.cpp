// The sparse Cholesky factor of the system of the rest, by fronts; pivots that are nothing but rounding are left out.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "interrupt.hpp"
#include "ordering.hpp"
#include "preconditioner.hpp"
#include "reduced.hpp"

namespace interlace {
namespace {

// Of a diagonal that was 1 before elimination, less than this left is rounding.
constexpr double dependent = 1e-11;
constexpr index step = 48;  // pivots treated at once
constexpr double most_products = 3e8, of_a_row = 64, most_met = 64;
constexpr index few = 600;  // coordinates of which the factor is small whatever meets

class Fronts : public ReducedFactor {
  public:
    Fronts(index q, ReducedMatrix s, Supernodes super, std::vector<std::vector<std::int32_t>> rows)
        : q_(q), s_(std::move(s)), super_(std::move(super)), rows_(std::move(rows)), left_(s_.nodes(), 0) {
        factorize();
    }
    std::vector<char> depends() const override {
        std::vector<char> out(q_, 1);
        for (index k = 0; k < s_.nodes(); ++k) out[s_.coordinate[super_.order[k]]] = left_[k];
        return out;
    }
    void apply(const double* r, double* z, index m) const override;

  private:
    index fronts() const { return static_cast<index>(super_.parent.size()); }
    index pivots(index f) const { return super_.first[f + 1] - super_.first[f]; }
    index size(index f) const { return pivots(f) + static_cast<index>(rows_[f].size()); }
    void factorize();
    void eliminate(index f, double* update);
    void eliminate_block(index first, index n, index j0, index nb, double* a);

    index q_;  // coordinates of the rest
    ReducedMatrix s_;
    Supernodes super_;
    std::vector<std::vector<std::int32_t>> rows_;  // front -> positions below its pivots
    std::vector<char> left_;                       // position -> was it left out?
    std::vector<std::vector<double>> panel_;       // size x pivots, column-major
};

void Fronts::factorize() {
    const index n = s_.nodes();
    std::vector<std::int32_t> place(n);
    for (index k = 0; k < n; ++k) place[super_.order[k]] = static_cast<std::int32_t>(k);
    std::vector<index> local(n, 0);
    std::vector<std::vector<double>> update(fronts());
    std::vector<std::vector<index>> children(fronts());
    panel_.resize(fronts());
    for (index f = 0; f < fronts(); ++f) {
        const index first = super_.first[f], np = pivots(f), rows = size(f) - np;
        for (index k = 0; k < np; ++k) local[first + k] = k;
        for (index k = 0; k < rows; ++k) local[rows_[f][k]] = np + k;
        std::vector<double>& panel = panel_[f];
        panel.assign((np + rows) * np, 0.0);
        update[f].assign(rows * rows, 0.0);
        const auto add = [&](index row, index col, double v) {  // lower triangle
            if (row < col) std::swap(row, col);
            if (col < np) panel[row + col * (np + rows)] += v;
            else update[f][(row - np) + (col - np) * rows] += v;
        };
        for (index k = 0; k < np; ++k) {
            const index node = super_.order[first + k];
            panel[k + k * (np + rows)] = s_.diag[node];
            for (index e = s_.ptr[node]; e < s_.ptr[node + 1]; ++e)
                if (place[s_.col[e]] > first + k) add(local[place[s_.col[e]]], k, s_.val[e]);
        }
        for (const index child : children[f]) {
            const std::vector<std::int32_t>& at = rows_[child];
            const index m = static_cast<index>(at.size());
            for (index c = 0; c < m; ++c)
                for (index r = c; r < m; ++r) add(local[at[r]], local[at[c]], update[child][r + c * m]);
            std::vector<double>().swap(update[child]);
        }
        eliminate(f, update[f].data());
        if (super_.parent[f] != -1) children[super_.parent[f]].push_back(f);
        if (f % 64 == 0) check_interrupt();
    }
}

// Pivots j0 to j0 + nb of a panel of n rows, the ones before them done with.
void Fronts::eliminate_block(index first, index n, index j0, index nb, double* a) {
    for (index c = j0; c < j0 + nb; ++c) {
        double* col = a + c * n;
        for (index l = j0; l < c; ++l) {
            const double v = a[c + l * n];
            if (v == 0.0) continue;
            for (index r = c; r < j0 + nb; ++r) col[r] -= v * a[r + l * n];
        }
        if (!(col[c] > dependent)) {
            left_[first + c] = 1;
            std::fill(col + c, col + n, 0.0);
            col[c] = 1.0;
            continue;
        }
        const double root = std::sqrt(col[c]);
        col[c] = root;
        for (index r = c + 1; r < j0 + nb; ++r) col[r] /= root;
    }
    blas::trsm_lower('R', 'T', n - j0 - nb, nb, a + j0 + j0 * n, n, a + j0 + nb + j0 * n, n);
    for (index c = j0; c < j0 + nb; ++c)
        if (left_[first + c]) std::fill(a + c * n + j0 + nb, a + (c + 1) * n, 0.0);
}

void Fronts::eliminate(index f, double* update) {
    const index n = size(f), np = pivots(f), below = n - np;
    double* a = panel_[f].data();
    for (index j0 = 0; j0 < np; j0 += step) {
        const index nb = std::min(step, np - j0);
        if (j0 > 0) blas::gemm('N', 'T', n - j0, nb, j0, -1.0, a + j0, n, a + j0, n, 1.0, a + j0 + j0 * n, n);
        eliminate_block(super_.first[f], n, j0, nb, a);
        check_interrupt();
    }
    for (index c0 = 0; c0 < below; c0 += 512) {
        const index nc = std::min<index>(512, below - c0);
        blas::syrk_lower('N', nc, np, -1.0, a + np + c0, n, 1.0, update + c0 + c0 * below, below);
        blas::gemm('N', 'T', below - c0 - nc, nc, np, -1.0, a + np + c0 + nc, n, a + np + c0, n, 1.0, update + c0 + nc + c0 * below, below);
        check_interrupt();
    }
}

void Fronts::apply(const double* r, double* z, index m) const {
    const index n = s_.nodes();
    std::vector<double> x(n * m), t;
    for (index k = 0; k < n; ++k) {
        const index node = super_.order[k];
        for (index j = 0; j < m; ++j) x[k * m + j] = r[s_.coordinate[node] * m + j] / s_.scale[node];
    }
    // x is n x m row-major: the m x pivots column-major block of a front meets the triangle from the right
    for (index f = 0; f < fronts(); ++f) {
        const index first = super_.first[f], np = pivots(f), rows = size(f) - np;
        const double* a = panel_[f].data();
        blas::trsm_lower('R', 'T', m, np, a, np + rows, &x[first * m], m);
        for (index k = first; k < first + np; ++k)
            if (left_[k]) std::fill(&x[k * m], &x[k * m] + m, 0.0);
        if (rows == 0) continue;
        t.assign(rows * m, 0.0);
        blas::gemm('N', 'T', m, rows, np, 1.0, &x[first * m], m, a + np, np + rows, 0.0, t.data(), m);
        for (index k = 0; k < rows; ++k)
            for (index j = 0; j < m; ++j) x[rows_[f][k] * m + j] -= t[k * m + j];
    }
    for (index f = fronts() - 1; f >= 0; --f) {
        const index first = super_.first[f], np = pivots(f), rows = size(f) - np;
        const double* a = panel_[f].data();
        if (rows > 0) {
            t.resize(rows * m);
            for (index k = 0; k < rows; ++k) std::copy_n(&x[rows_[f][k] * m], m, &t[k * m]);
            blas::gemm('N', 'N', m, np, rows, -1.0, t.data(), m, a + np, np + rows, 1.0, &x[first * m], m);
        }
        blas::trsm_lower('R', 'N', m, np, a, np + rows, &x[first * m], m);
    }
    std::fill(z, z + q_ * m, 0.0);
    for (index k = 0; k < n; ++k) {
        const index node = super_.order[k];
        for (index j = 0; j < m; ++j) z[s_.coordinate[node] * m + j] = x[k * m + j] / s_.scale[node];
    }
}

bool nearly_dense(const ReducedMatrix& s) {
    const double n = static_cast<double>(s.nodes());
    return s.nodes() <= 48 || static_cast<double>(s.col.size()) >= 0.3 * n * n;
}

}  // namespace

std::unique_ptr<ReducedFactor> reduced_factor(const AbsorbedRows& a, Room room) {
    const ReducedCost needed = cost(a);
    const bool generous = room.flops > 1e10;
    if (needed.products > (generous ? 10 : 1) * std::max(most_products, of_a_row * static_cast<double>(a.n))) return nullptr;
    if (a.q > few && needed.met > most_met && !generous) return nullptr;
    ReducedMatrix s = reduced_matrix(a, meetings(a));
    Graph graph{s.ptr, s.col};
    const std::vector<index> ones(s.nodes(), 1);
    Supernodes super;
    std::vector<std::vector<std::int32_t>> rows;
    if (nearly_dense(s)) super = single_supernode(s.nodes());
    else super = order_and_count(graph, ones);
    double flops = 0, doubles = 0;
    for (size_t f = 0; f < super.parent.size(); ++f) {
        const double np = static_cast<double>(super.first[f + 1] - super.first[f]), size = np + static_cast<double>(super.rows[f]);
        flops += np * size * size;
        doubles += np * size;
    }
    if (flops > room.flops || doubles > room.doubles) return nullptr;
    if (nearly_dense(s)) rows.resize(1);
    else rows = row_structure(graph, super);
    return std::make_unique<Fronts>(a.q, std::move(s), std::move(super), std::move(rows));
}

}  // namespace interlace
