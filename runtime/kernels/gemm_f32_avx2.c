#include "runtime/kernels/vec_avx2.h"

#define TILE_GEMM vlm_gemm_f32_avx2
#define TILE_GEMV vlm_gemv_f32_avx2
#define TILE_ROWS 6
#define TILE_VECS 2
#include "runtime/kernels/gemm_f32_tile.h"
