// Least squares on absorbed factors: residuals of columns, and the coefficients of the levels.
#pragma once
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "absorbed.hpp"
#include "collapsed.hpp"
#include "preconditioner.hpp"
#include "reduced.hpp"

namespace interlace {

struct Projected {
    std::vector<double> residual;             // of the normal equations, by column: |D'W r| over |M v|, in orthonormal coordinates
    std::vector<std::int64_t> iterations;     // by column: those of its batch
    std::string method = "exact";             // the strongest that was needed: exact, direct, diagonal, sampled
    std::vector<std::vector<double>> effects; // if asked for: by factor as given, levels x k x m
};

class AbsorbedSystem {
  public:
    explicit AbsorbedSystem(AbsorbedRows rows) : rows_(std::move(rows)) {}
    const AbsorbedRows& rows() const { return rows_; }
    // out (n x columns.m, column-major) = the columns less what the factors explain of them; may be nothing if only effects are wanted.
    // `most` iterations.
    Projected project(const ColumnBlock& columns, double* out, bool effects, index most) const;
    // Rank of all columns of all factors by elimination with pivots that count above rounding; -1 if its factor would need more
    // than the room. Which coordinates of the rest depend on others, q.
    std::vector<char> rank_by_elimination(Room room, index& rank) const;

  private:
    template <int M> void batch(const ColumnBlock& columns, double* out, index most, index first, bool again, Projected& result) const;
    const ReducedFactor* direct() const;
    const Preconditioner* sampled() const;
    const Collapsed* collapsed() const;
    bool direct_first() const;  // is the factor small, as far as some levels can tell?
    AbsorbedRows rows_;
    // made when first needed; what they are depends on the rows alone
    mutable std::mutex mutex_;
    mutable std::unique_ptr<ReducedFactor> direct_;
    mutable std::unique_ptr<Preconditioner> sampled_;
    mutable std::unique_ptr<Collapsed> collapsed_;
    mutable std::optional<Spread> spread_;
    mutable bool tried_ = false, looked_ = false;
};

}  // namespace interlace
