#include "moments.hpp"

#include <algorithm>
#include <cmath>

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wshadow"
#include <Eigen/Dense>
#pragma GCC diagnostic pop

#include "fixed_root.hpp"
#include "interrupt.hpp"
#include "small.hpp"
#include "within.hpp"

namespace interlace {
namespace {

using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using MapC = Eigen::Map<const Matrix>;

// Relative variances below and above these are not believed before the search has begun.
constexpr index full_projection = 6;
constexpr double smallest_ratio = 0.02, largest_ratio = 1e6, smallest_residual = 1e-3;

class Moments {
  public:
    Moments(const CrossProducts& a, const Parametrization& map, const Priors& priors)
        : a_(a), random_(*a.random), map_(map), m_(static_cast<index>(map.entries.size())), lhs_(Matrix::Zero(m_ + 1, m_ + 1)),
          rhs_(Eigen::VectorXd::Zero(m_ + 1)) {
        for (index f = 0; f < random_.factors(); ++f) 
            basis_.emplace_back(std::sqrt(priors[f].scale()) * MapC(map.basis[f].data(), random_.k()[f], random_.k()[f]));
        of_factor_.resize(random_.factors());
        for (index i = 0; i < m_; ++i) of_factor_[map.entries[i].factor].push_back(i);
    }
    // of the residuals of least squares
    std::vector<double> solve() {
        const index p = a_.fixed->p;
        const Eigen::Map<const Eigen::VectorXd> xy(a_.response->xy.data(), p);
        const Eigen::VectorXd beta = least_squares(xy);
        projected_ = p <= full_projection ? p : 1;
        rhs_[m_] = a_.response->yy - beta.dot(xy);
        total_ = rhs_[m_] / static_cast<double>(std::max<index>(1, a_.n - p));
        lhs_(m_, m_) = static_cast<double>(a_.n - p);
        equations(beta);
        return parameters(lhs_.colPivHouseholderQr().solve(rhs_));
    }
    // of y - X beta for a given beta, at a given sigma^2
    std::vector<double> solve(const std::vector<double>& given, double sigma2) {
        equations(Eigen::Map<const Eigen::VectorXd>(given.data(), static_cast<index>(given.size())));
        lhs_.row(m_).setZero();
        lhs_(m_, m_) = 1.0;
        rhs_[m_] = total_ = sigma2;
        return parameters(lhs_.colPivHouseholderQr().solve(rhs_));
    }

