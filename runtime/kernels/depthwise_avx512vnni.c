#include "runtime/kernels/vec_avx512vnni.h"

#define TILE_DEPTHWISE vlm_depthwise_f32_avx512vnni
#include "runtime/kernels/depthwise_tile.h"
