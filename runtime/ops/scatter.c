/* ScatterElements, Scatter, ScatterND and TensorScatter: writes at computed places, in index order. */
#include <string.h>

#include "runtime/ops/nd_copy.h"
#include "runtime/ops/op_data.h"
#include "runtime/ops/op_table.h"
#include "runtime/ops/values.h"

typedef enum reduction { REDUCE_NONE, REDUCE_ADD, REDUCE_MUL, REDUCE_MAX, REDUCE_MIN, REDUCTIONS } reduction;
static const char *const reduction_names[REDUCTIONS] = {"none", "add", "mul", "max", "min"};

static vlm_status read_reduction(vlm_op_call *c, int k, reduction *r) {
  const char *name = vlm_arg_string(c, k, "none");
  for (int i = 0; i < REDUCTIONS; i++)
    if (strcmp(name, reduction_names[i]) == 0) {
      *r = (reduction)i;
      return i == REDUCE_NONE ? VLM_OK : vlm_check_whole_bytes(c, 0);
    }
  return vlm_fail(c->err, VLM_INPUT, "reduction is \"%s\", wanted none, add, mul, max or min", name);
}

#define COMBINE(name, type)                                 \
  static type combine_##name(reduction r, type a, type b) { \
    switch (r) {                                            \
      case REDUCE_ADD: return (type)(a + b);                \
      case REDUCE_MUL: return (type)(a * b);                \
      case REDUCE_MAX: return a > b ? a : b;                \
      case REDUCE_MIN: return a < b ? a : b;                \
      default: return b;                                    \
    }                                                       \
  }
COMBINE(f32, float)
COMBINE(f64, double)
COMBINE(u64, uint64_t)

static int64_t combine_s64(reduction r, int64_t a, int64_t b) {
  if (r == REDUCE_MAX) return a > b ? a : b;
  if (r == REDUCE_MIN) return a < b ? a : b;
  return (int64_t)combine_u64(r, (uint64_t)a, (uint64_t)b); /* wraps */
}

/* y[at] = y[at] (reduction) x[from] */
static void combine(const vlm_tensor *y, int64_t at, const vlm_tensor *x, int64_t from, reduction r) {
  switch (y->dtype) {
    case VLM_F32:
      ((float *)y->data)[at] = combine_f32(r, ((float *)y->data)[at], ((const float *)x->data)[from]);
      break;
    case VLM_S64:
      ((int64_t *)y->data)[at] = combine_s64(r, ((int64_t *)y->data)[at], ((const int64_t *)x->data)[from]);
      break;
    case VLM_U64:
      ((uint64_t *)y->data)[at] =
          combine_u64(r, ((uint64_t *)y->data)[at], ((const uint64_t *)x->data)[from]);
      break;
    default: vlm_tensor_set(y, at, combine_f64(r, vlm_tensor_get(y, at), vlm_tensor_get(x, from))); break;
  }
}

/* Puts `run` elements of x at element `at` of y. */
static void put(const vlm_tensor *y, int64_t at, const vlm_tensor *x, int64_t from, int64_t run,
                reduction r) {
  size_t item = vlm_item_size(y);
  if (r == REDUCE_NONE)
    vlm_copy_some((char *)y->data + (size_t)at * item, (const char *)x->data + (size_t)from * item,
                  (size_t)run * item);
  else
    for (int64_t i = 0; i < run; i++) combine(y, at + i, x, from + i, r);
}

/* What the operators here share: data (input 0) become the result, updates (another input) go into it. */
typedef struct {
  vlm_bytes x, u, y;
  reduction how;
  int axis, depth; /* ScatterElements and TensorScatter; ScatterND */
  bool circular;
} scatter_state;

static vlm_status prepare_scatter(vlm_op_call *c, int updates, scatter_state **out) {
  vlm_status st = VLM_OK;
  scatter_state *s;
  VLM_TRY(vlm_op_state_new(c, &s));
  VLM_TRY(vlm_bytes_prepare(c, &s->x, c->in[0]));
  VLM_TRY(vlm_bytes_prepare(c, &s->u, c->in[updates]));
  VLM_TRY(vlm_bytes_prepare(c, &s->y, c->out[0]));
  *out = s;
out:
  return st;
}

