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

    // For each row r: load(r, t) says t (M); the residual e of t on the lead goes to use(r, e), the lead's coefficients of level i to
    // level(i, c) (k x M). out (q x M, or nothing) becomes D'W e for the levels of the rest.
    template <class Load, class Use, class Level> void operator()(double* out, Load load, Use use, Level level) {
        const index tasks = static_cast<index>(parts_.size());
        pool::each(tasks, [&](index task) {
            if (out) parts_[task].assign(a_.q * M, 0.0);
            chunk(a_.chunks[task], a_.chunks[task + 1], out ? parts_[task].data() : nullptr, load, use, level);
        });
        if (out) add_parts(parts_, a_.q * M, out);
    }
    // D v at row r
    void gather(index r, const double* v, double* t) const {
        const index m = a_.rest();
        const std::int32_t* at = &a_.at[r * m];
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
        (*this)(out, [&](index r, double* t) { gather(r, v, t); }, [](index, const double*) {}, [](index, const double*) {});
    }

  private:
    template <class Load, class Use, class Level>
    void chunk(index first, index last, double* out, Load& load, Use& use, Level& level) {
        std::vector<double> t, coef(a_.factors[0].k * M);
        index seen = 0;
        for (index i = first; i < last; ++i) {
            const index s = a_.start[i], m = a_.start[i + 1] - s;
            if (m == 0) continue;
            if (static_cast<index>(t.size()) < m * M) t.resize(m * M);
            for (index r = 0; r < m; ++r) load(s + r, &t[r * M]);
            if (a_.factors[0].plain()) project_plain(i, s, m, t.data(), coef.data());
            else project(i, s, m, t.data(), coef.data());
            level(i, static_cast<const double*>(coef.data()));
            for (index r = 0; r < m; ++r) use(s + r, static_cast<const double*>(&t[r * M]));
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
            const std::int32_t* at = &a_.at[(s + r) * rest];
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
