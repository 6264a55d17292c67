#include "runtime/kernels/vec_neon.h"

#define TILE_GEMM vlm_gemm_f32_neon
#define TILE_GEMV vlm_gemv_f32_neon
#define TILE_ROWS 6
#define TILE_VECS 4
#include "runtime/kernels/gemm_f32_tile.h"
