// Dense work on one front: its partial Cholesky factorisation, and the block of the inverse that belongs to it. Large ones are
// worked on by tiles, which threads share.
#pragma once
#include <stdexcept>

#include "blas.hpp"

namespace interlace {

struct NotPositiveDefinite : std::domain_error {
    NotPositiveDefinite() : std::domain_error("a pivot of the Cholesky factorisation is not positive") {}
};

// A front while it is assembled: pivot columns in the panel, the rest in the update matrix. Lower triangle only, column-major.
struct FrontMatrix {
    double *panel, *update;
    index size, pivots;
    index stride(index col) const { return col < pivots ? size : size - pivots; }
    double& at(index row, index col) const {
        return col < pivots ? panel[row + col * size] : update[(row - pivots) + (col - pivots) * (size - pivots)];
    }
    double& lower(index a, index b) const { return a >= b ? at(a, b) : at(b, a); }
};

// L in the pivot columns, and what they leave in the update matrix. Throws NotPositiveDefinite.
void factor_front(const FrontMatrix& f);

// Panel and update of a front -= B B', B = size x m.
void subtract_outer(const FrontMatrix& f, const double* b, index m);

// The lower triangle of the block of M^-1 on a front with n rows, z (n x n), from its part below the pivots, which is there. With J
// the pivots and R what lies below them,
//   Z_RJ = -Z_RR W,  Z_JJ = (L_JJ L_JJ')^-1 - W'Z_RJ,  W = L_RJ L_JJ^-1   (Takahashi's equations by blocks).
void invert_front(index n, index pivots, const double* l, double* z);

}  // namespace interlace
