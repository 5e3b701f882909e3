// BLAS and LAPACK through the function pointers that SciPy exports, so that one BLAS lives in the process.
// All matrices here are column-major unless a name says otherwise; dimensions are 32-bit per call.
#pragma once
#include <cstdint>

namespace interlace {

using index = std::int64_t;

namespace blas {

// Called once, when the module is imported: name is the LAPACK/BLAS name, pointer the capsule's content.
void set_pointer(const char* name, void* pointer);
extern const char* const names[];  // null-terminated list of what set_pointer must be given

// C(lower) = alpha * A A' + beta * C (trans 'N', A n x k) or alpha * A'A + beta * C (trans 'T', A k x n)
void syrk_lower(char trans, index n, index k, double alpha, const double* a, index lda, double beta, double* c, index ldc);
void gemm(char ta, char tb, index m, index n, index k, double alpha, const double* a, index lda, const double* b, index ldb,
          double beta, double* c, index ldc);
// B = op(L)^-1 B (side 'L') or B op(L)^-1 (side 'R'), L lower triangular
void trsm_lower(char side, char trans, index m, index n, const double* l, index ldl, double* b, index ldb);
// C = alpha * A B + beta * C (side 'L') or alpha * B A + beta * C (side 'R'), A symmetric, lower triangle given
void symm_lower(char side, index m, index n, double alpha, const double* a, index lda, const double* b, index ldb,
                double beta, double* c, index ldc);
// Cholesky of the lower triangle in place; returns false if a pivot is not positive
bool potrf_lower(index n, double* a, index lda);
// Inverse of the symmetric matrix whose lower Cholesky factor is given, lower triangle in place
void potri_lower(index n, double* a, index lda);
// Eigenvalues (ascending) into w, eigenvectors into the columns of a; returns false if it did not converge
bool syevd(index n, double* a, double* w);

}  // namespace blas
}  // namespace interlace
