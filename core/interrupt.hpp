// Long loops call check_interrupt(); whoever starts them may install a poll that says whether to stop.
#pragma once
#include <functional>
#include <stdexcept>

namespace interlace {

struct Interrupted : std::runtime_error {
    Interrupted() : std::runtime_error("interrupted") {}
};

// Installs `poll` for the current thread while it lives. The poll is called at most every 50 ms.
class InterruptScope {
  public:
    explicit InterruptScope(std::function<bool()> poll);
    ~InterruptScope();
    InterruptScope(const InterruptScope&) = delete;
    InterruptScope& operator=(const InterruptScope&) = delete;

  private:
    std::function<bool()> previous_;
};

void check_interrupt();  // throws Interrupted

}  // namespace interlace
