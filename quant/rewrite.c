#include "quant/rewrite.h"

#include <string.h>

#include "runtime/lower/qdq.h"

vlm_status vlm_rewriter_open(vlm_rewriter *r, vlm_graph *root, const char *role, vlm_weight_store *weights,
                             vlm_error *err) {
  vlm_status st = VLM_OK;
  *r = (vlm_rewriter){.weights = weights, .err = err};
  VLM_TRY(vlm_arena_create(&r->arena, err));
  VLM_TRY(vlm_bodies_make(&r->bodies, root, role, r->arena, err));
  VLM_TRY(vlm_graph_keep(root, vlm_weight_store_share(weights), vlm_weight_store_release, err));
out:
  return st;
}

void vlm_rewriter_close(vlm_rewriter *r) {
  vlm_bodies_free(&r->bodies);
  vlm_free(r->stored);
  vlm_free(r->through);
  if (r->arena) vlm_arena_free(r->arena);
}

const vlm_body *vlm_rewriter_body(const vlm_rewriter *r, const char *path) {
  for (int32_t b = 0; b < r->bodies.count; b++)
    if (!strcmp(r->bodies.items[b].path, path)) return &r->bodies.items[b];
  return NULL;
}

/* ---- constants ---- */

/* A value of the graph that the name of a constant begins with. */
typedef struct {
  vlm_graph *graph;
  const char *base;
} named_for;

static vlm_status add_constant(vlm_rewriter *r, vlm_value_id *out, named_for at, const char *suffix,
                               const vlm_tensor *t, bool copy) {
  const char *name;
  vlm_status st = vlm_graph_free_name(at.graph, &name, at.base, suffix, r->err);
  return st == VLM_OK ? vlm_graph_add_constant(at.graph, out, name, t, copy, r->err) : st;
}

static vlm_status add_scalar(vlm_rewriter *r, vlm_value_id *out, named_for at, const char *suffix,
                             vlm_dtype dtype, double value) {
  uint64_t storage = 0;
  vlm_tensor t = vlm_tensor_make(dtype, 0, NULL, &storage);
  vlm_tensor_set(&t, 0, value);
  return add_constant(r, out, at, suffix, &t, true);
}

/* ---- weights ---- */

static vlm_stored *find_stored(const vlm_rewriter *r, vlm_origin origin, int32_t axis, bool rows) {
  for (int32_t i = 0; i < r->n_stored; i++) {
    vlm_stored *s = r->stored[i];
    if (s->owner == origin.graph && s->origin == origin.id && s->axis == axis && s->rows == rows) return s;
  }
  return NULL;
}

static vlm_status new_stored(vlm_rewriter *r, vlm_stored **out) {
  vlm_status st = VLM_OK;
  if (r->n_stored == r->cap_stored) {
    int32_t wanted = r->cap_stored ? 2 * r->cap_stored : 64;
    VLM_TRY(vlm_more(&r->stored, r->n_stored, wanted, r->err));
    r->cap_stored = wanted;
  }
  VLM_TRY(vlm_arena_new(r->arena, out, 1, r->err));
  r->stored[r->n_stored++] = *out;
out:
  return st;
}

/* By value, axis and form: consumers that see its channels along other dims have scales of their own. */
static vlm_status find_or_store(vlm_rewriter *r, vlm_stored **out, vlm_graph *graph,
                                const vlm_node_plan *plan, bool rows) {
  vlm_status st = VLM_OK;
  const vlm_weight_s8 *w;
  bool turned = rows && !vlm_weight_has_rows(&plan->constant, plan->slot.axis);
  vlm_origin origin = vlm_value_origin(graph, graph->nodes[plan->index].inputs[plan->slot.input]);
  *out = find_stored(r, origin, plan->slot.axis, turned);
  if (*out) return VLM_OK;
  const named_for at = {origin.graph, origin.graph->values[origin.id].name};
  VLM_TRY(vlm_weight_store_get(&w, r->weights, &plan->constant, plan->slot.axis, turned, r->err));
  VLM_TRY(new_stored(r, out));
  **out = (vlm_stored){.owner = origin.graph,
                       .origin = origin.id,
                       .axis = plan->slot.axis,
                       .rows = turned,
                       .dequantized = VLM_NO_VALUE};
  VLM_TRY(add_constant(r, &(*out)->data, at, "_quantized", &w->data, false));
  VLM_TRY(add_constant(r, &(*out)->scale, at, "_scale", &w->scale, false));
out:
  return st;
}

