// Columns of X that stay codes: products of factors (and numbers) are added up by cell, and become columns afterwards.
#pragma once
#include "crossproducts.hpp"

namespace interlace {

// How the cells of one set of factors become columns of X: row (cell, column of z) has the entries ptr[row] to ptr[row + 1].
struct CellCoding {
    std::vector<index> ptr;
    std::vector<index> col;
    std::vector<double> val;
};

// Rows were added up with the cells as grouping factors `first`, first + 1, ... behind the others.
struct Folding {
    index p = 0, first = 0;
    std::vector<index> numbers;       // for each column of x of the rows, the column of X that it is
    std::vector<CellCoding> cells;
    index intercept = -1;             // a column of numbers
    std::vector<double> origin;       // p: so many times the intercept are taken from each column
};

// The products of the rows with all columns of X, and without the cells among the grouping factors.
CrossProducts fold(const CrossProducts& a, const Folding& folding);

}  // namespace interlace
