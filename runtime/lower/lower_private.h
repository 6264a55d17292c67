/* Private to lower/: the state of one rewriting, and the parts that the rules are made of.
 *
 * Nodes and values may be added while a graph is rewritten, which moves the arrays: nodes are handed on as
 * indices. */
#ifndef VLM_LOWER_LOWER_PRIVATE_H
#define VLM_LOWER_LOWER_PRIVATE_H

#include <string.h>

#include "runtime/lower/lower.h"

typedef struct vlm_lowering {
  vlm_graph *graph;
  int32_t n_values, n_nodes; /* the three lists know the values and nodes below these; what was added later is
                                read by one */
  int32_t *uses;             /* per value: consumers, graph outputs and captures included */
  int32_t *reader; /* per value: the last node that reads it, -1 = none or not a node of this graph */
  bool *gone;      /* per node: taken into another */
  vlm_lower_report *report;
  vlm_error *err;
} vlm_lowering;

/* ---- uses.c ---- */

vlm_status vlm_lowering_open(vlm_lowering *l, vlm_graph *graph, vlm_lower_report *report, vlm_error *err);
void vlm_lowering_close(vlm_lowering *l);
/* The one node that reads `id`, when nobody else looks; -1 otherwise. */
int32_t vlm_only_reader(const vlm_lowering *l, vlm_value_id id);
/* Whether the node that makes `id` is known and which: NULL for inputs, constants, captures. */
const vlm_node *vlm_maker(const vlm_graph *graph, vlm_value_id id);

/* ---- report.c ---- */

vlm_status vlm_report_add(vlm_lowering *l, int32_t n, vlm_form form);

/* ---- operands.c ---- */

/* What a DequantizeLinear reads, as values of this graph. */
typedef struct vlm_operand {
  vlm_value_id data, scale, zero;
  vlm_dtype type; /* of the floats that it stands for */
  bool is_signed; /* int8 that could not be moved (bytes.c): data is the float value, which the reader
                     quantizes again */
} vlm_operand;

bool vlm_is_scalar(const vlm_tensor *t);
/* A computed 8-bit value with one scale and one zero point for all, constant or from DynamicQuantizeLinear. */
bool vlm_dequantized_activation(const vlm_lowering *l, vlm_value_id id, vlm_operand *out);
/* A constant s8 with one scale per index of `axis` (or one for all); *moved: it has zero points that are not
 * 0. */
bool vlm_dequantized_weight(const vlm_lowering *l, vlm_value_id id, int32_t axis, bool *moved);
/* Its parts; a weight that is dequantized in an enclosing graph is captured. */
vlm_status vlm_weight_parts(vlm_lowering *l, vlm_value_id id, vlm_operand *out);
/* The operand as the integer operators want it: its zero point is uint8. */
vlm_status vlm_as_u8(vlm_lowering *l, vlm_operand *x);
/* *id becomes a constant of `channels` floats, `times` over: those (or the one) of *id, times `factor`. */
vlm_status vlm_spread(vlm_lowering *l, vlm_value_id *id, int64_t channels, int64_t times, float factor);
/* Whether the value is a constant of one float per channel (or one for all): f32, or s32 behind a
 * DequantizeLinear. `place` is the channel dim counted from the end, all other dims are 1; at most max_rank
 * dims. */
bool vlm_is_channel_vector(const vlm_graph *graph, vlm_value_id id, int64_t channels, int32_t place,
                           int32_t max_rank);

/* ---- activations.c ---- */

typedef struct vlm_activation {
  const char *name; /* of a row operation (kernels/epilogue.h), "" = none */
  float params[2];
  int32_t n_params;
} vlm_activation;

/* Whether the node is an activation with constant parameters, and which. */
bool vlm_activation_of_node(const vlm_graph *graph, const vlm_node *node, vlm_activation *out);
/* The one in attribute `activation` of FusedGemm and FusedConv; false when no operator can apply it. */
bool vlm_activation_of_name(const vlm_node *node, vlm_activation *out);
/* Appends the attributes (two at most) that tell an operator of domain "vlm" its activation. */
vlm_status vlm_activation_attrs(vlm_lowering *l, const vlm_activation *a, vlm_attr *attrs, int32_t *count);
/* The activation as a node of its own; *out as in vlm_add_node. */
vlm_status vlm_activation_add(vlm_lowering *l, const vlm_activation *a, vlm_value_id x, vlm_value_id *out);

/* ---- tails.c ---- */

/* What follows a product: taken into its operator. */
typedef struct vlm_tail {
  vlm_value_id output; /* of the last node taken */
  vlm_value_id bias;   /* [channels], or VLM_NO_VALUE */
  vlm_value_id y_scale, y_zero;
  vlm_activation activation;
} vlm_tail;

