/* SplitToSequence: Split with one output per piece, and Squeeze where the axis goes, when the number of pieces is known. */
#include "onnx/sequence.h"

typedef struct pieces {
  int64_t axis, dim; /* dim -1 = not known */
  int64_t size;      /* of all but the last, when even */
  int64_t count;     /* -1 = not known */
  bool even, squeeze;
  const vlm_tensor *sizes; /* a constant list, or NULL */
  vlm_value_id computed;   /* a list of known length that is computed, or VLM_NO_VALUE */
  const char *why;
} pieces;

static vlm_status known_dim(vlm_seq_scope *scope, vlm_value_id x, pieces *p) {
  vlm_status st = VLM_OK;
  const vlm_tensor *type = vlm_seq_type(scope->graph, x);
  p->dim = -1;
  if (type->rank < 0) return VLM_OK;
  VLM_CHECK(p->axis >= -type->rank && p->axis < type->rank, scope->walk->err, VLM_INPUT,
            "axis %lld is outside the %d dimensions of \"%s\"", (long long)p->axis, type->rank,
            scope->graph->values[x].name);
  p->dim = type->dims[p->axis < 0 ? p->axis + type->rank : p->axis];
out:
  return st;
}

static vlm_status count_even(vlm_seq_scope *scope, vlm_value_id x, int64_t size, pieces *p) {
  vlm_status st = VLM_OK;
  VLM_CHECK(size > 0, scope->walk->err, VLM_INPUT, "pieces of size %lld, wanted 1 or more", (long long)size);
  p->even = true;
  p->size = size;
  p->count = p->dim < 0 ? -1 : p->dim / size + (p->dim % size != 0);
  if (p->dim < 0)
    VLM_TRY(vlm_arena_format(scope->walk->arena, &p->why, scope->walk->err,
                             "dimension %lld of \"%s\" is not known", (long long)p->axis,
                             scope->graph->values[x].name));
out:
  return st;
}

static vlm_status count_list(vlm_seq_scope *scope, const vlm_tensor *sizes, pieces *p) {
  vlm_status st = VLM_OK;
  int64_t left = p->dim;
  p->sizes = sizes;
  p->count = vlm_tensor_count(sizes);
  for (int64_t k = 0; k < p->count; k++) {
    int64_t size = vlm_tensor_get_int(sizes, k);
    VLM_CHECK(size >= 0 && (p->dim < 0 || size <= left), scope->walk->err, VLM_INPUT,
              "piece %lld has size %lld, %lld are left of %lld", (long long)k, (long long)size,
              (long long)left, (long long)p->dim);
    left -= p->dim < 0 ? 0 : size;
  }
  VLM_CHECK(p->dim < 0 || left == 0, scope->walk->err, VLM_INPUT, "the pieces leave %lld of %lld",
            (long long)left, (long long)p->dim);
out:
  return st;
}

static vlm_status count_computed(vlm_seq_scope *scope, vlm_value_id sizes, pieces *p) {
  const vlm_tensor *type = vlm_seq_type(scope->graph, sizes);
  p->computed = sizes;
  p->count = type->rank == 1 ? type->dims[0] : -1;
  if (p->count >= 0) return VLM_OK;
  return vlm_arena_format(scope->walk->arena, &p->why, scope->walk->err,
                          "the sizes \"%s\" are neither constant nor a list of known length",
                          scope->graph->values[sizes].name);
}

static vlm_status count_pieces(vlm_seq_scope *scope, int32_t n, pieces *p) {
  vlm_status st = VLM_OK;
  const vlm_node *node = &scope->graph->nodes[n];
  vlm_value_id x = node->inputs[0], sizes = node->n_inputs > 1 ? node->inputs[1] : VLM_NO_VALUE;
  int64_t keepdims = node->args[1]->u.i;
  *p = (pieces){.axis = node->args[0]->u.i, .computed = VLM_NO_VALUE};
  VLM_CHECK(keepdims == 0 || keepdims == 1, scope->walk->err, VLM_INPUT,
            "attribute \"keepdims\" is %lld, wanted 0 or 1", (long long)keepdims);
  VLM_TRY(known_dim(scope, x, p));
  /* keepdims counts only where no sizes are given. */
  p->squeeze = sizes == VLM_NO_VALUE && keepdims == 0;
  if (sizes == VLM_NO_VALUE) return count_even(scope, x, 1, p);
  const vlm_tensor *type = vlm_seq_type(scope->graph, sizes), *t = vlm_graph_constant(scope->graph, sizes);
  VLM_CHECK((type->dtype == VLM_NONE || type->dtype == VLM_S64 || type->dtype == VLM_S32) && type->rank <= 1,
            scope->walk->err, VLM_INPUT,
            "the sizes \"%s\" are %s of %d dimensions, wanted int32 or int64 of at most one",
            scope->graph->values[sizes].name, vlm_dtype_name(type->dtype), type->rank);
  if (t == NULL) return count_computed(scope, sizes, p);
  return t->rank == 0 ? count_even(scope, x, vlm_tensor_get_int(t, 0), p) : count_list(scope, t, p);
out:
  return st;
}

