#include "elements.hpp"

#include <algorithm>
#include <vector>

#include "interrupt.hpp"
#include "pool.hpp"
#include "tiles.hpp"

namespace interlace {
namespace {

constexpr index batch_rows = 2048;  // rows of elements written out at once

// The elements of one front, or some of them: `levels` of the leading factor.
struct Elements {
    const Cholesky& l;
    const Symbolic& s;
    const Front& front;
    index k;
    std::vector<index> levels;

    index count() const { return static_cast<index>(levels.size()); }
    index columns(index e) const { return s.column_ptr[levels[e] + 1] - s.column_ptr[levels[e]]; }
    const std::int32_t* positions(index e) const { return &s.column_pos[s.column_ptr[levels[e]]]; }
    const double* values(index e) const { return l.element(levels[e]); }
    // The first column of element e at this position of the front or after it.
    index from(index e, index position) const {
        const std::int32_t* p = positions(e);
        return std::lower_bound(p, p + columns(e), position) - p;
    }
    // Rows of elements begin to end from position `first` on, one after another: (size - first) x ((end - begin) k), column-major.
    void write_out(index first, index begin, index end, double* to) const {
        const index n = front.size() - first;
        std::fill(to, to + n * (end - begin) * k, 0.0);
        for (index e = begin; e < end; ++e)
            for (index i = 0; i < k; ++i, to += n)
                for (index j = from(e, first); j < columns(e); ++j) to[positions(e)[j] - first] = values(e)[i * columns(e) + j];
    }
};

// Those that are written out as a whole, and the others.
struct Split {
    Elements wide, narrow;
    Split(const Cholesky& l, const Front& front)
        : wide{l, l.symbolic(), front, l.products().random->k()[0], {}}, narrow(wide) {
        const Symbolic& s = wide.s;
        for (index o = front.elem_begin; o < front.elem_end; ++o) {
            const index g = s.elem_order[o];
            (is_wide(s.column_ptr[g + 1] - s.column_ptr[g], front.size()) ? wide : narrow).levels.push_back(g);
        }
    }
};

// The columns from `first` on, in pieces that are not cut by the end of the pivots.
std::vector<index> pieces(index first, index n, index pivots, index width) {
    std::vector<index> out;
    for (index c = first; c < n; c = std::min(c + width, c < pivots ? std::max(pivots, c + 1) : n)) out.push_back(c);
    out.push_back(n);
    return out;
}

// Columns c0 to c1 of the front -= B B', B = (size - first) x m the rows from `first` on.
void subtract_piece(const FrontMatrix& f, index first, index c0, index c1, const double* b, index m) {
    const index ld = f.size - first, ldc = f.stride(c0), n = c1 - c0;
    blas::syrk_lower('N', n, m, -1.0, b + c0 - first, ld, 1.0, &f.at(c0, c0), ldc);
    if (c1 < f.size) blas::gemm('N', 'T', f.size - c1, n, m, -1.0, b + c1 - first, ld, b + c0 - first, ld, 1.0, &f.at(c1, c0), ldc);
}

// Some elements, ready to be subtracted: their rows in the head written out, and their columns cut into the pieces of the tail.
struct Batch {
    const Elements& x;
    const std::vector<index>& edges;  // of the pieces; the last is the head
    index begin = 0, end = 0;
    std::vector<double> head;
    std::vector<std::int32_t> cuts;  // element -> the first column at each edge or after it

    index edge_count() const { return static_cast<index>(edges.size()); }
    void fill(index from, index to) {
        const index h = x.front.head, wide = x.front.size() - h;
        begin = from;
        end = to;
        head.resize(wide * (end - begin) * x.k);
        cuts.resize((end - begin) * edge_count());
        const index part = (end - begin + 7) / 8;
        pool::each(8, [&](index t) {
            const index first = std::min(begin + t * part, end), last = std::min(first + part, end);
            if (wide > 0) x.write_out(h, first, last, head.data() + (first - begin) * x.k * wide);
            for (index e = first; e < last; ++e) cut(e);
        });
    }

