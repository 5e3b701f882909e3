// Factors of graphs that are sampled while they are eliminated (Gao, Kyng & Spielman 2025). The levels of the lead and those of one
// factor of the rest are the two sides of a graph with an edge for each meeting. A vertex that is eliminated joins its neighbours to
// each other; in place of all those edges, a tree of them is drawn whose mean they are, so that there are never more than before. The
// random numbers start from a fixed seed: the same rows give the same factor.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "interrupt.hpp"
#include "preconditioner.hpp"

namespace interlace {
namespace {

constexpr index worth_a_graph = 300;  // levels; the diagonal is as good for fewer
constexpr index exact_degree = 3;     // a vertex of so few neighbours joins them all

class Random {  // splitmix64
  public:
    double uniform() {
        std::uint64_t z = (state_ += 0x9e3779b97f4a7c15ULL);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
        return static_cast<double>((z ^ (z >> 31)) >> 11) * 0x1.0p-53;
    }

  private:
    std::uint64_t state_ = 20250101;
};

struct Neighbour {
    std::int32_t to;
    double weight;
};

// f(a, b, weight) for each edge that the elimination of a vertex with these neighbours leaves; they are put in order.
template <class F> void eliminate(std::vector<Neighbour>& near, Random& random, F f) {
    const size_t d = near.size();
    double total = 0;
    for (const Neighbour& u : near) total += u.weight;
    if (static_cast<index>(d) <= exact_degree) {
        for (size_t i = 0; i < d; ++i)
            for (size_t j = i + 1; j < d; ++j) f(near[i].to, near[j].to, near[i].weight * near[j].weight / total);
        return;
    }
    std::sort(near.begin(), near.end(), [](const Neighbour& a, const Neighbour& b) { return a.weight != b.weight ? a.weight < b.weight : a.to < b.to; });
    std::vector<double> beyond(d + 1, 0.0);  // weight from here on
    for (size_t i = d; i-- > 0;) beyond[i] = beyond[i + 1] + near[i].weight;
    for (size_t i = 0; i + 1 < d; ++i) {
        const double left = random.uniform() * beyond[i + 1];  // that much lies beyond the one that is drawn
        size_t low = i + 1, high = d - 1;
        while (low < high) {
            const size_t middle = (low + high + 1) / 2;
            if (beyond[middle] >= left) low = middle;
            else high = middle - 1;
        }
        f(near[i].to, near[low].to, near[i].weight * beyond[i + 1] / total);
    }
}

// The factor of one graph: vertices in the order of their elimination, and the share of each neighbour in what one leaves.
class SampledFactor {
  public:
    SampledFactor(const AbsorbedRows& a, index f);
    void apply(double* x, index m) const;  // levels x m, in place

  private:
    struct Link {
        std::int64_t next;
        std::int32_t to;
        double weight;
    };
    void link(std::int32_t from, std::int32_t to, double weight) {
        links_.push_back({head_[from], to, weight});
        head_[from] = static_cast<std::int64_t>(links_.size()) - 1;
        ++degree_[from];
    }
    void join(std::int32_t a, std::int32_t b, double weight) {
        link(a, b, weight);
        link(b, a, weight);
    }
    void meet_lead(const AbsorbedRows& a, index f, Random& random);
    void eliminate_all(Random& random);
    std::vector<Neighbour> neighbours(std::int32_t v, std::vector<double>& sum);

