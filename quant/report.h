/* The plan as text: JSON for people and scripts, and back. */
#ifndef VLM_QUANT_REPORT_H
#define VLM_QUANT_REPORT_H

#include "quant/plan.h"
#include "runtime/base/json_writer.h"

/* Member "graphs": {role: [{node, op, input, decision, reason, weights, sqnr_db (measured: at the worst output with
 * this node alone quantized), weight_sqnr_db, range, candidates, scale, zero_point}]}. */
void vlm_quant_plan_put(vlm_json_writer *writer, const vlm_quant_plan *plan);

/* Takes decisions (and ranges, where given) from a file that vlm_quant_plan_put wrote inside an object. Nodes that the file does not name keep
 * theirs; a node of the file that the model lacks is VLM_INPUT. */
vlm_status vlm_quant_plan_override(vlm_quant_plan *plan, const char *path, vlm_error *err);

/* How many nodes got each decision. */
void vlm_quant_plan_count(const vlm_quant_plan *plan, int32_t counts[VLM_DECIDE_COUNT]);

#endif
