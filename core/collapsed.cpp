#include "collapsed.hpp"

#include <cmath>
#include <numeric>

#include "interrupt.hpp"

namespace interlace {
namespace {

// Levels of the small factors together, and what their dense columns may take, of the rows.
constexpr index most_few = 32;
constexpr double dense_share = 0.5;

index levels_of_small_factors(const AbsorbedRows& a) {
    index few = 0;
    for (index f = 2; f <= a.rest(); ++f) few += a.factors[f].levels;
    return few;
}

}  // namespace

std::unique_ptr<Collapsed> Collapsed::of(const AbsorbedRows& a) {
    if (a.rest() < 1 || !std::all_of(a.factors.begin(), a.factors.end(), [](const auto& f) { return f.plain(); })) return nullptr;
    const index few = levels_of_small_factors(a);
    if (few > most_few || static_cast<double>(few * (a.q - few)) > dense_share * static_cast<double>(a.n)) return nullptr;
    return std::unique_ptr<Collapsed>(new Collapsed(a, few));
}

Collapsed::Collapsed(const AbsorbedRows& a, index few)
    : q_(a.q - few), few_(few), chunks_(a.chunks), ptr_(a.factors[0].levels + 1, 0), diag_(a.factors[1].diag), t_(q_ * few), u_(few * few) {
    // 1) C, and what the rows say of the small factors, in parts that depend on the rows alone
    const index tasks = static_cast<index>(chunks_.size()) - 1;
    std::vector<std::vector<std::int32_t>> at(tasks);
    std::vector<std::vector<double>> value(tasks);
    pool::each(tasks, [&](index task) { meet(a, chunks_[task], chunks_[task + 1], at[task], value[task]); });
    std::partial_sum(ptr_.begin(), ptr_.end(), ptr_.begin());
    at_.resize(ptr_.back());
    value_.resize(ptr_.back());
    pool::each(tasks, [&](index task) {
        std::copy(at[task].begin(), at[task].end(), at_.begin() + ptr_[chunks_[task]]);
        std::copy(value[task].begin(), value[task].end(), value_.begin() + ptr_[chunks_[task]]);
    });
    if (few == 0) return;
    // 2) the dense columns, in two halves
    const index half = chunks_[tasks / 2];
    std::vector<double> t(t_.size(), 0.0), u(u_.size(), 0.0);
    pool::each(2, [&](index task) {
        if (task == 0) add_few(a, 0, half, t_, u_);
        else add_few(a, half, chunks_.back(), t, u);
    });
    for (size_t i = 0; i < t.size(); ++i) t_[i] += t[i];
    for (size_t i = 0; i < u.size(); ++i) u_[i] += u[i];
}

// The rows of C of some levels of the lead; how many entries they have goes to ptr_.
void Collapsed::meet(const AbsorbedRows& a, index first, index last, std::vector<std::int32_t>& at, std::vector<double>& value) {
    const index m = a.rest();
    std::vector<index> place(q_, -1);
    for (index i = first; i < last; ++i) {
        const index begin = static_cast<index>(at.size());
        for (index r = a.start[i]; r < a.start[i + 1]; ++r) {
            const std::int32_t level = a.at[r * m];
            if (place[level] < begin) {
                place[level] = static_cast<index>(at.size());
                at.push_back(level);
                value.push_back(0.0);
            }
            value[place[level]] += a.weight(r);
        }
        const double d = a.factors[0].diag[i], scale = d > 0 ? 1.0 / std::sqrt(d) : 0.0;
        for (size_t e = static_cast<size_t>(begin); e < value.size(); ++e) value[e] *= scale;
        ptr_[i + 1] = static_cast<index>(at.size()) - begin;
        if (i % 4096 == 0) check_interrupt();
    }
}

// What the rows of some levels of the lead add to T and U.
void Collapsed::add_few(const AbsorbedRows& a, index first, index last, std::vector<double>& t, std::vector<double>& u) const {
    const index m = a.rest();
    std::vector<double> met(few_);
    for (index i = first; i < last; ++i) {
        std::fill(met.begin(), met.end(), 0.0);
        for (index r = a.start[i]; r < a.start[i + 1]; ++r) {
            const std::int32_t* at = &a.at[r * m];
            const double w = a.weight(r);
            for (index f = 1; f < m; ++f) {
                const index l = at[f] - q_;
                met[l] += w;
                t[at[0] * few_ + l] += w;
                for (index g = 1; g < m; ++g) u[l * few_ + at[g] - q_] += w;
            }
        }
        const double d = a.factors[0].diag[i];
        if (!(d > 0)) continue;
        const double root = 1.0 / std::sqrt(d);
        for (double& v : met) v *= root;
        for (index e = ptr_[i]; e < ptr_[i + 1]; ++e)
            for (index l = 0; l < few_; ++l) t[at_[e] * few_ + l] -= value_[e] * met[l];
        for (index l = 0; l < few_; ++l)
            for (index h = 0; h < few_; ++h) u[l * few_ + h] -= met[l] * met[h];
        if (i % 4096 == 0) check_interrupt();
    }
}

}  // namespace interlace
