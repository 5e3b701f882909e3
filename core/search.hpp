// The search of `optimize.py` where one from the moments of the data is enough, without a word of Python between its steps.
#pragma once
#include <vector>

#include "deviance.hpp"

namespace interlace {

// What the search goes by; see `descent.py`.
struct Limits {
    double tolerance = 0;    // of the predicted decrease
    index evaluations = 0;   // before the basis would change
    double large = 0;        // a start beyond this needs more than one search
    double near_zero = 0;    // diagonal entries below this are tried at zero
    double no_minimum = 0;   // a value that is known to less is lost
    double finished = 0, ill_conditioned = 0;  // when an end is polished
    index steps = 0;         // Newton steps to polish it
    double exact = 0;        // share of y'y that is left where the response is fitted exactly
    double nearly_all = 0;   // share of y'y that X may explain
    double apart = 0, rival = 0;  // times larger, and how much higher: a place from which a search may end lower
    double conflict = 0;          // gain in log sigma^2 that asks for all searches
    bool prove = false;      // whether the Hessian at the end is the exact one
    index opened = 0;        // evaluations of a search from a covariance that is not singular
    index elsewhere = 0;     // evaluations of a search for another minimum
    double elsewhere_tolerance = 0;  // of its predicted decrease
    double same_value = 0;   // minima whose values differ by less are one
};

// How far one search led.
enum class Reach {
    start,   // the start needs more than one search: nothing was searched
    ended,   // a search has ended, and more has to be tried from its end
    enough,  // it found the minimum, and nothing else has to be tried
};

struct Searched {
    Minimum best;
    Reach reach = Reach::start;
};

// Sizes near zero at zero, if it is as good there.
void try_boundary(ProfiledDeviance& d, Minimum& best, const Limits& limits);

// From the moments of the response (see moments.hpp), or another start. `without`: parameters that are tried at zero together, as a
// variance of zero may be a second minimum.
Searched search(ProfiledDeviance& d, std::vector<double> start, const std::vector<std::vector<index>>& without, const Limits& limits);

}  // namespace interlace
