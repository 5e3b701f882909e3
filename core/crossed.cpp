#include "crossed.hpp"

#include <algorithm>
#include <cmath>

#include "front.hpp"
#include "small.hpp"

namespace interlace {
namespace {

// Tasks are cut by the size of the problem: so many blocks at least for each, so many in all, and so many numbers for their sums.
constexpr index blocks_of_task = 1 << 16, most_tasks = 16, most_sums = 1 << 24;
constexpr index levels_at_once = 1 << 14;

// target (k x M) += A B, A (k x c), B (c x M); and with A' (A of c x k)
template <int M> inline void add(index k, index c, const double* a, const double* b, double* target) {
    for (index i = 0; i < k; ++i)
        for (index l = 0; l < c; ++l) {
            const double v = a[i * c + l];
            for (int j = 0; j < M; ++j) target[i * M + j] += v * b[l * M + j];
        }
}
template <int M> inline void add_t(index k, index c, const double* a, const double* b, double* target) {
    for (index l = 0; l < c; ++l)
        for (index i = 0; i < k; ++i) {
            const double v = a[l * k + i];
            for (int j = 0; j < M; ++j) target[i * M + j] += v * b[l * M + j];
        }
}

}  // namespace

Crossed::Crossed(std::shared_ptr<const RandomPart> random) : random_(std::move(random)) {
    const Pattern& pattern = *random_->pattern;
    base_.assign(1, 0);
    for (index f = 1; f < pattern.factors(); ++f) base_.push_back(base_.back() + pattern.q(f));
    base_.insert(base_.begin(), 0);  // of the lead, which is not among them
    index blocks = 0;
    for (size_t s = 0; s < pattern.pairs.size(); ++s) {
        if (pattern.pairs[s].i == 0) pairs_.push_back(static_cast<index>(s));
        blocks += static_cast<index>(pattern.pairs[s].col.size());
    }
    const index room = most_sums / std::max<index>(1, rest());
    const index tasks = std::clamp(std::min(blocks / blocks_of_task, std::max<index>(2, room)), index{1}, most_tasks);
    // tasks of levels with as many blocks each
    const index levels = pattern.levels[0];
    index total = 0, done = 0;
    for (const index s : pairs_) total += static_cast<index>(pattern.pairs[s].col.size());
    begin_.assign(1, 0);
    for (index g = 0; g < levels; ++g) {
        for (const index s : pairs_) done += pattern.pairs[s].ptr[g + 1] - pattern.pairs[s].ptr[g];
        while (static_cast<index>(begin_.size()) < tasks && done * tasks >= static_cast<index>(begin_.size()) * total) begin_.push_back(g + 1);
    }
    while (static_cast<index>(begin_.size()) <= tasks) begin_.push_back(levels);
    begin_.back() = levels;
}

void Crossed::set(const Blocks& factors) {
    const Pattern& pattern = *random_->pattern;
    log_det_ = 0;
    k_.clear();
    p_.clear();
    g_.clear();
    l_.clear();
    std::vector<double> fa, d, gt, inverse;
    for (index f = 0; f < pattern.factors(); ++f) {
        const index k = pattern.k[f], levels = pattern.levels[f], size = k * k;
        const double* fac = factors[f].data();
        k_.emplace_back(levels * size, 0.0);
        p_.emplace_back(levels * size, 0.0);
        g_.emplace_back(f == 0 ? 0 : levels * size, 0.0);
        l_.emplace_back(f == 0 ? 0 : levels * size, 0.0);
        for (index l = 0; l < levels; ++l) {
            const double* a = &random_->diag[f][l * size];
            fa.assign(size, 0.0);
            small::add_ab(k, k, k, 1.0, a, fac, fa.data());
            d.assign(size, 0.0);
            small::add_atb(k, k, k, 1.0, fac, fa.data(), d.data());
            for (index i = 0; i < k; ++i) d[i * k + i] += 1.0;
            if (!small::cholesky(k, d.data())) throw NotPositiveDefinite();
            for (index i = 0; i < k; ++i) log_det_ += 2.0 * std::log(d[i * k + i]);
            if (f > 0) std::copy(d.begin(), d.end(), &l_[f][l * size]);
            // G' = L^-1 F', P' = L^-T G', K = G G'
            gt.assign(size, 0.0);
            for (index i = 0; i < k; ++i)
                for (index j = 0; j < k; ++j) gt[i * k + j] = fac[j * k + i];
            small::solve_l(k, k, d.data(), gt.data());
            small::add_atb(k, k, k, 1.0, gt.data(), gt.data(), &k_[f][l * size]);
            inverse = gt;
            small::solve_lt(k, k, d.data(), inverse.data());
            for (index i = 0; i < k; ++i)
                for (index j = 0; j < k; ++j) {
                    p_[f][l * size + i * k + j] = inverse[j * k + i];
                    if (f > 0) g_[f][l * size + i * k + j] = gt[j * k + i];
                }
        }
        check_interrupt();
    }
    if (!std::isfinite(log_det_)) throw NotPositiveDefinite();
}

template <int M> void Crossed::scale(const double* v, double* out, bool transposed) const {
    const Pattern& pattern = *random_->pattern;
    for (index f = 1; f < pattern.factors(); ++f) {
        const index k = pattern.k[f], levels = pattern.levels[f];
        const double *g = g_[f].data(), *from = v + base_[f] * M;
        double* to = out + base_[f] * M;
        pool::each((levels + levels_at_once - 1) / levels_at_once, [&](index part) {
            const index end = std::min(levels, (part + 1) * levels_at_once);
            for (index l = part * levels_at_once; l < end; ++l) {
                double* t = to + l * k * M;
                std::fill(t, t + k * M, 0.0);
                if (transposed) add_t<M>(k, k, g + l * k * k, from + l * k * M, t);
                else add<M>(k, k, g + l * k * k, from + l * k * M, t);
            }
        });
    }
}

template <int M, bool In, bool Out, class Row> void Crossed::sweep(const double* w, double* out, Row row) const {
    const Pattern& pattern = *random_->pattern;
    const index k = pattern.k[0], tasks = static_cast<index>(begin_.size()) - 1, size = rest() * M;
    if (Out && static_cast<index>(sums_.size()) < tasks * size) sums_.resize(tasks * size);
    pool::each(tasks, [&](index task) {
        double* sums = Out ? &sums_[task * size] : nullptr;
        if (Out) std::fill(sums, sums + size, 0.0);
        std::vector<double> t(k * M);
        for (index g = begin_[task]; g < begin_[task + 1]; ++g) {
            std::fill(t.begin(), t.end(), 0.0);
            for (const index s : pairs_) {
                if (!In) break;
                const PairPattern& pair = pattern.pairs[s];
                const double *values = random_->cross[s].data(), *from = w + base_[pair.j] * M;
                const index kj = pattern.k[pair.j];
                for (index b = pair.ptr[g]; b < pair.ptr[g + 1]; ++b) {
                    if (k == 1 && kj == 1) add<M>(1, 1, values + b, from + pair.col[b] * M, t.data());
                    else add<M>(k, kj, values + b * k * kj, from + pair.col[b] * kj * M, t.data());
                }
            }
            row(g, t.data());
            for (const index s : pairs_) {
                if (!Out) break;
                const PairPattern& pair = pattern.pairs[s];
                const double* values = random_->cross[s].data();
                double* to = sums + base_[pair.j] * M;
                const index kj = pattern.k[pair.j];
                for (index b = pair.ptr[g]; b < pair.ptr[g + 1]; ++b) {
                    if (k == 1 && kj == 1) add_t<M>(1, 1, values + b, t.data(), to + pair.col[b] * M);
                    else add_t<M>(kj, k, values + b * k * kj, t.data(), to + pair.col[b] * kj * M);
                }
            }
            if (g % 256 == 0) check_interrupt();
        }
        if (In && Out) within_rest<M>(task, w, sums);
    });
    if (Out) reduce(size, out);
}

// - E W, a share of the levels for each task
template <int M> void Crossed::within_rest(index task, const double* w, double* out) const {
    const Pattern& pattern = *random_->pattern;
    const index tasks = static_cast<index>(begin_.size()) - 1;
    std::vector<double> t;
    for (size_t s = 0; s < pattern.pairs.size(); ++s) {
        const PairPattern& pair = pattern.pairs[s];
        if (pair.i == 0) continue;
        const index ki = pattern.k[pair.i], kj = pattern.k[pair.j], levels = pattern.levels[pair.i];
        t.resize(std::max(ki, kj) * M);
        for (index l = levels * task / tasks; l < levels * (task + 1) / tasks; ++l) {
            const double* own = w + (base_[pair.i] + l * ki) * M;
            double* to = out + (base_[pair.i] + l * ki) * M;
            for (index b = pair.ptr[l]; b < pair.ptr[l + 1]; ++b) {
                const double *a = &random_->cross[s][b * ki * kj], *other = w + (base_[pair.j] + pair.col[b] * kj) * M;
                double* there = out + (base_[pair.j] + pair.col[b] * kj) * M;
                std::fill(t.begin(), t.end(), 0.0);
                add<M>(ki, kj, a, other, t.data());
                for (index i = 0; i < ki * M; ++i) to[i] -= t[i];
                std::fill(t.begin(), t.end(), 0.0);
                add_t<M>(kj, ki, a, own, t.data());
                for (index i = 0; i < kj * M; ++i) there[i] -= t[i];
            }
        }
    }
}

void Crossed::reduce(index size, double* out) const {
    const index tasks = static_cast<index>(begin_.size()) - 1, part = levels_at_once;
    pool::each((size + part - 1) / part, [&](index at) {
        const index first = at * part, last = std::min(size, first + part);
        std::copy(&sums_[0] + first, &sums_[0] + last, out + first);
        for (index task = 1; task < tasks; ++task) {
            const double* from = &sums_[task * size];
            for (index i = first; i < last; ++i) out[i] += from[i];
        }
    });
}

template <int M> void Crossed::q(const double* w, double* out, double* lead) const {
    const index k = random_->k()[0];
    const double* kk = k_[0].data();
    sweep<M, true, true>(w, out, [&](index g, double* t) {
        if (lead) std::copy(t, t + k * M, lead + g * k * M);
        if (k == 1) {
            for (int j = 0; j < M; ++j) t[j] *= kk[g];
            return;
        }
        std::vector<double> kt(k * M, 0.0);
        add<M>(k, k, kk + g * k * k, t, kt.data());
        std::copy(kt.begin(), kt.end(), t);
    });
}

template <int M> void Crossed::apply(const double* v, double* out) const {
    if (static_cast<index>(w_.size()) < rest() * M) {
        w_.resize(rest() * M);
        qw_.resize(rest() * M);
    }
    g<M>(v, w_.data());
    q<M>(w_.data(), qw_.data(), nullptr);
    gt<M>(qw_.data(), out);
    for (index i = 0; i < rest() * M; ++i) out[i] = v[i] - out[i];
}

template <int M> void Crossed::gather(const double* w, double* lead) const {
    const index k = random_->k()[0];
    sweep<M, true, false>(w, nullptr, [&](index g, const double* t) { std::copy(t, t + k * M, lead + g * k * M); });
}

template <int M> void Crossed::scatter(const double* lead, double* out) const {
    const index k = random_->k()[0];
    sweep<M, false, true>(nullptr, out, [&](index g, double* t) { std::copy(lead + g * k * M, lead + (g + 1) * k * M, t); });
}

std::vector<double> Crossed::own_q() const {
    // blocks of k x k stand where a vector has k: sums of the tasks are of the widest
    const Pattern& pattern = *random_->pattern;
    const index k = pattern.k[0], tasks = static_cast<index>(begin_.size()) - 1;
    std::vector<index> at(pattern.factors() + 1, 0);
    for (index f = 1; f < pattern.factors(); ++f) at[f + 1] = at[f] + pattern.q(f) * pattern.k[f];
    const index size = at.back();
    if (static_cast<index>(sums_.size()) < tasks * size) sums_.resize(tasks * size);
    pool::each(tasks, [&](index task) {
        double* sums = &sums_[task * size];
        std::fill(sums, sums + size, 0.0);
        std::vector<double> kb;
        for (index g = begin_[task]; g < begin_[task + 1]; ++g)
            for (const index s : pairs_) {
                const PairPattern& pair = pattern.pairs[s];
                const index kj = pattern.k[pair.j];
                const double* kk = &k_[0][g * k * k];
                for (index b = pair.ptr[g]; b < pair.ptr[g + 1]; ++b) {
                    const double* a = &random_->cross[s][b * k * kj];
                    double* to = sums + at[pair.j] + pair.col[b] * kj * kj;
                    if (k == 1 && kj == 1) {
                        *to += kk[0] * a[0] * a[0];
                        continue;
                    }
                    kb.assign(k * kj, 0.0);
                    small::add_ab(k, kj, k, 1.0, kk, a, kb.data());
                    small::add_atb(kj, kj, k, 1.0, a, kb.data(), to);
                }
                if (g % 256 == 0) check_interrupt();
            }
    });
    std::vector<double> out(size);
    reduce(size, out.data());
    return out;
}

std::vector<double> Crossed::own_lead() const {
    const Pattern& pattern = *random_->pattern;
    const index k = pattern.k[0], tasks = static_cast<index>(begin_.size()) - 1;
    std::vector<double> out(lead() * k, 0.0);
    pool::each(tasks, [&](index task) {
        std::vector<double> ba;
        for (index g = begin_[task]; g < begin_[task + 1]; ++g)
            for (const index s : pairs_) {
                const PairPattern& pair = pattern.pairs[s];
                const index kj = pattern.k[pair.j];
                for (index b = pair.ptr[g]; b < pair.ptr[g + 1]; ++b) {
                    const double *a = &random_->cross[s][b * k * kj], *inner = &k_[pair.j][pair.col[b] * kj * kj];
                    double* to = &out[g * k * k];
                    if (k == 1 && kj == 1) {
                        *to += inner[0] * a[0] * a[0];
                        continue;
                    }
                    ba.assign(k * kj, 0.0);
                    small::add_ab(k, kj, kj, 1.0, a, inner, ba.data());
                    small::add_abt(k, k, kj, 1.0, ba.data(), a, to);
                }
                if (g % 256 == 0) check_interrupt();
            }
    });
    return out;
}

#define INTERLACE_CROSSED(M)                                              \
    template void Crossed::apply<M>(const double*, double*) const;       \
    template void Crossed::scale<M>(const double*, double*, bool) const; \
    template void Crossed::q<M>(const double*, double*, double*) const;  \
    template void Crossed::gather<M>(const double*, double*) const;      \
    template void Crossed::scatter<M>(const double*, double*) const;
INTERLACE_CROSSED(2)
INTERLACE_CROSSED(8)
#undef INTERLACE_CROSSED

}  // namespace interlace