/* The sizes as the list that Split wants. */
static vlm_status list_sizes(vlm_seq_scope *scope, const pieces *p, const int64_t **out) {
  vlm_status st = VLM_OK;
  void *memory = NULL;
  VLM_TRY(
      vlm_arena_alloc(scope->graph->arena, &memory, (size_t)p->count + 1, sizeof(int64_t), scope->walk->err));
  int64_t *list = memory;
  for (int64_t k = 0; k < p->count; k++) {
    int64_t rest = p->dim - k * p->size;
    list[k] = p->even ? (rest < p->size ? rest : p->size) : vlm_tensor_get_int(p->sizes, k);
  }
  *out = list;
out:
  return st;
}

static vlm_status write_split(vlm_seq_scope *scope, int32_t n, const pieces *p) {
  vlm_status st = VLM_OK;
  const int64_t *list = NULL;
  bool computed = p->computed != VLM_NO_VALUE;
  const vlm_value_id ids[2] = {scope->graph->nodes[n].inputs[0], p->computed};
  VLM_TRY(vlm_pass_rewrite(scope->graph, n, "", "Split", computed ? 13 : 11, ids, computed ? 2 : 1,
                           computed ? 1 : 2, scope->walk->err));
  vlm_attr *attrs = scope->graph->nodes[n].attrs;
  attrs[0] = (vlm_attr){.name = "axis", .kind = VLM_ATTR_INT, .u.i = p->axis};
  if (computed) return VLM_OK;
  VLM_TRY(list_sizes(scope, p, &list));
  attrs[1] = (vlm_attr){.name = "split", .kind = VLM_ATTR_INTS, .count = (int32_t)p->count, .u.ints = list};
out:
  return st;
}

/* Output k of the Split and, where the axis goes, the value without it. The values are named "SEQUENCE/k". */
static vlm_status write_piece(vlm_seq_scope *scope, int32_t n, const char *name, const pieces *p, int32_t k,
                              vlm_seq_item *item) {
  vlm_status st = VLM_OK;
  vlm_graph *graph = scope->graph;
  vlm_error *err = scope->walk->err;
  const char *label = NULL;
  VLM_TRY(vlm_arena_format(graph->arena, &label, err, "%s/%d%s", name, k, p->squeeze ? ".kept" : ""));
  VLM_TRY(vlm_graph_free_name(graph, &label, label, "", err));
  VLM_TRY(vlm_graph_add_value(graph, &item->id, label, VLM_VALUE_NODE, err));
  graph->values[item->id].tensor.dtype = vlm_seq_type(graph, graph->nodes[n].inputs[0])->dtype;
  vlm_node_set_output(graph, n, k, item->id);
  item->owner = graph;
  if (!p->squeeze) return VLM_OK;
  VLM_TRY(vlm_arena_format(graph->arena, &label, err, "%s/%d", name, k));
  VLM_TRY(vlm_seq_add(scope, label, "Squeeze", item->id, p->axis, &item->id));
out:
  return st;
}

static vlm_status write_pieces(vlm_seq_scope *scope, int32_t n, const pieces *p, vlm_sequence *list) {
  vlm_status st = VLM_OK;
  void *memory = NULL;
  const char *name = vlm_seq_label(scope, n);
  VLM_TRY(vlm_arena_alloc(scope->graph->arena, &memory, (size_t)p->count, sizeof(vlm_value_id),
                          scope->walk->err));
  VLM_TRY(write_split(scope, n, p));
  scope->graph->nodes[n].outputs = memory;
  scope->graph->nodes[n].n_outputs = (int32_t)p->count;
  for (int32_t k = 0; k < p->count; k++) scope->graph->nodes[n].outputs[k] = VLM_NO_VALUE;
  for (int32_t k = 0; k < p->count; k++) VLM_TRY(write_piece(scope, n, name, p, k, &list->items[k]));
out:
  return st;
}

/* Even pieces can be taken from the tensor, however many they are. */
static void note_source(vlm_seq_scope *scope, int32_t n, const pieces *p, vlm_sequence *list) {
  list->dtype = vlm_seq_type(scope->graph, scope->graph->nodes[n].inputs[0])->dtype;
  if (!p->even) return;
  list->source = (vlm_seq_item){scope->graph, scope->graph->nodes[n].inputs[0]};
  list->axis = p->axis;
  list->size = p->size;
  list->keepdims = !p->squeeze;
}

vlm_status vlm_seq_split(vlm_seq_scope *scope, int32_t n, const vlm_sequence *in, vlm_sequence **out) {
  vlm_status st = VLM_OK;
  pieces p;
  (void)in;
  VLM_TRY(count_pieces(scope, n, &p));
  VLM_TRY(vlm_seq_list(scope->walk, p.count < 0 ? 0 : p.count, out));
  note_source(scope, n, &p, *out);
  if (p.count < 0) {
    (*out)->count = -1;
    VLM_TRY(vlm_arena_format(scope->walk->arena, &(*out)->why, scope->walk->err,
                             "node \"%s\" (SplitToSequence): %s", scope->graph->nodes[n].name, p.why));
  } else if (p.count > 0) {
    VLM_TRY(write_pieces(scope, n, &p, *out));
  }
out:
  return st;
}
