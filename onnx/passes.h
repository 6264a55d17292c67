/* Clean-up passes over a graph: what exporters leave behind goes, what they took apart is put together again.
 *
 * The table passes.def lists them in order. Every pass keeps the names of the values that survive (statistics are keyed by them) and
 * never renames a graph input or output; results are equal up to rounding. */
#ifndef VLM_ONNX_PASSES_H
#define VLM_ONNX_PASSES_H

#include "runtime/graph/graph.h"

typedef struct vlm_clean_opts {
  /* Called after each pass that ran, with the number of changes it made. NULL = not. */
  void (*after_pass)(void *user, const char *pass, int32_t changes, const vlm_graph *graph);
  void *user;
  const char *skip; /* names of passes to leave out, separated by commas; NULL = none */
  size_t
      max_folded_bytes; /* largest result of constant folding that is no weight and exceeds its operands; 0 = 4 MiB */
} vlm_clean_opts;

/* The graph must be resolved and is resolved afterwards. opts NULL = defaults. */
vlm_status vlm_graph_clean(vlm_graph *graph, const vlm_clean_opts *opts, vlm_error *err);

/* Name and one line of text of pass k, or NULL when there are no more. */
const char *vlm_pass_name(int32_t k);
const char *vlm_pass_text(int32_t k);

#endif
