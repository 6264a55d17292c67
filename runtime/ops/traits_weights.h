/* Private to ops/: which inputs of a node are weights, and along which dim their channels lie, as a function of its attributes. */
#ifndef VLM_OPS_TRAITS_WEIGHTS_H
#define VLM_OPS_TRAITS_WEIGHTS_H

#include "runtime/ops/traits.h"

vlm_weight_slots_fn vlm_weights_matmul, vlm_weights_gemm, vlm_weights_fused_matmul, vlm_weights_einsum,
    vlm_weights_conv, vlm_weights_conv_transpose, vlm_weights_second, vlm_weights_recurrent,
    vlm_weights_gather, vlm_weights_embeddings;

#endif
