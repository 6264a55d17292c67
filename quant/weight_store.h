/* Quantized weights, each made once: the plan measures them, applying the plan takes them, graphs keep them
 * alive. */
#ifndef VLM_QUANT_WEIGHT_STORE_H
#define VLM_QUANT_WEIGHT_STORE_H

#include "calib/covariance.h"
#include "quant/weight.h"

typedef struct vlm_weight_store vlm_weight_store;

/* With one owner. The options hold for every weight. inputs: of products whose weights are rounded by what is known of them (weight_round.h);
 * NULL = all to nearest. */
vlm_status vlm_weight_store_create(vlm_weight_store **out, const vlm_weight_opts *opts,
                                   const vlm_covariances *inputs, vlm_error *err);
/* One more owner: for vlm_graph_keep. */
vlm_weight_store *vlm_weight_store_share(vlm_weight_store *store);
/* One owner less; the last one frees. NULL is fine. */
void vlm_weight_store_release(void *store);

/* The constant in 8 bits, one scale per index of `axis` (-1 = one scale, of rank 0). w: f32, f16, bf16 or
 * f64; known by its address, shape and axis, so its data must stay where they are. rows: the axis is the last
 * dim but one of the result, one row per channel. */
vlm_status vlm_weight_store_get(const vlm_weight_s8 **out, vlm_weight_store *store, const vlm_tensor *w,
                                int32_t axis, bool rows, vlm_error *err);
/* True when w is stored one row per channel already, without `rows`. */
bool vlm_weight_has_rows(const vlm_tensor *w, int32_t axis);

#endif
