// Bindings of many searches: folds, and responses.
#include "bindings.hpp"
#include "elsewhere.hpp"
#include "folds.hpp"
#include "pool.hpp"

namespace interlace {
namespace {

// Each for itself: where one fails, the others go on, and somebody who can say why looks at it again.
template <class F> void each_alone(index n, F f) {
    pool::each(n, [&](index i) {
        try {
            f(i);
        } catch (const NotPositiveDefinite&) {
        } catch (const std::domain_error&) {
        }
    });
}

void bind_folds(nb::module_& m) {
    m.def("without_folds",
          [](const CrossProducts& a, std::shared_ptr<Symbolic> symbolic, const Entries& entries,
             const std::vector<In2>& basis, const std::string& kind, const Flat& start, FlatIndex ptr, FlatIndex places, FlatIndex units,
             In y, Strided2 x, std::vector<Codes> codes, std::vector<In2> z, std::vector<index> levels, std::optional<In> w,
             double y_origin, In x_origin, std::vector<In> z_origin) {
              const PyRows r(y, x, codes, z, levels, w, y_origin, x_origin, z_origin);
              const Parametrization map = parametrization(entries, basis);
              const std::vector<double> from = to_vector(start);
              const index folds = static_cast<index>(ptr.size()) - 1;
              std::vector<Fold> given;
              for (index i = 0; i < folds; ++i) {
                  const index first = ptr.data()[i], n = ptr.data()[i + 1] - first;
                  index n_units = 0;
                  for (index j = first; j < first + n; ++j) {
                      if (places.data()[j] < 0 || places.data()[j] >= r.rows.n) throw std::invalid_argument("a row is out of range");
                      if (units.data()[j] < 0 || units.data()[j] >= n) throw std::invalid_argument("a unit is out of range");
                      n_units = std::max<index>(n_units, units.data()[j] + 1);
                  }
                  given.push_back({places.data() + first, units.data() + first, n, n_units});
              }
              std::vector<WithoutFold> found(sz(folds));
              released([&] {
                  const std::optional<SharedStart> shared = SharedStart::of(a, *symbolic, map, criterion_of(kind), from, folds);
                  const WholeModel whole{a, symbolic, map, criterion_of(kind), r.rows, from, shared ? &*shared : nullptr};
                  each_alone(folds, [&](index i) { found[i] = without_fold(whole, given[i]); });
                  return 0;
              });
              nb::list out;
              for (const WithoutFold& one : found) {
                  if (!one.known || !one.found.certain) {
                      out.append(nb::none());
                      continue;
                  }
                  out.append(nb::make_tuple(one.pwrss, to_numpy(one.residual, {one.residual.size()}),
                                            to_numpy(one.spread, {one.spread.size()}), to_numpy(one.log_ratio, {one.log_ratio.size()})));
              }
              return out;
          },
          "a"_a, "symbolic"_a, "entries"_a, "basis"_a, "kind"_a, "start"_a, "ptr"_a, "places"_a, "units"_a, "y"_a, "x"_a, "codes"_a, "z"_a,
          "levels"_a, "w"_a.none(), "y_origin"_a, "x_origin"_a, "z_origin"_a);
}

index points_each(const Cubes& given, size_t responses, size_t parameters) {
    if (given.shape(0) != responses || given.shape(2) != parameters) throw std::invalid_argument("points of shape (responses, n, parameters)");
    return static_cast<index>(given.shape(1));
}

void bind_elsewhere(nb::module_& m) {
    m.def("lower_elsewhere", [](const std::vector<CrossProducts>& responses, std::shared_ptr<Symbolic> symbolic, const Entries& entries,
                                const std::vector<In2>& basis, const std::string& kind, Cubes starts, In2 best, const Limits& limits) {
        const index n = points_each(starts, responses.size(), entries.size());
        if (best.shape(0) != responses.size() || best.shape(1) != entries.size()) throw std::invalid_argument("parameters for each response");
        const Parametrization map = parametrization(entries, basis);
        const std::vector<double> points = to_vector(starts), found = to_vector(best);
        auto out = released([&] { return lower_elsewhere(responses, symbolic, map, criterion_of(kind), points, n, found, limits); });
        return to_numpy(std::move(out), {responses.size()});
    });
    m.def("values_at", [](const std::vector<CrossProducts>& responses, std::shared_ptr<Symbolic> symbolic, const Entries& entries,
                          const std::vector<In2>& basis, const std::string& kind, Cubes points) {
        const index n = points_each(points, responses.size(), entries.size());
        const Parametrization map = parametrization(entries, basis);
        const std::vector<double> all = to_vector(points);
        auto out = released([&] { return values_at(responses, symbolic, map, criterion_of(kind), all, n); });
        return to_numpy(std::move(out), {responses.size(), sz(n)});
    });
}

}  // namespace

void bind_again(nb::module_& m) {
    bind_folds(m);
    bind_elsewhere(m);
}

}  // namespace interlace
