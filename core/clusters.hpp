// Clusters of rows: sums over each of what sandwich covariances are made of. With b = Lambda u the best predictions of the random
// effects of a column, W (x - Z b) is V^-1 x.
#pragma once
#include <vector>

#include "crossproducts.hpp"

namespace interlace {

// A partition of rows and what was solved for them. All is about the origin of the rows; pointers are borrowed.
struct ClusterRows {
    Rows rows;
    const std::int32_t* clusters = nullptr;  // n
    index n_clusters = 0;
    const double* beta = nullptr;            // p
    const double* white = nullptr;           // p x p row-major, the columns X K
    std::vector<const double*> residual;     // factor -> levels x k, effects of y - X beta
    std::vector<const double*> columns;      // factor -> levels x k x p, effects of X K; empty if only residuals are asked for
};

class Clusters {
  public:
    explicit Clusters(ClusterRows rows);
    index size() const { return r_.n_clusters; }
    index columns() const { return r_.rows.p; }
    // X_j'V^-1 r of each cluster, n_clusters x p: one pass over the rows in their order
    std::vector<double> scores() const;
    // K'X_j'(V^-1 X K)_j of clusters first to last, (last - first) x p x p
    std::vector<double> squares(index first, index last) const;
    // sums over clusters first to last of (V^-1 X K)_i r_i, (last - first) x p; V^-1 may reach beyond a cluster
    std::vector<double> sums(index first, index last) const;

  private:
    ClusterRows r_;
    std::vector<std::uint32_t> order_;  // rows by cluster
    std::vector<index> start_;
    double residual(index row) const;                // y - X beta
    void load_x(index row, double* x) const;         // about the origin
    void solve_columns(const std::uint32_t* rows, index m, const double* xk, double* v) const;
    template <class Each> void by_cluster(index first, index last, Each each) const;
};

}  // namespace interlace
