#include "symbolic.hpp"

#include <algorithm>
#include <numeric>

#include "interrupt.hpp"
#include "ordering.hpp"

namespace interlace {
namespace {

// The rest as a graph given by elements (cliques) and pair blocks.
struct Rest {
    const RandomPart& random;
    std::vector<index> base;           // factor -> first node
    std::vector<std::int32_t> factor;  // node -> factor
    std::vector<index> weight;         // node -> scalars
    std::vector<std::vector<index>> transposed_ptr;           // pair -> levels of j
    std::vector<std::vector<std::int32_t>> transposed_level;  // pair -> level of i

    explicit Rest(const RandomPart& r) : random(r), base(r.factors() + 1, 0) {
        for (index f = 1; f < r.factors(); ++f) {
            base[f + 1] = base[f] + r.levels[f];
            factor.insert(factor.end(), r.levels[f], static_cast<std::int32_t>(f));
            weight.insert(weight.end(), r.levels[f], r.k[f]);
        }
        for (const auto& p : r.pairs) transpose(p);
    }
    index nodes() const { return static_cast<index>(factor.size()); }
    index pair_count() const { return static_cast<index>(random.pairs.size()); }

    // Calls f(neighbour) for everything adjacent to a node, with repeats; stops when f returns false.
    template <class F> void for_neighbours(index node, F f) const {
        const index fac = factor[node], level = node - base[fac];
        const index own = fac - 1;  // pair (0, fac)
        for (index e = transposed_ptr[own][level]; e < transposed_ptr[own][level + 1]; ++e) {
            const index g = transposed_level[own][e];
            for (index j = 1; j < random.factors(); ++j) {
                const PairBlocks& p = random.pairs[j - 1];
                for (index b = p.ptr[g]; b < p.ptr[g + 1]; ++b)
                    if (!f(base[j] + p.col[b])) return;
            }
        }
        for (index s = random.factors() - 1; s < pair_count(); ++s) {
            const PairBlocks& p = random.pairs[s];
            if (p.i == fac)
                for (index b = p.ptr[level]; b < p.ptr[level + 1]; ++b)
                    if (!f(base[p.j] + p.col[b])) return;
            if (p.j == fac)
                for (index e = transposed_ptr[s][level]; e < transposed_ptr[s][level + 1]; ++e)
                    if (!f(base[p.i] + transposed_level[s][e])) return;
        }
    }