static vlm_tensor start_from_data(vlm_op_call *c, const scatter_state *s) {
  vlm_tensor x = vlm_bytes_in(c, &s->x, 0), y = vlm_bytes_out(c, &s->y, 0);
  if (y.data != x.data) vlm_copy_bytes(c->threads, y.data, x.data, vlm_tensor_bytes(&x));
  return y;
}

/* ---- ScatterElements ---- */

vlm_status vlm_infer_ScatterElements(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  const vlm_tensor *x = c->in[0], *t = c->in[1], *u = c->in[2];
  int axis;
  VLM_TRY(vlm_axis(c, vlm_arg_int(c, 0, 0), x->rank, false, &axis));
  VLM_CHECK(t->rank == x->rank && vlm_tensor_same_shape(t, u), c->err, VLM_INPUT,
            "indices and updates do not have the same shape and the rank of data");
  VLM_CHECK(u->dtype == x->dtype, c->err, VLM_INPUT, "updates is %s, data %s", vlm_dtype_name(u->dtype),
            vlm_dtype_name(x->dtype));
  for (int i = 0; i < x->rank; i++)
    VLM_CHECK(i == axis || t->dims[i] <= x->dims[i], c->err, VLM_INPUT,
              "indices has %lld entries along axis %d, data %lld", (long long)t->dims[i], i,
              (long long)x->dims[i]);
  vlm_out_like(c, 0, 0);
out:
  return st;
}

vlm_status vlm_prepare_ScatterElements(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  scatter_state *s;
  VLM_TRY(prepare_scatter(c, 2, &s));
  VLM_TRY(vlm_axis(c, vlm_arg_int(c, 0, 0), c->in[0]->rank, false, &s->axis));
  VLM_TRY(read_reduction(c, 1, &s->how));
out:
  return st;
}

vlm_status vlm_run_ScatterElements(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  const scatter_state *s = c->state;
  const vlm_tensor *t = c->in[1], y = start_from_data(c, s), u = vlm_bytes_in(c, &s->u, 2);
  int64_t strides[VLM_MAX_RANK], size = y.dims[s->axis];
  for (int i = 0; i < y.rank; i++) strides[i] = vlm_tensor_span(&y, i + 1, y.rank);
  for (int64_t i = 0, n = vlm_tensor_count(t); i < n; i++) {
    int64_t index = vlm_tensor_get_int(t, i), rest = i;
    VLM_CHECK(index >= -size && index < size, c->err, VLM_INPUT, "index %lld is outside a dim of size %lld",
              (long long)index, (long long)size);
    int64_t at = (index < 0 ? index + size : index) * strides[s->axis];
    for (int k = t->rank - 1; k >= 0; k--) {
      if (k != s->axis) at += rest % t->dims[k] * strides[k];
      rest /= t->dims[k];
    }
    put(&y, at, &u, i, 1, s->how);
  }
  vlm_bytes_store(&s->y, c->out[0], y.data);
out:
  return st;
}

/* ---- ScatterND ---- */

vlm_status vlm_infer_ScatterND(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  const vlm_tensor *x = c->in[0], *t = c->in[1], *u = c->in[2];
  VLM_CHECK(t->rank >= 1 && x->rank >= 1, c->err, VLM_INPUT, "data or indices is a scalar");
  int64_t depth = t->dims[t->rank - 1];
  VLM_CHECK(depth >= 0 && depth <= x->rank, c->err, VLM_INPUT, "indices address %lld dims, data has %d",
            (long long)depth, x->rank);
  VLM_CHECK(u->dtype == x->dtype, c->err, VLM_INPUT, "updates is %s, data %s", vlm_dtype_name(u->dtype),
            vlm_dtype_name(x->dtype));
  int64_t wanted = vlm_tensor_span(t, 0, t->rank - 1) * vlm_tensor_span(x, (int)depth, x->rank);
  VLM_CHECK(vlm_tensor_count(u) == wanted, c->err, VLM_INPUT, "updates has %lld elements, wanted %lld",
            (long long)vlm_tensor_count(u), (long long)wanted);
  vlm_out_like(c, 0, 0);
out:
  return st;
}

vlm_status vlm_prepare_ScatterND(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  scatter_state *s;
  VLM_TRY(prepare_scatter(c, 2, &s));
  VLM_TRY(read_reduction(c, 0, &s->how));
  s->depth = (int)c->in[1]->dims[c->in[1]->rank - 1];
out:
  return st;
}

