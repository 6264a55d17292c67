#include "runtime/kernels/vec_neon.h"

#define TILE_DEPTHWISE vlm_depthwise_f32_neon
#include "runtime/kernels/depthwise_tile.h"
