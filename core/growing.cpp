#include "growing.hpp"

namespace interlace {
namespace {

// Adds `now` to `aside`, and begins from zero.
void put_aside(double* now, size_t size, std::vector<double>& aside) {
    if (aside.empty()) aside.assign(size, 0.0);
    for (size_t e = 0; e < size; ++e) {
        aside[e] += now[e];
        now[e] = 0.0;
    }
}

}  // namespace

void GrowingSums::watch(double* numbers, size_t size) {
    if (size <= longest) watched_.push_back({numbers, size, {}, {}});
}

void GrowingSums::count(index rows) {
    n_ += rows;
    if (n_ % block) return;
    for (Watched& one : watched_) {
        const bool in_blocks = one.size <= short_array;
        if (in_blocks) put_aside(one.now, one.size, one.blocks);
        if (n_ % large_block == 0) put_aside(in_blocks ? one.blocks.data() : one.now, one.size, one.large_blocks);
    }
}

void GrowingSums::finish() {
    for (Watched& one : watched_)
        for (const std::vector<double>* aside : {&one.blocks, &one.large_blocks})
            for (size_t e = 0; e < aside->size(); ++e) one.now[e] += (*aside)[e];
    watched_.clear();
}

}  // namespace interlace