  private:
    void cut(index e) {
        const std::int32_t* pos = x.positions(e);
        std::int32_t* to = &cuts[(e - begin) * edge_count()];
        const index columns = x.columns(e);
        index j = 0;
        for (const index edge : edges) {
            while (j < columns && pos[j] < edge) ++j;
            *to++ = static_cast<std::int32_t>(j);
        }
    }
};

// What a batch leaves on one piece of the tail.
void subtract_scattered(const Batch& batch, const FrontMatrix& f, index piece) {
    const Elements& x = batch.x;
    const index h = x.front.head, wide = f.size - h;
    for (index e = batch.begin; e < batch.end; ++e) {
        const std::int32_t* cuts = &batch.cuts[(e - batch.begin) * batch.edge_count()];
        const index columns = x.columns(e), b0 = cuts[piece], b1 = cuts[piece + 1], tail = cuts[batch.edge_count() - 1];
        if (b0 == b1) continue;
        const std::int32_t* pos = x.positions(e);
        for (index i = 0; i < x.k; ++i) {
            const double *c = x.values(e) + i * columns, *d = batch.head.data() + ((e - batch.begin) * x.k + i) * wide;
            for (index b = b0; b < b1; ++b) {
                const double v = c[b];
                const index shift = pos[b] < f.pivots ? 0 : f.pivots;
                double* col = &f.at(shift, pos[b]);
                for (index a = b; a < tail; ++a) col[pos[a] - shift] -= c[a] * v;
                double* dense = col + (h - shift);
                for (index r = 0; r < wide; ++r) dense[r] -= d[r] * v;
            }
        }
    }
}

void subtract_wide(const Elements& x, const FrontMatrix& f) {
    const index step = std::max<index>(1, 256 / x.k);
    std::vector<double> rows;
    const std::vector<index> edges = pieces(0, f.size, f.pivots, 256);
    for (index e = 0; e < x.count(); e += step) {
        const index end = std::min(e + step, x.count());
        rows.resize(f.size * (end - e) * x.k);
        x.write_out(0, e, end, rows.data());
        pool::each(static_cast<index>(edges.size()) - 1,
                   [&](index t) { subtract_piece(f, 0, edges[t], edges[t + 1], rows.data(), (end - e) * x.k); });
    }
}

void subtract_narrow(const Elements& x, const FrontMatrix& f) {
    if (x.count() == 0) return;
    const index h = x.front.head, step = std::max<index>(1, batch_rows / x.k);
    index columns = 0;
    for (index e = 0; e < x.count(); ++e) columns += x.columns(e);
    // a piece should hold a few columns of each element
    const index parts = std::clamp<index>(columns / x.count() / 4, 8, std::max<index>(8, f.size / 64));
    const std::vector<index> edges = pieces(0, h, f.pivots, (h + parts - 1) / parts);
    const std::vector<index> dense = pieces(h, f.size, f.pivots, 128);
    const index scattered = static_cast<index>(edges.size()) - 1, all = scattered + static_cast<index>(dense.size()) - 1;
    Batch batch{x, edges, 0, 0, {}, {}};
    for (index e = 0; e < x.count(); e += step) {
        batch.fill(e, std::min(e + step, x.count()));
        const index m = (batch.end - batch.begin) * x.k;
        pool::each(all, [&](index t) {
            if (t < scattered) subtract_scattered(batch, f, t);
            else subtract_piece(f, h, dense[t - scattered], dense[t - scattered + 1], batch.head.data(), m);
        });
    }
}

void multiply_wide(const Elements& x, const double* z, const ElementVisitor& visit) {
    const index n = x.front.size(), step = std::max<index>(1, 256 / x.k);
    std::vector<double> rows, out, p;
    for (index e = 0; e < x.count(); e += step) {
        const index end = std::min(e + step, x.count()), m = (end - e) * x.k;
        rows.resize(n * m);
        out.resize(n * m);
        x.write_out(0, e, end, rows.data());
        constexpr index strip = 64;
        pool::each((m + strip - 1) / strip, [&](index t) {
            const index c = t * strip;
            blas::symm_lower('L', n, std::min(strip, m - c), 1.0, z, n, &rows[c * n], n, 0.0, &out[c * n], n);
        });
        const double* from = out.data();
        for (index g = e; g < end; ++g) {
            const index columns = x.columns(g);
            p.resize(x.k * columns);
            for (index i = 0; i < x.k; ++i, from += n)
                for (index j = 0; j < columns; ++j) p[i * columns + j] = from[x.positions(g)[j]];
            visit(x.levels[g], p.data());
        }
    }
}

// P of one row c of an element: `d` is its part in the head, `head` the product of that with Z there, which is added to.
void multiply_row(const Front& front, const double* z, const std::int32_t* pos, index tail, index columns, const double* c, const double* d,
                  double* head, double* p) {
    const index n = front.size(), h = front.head, wide = n - h;
    std::fill(p, p + tail, 0.0);
    for (index b = 0; b < tail; ++b) {
        const double *zb = z + pos[b] * n, *dense = zb + h, cb = c[b];
        double sum = zb[pos[b]] * cb;
        for (index a = b + 1; a < tail; ++a) {
            const double v = zb[pos[a]];
            sum += v * c[a];
            p[a] += v * cb;
        }
        double s[4] = {0, 0, 0, 0};
        index r = 0;
        for (; r + 4 <= wide; r += 4)
            for (index j = 0; j < 4; ++j) {
                s[j] += dense[r + j] * d[r + j];
                head[r + j] += dense[r + j] * cb;
            }
        for (; r < wide; ++r) {
            s[0] += dense[r] * d[r];
            head[r] += dense[r] * cb;
        }
        p[b] += sum + ((s[0] + s[1]) + (s[2] + s[3]));
    }
    for (index a = tail; a < columns; ++a) p[a] = head[pos[a] - h];
}

void multiply_narrow(const Elements& x, const double* z, const ElementVisitor& visit) {
    const index n = x.front.size(), h = x.front.head, wide = n - h, step = std::max<index>(1, batch_rows / x.k);
    std::vector<double> p;
    std::vector<index> at;
    for (index e = 0; e < x.count(); e += step) {
        const index end = std::min(e + step, x.count()), part = (end - e + 7) / 8;
        at.assign(1, 0);
        for (index g = e; g < end; ++g) at.push_back(at.back() + x.k * x.columns(g));
        p.resize(at.back());
        pool::each(8, [&](index t) {
            const index begin = std::min(e + t * part, end), last = std::min(begin + part, end), m = (last - begin) * x.k;
            std::vector<double> rows(wide * m), out(wide * m);
            x.write_out(h, begin, last, rows.data());
            blas::symm_lower('L', wide, m, 1.0, z + h + h * n, n, rows.data(), std::max<index>(1, wide), 0.0, out.data(), std::max<index>(1, wide));
            index r = 0;
            for (index g = begin; g < last; ++g)
                for (index i = 0; i < x.k; ++i, ++r) {
                    const index columns = x.columns(g);
                    multiply_row(x.front, z, x.positions(g), x.from(g, h), columns, x.values(g) + i * columns, rows.data() + r * wide,
                                 out.data() + r * wide, &p[at[g - e] + i * columns]);
                }
        });
        for (index g = e; g < end; ++g) visit(x.levels[g], &p[at[g - e]]);
    }
}

}  // namespace

void subtract_elements(const Cholesky& l, const Front& front, const FrontMatrix& f) {
    const Split split(l, front);
    subtract_wide(split.wide, f);
    subtract_narrow(split.narrow, f);
}

void multiply_elements(const Cholesky& l, const Front& front, const double* z, const ElementVisitor& visit) {
    const Split split(l, front);
    multiply_wide(split.wide, z, visit);
    multiply_narrow(split.narrow, z, visit);
}

}  // namespace interlace