vlm_status vlm_run_ScatterND(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  const scatter_state *s = c->state;
  const vlm_tensor *t = c->in[1], y = start_from_data(c, s), u = vlm_bytes_in(c, &s->u, 2);
  int64_t run = vlm_tensor_span(&y, s->depth, y.rank);
  for (int64_t i = 0, n = vlm_tensor_span(t, 0, t->rank - 1); i < n; i++) {
    int64_t at = 0;
    for (int k = 0; k < s->depth; k++) {
      int64_t index = vlm_tensor_get_int(t, i * s->depth + k), size = y.dims[k];
      VLM_CHECK(index >= -size && index < size, c->err, VLM_INPUT,
                "index %lld is outside dim %d of size %lld", (long long)index, k, (long long)size);
      at += (index < 0 ? index + size : index) * vlm_tensor_span(&y, k + 1, y.rank);
    }
    put(&y, at, &u, i * run, run, s->how);
  }
  vlm_bytes_store(&s->y, c->out[0], y.data);
out:
  return st;
}

/* ---- TensorScatter: writes new entries into a cache along `axis`, starting at write_indices[batch] ---- */

static vlm_status cache_axis(vlm_op_call *c, int *axis) {
  vlm_status st = vlm_axis(c, vlm_arg_int(c, 0, -2), c->in[0]->rank, false, axis);
  if (st == VLM_OK && *axis == 0) st = vlm_fail(c->err, VLM_INPUT, "axis is the batch axis 0");
  return st;
}

vlm_status vlm_infer_TensorScatter(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  const vlm_tensor *x = c->in[0], *u = c->in[1], *w = vlm_in(c, 2);
  int axis;
  VLM_TRY(cache_axis(c, &axis));
  VLM_CHECK(u->rank == x->rank && u->dtype == x->dtype, c->err, VLM_INPUT,
            "update does not have the type and rank of the cache");
  for (int i = 0; i < x->rank; i++)
    VLM_CHECK(i == axis || u->dims[i] == x->dims[i], c->err, VLM_INPUT,
              "dim %d is %lld in the cache, %lld in update", i, (long long)x->dims[i], (long long)u->dims[i]);
  VLM_CHECK(u->dims[axis] <= x->dims[axis], c->err, VLM_INPUT,
            "update has %lld entries, the cache room for %lld", (long long)u->dims[axis],
            (long long)x->dims[axis]);
  VLM_CHECK(!w || vlm_tensor_count(w) == x->dims[0], c->err, VLM_INPUT,
            "write_indices has %lld entries, wanted %lld", (long long)vlm_tensor_count(w),
            (long long)x->dims[0]);
  vlm_out_like(c, 0, 0);
out:
  return st;
}

vlm_status vlm_prepare_TensorScatter(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  scatter_state *s;
  VLM_TRY(prepare_scatter(c, 1, &s));
  VLM_TRY(cache_axis(c, &s->axis));
  s->circular = strcmp(vlm_arg_string(c, 1, "linear"), "circular") == 0;
out:
  return st;
}

vlm_status vlm_run_TensorScatter(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  const scatter_state *s = c->state;
  const vlm_tensor *w = vlm_in(c, 2), y = start_from_data(c, s), u = vlm_bytes_in(c, &s->u, 1);
  int64_t size = y.dims[s->axis], steps = u.dims[s->axis], inner = vlm_tensor_span(&y, s->axis + 1, y.rank),
          outer = vlm_tensor_span(&y, 1, s->axis);
  for (int64_t b = 0; b < y.dims[0]; b++) {
    int64_t start = w ? vlm_tensor_get_int(w, b) : 0;
    VLM_CHECK(start >= 0 && start <= size && (s->circular || start + steps <= size), c->err, VLM_INPUT,
              "%lld entries at %lld do not fit a cache of %lld", (long long)steps, (long long)start,
              (long long)size);
    for (int64_t o = b * outer; o < (b + 1) * outer; o++)
      for (int64_t t = 0; t < steps; t++)
        put(&y, (o * size + (start + t) % size) * inner, &u, (o * steps + t) * inner, inner, REDUCE_NONE);
  }
  vlm_bytes_store(&s->y, c->out[0], y.data);
out:
  return st;
}
