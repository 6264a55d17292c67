/* LayerNormalization, RMSNormalization (also under the name SimplifiedLayerNormalization). Statistics are float32 for every type but
 * float64, whatever stash_type says. */
#include "runtime/ops/norm_rows.h"
#include "runtime/ops/op_check.h"
#include "runtime/ops/op_data.h"
#include "runtime/ops/op_table.h"

vlm_status vlm_infer_layer_norm(vlm_op_call *c) {
  const vlm_tensor *x = c->in[0];
  int axis;
  vlm_status st = vlm_axis(c, vlm_arg_int(c, 0, -1), x->rank, false, &axis);
  if (st != VLM_OK) return st;
  for (int k = 0; k < 3; k++)
    if ((st = vlm_require_whole_floats(c, k, k == 0 ? "X" : k == 1 ? "scale" : "bias")) != VLM_OK) return st;
  vlm_tensor stats = *x;
  for (int i = axis; i < x->rank; i++) stats.dims[i] = 1;
  /* stash_type is the code of the type of the statistics; 1 is float32. */
  vlm_dtype type = x->dtype == VLM_F64 ? VLM_F64 : VLM_F32;
  vlm_out_shape(c, 0, c->in[1]->dtype == x->dtype ? x->dtype : c->in[1]->dtype, x->rank, x->dims);
  vlm_out_shape(c, 1, type, x->rank, stats.dims);
  vlm_out_shape(c, 2, type, x->rank, stats.dims);
  return VLM_OK;
}

/* Scale or bias, repeated to the shape of the normalised dims when it is smaller. */
static vlm_status spread(vlm_op_call *c, int k, int axis, vlm_tensor *out) {
  vlm_status st = VLM_OK;
  const vlm_tensor *x = c->in[0], *t = c->in[k];
  char got[128], wanted[128];
  void *data;
  int width = x->rank - axis;
  vlm_tensor shape = vlm_tensor_make(t->dtype, width, x->dims + axis, NULL), core = *t;
  while (core.rank > width && core.dims[0] == 1) {
    core.rank--;
    for (int i = 0; i < core.rank; i++) core.dims[i] = core.dims[i + 1];
  }
  *out = core;
  if (vlm_tensor_same_shape(&core, &shape)) return VLM_OK;
  VLM_CHECK(core.rank <= width, c->err, VLM_INPUT, "input %d of shape %s does not broadcast to the normalised dims %s", k,
            vlm_tensor_shape_text(t, got, sizeof got), vlm_tensor_shape_text(&shape, wanted, sizeof wanted));
  VLM_TRY(vlm_scratch_array(c, &data, vlm_tensor_count(&shape), 8));
  for (int64_t i = 0; i < vlm_tensor_count(&shape); i++) {
    int64_t rest = i, at = 0, span = 1;
    for (int d = width - 1; d >= 0; rest /= shape.dims[d--]) {
      int e = d - (width - core.rank);
      if (e < 0) continue;
      VLM_CHECK(core.dims[e] == 1 || core.dims[e] == shape.dims[d], c->err, VLM_INPUT, "input %d of shape %s does not broadcast to %s", k,
                vlm_tensor_shape_text(t, got, sizeof got), vlm_tensor_shape_text(&shape, wanted, sizeof wanted));
      if (core.dims[e] != 1) at += rest % shape.dims[d] * span;
      span *= core.dims[e];
    }
    size_t size = (size_t)vlm_dtype_bits(t->dtype) / 8;
    for (size_t b = 0; b < size; b++) ((uint8_t *)data)[(size_t)i * size + b] = ((const uint8_t *)t->data)[(size_t)at * size + b];
  }
  *out = shape;
  out->data = data;
out:
  return st;
}

static vlm_status run_f32(vlm_op_call *c, vlm_norm_rows *n, const vlm_tensor *scale, const vlm_tensor *bias, int inverse_at) {
  vlm_status st = VLM_OK;
  VLM_TRY(vlm_as_f32(c, c->in[0], &n->x));
  VLM_TRY(vlm_as_f32(c, scale, &n->scale));
  VLM_TRY(vlm_as_f32(c, bias, &n->bias));
  VLM_TRY(vlm_out_f32(c, 0, &n->y));
  if (!n->rms && vlm_out(c, 1)) n->mean = c->out[1]->data;
  if (vlm_out(c, inverse_at)) n->inverse = c->out[inverse_at]->data;
  vlm_norm_rows_run(c, n);
  vlm_store_f32(c, 0, n->y);
out:
  return st;
}

static vlm_status layer_norm(vlm_op_call *c, bool rms) {
  vlm_status st = VLM_OK;
  const vlm_tensor *x = c->in[0];
  vlm_tensor scale, bias = {0};
  bool biased = !rms && vlm_in(c, 2);
  int axis, inverse_at = rms ? 1 : 2;
  VLM_TRY(vlm_axis(c, vlm_arg_int(c, 0, -1), x->rank, false, &axis));
  VLM_TRY(spread(c, 1, axis, &scale));
  if (biased) VLM_TRY(spread(c, 2, axis, &bias));
  vlm_norm_rows n = {
      .rows = vlm_tensor_span(x, 0, axis), .width = vlm_tensor_span(x, axis, x->rank), .rms = rms, .eps = vlm_arg_float(c, 1, 1e-5f)};
  if (x->dtype != VLM_F64) return run_f32(c, &n, &scale, biased ? &bias : NULL, inverse_at);
  VLM_CHECK(scale.dtype == VLM_F64 && (!biased || bias.dtype == VLM_F64), c->err, VLM_INPUT,
            "scale is of type %s, the input of type float64", vlm_dtype_name(scale.dtype));
  vlm_norm_rows_f64(n.rows, n.width, rms, (double)n.eps, x->data, scale.data, biased ? bias.data : NULL, c->out[0]->data,
                    !rms && vlm_out(c, 1) ? c->out[1]->data : NULL, vlm_out(c, inverse_at) ? c->out[inverse_at]->data : NULL);
out:
  return st;
}

vlm_status vlm_run_layer_norm(vlm_op_call *c) { return layer_norm(c, false); }
vlm_status vlm_run_rms_norm(vlm_op_call *c) { return layer_norm(c, true); }
