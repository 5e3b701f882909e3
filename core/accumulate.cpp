// Rows to cross-products: streaming over the rows, chunk by chunk.
#include "crossproducts.hpp"
#include "row_sums.hpp"

#include <algorithm>
#include <numeric>
#include <stdexcept>
#include <utility>

#include "interrupt.hpp"

namespace interlace {
namespace {

using Order = std::vector<std::uint32_t>;

// Stable counting sort of `before` (or of 0..n-1 when it is empty) by code.
Order counted_by(const std::int32_t* codes, index n, index levels, const Order& before) {
    std::vector<std::uint32_t> start(levels + 1, 0);
    for (index r = 0; r < n; ++r) ++start[codes[r] + 1];
    for (index l = 0; l < levels; ++l) start[l + 1] += start[l];
    Order order(n);
    if (before.empty())
        for (index r = 0; r < n; ++r) order[start[codes[r]]++] = static_cast<std::uint32_t>(r);
    else
        for (const std::uint32_t r : before) order[start[codes[r]]++] = r;
    return order;
}

// The same: few rows are compared, as counting would cost what the levels are.
Order sort_by(const std::int32_t* codes, index n, index levels, const Order& before) {
    if (n >= levels) return counted_by(codes, n, levels, before);
    Order order = before;
    if (order.empty()) {
        order.resize(n);
        std::iota(order.begin(), order.end(), 0u);
    }
    std::stable_sort(order.begin(), order.end(), [codes](std::uint32_t r, std::uint32_t s) { return codes[r] < codes[s]; });
    return order;
}

// What row r adds to the block of its two levels.
void add_pair(const Rows& rows, const FactorRows& fi, const FactorRows& fj, index r, double* v) {
    const double w = rows.w ? rows.w[r] : 1.0;
    const double *zi = fi.z + r * fi.k, *zj = fj.z + r * fj.k;
    for (index c = 0; c < fi.k; ++c) {
        const double t = w * (zi[c] - fi.origin[c]);
        for (index d = 0; d < fj.k; ++d) v[c * fj.k + d] += t * (zj[d] - fj.origin[d]);
    }
}

// Blocks of a pair, rows sorted by (level of i, level of j).
PairSums pair_sums(const Rows& rows, index i, index j, const Order& order) {
    const FactorRows &fi = rows.factors[i], &fj = rows.factors[j];
    PairSums out;
    std::int32_t a = -1, b = -1;
    const auto is_new = [&](std::uint32_t r) {
        if (fi.codes[r] == a && fj.codes[r] == b) return false;
        a = fi.codes[r];
        b = fj.codes[r];
        return true;
    };
    // 1) which levels meet
    for (const std::uint32_t r : order)
        if (is_new(r)) {
            out.row.push_back(a);
            out.col.push_back(b);
        }
    // 2) their blocks
    const index block = fi.k * fj.k;
    out.values.assign(out.col.size() * block, 0.0);
    double* v = out.values.data() - block;
    a = b = -1;
    for (const std::uint32_t r : order) {
        if (is_new(r)) v += block;
        add_pair(rows, fi, fj, r, v);
    }
    return out;
}

// The pattern of these sums.
PairPattern pattern_of(PairSums& sums, index i, index j, index levels) {
    PairPattern out;
    out.i = i;
    out.j = j;
    out.ptr.assign(levels + 1, 0);
    for (const std::int32_t a : sums.row) ++out.ptr[a + 1];
    for (index l = 0; l < levels; ++l) out.ptr[l + 1] += out.ptr[l];
    out.col = std::move(sums.col);
    return out;
}

// Blocks of a pair, rows in any order.
std::vector<double> accumulate_found(const Rows& rows, const PairPattern& pair) {
    const FactorRows &fi = rows.factors[pair.i], &fj = rows.factors[pair.j];
    const index block = fi.k * fj.k;
    std::vector<double> val(pair.col.size() * block, 0.0);
    for (index r = 0; r < rows.n; ++r) {
        const index at = pair.find(fi.codes[r], fj.codes[r]);
        if (at == -1) throw std::invalid_argument("levels meet in these rows that do not meet in the pattern");
        add_pair(rows, fi, fj, r, &val[at * block]);
    }
    return val;
}

CrossProducts accumulate_own(const Rows& rows, const std::shared_ptr<RandomPart>& random) {
    auto fixed = std::make_shared<FixedPart>();
    auto response = std::make_shared<ResponsePart>();
    OwnSums own(rows, *random, *fixed, *response);
    own.add(rows);
    const double sum_log_w = own.finish();
    return {rows.n, sum_log_w, random, std::move(fixed), std::move(response)};
}

// The sums of both, blocks in order.
PairSums merged(const PairSums& a, const PairSums& b, index block) {
    PairSums out;
    out.parts = a.parts + b.parts;
    for (std::vector<std::int32_t>* levels : {&out.row, &out.col}) levels->reserve(a.col.size() + b.col.size());
    out.values.reserve(a.values.size() + b.values.size());
    const auto take = [&](const PairSums& from, size_t at) {
        out.row.push_back(from.row[at]);
        out.col.push_back(from.col[at]);
        out.values.insert(out.values.end(), from.values.begin() + at * block, from.values.begin() + (at + 1) * block);
    };
    const auto pair = [](const PairSums& of, size_t at) { return std::pair(of.row[at], of.col[at]); };
    size_t s = 0, t = 0, steps = 0;
    while (s < a.col.size() || t < b.col.size()) {
        if (t == b.col.size() || (s < a.col.size() && pair(a, s) < pair(b, t))) {
            take(a, s++);
        } else if (s == a.col.size() || pair(b, t) < pair(a, s)) {
            take(b, t++);
        } else {
            take(a, s++);
            double* to = &out.values[out.values.size() - static_cast<size_t>(block)];
            for (index e = 0; e < block; ++e) to[e] += b.values[t * block + e];
            ++t;
        }
        if (++steps % 65536 == 0) check_interrupt();
    }
    return out;
}

}  // namespace

Accumulation::Accumulation(const Rows& shape)
    : random_(std::make_shared<RandomPart>()), fixed_(std::make_shared<FixedPart>()), response_(std::make_shared<ResponsePart>()) {
    auto pattern = std::make_shared<Pattern>();
    for (const auto& f : shape.factors) {
        pattern->levels.push_back(f.levels);
        pattern->k.push_back(f.k);
    }
    random_->pattern = std::move(pattern);
    own_ = std::make_unique<OwnSums>(shape, *random_, *fixed_, *response_);
    waiting_.resize(shape.factors.size() * (shape.factors.size() - 1) / 2);
}

void Accumulation::add(const Rows& rows) {
    check(rows);
    own_->add(rows);
    add_pairs(rows);
    n_ += rows.n;
}

void Accumulation::add_cells(const Rows& cells, index n, double sum_log_w, double within) {
    check(cells);
    own_->add_products(cells);
    add_pairs(cells);
    n_ += n;
    sum_log_w_ += sum_log_w;
    within_ += within;
}

void Accumulation::check(const Rows& rows) const {
    if (rows.n > INT32_MAX) throw std::length_error("more than 2^31 rows in one chunk");
    const Pattern& shape = *random_->pattern;
    bool belongs = static_cast<index>(rows.factors.size()) == shape.factors() && rows.p == fixed_->p;
    for (size_t f = 0; belongs && f < rows.factors.size(); ++f)
        belongs = rows.factors[f].levels == shape.levels[f] && rows.factors[f].k == shape.k[f];
    if (!belongs) throw std::invalid_argument("rows of another design");
}

// Z_i'Z_j, rows sorted by (level of i, level of j)
void Accumulation::add_pairs(const Rows& rows) {
    const Pattern& shape = *random_->pattern;
    const index factors = shape.factors();
    std::vector<Order> by(factors);
    size_t s = 0;
    for (index i = 0; i < factors; ++i)
        for (index j = i + 1; j < factors; ++j, ++s) {
            if (by[j].empty()) by[j] = sort_by(rows.factors[j].codes, rows.n, rows.factors[j].levels, {});
            const Order order = sort_by(rows.factors[i].codes, rows.n, rows.factors[i].levels, by[j]);
            waiting_[s].push_back(pair_sums(rows, i, j, order));
            settle(waiting_[s], shape.k[i] * shape.k[j], false);
            check_interrupt();
        }
}

// Those of as many chunks become one, the last ones first: each block is copied as often as the number of chunks has digits.
void Accumulation::settle(std::vector<PairSums>& waiting, index block, bool all) {
    while (waiting.size() > 1) {
        PairSums &a = waiting[waiting.size() - 2], &b = waiting.back();
        if (!all && a.parts > b.parts) return;
        a = merged(a, b, block);
        waiting.pop_back();
    }
}

CrossProducts Accumulation::take() {
    auto pattern = std::make_shared<Pattern>();
    pattern->levels = random_->pattern->levels;
    pattern->k = random_->pattern->k;
    size_t s = 0;
    for (index i = 0; i < pattern->factors(); ++i)
        for (index j = i + 1; j < pattern->factors(); ++j, ++s) {
            if (waiting_[s].empty()) throw std::logic_error("no rows were added");
            settle(waiting_[s], pattern->k[i] * pattern->k[j], true);
            pattern->pairs.push_back(pattern_of(waiting_[s][0], i, j, pattern->levels[i]));
            random_->cross.push_back(std::move(waiting_[s][0].values));
            waiting_[s].clear();
        }
    random_->pattern = std::move(pattern);
    sum_log_w_ += own_->finish();
    response_->yy += within_;
    return {n_, sum_log_w_, std::move(random_), std::move(fixed_), std::move(response_)};
}

Accumulation::~Accumulation() = default;
ResponseSums::ResponseSums() = default;
ResponseSums::~ResponseSums() = default;

CrossProducts accumulate(const Rows& rows) {
    Accumulation out(rows);
    out.add(rows);
    return out.take();
}

CrossProducts accumulate_on(const SharedPattern& pattern, const Rows& rows) {
    bool belongs = static_cast<index>(rows.factors.size()) == pattern->factors();
    for (size_t f = 0; belongs && f < rows.factors.size(); ++f)
        belongs = rows.factors[f].levels == pattern->levels[f] && rows.factors[f].k == pattern->k[f];
    if (!belongs) throw std::invalid_argument("rows do not belong to this pattern");
    auto random = std::make_shared<RandomPart>();
    random->pattern = pattern;
    CrossProducts out = accumulate_own(rows, random);
    for (const PairPattern& pair : pattern->pairs) {
        random->cross.push_back(accumulate_found(rows, pair));
        check_interrupt();
    }
    return out;
}

CrossProducts with_response(const CrossProducts& base, const Rows& rows) {
    return with_responses(base, rows, rows.y, {rows.y_origin})[0];
}

std::vector<CrossProducts> with_responses(const CrossProducts& base, Rows rows, const double* y, const std::vector<double>& y_origin) {
    ResponseSums sums;
    sums.add(std::move(rows), y, y_origin);
    return sums.take(base);
}

void ResponseSums::add(Rows rows, const double* y, const std::vector<double>& y_origin) {
    if (parts_.empty()) {
        for (size_t s = 0; s < y_origin.size(); ++s) parts_.push_back(std::make_shared<ResponsePart>(empty_response(rows)));
        p_ = rows.p;
        for (const auto& f : rows.factors) effects_.push_back(f.levels * f.k);
        sums_ = std::make_unique<GrowingSums>();
        for (auto& part : parts_) watch(*part, *sums_);
    }
    bool belongs = parts_.size() == y_origin.size() && rows.p == p_ && rows.factors.size() == effects_.size();
    for (size_t f = 0; belongs && f < effects_.size(); ++f) belongs = rows.factors[f].levels * rows.factors[f].k == effects_[f];
    if (!belongs) throw std::invalid_argument("rows of another design");
    n_ += rows.n;
    add_responses(std::move(rows), y, y_origin, parts_, *sums_);
}

std::vector<CrossProducts> ResponseSums::take(const CrossProducts& base) {
    if (n_ != base.n || p_ != base.fixed->p) throw std::invalid_argument("rows do not belong to these cross-products");
    sums_->finish();
    std::vector<CrossProducts> out;
    for (auto& r : parts_) out.push_back({base.n, base.sum_log_w, base.random, base.fixed, std::move(r)});
    parts_.clear();
    return out;
}

}  // namespace interlace
