#include "levels_rank.hpp"

#include <algorithm>
#include <functional>
#include <map>
#include <numeric>

#include "interrupt.hpp"

namespace interlace {
namespace {

constexpr std::uint64_t prime = 2147483647;  // 2^31 - 1
constexpr index some = 2048;  // levels of the lead
constexpr index few = 256;  // levels beyond the second factor's, for which no equation is long

std::uint64_t inverse_of(std::uint64_t a) {  // Fermat
    std::uint64_t result = 1, power = a % prime;
    for (std::uint64_t e = prime - 2; e > 0; e >>= 1) {
        if (e & 1) result = result * power % prime;
        power = power * power % prime;
    }
    return result;
}

class Union {
  public:
    explicit Union(index n) : up_(n) { std::iota(up_.begin(), up_.end(), index{0}); }
    index find(index i) {
        while (up_[i] != i) i = up_[i] = up_[up_[i]];
        return i;
    }
    // Were they apart?
    bool join(index a, index b) {
        a = find(a);
        b = find(b);
        up_[std::max(a, b)] = std::min(a, b);
        return a != b;
    }

  private:
    std::vector<index> up_;
};

using Equation = std::map<std::int32_t, std::uint64_t, std::greater<>>;  // coordinate -> coefficient, the last one first

// Equations between coordinates, each solved for its last one.
class Echelon {
  public:
    Echelon(index size, double most) : solved_(size), most_(most) {}
    index rank() const { return rank_; }
    bool solves(index at) const { return !solved_[at].empty(); }
    bool tired() const { return done_ > most_; }
    void add(Equation e) {
        while (!e.empty()) {
            const auto [last, coefficient] = *e.begin();
            if (coefficient == 0) {
                e.erase(e.begin());
                continue;
            }
            if (!solves(last)) {
                const std::uint64_t one = inverse_of(coefficient);
                for (const auto& [at, v] : e)
                    if (v != 0) solved_[last].emplace_back(at, v * one % prime);
                ++rank_;
                return;
            }
            for (const auto& [at, v] : solved_[last]) {
                std::uint64_t& mine = e[at];
                mine = (mine + (prime - coefficient) * v) % prime;
            }
            done_ += static_cast<double>(solved_[last].size());
            if (tired()) return;
        }
    }
    // Numbers that satisfy them all, those drawn that no equation is solved for
    template <class Draw> void satisfy(std::vector<std::uint64_t>& c, index from, Draw draw) const {
        for (index k = from; k < static_cast<index>(solved_.size()); ++k) {
            if (!solves(k)) {
                c[k] = draw();
                continue;
            }
            std::uint64_t sum = 0;
            for (size_t i = 1; i < solved_[k].size(); ++i) sum = (sum + solved_[k][i].second * c[solved_[k][i].first]) % prime;
            c[k] = sum == 0 ? 0 : prime - sum;
        }
    }

  private:
    std::vector<std::vector<std::pair<std::int32_t, std::uint64_t>>> solved_;  // by its last coordinate, which has the coefficient 1
    index rank_ = 0;
    double most_, done_ = 0;
};

// The graph of the two largest factors, and a spanning tree of it from breadth-first walks. Vertices: levels of the lead, then of the other.
struct Tree {
    const AbsorbedRows& a;
    index lead, vertices;
    std::vector<std::int32_t> parent, depth;
    std::vector<index> by, order;  // row to the parent, -1: a root; vertices in the order of the walk
    std::vector<index> roots;

    // Of all rows the walks are short; where few equations will be asked for, rows that make a forest are enough.
    Tree(const AbsorbedRows& rows, bool forest)
        : a(rows), lead(a.factors[0].levels), vertices(lead + a.factors[1].levels), parent(vertices, -1), depth(vertices, -1), by(vertices, -1) {
        find_edges(forest);
        walk();
    }
    index second(index r) const { return lead + a.at[r * a.rest()]; }
    index lead_of(index r) const { return std::upper_bound(a.start.begin(), a.start.end(), r) - a.start.begin() - 1; }

