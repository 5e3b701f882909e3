#include "reduced.hpp"

#include <algorithm>
#include <bitset>
#include <cmath>
#include <numeric>
#include <utility>

#include "interrupt.hpp"
#include "pool.hpp"

namespace interlace {
namespace {

struct Transposed {
    std::vector<index> ptr;
    std::vector<std::int32_t> row;
    std::vector<index> entry;
};

Transposed transposed(const Meetings& c, index q) {
    Transposed t{std::vector<index>(q + 1, 0), std::vector<std::int32_t>(c.at.size()), std::vector<index>(c.at.size())};
    for (const std::int32_t at : c.at) ++t.ptr[at + 1];
    std::partial_sum(t.ptr.begin(), t.ptr.end(), t.ptr.begin());
    std::vector<index> next(t.ptr.begin(), t.ptr.end() - 1);
    for (index i = 0; i + 1 < static_cast<index>(c.ptr.size()); ++i)
        for (index e = c.ptr[i]; e < c.ptr[i + 1]; ++e) {
            const index to = next[c.at[e]]++;
            t.row[to] = static_cast<std::int32_t>(i);
            t.entry[to] = e;
        }
    return t;
}

// Rows by the level of each factor of the rest but the last: only where there are several of these do they meet outside the lead.
std::vector<std::vector<index>> rows_of_levels(const AbsorbedRows& a, std::vector<std::vector<std::uint32_t>>& rows) {
    const index m = a.rest();
    std::vector<std::vector<index>> ptr;
    for (index f = 0; f + 1 < m; ++f) {
        const AbsorbedRows::Factor& factor = a.factors[f + 1];
        std::vector<index> p(factor.levels + 1, 0);
        const auto level = [&](index r) { return (a.at[r * m + f] - factor.base) / factor.k; };
        for (index r = 0; r < a.n; ++r) ++p[level(r) + 1];
        std::partial_sum(p.begin(), p.end(), p.begin());
        std::vector<index> next(p.begin(), p.end() - 1);
        std::vector<std::uint32_t> by(a.n);
        for (index r = 0; r < a.n; ++r) by[next[level(r)]++] = static_cast<std::uint32_t>(r);
        ptr.push_back(std::move(p));
        rows.push_back(std::move(by));
    }
    return ptr;
}

// The factor whose coordinate it is
index factor_of(const AbsorbedRows& a, index coordinate) {
    index f = 1;
    while (f < a.rest() && coordinate >= a.factors[f + 1].base) ++f;
    return f;
}

// A sparse row that is summed up
struct Row {
    std::vector<double> sum;
    std::vector<char> there;
    std::vector<std::int32_t> where;
    explicit Row(index q) : sum(q, 0.0), there(q, 0) {}
    void add(std::int32_t at, double v) {
        if (!there[at]) {
            there[at] = 1;
            where.push_back(at);
        }
        sum[at] += v;
    }
    void clear() {
        for (const std::int32_t at : where) sum[at] = there[at] = 0;
        where.clear();
    }
};

// Puts the last entries of meetings in order.
struct Order {
    std::vector<std::pair<std::int32_t, std::int32_t>> keys;
    std::vector<double> values;
    void arrange(Meetings& c, index begin, index k) {
        if (std::is_sorted(c.at.begin() + begin, c.at.end())) return;
        keys.clear();
        for (index e = begin; e < static_cast<index>(c.at.size()); ++e) keys.emplace_back(c.at[e], static_cast<std::int32_t>(e - begin));
        std::sort(keys.begin(), keys.end());
        values.assign(c.value.begin() + begin * k, c.value.end());
        for (size_t e = 0; e < keys.size(); ++e) {
            c.at[begin + e] = keys[e].first;
            std::copy_n(&values[keys[e].second * k], k, &c.value[(begin + e) * k]);
        }
    }
};

// Those of some levels of the lead.
Meetings meetings_of(const AbsorbedRows& a, index first, index last) {
    const index m = a.rest(), k = a.factors[0].k;
    Meetings c;
    c.ptr.assign(1, 0);
    c.at.reserve((a.start[last] - a.start[first]) * m);
    std::vector<index> place(a.q, -1);
    Order order;
    for (index i = first; i < last; ++i) {
        const index begin = static_cast<index>(c.at.size());
        for (index f = 0; f < m; ++f) {  // factor by factor: what is in order already stays so
            const AbsorbedRows::Factor& factor = a.factors[f + 1];
            for (index r = a.start[i]; r < a.start[i + 1]; ++r)
                for (index col = 0; col < factor.k; ++col) {
                    const std::int32_t at = static_cast<std::int32_t>(a.at[r * m + f] + col);
                    if (place[at] < begin) {
                        place[at] = static_cast<index>(c.at.size());
                        c.at.push_back(at);
                        c.value.insert(c.value.end(), k, 0.0);
                    }
                    const double wz = a.weight(r) * (factor.plain() ? 1.0 : factor.z[r * factor.k + col]);
                    for (index l = 0; l < k; ++l)
                        c.value[place[at] * k + l] += wz * (a.factors[0].plain() ? 1.0 : a.factors[0].z[r * k + l]);
                }
        }
        order.arrange(c, begin, k);
        if (a.factors[0].plain() && a.factors[0].diag[i] > 0) {
            const double scale = 1.0 / std::sqrt(a.factors[0].diag[i]);
            for (size_t e = static_cast<size_t>(begin); e < c.at.size(); ++e) c.value[e] *= scale;
        }
        c.ptr.push_back(static_cast<index>(c.at.size()));
        if (i % 1024 == 0) check_interrupt();
    }
    return c;
}

// Both triangles of a symmetric matrix of which the rows of the upper one are given, task by task.
void mirror(const std::vector<std::vector<std::int32_t>>& cols, const std::vector<std::vector<double>>& vals, const std::vector<index>& count,
            ReducedMatrix& out) {
    const index n = out.nodes();
    out.ptr.assign(n + 1, 0);
    for (index v = 0; v < n; ++v) out.ptr[v + 1] = count[v];
    for (const auto& part : cols)
        for (const std::int32_t c : part) ++out.ptr[c + 1];
    std::partial_sum(out.ptr.begin(), out.ptr.end(), out.ptr.begin());
    out.col.resize(out.ptr[n]);
    out.val.resize(out.ptr[n]);
    // an entry above the diagonal comes to its row after all that lie below it there, as these are of earlier rows
    std::vector<index> next(out.ptr.begin(), out.ptr.end() - 1);
    const auto put = [&](index row, index col, double value) {
        out.col[next[row]] = static_cast<std::int32_t>(col);
        out.val[next[row]++] = value;
    };
    index v = 0, left = n > 0 ? count[0] : 0;
    for (size_t task = 0; task < cols.size(); ++task)
        for (size_t e = 0; e < cols[task].size(); ++e) {
            while (left == 0) left = count[++v];
            put(v, cols[task][e], vals[task][e]);
            put(cols[task][e], v, vals[task][e]);
            --left;
        }
}

// Nodes are coordinates that count; which one each of all coordinates is, -1 if it does not.
std::vector<std::int32_t> number(const AbsorbedRows& a, ReducedMatrix& out) {
    const std::vector<double> diagonal = a.diagonal();
    std::vector<std::int32_t> node(a.q, -1);
    for (index j = 0; j < a.q; ++j)
        if (diagonal[j] > 0) {
            node[j] = static_cast<std::int32_t>(out.coordinate.size());
            out.coordinate.push_back(static_cast<std::int32_t>(j));
            out.scale.push_back(std::sqrt(diagonal[j]));
        }
    return node;
}

}  // namespace

Meetings meetings(const AbsorbedRows& a) {
    const index tasks = static_cast<index>(a.chunks.size()) - 1, k = a.factors[0].k;
    std::vector<Meetings> parts(tasks);
    pool::each(tasks, [&](index t) { parts[t] = meetings_of(a, a.chunks[t], a.chunks[t + 1]); });
    Meetings c;
    c.ptr.assign(1, 0);
    for (const Meetings& part : parts) {
        const index before = c.ptr.back();
        for (size_t i = 1; i < part.ptr.size(); ++i) c.ptr.push_back(before + part.ptr[i]);
    }
    c.at.resize(c.ptr.back());
    c.value.resize(c.ptr.back() * k);
    pool::each(tasks, [&](index t) {
        const index to = c.ptr[a.chunks[t]];
        std::copy(parts[t].at.begin(), parts[t].at.end(), c.at.begin() + to);
        std::copy(parts[t].value.begin(), parts[t].value.end(), c.value.begin() + to * k);
    });
    return c;
}

ReducedCost cost(const AbsorbedRows& a) {
    ReducedCost out;
    const index m = a.rest();
    double columns = 0;
    for (index f = 1; f <= m; ++f) columns += static_cast<double>(a.factors[f].k);
    for (index i = 0; i < a.factors[0].levels; ++i) {
        const double d = std::min(columns * static_cast<double>(a.start[i + 1] - a.start[i]), static_cast<double>(a.q));
        out.products += d * d * static_cast<double>(a.factors[0].k);
    }
    // levels of the lead that meet one of a few levels, and all that these meet
    const index sample = std::min<index>(a.q, 64);
    std::vector<std::int32_t> number(a.q, -1);
    for (index s = 0; s < sample; ++s) {
        const index j = s * a.q / sample;
        const AbsorbedRows::Factor& f = a.factors[factor_of(a, j)];
        number[f.base + (j - f.base) / f.k * f.k] = static_cast<std::int32_t>(s);
    }
    std::vector<std::vector<index>> met(sample);
    for (index i = 0; i < a.factors[0].levels; ++i)
        for (index e = a.start[i] * m; e < a.start[i + 1] * m; ++e) {
            const std::int32_t s = number[a.at[e]];
            if (s >= 0 && (met[s].empty() || met[s].back() != i)) met[s].push_back(i);
        }
    std::vector<std::int32_t> mark(a.q, -1);
    double others = 0, asked = 0;
    for (index s = 0; s < sample; ++s) {
        double mine = 0;
        for (const index i : met[s]) {
            for (index e = a.start[i] * m; e < a.start[i + 1] * m; ++e)
                if (std::exchange(mark[a.at[e]], static_cast<std::int32_t>(s)) != s) mine += static_cast<double>(a.factors[e % m + 1].k);
            if (mine > 4096) break;  // more than enough to know
        }
        others += mine;
        asked += !met[s].empty();
    }
    out.met = others / std::max(asked, 1.0);
    return out;
}

Spread spread(const AbsorbedRows& a) {
    const index m = a.rest(), q = a.factors[1].levels * a.factors[1].k, seeds = std::min<index>(q, 32);
    std::vector<std::uint32_t> reached(q, 0);  // bit s: from seed s
    for (index s = 0; s < seeds; ++s) reached[s * q / seeds] = std::uint32_t{1} << s;
    const auto step = [&] {
        const std::vector<std::uint32_t> from(reached);
        double bits = 0;
        for (index i = 0; i < a.factors[0].levels; ++i) {
            std::uint32_t all = 0;
            for (index r = a.start[i]; r < a.start[i + 1]; ++r) all |= from[a.at[r * m]];
            if (all == 0) continue;
            for (index r = a.start[i]; r < a.start[i + 1]; ++r) reached[a.at[r * m]] |= all;
        }
        for (const std::uint32_t one : reached) bits += static_cast<double>(std::bitset<32>(one).count());
        check_interrupt();
        return bits / static_cast<double>(std::max<index>(seeds, 1));
    };
    Spread out;
    out.once = step();
    out.twice = step();
    return out;
}

ReducedMatrix reduced_matrix(const AbsorbedRows& a, const Meetings& c) {
    const index m = a.rest(), k = a.factors[0].k;
    ReducedMatrix out;
    const std::vector<std::int32_t> node = number(a, out);
    std::vector<std::vector<std::uint32_t>> rows;
    std::vector<std::vector<index>> row_ptr;
    Transposed t;
    pool::each(2, [&](index task) {
        if (task == 0) row_ptr = rows_of_levels(a, rows);
        else t = transposed(c, a.q);
    });
    // from the diagonal on
    const auto sum_row = [&](index j, Row& row) {
        for (index e = t.ptr[j]; e < t.ptr[j + 1]; ++e) {
            const double* mine = &c.value[t.entry[e] * k];
            const index end = c.ptr[t.row[e] + 1];
            if (k == 1) {
                for (index o = t.entry[e]; o < end; ++o) row.add(c.at[o], -mine[0] * c.value[o]);
                continue;
            }
            for (index o = t.entry[e]; o < end; ++o)
                for (index l = 0; l < k; ++l) row.add(c.at[o], -mine[l] * c.value[o * k + l]);
        }
        const index f = factor_of(a, j) - 1;
        if (f + 1 == m) return;
        const AbsorbedRows::Factor& own = a.factors[f + 1];
        const index level = (j - own.base) / own.k, col = (j - own.base) % own.k;
        for (index e = row_ptr[f][level]; e < row_ptr[f][level + 1]; ++e) {
            const index r = rows[f][e];
            const double wz = a.weight(r) * (own.plain() ? 1.0 : own.z[r * own.k + col]);
            for (index g = f + 1; g < m; ++g) {
                const AbsorbedRows::Factor& other = a.factors[g + 1];
                for (index d = 0; d < other.k; ++d)
                    row.add(static_cast<std::int32_t>(a.at[r * m + g] + d), wz * (other.plain() ? 1.0 : other.z[r * other.k + d]));
            }
        }
    };
    const index n = out.nodes(), piece = 1024, tasks = (n + piece - 1) / piece;
    out.diag.assign(n, 1.0);
    std::vector<std::vector<std::int32_t>> cols(tasks);
    std::vector<std::vector<double>> vals(tasks);
    std::vector<index> count(n, 0);
    pool::each(tasks, [&](index task) {
        Row row(a.q);
        for (index v = task * piece; v < std::min(n, (task + 1) * piece); ++v) {
            const std::int32_t j = out.coordinate[v];
            sum_row(j, row);
            std::sort(row.where.begin(), row.where.end());
            for (const std::int32_t at : row.where) {
                if (node[at] < 0) continue;
                const double value = row.sum[at] / (out.scale[v] * out.scale[node[at]]);
                if (at == j) {
                    out.diag[v] += value;
                    continue;
                }
                cols[task].push_back(node[at]);
                vals[task].push_back(value);
                ++count[v];
            }
            row.clear();
        }
    });
    mirror(cols, vals, count, out);
    return out;
}

}  // namespace interlace
