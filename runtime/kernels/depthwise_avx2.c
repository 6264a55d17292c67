#include "runtime/kernels/vec_avx2.h"

#define TILE_DEPTHWISE vlm_depthwise_f32_avx2
#include "runtime/kernels/depthwise_tile.h"
