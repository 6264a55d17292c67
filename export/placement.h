/* What a target does with a graph: what its provider takes, in how many partitions, what it computes in 8 bits, and why not. */
#ifndef VLM_EXPORT_PLACEMENT_H
#define VLM_EXPORT_PLACEMENT_H

#include "export/coverage.h"
#include "export/units.h"

typedef struct vlm_fate {
  bool whole;  /* an operator; false = a QuantizeLinear, DequantizeLinear, Relu or Clip that belongs to one */
  bool folded; /* not there at run time: computed from constants and fixed shapes */
  bool taken;  /* by the provider */
  bool integer;       /* computed in 8 bits */
  bool dequantizes;   /* large weights become floats on every run */
  const char *kernel; /* integer: its name; else NULL */
  const char *why;    /* not taken, or taken as floats although it reads what was quantized; else NULL */
  int32_t partition;  /* -1 = on the CPU */
} vlm_fate;

typedef struct vlm_placement {
  vlm_fate *nodes; /* of the graph, in its order */
  int32_t n_nodes, partitions;
} vlm_placement;

typedef struct vlm_place_opts {
  const vlm_target *target;
  const vlm_tensor *shapes; /* per value, at some size: ranks are read. NULL = as the graph states them */
  bool fixed;               /* as if all open dims of inputs had sizes */
  bool body;                /* the graph is the body of a control-flow node */
} vlm_place_opts;

/* The graph is resolved. Free with vlm_placement_free in any case. */
vlm_status vlm_placement_make(vlm_placement *out, const vlm_graph *graph, const vlm_place_opts *opts,
                              vlm_error *err);
void vlm_placement_free(vlm_placement *placement);

/* ---- partitions.c ---- */

/* Numbers the partitions: neighbours that are taken, as CreateSupportedPartitionNodeGroups of ONNX Runtime finds them. Nodes of partitions that
 * the provider gives back are no longer taken. */
vlm_status vlm_placement_partition(vlm_placement *placement, const vlm_units *units, const vlm_target *target,
                                   vlm_error *err);

#endif
