/* The parts of QDQ form: constants in 8 bits, their DequantizeLinear, and activations through QuantizeLinear
 * and back. Each is made once. */
#ifndef VLM_QUANT_REWRITE_H
#define VLM_QUANT_REWRITE_H

#include "quant/plan.h"
#include "quant/weight_store.h"
#include "runtime/graph/bodies.h"

/* A constant of the graph in 8 bits, in the graph that holds the constant. */
typedef struct vlm_stored {
  vlm_graph *owner;
  vlm_value_id origin; /* the float constant */
  int32_t axis;
  bool rows;
  vlm_value_id data, scale;
  vlm_value_id dequantized; /* VLM_NO_VALUE = not made yet */
} vlm_stored;

typedef struct vlm_through { /* an activation through 8 bits */
  vlm_graph *graph;
  vlm_value_id id, dequantized;
  float scale; /* 0 = found at run time */
  int32_t zero_point;
} vlm_through;

typedef struct vlm_rewriter {
  vlm_body_list bodies;
  vlm_arena *arena; /* paths and lists */
  vlm_weight_store *weights;
  vlm_stored **stored; /* grow; entries stay where they are */
  vlm_through *through;
  int32_t n_stored, cap_stored, n_through, cap_through;
  vlm_error *err;
} vlm_rewriter;

/* The graph becomes an owner of the weights. */
vlm_status vlm_rewriter_open(vlm_rewriter *out, vlm_graph *root, const char *role, vlm_weight_store *weights,
                             vlm_error *err);
void vlm_rewriter_close(vlm_rewriter *r);
/* By its path; NULL when the plan speaks of another graph. */
const vlm_body *vlm_rewriter_body(const vlm_rewriter *r, const char *path);

/* The constant that a planned node of `graph` reads, in 8 bits. */
vlm_status vlm_rewrite_weight(vlm_rewriter *r, const vlm_stored **out, vlm_graph *graph,
                              const vlm_node_plan *plan, bool rows);
/* The float that it stands for, of the constant's type, as a value of `graph`. */
vlm_status vlm_rewrite_dequantized(vlm_rewriter *r, vlm_value_id *out, vlm_graph *graph,
                                   const vlm_node_plan *plan, bool rows);
/* A value of `graph`, of that float type, rounded to the range; NULL = that of its values at run time. */
vlm_status vlm_rewrite_activation(vlm_rewriter *r, vlm_value_id *out, vlm_graph *graph, vlm_value_id id,
                                  const vlm_range *range, vlm_dtype dtype);

#endif
