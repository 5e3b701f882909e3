#include "coded.hpp"

#include <stdexcept>

#include "interrupt.hpp"

namespace interlace {
namespace {

void check(const CrossProducts& a, const Folding& f) {
    const RandomPart& random = *a.random;
    if (f.first + static_cast<index>(f.cells.size()) != random.factors() || static_cast<index>(f.numbers.size()) != a.fixed->p ||
        static_cast<index>(f.origin.size()) != f.p || f.intercept >= f.p)
        throw std::invalid_argument("the coding does not belong to these cross-products");
    const auto in_x = [&](index c) { return c >= 0 && c < f.p; };
    for (const index c : f.numbers)
        if (!in_x(c)) throw std::invalid_argument("a column of numbers is not in X");
    for (size_t g = 0; g < f.cells.size(); ++g) {
        const CellCoding& coding = f.cells[g];
        if (static_cast<index>(coding.ptr.size()) != random.pattern->q(f.first + static_cast<index>(g)) + 1 || coding.ptr.front() != 0 ||
            coding.ptr.back() != static_cast<index>(coding.col.size()) || coding.col.size() != coding.val.size())
            throw std::invalid_argument("one row of the coding for each cell and column of z");
        for (size_t i = 1; i < coding.ptr.size(); ++i)
            if (coding.ptr[i] < coding.ptr[i - 1]) throw std::invalid_argument("rows of the coding must be in order");
        for (const index c : coding.col)
            if (!in_x(c)) throw std::invalid_argument("a column of the coding is not in X");
    }
}

// out[c] += value * v for the entries (c, v) of a row.
void scatter(const CellCoding& s, index row, double value, double* out) {
    for (index e = s.ptr[row]; e < s.ptr[row + 1]; ++e) out[s.col[e]] += value * s.val[e];
}

struct Folder {
    const CrossProducts& a;
    const Folding& f;
    FixedPart fixed;
    ResponsePart response;

    Folder(const CrossProducts& raw, const Folding& folding) : a(raw), f(folding) {
        fixed.p = f.p;
        fixed.xx.assign(f.p * f.p, 0.0);
        response.xy.assign(f.p, 0.0);
        response.yy = a.response->yy;
        for (index g = 0; g < f.first; ++g) {
            fixed.zx.emplace_back(a.random->pattern->q(g) * f.p, 0.0);
            response.zy.push_back(a.response->zy[g]);
        }
    }

    void numbers() {
        const index m = a.fixed->p;
        for (index c = 0; c < m; ++c) {
            response.xy[f.numbers[c]] += a.response->xy[c];
            for (index d = 0; d < m; ++d) fixed.xx[f.numbers[c] * f.p + f.numbers[d]] += a.fixed->xx[c * m + d];
        }
        for (index g = 0; g < f.first; ++g)
            for (index r = 0; r < a.random->pattern->q(g); ++r)
                for (index c = 0; c < m; ++c) fixed.zx[g][r * f.p + f.numbers[c]] += a.fixed->zx[g][r * m + c];
    }

    // Cells with y, with columns of numbers, and with each other inside a cell.
    void own(index g) {
        const CellCoding& s = f.cells[g];
        const index factor = f.first + g, k = a.random->k()[factor], m = a.fixed->p;
        for (index l = 0; l < a.random->levels()[factor]; ++l)
            for (index i = 0; i < k; ++i) {
                const index row = l * k + i;
                scatter(s, row, a.response->zy[factor][row], response.xy.data());
                for (index c = 0; c < m; ++c) {
                    const double value = a.fixed->zx[factor][row * m + c];
                    for (index e = s.ptr[row]; e < s.ptr[row + 1]; ++e) add_both(s.col[e], f.numbers[c], value * s.val[e]);
                }
                for (index j = 0; j < k; ++j) {
                    const double value = a.random->diag[factor][(l * k + i) * k + j];
                    for (index e = s.ptr[row]; e < s.ptr[row + 1]; ++e)
                        scatter(s, l * k + j, value * s.val[e], &fixed.xx[s.col[e] * f.p]);
                }
            }
    }

