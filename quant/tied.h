/* Weights that several nodes share, as they are or transposed: a table and the output projection tied to it.
 * */
#ifndef VLM_QUANT_TIED_H
#define VLM_QUANT_TIED_H

#include "quant/plan.h"

/* Marks the products that store their weight one row per channel because another node of the plan does, so
 * that both are one constant in the packed file. To be called again when decisions have changed. */
void vlm_quant_plan_tie(vlm_quant_plan *plan);
/* A constant that stays float for one reader is not stored in 8 bits for another that computes in floats:
 * that would only add bytes. */
vlm_status vlm_quant_plan_share(vlm_quant_plan *plan, const vlm_quant_graph *graphs, int32_t n_graphs,
                                vlm_error *err);

#endif