vlm_tail vlm_tail_of(vlm_value_id output);
/* activation(value + addend) becomes what the tail's output is; the tail ends in front of it, in a new value.
 */
vlm_status vlm_tail_add(vlm_lowering *l, vlm_tail *t, vlm_value_id addend, const vlm_activation *activation);
void vlm_take_bias(vlm_lowering *l, vlm_tail *t, int64_t channels, int32_t place, int32_t max_rank);
void vlm_take_activation(vlm_lowering *l, vlm_tail *t);
void vlm_take_quantize(vlm_lowering *l, vlm_tail *t);
/* The operators give float32: floats of another type are cast behind what the tail ends with, unless that is
 * bytes. */
vlm_status vlm_cast_behind(vlm_lowering *l, vlm_dtype type, vlm_tail *t);

/* ---- edit.c ---- */

vlm_attr vlm_int_attr(const char *name, int64_t value);
vlm_attr vlm_text_attr(const char *name, const char *value);
/* What a node is to be. Texts are not copied, lists are. */
typedef struct vlm_node_form {
  const char *domain, *op_type; /* domain NULL = ai.onnx */
  int32_t opset;
  const vlm_value_id *inputs; /* missing ones at the end are cut off */
  int32_t n_inputs;
  const vlm_attr *attrs;
  int32_t n_attrs;
} vlm_node_form;
/* Node n becomes this one, with this output. */
vlm_status vlm_replace_node(vlm_lowering *l, int32_t n, const vlm_node_form *form, vlm_value_id output);
/* The same with an operator of domain "vlm". */
vlm_status vlm_make_internal(vlm_lowering *l, int32_t n, const vlm_node_form *form, vlm_value_id output);
/* Input k of node n, which may have fewer inputs so far. */
vlm_status vlm_set_input(vlm_graph *graph, int32_t n, int32_t k, vlm_value_id value, vlm_error *err);
/* A node that was taken into another: its outputs are made by nobody, and a sweep removes it. */
void vlm_node_unlink(vlm_graph *graph, int32_t n);
/* A new node with one output, which is *out, or a new value when *out is VLM_NO_VALUE. */
vlm_status vlm_add_node(vlm_lowering *l, vlm_value_id *out, const vlm_node_form *form);

/* ---- before the rules: models that were quantized elsewhere, in the spelling that the rules know ---- */

vlm_status vlm_lower_qoperators(vlm_graph *graph, vlm_error *err);     /* the graph must be resolved again */
vlm_status vlm_lower_integer_chains(vlm_graph *graph, vlm_error *err); /* likewise */
vlm_status vlm_lower_zero_points(vlm_graph *graph, vlm_error *err);
vlm_status vlm_lower_bytes(vlm_graph *graph, vlm_error *err);
vlm_status vlm_lower_weights(vlm_graph *graph, vlm_error *err);
/* ---- behind the rules ---- */

vlm_status vlm_lower_layout(vlm_graph *graph,
                            vlm_error *err); /* of a resolved graph, which must be swept and resolved again */

/* *zero (int8, or VLM_NO_VALUE for 0) becomes a uint8 constant 128 above it. */
vlm_status vlm_zero_plus_128(vlm_graph *graph, vlm_value_id *zero, vlm_error *err);

/* ---- behind the rules: what belongs together becomes one operator ---- */

vlm_status vlm_lower_attention(vlm_graph *graph, vlm_error *err);      /* the graph must be resolved again */
vlm_status vlm_lower_float_products(vlm_graph *graph, vlm_error *err); /* likewise */
vlm_status vlm_lower_quantizers(vlm_graph *graph, vlm_error *err);     /* it must be swept */
vlm_status vlm_lower_joins(vlm_graph *graph, vlm_error *err); /* it must be swept and resolved again */

/* ---- the rules, one per family of traits ---- */

typedef struct vlm_rule {
  /* Whether the family's rewriting takes the node, and why not. */
  bool (*can)(const vlm_graph *graph, const vlm_node *node, const vlm_weight_slot *slot, vlm_form form,
              const char **why);
  /* Rewrites node n, whose slot holds a dequantized constant; *form = 0 when it stays as it is. */
  vlm_status (*lower)(vlm_lowering *l, int32_t n, const vlm_weight_slot *slot, vlm_form *form);
} vlm_rule;

/* A vlm.QMatMulDynamic, which is made before the graph is lowered. */
vlm_status vlm_lower_row_product(vlm_lowering *l, int32_t n);

/* DequantizeLinear, an operator that only moves elements, QuantizeLinear, all with the same range: the
 * operator on bytes. */
vlm_status vlm_lower_move(vlm_lowering *l, int32_t n);

extern const vlm_rule vlm_rule_product, vlm_rule_convolution, vlm_rule_transposed, vlm_rule_table,
    vlm_rule_stored;

#endif
