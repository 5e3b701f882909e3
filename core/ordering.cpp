#include "ordering.hpp"

#include <algorithm>
#include <numeric>

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wshadow"
#include <Eigen/OrderingMethods>
#include <Eigen/SparseCore>
#pragma GCC diagnostic pop

#include "interrupt.hpp"

namespace interlace {
namespace {

using Nodes = std::vector<std::int32_t>;

Nodes minimum_degree(const Graph& g) {
    const int n = static_cast<int>(g.n());
    Eigen::SparseMatrix<float, Eigen::ColMajor, int> pattern(n, n);
    std::vector<int> degree(n);
    for (int i = 0; i < n; ++i) degree[i] = static_cast<int>(g.ptr[i + 1] - g.ptr[i]) + 1;
    pattern.reserve(degree);
    for (int i = 0; i < n; ++i) {
        Nodes adj(g.adj.begin() + g.ptr[i], g.adj.begin() + g.ptr[i + 1]);
        adj.push_back(i);
        std::sort(adj.begin(), adj.end());
        for (const int j : adj) pattern.insert(j, i) = 1.0f;
    }
    pattern.makeCompressed();
    Eigen::PermutationMatrix<Eigen::Dynamic, Eigen::Dynamic, int> p;
    Eigen::internal::minimum_degree_ordering(pattern, p);
    return Nodes(p.indices().data(), p.indices().data() + n);
}

// Liu's algorithm with path compression; columns in elimination order.
std::vector<index> elimination_tree(const Graph& g, const Nodes& order, const Nodes& place) {
    const index n = g.n();
    std::vector<index> parent(n, -1), ancestor(n, -1);
    for (index k = 0; k < n; ++k)
        for (index e = g.ptr[order[k]]; e < g.ptr[order[k] + 1]; ++e) {
            index i = place[g.adj[e]];
            while (i != -1 && i < k) {
                const index next = ancestor[i];
                ancestor[i] = k;
                if (next == -1) parent[i] = k;
                i = next;
            }
        }
    return parent;
}

std::vector<index> postorder(const std::vector<index>& parent) {
    const index n = static_cast<index>(parent.size());
    std::vector<index> head(n, -1), next(n, -1), post, stack;
    post.reserve(n);
    for (index j = n - 1; j >= 0; --j)
        if (parent[j] != -1) {
            next[j] = head[parent[j]];
            head[parent[j]] = j;
        }
    for (index root = 0; root < n; ++root) {
        if (parent[root] != -1) continue;
        stack.push_back(root);
        while (!stack.empty()) {
            const index j = stack.back();
            if (head[j] != -1) {
                stack.push_back(head[j]);
                head[j] = next[head[j]];
            } else {
                post.push_back(j);
                stack.pop_back();
            }
        }
    }
    return post;
}

// Number of entries in each column of L (diagonal included), for a postordered tree: Gilbert, Ng & Peyton (1994). Each row
// subtree of the tree contributes +1 at its leaves and -1 at the least common ancestors of consecutive leaves.
std::vector<index> column_counts(const Graph& g, const Nodes& order, const Nodes& place, const std::vector<index>& parent) {
    const index n = g.n();
    std::vector<index> delta(n, 0), first(n, -1), max_first(n, -1), previous_leaf(n, -1), set(n);
    std::iota(set.begin(), set.end(), index{0});
    for (index j = 0; j < n; ++j) {
        delta[j] = first[j] == -1 ? 1 : 0;  // a leaf of the tree
        for (index a = j; a != -1 && first[a] == -1; a = parent[a]) first[a] = j;
    }
    const auto find = [&set](index i) {
        index root = i;
        while (set[root] != root) root = set[root];
        while (set[i] != root) {
            const index up = set[i];
            set[i] = root;
            i = up;
        }
        return root;
    };
    for (index j = 0; j < n; ++j) {
        if (parent[j] != -1) --delta[parent[j]];
        for (index e = g.ptr[order[j]]; e < g.ptr[order[j] + 1]; ++e) {
            const index i = place[g.adj[e]];
            if (i <= j || first[j] <= max_first[i]) continue;  // j is a leaf of the row subtree of i?
            max_first[i] = first[j];
            ++delta[j];
            if (previous_leaf[i] != -1) --delta[find(previous_leaf[i])];
            previous_leaf[i] = j;
        }
        if (parent[j] != -1) set[j] = parent[j];
    }
    for (index j = 0; j < n; ++j)
        if (parent[j] != -1) delta[parent[j]] += delta[j];
    return delta;
}

// May a supernode with `cols` columns hold this share of explicit zeros?
bool worth_merging(index cols, double zeros, double total) {
    const double limit = cols <= 8 ? 0.5 : cols <= 32 ? 0.2 : cols <= 128 ? 0.1 : 0.05;
    return zeros <= limit * total;
}

struct Merged {
    index cols, rows;  // scalars
    double zeros;
};

double panel(const Merged& m) { return 0.5 * static_cast<double>(m.cols) * static_cast<double>(m.cols + 2 * m.rows + 1); }

}  // namespace

Supernodes single_supernode(index n) {
    Supernodes s;
    s.order.resize(n);
    std::iota(s.order.begin(), s.order.end(), 0);
    s.first = {0, n};
    s.parent = {-1};
    s.rows = {0};
    return s;
}

Supernodes order_and_count(const Graph& g, const std::vector<index>& weight) {
    const index n = g.n();
    // 1) order, tree, postorder; the postorder is applied to the order
    Nodes order = minimum_degree(g), place(n);
    check_interrupt();
    for (index k = 0; k < n; ++k) place[order[k]] = static_cast<std::int32_t>(k);
    std::vector<index> parent = elimination_tree(g, order, place);
    const std::vector<index> post = postorder(parent);
    Nodes new_order(n);
    std::vector<index> new_parent(n), inverse(n);
    for (index k = 0; k < n; ++k) inverse[post[k]] = k;
    for (index k = 0; k < n; ++k) {
        new_order[k] = order[post[k]];
        new_parent[k] = parent[post[k]] == -1 ? -1 : inverse[parent[post[k]]];
    }
    order = std::move(new_order);
    parent = std::move(new_parent);
    for (index k = 0; k < n; ++k) place[order[k]] = static_cast<std::int32_t>(k);
    const std::vector<index> count = column_counts(g, order, place, parent);
    check_interrupt();
    // 2) maximal supernodes: column j + 1 has the structure of column j without j
    std::vector<index> first;
    for (index j = 0; j < n; ++j)
        if (j == 0 || parent[j - 1] != j || count[j - 1] != count[j] + 1) first.push_back(j);
    const index m = static_cast<index>(first.size());
    first.push_back(n);
    std::vector<index> of(n), up(m);
    for (index s = 0; s < m; ++s)
        for (index j = first[s]; j < first[s + 1]; ++j) of[j] = s;
    std::vector<Merged> size(m);
    const double mean_weight =
        n ? static_cast<double>(std::accumulate(weight.begin(), weight.end(), index{0})) / static_cast<double>(n) : 1.0;
    for (index s = 0; s < m; ++s) {
        const index last = first[s + 1] - 1;
        up[s] = parent[last] == -1 ? -1 : of[parent[last]];
        size[s] = {0, static_cast<index>(mean_weight * static_cast<double>(count[last] - 1)), 0.0};
        for (index j = first[s]; j <= last; ++j) size[s].cols += weight[order[j]];
    }
    // 3) merge a supernode into its parent when it is the parent's left neighbour and little fill comes of it
    std::vector<char> absorbed(m, 0);         // absorbed into the next one
    for (index s = m - 1; s >= 1; --s) {
        // the supernode that starts at s, perhaps merged with later ones by now, and its left neighbour
        if (up[s - 1] == -1) continue;
        index top = s;
        while (top < m && absorbed[top]) ++top;
        index parent_top = up[s - 1];
        while (absorbed[parent_top]) ++parent_top;
        if (parent_top != top) continue;
        const Merged a = size[s - 1], b = size[top];
        Merged c{a.cols + b.cols, b.rows, 0.0};
        c.zeros = a.zeros + b.zeros + static_cast<double>(a.cols) * static_cast<double>(std::max<index>(0, b.cols + b.rows - a.rows));
        if (!worth_merging(c.cols, c.zeros, panel(c))) continue;
        absorbed[s - 1] = 1;
        size[top] = c;
    }
    Supernodes out;
    out.order = std::move(order);
    std::vector<index> merged_of(m);
    index start = 0;
    for (index s = 0; s < m; ++s) {
        merged_of[s] = static_cast<index>(out.first.size());
        if (absorbed[s]) continue;
        out.first.push_back(first[start]);
        out.rows.push_back(count[first[s + 1] - 1] - 1);
        out.parent.push_back(up[s]);
        start = s + 1;
    }
    out.first.push_back(n);
    for (index& u : out.parent)
        if (u != -1) u = merged_of[u];
    return out;
}

std::vector<std::vector<std::int32_t>> row_structure(const Graph& g, const Supernodes& s) {
    const index n = g.n(), m = static_cast<index>(s.parent.size());
    Nodes place(n), mark(n, -1);
    for (index k = 0; k < n; ++k) place[s.order[k]] = static_cast<std::int32_t>(k);
    std::vector<Nodes> rows(m);
    std::vector<std::vector<index>> children(m);
    for (index f = 0; f < m; ++f) {
        const index end = s.first[f + 1];
        Nodes& out = rows[f];
        const auto add = [&](std::int32_t k) {
            if (k < end || mark[k] == f) return;
            mark[k] = static_cast<std::int32_t>(f);
            out.push_back(k);
        };
        for (index k = s.first[f]; k < end; ++k)
            for (index e = g.ptr[s.order[k]]; e < g.ptr[s.order[k] + 1]; ++e) add(place[g.adj[e]]);
        for (const index c : children[f])
            for (const std::int32_t k : rows[c]) add(k);
        std::sort(out.begin(), out.end());
        if (s.parent[f] != -1) children[s.parent[f]].push_back(f);
    }
    return rows;
}

}  // namespace interlace
