#include "interrupt.hpp"

#include <chrono>
#include <utility>
#include <vector>

namespace interlace {
namespace {
thread_local std::function<bool()> current;
thread_local std::chrono::steady_clock::time_point last_poll;
thread_local std::vector<std::shared_ptr<std::atomic<bool>>> heeded;
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

void Stop::heed() const { heeded.push_back(said_); }

void Stop::ignore() const {
    if (!heeded.empty()) heeded.pop_back();
}

bool Stop::asked() {
    for (const auto& said : heeded)
        if (said->load()) return true;
    return false;
}

}  // namespace interlace