  private:
    Eigen::VectorXd least_squares(Eigen::VectorXd xy) const {
        const index p = xy.size();
        if (const auto root = FixedRoot::of(p, a_.fixed->xx.data())) root->solve(1, xy.data());
        else xy = MapC(a_.fixed->xx.data(), p, p).ldlt().solve(xy).eval();
        return xy;
    }
    void equations(const Eigen::VectorXd& beta) {
        residual_moments(beta);
        for (index f = 0; f < random_.factors(); ++f) own_blocks(f);
        for (index s = 0; s < random_.pairs(); ++s) pair_blocks(random_.pair(s));
        for (index i = 0; i < random_.factors(); ++i)
            for (index j = 0; j < random_.factors(); ++j) correct(i, j);
    }
    // s = basis'Z'r
    void residual_moments(const Eigen::VectorXd& beta) {
        const index p = a_.fixed->p;
        for (index f = 0; f < random_.factors(); ++f) {
            const index k = random_.k()[f], levels = random_.levels()[f];
            const MapC zx(a_.fixed->zx[f].data(), levels * k, p);
            const Eigen::Map<const Eigen::VectorXd> zy(a_.response->zy[f].data(), levels * k);
            Eigen::VectorXd s = zy;
            if (p > 0) s -= zx * beta;
            const Eigen::Map<const Matrix> by_level(s.data(), levels, k);
            const Matrix t = by_level * basis_[f];
            const Matrix outer = t.transpose() * t;
            projections_.push_back(project(f, zx));
            crossed_.push_back(crossed(f));
            for (const index i : of_factor_[f]) rhs_[i] = outer(map_.entries[i].row, map_.entries[i].col);
        }
    }
    // Z'X (X'X)^-1/2 in the basis of the factor, levels x k x p: the projection on X takes E_g E_h' from A_gh. With many columns of X
    // only the first one (the intercept, where there is one) is worth its cost.
    Matrix project(index f, const MapC& zx) const {
        const index k = random_.k()[f], levels = random_.levels()[f], p = a_.fixed->p, used = projected_;
        const MapC xx(a_.fixed->xx.data(), p, p);
        Matrix e = zx.leftCols(used);
        if (used == 0) return e;
        const Eigen::LLT<Eigen::MatrixXd> root(Eigen::MatrixXd(xx.topLeftCorner(used, used)));
        e = root.matrixL().solve(e.transpose()).transpose();
        Matrix out = Matrix::Zero(e.rows(), used);
        for (index g = 0; g < levels; ++g)
            small::add_atb(k, used, k, 1.0, basis_[f].data(), e.data() + g * k * used, out.data() + g * k * used);
        return out;
    }
    // sum_g e_gr e_gc', a block for each r and c
    Matrix crossed(index f) const {
        const index width = random_.k()[f] * projected_;
        const MapC by_level(projections_[f].data(), random_.levels()[f], width);
        Matrix out = Matrix::Zero(width, width);
        if (width > 0) out.noalias() = by_level.transpose() * by_level;
        return out;
    }
    // What the projection changes in the coefficients: sum_gh of (M_ra - e_gr'e_ha)(M_cb - e_gc'e_hb) less that of M_ra M_cb.
    void correct(index fi, index fj) {
        if (projections_[fi].cols() == 0) return;
        const index used = projected_;
        for (const index e : of_factor_[fi])
            for (const index u : of_factor_[fj]) {
                const Entry &q = map_.entries[e], &v = map_.entries[u];
                const auto term = [&](index a, index b) {
                    const auto mine = crossed_[fi].block(q.row * used, q.col * used, used, used);
                    return mine.cwiseProduct(crossed_[fj].block(a * used, b * used, used, used)).sum();
                };
                lhs_(e, u) += term(v.row, v.col) + (v.row == v.col ? 0.0 : term(v.col, v.row));
            }
    }
    // Coefficients of the entries of Sigma_j in the equations of factor i, for a block M = basis_i' A_gh basis_j.
    void add(index fi, index fj, index g, index h, const Matrix& block) {
        const index ki = random_.k()[fi], kj = random_.k()[fj];
        away_.noalias() = projections_[fi].middleRows(g * ki, ki) * projections_[fj].middleRows(h * kj, kj).transpose();
        const Matrix& away = away_;
        const auto product = [&](index r, index a, index c, index b) {
            return block(r, a) * block(c, b) - block(r, a) * away(c, b) - away(r, a) * block(c, b);
        };
        for (const index e : of_factor_[fi])
            for (const index u : of_factor_[fj]) {
                const Entry &q = map_.entries[e], &v = map_.entries[u];
                double c = product(q.row, v.row, q.col, v.col);
                if (v.row != v.col) c += product(q.row, v.col, q.col, v.row);
                lhs_(e, u) += c;
            }
    }
    void own_blocks(index f) {
        if (of_factor_[f].empty()) return;
        const index k = random_.k()[f];
        const double* d = random_.diag[f].data();
        if (k == 1 && of_factor_[f].size() == 1) {
            const double b = basis_[f](0, 0), b2 = b * b;
            const index u = of_factor_[f][0];
            const Matrix& e = projections_[f];
            double one = 0, two = 0;
            for (index g = 0; g < random_.levels()[f]; ++g) {
                const double m = d[g] * b2, away = e.row(g).squaredNorm();
                one += m - away;
                two += m * m - 2.0 * m * away;
            }
            lhs_(u, u) += two;
            lhs_(u, m_) += one;
            lhs_(m_, u) += one;
            return;
        }
        for (index g = 0; g < random_.levels()[f]; ++g) {
            half_.noalias() = basis_[f].transpose() * MapC(d + g * k * k, k, k);
            block_.noalias() = half_ * basis_[f];
            add(f, f, g, g, block_);  // what X takes from it is away_ now
            for (const index i : of_factor_[f]) {
                const Entry& e = map_.entries[i];
                const double left = block_(e.row, e.col) - away_(e.row, e.col);
                lhs_(i, m_) += left;
                lhs_(m_, i) += (e.row == e.col ? 1.0 : 2.0) * left;
            }
            if (g % 1024 == 0) check_interrupt();
        }
    }
    void pair_blocks(const PairBlocks& p) {
        if (of_factor_[p.i].empty() || of_factor_[p.j].empty()) return;
        const index ki = random_.k()[p.i], kj = random_.k()[p.j];
        if (ki == 1 && kj == 1) {
            const double c = basis_[p.i](0, 0) * basis_[p.j](0, 0);
            const Matrix &ei = projections_[p.i], &ej = projections_[p.j];
            double sum = 0;
            for (index g = 0; g < random_.levels()[p.i]; ++g)
                for (index b = p.ptr[g]; b < p.ptr[g + 1]; ++b) {
                    const double m = c * p.val[b];
                    sum += m * m - 2.0 * m * ei.row(g).dot(ej.row(p.col[b]));
                }
            lhs_(of_factor_[p.i][0], of_factor_[p.j][0]) += sum;
            lhs_(of_factor_[p.j][0], of_factor_[p.i][0]) += sum;
            return;
        }
        for (index g = 0; g < random_.levels()[p.i]; ++g)
            for (index b = p.ptr[g]; b < p.ptr[g + 1]; ++b) {
                const Matrix block = basis_[p.i].transpose() * MapC(&p.val[b * ki * kj], ki, kj) * basis_[p.j];
                add(p.i, p.j, g, p.col[b], block);
                add(p.j, p.i, p.col[b], g, block.transpose());
                if (b % 1024 == 0) check_interrupt();
            }
    }
    std::vector<double> parameters(const Eigen::VectorXd& v) const {
        const double sigma2 = std::isfinite(v[m_]) ? std::max(v[m_], smallest_residual * total_) : total_;
        std::vector<double> par(m_, 0.0);
        for (index f = 0; f < random_.factors(); ++f) {
            const index k = random_.k()[f];
            Matrix s = Matrix::Zero(k, k);
            for (const index i : of_factor_[f]) {
                const Entry& e = map_.entries[i];
                s(e.row, e.col) = s(e.col, e.row) = std::isfinite(v[i]) ? v[i] / sigma2 : (e.row == e.col ? 1.0 : 0.0);
            }
            Eigen::SelfAdjointEigenSolver<Matrix> eigen(s);
            const Eigen::VectorXd d = eigen.eigenvalues().cwiseMax(smallest_ratio).cwiseMin(largest_ratio);
            s = eigen.eigenvectors() * d.asDiagonal() * eigen.eigenvectors().transpose();
            const Matrix t = s.llt().matrixL();
            for (const index i : of_factor_[f]) par[i] = t(map_.entries[i].row, map_.entries[i].col);
        }
        return par;
    }

    const CrossProducts& a_;
    const RandomPart& random_;
    const Parametrization& map_;
    index m_;
    Matrix lhs_;
    Eigen::VectorXd rhs_;
    double total_ = 1;
    index projected_ = 0;  // columns of X that were taken from the residuals
    std::vector<Matrix> basis_, projections_, crossed_;
    Matrix half_, block_, away_;  // of one level at a time
    std::vector<std::vector<index>> of_factor_;
};

}  // namespace

std::vector<double> moment_start(const CrossProducts& a, const Parametrization& map, const Priors& priors) {
    return Moments(a, map, priors).solve();
}

Rivals rivals(const CrossProducts& a, const Parametrization& map, const Priors& priors) {
    Rivals out;
    for (const Within& one : within_levels(a)) {
        out.starts.push_back(Moments(a, map, priors).solve(one.beta, one.sigma2));
        out.gain = std::max(out.gain, one.gain);
    }
    return out;
}

}  // namespace interlace
