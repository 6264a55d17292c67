/* Orders of dims, seen through Transposes and views: a Transpose behind which the values lie as they did in an earlier one is a view of that
 * one, and what stands between the two goes when nobody else reads it. So maps that become tokens and maps again are not copied, whatever
 * the model calls their dims. Shapes must be known: this is part of stage 1. */
#include "runtime/exec/plan_build.h"

enum { MOST_DIMS = 2 * VLM_MAX_RANK };

/* The value's dims other than 1, in elements of `base`, whose bytes they are. */
struct vlm_plan_order {
  vlm_value_id base;
  int32_t n;
  int64_t size[MOST_DIMS], stride[MOST_DIMS];
};

static void push(vlm_plan_order *o, int64_t size, int64_t stride) {
  if (size == 1) return;
  o->size[o->n] = size;
  o->stride[o->n++] = stride;
}

static vlm_plan_order in_order(const vlm_plan_builder *b, vlm_value_id id) {
  const vlm_tensor *t = &b->plan->values[id].tensor;
  vlm_plan_order o = {.base = b->plan->values[id].root};
  int64_t stride = vlm_tensor_count(t);
  for (int i = 0; i < t->rank; i++) push(&o, t->dims[i], stride /= t->dims[i]);
  return o;
}

static bool is_in_order(const vlm_plan_order *o) {
  int64_t stride = 1;
  for (int32_t i = o->n - 1; i >= 0; stride *= o->size[i--])
    if (o->stride[i] != stride) return false;
  return true;
}

/* Neighbours that lie like one dim become one. */
static void join(vlm_plan_order *o) {
  int32_t n = 0;
  for (int32_t i = 0; i < o->n; i++) {
    const bool one = n > 0 && o->stride[n - 1] == o->size[i] * o->stride[i];
    if (one) o->size[n - 1] *= o->size[i];
    else o->size[n++] = o->size[i];
    o->stride[n - 1] = o->stride[i];
  }
  o->n = n;
}

/* The same elements as `dims` cut them; false when a cut goes through a dim that lies apart. */
static bool reshape(vlm_plan_order *o, const vlm_tensor *shape) {
  vlm_plan_order joined = *o;
  int32_t at = 0;
  join(&joined);
  o->n = 0;
  int64_t left = joined.n ? joined.size[0] : 1;
  for (int i = 0; i < shape->rank; i++) {
    const int64_t size = shape->dims[i];
    if (size == 1) continue;
    if (left == 1 && ++at < joined.n) left = joined.size[at];
    if (at >= joined.n || left % size != 0) return false;
    left /= size;
    push(o, size, left * joined.stride[at]);
  }
  return true;
}

static vlm_status keep(vlm_plan_builder *b, vlm_value_id id, const vlm_plan_order *o) {
  vlm_status st = vlm_arena_new(b->plan->arena, &b->orders[id], 1, b->err);
  if (st == VLM_OK) *b->orders[id] = *o;
  return st;
}

vlm_status vlm_plan_see_view(vlm_plan_builder *b, const vlm_node *node) {
  const vlm_value_id in = node->inputs[0], out = node->outputs[0];
  if (!b->orders[in]) return VLM_OK;
  vlm_plan_order o = *b->orders[in];
  return reshape(&o, &b->plan->values[out].tensor) ? keep(b, out, &o) : VLM_OK;
}

vlm_status vlm_plan_see_move(vlm_plan_builder *b, const vlm_node *node, const vlm_op_call *call,
                             vlm_value_id *view_of) {
  const vlm_value_id in = node->inputs[0];
  const vlm_tensor *x = call->in[0];
  vlm_plan_order o = {.base = in}, from;
  int64_t size[VLM_MAX_RANK], stride[VLM_MAX_RANK];
  *view_of = VLM_NO_VALUE;
  if (b->tapped || vlm_tensor_count(x) == 0) return VLM_OK;
  if (b->plan->values[b->plan->values[in].root].store != VLM_STORE_ARENA) return VLM_OK;
  from = b->orders[in] ? *b->orders[in] : in_order(b, in);
  for (int i = 0, k = 0; i < x->rank; i++) {
    size[i] = x->dims[i];
    stride[i] = size[i] == 1 ? 0 : from.stride[k++];
  }
  o.base = from.base;
  for (int i = 0; i < x->rank; i++) push(&o, size[call->order[i]], stride[call->order[i]]);
  if (is_in_order(&o)) *view_of = o.base;
  return keep(b, node->outputs[0], &o);
}
