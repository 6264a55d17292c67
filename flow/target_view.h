/* A model as a target would run its files: what the target takes of each graph, and what that is of the work. */
#ifndef VLM_FLOW_TARGET_VIEW_H
#define VLM_FLOW_TARGET_VIEW_H

#include "export/placement.h"
#include "flow/open.h"
#include "runtime/base/buffer.h"
#include "runtime/decode/bundle_profile.h"

/* X(NAME, "text"): what ONNX Runtime's usability checker would say of these partitions. */
#define VLM_USABILITIES(X) X(NO, "no") X(MAYBE, "maybe") X(YES, "yes")
typedef enum vlm_usability {
#define X(name, text) VLM_USABILITY_##name,
  VLM_USABILITIES(X)
#undef X
} vlm_usability;
const char *vlm_usability_text(vlm_usability usability);

/* Nodes of one operator that fare alike. */
typedef struct vlm_target_group {
  const char *op_type, *why; /* why NULL: as it should be */
  const char *kernel;        /* NULL = floats, or the CPU */
  bool taken;
  int64_t nodes, macs;
} vlm_target_group;

/* Counts at the sizes that the files leave open, or as if they were fixed. */
typedef struct vlm_target_counts {
  int64_t nodes, taken, integer, dequantizes;
  int64_t macs, taken_macs, integer_macs; /* 0 when the graph could not be profiled */
  int32_t partitions;
  vlm_usability usability;
} vlm_target_counts;

typedef struct vlm_target_graph {
  const vlm_graph *graph;
  const char *path;    /* "vision", "model/NODE.then_branch" */
  bool body, measured; /* the body of a control-flow node; multiplications are counted */
  vlm_target_counts now, fixed;
  vlm_placement placement;  /* as `fixed` */
  vlm_target_group *groups; /* of that: what is left to the CPU first, most work first */
  int32_t n_groups;
} vlm_target_graph;

typedef struct vlm_target_view {
  const vlm_target *target;
  vlm_bundle *bundle;
  vlm_bundle_profile costs;
  vlm_text assumed;         /* sizes of a single graph that nobody stated */
  vlm_target_graph *graphs; /* each followed by its bodies */
  int32_t n_graphs;
  vlm_arena *arena;  /* of paths */
  const char **dims; /* open dims: "batch_size", "pixel_values[0]"; each once */
  int32_t n_dims;
  bool quantized; /* some node reads or makes 8 bits */
} vlm_target_view;

/* The model's files as they are written. opts: decoder, variant, shapes. Free with vlm_target_view_free in any case. */
vlm_status vlm_target_view_make(vlm_target_view *out, vlm_context *context, const char *path,
                                const vlm_target *target, const vlm_flow_open_opts *opts, vlm_error *err);
void vlm_target_view_free(vlm_target_view *view);

#endif
