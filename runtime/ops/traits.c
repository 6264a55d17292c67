#include "runtime/ops/traits.h"

#include <string.h>

#include "runtime/ops/macs.h"
#include "runtime/ops/traits_weights.h"

/* The words of traits.def. */
enum {
  FAMILY_NO_FORM = VLM_FAMILY_NONE,
  FAMILY_WEIGHT_ONLY = VLM_FAMILY_STORED,
  FAMILY_PRODUCT = VLM_FAMILY_PRODUCT,
  FAMILY_CONVOLUTION = VLM_FAMILY_CONVOLUTION,
  FAMILY_TRANSPOSED = VLM_FAMILY_TRANSPOSED,
  FAMILY_TABLE = VLM_FAMILY_TABLE,
  FORMS_NO_FORM = 0,
  FORMS_WEIGHT_ONLY = VLM_FORM_WEIGHT_ONLY,
  FORMS_PRODUCT = VLM_FORM_STATIC | VLM_FORM_ROW | VLM_FORM_WEIGHT_ONLY,
  FORMS_TRANSPOSED = VLM_FORM_STATIC | VLM_FORM_WEIGHT_ONLY,
  FORMS_CONVOLUTION = FORMS_TRANSPOSED | VLM_FORM_IMAGE,
  FORMS_TABLE = VLM_FORM_WEIGHT_ONLY,
  ABSORBS_NOTHING = 0,
  ABSORBS_BIAS_ONLY = VLM_ABSORB_BIAS,
  ABSORBS_PRODUCT = VLM_ABSORB_PRODUCT,
  ELEMENTWISE = VLM_TRAIT_ELEMENTWISE,
  SAME_VALUES = VLM_TRAIT_SAME_VALUES,
  TABLE = VLM_TRAIT_TABLE,
  RECURRENT = VLM_TRAIT_RECURRENT,
  JOINS = VLM_TRAIT_JOINS,
  INTEGER = VLM_TRAIT_INTEGER,
  NORM = VLM_TRAIT_NORM,
  MOVES = VLM_TRAIT_MOVES | VLM_TRAIT_SAME_VALUES,
  JOINS_BYTES = VLM_TRAIT_JOINS | VLM_TRAIT_MOVES,
  ATTENDS = VLM_TRAIT_ATTENDS,
  SELECTS = VLM_TRAIT_SELECTS,
  BY_ROW = VLM_TRAIT_SELECTS | VLM_TRAIT_BY_ROW,
  BY_COLUMN = VLM_TRAIT_SELECTS | VLM_TRAIT_BY_COLUMN,
  SAME_ORDER = VLM_TRAIT_SAME_ORDER
};
#define vlm_weights_none NULL
#define vlm_macs_none NULL

static const vlm_traits ROWS[] = {
#define X(domain, name, weights, bias, macs, macs_input, forms, absorbs, flags) \
  {domain,     name,           vlm_weights_##weights, vlm_macs_##macs,   bias,  \
   macs_input, FAMILY_##forms, FORMS_##forms,         ABSORBS_##absorbs, flags},
#include "runtime/ops/traits.def"
#undef X
};
static const vlm_traits EMPTY = {.domain = "", .name = "", .bias = -1};

const vlm_traits *vlm_traits_table(int32_t *count) {
  *count = (int32_t)(sizeof ROWS / sizeof ROWS[0]);
  return ROWS;
}

const vlm_traits *vlm_traits_find(const char *domain, const char *name) {
  for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
    const vlm_traits *row = &ROWS[i];
    if (row->name[0] == name[0] && !strcmp(row->name, name) && !strcmp(row->domain, domain)) return row;
  }
  return &EMPTY;
}

const vlm_node *vlm_dequantizer(const vlm_graph *graph, vlm_value_id id, const vlm_graph **owner) {
  while (id != VLM_NO_VALUE && graph->values[id].kind == VLM_VALUE_CAPTURE) {
    id = graph->values[id].parent_value;
    graph = graph->parent;
  }
  *owner = graph;
  int32_t n = id == VLM_NO_VALUE ? -1 : graph->values[id].producer;
  const vlm_node *node = n < 0 ? NULL : &graph->nodes[n];
  return node && !strcmp(node->op_type, "DequantizeLinear") ? node : NULL;
}

/* Floats of another type than float32 are dequantized and cast. */
const vlm_node *vlm_dequantizer_behind_cast(const vlm_graph *graph, vlm_value_id id, const vlm_graph **owner,
                                            vlm_dtype *type) {
  while (id != VLM_NO_VALUE && graph->values[id].kind == VLM_VALUE_CAPTURE) {
    id = graph->values[id].parent_value;
    graph = graph->parent;
  }
  int32_t n = id == VLM_NO_VALUE ? -1 : graph->values[id].producer;
  bool cast = n >= 0 && vlm_node_is(&graph->nodes[n], "Cast");
  *type = cast ? vlm_dtype_from_onnx((int32_t)vlm_node_int(&graph->nodes[n], "to", 0)) : VLM_F32;
  return vlm_dequantizer(graph, cast ? graph->nodes[n].inputs[0] : id, owner);
}

const vlm_tensor *vlm_node_constant(const vlm_graph *graph, const vlm_node *node, int32_t k) {
  vlm_value_id id = vlm_node_input(node, k);
  const vlm_graph *owner = graph;
  const vlm_tensor *t = id == VLM_NO_VALUE ? NULL : vlm_graph_constant(graph, id);
  vlm_dtype type;
  if (t || id == VLM_NO_VALUE) return t;
  const vlm_node *dequantizer = vlm_dequantizer_behind_cast(graph, id, &owner, &type);
  return dequantizer ? vlm_graph_constant(owner, dequantizer->inputs[0]) : NULL;
}

static bool is_weight(const vlm_graph *graph, vlm_value_id id) {
  const vlm_tensor *t = id == VLM_NO_VALUE ? NULL : vlm_graph_constant(graph, id);
  return t && t->rank >= 2 &&
         (t->dtype == VLM_F32 || t->dtype == VLM_F16 || t->dtype == VLM_BF16 || t->dtype == VLM_F64);
}

int32_t vlm_node_weights(const vlm_graph *graph, const vlm_node *node,
                         vlm_weight_slot slots[VLM_MAX_WEIGHT_SLOTS]) {
  int32_t found = 0, count = node->traits->weights ? node->traits->weights(graph, node, slots) : 0;
  for (int32_t i = 0; i < count; i++)
    if (is_weight(graph, vlm_node_input(node, slots[i].input))) slots[found++] = slots[i];
  return found;
}
