#include "tests/export/same_graph.h"

#include <stdio.h>
#include <string.h>

#define DIFFER(...) return snprintf(text, size, __VA_ARGS__), text

static bool same_tensor(const vlm_tensor *a, const vlm_tensor *b) {
  if (a->dtype != b->dtype || a->rank != b->rank || !a->data != !b->data) return false;
  for (int k = 0; k < a->rank; k++)
    if (a->dims[k] != b->dims[k]) return false;
  return !a->data || !memcmp(a->data, b->data, vlm_tensor_bytes(a));
}

static bool same_list(const vlm_attr *a, const vlm_attr *b) {
  if (a->count != b->count) return false;
  if (a->kind == VLM_ATTR_INTS) return !a->count || !memcmp(a->u.ints, b->u.ints, (size_t)a->count * 8);
  if (a->kind == VLM_ATTR_FLOATS) return !a->count || !memcmp(a->u.floats, b->u.floats, (size_t)a->count * 4);
  for (int32_t i = 0; i < a->count; i++)
    if (strcmp(a->u.strings[i], b->u.strings[i]) != 0) return false;
  return true;
}

static bool same_attr(char *text, size_t size, const vlm_attr *a, const vlm_attr *b) {
  if (strcmp(a->name, b->name) != 0 || a->kind != b->kind) return false;
  switch (a->kind) {
    case VLM_ATTR_NONE: return true;
    case VLM_ATTR_INT: return a->u.i == b->u.i;
    case VLM_ATTR_FLOAT: return !memcmp(&a->u.f, &b->u.f, sizeof a->u.f);
    case VLM_ATTR_STRING: return !strcmp(a->u.s, b->u.s);
    case VLM_ATTR_TENSOR: return same_tensor(a->u.t, b->u.t);
    case VLM_ATTR_GRAPH: return !*same_graph(text, size, a->u.g, b->u.g);
    default: return same_list(a, b);
  }
}

static const char *name_of(const vlm_graph *g, vlm_value_id id) {
  return id == VLM_NO_VALUE ? "" : g->values[id].name;
}

static const char *same_node(char *text, size_t size, const vlm_graph *ga, const vlm_graph *gb, int32_t n) {
  const vlm_node *a = &ga->nodes[n], *b = &gb->nodes[n];
  *text = 0;
  if (strcmp(a->op_type, b->op_type) != 0 || strcmp(a->domain, b->domain) != 0)
    DIFFER("node %d is %s, was %s", n, b->op_type, a->op_type);
  for (int32_t k = 0; k < a->n_inputs || k < b->n_inputs; k++)
    if (strcmp(name_of(ga, vlm_node_input(a, k)), name_of(gb, vlm_node_input(b, k))) != 0)
      DIFFER("node %d (%s): input %d", n, a->op_type, k);
  for (int32_t k = 0; k < a->n_outputs && k < b->n_outputs; k++)
    if (strcmp(name_of(ga, a->outputs[k]), name_of(gb, b->outputs[k])) != 0)
      DIFFER("node %d (%s): output %d", n, a->op_type, k);
  for (int32_t k = 0; k < a->n_attrs; k++) {
    const vlm_attr *was = &a->attrs[k], *is = vlm_node_attr(b, was->name);
    if (was->kind == VLM_ATTR_NONE || (is && same_attr(text, size, was, is))) continue;
    if (!*text) snprintf(text, size, "node %d (%s): attribute %s", n, a->op_type, was->name);
    return text;
  }
  return text;
}

static const char *same_ends(char *text, size_t size, const vlm_graph *a, const vlm_graph *b) {
  *text = 0;
  if (a->n_inputs != b->n_inputs || a->n_outputs != b->n_outputs) DIFFER("number of inputs or outputs");
  for (int32_t i = 0; i < a->n_inputs; i++) {
    const vlm_value *va = &a->values[a->inputs[i]], *vb = &b->values[b->inputs[i]];
    if (strcmp(va->name, vb->name) != 0 || !same_tensor(&va->tensor, &vb->tensor)) DIFFER("input %d", i);
    for (int k = 0; k < va->tensor.rank; k++)
      if (!va->dim_names[k] != !vb->dim_names[k] ||
          (va->dim_names[k] && strcmp(va->dim_names[k], vb->dim_names[k]) != 0))
        DIFFER("input %d: name of dim %d", i, k);
  }
  for (int32_t i = 0; i < a->n_outputs && !a->parent; i++)
    if (strcmp(name_of(a, a->outputs[i]), name_of(b, b->outputs[i])) != 0)
      DIFFER("output %d is \"%s\", was \"%s\"", i, name_of(b, b->outputs[i]), name_of(a, a->outputs[i]));
  return text;
}

/* A body may give what it only hands on a name of its own. */
const char *same_graph(char *text, size_t size, const vlm_graph *a, const vlm_graph *b) {
  if (*same_ends(text, size, a, b)) return text;
  bool more = b->n_nodes > a->n_nodes && a->parent && vlm_node_is(&b->nodes[a->n_nodes], "Identity");
  if (a->n_nodes != b->n_nodes && !more) DIFFER("%d nodes, were %d", b->n_nodes, a->n_nodes);
  for (int32_t n = 0; n < a->n_nodes; n++)
    if (*same_node(text, size, a, b, n)) return text;
  for (vlm_value_id id = 0; id < a->n_values; id++) {
    if (a->values[id].kind != VLM_VALUE_CONSTANT) continue;
    vlm_value_id at = vlm_graph_find(b, a->values[id].name);
    if (at == VLM_NO_VALUE || !same_tensor(&a->values[id].tensor, &b->values[at].tensor))
      DIFFER("constant \"%s\"", a->values[id].name);
  }
  return text;
}
