#include "blocks.hpp"

#include <algorithm>
#include <cmath>

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wshadow"
#include <Eigen/Dense>
#pragma GCC diagnostic pop

#include "fixed_root.hpp"
#include "interrupt.hpp"

namespace interlace {
namespace {

using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using MapC = Eigen::Map<const Matrix>;

// Z'Z of the levels of one block.
class Levels {
  public:
    Levels(const CrossProducts& a, const Block& block)
        : zz_(a.random->diag.at(block.f)), block_(block), all_(a.random->k()[block.f]), count_(a.random->levels()[block.f]) {}
    index count() const { return count_; }
    double at(index level, index r, index c) const {
        return zz_[(level * all_ + block_.start + r) * all_ + block_.start + c];
    }
    // Of any of the columns of the factor.
    bool has_data(index level) const {
        const auto first = zz_.begin() + level * all_ * all_;
        return std::any_of(first, first + all_ * all_, [](double v) { return v != 0.0; });
    }

  private:
    const std::vector<double>& zz_;
    const Block& block_;
    index all_, count_;
};

Matrix mean_of(const Levels& zz, index k, const std::vector<index>& levels) {
    Matrix mean = Matrix::Zero(k, k);
    for (const index g : levels)
        for (index r = 0; r < k; ++r)
            for (index c = 0; c < k; ++c) mean(r, c) += zz.at(g, r, c);
    return mean / static_cast<double>(levels.size());
}

// Rows of X'Z, summed over the levels, in a basis: k x p.
Matrix of_fixed(const CrossProducts& a, const Block& block, const Matrix& basis) {
    const index p = a.fixed->p;
    const std::vector<double> total = zx_total(a, block.f);
    return basis.transpose() * MapC(total.data() + block.start * p, block.k, p);
}

// Is the largest eigenvalue of a positive semidefinite matrix above this share?
bool exceeds(const Matrix& left, double share) {
    const double trace = left.trace();  // between the largest and k times the largest: mostly enough to know
    if (trace <= share) return false;
    if (trace > static_cast<double>(left.rows()) * share) return true;
    return Eigen::SelfAdjointEigenSolver<Matrix>(left, Eigen::EigenvaluesOnly).eigenvalues().maxCoeff() > share;
}

bool has_mean(const CrossProducts& a, const Block& block, const Matrix& basis, size_t levels, double share) {
    const index p = a.fixed->p;
    Matrix e = of_fixed(a, block, basis), left = Matrix::Identity(block.k, block.k);
    if (p > 0) {
        if (const auto root = FixedRoot::of(p, a.fixed->xx.data())) {
            root->half_solve(block.k, e.data());
            left -= e * e.transpose() / static_cast<double>(levels);
        } else {
            left -= e * MapC(a.fixed->xx.data(), p, p).partialPivLu().solve(e.transpose()) / static_cast<double>(levels);
        }
    }
    return exceeds(left, share);
}

double spread_of(const Levels& zz, index k, const std::vector<index>& levels, const Matrix& basis, double least) {
    const auto tenth = static_cast<std::ptrdiff_t>((levels.size() - 1) / 10);
    double spread = 1.0;
    std::vector<double> known(levels.size());
    for (index r = 0; r < k; ++r) {
        for (size_t g = 0; g < levels.size(); ++g) {
            double sum = 0;
            for (index i = 0; i < k; ++i)
                for (index j = 0; j < k; ++j) sum += basis(i, r) * zz.at(levels[g], i, j) * basis(j, r);
            known[g] = sum;
        }
        const auto low = known.begin() + tenth, high = known.end() - 1 - tenth;
        std::nth_element(known.begin(), low, known.end());
        const double bottom = *low;
        std::nth_element(known.begin(), high, known.end());
        spread = std::max(spread, *high / std::max(bottom, least * *high + least));
    }
    return spread;
}

}  // namespace

BlockFacts block_facts(const CrossProducts& a, const Block& block, double scale, bool seen, const BlockLimits& limits) {
    const Levels zz(a, block);
    const index k = block.k;
    std::vector<index> levels;
    for (index g = 0; g < zz.count(); ++g)
        if (!seen || zz.has_data(g)) levels.push_back(g);
    BlockFacts out;
    out.levels = static_cast<index>(levels.size());
    // 1) the mean of Z'Z, and a basis in which it is the identity
    const Matrix pooled = mean_of(zz, k, levels) * scale;
    for (index r = 0; r < k; ++r) out.size.push_back(std::sqrt(pooled(r, r)));
    Matrix correlation = pooled;
    for (index r = 0; r < k; ++r)
        for (index c = 0; c < k; ++c) correlation(r, c) /= out.size[r] * out.size[c];
    if (!correlation.allFinite()) return out;  // a column of zeros
    if (!(Eigen::SelfAdjointEigenSolver<Matrix>(correlation, Eigen::EigenvaluesOnly).eigenvalues().minCoeff() >= limits.dependent)) return out;
    const Eigen::LLT<Eigen::MatrixXd> root{Eigen::MatrixXd(correlation)};
    Matrix white = root.matrixU().solve(Eigen::MatrixXd::Identity(k, k));
    for (index r = 0; r < k; ++r) white.row(r) /= out.size[r];
    out.white.assign(white.data(), white.data() + k * k);
    // 2) what X leaves of the sums over the levels, and how well the levels know each effect
    const Matrix basis = white * std::sqrt(scale);
    out.mean = has_mean(a, block, basis, levels.size(), limits.not_spanned);
    check_interrupt();
    out.spread = spread_of(zz, k, levels, basis, limits.least);
    return out;
}

bool together(const CrossProducts& a, const Block& block, const double* basis, index r, index first, double unseen) {
    const Levels zz(a, block);
    const MapC turn(basis, block.k, r);
    Matrix one(block.k, block.k);
    for (index g = 0; g < std::min(first, zz.count()); ++g) {
        for (index i = 0; i < block.k; ++i)
            for (index j = 0; j < block.k; ++j) one(i, j) = zz.at(g, i, j);
        const Eigen::VectorXd values =
            Eigen::SelfAdjointEigenSolver<Matrix>(turn.transpose() * one * turn, Eigen::EigenvaluesOnly).eigenvalues();
        if (values[0] > unseen * values[r - 1]) return true;
    }
    return false;
}

index full_levels(const CrossProducts& a, index f, double share) {
    const std::vector<double>& zz = a.random->diag.at(f);
    const index k = a.random->k()[f], levels = a.random->levels()[f];
    index full = 0;
    for (index g = 0; g < levels; ++g) {
        const double* d = &zz[g * k * k];
        if (k == 1) {
            full += d[0] != 0.0;
            continue;
        }
        const double square = d[0] * d[3];
        full += square - d[1] * d[1] > share * square;
    }
    return full;
}

Farthest farthest(const double* origin, const double* basis, index k, index intercept) {
    const auto inverse_size = [&](index i) {
        double largest = 0;
        for (index j = 0; j < k; ++j) largest = std::max(largest, std::abs(basis[i * k + j]));
        return largest;
    };
    Farthest out;
    const double one = inverse_size(intercept);
    for (index i = 0; i < k; ++i) {
        const double times = std::abs(origin[i]) * inverse_size(i) / one;
        if (times > out.times) out = {times, i};
    }
    return out;
}

bool independent(const CrossProducts& a, const double* origin, double share) {
    const index p = a.fixed->p;
    const std::vector<double>& xx = a.fixed->xx;
    // the sum of weights stands at the intercept, which is not moved where other columns are
    double weight = 0;
    if (std::any_of(origin, origin + p, [](double o) { return o != 0.0; })) {
        const auto still = static_cast<index>(std::find(origin, origin + p, 0.0) - origin);
        if (still == p) return false;
        weight = xx[still * p + still];
    }
    std::vector<double> length(p), root(p * p);
    for (index j = 0; j < p; ++j) {
        length[j] = std::sqrt(xx[j * p + j] + weight * origin[j] * origin[j]);
        if (!(length[j] > 0)) return false;
    }
    for (index i = 0; i < p; ++i)
        for (index j = 0; j < p; ++j) root[i * p + j] = xx[i * p + j] / (length[i] * length[j]);
    if (p > 0 && !blas::potrf_lower(p, root.data(), p)) return false;
    for (index j = 0; j < p; ++j)
        if (!(root[j * p + j] * root[j * p + j] > share)) return false;
    return true;
}

}  // namespace interlace