    void pair(const PairBlocks& p) {
        if (p.j < f.first) return;
        const index ki = a.random->k()[p.i], kj = a.random->k()[p.j];
        const CellCoding& right = f.cells[p.j - f.first];
        for (index l = 0; l + 1 < static_cast<index>(p.ptr.size()); ++l)
            for (index t = p.ptr[l]; t < p.ptr[l + 1]; ++t)
                for (index i = 0; i < ki; ++i)
                    for (index j = 0; j < kj; ++j) {
                        const double value = p.val[(t * ki + i) * kj + j];
                        const index row = static_cast<index>(p.col[t]) * kj + j;
                        if (p.i < f.first) {
                            scatter(right, row, value, &fixed.zx[p.i][(l * ki + i) * f.p]);
                            continue;
                        }
                        const CellCoding& left = f.cells[p.i - f.first];
                        for (index e = left.ptr[l * ki + i]; e < left.ptr[l * ki + i + 1]; ++e)
                            for (index d = right.ptr[row]; d < right.ptr[row + 1]; ++d)
                                add_both(left.col[e], right.col[d], value * left.val[e] * right.val[d]);
                    }
    }

    // X - 1 origin'
    void move() {
        if (f.intercept < 0) return;
        const index p = f.p, one = f.intercept;
        const auto from_row = [&](double* row) {
            const double value = row[one];
            for (index c = 0; c < p; ++c) row[c] -= value * f.origin[c];
        };
        for (index c = 0; c < p; ++c)
            if (f.origin[c] != 0.0)
                for (index d = 0; d < p; ++d) fixed.xx[c * p + d] -= f.origin[c] * fixed.xx[one * p + d];
        for (index c = 0; c < p; ++c) from_row(&fixed.xx[c * p]);
        for (auto& zx : fixed.zx)
            for (size_t r = 0; r < zx.size(); r += p) from_row(&zx[r]);
        from_row(response.xy.data());
        for (index c = 0; c < p; ++c)
            for (index d = 0; d < c; ++d) fixed.xx[c * p + d] = fixed.xx[d * p + c];
    }

    void add_both(index c, index d, double value) {
        fixed.xx[c * f.p + d] += value;
        fixed.xx[d * f.p + c] += value;
    }
};

std::shared_ptr<const RandomPart> without_cells(const RandomPart& a, index first) {
    auto pattern = std::make_shared<Pattern>();
    auto out = std::make_shared<RandomPart>();
    pattern->levels.assign(a.levels().begin(), a.levels().begin() + first);
    pattern->k.assign(a.k().begin(), a.k().begin() + first);
    out->diag.assign(a.diag.begin(), a.diag.begin() + first);
    for (index s = 0; s < a.pairs(); ++s) {
        const PairPattern& p = a.pattern->pairs[s];
        if (p.j >= first) continue;
        pattern->pairs.push_back(p);
        out->cross.push_back(a.cross[s]);
    }
    out->pattern = std::move(pattern);
    return out;
}

}  // namespace

CrossProducts fold(const CrossProducts& a, const Folding& folding) {
    check(a, folding);
    Folder folder(a, folding);
    folder.numbers();
    for (index g = 0; g < static_cast<index>(folding.cells.size()); ++g) {
        folder.own(g);
        check_interrupt();
    }
    for (index s = 0; s < a.random->pairs(); ++s) {
        folder.pair(a.random->pair(s));
        check_interrupt();
    }
    folder.move();
    return {a.n, a.sum_log_w, without_cells(*a.random, folding.first), std::make_shared<const FixedPart>(std::move(folder.fixed)),
            std::make_shared<const ResponsePart>(std::move(folder.response))};
}

}  // namespace interlace
