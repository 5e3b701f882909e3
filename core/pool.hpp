// Threads of our own for coarse tasks. A thread that has nothing to do sleeps: where other processes use the cores, a computation
// gets the share that its threads would get one by one. (The threads of a BLAS wait for each other in a loop that uses the core
// which the other one needs.) Each task calls BLAS with one thread; who says how many threads there may be sees to that.
//
// What is computed never depends on the number of threads: tasks are cut by the size of the problem, and sums keep their order.
#pragma once
#include <functional>

#include "blas.hpp"

namespace interlace::pool {

// Threads that one computation may use, the one that asks for it included. One, until somebody says otherwise.
void set_threads(index n);
index threads();

// Calls `body` here and in up to threads() - 1 sleeping threads, `most` altogether, and returns when all that came have left: on a
// busy machine that may be nobody but the caller, so `body` takes what is left to do until nothing is. Throws what one of them
// throws; `body` must see to it that the others then leave. Only the caller asks whether to stop: in the others check_interrupt()
// throws when the caller has been told to.
void together(index most, const std::function<void()>& body);

// f(0), ..., f(n - 1), each once, in any order and at the same time.
void each(index n, const std::function<void(index)>& f);

}  // namespace interlace::pool
