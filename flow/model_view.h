/* A model to look at: what a bundle or a single graph holds and what it costs. */
#ifndef VLM_FLOW_MODEL_VIEW_H
#define VLM_FLOW_MODEL_VIEW_H

#include "quant/coverage.h"
#include "runtime/base/buffer.h"
#include "runtime/decode/bundle_profile.h"

typedef struct vlm_model_view {
  const vlm_bundle *bundle;
  vlm_weight_count weights[VLM_ROLE_COUNT], total;
  vlm_bundle_profile costs; /* a single graph is in the role MODEL */
  vlm_quant_plan *plan;     /* what would be quantized; NULL for what is packed */
  vlm_coverage *coverage;   /* the shares that this would give; NULL likewise */
  vlm_text assumed;         /* "height = 1, width = 1": dims of a single graph that nobody bound */
} vlm_model_view;

/* quantizable: with what would be quantized. The bundle must outlive the view. Free with vlm_model_view_free. */
vlm_status vlm_model_view_make(vlm_model_view *out, vlm_context *context, const vlm_bundle *bundle,
                               bool quantizable, vlm_error *err);
void vlm_model_view_free(vlm_model_view *view);

/* Nodes of one operator, bodies included. */
typedef struct vlm_op_total {
  const char *domain, *op_type;
  int64_t nodes, macs;
} vlm_op_total;
/* Most work first, then most nodes, then by name; profile may be NULL. Free with vlm_free. */
vlm_status vlm_op_totals(vlm_op_total **out, int32_t *count, const vlm_graph *graph,
                         const vlm_profile *profile, vlm_error *err);
/* "MatMul", "vlm.QMatMul" into text. */
const char *vlm_op_total_name(const vlm_op_total *op, char text[96]);

#endif
