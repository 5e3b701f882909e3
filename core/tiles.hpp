// Large fronts by tiles, which the threads of the pool share. The tiles and the order of the operations on each follow from the
// size of the front alone, so that any number of threads gives the same numbers.
#pragma once
#include "front.hpp"

namespace interlace {

// Is a front with n rows large enough that threads gain by sharing it?
bool worth_tiles(index n);

// As factor_front and invert_front say.
void factor_tiles(const FrontMatrix& f);
void invert_tiles(index n, index pivots, const double* l, double* z);

}  // namespace interlace