  private:
    struct Edge {
        std::uint32_t row, other;
    };
    // Edges of each vertex: rows, and the vertices at their other ends
    void find_edges(bool forest) {
        std::vector<Edge> chosen;  // row, level of the lead
        chosen.reserve(forest ? vertices : a.n);
        Union joined(vertices - lead);
        index apart = vertices - lead - 1;  // once all are joined, one row of each level is enough
        for (index i = 0; i < lead; ++i)
            for (index r = a.start[i], s = a.start[i]; r < a.start[i + 1]; ++r) {
                if (forest && r > s) {
                    if (apart == 0) break;
                    if (!joined.join(second(s) - lead, second(r) - lead)) continue;
                    --apart;
                }
                chosen.push_back({static_cast<std::uint32_t>(r), static_cast<std::uint32_t>(i)});
            }
        ptr_.assign(vertices + 1, 0);
        for (const Edge& e : chosen) {
            ++ptr_[e.other + 1];
            ++ptr_[second(e.row) + 1];
        }
        for (index v = 0; v < vertices; ++v) there_ += ptr_[v + 1] > 0;
        std::partial_sum(ptr_.begin(), ptr_.end(), ptr_.begin());
        edges_.resize(2 * chosen.size());
        std::vector<index> next(ptr_.begin(), ptr_.end() - 1);
        for (const Edge& e : chosen) {
            const index s = second(e.row);
            edges_[next[e.other]++] = {e.row, static_cast<std::uint32_t>(s)};
            edges_[next[s]++] = e;
        }
    }
    void walk() {
        order.reserve(there_);
        // a walk begins at a level of the second factor: that one is free
        for (index s = lead; s < vertices; ++s) {
            if (depth[s] >= 0 || ptr_[s] == ptr_[s + 1]) continue;
            roots.push_back(s);
            size_t at = order.size();
            reach(s, -1, -1);
            for (; at < order.size() && static_cast<index>(order.size()) < there_; ++at) {
                const index v = order[at];
                for (index e = ptr_[v]; e < ptr_[v + 1]; ++e) reach(edges_[e].other, v, edges_[e].row);
                if (at % 4096 == 0) check_interrupt();
            }
        }
        std::vector<Edge>().swap(edges_);
    }
    void reach(index v, index from, index r) {
        if (depth[v] >= 0) return;
        depth[v] = from < 0 ? 0 : depth[from] + 1;
        parent[v] = static_cast<std::int32_t>(from);
        by[v] = r;
        order.push_back(v);
    }

    std::vector<index> ptr_;
    std::vector<Edge> edges_;
    index there_ = 0;
};

// Equations that the rows make between the levels of the third factor and those after it.
class Cycles {
  public:
    Cycles(const AbsorbedRows& a, index others, double most) : a_(a), tree_(a, others <= few), echelon_(a.q, most), c_(a.q, 0), at_(tree_.vertices, 0) {}
    const Tree& tree() const { return tree_; }
    const Echelon& echelon() const { return echelon_; }
    // Until no row contradicts numbers that satisfy all equations (twice, as these are drawn), or there can be no more of them. Rows of
    // some levels of the lead are asked first.
    void eliminate(index bound) {
        size_t batch = 16;
        index every = std::max<index>(1, tree_.lead / some);
        for (int quiet = 0; quiet < 2 && echelon_.rank() < bound && !echelon_.tired(); batch *= 2) {
            const std::vector<index> rows = contradictions(every);
            if (rows.empty() && every > 1) {
                every = 1;
                continue;
            }
            quiet = rows.empty() ? quiet + 1 : 0;
            const size_t step = std::max<size_t>(1, rows.size() / batch);
            for (size_t i = 0; i < rows.size() && !echelon_.tired() && echelon_.rank() < bound; i += step) {
                echelon_.add(equation(rows[i]));
                check_interrupt();
            }
        }
    }

  private:
    std::uint64_t others(index r) const {
        std::uint64_t sum = 0;
        for (index f = 1; f < a_.rest(); ++f) sum += c_[a_.at[r * a_.rest() + f]];
        return sum % prime;
    }
    std::uint64_t draw() {
        state_ = state_ * 6364136223846793005ULL + 1442695040888963407ULL;
        return (state_ >> 33) % prime;
    }
    std::vector<index> contradictions(index every) {
        echelon_.satisfy(c_, a_.factors[2].base, [this] { return draw(); });
        for (const index v : tree_.order)
            at_[v] = tree_.by[v] < 0 ? 0 : (2 * prime - at_[tree_.parent[v]] - others(tree_.by[v])) % prime;
        std::vector<index> rows;
        for (index i = 0; i < tree_.lead; i += every)
            for (index r = a_.start[i]; r < a_.start[i + 1]; ++r)
                if ((at_[i] + at_[tree_.second(r)] + others(r)) % prime != 0) rows.push_back(r);
        check_interrupt();
        return rows;
    }
    void add(Equation& e, index r, bool positive) const {
        for (index f = 1; f < a_.rest(); ++f) {
            std::uint64_t& v = e[a_.at[r * a_.rest() + f]];
            v = (v + (positive ? 1 : prime - 1)) % prime;
        }
    }
    // Around the cycle that the row closes, with alternating signs
    Equation equation(index r) const {
        Equation e;
        add(e, r, true);
        index u = tree_.lead_of(r), v = tree_.second(r);
        bool up = false, vp = false;  // signs of the next edges
        while (u != v) {
            const bool move_u = tree_.depth[u] >= tree_.depth[v];
            index& moved = move_u ? u : v;
            bool& sign = move_u ? up : vp;
            add(e, tree_.by[moved], sign);
            sign = !sign;
            moved = tree_.parent[moved];
        }
        return e;
    }

