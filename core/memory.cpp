// Memory of this module. Cross-products and factors are arrays of megabytes that are written to once and given back, and to be given
// pages of 4 kB takes longer than what is computed in them. On Linux, large blocks lie in huge pages, where the system has them for
// those who ask, as NumPy's own arrays do. Still larger ones are fronts of a factor: half of such a front is never touched, and the work
// in it takes much longer than its pages do.
#if defined(__linux__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#include <sys/mman.h>

#include <cstdlib>
#include <new>

namespace {

constexpr std::size_t page = std::size_t{1} << 21, large = 2 * page, too_large = 64 * page;

void* in_huge_pages(std::size_t size) {
    const std::size_t whole = (size + page - 1) / page * page;
    void* block = whole < size ? nullptr : std::aligned_alloc(page, whole);
    if (block != nullptr) madvise(block, whole, MADV_HUGEPAGE);  // without them it is slower and no less right
    return block;
}

}  // namespace

// `free` takes both kinds, so that it does not matter which library calls which of these.
void* operator new(std::size_t size) {
    void* block = size < large || size >= too_large ? std::malloc(size > 0 ? size : 1) : in_huge_pages(size);
    if (block == nullptr) throw std::bad_alloc();
    return block;
}
void operator delete(void* block) noexcept { std::free(block); }
void operator delete(void* block, std::size_t) noexcept { std::free(block); }
#endif
