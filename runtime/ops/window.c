/* Signal windows and the mel filter bank. */
#include <math.h>

#include "runtime/kernels/elementary.h"
#include "runtime/ops/op_check.h"
#include "runtime/ops/op_data.h"
#include "runtime/ops/op_table.h"
#include "runtime/ops/prepare.h"
#include "runtime/ops/turn.h"

static vlm_status output_type(vlm_op_call *c, int k, vlm_dtype *dtype) {
  *dtype = vlm_dtype_from_onnx((int)vlm_arg_int(c, k, 1));
  if (*dtype != VLM_NONE) return VLM_OK;
  return vlm_fail(c->err, VLM_UNSUPPORTED, "operator %s: element type %lld is not supported",
                  c->node->op_type, (long long)vlm_arg_int(c, k, 1));
}

vlm_status vlm_infer_Window(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  vlm_dtype dtype;
  int64_t n;
  VLM_TRY(vlm_scalar_int(c, 0, "size", 0, &n));
  VLM_CHECK(n >= 0, c->err, VLM_INPUT, "size is %lld", (long long)n);
  VLM_TRY(output_type(c, 0, &dtype));
  vlm_out_shape(c, 0, dtype, 1, &n);
out:
  return st;
}

typedef struct {
  double a0, a1, a2;
  bool periodic;
} cosine_window;

static vlm_status prepare_window(vlm_op_call *c, double a0, double a1, double a2) {
  cosine_window *w;
  vlm_status st = vlm_op_state_new(c, &w);
  if (st == VLM_OK) *w = (cosine_window){a0, a1, a2, vlm_arg_int(c, 1, 1) != 0};
  return st;
}

vlm_status vlm_prepare_HannWindow(vlm_op_call *c) { return prepare_window(c, 0.5, 0.5, 0); }
vlm_status vlm_prepare_HammingWindow(vlm_op_call *c) {
  return prepare_window(c, 25.0 / 46.0, 1 - 25.0 / 46.0, 0);
}
vlm_status vlm_prepare_BlackmanWindow(vlm_op_call *c) { return prepare_window(c, 0.42, 0.5, 0.08); }

/* w[i] = a0 - a1 cos(2 pi i / N) + a2 cos(4 pi i / N), N = size (periodic) or size - 1 (symmetric). */
vlm_status vlm_run_Window(vlm_op_call *c) {
  const cosine_window *w = c->state;
  int64_t n = c->out[0]->dims[0], period = w->periodic ? n : n - 1;
  for (int64_t i = 0; i < n; i++) {
    double s, one = 1, two = 1;
    if (period > 0) {
      vlm_sincos_turn(i, period, &s, &one);
      vlm_sincos_turn(2 * i, period, &s, &two);
      vlm_tensor_set(c->out[0], i, w->a0 - w->a1 * one + w->a2 * two);
    } else {
      vlm_tensor_set(c->out[0], i, 1);
    }
  }
  return VLM_OK;
}

/* ---- MelWeightMatrix ---- */

vlm_status vlm_infer_MelWeightMatrix(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  int64_t bins, length;
  vlm_dtype dtype;
  VLM_TRY(vlm_scalar_int(c, 0, "num_mel_bins", 0, &bins));
  VLM_TRY(vlm_scalar_int(c, 1, "dft_length", 0, &length));
  VLM_TRY(output_type(c, 0, &dtype));
  VLM_CHECK(vlm_is_extent(bins) && vlm_is_extent(length), c->err, VLM_INPUT,
            "num_mel_bins is %lld, dft_length %lld", (long long)bins, (long long)length);
  int64_t dims[2] = {length / 2 + 1, bins};
  vlm_out_shape(c, 0, dtype, 2, dims);
out:
  return st;
}

static double mel_of(double hertz) { return 2595 * vlm_log64(1 + hertz / 700) / 2.302585092994046; }
static double hertz_of(double mel) { return 700 * (vlm_exp64(mel / 2595 * 2.302585092994046) - 1); }

/* Spectrogram bin of edge i of the filter bank. */
static int64_t edge_bin(double low, double step, int64_t i, int64_t length, double rate) {
  double bin = floor((double)(length + 1) * hertz_of(low + (double)i * step) / rate),
         last = (double)(length / 2);
  return !(bin > 0) ? 0 : bin > last ? (int64_t)last : (int64_t)bin;
}

vlm_status vlm_run_MelWeightMatrix(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  vlm_tensor *y = c->out[0];
  int64_t bins = y->dims[1], length, n = vlm_tensor_count(y);
  double rate, low, high;
  VLM_TRY(vlm_scalar_int(c, 1, "dft_length", 0, &length));
  VLM_TRY(vlm_scalar_real(c, 2, "sample_rate", 0, &rate));
  VLM_TRY(vlm_scalar_real(c, 3, "lower_edge_hertz", 0, &low));
  VLM_TRY(vlm_scalar_real(c, 4, "upper_edge_hertz", 0, &high));
  VLM_CHECK(rate > 0, c->err, VLM_INPUT, "sample_rate is %g", rate);
  low = mel_of(low);
  double step = (mel_of(high) - low) / (double)(bins + 2);
  for (int64_t i = 0; i < n; i++) vlm_tensor_set(y, i, 0);
  for (int64_t m = 0; m < bins; m++) {
    int64_t left = edge_bin(low, step, m, length, rate), center = edge_bin(low, step, m + 1, length, rate),
            right = edge_bin(low, step, m + 2, length, rate);
    if (left == center) vlm_tensor_set(y, center * bins + m, 1);
    for (int64_t j = left; left < center && j <= center; j++)
      vlm_tensor_set(y, j * bins + m, (double)(j - left) / (double)(center - left));
    for (int64_t j = center; j < right; j++)
      vlm_tensor_set(y, j * bins + m, (double)(right - j) / (double)(right - center));
  }
out:
  return st;
}
