/* Weights that two nodes share, one as its transpose: a table and the output projection tied to it. */
#ifndef VLM_QUANT_TIED_H
#define VLM_QUANT_TIED_H

#include "quant/plan.h"

/* Marks the products that store their weight one row per channel because another node of the plan does, so that both are one constant in
 * the packed file. To be called again when decisions have changed. */
void vlm_quant_plan_tie(vlm_quant_plan *plan);

#endif
