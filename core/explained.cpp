#include "explained.hpp"

#include <algorithm>
#include <stdexcept>

#include "front.hpp"
#include "interrupt.hpp"
#include "pool.hpp"
#include "small.hpp"

namespace interlace {
namespace {

constexpr index at_once = 64;  // leading levels

Explained nothing(const std::vector<index>& k) {
    Explained out;
    for (const index kf : k) out.traces.emplace_back(kf * kf, 0.0);
    for (size_t f = 0; f < k.size(); ++f)
        for (size_t g = f; g < k.size(); ++g) out.squares.emplace_back(k[f] * k[g] * k[f] * k[g], 0.0);
    return out;
}

void add(Explained& to, const Explained& from) {
    const auto all = [](Blocks& a, const Blocks& b) {
        for (size_t i = 0; i < a.size(); ++i)
            for (size_t j = 0; j < a[i].size(); ++j) a[i][j] += b[i][j];
    };
    all(to.traces, from.traces);
    all(to.squares, from.squares);
}

// Adds blocks of B to the sums.
class Adding {
  public:
    Adding(Explained& sums, const std::vector<index>& k) : sums_(sums), n_(static_cast<index>(k.size())) {}

    // Of two levels of f <= g, n numbers
    void block(index f, index g, index n, const double* b) {
        double* square = sums_.squares[f * n_ - f * (f - 1) / 2 + g - f].data();
        for (index i = 0; i < n; ++i)
            for (index j = 0; j < n; ++j) square[i * n + j] += b[i] * b[j];
    }
    // Of a level with itself
    void own(index f, index n, const double* b) {
        block(f, f, n, b);
        for (index i = 0; i < n; ++i) sums_.traces[f][i] += b[i];
    }

  private:
    Explained& sums_;
    index n_;
};

struct Node {
    index factor, k, at;  // at: rest position
};

std::vector<Node> nodes_of(const Symbolic& s) {
    std::vector<Node> out;
    for (const std::int32_t node : s.order) out.push_back({s.node_factor[node], s.pattern->k[s.node_factor[node]], s.position[node]});
    return out;
}

// The block of M^-1 of the rest: symmetric, both triangles.
std::vector<double> inverse_of_rest(const Cholesky& l) {
    const Symbolic& s = l.symbolic();
    const index q = s.q_rest;
    std::vector<double> z(q * q), dense(q * q, 0.0);
    if (q == 0) return z;
    for (const Front& front : s.fronts)
        for (index c = 0; c < front.pivots; ++c) {
            const double* from = l.panel(front) + c * front.size();
            double* to = &dense[(front.first + c) * q];
            std::copy(from + c, from + front.pivots, to + front.first + c);
            for (index r = 0; r < front.rows; ++r) to[s.row_index[front.row_ptr + r]] = from[front.pivots + r];
        }
    invert_front(q, q, dense.data(), z.data());
    std::vector<double>().swap(dense);
    for (index c0 = 0; c0 < q; c0 += at_once)  // by squares that a cache holds
        for (index r0 = c0; r0 < q; r0 += at_once)
            for (index c = c0; c < std::min(q, c0 + at_once); ++c)
                for (index r = std::max(c + 1, r0); r < std::min(q, r0 + at_once); ++r) z[c + r * q] = z[r + c * q];
    return z;
}

Explained within_rest(const Symbolic& s, const std::vector<Node>& nodes, const std::vector<double>& z) {
    const index q = s.q_rest;
    Explained out = nothing(s.pattern->k);
    Adding sums(out, s.pattern->k);
    std::vector<double> b;
    for (const Node& a : nodes) {
        for (const Node& c : nodes) {
            if (a.factor > c.factor) continue;
            b.resize(a.k * c.k);
            for (index i = 0; i < a.k; ++i)
                for (index j = 0; j < c.k; ++j) b[i * c.k + j] = -z[(c.at + j) + (a.at + i) * q];
            if (a.at != c.at) {
                sums.block(a.factor, c.factor, a.k * c.k, b.data());
                continue;
            }
            for (index i = 0; i < a.k; ++i) b[i * a.k + i] += 1.0;
            sums.own(a.factor, a.k * a.k, b.data());
        }
        check_interrupt();
    }
    return out;
}

// Some leading levels, as rows of M^-1.
class Panel {
  public:
    Panel(const Cholesky& l, const std::vector<double>& z, index first)
        : l_(l), s_(l.symbolic()), k_(s_.pattern->k[0]), first_(first), levels_(std::min(at_once, s_.lead_levels - first)) {
        // P = C Z, position by position
        const index q = s_.q_rest;
        std::vector<double> row(q);
        p_.resize(rows() * q);
        for (index g = 0; g < levels_; ++g) {
            const index columns = s_.column_ptr[first_ + g + 1] - s_.column_ptr[first_ + g];
            for (index i = 0; i < k_; ++i) {
                std::fill(row.begin(), row.end(), 0.0);
                const double* c = l_.element(first_ + g) + i * columns;
                l_.for_element_rows(first_ + g, [&](index j, index pos) {
                    const double* from = &z[pos * q];
                    for (index x = 0; x < q; ++x) row[x] += c[j] * from[x];
                });
                for (index x = 0; x < q; ++x) p_[g * k_ + i + x * rows()] = row[x];
            }
        }
    }