    const AbsorbedRows& a_;
    Tree tree_;
    Echelon echelon_;
    std::vector<std::uint64_t> c_, at_;
    std::uint64_t state_ = 20250101;
};

}  // namespace

LevelsRank components(const AbsorbedRows& a) {
    const index m = a.rest(), nodes = std::max<index>(a.q, 1);
    // levels of the lead do not meet: those of the rest are joined, by their coordinates
    Union all(nodes);
    std::vector<char> there(nodes, 0);
    for (const std::int32_t at : a.at) there[at] = 1;
    index apart = std::count(there.begin(), there.end(), char{1}) - 1;
    for (index i = 0; i < a.factors[0].levels && apart > 0; ++i) {
        const index s = a.start[i] * m, e = a.start[i + 1] * m;
        for (index t = s; t < e; ++t)
            if (a.at[t] != a.at[s]) apart -= all.join(a.at[s], a.at[t]);
        if (i % 65536 == 0) check_interrupt();
    }
    LevelsRank out;
    out.component.resize(a.factors.size());
    std::vector<std::int32_t> number(nodes, -1);
    const auto name_of = [&](index node) {
        std::int32_t& name = number[all.find(node)];
        if (name < 0) name = static_cast<std::int32_t>(out.components++);
        return name;
    };
    for (const AbsorbedRows::Factor& f : a.factors) {
        std::vector<std::int32_t>& of = out.component[f.given];
        of.assign(f.levels, -1);
        for (index l = 0; l < f.levels; ++l) {
            if (&f != &a.factors[0]) {
                if (there[f.base + l * f.k]) of[l] = name_of(f.base + l * f.k);
            } else if (a.start[l] < a.start[l + 1]) {
                of[l] = m > 0 ? name_of(a.at[a.start[l] * m]) : static_cast<std::int32_t>(out.components++);
            }
        }
    }
    return out;
}

// Of two factors: in each component, the first level of the second is free.
void free_firsts(const AbsorbedRows& a, LevelsRank& out) {
    std::vector<char> seen(out.components, 0);
    const AbsorbedRows::Factor& second = a.factors[1];
    for (index l = 0; l < second.levels; ++l) {
        const std::int32_t c = out.component[second.given][l];
        if (c < 0 || seen[c]) continue;
        seen[c] = out.free[l] = 1;
    }
}

LevelsRank levels_rank(const AbsorbedRows& a, double most) {
    LevelsRank out = components(a);
    std::vector<index> occurring(a.factors.size(), 0);
    for (size_t f = 0; f < a.factors.size(); ++f)
        for (const double d : a.factors[f].diag) occurring[f] += d > 0;
    out.free.assign(a.q, 0);
    if (a.rest() == 0) {
        out.rank = occurring[0];
        return out;
    }
    if (a.rest() == 1) {
        free_firsts(a, out);
        out.rank = occurring[0] + occurring[1] - out.components;
        return out;
    }
    index others = 0;
    for (size_t f = 2; f < a.factors.size(); ++f) others += occurring[f];
    Cycles cycles(a, others, most);
    for (const index root : cycles.tree().roots) out.free[root - cycles.tree().lead] = 1;
    out.rank = occurring[0] + occurring[1] - static_cast<index>(cycles.tree().roots.size());
    cycles.eliminate(others - (a.rest() - 1) * out.components);
    const std::vector<double> diagonal = a.diagonal();
    for (index k = a.factors[2].base; k < a.q; ++k) out.free[k] = diagonal[k] > 0 && !cycles.echelon().solves(k);
    out.rank = cycles.echelon().tired() ? -1 : out.rank + cycles.echelon().rank();
    return out;
}

}  // namespace interlace
