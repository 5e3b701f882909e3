#include "tiles.hpp"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <vector>

#include "interrupt.hpp"
#include "pool.hpp"

namespace interlace {
namespace {

index tile_size(index n) { return n < 2048 ? 128 : 256; }

// The beginning of each tile, and the end; no tile is cut by the end of the pivots.
std::vector<index> cut(index n, index pivots) {
    const index size = tile_size(n);
    std::vector<index> edges;
    for (index i = 0; i < pivots; i += size) edges.push_back(i);
    for (index i = pivots; i < n; i += size) edges.push_back(i);
    edges.push_back(n);
    return edges;
}

// Tile (i, j), i >= j, is updated by the pairs of tiles (i, s), (j, s) for each s < j that holds pivots, one s after another, and
// then, if j holds pivots, factorised (i = j) or solved with (j, j). Who is free takes the leftmost tile that can go on.
class TiledFactor {
  public:
    explicit TiledFactor(const FrontMatrix& f)
        : f_(f), edges_(cut(f.size, f.pivots)), tiles_(static_cast<index>(edges_.size()) - 1), columns_(tiles_) {
        pivot_tiles_ = std::lower_bound(edges_.begin(), edges_.end(), f.pivots) - edges_.begin();
        done_.assign(tiles_ * tiles_, 0);
        taken_.assign(tiles_ * tiles_, false);
        for (index j = 0; j < tiles_; ++j) columns_[j] = tiles_ - j;
        left_ = tiles_ * (tiles_ + 1) / 2;
    }
    void run() {
        pool::together(tiles_, [this] { work(); });
    }

  private:
    struct Tile {
        index i = 0, j = 0, step = -1;
    };

    void work() {
        Tile tile;
        try {
            while (next(tile)) {
                if (tile.step < tile.j && tile.step < pivot_tiles_) update(tile);
                else finish(tile);
                check_interrupt();
            }
        } catch (...) {
            const std::lock_guard<std::mutex> lock(mutex_);
            failed_ = true;
            changed_.notify_all();
            throw;
        }
    }

    // Gives a tile back (step -1: none) and takes another; waits for one. False when there is nothing left to do.
    bool next(Tile& tile) {
        std::unique_lock<std::mutex> lock(mutex_);
        if (tile.step >= 0) {
            taken_[at(tile.i, tile.j)] = false;
            if (++done_[at(tile.i, tile.j)] == steps(tile.j)) {
                --left_;
                --columns_[tile.j];
            }
            changed_.notify_all();
        }
        while (left_ > 0 && !failed_) {
            if (take(tile)) return true;
            changed_.wait_for(lock, std::chrono::milliseconds(50));
            lock.unlock();
            check_interrupt();
            lock.lock();
        }
        return false;
    }

    bool take(Tile& tile) {
        for (index j = 0; j < tiles_; ++j) {
            if (columns_[j] == 0) continue;
            for (index i = j; i < tiles_; ++i) {
                const index step = done_[at(i, j)];
                if (taken_[at(i, j)] || step == steps(j) || !ready(i, j, step)) continue;
                taken_[at(i, j)] = true;
                tile = {i, j, step};
                return true;
            }
        }
        return false;
    }

    bool ready(index i, index j, index step) const {
        if (step < std::min(j, pivot_tiles_)) return finished(i, step) && finished(j, step);
        return i == j || finished(j, j);
    }
    bool finished(index i, index j) const { return done_[at(i, j)] == steps(j); }
    index steps(index j) const { return j < pivot_tiles_ ? j + 1 : pivot_tiles_; }
    index at(index i, index j) const { return i + j * tiles_; }
    index size(index i) const { return edges_[i + 1] - edges_[i]; }
    double* start(index i, index j) const { return &f_.at(edges_[i], edges_[j]); }

