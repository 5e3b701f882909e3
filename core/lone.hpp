// The model whose random effects are those of one grouping factor with independent levels: what each level says is made and used while
// that level is looked at, and nothing of it is written down but its factor and L^-1 Lambda'Z'[X y]. Levels are summed in blocks of one
// size, so that sums do not depend on the number of threads.
#pragma once
#include <vector>

#include "cholesky.hpp"

namespace interlace::lone {

// Is it such a model, with so few effects and columns that loops over them have a length that the compiler knows?
bool is_lone(const Symbolic& s, index p);

// Writes L_g (k x k) and L_g^-1 F'Z_g'[X y] (k x m, m = p + 1) of all levels, takes the squares of the latter from the lower triangle
// of `left` (m x m, column-major), and returns log det M. Throws NotPositiveDefinite.
double eliminate(const CrossProducts& a, const double* f, double* l, double* r, double* left);

// Sums over levels, in the words of gradient.hpp, E = Z'V^-1 X RX^-1 and t_i per direction:
struct Sums {
    std::vector<double> trace;    // sum_g (W F)_gg, k x k
    std::vector<double> misfit;   // sum_g s_g u_g'
    std::vector<double> squares;  // sum_g E_g E_g'
    std::vector<double> inner;    // t'W t, directions x directions
    std::vector<double> along_s;  // t's
    std::vector<double> along_e;  // E't, p x directions, column-major
    Sums(index k, index p, index directions);
    void add(const Sums& other);
};

// Those at the state of the factor, with dF (k x k) for each of the directions, at most `most_directions`.
constexpr size_t most_directions = 6;
Sums sums(const Cholesky& l, const std::vector<const double*>& directions);

}  // namespace interlace::lone
