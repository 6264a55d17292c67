/* Private to export: the state of one graph's rewriting, and the parts that its files give one another.
 *
 * Nodes and values that are added move the arrays: nodes are handed on as indices. No node moves before the end. */
#ifndef VLM_EXPORT_EXPORTER_H
#define VLM_EXPORT_EXPORTER_H

#include "export/export.h"
#include "quant/weight_store.h"
#include "runtime/graph/bodies.h"

typedef struct vlm_exported_byte { /* an activation in 8 bits */
  vlm_graph *graph;
  vlm_value_id id; /* the float value */
  vlm_value_id q, scale, zero;
  vlm_value_id dequantized; /* VLM_NO_VALUE = not made yet */
  int32_t node;             /* the QuantizeLinear */
  float step;
  int32_t zero_point; /* as uint8 */
} vlm_exported_byte;

/* A planned node: what is to become of it. */
typedef struct vlm_export_item {
  vlm_graph *graph;
  int32_t node;
  const vlm_node_plan *plan;
  vlm_export_form form;
  const char *why;
  int32_t through; /* index, -1 = none: its activation */
  bool narrowed;   /* as in vlm_exported */
} vlm_export_item;

typedef struct vlm_exporter {
  vlm_body_list bodies;
  vlm_arena *arena;
  const vlm_quant_plan *plan;
  const vlm_export_opts *opts;
  vlm_export_item *items;
  vlm_exported_byte *through;
  vlm_export_ranges own_ranges, *ranges;
  int32_t n_items, cap_items, n_through, cap_through;
  vlm_error *err;
} vlm_exporter;

bool vlm_exporter_has(const vlm_exporter *x, int32_t flag);

/* ---- items.c ---- */

/* Finds the planned nodes in the graphs and decides their form. */
vlm_status vlm_export_find_items(vlm_exporter *x);

/* ---- parts.c ---- */

/* What a new node is. Names of the node and its output are `base` and `suffix`. */
typedef struct vlm_part {
  const char *domain, *op_type, *base, *suffix;
  int32_t opset; /* 0 = 13; of com.microsoft 1 */
  const vlm_value_id *inputs;
  int32_t n_inputs;
  const vlm_attr *attrs;
  int32_t n_attrs;
} vlm_part;
/* *out VLM_NO_VALUE = a new value; else that value is what the node makes. node: its index, or NULL. */
vlm_status vlm_part_add(vlm_exporter *x, vlm_graph *graph, vlm_value_id *out, int32_t *node,
                        const vlm_part *part);
vlm_status vlm_part_constant(vlm_exporter *x, vlm_graph *graph, vlm_value_id *out, const char *base,
                             const char *suffix, const vlm_tensor *tensor);
vlm_status vlm_part_scalar(vlm_exporter *x, vlm_graph *graph, vlm_value_id *out, const char *base,
                           const char *suffix, vlm_dtype dtype, double value);
/* A new value takes the place of output 0 of the node; *out is it. */
vlm_status vlm_part_detach(vlm_exporter *x, vlm_graph *graph, int32_t node, vlm_value_id *out);

/* ---- activations.c ---- */

/* The activation of the item in 8 bits, once per value and range. */
vlm_status vlm_export_quantize(vlm_exporter *x, vlm_graph *graph, vlm_value_id id, const vlm_range *range,
                               int32_t *through);
/* The float that it stands for. */
vlm_status vlm_export_dequantize(vlm_exporter *x, int32_t through, vlm_value_id *out);
/* What a node makes becomes 8 bits, for all its readers; *through -1 when it cannot: *why says so. Looks through a Relu or Clip that the
 * 8 bits make needless, and takes it away. */
vlm_status vlm_export_quantize_output(vlm_exporter *x, const vlm_export_item *item, int32_t *through,
                                      const char **why);
/* The range that is in reach for that, without making it. */
vlm_status vlm_export_can_quantize_output(vlm_exporter *x, const vlm_export_item *item, bool *found);
/* Whether every reader of what the node makes reads it in 8 bits of one range. */
bool vlm_export_read_in_bytes(const vlm_exporter *x, const vlm_export_item *item);

/* ---- weights.c ---- */

typedef struct vlm_export_weight {
  vlm_value_id data, scale, zero; /* constants of the item's graph; scale and zero per channel or scalars */
  vlm_tensor codes, scales;
  int32_t axis; /* of the constant, -1 = one scale */
} vlm_export_weight;
/* The item's weight, one scale for all when `tensor` is set. */
vlm_status vlm_export_weight_of(vlm_exporter *x, const vlm_export_item *item, bool tensor,
                                vlm_export_weight *out);
/* The same turned into [.., K, N] when the node reads [.., N, K]. */
vlm_status vlm_export_weight_turned(vlm_exporter *x, const vlm_export_item *item, vlm_export_weight *w);
vlm_status vlm_export_weight_dequantized(vlm_exporter *x, const vlm_export_item *item,
                                         const vlm_export_weight *w, vlm_value_id *out);
/* A bias of `channels` floats as int32, in steps of step * scale * factor; *out VLM_NO_VALUE: it does not fit. */
typedef struct vlm_export_bias {
  vlm_value_id data, scale, zero;
} vlm_export_bias;
vlm_status vlm_export_bias_of(vlm_exporter *x, const vlm_export_item *item, vlm_value_id bias, float step,
                              const vlm_export_weight *w, vlm_export_bias *out);
/* Whether it fits into int32. */
bool vlm_export_bias_fits(const vlm_export_item *item, vlm_value_id bias, float step,
                          const vlm_tensor *scales);

/* VLM_NO_VALUE = it has none. */
vlm_value_id vlm_export_bias_id(const vlm_export_item *item);
/* Of a Gemm; 1 for all others. */
float vlm_export_alpha(const vlm_export_item *item);

/* ---- guards.c ---- */

/* When all nodes are rewritten and the graph is resolved: what stays float stays so. */
vlm_status vlm_export_guard(vlm_exporter *x, vlm_graph *graph);

/* ---- qdq.c ---- */

/* What a node in 8 bits is made of. */
typedef struct vlm_export_parts {
  vlm_export_weight weight;
  vlm_export_bias bias; /* data VLM_NO_VALUE = none */
  vlm_value_id float_bias;
  int32_t output; /* what it makes, in 8 bits; -1 = floats */
} vlm_export_parts;
/* `tensor`: one scale for the weights; `output`: what it makes must be 8 bits. */
vlm_status vlm_export_make_parts(vlm_exporter *x, const vlm_export_item *item, bool tensor, bool output,
                                 vlm_export_parts *p);
/* The float operator between DequantizeLinear and QuantizeLinear. */
vlm_status vlm_export_make_qdq(vlm_exporter *x, const vlm_export_item *item, const vlm_export_parts *p);

/* ---- conv.c, product.c, dynamic.c, table.c ---- */

vlm_status vlm_export_conv(vlm_exporter *x, const vlm_export_item *item);
vlm_status vlm_export_product(vlm_exporter *x, const vlm_export_item *item);
vlm_status vlm_export_dynamic(vlm_exporter *x, const vlm_export_item *item);
vlm_status vlm_export_nbits(vlm_exporter *x, const vlm_export_item *item);
vlm_status vlm_export_table(vlm_exporter *x, const vlm_export_item *item);

#endif
