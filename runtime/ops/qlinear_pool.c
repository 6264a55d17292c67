/* com.microsoft QLinearAveragePool, QLinearGlobalAveragePool: X, X_scale, X_zero, Y_scale, Y_zero. Sums are exact integers. */
#include <string.h>

#include "runtime/ops/op_data.h"
#include "runtime/ops/op_table.h"
#include "runtime/ops/prepare.h"
#include "runtime/ops/quant_util.h"

enum { SPACE = VLM_MAX_RANK - 2, MAX_WINDOW = 1 << 20 };

typedef struct {
  int n; /* spatial dims */
  bool channels_last, include_pad;
  int64_t batch, channels;
  int64_t in[SPACE], out[SPACE], kernel[SPACE], stride[SPACE], before[SPACE], after[SPACE];
} geometry;

static vlm_status read_list(vlm_op_call *c, int k, int n, int64_t *values, int64_t fallback) {
  const vlm_attr *a = vlm_arg(c, k);
  for (int i = 0; i < n; i++) values[i] = fallback;
  if (a->kind != VLM_ATTR_INTS) return VLM_OK;
  if (a->count != n)
    return vlm_fail(c->err, VLM_INPUT, "attribute %s has %d entries; wanted %d", a->name, a->count, n);
  for (int i = 0; i < n; i++) {
    if (a->u.ints[i] < 0 || a->u.ints[i] > INT32_MAX)
      return vlm_fail(c->err, VLM_INPUT, "attribute %s has the entry %lld", a->name, (long long)a->u.ints[i]);
    values[i] = a->u.ints[i];
  }
  return VLM_OK;
}

static vlm_status split_shape(vlm_op_call *c, geometry *g, bool channels_last) {
  const vlm_tensor *x = c->in[0];
  if (x->rank < 3) return vlm_fail(c->err, VLM_INPUT, "input has rank %d; wanted at least 3", x->rank);
  g->n = x->rank - 2;
  g->channels_last = channels_last;
  g->batch = x->dims[0];
  g->channels = x->dims[channels_last ? x->rank - 1 : 1];
  for (int i = 0; i < g->n; i++) g->in[i] = x->dims[i + (channels_last ? 1 : 2)];
  return VLM_OK;
}

static vlm_status make_geometry(vlm_op_call *c, geometry *g) {
  vlm_status st = VLM_OK;
  int64_t pads[2 * SPACE], window = 1;
  const char *mode = vlm_arg_string(c, 3, "NOTSET");
  bool same = strncmp(mode, "SAME", 4) == 0, valid = strcmp(mode, "VALID") == 0,
       ceil_mode = vlm_arg_int(c, 4, 0) != 0;
  VLM_TRY(split_shape(c, g, vlm_arg_int(c, 6, 0) != 0));
  g->include_pad = vlm_arg_int(c, 5, 0) != 0;
  VLM_TRY(read_list(c, 0, g->n, g->kernel, 1));
  VLM_TRY(read_list(c, 1, 2 * g->n, pads, 0));
  VLM_TRY(read_list(c, 2, g->n, g->stride, 1));
  for (int i = 0; i < g->n; i++) {
    VLM_CHECK(g->kernel[i] <= MAX_WINDOW && (window *= g->kernel[i]) <= MAX_WINDOW, c->err, VLM_LIMIT,
              "the pooling window has more than %d positions", MAX_WINDOW);
    VLM_CHECK(g->kernel[i] > 0 && g->stride[i] > 0, c->err, VLM_INPUT,
              "kernel %lld, stride %lld; both must be positive", (long long)g->kernel[i],
              (long long)g->stride[i]);
    g->before[i] = same || valid ? 0 : pads[i];
    g->after[i] = same || valid ? 0 : pads[i + g->n];
    if (same) {
      g->out[i] = (g->in[i] + g->stride[i] - 1) / g->stride[i];
      int64_t total = (g->out[i] - 1) * g->stride[i] + g->kernel[i] - g->in[i];
      if (total < 0) total = 0;
      g->before[i] = strcmp(mode, "SAME_LOWER") == 0 ? total - total / 2 : total / 2;
      g->after[i] = total - g->before[i];
      continue;
    }
    int64_t room = g->in[i] + g->before[i] + g->after[i] - g->kernel[i];
    VLM_CHECK(room >= 0, c->err, VLM_INPUT, "kernel %lld is larger than the padded input %lld",
              (long long)g->kernel[i], (long long)(room + g->kernel[i]));
    g->out[i] = (room + (ceil_mode ? g->stride[i] - 1 : 0)) / g->stride[i] + 1;
    if (ceil_mode && (g->out[i] - 1) * g->stride[i] >= g->in[i] + g->before[i]) g->out[i]--;
  }
out:
  return st;
}

