#include "blas.hpp"

#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

namespace interlace::blas {
namespace {

using syrk_t = void(char*, char*, int*, int*, double*, double*, int*, double*, double*, int*);
using gemm_t = void(char*, char*, int*, int*, int*, double*, double*, int*, double*, int*, double*, double*, int*);
using trsm_t = void(char*, char*, char*, char*, int*, int*, double*, double*, int*, double*, int*);
using symm_t = void(char*, char*, int*, int*, double*, double*, int*, double*, int*, double*, double*, int*);
using potr_t = void(char*, int*, double*, int*, int*);
using syevd_t = void(char*, char*, int*, double*, int*, double*, double*, int*, int*, int*, int*);

syrk_t* dsyrk;
gemm_t* dgemm;
trsm_t* dtrsm;
symm_t* dsymm;
potr_t* dpotrf;
potr_t* dpotri;
syevd_t* dsyevd;

int narrow(index n) {
    if (n > INT32_MAX) throw std::length_error("a dense block is larger than 32-bit BLAS can address");
    return static_cast<int>(n);
}
double* mut(const double* a) { return const_cast<double*>(a); }

}  // namespace

const char* const names[] = {"dsyrk", "dgemm", "dtrsm", "dsymm", "dpotrf", "dpotri", "dsyevd", nullptr};

void set_pointer(const char* name, void* pointer) {
    const std::string s(name);
    if (s == "dsyrk") dsyrk = reinterpret_cast<syrk_t*>(pointer);
    else if (s == "dgemm") dgemm = reinterpret_cast<gemm_t*>(pointer);
    else if (s == "dtrsm") dtrsm = reinterpret_cast<trsm_t*>(pointer);
    else if (s == "dsymm") dsymm = reinterpret_cast<symm_t*>(pointer);
    else if (s == "dpotrf") dpotrf = reinterpret_cast<potr_t*>(pointer);
    else if (s == "dpotri") dpotri = reinterpret_cast<potr_t*>(pointer);
    else if (s == "dsyevd") dsyevd = reinterpret_cast<syevd_t*>(pointer);
    else throw std::invalid_argument("unknown BLAS name " + s);
}

void syrk_lower(char trans, index n, index k, double alpha, const double* a, index lda, double beta, double* c, index ldc) {
    if (n == 0) return;
    char uplo = 'L';
    int n_ = narrow(n), k_ = narrow(k), lda_ = narrow(lda), ldc_ = narrow(ldc);
    dsyrk(&uplo, &trans, &n_, &k_, &alpha, mut(a), &lda_, &beta, c, &ldc_);
}

void gemm(char ta, char tb, index m, index n, index k, double alpha, const double* a, index lda, const double* b, index ldb,
          double beta, double* c, index ldc) {
    if (m == 0 || n == 0) return;
    int m_ = narrow(m), n_ = narrow(n), k_ = narrow(k), lda_ = narrow(lda), ldb_ = narrow(ldb), ldc_ = narrow(ldc);
    dgemm(&ta, &tb, &m_, &n_, &k_, &alpha, mut(a), &lda_, mut(b), &ldb_, &beta, c, &ldc_);
}

namespace {

// A triangle so small is solved column by column sooner than it is packed.
constexpr index few = 4;

void solve_few(char trans, index m, index n, const double* l, index ldl, double* b, index ldb) {
    double inverse[few];
    for (index i = 0; i < m; ++i) inverse[i] = 1.0 / l[i + i * ldl];
    for (index c = 0; c < n; ++c, b += ldb) {
        if (trans == 'N') {
            for (index i = 0; i < m; ++i) {
                for (index j = 0; j < i; ++j) b[i] -= l[i + j * ldl] * b[j];
                b[i] *= inverse[i];
            }
        } else {
            for (index i = m - 1; i >= 0; --i) {
                for (index j = i + 1; j < m; ++j) b[i] -= l[j + i * ldl] * b[j];
                b[i] *= inverse[i];
            }
        }
    }
}

}  // namespace

void trsm_lower(char side, char trans, index m, index n, const double* l, index ldl, double* b, index ldb) {
    if (m == 0 || n == 0) return;
    if (side == 'L' && m <= few) {
        solve_few(trans, m, n, l, ldl, b, ldb);
        return;
    }
    char uplo = 'L', diag = 'N';
    double one = 1.0;
    int m_ = narrow(m), n_ = narrow(n), ldl_ = narrow(ldl), ldb_ = narrow(ldb);
    dtrsm(&side, &uplo, &trans, &diag, &m_, &n_, &one, mut(l), &ldl_, b, &ldb_);
}

void symm_lower(char side, index m, index n, double alpha, const double* a, index lda, const double* b, index ldb,
                double beta, double* c, index ldc) {
    if (m == 0 || n == 0) return;
    char uplo = 'L';
    int m_ = narrow(m), n_ = narrow(n), lda_ = narrow(lda), ldb_ = narrow(ldb), ldc_ = narrow(ldc);
    dsymm(&side, &uplo, &m_, &n_, &alpha, mut(a), &lda_, mut(b), &ldb_, &beta, c, &ldc_);
}

bool potrf_lower(index n, double* a, index lda) {
    if (n == 0) return true;
    char uplo = 'L';
    int n_ = narrow(n), lda_ = narrow(lda), info = 0;
    dpotrf(&uplo, &n_, a, &lda_, &info);
    return info == 0;
}

void potri_lower(index n, double* a, index lda) {
    if (n == 0) return;
    char uplo = 'L';
    int n_ = narrow(n), lda_ = narrow(lda), info = 0;
    dpotri(&uplo, &n_, a, &lda_, &info);
}

bool syevd(index n, double* a, double* w) {
    char job = 'V', uplo = 'L';
    // the least that LAPACK asks for, and a block beyond it
    int n_ = narrow(n), info = 0, lwork = narrow(1 + (6 + 2 * n) * n + 34 * n), liwork = narrow(3 + 5 * n);
    std::vector<double> work(static_cast<size_t>(lwork));
    std::vector<int> iwork(static_cast<size_t>(liwork));
    dsyevd(&job, &uplo, &n_, a, &n_, w, work.data(), &lwork, iwork.data(), &liwork, &info);
    return info == 0;
}

}  // namespace interlace::blas
