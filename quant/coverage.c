#include "quant/coverage.h"

#include <stdlib.h>
#include <string.h>

#include "quant/constants.h"
#include "runtime/graph/bodies.h"

/* ---- weights ---- */

static bool is_small_type(vlm_dtype dtype) { return vlm_dtype_bits(dtype) <= 8 && dtype != VLM_BOOL; }

static bool is_weight(const vlm_constant *c) {
  vlm_dtype t = c->tensor.dtype;
  return t == VLM_F32 || t == VLM_F16 || t == VLM_BF16 || t == VLM_F64 || is_small_type(t);
}

static bool stays_float(const vlm_constant *c) {
  return is_weight(c) && !is_small_type(c->tensor.dtype) && c->float_reason;
}

static void add_weight(vlm_coverage_share *share, const vlm_constant *c, bool left) {
  int64_t bytes = (int64_t)vlm_tensor_bytes(&c->tensor);
  if (!is_weight(c)) return;
  share->weight_bytes += bytes;
  if (!left) share->weight_bytes_int8 += bytes;
}

static vlm_status add_left(vlm_coverage *o, const vlm_constant *c, vlm_error *err) {
  vlm_status st = VLM_OK;
  int64_t bytes = (int64_t)vlm_tensor_bytes(&c->tensor);
  if (bytes <= VLM_LEFT_FLOAT_BYTES) {
    o->small_bytes += bytes;
    o->small_count++;
    return VLM_OK;
  }
  if (o->n_left == o->cap_left) {
    int32_t wanted = o->cap_left ? 2 * o->cap_left : 32;
    VLM_TRY(vlm_more(&o->left, o->n_left, wanted, err));
    o->cap_left = wanted;
  }
  vlm_left_float *l = &o->left[o->n_left];
  *l = (vlm_left_float){.bytes = bytes};
  VLM_TRY(vlm_arena_strdup(o->arena, &l->graph, c->path, err));
  VLM_TRY(vlm_arena_strdup(o->arena, &l->value, c->name, err));
  VLM_TRY(vlm_arena_strdup(o->arena, &l->reason, c->float_reason, err));
  o->n_left++;
out:
  return st;
}

static vlm_coverage_share *share_of(vlm_coverage *o, const char *role) {
  for (int32_t g = 0; g < o->n_graphs; g++)
    if (!strcmp(o->graphs[g].role, role)) return &o->graphs[g].share;
  return NULL;
}

/* The first of the constants from i to end that stays float; role NULL = of any graph. */
static const vlm_constant *first_left(const vlm_constant_list *list, int32_t i, int32_t end,
                                      const char *role) {
  for (; i < end; i++)
    if (stays_float(&list->items[i]) && (!role || !strcmp(list->items[i].role, role))) return &list->items[i];
  return NULL;
}

/* Constants of equal content are neighbours, and so are those of one graph: each counts once, and is float
 * when one of them is. */
static vlm_status count_equal(vlm_coverage *o, const vlm_constant_list *list, int32_t begin, int32_t end,
                              vlm_error *err) {
  const vlm_constant *left = first_left(list, begin, end, NULL), *items = list->items;
  for (int32_t i = begin; i < end; i++)
    if (i == begin || strcmp(items[i - 1].role, items[i].role))
      add_weight(share_of(o, items[i].role), &items[i], first_left(list, begin, end, items[i].role) != NULL);
  add_weight(&o->total, &items[begin], left != NULL);
  return left ? add_left(o, left, err) : VLM_OK;
}

static vlm_status count(vlm_coverage *o, const vlm_constant_list *list, vlm_error *err) {
  vlm_status st = VLM_OK;
  for (int32_t i = 0, end; st == VLM_OK && i < list->count; i = end) {
    for (end = i + 1; end < list->count && vlm_constant_equals(&list->items[i], &list->items[end]);) end++;
    st = count_equal(o, list, i, end, err);
  }
  return st;
}

static int largest_first(const void *a, const void *b) {
  const vlm_left_float *x = a, *y = b;
  if (x->bytes != y->bytes) return x->bytes > y->bytes ? -1 : 1;
  int order = strcmp(x->graph, y->graph);
  return order ? order : strcmp(x->value, y->value);
}

