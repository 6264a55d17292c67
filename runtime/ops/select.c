/* Operators whose output size depends on data: NonZero, Compress, Unique. */
#include <string.h>

#include "runtime/ops/nd_copy.h"
#include "runtime/ops/op_data.h"
#include "runtime/ops/op_table.h"
#include "runtime/ops/prepare.h"
#include "runtime/ops/sort.h"

vlm_status vlm_infer_later(vlm_op_call *c) {
  (void)c;
  return VLM_UNKNOWN;
}

/* Sets the shape of a wanted output and takes its memory. */
static vlm_status make_out(vlm_op_call *c, int k, vlm_dtype dtype, int rank, const int64_t *dims) {
  if (!vlm_out(c, k)) return VLM_OK;
  vlm_out_shape(c, k, dtype, rank, dims);
  return c->allocate(c, k);
}

/* ---- NonZero: [rank, count] coordinates in row-major order ---- */

vlm_status vlm_run_NonZero(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  const vlm_tensor *x = c->in[0];
  int64_t total = vlm_tensor_count(x), count = 0, at = 0;
  for (int64_t i = 0; i < total; i++) count += vlm_tensor_get(x, i) != 0;
  int64_t dims[2] = {x->rank, count};
  VLM_TRY(make_out(c, 0, VLM_S64, 2, dims));
  int64_t *y = c->out[0]->data;
  for (int64_t i = 0; i < total; i++) {
    if (vlm_tensor_get(x, i) == 0) continue;
    int64_t rest = i;
    for (int axis = x->rank - 1; axis >= 0; axis--) {
      y[axis * count + at] = rest % x->dims[axis];
      rest /= x->dims[axis];
    }
    at++;
  }
out:
  return st;
}

/* ---- Compress ---- */

typedef struct {
  vlm_tensor flat; /* shape: of the data, or of its elements in one row */
  int axis;
  int64_t n, outer; /* entries that the condition can keep */
  size_t run;       /* bytes behind one */
} compress_state;

/* Attribute k is the axis; without it the elements are one row. */
static vlm_status along_axis(vlm_op_call *c, int k, vlm_tensor *flat, int *axis) {
  const vlm_tensor *x = c->in[0];
  const vlm_attr *a = vlm_arg(c, k);
  int64_t n = vlm_tensor_count(x);
  *axis = 0;
  *flat = *x;
  if (a->kind == VLM_ATTR_INT) return vlm_axis(c, a->u.i, x->rank, false, axis);
  *flat = vlm_tensor_make(x->dtype, 1, &n, NULL);
  return VLM_OK;
}

vlm_status vlm_prepare_Compress(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  compress_state *s;
  const vlm_tensor *x = c->in[0], *mask = c->in[1];
  VLM_TRY(vlm_op_state_new(c, &s));
  VLM_TRY(vlm_check_whole_bytes(c, 0));
  VLM_CHECK(mask->dtype == VLM_BOOL, c->err, VLM_INPUT, "the condition is %s, wanted bool",
            vlm_dtype_name(mask->dtype));
  VLM_TRY(along_axis(c, 0, &s->flat, &s->axis));
  int64_t size = s->flat.dims[s->axis], given = vlm_tensor_count(mask);
  s->n = given < size ? given : size;
  s->outer = vlm_tensor_span(&s->flat, 0, s->axis);
  s->run = (size_t)vlm_tensor_span(&s->flat, s->axis + 1, s->flat.rank) * vlm_item_size(x);
out:
  return st;
}

vlm_status vlm_run_Compress(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  const compress_state *s = c->state;
  const uint8_t *keep = c->in[1]->data;
  const char *x = c->in[0]->data;
  vlm_tensor y = s->flat;
  int64_t size = y.dims[s->axis], kept = 0;
  for (int64_t i = 0; i < s->n; i++) kept += keep[i] != 0;
  y.dims[s->axis] = kept;
  VLM_TRY(make_out(c, 0, y.dtype, y.rank, y.dims));
  char *to = c->out[0]->data;
  for (int64_t o = 0; o < s->outer; o++)
    for (int64_t i = 0; i < s->n; i++) {
      if (!keep[i]) continue;
      vlm_copy_some(to, x + (size_t)(o * size + i) * s->run, s->run);
      to += s->run;
    }
out:
  return st;
}

/* ---- Unique: slices along an axis (or elements), sorted or in order of first appearance ---- */

typedef struct unique_slices {
  const vlm_tensor *x;
  int64_t outer, size, inner; /* a slice is x[:, i, :] */
  bool sorted;
} unique_slices;

static int compare_elements(const vlm_tensor *x, int64_t i, int64_t j) {
  if (vlm_dtype_is_float(x->dtype)) {
    double a = vlm_tensor_get(x, i), b = vlm_tensor_get(x, j);
    return a < b ? -1 : a > b;
  }
  int64_t a = vlm_tensor_get_int(x, i), b = vlm_tensor_get_int(x, j);
  return a < b ? -1 : a > b;
}

