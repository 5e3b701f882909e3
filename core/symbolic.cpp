#include "symbolic.hpp"

#include <algorithm>
#include <numeric>
#include <stdexcept>

#include "interrupt.hpp"
#include "rest.hpp"
#include "tiles.hpp"

namespace interlace {
namespace {

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
    const Pattern& pattern = rest.pattern;
    struct Item {
        index position, block;
        std::int32_t pair, level;
    };
    std::vector<Item> items;
    const index levels = s.lead_levels;
    std::vector<std::int32_t> owner(levels, -1);
    std::vector<index> per_front(s.fronts.size() + 1, 0);
    s.elem_ptr.assign(1, 0);
    s.column_ptr.assign(1, 0);
    for (index g = 0; g < levels; ++g) {
        items.clear();
        for (index j = 1; j < pattern.factors(); ++j) {
            const PairPattern& p = pattern.pairs[j - 1];
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
            for (index c = 0; c < pattern.k[it.pair + 1]; ++c)
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

// Nanoseconds that the elements of a front take where its head begins at position h, for one factorisation.
double cost_of_head(const Symbolic& s, const Front& front, index h) {
    constexpr double blas = 0.05, dense = 0.3, scattered = 1.5;  // per product: rough figures, which choose where to cut and never a number
    const auto wide = static_cast<double>(front.size() - h);
    double cost = 0;
    for (index o = front.elem_begin; o < front.elem_end; ++o) {
        const index g = s.elem_order[o], columns = s.column_ptr[g + 1] - s.column_ptr[g];
        if (is_wide(columns, front.size())) continue;
        const auto begin = s.column_pos.begin() + s.column_ptr[g];
        const auto tail = static_cast<double>(std::lower_bound(begin, begin + columns, h) - begin);
        cost += blas * wide * wide / 2 + dense * tail * wide + scattered * tail * tail / 2;
    }
    return cost;
}

void choose_heads(Symbolic& s) {
    for (Front& front : s.fronts) {
        const index n = front.size();
        front.head = n;
        if (!worth_tiles(n)) continue;
        double least = cost_of_head(s, front, n);
        for (const index share : {1, 2, 3, 4, 6, 8, 12, 16}) {  // sixteenths
            const index h = n - n * share / 16;
            const double cost = cost_of_head(s, front, h);
            if (cost >= least) continue;
            least = cost;
            front.head = h;
        }
    }
}

void place_entries(Symbolic& s, const Rest& rest, const Places& places) {
    const Pattern& pattern = rest.pattern;
    std::vector<index> per_front(s.fronts.size() + 1, 0);
    const auto place = [&](auto f, index pair, index fi, index i, index fj, index j, index block) {
        const index pi = s.position[s.node_base[fi] + i], pj = s.position[s.node_base[fj] + j];
        f(places.front_of(std::min(pi, pj)), pi, pj,
          FrontEntry{static_cast<std::int32_t>(pair), 0, 0, block, static_cast<std::int32_t>(i), static_cast<std::int32_t>(j)});
    };
    const auto for_blocks = [&](auto f) {
        for (index t = rest.first_pair(); t < rest.pair_count(); ++t) {
            const PairPattern& p = pattern.pairs[t];
            for (index l = 0; l < pattern.levels[p.i]; ++l)
                for (index b = p.ptr[l]; b < p.ptr[l + 1]; ++b) place(f, t, p.i, l, p.j, p.col[b], b);
        }
        for (index g = rest.leading; g < pattern.factors(); ++g) {
            if (!s.priors[g].links()) continue;
            const Precision& q = *s.priors[g].precision;
            for (index l = 0; l < q.levels(); ++l)
                for (index e = q.ptr[l]; e < q.ptr[l + 1]; ++e)
                    if (q.col[e] > l) place(f, -1 - g, g, l, g, q.col[e], e);
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

// The pattern of some grouping factors, in their order
SharedPattern part_of(const Pattern& whole, const std::vector<index>& factors) {
    auto out = std::make_shared<Pattern>();
    for (const index f : factors) {
        out->levels.push_back(whole.levels[f]);
        out->k.push_back(whole.k[f]);
    }
    for (index i = 0; i < out->factors(); ++i)
        for (index j = i + 1; j < out->factors(); ++j) {
            PairPattern pair = whole.pairs[whole.pair_index(factors[i], factors[j])];
            pair.i = i;
            pair.j = j;
            out->pairs.push_back(std::move(pair));
        }
    return out;
}

void add_varying(Symbolic& s, double max_bytes) {
    Priors priors;
    for (index f = 0; f < s.pattern->factors(); ++f) {
        if (s.priors[f].absorbed()) continue;
        s.varying_factors.push_back(f);
        priors.push_back(s.priors[f]);
    }
    if (!priors.empty()) s.varying = analyze(part_of(*s.pattern, s.varying_factors), std::move(priors), max_bytes);
}

}  // namespace

double Symbolic::bytes(index p) const {
    const double doubles = static_cast<double>(panel_size) + static_cast<double>(stack_size) + static_cast<double>(inverse_size) +
                           2.0 * static_cast<double>(q_lead + q_rest) * static_cast<double>(p + 1) +
                           2.0 * static_cast<double>(column_pos.size());
    return 8.0 * doubles;
}

std::shared_ptr<const Symbolic> analyze(SharedPattern pattern, Priors priors, double max_bytes) {
    if (static_cast<index>(priors.size()) != pattern->factors()) throw std::invalid_argument("one prior for each grouping factor");
    for (index f = 0; f < pattern->factors(); ++f)
        if (priors[f].links() && priors[f].precision->levels() != pattern->levels[f])
            throw std::invalid_argument("the precision has other levels than the grouping factor");
    for (index f = 0; f < pattern->factors(); ++f)
        if (priors[f].held && static_cast<index>(priors[f].held->size()) != pattern->q(f))
            throw std::invalid_argument("a flag for each coefficient of an absorbed factor");
    auto s = std::make_shared<Symbolic>();
    s->leading = leads(*pattern, priors) ? 1 : 0;
    s->lead_levels = s->leading ? pattern->levels[0] : 0;
    s->q_lead = s->leading ? pattern->q(0) : 0;
    s->q_rest = pattern->q() - s->q_lead;
    s->pattern = std::move(pattern);
    s->priors = std::move(priors);
    if (std::any_of(s->priors.begin(), s->priors.end(), [](const Prior& p) { return p.absorbed(); })) add_varying(*s, max_bytes);
    const Rest rest(*s);
    s->node_base = rest.base;
    s->node_factor = rest.factor;
    if (rest.nodes() == 0) {
        s->elem_ptr.assign(s->lead_levels + 1, 0);
        s->column_ptr.assign(s->lead_levels + 1, 0);
        return s;
    }
    Graph graph{{0}, {}};
    Supernodes super;
    if (nearly_dense(rest)) {
        super = single_supernode(rest.nodes());
        if (worth_tiles(s->q_rest)) rest.rare_first(super.order);
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
    choose_heads(*s);
    place_entries(*s, rest, places);
    return s;
}

}  // namespace interlace
