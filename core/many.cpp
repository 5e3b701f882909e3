#include "many.hpp"

#include <stdexcept>

#include "interrupt.hpp"
#include "moments.hpp"

namespace interlace {
namespace {

bool searched(ProfiledDeviance& d, const std::vector<std::vector<index>>& without, const Limits& limits, End& end) {
    const CrossProducts& a = d.factor().products();
    const double yy = a.response->yy;
    if (!(yy > 0) || explained(a) > limits.nearly_all * yy) return false;
    const std::vector<double> start = moment_start(a, d.map(), d.factor().symbolic().priors);
    Searched found = search(d, start, without, limits);
    if (found.reach != Reach::start) end.start = start;
    if (found.reach != Reach::enough) return false;
    // what follows there
    end.value = d.value(found.best.x);
    end.pwrss = d.factor().pwrss();
    if (!(end.pwrss > limits.exact * yy)) return false;
    end.beta = d.factor().beta();
    end.covariance = d.factor().unscaled_covariance();
    end.evaluations = found.best.evaluations;
    end.par = std::move(found.best.x);
    return true;
}

}  // namespace

std::vector<End> search_many(const std::vector<CrossProducts>& responses, const std::shared_ptr<const Symbolic>& symbolic,
                             const Parametrization& map, Criterion kind, const std::vector<std::vector<index>>& without,
                             const Limits& limits) {
    std::vector<End> out(responses.size());
    for (size_t r = 0; r < responses.size(); ++r) {
        check_interrupt();
        ProfiledDeviance d(Cholesky(responses[r], symbolic), map, kind);
        try {
            out[r].easy = searched(d, without, limits, out[r]);
        } catch (const std::domain_error&) {  // the other path says what is wrong
            out[r].easy = false;
        }
    }
    return out;
}

}  // namespace interlace
