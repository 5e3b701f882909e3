// What the levels of the leading factor leave on a large front, and what the inverse of the front leaves on them.
//
// A level g has an element: a k x columns block C_g on some positions of the front. The front takes C_g'C_g of each, and the inverse
// gives P_g = C_g Z. Elements that meet a fifth of the front or more are written out and multiplied by BLAS. Of the others, the
// *head*, the positions from `front.head` on, which many of them meet, is written out: products within it are BLAS's, those of one
// position with the head are sums of dense rows, and only what lies before the head is scattered.
#pragma once
#include <functional>

#include "cholesky.hpp"

namespace interlace {

// The matrix of the front -= sum_g C_g'C_g.
void subtract_elements(const Cholesky& l, const Front& front, const FrontMatrix& f);

// visit(g, P_g) for each element, one after another in an order that depends on the analysis alone; z as selected_inverse gives it.
using ElementVisitor = std::function<void(index, const double*)>;
void multiply_elements(const Cholesky& l, const Front& front, const double* z, const ElementVisitor& visit);

}  // namespace interlace
