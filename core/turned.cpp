#include "turned.hpp"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

namespace interlace {
namespace {

using Vector = std::vector<double>;

// Grouping factors with more random effects tell of all directions.
constexpr index cheap = 400;
// Flops that looking at all directions of a block may cost, and those that a search may, of so many evaluations. A factorisation costs
// these for each random effect as well, and an evaluation with derivatives about one factorisation for each parameter.
constexpr double for_looks = 1e9, for_a_search = 1e10, evaluations = 40, overhead = 2e3;
// Singular values that differ by this factor are those of a (nearly) singular covariance; the others get this much of the residuals.
constexpr double small_share = 1e-2;
// Directions per effect, and the cosine from which two of them are neighbours: one on each side of two effects.
constexpr index per_effect = 32;
double neighbours(Eigen::Index k) { return k == 2 ? 0.985 : 0.95; }
// Share of what levels tell that is not along one combination of effects each: below it they may agree on many covariances.
constexpr double narrow = 0.25;
// So many starts at most.
constexpr size_t most = 4;

// Correlated effects: their columns in the grouping factor, and which parameters their triangle is, -1 above it.
struct Block {
    index group = 0;
    std::vector<index> columns;
    Eigen::Matrix<index, Eigen::Dynamic, Eigen::Dynamic> at;
};

// Columns that a parameter off the diagonal joins.
std::vector<Block> correlated(const std::vector<Entry>& entries) {
    std::vector<Block> out;
    for (const Entry& e : entries) {
        if (e.row == e.col) continue;
        const auto joined = std::find_if(out.begin(), out.end(), [&](const Block& b) {
            return b.group == e.factor && std::any_of(b.columns.begin(), b.columns.end(), [&](index c) { return c == e.row || c == e.col; });
        });
        Block& block = joined == out.end() ? out.emplace_back() : *joined;
        block.group = e.factor;
        for (const index c : {e.col, e.row})
            if (std::find(block.columns.begin(), block.columns.end(), c) == block.columns.end()) block.columns.push_back(c);
    }
    for (Block& b : out) {
        std::sort(b.columns.begin(), b.columns.end());
        const auto k = static_cast<Eigen::Index>(b.columns.size());
        b.at.setConstant(k, k, -1);
        for (size_t i = 0; i < entries.size(); ++i) {
            const auto place = [&](index c) { return std::find(b.columns.begin(), b.columns.end(), c) - b.columns.begin(); };
            const auto row = place(entries[i].row), col = place(entries[i].col);
            if (entries[i].factor == b.group && row < k && col < k) b.at(row, col) = static_cast<index>(i);
        }
    }
    return out;
}

bool is_whole(const Block& b) {
    for (Eigen::Index r = 0; r < b.at.rows(); ++r)
        for (Eigen::Index c = 0; c <= r; ++c)
            if (b.at(r, c) < 0) return false;
    return true;
}

// Unit vectors, columns, over the half sphere whose first entry is positive; the same in every call.
Eigen::MatrixXd directions(Eigen::Index k) {
    Eigen::MatrixXd out(k, per_effect * (k == 2 ? 1 : k));
    if (k == 2) {
        for (Eigen::Index i = 0; i < out.cols(); ++i) {
            const double angle = M_PI * ((static_cast<double>(i) + 0.5) / static_cast<double>(out.cols()) - 0.5);
            out.col(i) << std::cos(angle), std::sin(angle);
        }
        return out;
    }
    std::mt19937_64 draws(static_cast<unsigned>(k));
    const auto uniform = [&] { return (static_cast<double>(draws() >> 11) + 0.5) * 0x1p-53; };
    for (Eigen::Index i = 0; i < out.size(); ++i) out(i) = std::sqrt(-2.0 * std::log(uniform())) * std::cos(2.0 * M_PI * uniform());
    for (auto one : out.colwise()) one *= (one[0] < 0.0 ? -1.0 : 1.0) / one.norm();
    return out;
}

Vector with_direction(const Vector& x, const Block& b, const Eigen::VectorXd& first) {
    Vector out(x);
    for (Eigen::Index r = 0; r < b.at.rows(); ++r)
        for (Eigen::Index c = 0; c <= r; ++c) out[static_cast<size_t>(b.at(r, c))] = c == 0 ? first[r] : r == c ? small_share : 0.0;
    return out;
}

double value_or_infinite(ProfiledDeviance& d, const Vector& x) {
    try {
        return d.value(x);
    } catch (const NotPositiveDefinite&) {
        return std::numeric_limits<double>::infinity();
    }
}

struct Start {
    double value;
    Vector x;
};

Eigen::MatrixXd factor(const Vector& x, const Block& b) {
    Eigen::MatrixXd t = Eigen::MatrixXd::Zero(b.at.rows(), b.at.rows());
    for (Eigen::Index r = 0; r < t.rows(); ++r)
        for (Eigen::Index c = 0; c <= r; ++c) t(r, c) = x[static_cast<size_t>(b.at(r, c))];
    return t;
}

double largest_eigenvalue(const Eigen::MatrixXd& m) {
    if (m.rows() == 2) return 0.5 * (m(0, 0) + m(1, 1)) + std::hypot(0.5 * (m(0, 0) - m(1, 1)), m(1, 0));
    return Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd>(m, Eigen::EigenvaluesOnly).eigenvalues().maxCoeff();
}

// Does each level tell little more than one combination of its effects?
bool is_narrow(const ProfiledDeviance& d, const Block& b) {
    const RandomPart& random = *d.factor().products().random;
    const index all = random.k()[b.group];
    using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
    const Eigen::Map<const RowMajor> basis(d.map().basis[b.group].data(), all, all);
    Eigen::MatrixXd of_block(all, b.at.rows());
    for (Eigen::Index c = 0; c < of_block.cols(); ++c) of_block.col(c) = basis.col(b.columns[static_cast<size_t>(c)]);
    Eigen::MatrixXd half, m;
    double told = 0, along_one = 0;
    for (index g = 0; g < random.levels()[b.group]; ++g) {
        const Eigen::Map<const RowMajor> level(random.diag[b.group].data() + g * all * all, all, all);
        half = level.lazyProduct(of_block);
        m = of_block.transpose().lazyProduct(half);
        told += m.trace();
        along_one += largest_eigenvalue(m);
    }
    return told - along_one < narrow * told;
}

double factorisation(const ProfiledDeviance& d) { return d.factor().symbolic().flops + overhead * static_cast<double>(d.factor().products().random->pattern->q()); }

// The sizes of rank-one covariances that are looked at in so many directions: none where this block has one minimum, or they cost too much.
Vector sizes(const ProfiledDeviance& d, const Block& b, double size, double least, Eigen::Index directions) {
    const double look = static_cast<double>(directions) * factorisation(d);
    if (look > for_looks) return {};
    if (3 * look < for_looks && is_narrow(d, b)) return {0.5 * size, size, 2.0 * size};
    return least > small_share * size ? Vector() : Vector{size};
}

void turn(ProfiledDeviance& d, const Vector& x, const Block& b, double highest, std::vector<Start>& out) {
    const Eigen::JacobiSVD<Eigen::MatrixXd> svd(factor(x, b), Eigen::ComputeFullU);
    const double largest = svd.singularValues()[0];
    if (largest < small_share) return;
    const Eigen::MatrixXd all = directions(b.at.rows());
    const double near = neighbours(b.at.rows());
    for (const double size : sizes(d, b, largest, svd.singularValues().tail(1)[0], all.cols())) {
        Vector values(static_cast<size_t>(all.cols()));
        for (Eigen::Index i = 0; i < all.cols(); ++i) values[static_cast<size_t>(i)] = value_or_infinite(d, with_direction(x, b, size * all.col(i)));
        for (Eigen::Index i = 0; i < all.cols(); ++i) {
            const double value = values[static_cast<size_t>(i)];
            if (!(value < highest) || std::abs(all.col(i).dot(svd.matrixU().col(0))) > near) continue;
            bool lowest = true;
            for (Eigen::Index j = 0; j < all.cols() && lowest; ++j)
                lowest = std::abs(all.col(i).dot(all.col(j))) < near || value <= values[static_cast<size_t>(j)];
            if (lowest) out.push_back({value, with_direction(x, b, size * all.col(i))});
        }
    }
}

// Blocks of correlated effects of which an evaluation costs little.
std::vector<Block> looked_at(const ProfiledDeviance& d) {
    std::vector<Block> out = correlated(d.map().entries);
    const auto& random = *d.factor().products().random;
    const auto passed_over = [&](const Block& b) {
        return !is_whole(b) || random.levels()[b.group] * static_cast<index>(b.columns.size()) > cheap;
    };
    out.erase(std::remove_if(out.begin(), out.end(), passed_over), out.end());
    return out;
}

}  // namespace

std::vector<Vector> turned(ProfiledDeviance& d, const Vector& x, double above) {
    std::vector<Start> found;
    const std::vector<Block> blocks = looked_at(d);
    const double highest = blocks.empty() ? 0.0 : d.value(x) + above;
    for (const Block& b : blocks) turn(d, x, b, highest, found);
    std::stable_sort(found.begin(), found.end(), [](const Start& a, const Start& b) { return a.value < b.value; });
    std::vector<Vector> out;
    for (size_t i = 0; i < std::min(found.size(), most); ++i) out.push_back(std::move(found[i].x));
    return out;
}

Vector opened(const ProfiledDeviance& d, const Vector& x) {
    Vector out(x);
    if (evaluations * static_cast<double>(x.size()) * factorisation(d) > for_a_search) return {};
    for (const Block& b : looked_at(d)) {
        const double size = Eigen::JacobiSVD<Eigen::MatrixXd>(factor(x, b)).singularValues()[0];
        for (Eigen::Index i = 0; i < b.at.rows() && size > small_share; ++i) {
            double& diagonal = out[static_cast<size_t>(b.at(i, i))];
            if (std::abs(diagonal) < small_share * size) diagonal = size;
        }
    }
    return out == x ? Vector() : out;
}

}  // namespace interlace
