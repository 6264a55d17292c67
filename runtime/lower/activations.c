/* Activations that an integer operator applies itself: told from a node behind it, named by the node it came
 * from, or put behind it. */
#include <strings.h>

#include "runtime/lower/lower_private.h"

typedef struct {
  const char *name;             /* of the row operation (kernels/epilogue.h) */
  const char *domain, *op_type; /* the node that computes it */
  const char *approximate;      /* its attribute of that name, NULL = none */
  const char *attrs[2];         /* attributes that are its parameters, in order */
  float defaults[2];
} activation;

static const activation ACTIVATIONS[] = {
    {"relu", "", "Relu", NULL, {0}, {0}},
    {"gelu", "", "Gelu", "none", {0}, {0}},
    {"gelu_tanh", "", "Gelu", "tanh", {0}, {0}},
    {"gelu", "com.microsoft", "Gelu", NULL, {0}, {0}},
    {"sigmoid", "", "Sigmoid", NULL, {0}, {0}},
    {"tanh", "", "Tanh", NULL, {0}, {0}},
    {"leaky_relu", "", "LeakyRelu", NULL, {"alpha"}, {0.01f}},
    {"elu", "", "Elu", NULL, {"alpha"}, {1}},
    {"hard_sigmoid", "", "HardSigmoid", NULL, {"alpha", "beta"}, {0.2f, 0.5f}},
    {"hard_swish", "", "HardSwish", NULL, {0}, {0}},
    {"swish", "", "Swish", NULL, {"alpha"}, {1}},
    {"swish", "com.microsoft", "QuickGelu", NULL, {"alpha"}, {1.702f}},
    {"clip", "", "Clip", NULL, {"min", "max"}, {-3.402823466e38f, 3.402823466e38f}},
};
enum { COUNT = sizeof ACTIVATIONS / sizeof ACTIVATIONS[0] };

/* A bound of Clip, an input since opset 11. */
static bool bound(const vlm_graph *graph, const vlm_node *node, int k, float *out) {
  vlm_value_id id = vlm_node_input(node, 1 + k);
  const vlm_tensor *t = id == VLM_NO_VALUE ? NULL : vlm_graph_constant(graph, id);
  if (id == VLM_NO_VALUE) return true;
  if (!t || t->dtype != VLM_F32 || vlm_tensor_count(t) != 1) return false;
  *out = *(const float *)t->data;
  return true;
}

bool vlm_activation_of_node(const vlm_graph *graph, const vlm_node *node, vlm_activation *out) {
  for (int i = 0; i < COUNT; i++) {
    const activation *a = &ACTIVATIONS[i];
    if (strcmp(node->op_type, a->op_type) || strcmp(node->domain, a->domain)) continue;
    const vlm_attr *form = vlm_node_attr(node, "approximate");
    if (a->approximate && strcmp(form && form->kind == VLM_ATTR_STRING ? form->u.s : "none", a->approximate))
      continue;
    *out = (vlm_activation){.name = a->name};
    for (int k = 0; k < 2 && a->attrs[k]; k++) {
      out->params[k] = vlm_node_float(node, a->attrs[k], a->defaults[k]);
      out->n_params = k + 1;
      if (node->n_inputs > 1 && !bound(graph, node, k, &out->params[k])) return false;
    }
    return true;
  }
  return false;
}

bool vlm_activation_of_name(const vlm_node *node, vlm_activation *out) {
  const vlm_attr *name = vlm_node_attr(node, "activation"), *given = vlm_node_attr(node, "activation_params");
  *out = (vlm_activation){.name = ""};
  if (!name || name->kind != VLM_ATTR_STRING || !*name->u.s) return true;
  for (int i = 0; i < COUNT; i++) {
    const activation *a = &ACTIVATIONS[i];
    if (*a->domain || strcasecmp(name->u.s, a->op_type)) continue;
    *out = (vlm_activation){.name = a->name};
    for (int k = 0; k < 2 && a->attrs[k]; k++) {
      bool listed = given && given->kind == VLM_ATTR_FLOATS && given->count > k;
      out->params[k] = listed
                           ? given->u.floats[k]
                           : vlm_node_float(node, k ? "activation_beta" : "activation_alpha", a->defaults[k]);
      out->n_params = k + 1;
    }
    return true;
  }
  return false;
}

vlm_status vlm_activation_attrs(vlm_lowering *l, const vlm_activation *a, vlm_attr *attrs, int32_t *count) {
  vlm_status st = VLM_OK;
  float *params;
  attrs[(*count)++] = vlm_text_attr("activation", a->name);
  if (!a->n_params) return VLM_OK;
  VLM_TRY(vlm_arena_new(l->graph->arena, &params, 2, l->err));
  memcpy(params, a->params, sizeof a->params);
  attrs[(*count)++] = (vlm_attr){
      .name = "activation_params", .kind = VLM_ATTR_FLOATS, .count = a->n_params, .u.floats = params};
out:
  return st;
}

vlm_status vlm_activation_add(vlm_lowering *l, const vlm_activation *a, vlm_value_id x, vlm_value_id *out) {
  vlm_attr attrs[2];
  const activation *row = ACTIVATIONS;
  while (strcmp(row->name, a->name)) row++;
  /* Opset 6 has the bounds of Clip as attributes. */
  int32_t opset = strcmp(row->op_type, "Clip") ? 24 : 6;
  for (int k = 0; k < a->n_params; k++)
    attrs[k] = (vlm_attr){.name = row->attrs[k], .kind = VLM_ATTR_FLOAT, .u.f = a->params[k]};
  return vlm_add_node(l, out,
                      &(vlm_node_form){.op_type = row->op_type,
                                       .opset = opset,
                                       .inputs = &x,
                                       .n_inputs = 1,
                                       .attrs = attrs,
                                       .n_attrs = a->n_params});
}
