/* Stages 2 and 3: what is needed, and one prepared step for each node that is. */
#include "runtime/exec/borrow.h"
#include "runtime/exec/plan_build.h"

/* ---- uses: inputs, and what bodies capture ---- */

typedef void use_visitor(void *user, vlm_value_id value);

static void visit_uses(const vlm_node *node, use_visitor *visit, void *user) {
  for (int32_t k = 0; k < node->n_inputs; k++)
    if (node->inputs[k] != VLM_NO_VALUE) visit(user, node->inputs[k]);
  for (int32_t a = 0; a < node->n_attrs; a++) {
    if (node->attrs[a].kind != VLM_ATTR_GRAPH) continue;
    const vlm_graph *body = node->attrs[a].u.g;
    for (int32_t v = 0; v < body->n_values; v++)
      if (body->values[v].kind == VLM_VALUE_CAPTURE) visit(user, body->values[v].parent_value);
  }
}

/* ---- need ---- */

static void mark_needed(void *user, vlm_value_id value) { ((vlm_plan_builder *)user)->needed[value] = true; }

/* A guessed shape is checked even when nothing needs the values: steps may have been folded that follow from it. */
static bool node_needed(const vlm_plan_builder *b, int32_t n) {
  const vlm_node *node = &b->request->graph->nodes[n];
  if (b->kinds[n] == VLM_STEP_CHECKED) return true;
  for (int32_t k = 0; k < node->n_outputs; k++)
    if (node->outputs[k] != VLM_NO_VALUE && b->needed[node->outputs[k]]) return true;
  return false;
}

/* How many steps there are at most. */
static int32_t mark_all(vlm_plan_builder *b) {
  const vlm_graph *graph = b->request->graph;
  int32_t steps = 0;
  for (int32_t i = 0; i < graph->n_outputs; i++) b->needed[graph->outputs[i]] = true;
  for (int32_t n = graph->n_nodes - 1; n >= 0; n--) {
    const vlm_node *node = &graph->nodes[n];
    if (b->folded[n] || !node_needed(b, n)) continue;
    if (b->instead[n] != VLM_NO_VALUE) mark_needed(b, b->instead[n]);
    else visit_uses(node, mark_needed, b);
    steps++;
  }
  return steps;
}

/* ---- steps and lifetimes ---- */

typedef struct {
  vlm_plan *plan;
  int32_t step;
} use_at;

static void extend_life(void *user, vlm_value_id value) {
  use_at *u = user;
  vlm_plan_value *root = &u->plan->values[u->plan->values[value].root];
  if (root->last != INT32_MAX) root->last = u->step;
}

/* A view of planned or constant bytes costs nothing at run time; other views are re-pointed when reached. */
static bool view_is_free(const vlm_plan_builder *b, const vlm_node *node) {
  vlm_value_id out = node->outputs[0];
  return b->plan->values[b->plan->values[out].root].store == VLM_STORE_ARENA && !b->request->tapped[out];
}

static vlm_status make_step_call(vlm_plan_builder *b, vlm_step *step) {
  vlm_status st = VLM_OK;
  const vlm_plan_request *r = b->request;
  const vlm_node *node = &r->graph->nodes[step->node];
  vlm_arena *arena = b->plan->arena;
  const vlm_tensor **in;
  vlm_tensor **out;
  bool *lasting, *packed;
  VLM_TRY(vlm_arena_new(arena, &in, node->n_inputs, b->err));
  VLM_TRY(vlm_arena_new(arena, &out, node->n_outputs, b->err));
  VLM_TRY(vlm_arena_new(arena, &lasting, node->n_inputs, b->err));
  VLM_TRY(vlm_arena_new(arena, &packed, node->n_inputs, b->err));
  VLM_TRY(vlm_arena_new(arena, &step->borrowed, node->n_inputs, b->err));
  for (int32_t k = 0; k < node->n_inputs; k++) {
    if (node->inputs[k] == VLM_NO_VALUE) continue;
    in[k] = &r->now[node->inputs[k]];
    lasting[k] = vlm_constants_get(r->constants, node->inputs[k]) != NULL;
  }
  for (int32_t k = 0; k < node->n_outputs; k++)
    if (node->outputs[k] != VLM_NO_VALUE) out[k] = &r->now[node->outputs[k]];
  step->call = vlm_call_make(r->host, node, in, out, NULL);
  step->binding = (vlm_op_binding){.arena = arena,
                                   .lasting = lasting,
                                   .weights = r->host->context->weights,
                                   .owner = r->owner,
                                   .lazy = r->graph->lazy,
                                   .packed = packed};
out:
  return st;
}

