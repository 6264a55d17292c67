/* The operators on whole sequences: what each makes of the lists, and the plain operator that takes its place. */
#include <string.h>

#include "onnx/sequence.h"
#include "onnx/tensor_proto.h"

/* The whole number at input k; *out is left alone when the input is left out, *constant tells whether it is known. */
static vlm_status read_position(vlm_seq_scope *scope, int32_t n, int32_t k, int64_t *out, bool *constant) {
  vlm_status st = VLM_OK;
  const vlm_node *node = &scope->graph->nodes[n];
  vlm_value_id id = k < node->n_inputs ? node->inputs[k] : VLM_NO_VALUE;
  *constant = true;
  if (id == VLM_NO_VALUE) return VLM_OK;
  const char *name = scope->graph->values[id].name;
  const vlm_tensor *type = vlm_seq_type(scope->graph, id), *t = vlm_graph_constant(scope->graph, id);
  VLM_CHECK(type->dtype == VLM_NONE || type->dtype == VLM_S64 || type->dtype == VLM_S32, scope->walk->err,
            VLM_INPUT, "position \"%s\" is %s, wanted int32 or int64", name, vlm_dtype_name(type->dtype));
  *constant = t != NULL;
  if (t == NULL) return VLM_OK;
  VLM_CHECK(vlm_tensor_count(t) == 1, scope->walk->err, VLM_INPUT,
            "position \"%s\" has %lld elements, wanted one", name, (long long)vlm_tensor_count(t));
  *out = vlm_tensor_get_int(t, 0);
out:
  return st;
}

static vlm_status not_constant(vlm_seq_scope *scope, int32_t n, int32_t k) {
  return vlm_fail(scope->walk->err, VLM_UNSUPPORTED,
                  "the sequence cannot be followed on import: position \"%s\" is not constant",
                  scope->graph->values[scope->graph->nodes[n].inputs[k]].name);
}

/* A constant position within [-count, last]; input left out: `fallback`. The result counts from the front. */
static vlm_status position(vlm_seq_scope *scope, int32_t n, int32_t k, int32_t count, int32_t last,
                           int32_t fallback, int32_t *out) {
  vlm_status st = VLM_OK;
  int64_t at = fallback;
  bool constant = false;
  VLM_TRY(read_position(scope, n, k, &at, &constant));
  if (!constant) return not_constant(scope, n, k);
  VLM_CHECK(at >= -(int64_t)count && at <= last, scope->walk->err, VLM_INPUT,
            "position %lld is outside the sequence of %d tensors", (long long)at, count);
  *out = (int32_t)(at < 0 ? at + count : at);
out:
  return st;
}

/* Item k of a new list; all tensors of a sequence have one element type. */
static vlm_status put(vlm_seq_scope *scope, vlm_sequence *list, int32_t k, vlm_value_id id) {
  vlm_status st = VLM_OK;
  vlm_dtype dtype = vlm_seq_type(scope->graph, id)->dtype;
  VLM_CHECK(dtype == VLM_NONE || list->dtype == VLM_NONE || dtype == list->dtype, scope->walk->err, VLM_INPUT,
            "\"%s\" is %s, the other tensors of the sequence are %s", scope->graph->values[id].name,
            vlm_dtype_name(dtype), vlm_dtype_name(list->dtype));
  if (dtype != VLM_NONE) list->dtype = dtype;
  list->items[k] = (vlm_seq_item){scope->graph, id};
out:
  return st;
}

vlm_status vlm_seq_empty(vlm_seq_scope *scope, int32_t n, const vlm_sequence *in, vlm_sequence **out) {
  vlm_status st = VLM_OK;
  int64_t code = scope->graph->nodes[n].args[0]->u.i;
  int32_t type = code >= 0 && code <= INT32_MAX ? (int32_t)code : -1;
  vlm_dtype dtype = vlm_dtype_from_onnx(type);
  (void)in;
  VLM_CHECK(dtype != VLM_NONE, scope->walk->err, VLM_UNSUPPORTED, "element type %s (%lld) is not supported",
            vlm_onnx_type_name(type), (long long)code);
  VLM_TRY(vlm_seq_list(scope->walk, 0, out));
  (*out)->dtype = dtype;
out:
  return st;
}

