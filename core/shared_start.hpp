// Searches for many sets of levels that leave a model with one grouping factor: what all levels say near the parameters of the whole
// is summed up once, and each search takes from it what its levels say.
#pragma once
#include <optional>

#include "again.hpp"
#include "level_sums.hpp"

namespace interlace {

class SharedStart {
  public:
    // None where another way is shorter: several grouping factors, levels that are linked or absorbed, a size that is nearly zero, many
    // parameters or columns, or few searches.
    static std::optional<SharedStart> of(const CrossProducts& whole, const Symbolic& symbolic, const Parametrization& map, Criterion kind,
                                         const std::vector<double>& start, index searches);
    // The parameters without some rows: `left` are the products of the others, which differ from those of the whole in these levels.
    // Newton steps from the slopes and curvatures of the others near the start, true if what is left is rounding error; it says
    // nothing of the value.
    bool search(const CrossProducts& left, const std::vector<index>& levels, Again& out) const;

  private:
    // A point near the start, and the sums of all levels there
    struct Point {
        std::vector<double> f;
        LevelSums sums;
    };
    struct Curve;
    SharedStart(const CrossProducts& whole, const Parametrization& map, Criterion kind, std::vector<double> start);
    Point point(std::vector<double> par) const;
    bool slopes(const Point& at, const CrossProducts& left, const std::vector<index>& levels, std::vector<double>& gradient) const;
    bool read(const CrossProducts& left, const std::vector<index>& levels, Curve& out) const;

    const CrossProducts& whole_;
    const Parametrization& map_;
    Criterion kind_;
    index k_, m_;
    std::vector<double> start_, steps_, b_;  // b_: B_g of all levels
    std::vector<Point> points_;              // the start, two beside it along each parameter, one along each two
};

}  // namespace interlace
