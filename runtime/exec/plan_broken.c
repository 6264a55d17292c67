/* The rules that every plan keeps; asserted when one was made. */
#include "runtime/exec/plan.h"

static const char *value_broken(const vlm_plan *plan, vlm_value_id id) {
  const vlm_plan_value *v = &plan->values[id], *root = &plan->values[v->root];
  const bool placed = v->store == VLM_STORE_ARENA && v->root == id && v->first >= 0;
  if (root->root != v->root) return "a root has another root";
  if (v->first > v->last) return "a value dies before it is made";
  if (v->last != INT32_MAX && v->last >= plan->n_steps) return "a value dies behind the last step";
  if (v->store == VLM_STORE_ARENA && !v->shape_known)
    return "a value of unknown size has a place in the arena";
  if (placed && v->offset % VLM_ALIGN != 0) return "a place in the arena is not aligned";
  if (placed &&
      (v->offset > plan->arena_bytes || vlm_tensor_bytes(&v->tensor) > plan->arena_bytes - v->offset))
    return "a place is outside the arena";
  return NULL;
}

static const char *dead_broken(const vlm_plan *plan, int32_t s) {
  for (int32_t i = 0; i < plan->steps[s].n_dead; i++) {
    const vlm_plan_value *v = &plan->values[plan->steps[s].dead[i]];
    if (v->store != VLM_STORE_HEAP || v->last != s) return "a step frees what is not its own";
  }
  return NULL;
}

/* Inputs that steps make lie in front. */
static const char *inputs_broken(const vlm_plan *plan, const vlm_node *node, int32_t s) {
  for (int32_t k = 0; k < node->n_inputs; k++) {
    if (node->inputs[k] == VLM_NO_VALUE) continue;
    const vlm_plan_value *root = &plan->values[plan->values[node->inputs[k]].root];
    const bool made = root->store == VLM_STORE_ARENA || root->store == VLM_STORE_HEAP;
    if (made && (root->first < 0 || root->first >= s)) return "a step reads what is not there yet";
    if (made && root->last < s) return "a step reads what is dead";
  }
  return NULL;
}

static const char *step_broken(const vlm_plan *plan, const vlm_graph *graph, int32_t s) {
  const vlm_step *step = &plan->steps[s];
  if (s > 0 && plan->steps[s - 1].node >= step->node) return "steps are not in the order of nodes";
  if (step->late && !vlm_step_is_prepared(step)) return "a step that is inferred when reached is late";
  const char *why = dead_broken(plan, s);
  return why ? why : inputs_broken(plan, &graph->nodes[step->node], s);
}

const char *vlm_plan_broken(const vlm_plan *plan, const vlm_graph *graph) {
  const char *why = NULL;
  for (vlm_value_id id = 0; !why && id < graph->n_values; id++) why = value_broken(plan, id);
  for (int32_t s = 0; !why && s < plan->n_steps; s++) why = step_broken(plan, graph, s);
  return why;
}
