#include "cells.hpp"

#include <algorithm>
#include <stdexcept>

#include "interrupt.hpp"

namespace interlace {
namespace {

constexpr index block = 4096;  // rows whose keys are there at a time

// Numbers 0, 1, ... for keys in the order in which they come: by a table where keys are small, else by open addressing.
class Numbers {
  public:
    Numbers(std::uint64_t span, index n) : dense_(span <= 4 * static_cast<std::uint64_t>(n) + 1024) {
        if (dense_) place_.assign(span, -1);
        else grow(1 << 12);
    }
    std::int32_t operator()(std::uint64_t key) {
        if (dense_) {
            std::int32_t& found = place_[key];
            return found < 0 ? (found = count_++) : found;
        }
        size_t at = slot(key);
        while (place_[at] >= 0 && keys_[place_[at]] != key) at = (at + 1) & mask_;
        if (place_[at] >= 0) return place_[at];
        place_[at] = count_;
        keys_.push_back(key);
        if (2 * keys_.size() > mask_) grow(2 * (mask_ + 1));
        return count_++;
    }
    std::int32_t count() const { return count_; }

  private:
    size_t slot(std::uint64_t key) const { return static_cast<size_t>((key * 0x9E3779B97F4A7C15ull) >> 20) & mask_; }
    void grow(size_t slots) {
        place_.assign(slots, -1);
        mask_ = slots - 1;
        for (size_t k = 0; k < keys_.size(); ++k) {
            size_t at = slot(keys_[k]);
            while (place_[at] >= 0) at = (at + 1) & mask_;
            place_[at] = static_cast<std::int32_t>(k);
        }
    }
    bool dense_;
    std::vector<std::int32_t> place_;
    std::vector<std::uint64_t> keys_;
    size_t mask_ = 0;
    std::int32_t count_ = 0;
};

std::uint64_t span_of(const std::vector<CodedColumn>& columns) {
    std::uint64_t span = 1;
    for (const CodedColumn& c : columns) {
        if (c.levels < 1) throw std::invalid_argument("a column without levels");
        if (span > UINT64_MAX / static_cast<std::uint64_t>(c.levels)) throw std::length_error("too many combinations of levels");
        span *= static_cast<std::uint64_t>(c.levels);
    }
    return span;
}

void load_keys(const std::vector<CodedColumn>& columns, index r0, index m, std::uint64_t* keys) {
    std::fill(keys, keys + m, 0);
    for (const CodedColumn& c : columns)
        for (index i = 0; i < m; ++i) {
            const std::int32_t code = c.codes[r0 + i];
            if (code < 0 || code >= c.levels) throw std::invalid_argument("a code is out of range");
            keys[i] = keys[i] * static_cast<std::uint64_t>(c.levels) + static_cast<std::uint64_t>(code);
        }
}

// Means and squares about them: a second look takes from both what rounding left in the first.
void add_squares(const std::vector<std::int32_t>& cell, const OfResponse& of, Cells& out) {
    std::vector<double> left(out.count.size(), 0.0);
    out.within.assign(out.count.size(), 0.0);
    for (size_t r = 0; r < cell.size(); ++r) {
        const double d = of.y[r] - out.mean[cell[r]], nd = of.count ? static_cast<double>(of.count[r]) * d : d;
        left[cell[r]] += nd;
        out.within[cell[r]] += of.within ? of.within[r] + nd * d : nd * d;
    }
    for (size_t c = 0; c < left.size(); ++c) {
        const double away = left[c] / static_cast<double>(out.count[c]);
        out.mean[c] += away;
        out.within[c] = std::max(0.0, out.within[c] - left[c] * away);
    }
}

}  // namespace

Cells cells_of(const std::vector<CodedColumn>& columns, index n, const OfResponse& of, double about, index most) {
    if (n > INT32_MAX) throw std::length_error("more than 2^31 rows in one chunk");
    Cells out;
    Numbers number(span_of(columns), n);
    std::vector<std::uint64_t> keys(block);
    std::vector<std::int32_t> cell(n);
    for (index r0 = 0; r0 < n; r0 += block) {
        const index m = std::min(block, n - r0);
        load_keys(columns, r0, m, keys.data());
        for (index i = 0; i < m; ++i) {
            const std::int32_t c = cell[r0 + i] = number(keys[i]);
            if (c == static_cast<std::int32_t>(out.count.size())) {
                out.first.push_back(static_cast<std::int32_t>(r0 + i));
                out.count.push_back(0);
                out.mean.push_back(0.0);
            }
            const std::int64_t count = of.count ? of.count[r0 + i] : 1;
            out.count[c] += count;
            out.mean[c] += static_cast<double>(count) * (of.y[r0 + i] - about);
        }
        if (number.count() > most) return {};
        check_interrupt();
    }
    for (size_t c = 0; c < out.count.size(); ++c) out.mean[c] = about + out.mean[c] / static_cast<double>(out.count[c]);
    add_squares(cell, of, out);
    return out;
}

}  // namespace interlace
