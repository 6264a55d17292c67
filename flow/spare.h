/* Which nodes an exported graph leaves in float: a target that wants 8 bits of what an operator makes costs more
 * than the plan, whose operators may give floats. */
#ifndef VLM_FLOW_SPARE_H
#define VLM_FLOW_SPARE_H

#include "export/export.h"
#include "flow/trials.h"

typedef struct vlm_spared {
  const vlm_node_plan **items;
  int32_t count;
  double plan_db, before_db,
      after_db; /* of the worst output: as planned, as exported without and with them */
  bool measured;
} vlm_spared;

/* The fewest that bring the worst output to 1 dB more than the plan gives, or 40 dB: two runtimes that compute the same differ by as much,
 * where rounding is amplified. Of a single graph, as the trials have it. `how`: without
 * spared nodes. Free with vlm_spared_free. */
vlm_status vlm_spare(vlm_spared *out, const vlm_trials *trials, const vlm_quant_plan *plan,
                     const vlm_export_opts *how, vlm_error *err);
void vlm_spared_free(vlm_spared *spared);

#endif
