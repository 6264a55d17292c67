/* Resize (opset 10 and later) and Upsample (7 to 9). */
#include <math.h>
#include <string.h>

#include "runtime/ops/op_data.h"
#include "runtime/ops/op_table.h"
#include "runtime/ops/resample.h"
#include "runtime/ops/table_copy.h"
#include "runtime/ops/values.h"

enum {
  MODE,
  COORDINATES,
  CUBIC_A,
  EXCLUDE_OUTSIDE,
  EXTRAPOLATION,
  NEAREST_MODE,
  ANTIALIAS,
  AXES,
  ASPECT,
  SCALES
};

typedef struct resize_plan {
  vlm_resample how;
  vlm_resample_axis axes[VLM_MAX_RANK];
  float extrapolation;
} resize_plan;

static const char *const mode_names[] = {"nearest", "linear", "cubic", NULL};
static const char *const coordinate_names[] = {
    "half_pixel", "half_pixel_symmetric", "pytorch_half_pixel",   "align_corners",
    "asymmetric", "tf_crop_and_resize",   "tf_half_pixel_for_nn", NULL};
static const char *const nearest_names[] = {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil", NULL};
static const char *const aspect_names[] = {"stretch", "not_larger", "not_smaller", NULL};

static vlm_status find_name(vlm_op_call *c, int k, const char *const *names, int fallback, int *out) {
  const char *name = vlm_arg_string(c, k, NULL);
  *out = fallback;
  if (!name) return VLM_OK;
  for (int i = 0; names[i]; i++)
    if (strcmp(name, names[i]) == 0) {
      *out = i;
      return VLM_OK;
    }
  return vlm_fail(c->err, VLM_INPUT, "%s is \"%s\", which is not a known value", vlm_arg(c, k)->name, name);
}

static vlm_status read_how(vlm_op_call *c, vlm_resample *how) {
  vlm_status st = VLM_OK;
  bool old = c->node->opset < 11 || strcmp(c->node->op_type, "Upsample") == 0;
  int mode, coordinates, nearest;
  const char *name = vlm_arg_string(c, MODE, "nearest");
  if (strcmp(name, "bilinear") == 0) mode = VLM_LINEAR; /* a spelling of Upsample 1 */
  else VLM_TRY(find_name(c, MODE, mode_names, VLM_NEAREST, &mode));
  VLM_TRY(find_name(c, COORDINATES, coordinate_names, old ? VLM_ASYMMETRIC : VLM_HALF_PIXEL, &coordinates));
  VLM_TRY(find_name(c, NEAREST_MODE, nearest_names, old ? VLM_SIMPLE : VLM_ROUND_PREFER_FLOOR, &nearest));
  *how = (vlm_resample){.coordinates = (vlm_coordinates)coordinates,
                        .filter = (vlm_filter)mode,
                        .nearest = (vlm_nearest)nearest,
                        .antialias = vlm_arg_int(c, ANTIALIAS, 0) != 0,
                        .exclude_outside = vlm_arg_int(c, EXCLUDE_OUTSIDE, 0) != 0,
                        .cubic_a = vlm_arg_float(c, CUBIC_A, -0.75f)};
out:
  return st;
}

/* Value list from an optional input (an empty one counts as absent) or, for Upsample 7, an attribute. n = 0: not given. */
static vlm_status read_numbers(vlm_op_call *c, int j, int attr, double *values, int *n) {
  const vlm_tensor *t = vlm_in(c, j);
  const vlm_attr *a = attr >= 0 ? vlm_arg(c, attr) : NULL;
  *n = 0;
  if (t) {
    int64_t count = vlm_tensor_count(t);
    if (count == 0) return VLM_OK;
    if (!t->data) return VLM_UNKNOWN;
    if (count > 2 * VLM_MAX_RANK)
      return vlm_fail(c->err, VLM_INPUT, "input %d has %lld entries", j, (long long)count);
    for (*n = 0; *n < count; ++*n) values[*n] = vlm_tensor_get(t, *n);
  } else if (a && a->kind == VLM_ATTR_FLOATS && a->count <= VLM_MAX_RANK) {
    for (*n = 0; *n < a->count; ++*n) values[*n] = a->u.floats[*n];
  }
  return VLM_OK;
}

/* Output sizes from sizes, kept in proportion when asked. */
static vlm_status apply_sizes(vlm_op_call *c, resize_plan *plan, const double *sizes, const int *axes,
                              int n) {
  vlm_status st = VLM_OK;
  int aspect;
  double chosen = 0;
  VLM_TRY(find_name(c, ASPECT, aspect_names, 0, &aspect));
  for (int i = 0; i < n; i++) {
    vlm_resample_axis *a = &plan->axes[axes[i]];
    VLM_CHECK(sizes[i] >= 0 && sizes[i] < 1e12, c->err, VLM_INPUT, "size %d is %g", i, sizes[i]);
    a->out = (int64_t)sizes[i];
    a->scale = a->in > 0 ? (double)a->out / (double)a->in : 1;
    if (i == 0 || (aspect == 1 ? a->scale < chosen : a->scale > chosen)) chosen = a->scale;
  }
  for (int i = 0; i < n && aspect != 0; i++) {
    vlm_resample_axis *a = &plan->axes[axes[i]];
    VLM_CHECK(chosen * (double)a->in < 1e12, c->err, VLM_INPUT, "axis %d becomes %g", axes[i],
              chosen * (double)a->in);
    a->scale = chosen;
    a->out = (int64_t)(chosen * (double)a->in + 0.5);
  }
out:
  return st;
}

static vlm_status make_plan(vlm_op_call *c, resize_plan *plan) {
  vlm_status st = VLM_OK;
  const vlm_tensor *x = c->in[0];
  bool old = c->node->opset < 11 || strcmp(c->node->op_type, "Upsample") == 0;
  double scales[2 * VLM_MAX_RANK], sizes[2 * VLM_MAX_RANK], roi[2 * VLM_MAX_RANK];
  int64_t listed[VLM_MAX_RANK];
  int n_scales, n_sizes = 0, n_roi = 0, n_axes, axes[VLM_MAX_RANK];
  VLM_TRY(read_how(c, &plan->how));
  plan->extrapolation = vlm_arg_float(c, EXTRAPOLATION, 0);
  VLM_TRY(read_numbers(c, old ? 1 : 2, SCALES, scales, &n_scales));
  if (!old && n_scales == 0) VLM_TRY(read_numbers(c, 3, -1, sizes, &n_sizes));
  if (!old && plan->how.coordinates == VLM_TF_CROP_AND_RESIZE) VLM_TRY(read_numbers(c, 1, -1, roi, &n_roi));
  VLM_TRY(vlm_ints_arg(c, AXES, 99, listed, VLM_MAX_RANK, &n_axes));
  int n = n_axes < 0 ? x->rank : n_axes;
  for (int i = 0; i < n; i++) VLM_TRY(vlm_axis(c, n_axes < 0 ? i : listed[i], x->rank, false, &axes[i]));
  VLM_CHECK((n_scales > 0 ? n_scales : n_sizes) == n, c->err, VLM_INPUT,
            "%d scales and %d sizes, wanted %d of one of them", n_scales, n_sizes, n);
  VLM_CHECK(n_roi == 0 || n_roi == 2 * n, c->err, VLM_INPUT, "roi has %d entries, wanted %d", n_roi, 2 * n);
  for (int i = 0; i < x->rank; i++)
    plan->axes[i] = (vlm_resample_axis){.in = x->dims[i], .out = x->dims[i], .scale = 1, .end = 1};
  for (int i = 0; i < n_scales; i++) {
    vlm_resample_axis *a = &plan->axes[axes[i]];
    VLM_CHECK(isfinite(scales[i]) && scales[i] > 0 && scales[i] * (double)a->in < 1e12, c->err, VLM_INPUT,
              "scale %d is %g", i, scales[i]);
    a->scale = scales[i];
    a->out = (int64_t)floorf((float)scales[i] * (float)a->in);
  }
  if (n_sizes > 0) VLM_TRY(apply_sizes(c, plan, sizes, axes, n));
  for (int i = 0; i < x->rank; i++) {
    vlm_resample_axis *a = &plan->axes[i];
    a->width = n_sizes > 0 ? (double)a->out : a->scale * (double)a->in;
    VLM_CHECK(a->in > 0 || a->out == 0, c->err, VLM_INPUT, "axis %d is empty and cannot become %lld", i,
              (long long)a->out);
  }
  for (int i = 0; i < n && n_roi == 2 * n; i++) {
    plan->axes[axes[i]].start = roi[i];
    plan->axes[axes[i]].end = roi[n + i];
  }
out:
  return st;
}

vlm_status vlm_infer_Resize(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  resize_plan plan;
  int64_t dims[VLM_MAX_RANK];
  VLM_TRY(make_plan(c, &plan));
  for (int i = 0; i < c->in[0]->rank; i++) dims[i] = plan.axes[i].out;
  VLM_TRY(vlm_check_dims(c, c->in[0]->rank, dims));
  vlm_out_shape(c, 0, c->in[0]->dtype, c->in[0]->rank, dims);
out:
  return st;
}

static bool is_outside(const resize_plan *plan, int axis, int64_t at) {
  double x = vlm_resample_coordinate(&plan->how, &plan->axes[axis], at);
  return plan->how.coordinates == VLM_TF_CROP_AND_RESIZE && (x < 0 || x > (double)(plan->axes[axis].in - 1));
}

/* ---- nearest: one index table per axis ---- */

typedef struct {
  resize_plan plan;
  bool nearest, nothing, copied;
  vlm_table_copy table; /* nearest: all but the pointers of the run */
  char constant[8];
  int n_passes;                           /* filters: from the last axis to the first */
  vlm_resample_pass passes[VLM_MAX_RANK]; /* all but the pointers of the run */
  size_t results[VLM_MAX_RANK];
  vlm_values x;
  vlm_result y;
} resize_state;

static void fill_index(const resize_plan *plan, int axis, int64_t *index) {
  const vlm_resample_axis *a = &plan->axes[axis];
  bool same = vlm_resample_identity(&plan->how, a);
  for (int64_t k = 0; k < a->out; k++)
    index[k] = same ? k : is_outside(plan, axis, k) ? -1 : vlm_resample_nearest(&plan->how, a, k);
}

static vlm_status prepare_nearest(vlm_op_call *c, resize_state *s) {
  vlm_status st = VLM_OK;
  const vlm_tensor *x = c->in[0];
  vlm_tensor slot = vlm_tensor_make(x->dtype, 0, NULL, s->constant);
  size_t item = (size_t)vlm_dtype_bits(x->dtype) / 8;
  VLM_CHECK(item > 0, c->err, VLM_UNSUPPORTED, "operator Resize of %s is not supported",
            vlm_dtype_name(x->dtype));
  vlm_tensor_set(&slot, 0, s->plan.extrapolation);
  s->table = (vlm_table_copy){.rank = x->rank, .item = item, .run = item, .constant = s->constant};
  for (int i = 0; i < x->rank; i++) {
    int64_t *index;
    VLM_TRY(vlm_op_keep_new(c, &index, s->plan.axes[i].out));
    fill_index(&s->plan, i, index);
    s->table.index[i] = index;
    s->table.dims[i] = s->plan.axes[i].out;
    s->table.strides[i] = vlm_tensor_span(x, i + 1, x->rank) * (int64_t)item;
  }
out:
  return st;
}

/* ---- filters: one pass per axis that changes ---- */

static vlm_status add_pass(vlm_op_call *c, resize_state *s, int axis, vlm_tensor *now) {
  vlm_status st = VLM_OK;
  const vlm_resample_axis *a = &s->plan.axes[axis];
  int64_t taps = vlm_resample_taps(&s->plan.how, a), *index;
  float *weight;
  VLM_TRY(vlm_op_keep_new(c, &index, a->out * taps));
  VLM_TRY(vlm_op_keep_new(c, &weight, a->out * taps));
  vlm_resample_table(&s->plan.how, a, index, weight);
  s->passes[s->n_passes] = (vlm_resample_pass){.outer = vlm_tensor_span(now, 0, axis),
                                               .in = a->in,
                                               .out = a->out,
                                               .inner = vlm_tensor_span(now, axis + 1, now->rank),
                                               .taps = taps,
                                               .index = index,
                                               .weight = weight};
  now->dims[axis] = a->out;
  VLM_TRY(vlm_op_reserve(c, &s->results[s->n_passes++], vlm_tensor_count(now), sizeof(float)));
out:
  return st;
}

static vlm_status prepare_filter(vlm_op_call *c, resize_state *s) {
  vlm_status st = VLM_OK;
  vlm_tensor now = *c->in[0];
  VLM_TRY(vlm_floats_prepare(c, &s->x, 0));
  VLM_TRY(vlm_result_prepare(c, &s->y, 0));
  for (int axis = now.rank - 1; axis >= 0; axis--)
    if (!vlm_resample_identity(&s->plan.how, &s->plan.axes[axis])) VLM_TRY(add_pass(c, s, axis, &now));
out:
  return st;
}

/* Puts the extrapolation value wherever a coordinate lies outside the input. */
static void mark_outside(vlm_op_call *c, const resize_plan *plan, float *y) {
  const vlm_tensor *t = c->out[0];
  for (int axis = 0; axis < t->rank; axis++) {
    int64_t inner = vlm_tensor_span(t, axis + 1, t->rank), outer = vlm_tensor_span(t, 0, axis);
    for (int64_t at = 0; at < t->dims[axis]; at++) {
      if (!is_outside(plan, axis, at)) continue;
      for (int64_t o = 0; o < outer; o++)
        for (int64_t i = 0; i < inner; i++) y[(o * t->dims[axis] + at) * inner + i] = plan->extrapolation;
    }
  }
}

static void run_filter(vlm_op_call *c, const resize_state *s) {
  const float *x = vlm_values_get(c, &s->x);
  float *last = vlm_result_get(c, &s->y);
  for (int i = 0; i < s->n_passes; i++) {
    vlm_resample_pass pass = s->passes[i];
    pass.x = x;
    x = pass.y = vlm_op_work(c, s->results[i]);
    vlm_resample_pass_run(&pass, c->threads);
  }
  vlm_copy_some(last, x, (size_t)vlm_tensor_count(c->out[0]) * sizeof *last);
  if (s->plan.how.coordinates == VLM_TF_CROP_AND_RESIZE) mark_outside(c, &s->plan, last);
  if (!vlm_dtype_is_float(c->out[0]->dtype))
    for (int64_t i = 0, n = vlm_tensor_count(c->out[0]); i < n; i++) last[i] = truncf(last[i]);
  vlm_store_f32(c, 0, last);
}

vlm_status vlm_prepare_Resize(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  resize_state *s;
  VLM_TRY(vlm_op_state_new(c, &s));
  VLM_TRY(make_plan(c, &s->plan));
  s->nothing = vlm_tensor_count(c->out[0]) == 0;
  s->copied = c->in[0]->rank == 0;
  s->nearest = s->plan.how.filter == VLM_NEAREST;
  if (s->nothing || s->copied) goto out;
  if (s->nearest) VLM_TRY(prepare_nearest(c, s));
  else VLM_TRY(prepare_filter(c, s));
out:
  return st;
}

vlm_status vlm_run_Resize(vlm_op_call *c) {
  const resize_state *s = c->state;
  if (s->nothing) return VLM_OK;
  if (s->copied) return vlm_run_copy(c);
  if (!s->nearest) {
    run_filter(c, s);
    return VLM_OK;
  }
  vlm_table_copy job = s->table;
  job.src = c->in[0]->data;
  job.dst = c->out[0]->data;
  vlm_table_copy_run(c->threads, &job);
  return VLM_OK;
}