vlm_status vlm_seq_construct(vlm_seq_scope *scope, int32_t n, const vlm_sequence *in, vlm_sequence **out) {
  vlm_status st = VLM_OK;
  const vlm_node *node = &scope->graph->nodes[n];
  (void)in;
  VLM_TRY(vlm_seq_list(scope->walk, node->n_inputs, out));
  for (int32_t k = 0; k < node->n_inputs; k++) {
    VLM_CHECK(node->inputs[k] != VLM_NO_VALUE, scope->walk->err, VLM_INPUT,
              "input %d is left out, but it is not optional", k);
    VLM_TRY(put(scope, *out, k, node->inputs[k]));
  }
out:
  return st;
}

vlm_status vlm_seq_insert(vlm_seq_scope *scope, int32_t n, const vlm_sequence *in, vlm_sequence **out) {
  vlm_status st = VLM_OK;
  int32_t at = 0;
  VLM_TRY(vlm_seq_known(scope, in));
  VLM_TRY(position(scope, n, 2, in->count, in->count, in->count, &at));
  VLM_TRY(vlm_seq_list(scope->walk, in->count + 1, out));
  (*out)->dtype = in->dtype;
  memcpy((*out)->items, in->items, (size_t)at * sizeof *in->items);
  memcpy((*out)->items + at + 1, in->items + at, (size_t)(in->count - at) * sizeof *in->items);
  VLM_TRY(put(scope, *out, at, scope->graph->nodes[n].inputs[1]));
out:
  return st;
}

vlm_status vlm_seq_erase(vlm_seq_scope *scope, int32_t n, const vlm_sequence *in, vlm_sequence **out) {
  vlm_status st = VLM_OK;
  int32_t at = 0;
  VLM_TRY(vlm_seq_known(scope, in));
  VLM_CHECK(in->count > 0, scope->walk->err, VLM_INPUT, "the sequence is empty");
  VLM_TRY(position(scope, n, 1, in->count, in->count - 1, in->count - 1, &at));
  VLM_TRY(vlm_seq_list(scope->walk, in->count - 1, out));
  (*out)->dtype = in->dtype;
  memcpy((*out)->items, in->items, (size_t)at * sizeof *in->items);
  memcpy((*out)->items + at, in->items + at + 1, (size_t)(in->count - at - 1) * sizeof *in->items);
out:
  return st;
}

/* One of many slices of size 1, at a position that may be known at run time only: Gather with a scalar, and the axis again if it stays. */
static vlm_status gather(vlm_seq_scope *scope, int32_t n, const vlm_sequence *in, bool constant, int64_t at) {
  vlm_status st = VLM_OK;
  vlm_graph *graph = scope->graph;
  vlm_value_id ids[2] = {VLM_NO_VALUE, graph->nodes[n].inputs[1]}, made = VLM_NO_VALUE;
  const char *label = NULL;
  int32_t g = n;
  VLM_TRY(vlm_seq_use(scope, &in->source, &ids[0]));
  if (constant) {
    const vlm_tensor scalar = vlm_tensor_make(VLM_S64, 0, NULL, &at);
    VLM_TRY(vlm_graph_add_constant(graph, &ids[1], NULL, &scalar, true, scope->walk->err));
  }
  if (in->keepdims) {
    VLM_TRY(vlm_arena_format(graph->arena, &label, scope->walk->err, "%s.gathered", vlm_seq_label(scope, n)));
    VLM_TRY(vlm_seq_add(scope, label, "Gather", ids[0], in->axis, &made));
    VLM_TRY(vlm_seq_become(scope, n, "Unsqueeze", &made, 1, "axes", in->axis));
    g = graph->values[made].producer;
  }
  VLM_TRY(vlm_seq_become(scope, g, "Gather", ids, 2, "axis", in->axis));
out:
  return st;
}

/* A larger one, counted from the front: the last may be short, which only the run can know, so that Slice it is. */
static vlm_status slice(vlm_seq_scope *scope, int32_t n, const vlm_sequence *in, int64_t at) {
  vlm_status st = VLM_OK;
  static const int64_t one = 1;
  int64_t numbers[3] = {0, 0, in->axis}; /* start, end, axis */
  vlm_value_id ids[4] = {VLM_NO_VALUE};
  VLM_CHECK(!__builtin_mul_overflow(at, in->size, &numbers[0]) &&
                !__builtin_add_overflow(numbers[0], in->size, &numbers[1]),
            scope->walk->err, VLM_INPUT, "position %lld is outside every sequence of pieces of size %lld",
            (long long)at, (long long)in->size);
  VLM_TRY(vlm_seq_use(scope, &in->source, &ids[0]));
  for (int k = 0; k < 3; k++) {
    const vlm_tensor t = vlm_tensor_make(VLM_S64, 1, &one, &numbers[k]);
    VLM_TRY(vlm_graph_add_constant(scope->graph, &ids[k + 1], NULL, &t, true, scope->walk->err));
  }
  VLM_TRY(vlm_seq_become(scope, n, "Slice", ids, 4, NULL, 0));
out:
  return st;
}

