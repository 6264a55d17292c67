/* How many multiply-accumulates an operator call does: the functions that traits.def names, from the types and shapes of inputs and outputs
 * alone (all known). They saturate at INT64_MAX. Every key counts for every query (no saving by causal or padding masks); convolutions count
 * the taps that fall into the padding; element-wise work, normalisation and softmax count nothing. */
#ifndef VLM_OPS_MACS_H
#define VLM_OPS_MACS_H

#include "runtime/ops/traits.h"

vlm_macs_fn vlm_macs_product, vlm_macs_convolution, vlm_macs_transposed_convolution, vlm_macs_einsum,
    vlm_macs_attention, vlm_macs_multi_head_attention, vlm_macs_projected_attention,
    vlm_macs_grouped_attention, vlm_macs_cache_attention, vlm_macs_tiled_attention, vlm_macs_linear_attention,
    vlm_macs_recurrent;

/* By the traits of the call's node; 0 when it multiplies nothing. */
int64_t vlm_call_macs(vlm_op_call *call);

#endif