    // M^-1 of these levels and those of the rest is -L^-T P
    void with_rest(const std::vector<Node>& nodes, Adding& sums) const {
        std::vector<double> b;
        for (const Node& node : nodes)
            for (index g = 0; g < levels_; ++g) {
                b.resize(k_ * node.k);
                for (index i = 0; i < k_; ++i)
                    for (index j = 0; j < node.k; ++j) b[i * node.k + j] = p_[g * k_ + i + (node.at + j) * rows()];
                small::solve_lt(k_, node.k, l_.lead_l(first_ + g), b.data());
                sums.block(0, node.factor, k_ * node.k, b.data());
            }
    }

    // and of two leading levels L_g^-T (P_g C_h' + [g = h]) L_h^-1
    void with_lead(Adding& sums) const {
        std::vector<double> pc(rows() * k_), b(k_ * k_);
        for (index h = 0; h < s_.lead_levels; ++h) {
            const index columns = s_.column_ptr[h + 1] - s_.column_ptr[h];
            std::fill(pc.begin(), pc.end(), 0.0);
            l_.for_element_rows(h, [&](index j, index pos) {
                const double* p = &p_[pos * rows()];
                for (index i = 0; i < k_; ++i) {
                    const double c = l_.element(h)[i * columns + j];
                    for (index r = 0; r < rows(); ++r) pc[r + i * rows()] += c * p[r];
                }
            });
            for (index g = 0; g < levels_; ++g) {
                const bool same = first_ + g == h;
                for (index i = 0; i < k_; ++i)  // transposed, for the solve from the right
                    for (index j = 0; j < k_; ++j) b[j * k_ + i] = pc[g * k_ + i + j * rows()] + (same && i == j ? 1.0 : 0.0);
                small::solve_lt(k_, k_, l_.lead_l(h), b.data());
                for (index i = 0; i < k_; ++i)
                    for (index j = i + 1; j < k_; ++j) std::swap(b[i * k_ + j], b[j * k_ + i]);
                small::solve_lt(k_, k_, l_.lead_l(first_ + g), b.data());
                if (!same) {
                    sums.block(0, 0, k_ * k_, b.data());
                    continue;
                }
                for (double& v : b) v = -v;
                for (index i = 0; i < k_; ++i) b[i * k_ + i] += 1.0;
                sums.own(0, k_ * k_, b.data());
            }
        }
    }

  private:
    index rows() const { return levels_ * k_; }

    const Cholesky& l_;
    const Symbolic& s_;
    index k_, first_, levels_;
    std::vector<double> p_;  // rows() x q_rest, column-major
};

}  // namespace

Explained Explained::of(const Cholesky& l) {
    const Symbolic& s = l.symbolic();
    const std::vector<index>& k = s.pattern->k;
    for (index f = 0; f < static_cast<index>(k.size()); ++f)
        if (l.prior(f).kind != Prior::Kind::identity) throw std::invalid_argument("every prior must be the identity");
    // 1) the rest
    const std::vector<double> z = inverse_of_rest(l);
    const std::vector<Node> nodes = nodes_of(s);
    Explained out = within_rest(s, nodes, z);
    // 2) the leading levels, whose sums are added in their order
    const index panels = (s.lead_levels + at_once - 1) / at_once;
    std::vector<Explained> parts(panels);
    pool::each(panels, [&](index i) {
        parts[i] = nothing(k);
        Adding sums(parts[i], k);
        const Panel panel(l, z, i * at_once);
        panel.with_rest(nodes, sums);
        panel.with_lead(sums);
        check_interrupt();
    });
    for (const Explained& part : parts) add(out, part);
    return out;
}

}  // namespace interlace