    void update(const Tile& t) const {
        const double *a = start(t.i, t.step), *b = start(t.j, t.step);
        const index inner = size(t.step), ld = f_.size, ldc = f_.stride(edges_[t.j]);
        if (t.i == t.j) blas::syrk_lower('N', size(t.i), inner, -1.0, a, ld, 1.0, start(t.i, t.j), ldc);
        else blas::gemm('N', 'T', size(t.i), size(t.j), inner, -1.0, a, ld, b, ld, 1.0, start(t.i, t.j), ldc);
    }
    void finish(const Tile& t) const {
        if (t.i != t.j) blas::trsm_lower('R', 'T', size(t.i), size(t.j), start(t.j, t.j), f_.size, start(t.i, t.j), f_.size);
        else if (!blas::potrf_lower(size(t.j), start(t.j, t.j), f_.size)) throw NotPositiveDefinite();
    }

    const FrontMatrix f_;
    const std::vector<index> edges_;
    const index tiles_;
    index pivot_tiles_ = 0;
    std::mutex mutex_;  // of what follows
    std::condition_variable changed_;
    std::vector<index> done_;  // tile -> steps that are done
    std::vector<bool> taken_;  // tile -> somebody is at it
    std::vector<index> columns_;  // tile column -> tiles that are not finished
    index left_ = 0;
    bool failed_ = false;
};

}  // namespace

bool worth_tiles(index n) { return n >= 512; }

void factor_tiles(const FrontMatrix& f) { TiledFactor(f).run(); }

void invert_tiles(index n, index pivots, const double* l, double* z) {
    const std::vector<index> edges = cut(n, pivots);
    const auto tiles = static_cast<index>(edges.size()) - 1;
    std::vector<double> w;
    for (index j = std::lower_bound(edges.begin(), edges.end(), pivots) - edges.begin() - 1; j >= 0; --j) {
        const index j0 = edges[j], j1 = edges[j + 1], nb = j1 - j0, rows = n - j1, below = tiles - j - 1;
        const double* ljj = l + j0 + j0 * n;
        double* zjj = z + j0 + j0 * n;
        w.resize(rows * nb);
        // 1) (L_JJ L_JJ')^-1, and W by rows
        pool::each(below + 1, [&](index t) {
            if (t == 0) {
                for (index c = 0; c < nb; ++c) std::copy_n(ljj + c + c * n, nb - c, zjj + c + c * n);
                blas::potri_lower(nb, zjj, n);
                return;
            }
            const index r0 = edges[j + t], m = edges[j + t + 1] - r0;
            for (index c = 0; c < nb; ++c) std::copy_n(l + r0 + (j0 + c) * n, m, &w[r0 - j1 + c * rows]);
            blas::trsm_lower('R', 'N', m, nb, ljj, n, &w[r0 - j1], rows);
        });
        if (rows == 0) continue;
        // 2) Z_RJ by rows: what is left of the diagonal of Z_RR, the diagonal tile, what is right of it (by symmetry)
        pool::each(below, [&](index t) {
            const index r0 = edges[j + 1 + t], r1 = edges[j + 2 + t], m = r1 - r0, before = r0 - j1, after = n - r1;
            double* to = z + r0 + j0 * n;
            blas::symm_lower('L', m, nb, -1.0, z + r0 + r0 * n, n, &w[before], rows, 0.0, to, n);
            if (before > 0) blas::gemm('N', 'N', m, nb, before, -1.0, z + r0 + j1 * n, n, w.data(), rows, 1.0, to, n);
            if (after > 0) blas::gemm('T', 'N', m, nb, after, -1.0, z + r1 + r0 * n, n, &w[r1 - j1], rows, 1.0, to, n);
        });
        // 3) Z_JJ by columns
        constexpr index strip = 32;
        pool::each((nb + strip - 1) / strip, [&](index t) {
            const index c0 = t * strip, c = std::min(strip, nb - c0);
            blas::gemm('T', 'N', nb - c0, c, rows, -1.0, &w[c0 * rows], rows, z + j1 + (j0 + c0) * n, n, 1.0, zjj + c0 + c0 * n, n);
        });
    }
}

}  // namespace interlace
