// The system of the rest where one factor has nearly all of its levels: rows of a level of the lead that meet the same level of that factor
// are one number, and the few levels of the others are dense columns.
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "absorbed.hpp"
#include "absorbed_sweep.hpp"
#include "pool.hpp"

namespace interlace {

// S = [D - C'C  T; T'  U]: C (levels of the lead x q) is sparse, T (q x few) and U (few x few) are not. All columns are ones.
class Collapsed {
  public:
    // Nothing where the rows are not so.
    static std::unique_ptr<Collapsed> of(const AbsorbedRows& a);

    template <int M> class Product {
      public:
        explicit Product(const Collapsed& s) : s_(s), parts_(s.chunks_.size() - 1), few_(pieces(s.q_)) {}
        // out = S v, both (q + few) x M
        void apply(const double* v, double* out);

      private:
        const Collapsed& s_;
        std::vector<std::vector<double>> parts_, few_;
    };

  private:
    Collapsed(const AbsorbedRows& a, index few);
    void meet(const AbsorbedRows& a, index first, index last, std::vector<std::int32_t>& at, std::vector<double>& value);
    void add_few(const AbsorbedRows& a, index first, index last, std::vector<double>& t, std::vector<double>& u) const;
    static constexpr index piece = 8192;
    static index pieces(index q) { return (q + piece - 1) / piece; }

    index q_, few_;
    std::vector<index> chunks_;
    std::vector<index> ptr_;         // levels of the lead + 1
    std::vector<std::int32_t> at_;   // level of the large factor
    std::vector<double> value_, diag_, t_, u_;
};

template <int M> void Collapsed::Product<M>::apply(const double* v, double* out) {
    const Collapsed& s = s_;
    const index q = s.q_, few = s.few_;
    // 1) -C'C v, chunk by chunk
    pool::each(static_cast<index>(parts_.size()), [&](index task) {
        parts_[task].assign(q * M, 0.0);
        double* to = parts_[task].data();
        for (index i = s.chunks_[task]; i < s.chunks_[task + 1]; ++i) {
            double c[M] = {};
            for (index e = s.ptr_[i]; e < s.ptr_[i + 1]; ++e)
                for (int j = 0; j < M; ++j) c[j] += s.value_[e] * v[static_cast<index>(s.at_[e]) * M + j];
            for (index e = s.ptr_[i]; e < s.ptr_[i + 1]; ++e)
                for (int j = 0; j < M; ++j) to[static_cast<index>(s.at_[e]) * M + j] -= s.value_[e] * c[j];
            if (i % 4096 == 0) check_interrupt();
        }
    });
    add_parts(parts_, q * M, out);
    // 2) D v and the dense columns, piece by piece
    const double* w = v + q * M;
    pool::each(static_cast<index>(few_.size()), [&](index task) {
        few_[task].assign(few * M, 0.0);
        double* below = few_[task].data();
        for (index i = task * piece; i < std::min(q, (task + 1) * piece); ++i) {
            double* o = out + i * M;
            const double* t = s.t_.data() + i * few;
            for (int j = 0; j < M; ++j) o[j] += s.diag_[i] * v[i * M + j];
            for (index l = 0; l < few; ++l)
                for (int j = 0; j < M; ++j) {
                    o[j] += t[l] * w[l * M + j];
                    below[l * M + j] += t[l] * v[i * M + j];
                }
        }
    });
    for (index l = 0; l < few; ++l)
        for (int j = 0; j < M; ++j) {
            double sum = 0;
            for (const std::vector<double>& one : few_) sum += one[l * M + j];
            for (index h = 0; h < few; ++h) sum += s.u_[l * few + h] * w[h * M + j];
            out[(q + l) * M + j] = sum;
        }
}

}  // namespace interlace