vlm_status vlm_rewrite_weight(vlm_rewriter *r, const vlm_stored **out, vlm_graph *graph,
                              const vlm_node_plan *plan, bool rows) {
  vlm_stored *stored = NULL;
  vlm_status st = find_or_store(r, &stored, graph, plan, rows);
  *out = stored;
  return st;
}

/* Other floats are made from float32, so that the scale is as exact as any. */
static vlm_status add_dequantizer(vlm_rewriter *r, vlm_stored *s, vlm_dtype dtype) {
  vlm_status st = VLM_OK;
  vlm_graph *graph = s->owner;
  const char *base = graph->values[s->origin].name;
  int64_t axis = s->rows ? graph->values[s->data].tensor.rank - 2 : s->axis;
  const vlm_qdq by = {.scale = s->scale, .zero = VLM_NO_VALUE, .axis = axis};
  VLM_TRY(vlm_qdq_dequantize(graph, &s->dequantized, base, s->data, &by, r->err));
  if (dtype != VLM_F32) VLM_TRY(vlm_qdq_cast(graph, &s->dequantized, base, s->dequantized, dtype, r->err));
out:
  return st;
}

vlm_status vlm_rewrite_dequantized(vlm_rewriter *r, vlm_value_id *out, vlm_graph *graph,
                                   const vlm_node_plan *plan, bool rows) {
  vlm_status st = VLM_OK;
  vlm_stored *s;
  VLM_TRY(find_or_store(r, &s, graph, plan, rows));
  if (s->dequantized == VLM_NO_VALUE) VLM_TRY(add_dequantizer(r, s, plan->constant.dtype));
  VLM_TRY(vlm_graph_capture(graph, out, (vlm_origin){s->owner, s->dequantized}, r->err));
out:
  return st;
}

/* ---- activations ---- */

static vlm_status remember(vlm_rewriter *r, const vlm_through *made) {
  vlm_status st = VLM_OK;
  if (r->n_through == r->cap_through) {
    int32_t wanted = r->cap_through ? 2 * r->cap_through : 64;
    VLM_TRY(vlm_more(&r->through, r->n_through, wanted, r->err));
    r->cap_through = wanted;
  }
  r->through[r->n_through++] = *made;
out:
  return st;
}

static vlm_status quantize_by(vlm_rewriter *r, vlm_value_id *out, vlm_graph *graph, vlm_value_id id,
                              const vlm_range *range, vlm_qdq *by) {
  vlm_status st = VLM_OK;
  const named_for at = {graph, graph->values[id].name};
  *by = (vlm_qdq){.axis = -1};
  VLM_TRY(add_scalar(r, &by->scale, at, "_scale", VLM_F32, (double)range->scale));
  VLM_TRY(add_scalar(r, &by->zero, at, "_zero_point", VLM_U8, range->zero_point));
  VLM_TRY(vlm_qdq_quantize(graph, out, at.base, id, by, r->err));
out:
  return st;
}

vlm_status vlm_rewrite_activation(vlm_rewriter *r, vlm_value_id *out, vlm_graph *graph, vlm_value_id id,
                                  const vlm_range *range, vlm_dtype dtype) {
  vlm_status st = VLM_OK;
  const char *base = graph->values[id].name;
  const float scale = range ? range->scale : 0;
  const int32_t zero = range ? range->zero_point : 0;
  vlm_qdq by;
  vlm_value_id q, floats = id;
  for (int32_t i = 0; i < r->n_through; i++) {
    const vlm_through *t = &r->through[i];
    if (t->graph != graph || t->id != id || t->scale != scale || t->zero_point != zero) continue;
    *out = t->dequantized;
    return VLM_OK;
  }
  if (dtype != VLM_F32) VLM_TRY(vlm_qdq_cast(graph, &floats, base, id, VLM_F32, r->err));
  if (range) VLM_TRY(quantize_by(r, &q, graph, floats, range, &by));
  else VLM_TRY(vlm_qdq_quantize_dynamic(graph, &q, base, floats, &by, r->err));
  VLM_TRY(vlm_qdq_dequantize(graph, out, base, q, &by, r->err));
  if (dtype != VLM_F32) VLM_TRY(vlm_qdq_cast(graph, out, base, *out, dtype, r->err));
  VLM_TRY(remember(r, &(vlm_through){graph, id, *out, scale, zero}));
out:
  return st;
}