static bool shapes_known(const vlm_plan_builder *b, const vlm_node *node) {
  for (int32_t k = 0; k < node->n_inputs; k++)
    if (node->inputs[k] != VLM_NO_VALUE && !b->plan->values[node->inputs[k]].shape_known) return false;
  return true;
}

/* With the shapes of the plan; the step runs on the tensors of now. */
static vlm_status prepare_step(vlm_plan_builder *b, vlm_step *step) {
  const vlm_node *node = &b->request->graph->nodes[step->node];
  if (!vlm_step_is_prepared(step)) return VLM_OK;
  step->late =
      (step->kind == VLM_STEP_CHECKED || step->kind == VLM_STEP_SELF_ALLOC) && !shapes_known(b, node);
  if (step->late) return VLM_OK;
  vlm_op_call call = b->calls[step->node];
  call.binding = &step->binding;
  vlm_status st = node->op->prepare(&call);
  step->call.state = call.state;
  vlm_call_release(b->request->host);
  if (st == VLM_UNKNOWN) {
    step->late = true;
    st = VLM_OK;
  }
  return st == VLM_OK ? st : vlm_call_failed(b->request->graph, node, st, b->err);
}

static vlm_status add_step(vlm_plan_builder *b, int32_t n) {
  vlm_status st = VLM_OK;
  const vlm_node *node = &b->request->graph->nodes[n];
  vlm_plan *plan = b->plan;
  use_at use = {.plan = plan, .step = plan->n_steps};
  vlm_step *step = &plan->steps[plan->n_steps++];
  *step = (vlm_step){.node = n, .kind = b->kinds[n]};
  VLM_TRY(make_step_call(b, step));
  for (int32_t k = 0; k < node->n_outputs; k++) {
    if (node->outputs[k] == VLM_NO_VALUE) continue;
    vlm_plan_value *v = &plan->values[node->outputs[k]];
    if (v->root == node->outputs[k]) v->first = v->last = use.step;
  }
  visit_uses(node, extend_life, &use);
  VLM_TRY(vlm_step_take(step, b->request, b->err));
  VLM_TRY(prepare_step(b, step));
  VLM_TRY(vlm_step_settle(step, b->request, b->err));
out:
  return st;
}

static vlm_status add_steps(vlm_plan_builder *b, int32_t count) {
  vlm_status st = VLM_OK;
  const vlm_graph *graph = b->request->graph;
  VLM_TRY(vlm_arena_new(b->plan->arena, &b->plan->steps, count, b->err));
  for (int32_t n = 0; n < graph->n_nodes; n++) {
    const vlm_node *node = &graph->nodes[n];
    if (b->folded[n] || !node_needed(b, n)) continue;
    if (b->kinds[n] == VLM_STEP_ALIAS && view_is_free(b, node)) continue;
    VLM_TRY(add_step(b, n));
  }
  for (int32_t i = 0; i < graph->n_outputs; i++)
    b->plan->values[b->plan->values[graph->outputs[i]].root].last = INT32_MAX;
out:
  return st;
}

static bool dies(const vlm_plan *plan, vlm_value_id id) {
  const vlm_plan_value *v = &plan->values[id];
  return v->store == VLM_STORE_HEAP && v->root == id && v->last >= 0 && v->last != INT32_MAX;
}

/* Counts, then lists, the heap values that each step is the last to use. */
static vlm_status list_dead(vlm_plan_builder *b) {
  vlm_status st = VLM_OK;
  vlm_plan *plan = b->plan;
  int32_t n_values = b->request->graph->n_values;
  for (int32_t id = 0; id < n_values; id++)
    if (dies(plan, id)) plan->steps[plan->values[id].last].n_dead++;
  for (int32_t s = 0; s < plan->n_steps; s++) {
    vlm_step *step = &plan->steps[s];
    VLM_TRY(vlm_arena_new(plan->arena, &step->dead, step->n_dead, b->err));
    step->n_dead = 0;
  }
  for (int32_t id = 0; id < n_values; id++) {
    if (!dies(plan, id)) continue;
    vlm_step *step = &plan->steps[plan->values[id].last];
    step->dead[step->n_dead++] = id;
  }
out:
  return st;
}

vlm_status vlm_plan_steps(vlm_plan_builder *b) {
  vlm_status st = VLM_OK;
  VLM_TRY(add_steps(b, mark_all(b)));
  VLM_TRY(list_dead(b));
out:
  return st;
}
