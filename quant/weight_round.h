/* Whether a weight gains from rounding that knows its inputs (gptq.h). */
#ifndef VLM_QUANT_WEIGHT_ROUND_H
#define VLM_QUANT_WEIGHT_ROUND_H

#include "calib/covariance.h"
#include "quant/weight.h"

/* weight: what `w` (f32, a matrix; further dims are 1) became by rounding to nearest; its scales stay. The other rounding is taken when samples that it does not
 * know lose less by it. Sets tried, rounded and gain_db. */
vlm_status vlm_weight_round(vlm_weight_s8 *weight, const vlm_tensor *w, const vlm_covariance *inputs,
                            vlm_threads *threads, vlm_error *err);

#endif
