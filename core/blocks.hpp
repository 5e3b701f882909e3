// What the cross-products of a design say before anything is searched: of its columns of X, and of each covariance block.
#pragma once
#include <vector>

#include "crossproducts.hpp"

namespace interlace {

// Columns `start` to `start + k` of grouping factor f.
struct Block {
    index f, start, k;
};

struct BlockFacts {
    std::vector<double> size;   // k: the length of each column, over the levels
    std::vector<double> white;  // k x k: S^-1 for upper triangular S with S'S the mean; empty where the columns depend on each other
    // What X leaves of the columns, summed over the levels, in the basis `white`: is it more than a share of them?
    bool mean = false;
    // How many times better the levels near the top know an effect than those near the bottom, a tenth left out at either end.
    double spread = 1;
    index levels = 0;
};

// What counts as dependent, as no more than rounding, and as the least that a level knows; see `parameters.py` and `valleys.py`.
struct BlockLimits {
    double dependent = 0, not_spanned = 0, least = 0;
};

// `scale` times the mean of Z'Z is what S is of; with `seen` levels without data do not count.
BlockFacts block_facts(const CrossProducts& a, const Block& block, double scale, bool seen, const BlockLimits& limits);

// Does one of the first levels see all effects of a block in a basis (k x r)? Eigenvalues up to `unseen` times the largest are none.
bool together(const CrossProducts& a, const Block& block, const double* basis, index r, index first, double unseen);

// Levels of a factor with one or two columns whose Z'Z is no singular matrix: of what is left of a column more than a share.
index full_levels(const CrossProducts& a, index f, double share);

struct Farthest {
    double times = 0;
    index column = 0;
};

// How many times its spread is the origin of a column away from zero at most, and of which? In `basis` (k x k) the columns have one size.
Farthest farthest(const double* origin, const double* basis, index k, index intercept);

// Is more than a share of every column of X left by those before it? `origin` is what was taken from the columns.
bool independent(const CrossProducts& a, const double* origin, double share);

}  // namespace interlace