vlm_status vlm_coverage_make(vlm_coverage **out, const vlm_quant_graph *graphs, int32_t n_graphs,
                             const vlm_quant_plan *plan, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_coverage *o = NULL;
  vlm_constant_list list = {0};
  VLM_TRY(vlm_new(&o, 1, err));
  VLM_TRY(vlm_arena_create(&o->arena, err));
  VLM_CHECK(n_graphs <= VLM_COVERAGE_MAX_GRAPHS, err, VLM_INTERNAL, "%d graphs, at most %d", n_graphs,
            VLM_COVERAGE_MAX_GRAPHS);
  for (int32_t g = 0; g < n_graphs; g++) {
    o->graphs[o->n_graphs++].role = graphs[g].role;
    VLM_TRY(vlm_constant_list_add(&list, &graphs[g], plan, o->arena, err));
  }
  VLM_TRY(vlm_constant_list_sort(&list, err));
  VLM_TRY(count(o, &list, err));
  if (o->n_left) qsort(o->left, (size_t)o->n_left, sizeof *o->left, largest_first);
out:
  vlm_constant_list_free(&list);
  if (st != VLM_OK) {
    vlm_coverage_free(o);
    o = NULL;
  }
  *out = o;
  return st;
}

void vlm_coverage_free(vlm_coverage *coverage) {
  if (!coverage) return;
  vlm_arena_free(coverage->arena);
  vlm_free(coverage->left);
  vlm_free(coverage);
}

/* ---- multiplications ---- */

static int64_t add_up(int64_t a, int64_t b) { return a > INT64_MAX - b ? INT64_MAX : a + b; }

static const vlm_node *node_of(const vlm_profile_node *n) { return &n->graph->nodes[n->node]; }

/* The total is known when the last graph is. */
static void total_macs(vlm_coverage *o) {
  o->total.macs = o->total.macs_int8 = 0;
  o->total.measured = true;
  for (int32_t g = 0; g < o->n_graphs; g++) {
    const vlm_coverage_share *s = &o->graphs[g].share;
    o->total.measured &= s->measured;
    o->total.macs = add_up(o->total.macs, s->macs);
    o->total.macs_int8 = add_up(o->total.macs_int8, s->macs_int8);
  }
}

void vlm_coverage_count_macs(vlm_coverage_share *s, const vlm_profile *p) {
  s->macs = add_up(s->macs, p->macs);
  for (int32_t i = 0; i < p->n_nodes; i++)
    if (node_of(&p->nodes[i])->traits->flags & VLM_TRAIT_INTEGER)
      s->macs_int8 = add_up(s->macs_int8, p->nodes[i].macs);
}

void vlm_coverage_add_run(vlm_coverage *o, const char *role, const vlm_profile *p) {
  vlm_coverage_share *s = share_of(o, role);
  if (!s || !p) return;
  *s = (vlm_coverage_share){s->weight_bytes, s->weight_bytes_int8, true, 0, 0};
  vlm_coverage_count_macs(s, p);
  total_macs(o);
}

vlm_status vlm_coverage_add_plan(vlm_coverage *o, const vlm_quant_graph *graph, const vlm_quant_plan *plan,
                                 const vlm_profile *p, vlm_error *err) {
  vlm_body_list bodies;
  vlm_coverage_share *s = share_of(o, graph->role);
  if (!s || !p) return VLM_OK;
  vlm_status st = vlm_bodies_make(&bodies, graph->graph, graph->role, o->arena, err);
  if (st != VLM_OK) return st;
  vlm_coverage_add_run(o, graph->role, p);
  for (int32_t i = 0; i < p->n_nodes; i++) {
    const vlm_body *body = vlm_bodies_find(&bodies, p->nodes[i].graph);
    const vlm_node_plan *n = body ? vlm_quant_plan_find(plan, body->path, p->nodes[i].node, -1) : NULL;
    if (n && (n->decision == VLM_DECIDE_STATIC || n->decision == VLM_DECIDE_DYNAMIC))
      s->macs_int8 = add_up(s->macs_int8, p->nodes[i].macs);
  }
  vlm_bodies_free(&bodies);
  total_macs(o);
  return VLM_OK;
}

static double percent(int64_t part, int64_t all) {
  return all > 0 ? 100.0 * (double)part / (double)all : 100;
}

double vlm_coverage_weights_percent(const vlm_coverage_share *s) {
  return percent(s->weight_bytes_int8, s->weight_bytes);
}
double vlm_coverage_macs_percent(const vlm_coverage_share *s) { return percent(s->macs_int8, s->macs); }