  private:
    void transpose(const PairBlocks& p) {
        const index levels_j = random.levels[p.j], levels_i = random.levels[p.i];
        std::vector<index> ptr(levels_j + 1, 0);
        for (const std::int32_t c : p.col) ++ptr[c + 1];
        for (index l = 0; l < levels_j; ++l) ptr[l + 1] += ptr[l];
        std::vector<std::int32_t> level(p.col.size());
        std::vector<index> at(ptr.begin(), ptr.end() - 1);
        for (index l = 0; l < levels_i; ++l)
            for (index b = p.ptr[l]; b < p.ptr[l + 1]; ++b) level[at[p.col[b]]++] = static_cast<std::int32_t>(l);
        transposed_ptr.push_back(std::move(ptr));
        transposed_level.push_back(std::move(level));
    }
};

// Would a fill-reducing order be of no use? True for small problems and when a sample of nodes touches a large share of all.
bool nearly_dense(const Rest& rest) {
    const index n = rest.nodes();
    if (n <= 48) return true;
    const index sample = std::min<index>(n, 64);
    const double enough = 0.3;
    std::vector<index> mark(n, -1);
    double share = 0;
    for (index s = 0; s < sample; ++s) {
        const index node = s * n / sample;
        index count = 0;
        rest.for_neighbours(node, [&](index m) {
            if (mark[m] != node) {
                mark[m] = node;
                ++count;
            }
            return static_cast<double>(count) < enough * static_cast<double>(n);
        });
        share += static_cast<double>(count) / (enough * static_cast<double>(n));
    }
    return share >= 0.7 * static_cast<double>(sample);
}

Graph build_graph(const Rest& rest) {
    Graph g;
    const index n = rest.nodes();
    g.ptr.assign(n + 1, 0);
    std::vector<index> mark(n, -1);
    for (index v = 0; v < n; ++v) {
        mark[v] = v;
        rest.for_neighbours(v, [&](index m) {
            if (mark[m] != v) {
                mark[m] = v;
                g.adj.push_back(static_cast<std::int32_t>(m));
            }
            return true;
        });
        g.ptr[v + 1] = static_cast<index>(g.adj.size());
        check_interrupt();
    }
    return g;
}

void count_cost(Symbolic& s) {
    index update = 0;
    std::vector<index> child_updates(s.fronts.size(), 0), alive(s.fronts.size(), 0);
    for (size_t f = 0; f < s.fronts.size(); ++f) {
        Front& front = s.fronts[f];
        front.panel = s.panel_size;
        s.panel_size += front.size() * front.pivots;
        update += front.rows * front.rows;
        s.stack_size = std::max(s.stack_size, update);
        update -= child_updates[f];
        if (front.parent != -1) child_updates[front.parent] += front.rows * front.rows;
        const double c = static_cast<double>(front.pivots), r = static_cast<double>(front.rows);
        s.flops += c * c * c / 3 + c * c * r + c * r * r;
    }
    for (index f = static_cast<index>(s.fronts.size()) - 1; f >= 0; --f) {  // inverse: a front lives until its subtree is done
        const Front& front = s.fronts[f];
        alive[f] = front.size() * front.size() + (front.parent == -1 ? 0 : alive[front.parent]);
        s.inverse_size = std::max(s.inverse_size, alive[f]);
    }
}

// Fronts with their rows as rest positions; node positions are set on the way.
void build_fronts(Symbolic& s, const Rest& rest, const Graph& graph, const Supernodes& super) {
    const index n = rest.nodes(), fronts = static_cast<index>(super.parent.size());
    s.position.assign(n, 0);
    std::vector<index> start(n + 1, 0);  // by elimination order
    for (index k = 0; k < n; ++k) {
        s.position[super.order[k]] = start[k];
        start[k + 1] = start[k] + rest.weight[super.order[k]];
    }
    std::vector<std::vector<std::int32_t>> rows(fronts);
    if (graph.n() == n) rows = row_structure(graph, super);
    s.fronts.resize(fronts);
    for (index f = 0; f < fronts; ++f) {
        Front& front = s.fronts[f];
        front.first = start[super.first[f]];
        front.pivots = start[super.first[f + 1]] - front.first;
        front.node_begin = super.first[f];
        front.node_end = super.first[f + 1];
        front.parent = super.parent[f];
        front.row_ptr = static_cast<index>(s.row_index.size());
        for (const std::int32_t k : rows[f])
            for (index c = start[k]; c < start[k + 1]; ++c) s.row_index.push_back(c);
        front.rows = static_cast<index>(s.row_index.size()) - front.row_ptr;
    }
    s.parent_pos.resize(s.row_index.size());
    for (const Front& front : s.fronts) {
        if (front.parent == -1) continue;
        const Front& up = s.fronts[front.parent];
        index at = 0;
        for (index r = 0; r < front.rows; ++r) {
            const index row = s.row_index[front.row_ptr + r];
            if (row < up.first + up.pivots) {
                s.parent_pos[front.row_ptr + r] = static_cast<std::int32_t>(row - up.first);
                continue;
            }
            while (s.row_index[up.row_ptr + at] != row) ++at;
            s.parent_pos[front.row_ptr + r] = static_cast<std::int32_t>(up.pivots + at);
        }
    }
}

// Positions of rest scalars within the front that eliminates a given one.
class Places {
  public:
    explicit Places(const Symbolic& s) : s_(s), front_of_(s.q_rest) {
        for (size_t f = 0; f < s.fronts.size(); ++f)
            std::fill_n(front_of_.begin() + s.fronts[f].first, s.fronts[f].pivots, static_cast<std::int32_t>(f));
    }
    index front_of(index position) const { return front_of_[position]; }
    std::int32_t in_front(index front, index position) const {
        const Front& f = s_.fronts[front];
        if (position < f.first + f.pivots) return static_cast<std::int32_t>(position - f.first);
        const auto begin = s_.row_index.begin() + f.row_ptr;
        return static_cast<std::int32_t>(f.pivots + (std::lower_bound(begin, begin + f.rows, position) - begin));
    }

