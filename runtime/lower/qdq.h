/* QDQ form, the one truth about a quantized graph: the nodes that lowering looks for, made by whoever
 * quantizes. */
#ifndef VLM_LOWER_QDQ_H
#define VLM_LOWER_QDQ_H

#include "runtime/graph/graph.h"

/* Each adds a node with one output value, both named BASE and a suffix. The graph must be resolved again. */

typedef struct vlm_qdq {
  vlm_value_id scale, zero; /* zero VLM_NO_VALUE = 0 */
  int64_t axis;             /* of the scale, -1 = a scalar */
} vlm_qdq;
/* *out = QuantizeLinear(x, scale, zero), scalars. */
vlm_status vlm_qdq_quantize(vlm_graph *graph, vlm_value_id *out, const char *base, vlm_value_id x,
                            const vlm_qdq *by, vlm_error *err);
/* *out = DequantizeLinear(q, scale, zero), float32. */
/* With a range that is found at run time, stretched to hold zero: that of all values of x. `by` is made. */
vlm_status vlm_qdq_quantize_dynamic(vlm_graph *graph, vlm_value_id *out, const char *base, vlm_value_id x,
                                    vlm_qdq *by, vlm_error *err);
vlm_status vlm_qdq_dequantize(vlm_graph *graph, vlm_value_id *out, const char *base, vlm_value_id q,
                              const vlm_qdq *by, vlm_error *err);
/* *out = x as that float type, for graphs whose floats are no float32. */
vlm_status vlm_qdq_cast(vlm_graph *graph, vlm_value_id *out, const char *base, vlm_value_id x,
                        vlm_dtype dtype, vlm_error *err);

#endif