    index levels_;
    std::vector<std::int64_t> head_;
    std::vector<std::int32_t> degree_;
    std::vector<Link> links_;
    std::vector<char> gone_;
    // the factor
    std::vector<std::int32_t> order_;
    std::vector<double> pivot_;  // 0: the last of its component
    std::vector<index> ptr_{0};
    std::vector<std::int32_t> to_;
    std::vector<double> share_;
};

SampledFactor::SampledFactor(const AbsorbedRows& a, index f)
    : levels_(a.factors[f].levels), head_(levels_, -1), degree_(levels_, 0), gone_(levels_, 0) {
    Random random;
    meet_lead(a, f, random);
    eliminate_all(random);
    std::vector<Link>().swap(links_);
    std::vector<std::int64_t>().swap(head_);
}

void SampledFactor::meet_lead(const AbsorbedRows& a, index f, Random& random) {
    std::vector<Neighbour> near;
    std::vector<std::int64_t> place(levels_, -1);
    std::int64_t seen = 0;
    for (index i = 0; i < a.factors[0].levels; ++i) {
        near.clear();
        for (index r = a.start[i]; r < a.start[i + 1]; ++r) {
            const std::int32_t j = static_cast<std::int32_t>((a.at[r * a.rest() + f - 1] - a.factors[f].base) / a.factors[f].k);
            if (place[j] < seen) {
                place[j] = seen + static_cast<std::int64_t>(near.size());
                near.push_back({j, 0.0});
            }
            near[static_cast<size_t>(place[j] - seen)].weight += a.weight(r);
        }
        seen += static_cast<std::int64_t>(near.size());
        eliminate(near, random, [&](std::int32_t u, std::int32_t v, double w) { join(u, v, w); });
        if (i % 1024 == 0) check_interrupt();
    }
}

// Those that are left, each once, their weights added up
std::vector<Neighbour> SampledFactor::neighbours(std::int32_t v, std::vector<double>& sum) {
    std::vector<Neighbour> near;
    for (std::int64_t e = head_[v]; e != -1; e = links_[static_cast<size_t>(e)].next) {
        const Link& l = links_[static_cast<size_t>(e)];
        if (gone_[l.to]) continue;
        if (sum[l.to] == 0.0) near.push_back({l.to, 0.0});
        sum[l.to] += l.weight;
    }
    for (Neighbour& u : near) {
        u.weight = sum[u.to];
        sum[u.to] = 0.0;
    }
    return near;
}

// The vertex of fewest links first, as far as a queue by their number knows that
void SampledFactor::eliminate_all(Random& random) {
    std::vector<std::vector<std::int32_t>> queue;
    const auto put = [&](std::int32_t v) {
        const size_t d = static_cast<size_t>(degree_[v]);
        if (queue.size() <= d) queue.resize(d + 1);
        queue[d].push_back(v);
    };
    for (std::int32_t v = 0; v < levels_; ++v) put(v);
    std::vector<double> sum(levels_, 0.0);
    size_t at = 0;
    while (static_cast<index>(order_.size()) < levels_) {
        while (queue[at].empty()) ++at;
        const std::int32_t v = queue[at].back();
        queue[at].pop_back();
        if (gone_[v] || static_cast<size_t>(degree_[v]) != at) continue;
        std::vector<Neighbour> near = neighbours(v, sum);
        gone_[v] = 1;
        double total = 0;
        for (const Neighbour& u : near) total += u.weight;
        eliminate(near, random, [&](std::int32_t a, std::int32_t b, double w) { join(a, b, w); });
        order_.push_back(v);
        pivot_.push_back(total);
        for (const Neighbour& u : near) {
            to_.push_back(u.to);
            share_.push_back(u.weight / total);
            --degree_[u.to];
            put(u.to);
            at = std::min(at, static_cast<size_t>(std::max(degree_[u.to], 0)));
        }
        ptr_.push_back(static_cast<index>(to_.size()));
        if (order_.size() % 1024 == 0) check_interrupt();
    }
}

void SampledFactor::apply(double* x, index m) const {
    const index n = static_cast<index>(order_.size());
    for (index k = 0; k < n; ++k) {
        double* v = x + static_cast<index>(order_[k]) * m;
        for (index e = ptr_[k]; e < ptr_[k + 1]; ++e) {
            double* u = x + static_cast<index>(to_[e]) * m;
            for (index j = 0; j < m; ++j) u[j] += share_[e] * v[j];
        }
    }
    for (index k = n - 1; k >= 0; --k) {
        double* v = x + static_cast<index>(order_[k]) * m;
        for (index j = 0; j < m; ++j) v[j] = pivot_[k] > 0 ? v[j] / pivot_[k] : 0.0;
        for (index e = ptr_[k]; e < ptr_[k + 1]; ++e) {
            const double* u = x + static_cast<index>(to_[e]) * m;
            for (index j = 0; j < m; ++j) v[j] += share_[e] * u[j];
        }
    }
}

// Of each factor of the rest its own: the intercepts of many levels have a graph, all else the diagonal.
class Sampled : public Preconditioner {
  public:
    explicit Sampled(const AbsorbedRows& a) : a_(a), diagonal_(diagonal_inverse(a)), graphs_(a.factors.size()) {
        for (index f = 1; f <= a.rest(); ++f)
            if (a.factors[0].intercept && a.factors[f].intercept && a.factors[f].levels > worth_a_graph)
                graphs_[f] = std::make_unique<SampledFactor>(a, f);
    }
    void apply(const double* r, double* z, index m) const override {
        diagonal_->apply(r, z, m);
        for (index f = 1; f <= a_.rest(); ++f) {
            if (!graphs_[f]) continue;
            const AbsorbedRows::Factor& factor = a_.factors[f];
            std::vector<double> x(factor.levels * m), scale(factor.levels, 1.0);
            // a column that was made orthonormal is one of ones times the number at the head of its transform
            for (index l = 0; l < factor.levels && !factor.plain(); ++l) {
                const double t = factor.transform[l * factor.k * factor.k];
                scale[l] = t > 0 ? 1.0 / t : 0.0;
            }
            for (index l = 0; l < factor.levels; ++l)
                for (index j = 0; j < m; ++j) x[l * m + j] = scale[l] * r[(factor.base + l * factor.k) * m + j];
            graphs_[f]->apply(x.data(), m);
            for (index l = 0; l < factor.levels; ++l)
                for (index j = 0; j < m; ++j) z[(factor.base + l * factor.k) * m + j] = scale[l] * x[l * m + j];
        }
    }

  private:
    const AbsorbedRows& a_;
    std::unique_ptr<Preconditioner> diagonal_;
    std::vector<std::unique_ptr<SampledFactor>> graphs_;
};

}  // namespace

std::unique_ptr<Preconditioner> sampled_factors(const AbsorbedRows& a) { return std::make_unique<Sampled>(a); }

}  // namespace interlace
