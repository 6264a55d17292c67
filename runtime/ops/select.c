/* Operators whose output size depends on data: NonZero, Compress, Unique. */
#include <string.h>

#include "runtime/ops/nd_copy.h"
#include "runtime/ops/op_data.h"
#include "runtime/ops/op_table.h"
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

vlm_status vlm_run_Compress(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  const vlm_tensor *x = c->in[0], *mask = c->in[1];
  const vlm_attr *a = vlm_arg(c, 0);
  const uint8_t *keep = mask->data;
  vlm_tensor flat = *x;
  int axis = 0;
  VLM_TRY(vlm_check_whole_bytes(c, 0));
  VLM_CHECK(mask->dtype == VLM_BOOL, c->err, VLM_INPUT, "the condition is %s, wanted bool", vlm_dtype_name(mask->dtype));
  if (a->kind == VLM_ATTR_INT) {
    VLM_TRY(vlm_axis(c, a->u.i, x->rank, false, &axis));
  } else {
    int64_t n = vlm_tensor_count(x);
    flat = vlm_tensor_make(x->dtype, 1, &n, x->data);
  }
  int64_t size = flat.dims[axis], n = vlm_tensor_count(mask) < size ? vlm_tensor_count(mask) : size, kept = 0;
  for (int64_t i = 0; i < n; i++) kept += keep[i] != 0;
  int64_t outer = vlm_tensor_span(&flat, 0, axis);
  size_t run = (size_t)vlm_tensor_span(&flat, axis + 1, flat.rank) * vlm_item_size(x);
  flat.dims[axis] = kept;
  VLM_TRY(make_out(c, 0, x->dtype, flat.rank, flat.dims));
  char *to = c->out[0]->data;
  for (int64_t o = 0; o < outer; o++)
    for (int64_t i = 0; i < n; i++) {
      if (!keep[i]) continue;
      vlm_copy_some(to, (const char *)x->data + (size_t)(o * size + i) * run, run);
      to += run;
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

/* Groups equal slices. first[g] = first member of group g, inverse[i] = group of slice i, counts[g]; groups in output order. */
static vlm_status group_slices(vlm_op_call *c, const unique_slices *s, int64_t *groups, int64_t **first, int64_t **inverse,
                               int64_t **counts) {
  vlm_status st = VLM_OK;
  int64_t n = s->size, *work, *order, *spare, *rank_of;
  VLM_TRY(vlm_scratch_new(c, &work, 6 * n));
  order = work, spare = work + n, rank_of = work + 2 * n;
  *first = work + 3 * n, *inverse = work + 4 * n, *counts = work + 5 * n;
  for (int64_t i = 0; i < n; i++) order[i] = i;
  vlm_sort(order, spare, n, slice_after, s);
  *groups = 0;
  for (int64_t i = 0; i < n; i++) {
    if (i == 0 || compare_slices(s, order[i - 1], order[i]) != 0) {
      (*first)[*groups] = order[i];
      (*counts)[(*groups)++] = 0;
    }
    (*inverse)[order[i]] = *groups - 1;
    (*counts)[*groups - 1]++;
  }
  if (s->sorted) goto out;
  for (int64_t g = 0; g < *groups; g++) order[g] = g;
  vlm_sort(order, spare, *groups, index_after, *first);
  for (int64_t g = 0; g < *groups; g++) rank_of[order[g]] = g;
  for (int64_t i = 0; i < n; i++) (*inverse)[i] = rank_of[(*inverse)[i]];
  memcpy(spare, *first, (size_t)*groups * sizeof *spare);
  for (int64_t g = 0; g < *groups; g++) (*first)[g] = spare[order[g]];
  memcpy(spare, *counts, (size_t)*groups * sizeof *spare);
  for (int64_t g = 0; g < *groups; g++) (*counts)[g] = spare[order[g]];
out:
  return st;
}

static vlm_status store_ints(vlm_op_call *c, int k, const int64_t *values, int64_t n) {
  vlm_status st = make_out(c, k, VLM_S64, 1, &n);
  if (st == VLM_OK && vlm_out(c, k)) vlm_copy_some(c->out[k]->data, values, (size_t)n * sizeof *values);
  return st;
}

vlm_status vlm_run_Unique(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  vlm_tensor x = *c->in[0];
  const vlm_attr *a = vlm_arg(c, 0);
  int64_t groups, *first, *inverse, *counts, all = vlm_tensor_count(&x);
  int axis = 0;
  VLM_TRY(vlm_check_whole_bytes(c, 0));
  if (a->kind == VLM_ATTR_INT) VLM_TRY(vlm_axis(c, a->u.i, x.rank, false, &axis));
  else x = vlm_tensor_make(x.dtype, 1, &all, x.data);
  unique_slices s = {&x, vlm_tensor_span(&x, 0, axis), x.dims[axis], vlm_tensor_span(&x, axis + 1, x.rank), vlm_arg_int(c, 1, 1) != 0};
  VLM_TRY(group_slices(c, &s, &groups, &first, &inverse, &counts));
  vlm_tensor y = x;
  y.dims[axis] = groups;
  VLM_TRY(make_out(c, 0, y.dtype, y.rank, y.dims));
  size_t run = (size_t)s.inner * vlm_item_size(&x);
  for (int64_t o = 0; o < s.outer && vlm_out(c, 0); o++)
    for (int64_t g = 0; g < groups; g++)
      vlm_copy_some((char *)c->out[0]->data + (size_t)(o * groups + g) * run, (const char *)x.data + (size_t)(o * s.size + first[g]) * run,
                    run);
  VLM_TRY(store_ints(c, 1, first, groups));
  VLM_TRY(store_ints(c, 2, inverse, s.size));
  VLM_TRY(store_ints(c, 3, counts, groups));
out:
  return st;
}
