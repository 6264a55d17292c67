/* Operators with the QuantizeLinear and DequantizeLinear around them: what a runtime looks at as one thing. */
#ifndef VLM_EXPORT_UNITS_H
#define VLM_EXPORT_UNITS_H

#include "export/targets.h"
#include "runtime/graph/graph.h"

typedef struct vlm_unit {
  bool
      quantized; /* every input that is no parameter is dequantized, and what comes out is quantized if anything is */
  bool dequantizes; /* not so, and a constant of more than 4096 elements is dequantized for it on every run */
  const char *why;  /* reads what is dequantized and is not quantized: a constant string; else NULL */
  int32_t output;   /* its QuantizeLinear, -1 = none */
  int32_t clamp;    /* the Relu or Clip between, which the 8 bits make needless; -1 = none */
  vlm_dtype input, weight;   /* as stored, of input 0 and of input 1; VLM_NONE = floats */
  bool per_channel, centred; /* the weights: several scales; zero points are all 0 */
} vlm_unit;

typedef struct vlm_units {
  const vlm_graph *graph;
  vlm_provider provider;
  vlm_unit *items; /* per node */
  int32_t *
      owner; /* per node: the operator that it is a part of, or itself; -1 = copied into each of its readers */
  int32_t *uses,
      *quantizers; /* per value: readers (outputs and bodies count), and those that are QuantizeLinear */
  int32_t *reader; /* per value: one of the readers, -1 = an output or a body */
} vlm_units;

/* As the provider sees them: whether it wants a QuantizeLinear behind is in coverage.def. The graph is resolved and outlives the units. Free with vlm_units_free in any case. */
vlm_status vlm_units_make(vlm_units *out, const vlm_graph *graph, vlm_provider provider, vlm_error *err);
void vlm_units_free(vlm_units *units);

bool vlm_unit_quantizes(const vlm_node *node);   /* QuantizeLinear of either domain */
bool vlm_unit_dequantizes(const vlm_node *node); /* DequantizeLinear likewise */
/* The DequantizeLinear that makes input k, or NULL. */
const vlm_node *vlm_unit_dequantizer(const vlm_graph *graph, const vlm_node *node, int32_t k);
/* Scale and zero point of a QuantizeLinear or DequantizeLinear that has one of each; false when it has more, or computes them. */
typedef struct vlm_step_size {
  double scale, zero;
} vlm_step_size;
bool vlm_unit_step(const vlm_graph *graph, const vlm_node *node, vlm_step_size *out);

#endif
