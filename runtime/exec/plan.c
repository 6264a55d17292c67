#include "runtime/exec/plan.h"

#include <assert.h>

#include "runtime/exec/borrow.h"
#include "runtime/exec/plan_build.h"
#include "runtime/ops/packed.h"

static vlm_status build(vlm_plan_builder *b, bool shapes_alone) {
  vlm_status st = VLM_OK;
  const vlm_graph *graph = b->request->graph;
  VLM_TRY(vlm_arena_new(b->plan->arena, &b->plan->values, graph->n_values, b->err));
  VLM_TRY(vlm_new(&b->needed, graph->n_values, b->err));
  VLM_TRY(vlm_new(&b->folded, graph->n_nodes, b->err));
  VLM_TRY(vlm_new(&b->kinds, graph->n_nodes, b->err));
  VLM_TRY(vlm_new(&b->calls, graph->n_nodes, b->err));
  VLM_TRY(vlm_new(&b->orders, graph->n_values, b->err));
  VLM_TRY(vlm_new(&b->instead, graph->n_nodes, b->err));
  for (int32_t n = 0; n < graph->n_nodes; n++) b->instead[n] = VLM_NO_VALUE;
  for (int32_t id = 0; id < graph->n_values; id++) b->tapped |= b->request->tapped[id];
  VLM_TRY(vlm_plan_shapes(b));
  if (shapes_alone) goto out;
  VLM_TRY(vlm_plan_steps(b));
  VLM_TRY(vlm_plan_memory(b));
  assert(!vlm_plan_broken(b->plan, graph));
out:
  vlm_free(b->needed);
  vlm_free(b->folded);
  vlm_free(b->kinds);
  vlm_free(b->calls);
  vlm_free(b->orders);
  vlm_free(b->instead);
  return st;
}

static vlm_status create(vlm_plan **out, const vlm_plan_request *request, bool shapes_alone, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_plan *plan = NULL;
  VLM_TRY(vlm_new(&plan, 1, err));
  VLM_TRY(vlm_arena_create(&plan->arena, err));
  plan->lazy = request->graph->lazy;
  vlm_plan_builder b = {.request = request, .plan = plan, .err = err};
  VLM_TRY(build(&b, shapes_alone));
out:
  if (st != VLM_OK) {
    vlm_plan_free(plan);
    plan = NULL;
  }
  *out = plan;
  return st;
}

vlm_status vlm_plan_create(vlm_plan **out, const vlm_plan_request *request, vlm_error *err) {
  return create(out, request, false, err);
}

vlm_status vlm_plan_create_shapes(vlm_plan **out, const vlm_plan_request *request, vlm_error *err) {
  return create(out, request, true, err);
}

void vlm_plan_free(vlm_plan *plan) {
  if (!plan) return;
  for (int32_t s = 0; s < plan->n_steps; s++) {
    vlm_step_give_all(&plan->steps[s], plan->lazy);
    vlm_op_binding_release(&plan->steps[s].binding);
  }
  vlm_arena_free(plan->arena);
  vlm_free(plan);
}
