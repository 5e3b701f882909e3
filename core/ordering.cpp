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

// The matrix with an entry wherever two nodes are neighbours, and on the diagonal; its values are not looked at.
Eigen::SparseMatrix<float, Eigen::ColMajor, int> matrix_of(const Graph& g) {
    const int n = static_cast<int>(g.n());
    Eigen::SparseMatrix<float, Eigen::ColMajor, int> out(n, n);
    out.resizeNonZeros(static_cast<index>(g.adj.size()) + n);
    int* ptr = out.outerIndexPtr();
    ptr[0] = 0;
    for (int i = 0; i < n; ++i) ptr[i + 1] = ptr[i] + 1 + static_cast<int>(g.ptr[i + 1] - g.ptr[i]);
    // The graph is symmetric: each node gives its own number to its neighbours, so that theirs come in order.
    std::vector<int> next(ptr, ptr + n);
    for (int i = 0; i < n; ++i) {
        const auto give = [&](int to) { out.innerIndexPtr()[next[to]++] = i; };
        for (index e = g.ptr[i]; e < g.ptr[i + 1]; ++e) give(g.adj[e]);
        give(i);
    }
    return out;
}

Nodes minimum_degree(const Graph& g) {
    const int n = static_cast<int>(g.n());
    Eigen::SparseMatrix<float, Eigen::ColMajor, int> pattern = matrix_of(g);
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

// Children before their parents, the one with the largest `size` next to it.
std::vector<index> postorder(const std::vector<index>& parent, const std::vector<index>& size) {
    const index n = static_cast<index>(parent.size());
    std::vector<index> head(n, -1), next(n, -1), post, stack, largest_first(n);
    std::iota(largest_first.rbegin(), largest_first.rend(), index{0});
    std::stable_sort(largest_first.begin(), largest_first.end(), [&](index i, index j) { return size[i] > size[j]; });
    post.reserve(n);
    for (const index j : largest_first)
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

// An elimination order, its tree, and the number of entries in each column of the factor.
struct Tree {
    Nodes order, place;  // place[order[k]] = k
    std::vector<index> parent, count;
    void renumber(const std::vector<index>& post);
};

void Tree::renumber(const std::vector<index>& post) {
    const Tree old(*this);
    const index n = static_cast<index>(post.size());
    std::vector<index> inverse(n);
    for (index k = 0; k < n; ++k) inverse[post[k]] = k;
    for (index k = 0; k < n; ++k) {
        order[k] = old.order[post[k]];
        place[order[k]] = static_cast<std::int32_t>(k);
        parent[k] = old.parent[post[k]] == -1 ? -1 : inverse[old.parent[post[k]]];
        count[k] = old.count[post[k]];
    }
}

// Of the minimum-degree order, postordered.
Tree ordered_tree(const Graph& g) {
    const index n = g.n();
    Tree t{minimum_degree(g), Nodes(n), {}, std::vector<index>(n, 0)};
    check_interrupt();
    for (index k = 0; k < n; ++k) t.place[t.order[k]] = static_cast<std::int32_t>(k);
    t.parent = elimination_tree(g, t.order, t.place);
    t.renumber(postorder(t.parent, t.count));
    t.count = column_counts(g, t.order, t.place, t.parent);
    check_interrupt();
    t.renumber(postorder(t.parent, t.count));
    return t;
}

struct Merged {
    index cols, rows;  // scalars
    double zeros;
    index size() const { return cols + rows; }
};

double panel(const Merged& m) { return 0.5 * static_cast<double>(m.cols) * static_cast<double>(m.cols + 2 * m.rows + 1); }

// `child` and `parent` as one.
Merged merged(const Merged& child, const Merged& parent) {
    const double zeros = static_cast<double>(child.cols) * static_cast<double>(std::max<index>(0, parent.size() - child.rows));
    return {child.cols + parent.cols, parent.rows, child.zeros + parent.zeros + zeros};
}

// May a supernode hold this share of explicit zeros?
bool adds_little(const Merged& m) {
    const double limit = m.cols <= 8 ? 0.5 : m.cols <= 32 ? 0.2 : m.cols <= 128 ? 0.1 : 0.05;
    return m.zeros <= limit * panel(m);
}

// A large supernode of its own leaves an update of rows^2 numbers, which are cleared, written, and added to the parent. For each of them
// so many flops on the columns of the parent take less time.
bool saves_time(const Merged& child, const Merged& parent) {
    constexpr index large = 256;
    constexpr double flops = 64;
    const auto square = [](index n) { return static_cast<double>(n) * static_cast<double>(n); };
    return child.rows >= large && static_cast<double>(child.cols) * (square(parent.size()) - square(child.rows)) < flops * square(child.rows);
}

// Supernodes without zeros: column j + 1 has the structure of column j without j.
struct Maximal {
    std::vector<index> first, parent;  // first column of each, and the end; supernode -> parent or -1
    explicit Maximal(const Tree& t) {
        const auto n = static_cast<index>(t.order.size());
        for (index j = 0; j < n; ++j)
            if (j == 0 || t.parent[j - 1] != j || t.count[j - 1] != t.count[j] + 1) first.push_back(j);
        first.push_back(n);
        std::vector<index> of(n);
        for (index s = 0; s < count(); ++s) std::fill(of.begin() + first[s], of.begin() + first[s + 1], s);
        for (index s = 0; s < count(); ++s) {
            const index up = t.parent[first[s + 1] - 1];
            parent.push_back(up == -1 ? -1 : of[up]);
        }
    }
    index count() const { return static_cast<index>(first.size()) - 1; }
    index rows(const Tree& t, index s) const { return t.count[first[s + 1] - 1] - 1; }
    std::vector<Merged> sizes(const Tree& t, const std::vector<index>& weight) const {
        const double all = static_cast<double>(std::accumulate(weight.begin(), weight.end(), index{0}));
        const double mean = weight.empty() ? 1.0 : all / static_cast<double>(weight.size());
        std::vector<Merged> out;
        for (index s = 0; s < count(); ++s) {
            out.push_back({0, static_cast<index>(mean * static_cast<double>(rows(t, s))), 0.0});
            for (index j = first[s]; j < first[s + 1]; ++j) out[s].cols += weight[t.order[j]];
        }
        return out;
    }
};

// Which supernode each one is merged into, or itself: an ancestor, which takes as many as add little fill or save time.
std::vector<index> groups(const Maximal& maximal, std::vector<Merged> size) {
    std::vector<index> group(maximal.count());
    for (index s = maximal.count() - 1; s >= 0; --s) {
        group[s] = s;
        if (maximal.parent[s] == -1) continue;
        const index up = group[maximal.parent[s]];
        const Merged both = merged(size[s], size[up]);
        if (!adds_little(both) && !saves_time(size[s], size[up])) continue;
        group[s] = up;
        size[up] = both;
    }
    return group;
}

// Groups after those that are below them; the columns of one stand together, in the order of the tree.
Supernodes in_groups(const Tree& tree, const Maximal& maximal, const std::vector<index>& group) {
    std::vector<index> tops, number(maximal.count(), -1), parent, rows;
    for (index s = 0; s < maximal.count(); ++s) {
        if (group[s] != s) continue;
        number[s] = static_cast<index>(tops.size());
        tops.push_back(s);
    }
    std::vector<std::vector<index>> members(tops.size());
    for (index s = 0; s < maximal.count(); ++s) members[number[group[s]]].push_back(s);
    for (const index top : tops) {
        parent.push_back(maximal.parent[top] == -1 ? -1 : number[group[maximal.parent[top]]]);
        rows.push_back(maximal.rows(tree, top));
    }
    const std::vector<index> post = postorder(parent, rows);
    std::vector<index> place(post.size());
    for (size_t i = 0; i < post.size(); ++i) place[post[i]] = static_cast<index>(i);
    Supernodes out;
    for (const index g : post) {
        out.first.push_back(static_cast<index>(out.order.size()));
        out.parent.push_back(parent[g] == -1 ? -1 : place[parent[g]]);
        out.rows.push_back(rows[g]);
        for (const index s : members[g])
            out.order.insert(out.order.end(), tree.order.begin() + maximal.first[s], tree.order.begin() + maximal.first[s + 1]);
    }
    out.first.push_back(static_cast<index>(out.order.size()));
    return out;
}

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
    const Tree tree = ordered_tree(g);
    const Maximal maximal(tree);
    const std::vector<index> group = groups(maximal, maximal.sizes(tree, weight));
    return in_groups(tree, maximal, group);
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
