#include "pool.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>

#ifndef _WIN32
#include <pthread.h>
#include <signal.h>
#endif

#include "interrupt.hpp"

namespace interlace::pool {
namespace {

std::atomic<index> allowed{1};

// What several threads do together, while its caller waits for it.
struct Job {
    const std::function<void()>& body;
    index wanted;      // threads that may still come
    index inside = 0;  // threads that have come and not left
    std::atomic<bool> stop{false};
    std::exception_ptr error;
    std::condition_variable left;
};

// Threads that are made while it lives leave signals to those that were there before, but for those of their own faults.
class NoSignals {
  public:
#ifdef _WIN32
    NoSignals() {}
#else
    NoSignals() {
        sigset_t mask;
        sigfillset(&mask);
        for (const int own : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT}) sigdelset(&mask, own);
        pthread_sigmask(SIG_SETMASK, &mask, &before_);
    }
    ~NoSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
    NoSignals(const NoSignals&) = delete;
    NoSignals& operator=(const NoSignals&) = delete;

  private:
    sigset_t before_;
#endif
};

class Pool {
  public:
    void enter(Job& job) {
        const std::lock_guard<std::mutex> lock(mutex_);
        grow(job.wanted);
        jobs_.push_back(&job);
        for (index i = 0; i < job.wanted; ++i) wake_.notify_one();
    }
    // Nobody comes any more; waits for those who are inside.
    void leave(Job& job) {
        std::unique_lock<std::mutex> lock(mutex_);
        job.wanted = 0;
        const auto at = std::find(jobs_.begin(), jobs_.end(), &job);
        if (at != jobs_.end()) jobs_.erase(at);
        job.left.wait(lock, [&job] { return job.inside == 0; });
    }

  private:
    void grow(index workers) {
        const NoSignals none;
        try {
            for (; workers_ < workers; ++workers_) std::thread([this] { work(); }).detach();
        } catch (const std::system_error&) {
            // the system gives no more threads: there are fewer, then
        }
    }
    void work() {
        std::unique_lock<std::mutex> lock(mutex_);
        for (;;) {
            wake_.wait(lock, [this] { return !jobs_.empty(); });
            Job& job = *jobs_.front();
            ++job.inside;
            if (--job.wanted == 0) jobs_.pop_front();
            lock.unlock();
            std::exception_ptr error;
            try {
                const InterruptScope scope([&job] { return job.stop.load(); });
                job.body();
            } catch (...) {
                error = std::current_exception();
            }
            lock.lock();
            if (error && !job.error) job.error = error;
            if (--job.inside == 0) job.left.notify_one();
        }
    }

    std::mutex mutex_;
    std::condition_variable wake_;
    std::deque<Job*> jobs_;  // those that want more threads
    index workers_ = 0;
};

// Never destroyed: its threads sleep until the process ends. A forked process has none of them and makes a pool of its own.
std::atomic<Pool*> current{nullptr};

Pool& pool() {
#ifndef _WIN32
    static const int registered = pthread_atfork(nullptr, nullptr, [] { current.store(nullptr); });
    (void)registered;
#endif
    Pool* found = current.load();
    if (found) return *found;
    Pool* made = new Pool;
    if (current.compare_exchange_strong(found, made)) return *made;
    delete made;
    return *found;
}

}  // namespace

void set_threads(index n) { allowed.store(std::max<index>(1, n)); }

index threads() { return allowed.load(); }

void together(index most, const std::function<void()>& body) {
    const index helpers = std::min(most, threads()) - 1;
    if (helpers < 1) {
        body();
        return;
    }
    Pool& shared = pool();
    Job job{body, helpers, 0, {false}, nullptr, {}};
    shared.enter(job);
    try {
        body();
    } catch (...) {
        job.stop.store(true);
        shared.leave(job);
        throw;
    }
    shared.leave(job);
    if (job.error) std::rethrow_exception(job.error);
}

void each(index n, const std::function<void(index)>& f) {
    std::atomic<index> next{0};
    together(n, [&] {
        try {
            for (index i = next++; i < n; i = next++) {
                f(i);
                check_interrupt();
            }
        } catch (...) {
            next.store(n);
            throw;
        }
    });
}

}  // namespace interlace::pool
