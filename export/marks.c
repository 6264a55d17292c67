#include "export/marks.h"

#include <string.h>

static bool is_fixed(const vlm_tensor *t) {
  bool fixed = t->rank >= 0;
  for (int32_t d = 0; d < t->rank; d++) fixed &= t->dims[d] >= 0;
  return fixed;
}

static bool gives_shape(const vlm_node *node) {
  return vlm_node_is(node, "Shape") || vlm_node_is(node, "Size");
}

/* Shapes of these do not depend on those of their inputs. */
static bool forgets_shape(const vlm_graph *g, const vlm_node *node) {
  if (gives_shape(node)) return true;
  const vlm_tensor *to =
      vlm_node_is(node, "Reshape") && node->n_inputs > 1 ? vlm_graph_constant(g, node->inputs[1]) : NULL;
  if (!to || !to->data) return false;
  bool stated = true;
  for (int64_t i = 0; i < vlm_tensor_count(to); i++) stated &= vlm_tensor_get_int(to, i) > 0;
  return stated;
}

bool vlm_marks_any(const vlm_node *node, const bool *marked) {
  bool any = false;
  for (int32_t k = 0; k < node->n_inputs; k++)
    any |= node->inputs[k] != VLM_NO_VALUE && marked[node->inputs[k]];
  return any;
}

/* What was quantized is never folded to floats, and bodies are not looked into. */
static bool may_fold(const vlm_node *node) {
  bool bodies = false;
  for (int32_t a = 0; a < node->n_attrs; a++) bodies |= node->attrs[a].kind == VLM_ATTR_GRAPH;
  return !bodies && strcmp(node->op_type, "DequantizeLinear") && strcmp(node->op_type, "QuantizeLinear") &&
         strncmp(node->op_type, "Random", 6);
}

static bool becomes_known(const vlm_marks *m, const vlm_node *node) {
  if (gives_shape(node)) return m->known[node->inputs[0]] || !m->open[node->inputs[0]];
  bool all = may_fold(node);
  for (int32_t k = 0; k < node->n_inputs; k++)
    all &= node->inputs[k] == VLM_NO_VALUE || m->known[node->inputs[k]];
  return all;
}

static void follow(vlm_marks *m, const vlm_graph *g, const vlm_node *node) {
  bool known = becomes_known(m, node);
  bool open = vlm_marks_any(node, m->open) && !forgets_shape(g, node);
  bool stopped = vlm_marks_any(node, m->stopped) || vlm_node_is(node, "NonMaxSuppression");
  for (int32_t k = 0; k < node->n_outputs; k++) {
    vlm_value_id id = node->outputs[k];
    if (id == VLM_NO_VALUE) continue;
    m->open[id] = open && !known && !is_fixed(&g->values[id].tensor);
    m->known[id] = known;
    m->stopped[id] = stopped;
  }
}

vlm_status vlm_marks_make(vlm_marks *out, const vlm_graph *graph, bool fixed, vlm_error *err) {
  vlm_status st = VLM_OK;
  *out = (vlm_marks){.open = NULL};
  VLM_TRY(vlm_new(&out->open, graph->n_values, err));
  VLM_TRY(vlm_new(&out->known, graph->n_values, err));
  VLM_TRY(vlm_new(&out->stopped, graph->n_values, err));
  for (vlm_value_id v = 0; v < graph->n_values; v++) out->known[v] = vlm_graph_constant(graph, v) != NULL;
  for (int32_t i = 0; i < graph->n_inputs && !fixed; i++)
    out->open[graph->inputs[i]] = !is_fixed(&graph->values[graph->inputs[i]].tensor);
  for (int32_t n = 0; n < graph->n_nodes; n++) follow(out, graph, &graph->nodes[n]);
out:
  return st;
}

void vlm_marks_free(vlm_marks *marks) {
  vlm_free(marks->open);
  vlm_free(marks->known);
  vlm_free(marks->stopped);
  *marks = (vlm_marks){.open = NULL};
}

bool vlm_marks_folds(const vlm_marks *marks, const vlm_node *node) {
  bool all = true;
  for (int32_t k = 0; k < node->n_outputs; k++)
    all &= node->outputs[k] == VLM_NO_VALUE || marks->known[node->outputs[k]];
  return all;
}