  private:
    const Symbolic& s_;
    std::vector<std::int32_t> front_of_;
};

void place_elements(Symbolic& s, const Rest& rest, const Places& places) {
    const RandomPart& random = rest.random;
    struct Item {
        index position, block;
        std::int32_t pair, level;
    };
    std::vector<Item> items;
    const index levels = random.levels[0];
    std::vector<std::int32_t> owner(levels, -1);
    std::vector<index> per_front(s.fronts.size() + 1, 0);
    s.elem_ptr.assign(1, 0);
    s.column_ptr.assign(1, 0);
    for (index g = 0; g < levels; ++g) {
        items.clear();
        for (index j = 1; j < random.factors(); ++j) {
            const PairBlocks& p = random.pairs[j - 1];
            for (index b = p.ptr[g]; b < p.ptr[g + 1]; ++b)
                items.push_back({s.position[s.node_base[j] + p.col[b]], b, static_cast<std::int32_t>(j - 1), p.col[b]});
        }
        std::sort(items.begin(), items.end(), [](const Item& a, const Item& b) { return a.position < b.position; });
        if (!items.empty()) {
            owner[g] = static_cast<std::int32_t>(places.front_of(items[0].position));
            ++per_front[owner[g] + 1];
        }
        for (const Item& it : items) {
            s.elem_pair.push_back(it.pair);
            s.elem_level.push_back(it.level);
            s.elem_block.push_back(it.block);
            for (index c = 0; c < random.k[it.pair + 1]; ++c)
                s.column_pos.push_back(places.in_front(owner[g], it.position + c));
        }
        s.elem_ptr.push_back(static_cast<index>(s.elem_pair.size()));
        s.column_ptr.push_back(static_cast<index>(s.column_pos.size()));
        if (g % 1024 == 0) check_interrupt();
    }
    std::partial_sum(per_front.begin(), per_front.end(), per_front.begin());
    for (size_t f = 0; f < s.fronts.size(); ++f) {
        s.fronts[f].elem_begin = per_front[f];
        s.fronts[f].elem_end = per_front[f + 1];
    }
    s.elem_order.resize(per_front.back());
    for (index g = 0; g < levels; ++g)
        if (owner[g] != -1) s.elem_order[per_front[owner[g]]++] = static_cast<std::int32_t>(g);
}

void place_entries(Symbolic& s, const Rest& rest, const Places& places) {
    const RandomPart& random = rest.random;
    std::vector<index> per_front(s.fronts.size() + 1, 0);
    const auto for_blocks = [&](auto f) {
        for (index t = random.factors() - 1; t < rest.pair_count(); ++t) {
            const PairBlocks& p = random.pairs[t];
            for (index l = 0; l < random.levels[p.i]; ++l)
                for (index b = p.ptr[l]; b < p.ptr[l + 1]; ++b) {
                    const index pi = s.position[s.node_base[p.i] + l], pj = s.position[s.node_base[p.j] + p.col[b]];
                    f(places.front_of(std::min(pi, pj)), pi, pj,
                      FrontEntry{static_cast<std::int32_t>(t), 0, 0, b, static_cast<std::int32_t>(l), p.col[b]});
                }
        }
    };
    for_blocks([&](index front, index, index, const FrontEntry&) { ++per_front[front + 1]; });
    std::partial_sum(per_front.begin(), per_front.end(), per_front.begin());
    for (size_t f = 0; f < s.fronts.size(); ++f) {
        s.fronts[f].entry_begin = per_front[f];
        s.fronts[f].entry_end = per_front[f + 1];
    }
    s.entries.resize(per_front.back());
    for_blocks([&](index front, index pi, index pj, FrontEntry e) {
        e.pos_i = places.in_front(front, pi);
        e.pos_j = places.in_front(front, pj);
        s.entries[per_front[front]++] = e;
    });
}

}  // namespace

double Symbolic::bytes(index p) const {
    const double doubles = static_cast<double>(panel_size) + static_cast<double>(stack_size) + static_cast<double>(inverse_size) +
                           2.0 * static_cast<double>(q_lead + q_rest) * static_cast<double>(p + 1) +
                           2.0 * static_cast<double>(column_pos.size());
    return 8.0 * doubles;
}

std::shared_ptr<const Symbolic> analyze(const RandomPart& random, double max_bytes) {
    auto s = std::make_shared<Symbolic>();
    s->q_lead = random.q(0);
    s->q_rest = random.q() - s->q_lead;
    const Rest rest(random);
    s->node_base = rest.base;
    s->node_factor = rest.factor;
    if (rest.nodes() == 0) {
        s->elem_ptr.assign(random.levels[0] + 1, 0);
        s->column_ptr.assign(random.levels[0] + 1, 0);
        return s;
    }
    Graph graph{{0}, {}};
    Supernodes super;
    if (nearly_dense(rest)) {
        super = single_supernode(rest.nodes());
    } else {
        graph = build_graph(rest);
        super = order_and_count(graph, rest.weight);
    }
    // Costs first: with few large supernodes the row lists are small, but the panels may not fit.
    double panels = 0;
    const double mean = static_cast<double>(s->q_rest) / static_cast<double>(rest.nodes());
    for (size_t f = 0; f < super.parent.size(); ++f) {
        const double cols = mean * static_cast<double>(super.first[f + 1] - super.first[f]);
        panels += 8.0 * cols * (cols + mean * static_cast<double>(super.rows[f]));
    }
    if (2 * panels > max_bytes) {
        s->panel_size = s->inverse_size = static_cast<index>(panels / 8.0);
        return s;
    }
    s->order = super.order;
    build_fronts(*s, rest, graph, super);
    count_cost(*s);
    const Places places(*s);
    place_elements(*s, rest, places);
    place_entries(*s, rest, places);
    return s;
}

}  // namespace interlace
