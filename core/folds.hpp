// The model without some of its rows, for many sets of rows: A - A_g, a search from the parameters of the whole, and what the model
// then says of the rows that went.
#pragma once
#include <functional>
#include <vector>

#include "shared_start.hpp"

namespace interlace {

struct Fold {
    const std::int64_t* rows;   // of those that go, places among all rows
    const std::int64_t* units;  // of each of them the unit that it belongs to, from 0
    index n, n_units;
};

struct WithoutFold {
    Again found;
    bool known = false;             // are the digits of A - A_g enough, and its columns certainly independent?
    double pwrss = 0;
    std::vector<double> residual;   // y - X beta - Z b of the rows that went
    std::vector<double> spread;     // w_i x_i'J x_i, x over [Z X]
    std::vector<double> log_ratio;  // per unit log of the density of its rows but for constants: half of what d(A) loses by them
};

struct WholeModel {
    const CrossProducts& a;
    std::shared_ptr<const Symbolic> symbolic;
    const Parametrization& map;
    Criterion kind;
    const Rows& rows;
    const std::vector<double>& start;
    const SharedStart* shared;  // null where searches share nothing
};

// Where `found.certain` or `known` is false, nothing else is there.
WithoutFold without_fold(const WholeModel& whole, const Fold& fold);

}  // namespace interlace
