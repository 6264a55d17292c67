#include "runtime/kernels/vec_avx512vnni.h"

#define TILE_GEMM vlm_gemm_f32_avx512vnni
#define TILE_GEMV vlm_gemv_f32_avx512vnni
#define TILE_ROWS 12
#define TILE_VECS 2
#include "runtime/kernels/gemm_f32_tile.h"
