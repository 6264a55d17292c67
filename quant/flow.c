#include "quant/flow.h"

#include <string.h>

#include "runtime/ops/traits.h"

typedef struct {
  int32_t body;
  vlm_value_id id;
} flow_step;

struct vlm_flow {
  const vlm_body_list *bodies;
  int32_t *first; /* per body: where its values begin in `seen` */
  int32_t n_values;
  uint8_t *seen;
  flow_step *work; /* seen, but its readers are not looked at yet */
  int32_t n_work;
};

vlm_status vlm_flow_create(vlm_flow **out, const vlm_body_list *bodies, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_flow *f = NULL;
  VLM_TRY(vlm_new(&f, 1, err));
  f->bodies = bodies;
  VLM_TRY(vlm_new(&f->first, bodies->count, err));
  for (int32_t b = 0; b < bodies->count; b++) {
    f->first[b] = f->n_values;
    f->n_values += bodies->items[b].graph->n_values;
  }
  VLM_TRY(vlm_new(&f->seen, f->n_values, err));
  VLM_TRY(vlm_new(&f->work, f->n_values, err));
out:
  if (st != VLM_OK) {
    vlm_flow_free(f);
    f = NULL;
  }
  *out = f;
  return st;
}

void vlm_flow_free(vlm_flow *flow) {
  if (!flow) return;
  vlm_free(flow->first);
  vlm_free(flow->seen);
  vlm_free(flow->work);
  vlm_free(flow);
}

static void reach(vlm_flow *f, int32_t body, vlm_value_id id) {
  if (id == VLM_NO_VALUE || f->seen[f->first[body] + id]) return;
  f->seen[f->first[body] + id] = 1;
  f->work[f->n_work++] = (flow_step){body, id};
}

/* Input k of a control-flow node is input k of its bodies. */
static void enter_bodies(vlm_flow *f, int32_t body, int32_t node, int32_t k, vlm_value_id id) {
  for (int32_t b = body + 1; b < f->bodies->count; b++) {
    const vlm_body *inner = &f->bodies->items[b];
    if (inner->parent != body || inner->node != node) continue;
    if (k >= 0 && k < inner->graph->n_inputs) reach(f, b, inner->graph->inputs[k]);
    for (vlm_value_id v = 0; k < 0 && v < inner->graph->n_values; v++)
      if (inner->graph->values[v].kind == VLM_VALUE_CAPTURE && inner->graph->values[v].parent_value == id)
        reach(f, b, v);
  }
}

/* The last outputs of a body are those of its node; the first of a Loop says whether to go on. */
static void leave_body(vlm_flow *f, int32_t body, vlm_value_id id) {
  const vlm_body *inner = &f->bodies->items[body];
  if (inner->parent < 0) return;
  const vlm_node *node = &f->bodies->items[inner->parent].graph->nodes[inner->node];
  int32_t extra = inner->graph->n_outputs - node->n_outputs;
  for (int32_t k = 0; k < inner->graph->n_outputs; k++)
    if (inner->graph->outputs[k] == id && k >= extra) reach(f, inner->parent, node->outputs[k - extra]);
}

static bool passes(const vlm_traits *t, int32_t input) {
  if (t->flags & (VLM_TRAIT_ELEMENTWISE | VLM_TRAIT_NORM | VLM_TRAIT_JOINS)) return true;
  return t->flags & VLM_TRAIT_SAME_VALUES && input == 0;
}

static bool look_at_node(vlm_flow *f, int32_t body, int32_t n, vlm_value_id id) {
  const vlm_node *node = &f->bodies->items[body].graph->nodes[n];
  for (int32_t k = 0; k < node->n_inputs; k++) {
    if (node->inputs[k] != id) continue;
    if (node->traits->macs) return true;
    enter_bodies(f, body, n, k, id);
    for (int32_t o = 0; passes(node->traits, k) && o < node->n_outputs; o++) reach(f, body, node->outputs[o]);
  }
  enter_bodies(f, body, n, -1, id);
  return false;
}

bool vlm_flow_meets_product(vlm_flow *f, const vlm_body *body, vlm_value_id id) {
  memset(f->seen, 0, (size_t)f->n_values);
  f->n_work = 0;
  reach(f, (int32_t)(body - f->bodies->items), id);
  while (f->n_work > 0) {
    const flow_step at = f->work[--f->n_work];
    const vlm_graph *graph = f->bodies->items[at.body].graph;
    for (int32_t n = 0; n < graph->n_nodes; n++)
      if (look_at_node(f, at.body, n, at.id)) return true;
    leave_body(f, at.body, at.id);
  }
  return false;
}