static int compare_slices(const unique_slices *s, int64_t a, int64_t b) {
  for (int64_t o = 0; o < s->outer; o++)
    for (int64_t k = 0; k < s->inner; k++) {
      int order = compare_elements(s->x, (o * s->size + a) * s->inner + k, (o * s->size + b) * s->inner + k);
      if (order) return order;
    }
  return 0;
}

static bool slice_after(const void *user, int64_t a, int64_t b) { return compare_slices(user, a, b) > 0; }
static bool index_after(const void *user, int64_t a, int64_t b) {
  const int64_t *first = user;
  return first[a] > first[b];
}

/* Room for n entries each. */
typedef struct {
  int64_t groups, *order, *spare, *rank_of;
  int64_t *first, *inverse, *counts; /* first member of group g; group of slice i; members of group g */
} slice_groups;

/* Groups in output order. */
static void number_groups(const unique_slices *s, slice_groups *g) {
  int64_t n = s->size, *order = g->order;
  for (int64_t i = 0; i < n; i++) order[i] = i;
  vlm_sort(order, g->spare, n, slice_after, s);
  g->groups = 0;
  for (int64_t i = 0; i < n; i++) {
    if (i == 0 || compare_slices(s, order[i - 1], order[i]) != 0) {
      g->first[g->groups] = order[i];
      g->counts[g->groups++] = 0;
    }
    g->inverse[order[i]] = g->groups - 1;
    g->counts[g->groups - 1]++;
  }
}

static void reorder(int64_t *values, const slice_groups *g) {
  memcpy(g->spare, values, (size_t)g->groups * sizeof *values);
  for (int64_t i = 0; i < g->groups; i++) values[i] = g->spare[g->order[i]];
}

/* By first appearance. */
static void order_by_first(const unique_slices *s, const slice_groups *g) {
  for (int64_t i = 0; i < g->groups; i++) g->order[i] = i;
  vlm_sort(g->order, g->spare, g->groups, index_after, g->first);
  for (int64_t i = 0; i < g->groups; i++) g->rank_of[g->order[i]] = i;
  for (int64_t i = 0; i < s->size; i++) g->inverse[i] = g->rank_of[g->inverse[i]];
  reorder(g->first, g);
  reorder(g->counts, g);
}

static vlm_status store_ints(vlm_op_call *c, int k, const int64_t *values, int64_t n) {
  vlm_status st = make_out(c, k, VLM_S64, 1, &n);
  if (st == VLM_OK && vlm_out(c, k)) vlm_copy_some(c->out[k]->data, values, (size_t)n * sizeof *values);
  return st;
}

typedef struct {
  vlm_tensor flat;
  int axis;
  unique_slices slices; /* all but the data of the run */
  size_t work;
} unique_state;

vlm_status vlm_prepare_Unique(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  unique_state *s;
  VLM_TRY(vlm_op_state_new(c, &s));
  VLM_TRY(vlm_check_whole_bytes(c, 0));
  VLM_TRY(along_axis(c, 0, &s->flat, &s->axis));
  s->slices = (unique_slices){.outer = vlm_tensor_span(&s->flat, 0, s->axis),
                              .size = s->flat.dims[s->axis],
                              .inner = vlm_tensor_span(&s->flat, s->axis + 1, s->flat.rank),
                              .sorted = vlm_arg_int(c, 1, 1) != 0};
  VLM_TRY(vlm_op_reserve(c, &s->work, s->slices.size, 6 * sizeof(int64_t)));
out:
  return st;
}

static slice_groups group_slices(const vlm_op_call *c, const unique_state *state, const unique_slices *s) {
  int64_t n = s->size, *work = vlm_op_work(c, state->work);
  slice_groups g = {.order = work,
                    .spare = work + n,
                    .rank_of = work + 2 * n,
                    .first = work + 3 * n,
                    .inverse = work + 4 * n,
                    .counts = work + 5 * n};
  number_groups(s, &g);
  if (!s->sorted) order_by_first(s, &g);
  return g;
}

vlm_status vlm_run_Unique(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  const unique_state *state = c->state;
  unique_slices s = state->slices;
  vlm_tensor y = state->flat;
  s.x = c->in[0];
  slice_groups g = group_slices(c, state, &s);
  y.dims[state->axis] = g.groups;
  VLM_TRY(make_out(c, 0, y.dtype, y.rank, y.dims));
  size_t run = (size_t)s.inner * vlm_item_size(s.x);
  for (int64_t o = 0; o < s.outer && vlm_out(c, 0); o++)
    for (int64_t i = 0; i < g.groups; i++)
      vlm_copy_some((char *)c->out[0]->data + (size_t)(o * g.groups + i) * run,
                    (const char *)s.x->data + (size_t)(o * s.size + g.first[i]) * run, run);
  VLM_TRY(store_ints(c, 1, g.first, g.groups));
  VLM_TRY(store_ints(c, 2, g.inverse, s.size));
  VLM_TRY(store_ints(c, 3, g.counts, g.groups));
out:
  return st;
}
