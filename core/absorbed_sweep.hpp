// One sweep over the rows of absorbed factors: a number in each row and column, less what the levels of the lead explain of it, and
// its sums over the levels of the rest. Sums are taken chunk by chunk in a fixed order, whatever the number of threads.
#pragma once
#include <algorithm>
#include <vector>

#include "absorbed.hpp"
#include "interrupt.hpp"
#include "pool.hpp"

namespace interlace {

// out (q x M) = the sum over chunks of parts
void add_parts(const std::vector<std::vector<double>>& parts, index size, double* out);

template <int M> class Sweep {
  public:
    explicit Sweep(const AbsorbedRows& a) : a_(a), parts_(a.chunks.size() - 1) {}

    // For each row r: load(r, t) says t (M); the residual e of t on the lead goes to use(task, r, e), the lead's coefficients of level i to
    // level(i, c) (k x M). out (q x M, or nothing) becomes D'W e for the levels of the rest.
    template <class Load, class Use, class Level> void operator()(double* out, Load load, Use use, Level level) {
        const index tasks = static_cast<index>(parts_.size());
        pool::each(tasks, [&](index task) {
            if (out) parts_[task].assign(a_.q * M, 0.0);
            chunk(task, out ? parts_[task].data() : nullptr, load, use, level);
        });
        if (out) add_parts(parts_, a_.q * M, out);
    }
    // D v at row r
    void gather(index r, const double* v, double* t) const {
        const index m = a_.rest();
        const std::int32_t* at = a_.at.data() + r * m;
        for (int j = 0; j < M; ++j) t[j] = 0.0;
        for (index f = 0; f < m; ++f) {
            const double* vf = v + static_cast<index>(at[f]) * M;
            const AbsorbedRows::Factor& factor = a_.factors[f + 1];
            if (factor.plain()) {
                for (int j = 0; j < M; ++j) t[j] += vf[j];
                continue;
            }
            for (index c = 0; c < factor.k; ++c, vf += M) {
                const double z = factor.z[r * factor.k + c];
                for (int j = 0; j < M; ++j) t[j] += z * vf[j];
            }
        }
    }
    // out (q x M) = S v, S the system that the lead leaves of the rest
    void apply(const double* v, double* out) {
        if (a_.counts() && a_.rest() <= 2) {
            if (a_.rest() == 1) counts<1>(v, out);
            else counts<2>(v, out);
            return;
        }
        (*this)(out, [&](index r, double* t) { gather(r, v, t); }, [](index, index, const double*) {}, [](index, const double*) {});
    }

  private:
    // The same where all columns are ones and so are the weights: nothing but codes is read.
    template <int R> void counts(const double* v, double* out) {
        pool::each(static_cast<index>(parts_.size()), [&](index task) {
            parts_[task].assign(a_.q * M, 0.0);
            for (index i = a_.chunks[task]; i < a_.chunks[task + 1]; ++i) {
                count_level<R>(i, v, parts_[task].data());
                if (i % 4096 == 0) check_interrupt();
            }
        });
        add_parts(parts_, a_.q * M, out);
    }
    template <int R> void count_level(index i, const double* __restrict v, double* __restrict out) {
        constexpr index block = 64;
        double t[block * M], mean[M] = {};
        const index s = a_.start[i], e = a_.start[i + 1];
        const std::int32_t* at = a_.at.data();
        const auto sum = [&](index r, double* to) {
            for (int j = 0; j < M; ++j) to[j] = v[static_cast<index>(at[r * R]) * M + j];
            for (int f = 1; f < R; ++f)
                for (int j = 0; j < M; ++j) to[j] += v[static_cast<index>(at[r * R + f]) * M + j];
        };
        const bool once = e - s <= block;
        for (index r = s; r < e; ++r) {
            double* to = &t[once ? (r - s) * M : 0];
            sum(r, to);
            for (int j = 0; j < M; ++j) mean[j] += to[j];
        }
        const double one = e > s ? 1.0 / static_cast<double>(e - s) : 0.0;
        for (int j = 0; j < M; ++j) mean[j] *= one;
        for (index r = s; r < e; ++r) {
            double* from = &t[once ? (r - s) * M : 0];
            if (!once) sum(r, from);
            for (int j = 0; j < M; ++j) from[j] -= mean[j];
            for (int f = 0; f < R; ++f)
                for (int j = 0; j < M; ++j) out[static_cast<index>(at[r * R + f]) * M + j] += from[j];
        }
    }
    template <class Load, class Use, class Level>
    void chunk(index task, double* out, Load& load, Use& use, Level& level) {
        std::vector<double> t, coef(a_.factors[0].k * M);
        index seen = 0;
        for (index i = a_.chunks[task]; i < a_.chunks[task + 1]; ++i) {
            const index s = a_.start[i], m = a_.start[i + 1] - s;
            if (m == 0) continue;
            if (static_cast<index>(t.size()) < m * M) t.resize(m * M);
            for (index r = 0; r < m; ++r) load(s + r, &t[r * M]);
            if (a_.factors[0].plain()) project_plain(i, s, m, t.data(), coef.data());
            else project(i, s, m, t.data(), coef.data());
            level(i, static_cast<const double*>(coef.data()));
            for (index r = 0; r < m; ++r) use(task, s + r, static_cast<const double*>(&t[r * M]));
            if (out) scatter(s, m, t.data(), out);
            if ((seen += m) > 32768) {
                check_interrupt();
                seen = 0;
            }
        }
    }
    void project_plain(index i, index s, index m, double* t, double* coef) const {
        double sum[M] = {};
        if (a_.w.empty()) {
            for (index r = 0; r < m; ++r)
                for (int j = 0; j < M; ++j) sum[j] += t[r * M + j];
        } else {
            for (index r = 0; r < m; ++r)
                for (int j = 0; j < M; ++j) sum[j] += a_.w[s + r] * t[r * M + j];
        }
        const double d = a_.factors[0].diag[i];
        for (int j = 0; j < M; ++j) coef[j] = sum[j] /= d;
        for (index r = 0; r < m; ++r)
            for (int j = 0; j < M; ++j) t[r * M + j] -= sum[j];
    }
    void project(index i, index s, index m, double* t, double* coef) const {
        const AbsorbedRows::Factor& lead = a_.factors[0];
        const index k = lead.k;
        std::fill(coef, coef + k * M, 0.0);
        for (index r = 0; r < m; ++r)
            for (index c = 0; c < k; ++c) {
                const double wz = a_.weight(s + r) * lead.z[(s + r) * k + c];
                for (int j = 0; j < M; ++j) coef[c * M + j] += wz * t[r * M + j];
            }
        for (index c = 0; c < k; ++c)
            if (lead.diag[i * k + c] == 0.0) std::fill(coef + c * M, coef + (c + 1) * M, 0.0);
        for (index r = 0; r < m; ++r)
            for (index c = 0; c < k; ++c) {
                const double z = lead.z[(s + r) * k + c];
                for (int j = 0; j < M; ++j) t[r * M + j] -= z * coef[c * M + j];
            }
    }
    void scatter(index s, index m, double* t, double* out) const {
        const index rest = a_.rest();
        if (!a_.w.empty())
            for (index r = 0; r < m; ++r)
                for (int j = 0; j < M; ++j) t[r * M + j] *= a_.w[s + r];
        for (index r = 0; r < m; ++r) {
            const std::int32_t* at = a_.at.data() + (s + r) * rest;
            const double* e = t + r * M;
            for (index f = 0; f < rest; ++f) {
                double* o = out + static_cast<index>(at[f]) * M;
                const AbsorbedRows::Factor& factor = a_.factors[f + 1];
                if (factor.plain()) {
                    for (int j = 0; j < M; ++j) o[j] += e[j];
                    continue;
                }
                for (index c = 0; c < factor.k; ++c, o += M) {
                    const double z = factor.z[(s + r) * factor.k + c];
                    for (int j = 0; j < M; ++j) o[j] += z * e[j];
                }
            }
        }
    }

    const AbsorbedRows& a_;
    std::vector<std::vector<double>> parts_;
};

}  // namespace interlace