static void set_output(vlm_op_call *c, const geometry *g) {
  int64_t dims[VLM_MAX_RANK];
  dims[0] = g->batch;
  dims[g->channels_last ? g->n + 1 : 1] = g->channels;
  for (int i = 0; i < g->n; i++) dims[i + (g->channels_last ? 1 : 2)] = g->out[i];
  vlm_out_shape(c, 0, c->in[0]->dtype, g->n + 2, dims);
}

/* Sum of (q - zero) over the window of one output position, and the divisor: the whole window with count_include_pad (also where a window
 * of ceil_mode hangs over the padding, as ONNX Runtime, which defines the operator, does), else what lies inside the image. */
static int64_t window_sum(const geometry *g, const vlm_tensor *x, int64_t image, int64_t channel,
                          const int64_t *at, int32_t zero, int64_t *covered) {
  int64_t size = 1, seen = 0, sum = 0;
  for (int i = 0; i < g->n; i++) size *= g->kernel[i];
  for (int64_t w = 0; w < size; w++) {
    int64_t rest = w, index = 0, span = 1;
    bool inside = true;
    for (int i = g->n - 1; i >= 0; rest /= g->kernel[i--]) {
      int64_t p = at[i] * g->stride[i] - g->before[i] + rest % g->kernel[i];
      inside = inside && p >= 0 && p < g->in[i];
      index += p * span;
      span *= g->in[i];
    }
    if (!inside) continue;
    int64_t element = g->channels_last ? (image * span + index) * g->channels + channel
                                       : (image * g->channels + channel) * span + index;
    sum += vlm_tensor_get_int(x, element) - zero;
    seen++;
  }
  *covered = g->include_pad ? size : seen;
  return sum;
}

typedef struct {
  geometry g;
  vlm_quant_param in, out;
  int64_t positions;
} qlinear_pool;

static vlm_status read_params(vlm_op_call *c, qlinear_pool *s) {
  vlm_status st = VLM_OK;
  vlm_dtype type = c->in[0]->dtype;
  VLM_TRY(vlm_quant_check_byte(c, 0));
  VLM_TRY(vlm_quant_param_read(c, 1, 2, type, &s->in));
  VLM_TRY(vlm_quant_param_read(c, 3, 4, type, &s->out));
  s->positions = 1;
  for (int i = 0; i < s->g.n; i++) s->positions *= s->g.out[i];
out:
  return st;
}

vlm_status vlm_run_qlinear_pool(vlm_op_call *c) {
  const qlinear_pool *s = c->state;
  const geometry *g = &s->g;
  const vlm_tensor *x = c->in[0];
  for (int64_t o = 0; o < g->batch * g->channels * s->positions; o++) {
    int64_t plane = o / s->positions, rest = o % s->positions, at[SPACE], covered,
            image = plane / g->channels, channel = plane % g->channels;
    for (int i = g->n - 1; i >= 0; rest /= g->out[i--]) at[i] = rest % g->out[i];
    int64_t sum = window_sum(g, x, image, channel, at, s->in.zero, &covered);
    float mean = covered ? (float)sum / (float)covered * s->in.scale : 0.0f;
    int64_t element =
        g->channels_last ? (image * s->positions + o % s->positions) * g->channels + channel : o;
    ((uint8_t *)c->out[0]->data)[element] = vlm_quant_byte(mean, s->out, x->dtype == VLM_S8);
  }
  return VLM_OK;
}

vlm_status vlm_infer_qlinear_average_pool(vlm_op_call *c) {
  geometry g;
  vlm_status st = make_geometry(c, &g);
  if (st == VLM_OK) set_output(c, &g);
  return st;
}

vlm_status vlm_prepare_qlinear_average_pool(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  qlinear_pool *s;
  VLM_TRY(vlm_op_state_new(c, &s));
  VLM_TRY(make_geometry(c, &s->g));
  VLM_TRY(read_params(c, s));
out:
  return st;
}

static vlm_status make_global(vlm_op_call *c, geometry *g) {
  *g = (geometry){0};
  vlm_status st = split_shape(c, g, vlm_arg_int(c, 0, 0) != 0);
  for (int i = 0; st == VLM_OK && i < g->n; i++) {
    g->kernel[i] = g->in[i];
    g->stride[i] = g->out[i] = 1;
  }
  return st;
}

vlm_status vlm_infer_qlinear_global_average_pool(vlm_op_call *c) {
  geometry g;
  vlm_status st = make_global(c, &g);
  if (st == VLM_OK) set_output(c, &g);
  return st;
}

vlm_status vlm_prepare_qlinear_global_average_pool(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  qlinear_pool *s;
  VLM_TRY(vlm_op_state_new(c, &s));
  VLM_TRY(make_global(c, &s->g));
  VLM_TRY(read_params(c, s));
out:
  return st;
}