vlm_status vlm_seq_at(vlm_seq_scope *scope, int32_t n, const vlm_sequence *in, vlm_sequence **out) {
  vlm_status st = VLM_OK;
  int64_t at = 0;
  bool constant = false;
  (void)out;
  VLM_TRY(read_position(scope, n, 1, &at, &constant));
  bool scalar = constant || vlm_seq_type(scope->graph, scope->graph->nodes[n].inputs[1])->rank == 0;
  bool apart = in->source.owner != NULL && (!constant || in->count < 0);
  if (apart && in->size == 1 && scalar) return gather(scope, n, in, constant, at);
  if (apart && constant && at >= 0) return slice(scope, n, in, at);
  VLM_TRY(vlm_seq_known(scope, in));
  int32_t k = 0;
  vlm_value_id item = VLM_NO_VALUE;
  VLM_TRY(position(scope, n, 1, in->count, in->count - 1, 0, &k));
  VLM_TRY(vlm_seq_use(scope, &in->items[k], &item));
  VLM_TRY(vlm_seq_become(scope, n, "Identity", &item, 1, NULL, 0));
out:
  return st;
}

vlm_status vlm_seq_length(vlm_seq_scope *scope, int32_t n, const vlm_sequence *in, vlm_sequence **out) {
  vlm_status st = VLM_OK;
  void *memory = NULL;
  (void)out;
  VLM_TRY(vlm_seq_known(scope, in));
  if (scope->graph->nodes[n].outputs[0] == VLM_NO_VALUE) return VLM_OK;
  VLM_TRY(vlm_arena_alloc(scope->graph->arena, &memory, 1, sizeof(int64_t), scope->walk->err));
  *(int64_t *)memory = in->count;
  const vlm_tensor length = vlm_tensor_make(VLM_S64, 0, NULL, memory);
  vlm_pass_become_constant(scope->graph, n, 0, &length);
  scope->walk->new_constants = true;
out:
  return st;
}

static vlm_status unsqueeze(vlm_seq_scope *scope, int32_t n, int64_t axis, int32_t k, vlm_value_id *id) {
  vlm_status st = VLM_OK;
  const char *label = NULL;
  VLM_TRY(
      vlm_arena_format(scope->graph->arena, &label, scope->walk->err, "%s/%d", vlm_seq_label(scope, n), k));
  VLM_TRY(vlm_seq_add(scope, label, "Unsqueeze", *id, axis, id));
out:
  return st;
}

vlm_status vlm_seq_concat(vlm_seq_scope *scope, int32_t n, const vlm_sequence *in, vlm_sequence **out) {
  vlm_status st = VLM_OK;
  const vlm_attr *const *args = scope->graph->nodes[n].args;
  int64_t axis = args[0]->u.i, stack = args[1]->u.i;
  vlm_sequence *used = NULL;
  vlm_value_id *ids = NULL;
  (void)out;
  VLM_TRY(vlm_seq_known(scope, in));
  VLM_CHECK(in->count > 0, scope->walk->err, VLM_INPUT, "the sequence is empty");
  VLM_CHECK(stack == 0 || stack == 1, scope->walk->err, VLM_INPUT,
            "attribute \"new_axis\" is %lld, wanted 0 or 1", (long long)stack);
  VLM_TRY(vlm_seq_list(scope->walk, in->count, &used)); /* counts what this node makes */
  VLM_TRY(vlm_arena_new(scope->walk->arena, &ids, in->count, scope->walk->err));
  for (int32_t k = 0; k < in->count; k++) {
    VLM_TRY(vlm_seq_use(scope, &in->items[k], &ids[k]));
    if (stack == 1) VLM_TRY(unsqueeze(scope, n, axis, k, &ids[k]));
  }
  VLM_TRY(vlm_seq_become(scope, n, "Concat", ids, in->count, "axis", axis));
out:
  return st;
}
