#include "interrupt.hpp"

#include <chrono>
#include <utility>

namespace interlace {
namespace {
thread_local std::function<bool()> current;
thread_local std::chrono::steady_clock::time_point last_poll;
}  // namespace

InterruptScope::InterruptScope(std::function<bool()> poll) : previous_(std::exchange(current, std::move(poll))) {
    last_poll = std::chrono::steady_clock::now();
}

InterruptScope::~InterruptScope() { current = std::move(previous_); }

void check_interrupt() {
    if (!current) return;
    const auto now = std::chrono::steady_clock::now();
    if (now - last_poll < std::chrono::milliseconds(50)) return;
    last_poll = now;
    if (current()) throw Interrupted();
}

}  // namespace interlace
