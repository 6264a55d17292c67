#include "runtime/exec/borrow.h"

#include <assert.h>

enum { NOTED_INPUTS = 64 };

static vlm_status take(vlm_step *step, int32_t k, const void *data, vlm_lazy *lazy, vlm_error *err) {
  vlm_status st = VLM_OK;
  if (step->borrowed[k] || !vlm_lazy_holds(lazy, data)) goto out;
  VLM_TRY(vlm_lazy_take(lazy, data, err));
  step->borrowed[k] = data;
  step->n_borrowed++;
out:
  return st;
}

static void give(vlm_step *step, int32_t k, vlm_lazy *lazy) {
  if (!step->borrowed[k]) return;
  vlm_lazy_give(lazy, step->borrowed[k]);
  step->borrowed[k] = NULL;
  step->n_borrowed--;
  assert(step->n_borrowed >= 0);
}

static const void *constant(const vlm_plan_request *r, const vlm_node *node, int32_t k) {
  const vlm_tensor *t =
      node->inputs[k] == VLM_NO_VALUE ? NULL : vlm_constants_get(r->constants, node->inputs[k]);
  return t ? t->data : NULL;
}

static bool was_packed(const vlm_plan_request *r, int32_t node, int32_t k) {
  return k < NOTED_INPUTS && r->packed[node] >> k & 1;
}

vlm_status vlm_step_take(vlm_step *step, const vlm_plan_request *r, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_node *node = &r->graph->nodes[step->node];
  for (int32_t k = 0; r->graph->lazy && k < node->n_inputs; k++)
    if (!was_packed(r, step->node, k)) VLM_TRY(take(step, k, constant(r, node, k), r->graph->lazy, err));
out:
  return st;
}

vlm_status vlm_step_settle(vlm_step *step, const vlm_plan_request *r, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_node *node = &r->graph->nodes[step->node];
  for (int32_t k = 0; r->graph->lazy && k < node->n_inputs; k++) {
    if (!step->binding.packed[k]) {
      VLM_TRY(take(step, k, constant(r, node, k), r->graph->lazy, err));
      continue;
    }
    give(step, k, r->graph->lazy);
    if (k < NOTED_INPUTS) r->packed[step->node] |= (uint64_t)1 << k;
  }
out:
  return st;
}

void vlm_step_give_packed(vlm_step *step, vlm_lazy *lazy) {
  for (int32_t k = 0; step->n_borrowed > 0 && k < step->call.n_in; k++)
    if (step->binding.packed[k]) give(step, k, lazy);
}

void vlm_step_give_all(vlm_step *step, vlm_lazy *lazy) {
  for (int32_t k = 0; step->n_borrowed > 0 && k < step->call.n_in; k++) give(step, k, lazy);
}

vlm_status vlm_tensors_take(vlm_lazy *lazy, const vlm_tensor *const *tensors, int32_t count, int32_t *held,
                            vlm_error *err) {
  vlm_status st = VLM_OK;
  for (*held = 0; *held < count; ++*held)
    VLM_TRY(vlm_lazy_take(lazy, tensors[*held] ? tensors[*held]->data : NULL, err));
out:
  return st;
}

void vlm_tensors_give(vlm_lazy *lazy, const vlm_tensor *const *tensors, int32_t held) {
  for (int32_t i = 0; i < held; i++) vlm_lazy_give(lazy, tensors[i] ? tensors[i]->data : NULL);
}
