/* Stage 4: offsets in the arena, by liveness, for values and for the work space of steps. */
#include "runtime/exec/memory_plan.h"
#include "runtime/exec/plan_build.h"

/* Blames the node with the largest output. */
static vlm_status too_large(const vlm_plan_builder *b) {
  const vlm_graph *graph = b->request->graph;
  const vlm_plan *plan = b->plan;
  vlm_value_id worst = VLM_NO_VALUE;
  char shape[128];
  for (int32_t id = 0; id < graph->n_values; id++)
    if (plan->values[id].store == VLM_STORE_ARENA && graph->values[id].producer >= 0 &&
        (worst < 0 ||
         vlm_tensor_bytes(&plan->values[id].tensor) > vlm_tensor_bytes(&plan->values[worst].tensor)))
      worst = id;
  if (worst < 0)
    return vlm_fail(b->err, VLM_LIMIT, "work space of %zu MiB is above the limit of %zu MiB",
                    plan->arena_bytes >> 20, b->request->max_bytes >> 20);
  vlm_fail(b->err, VLM_LIMIT, "the output is %s: with it activations need %zu MiB, the limit is %zu MiB",
           vlm_tensor_shape_text(&plan->values[worst].tensor, shape, sizeof shape), plan->arena_bytes >> 20,
           b->request->max_bytes >> 20);
  return vlm_call_failed(graph, &graph->nodes[graph->values[worst].producer], VLM_LIMIT, b->err);
}

/* ---- in place ---- */

/* While memory is shared, a root may have one itself; each look shortens the way, so that all looks together are about linear. */
static vlm_value_id root_of(vlm_plan *plan, vlm_value_id id) {
  while (plan->values[id].root != id) {
    plan->values[id].root = plan->values[plan->values[id].root].root;
    id = plan->values[id].root;
  }
  return id;
}

/* The input whose memory the output of a step may take: the same type and shape, planned, read by this step last and once. */
static vlm_value_id dying_input(vlm_plan *plan, const vlm_node *node, int32_t step) {
  const vlm_tensor *out = &plan->values[node->outputs[0]].tensor;
  for (int32_t k = 0; k < node->n_inputs && k < (node->n_inputs == 2 ? 2 : 1); k++) {
    if (node->inputs[k] == VLM_NO_VALUE) continue;
    const vlm_plan_value *v = &plan->values[node->inputs[k]];
    const vlm_value_id id = root_of(plan, node->inputs[k]);
    const vlm_plan_value *root = &plan->values[id];
    int32_t uses = 0;
    for (int32_t j = 0; j < node->n_inputs; j++)
      uses += node->inputs[j] != VLM_NO_VALUE && root_of(plan, node->inputs[j]) == id;
    bool fits = v->tensor.dtype == out->dtype && vlm_tensor_same_shape(&v->tensor, out) &&
                vlm_tensor_bytes(&root->tensor) == vlm_tensor_bytes(out);
    if (root->store == VLM_STORE_ARENA && root->last == step && uses == 1 && fits) return id;
  }
  return VLM_NO_VALUE;
}

/* Output 0 of steps that may work in place takes over the memory of an input. */
static void share_memory(vlm_plan_builder *b) {
  vlm_plan *plan = b->plan;
  int32_t n_values = b->request->graph->n_values;
  for (int32_t s = 0; s < plan->n_steps; s++) {
    const vlm_step *step = &plan->steps[s];
    const vlm_node *node = step->call.node;
    bool able = node->op->flags & VLM_OP_IN_PLACE &&
                (step->kind == VLM_STEP_STATIC || step->kind == VLM_STEP_CHECKED) && node->n_outputs > 0;
    if (!able || node->outputs[0] == VLM_NO_VALUE) continue;
    vlm_plan_value *out = &plan->values[node->outputs[0]];
    vlm_value_id from = out->root == node->outputs[0] ? dying_input(plan, node, s) : VLM_NO_VALUE;
    if (from == VLM_NO_VALUE) continue;
    plan->values[from].last = out->last;
    out->root = from;
  }
  for (int32_t id = 0; id < n_values; id++) plan->values[id].root = root_of(plan, id);
}

/* ---- offsets ---- */

static int32_t list_values(const vlm_plan *plan, int32_t n_values, vlm_lifetime *items, vlm_value_id *ids) {
  int32_t count = 0;
  for (int32_t id = 0; id < n_values; id++) {
    const vlm_plan_value *v = &plan->values[id];
    if (v->store != VLM_STORE_ARENA || v->root != id || v->first < 0) continue;
    ids[count] = id;
    items[count++] =
        (vlm_lifetime){.bytes = vlm_tensor_bytes(&v->tensor), .first = v->first, .last = v->last};
  }
  return count;
}

/* Values first, then one item per step that wants work space. */
static int32_t list_items(const vlm_plan_builder *b, vlm_lifetime *items, vlm_value_id *ids,
                          size_t **offsets) {
  vlm_plan *plan = b->plan;
  int32_t count = list_values(plan, b->request->graph->n_values, items, ids);
  for (int32_t i = 0; i < count; i++) offsets[i] = &plan->values[ids[i]].offset;
  for (int32_t s = 0; s < plan->n_steps; s++) {
    vlm_step *step = &plan->steps[s];
    if (step->late || !vlm_step_is_prepared(step) || !step->binding.work_bytes) continue;
    offsets[count] = &step->work_offset;
    items[count++] = (vlm_lifetime){.bytes = step->binding.work_bytes, .first = s, .last = s};
  }
  return count;
}

vlm_status vlm_plan_memory(vlm_plan_builder *b) {
  vlm_status st = VLM_OK;
  vlm_lifetime *items = NULL;
  vlm_value_id *ids = NULL;
  size_t **offsets = NULL, n_values = (size_t)b->request->graph->n_values,
         most = n_values + (size_t)b->plan->n_steps;
  share_memory(b);
  VLM_TRY(vlm_new(&items, most, b->err));
  VLM_TRY(vlm_new(&ids, n_values, b->err));
  VLM_TRY(vlm_new(&offsets, most, b->err));
  int32_t count = list_items(b, items, ids, offsets);
  VLM_TRY(vlm_memory_plan(items, count, &b->plan->arena_bytes, b->err));
  for (int32_t i = 0; i < count; i++) *offsets[i] = items[i].offset;
  if (b->plan->arena_bytes > b->request->max_bytes) st = too_large(b);
out:
  vlm_free(items);
  vlm_free(ids);
  vlm_free(offsets);
  return st;
}

vlm_status vlm_plan_value_bytes(const vlm_plan *plan, const vlm_graph *graph, size_t *bytes, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_lifetime *items = NULL;
  vlm_value_id *ids = NULL;
  VLM_TRY(vlm_new(&items, (size_t)graph->n_values, err));
  VLM_TRY(vlm_new(&ids, (size_t)graph->n_values, err));
  VLM_TRY(vlm_memory_plan(items, list_values(plan, graph->n_values, items, ids), bytes, err));
out:
  vlm_free(items);
  vlm_free(ids);
  return st;
}
