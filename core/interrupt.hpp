// Long loops call check_interrupt(); whoever starts them may install a poll that says whether to stop.
#pragma once
#include <atomic>
#include <functional>
#include <memory>
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

struct Stopped : std::runtime_error {
    Stopped() : std::runtime_error("the work was stopped by another thread") {}
};

// A word from any thread that ends the work of those that heed it. Signals reach the first thread of Python alone: it passes them on so.
class Stop {
  public:
    void say() { said_->store(true); }
    bool said() const { return said_->load(); }
    void heed() const;    // from now on, in the current thread
    void ignore() const;  // no more, what was heeded last
    static bool asked();  // does the current thread heed one that was said?

  private:
    std::shared_ptr<std::atomic<bool>> said_ = std::make_shared<std::atomic<bool>>(false);
};

}  // namespace interlace
