/* LayerNormalization, RMSNormalization (also under the name SimplifiedLayerNormalization), and vlm.QLayerNorm, which gives bytes:
 * x, scale, y_scale, y_zero, [bias]. Statistics are float32 for every type but
 * float64, whatever stash_type says. */
#include "runtime/ops/norm_rows.h"
#include "runtime/ops/op_check.h"
#include "runtime/ops/op_data.h"
#include "runtime/ops/op_table.h"
#include "runtime/ops/values.h"

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

/* ---- scale and bias, repeated to the shape of the normalised dims when they are smaller ---- */

typedef struct {
  int input;    /* -1 = absent */
  int64_t *map; /* per normalised element, where its value stands; NULL = in order */
  int64_t width;
  vlm_values values;
  float *kept;
  size_t at;
} spread;

/* Where element i of `shape` stands in `core`, whose dims are those of the shape or 1, aligned at the end; -1 = they do not fit. */
static int64_t place_of(int64_t i, const vlm_tensor *shape, const vlm_tensor *core) {
  int64_t at = 0, span = 1;
  for (int d = shape->rank - 1; d >= 0; i /= shape->dims[d--]) {
    int e = d - (shape->rank - core->rank);
    if (e < 0) continue;
    if (core->dims[e] != 1 && core->dims[e] != shape->dims[d]) return -1;
    if (core->dims[e] != 1) at += i % shape->dims[d] * span;
    span *= core->dims[e];
  }
  return at;
}

static vlm_status make_map(vlm_op_call *c, spread *s, int axis) {
  vlm_status st = VLM_OK;
  const vlm_tensor *x = c->in[0], *t = c->in[s->input];
  char got[128], wanted[128];
  int width = x->rank - axis;
  vlm_tensor shape = vlm_tensor_make(t->dtype, width, x->dims + axis, NULL), core = *t;
  while (core.rank > width && core.dims[0] == 1) {
    core.rank--;
    for (int i = 0; i < core.rank; i++) core.dims[i] = core.dims[i + 1];
  }
  if (vlm_tensor_same_shape(&core, &shape)) goto out;
  bool fits = core.rank <= width;
  if (fits) VLM_TRY(vlm_op_keep_new(c, &s->map, s->width));
  for (int64_t i = 0; fits && i < s->width; i++) fits = (s->map[i] = place_of(i, &shape, &core)) >= 0;
  VLM_CHECK(fits, c->err, VLM_INPUT, "input %d of shape %s does not broadcast to the normalised dims %s",
            s->input, vlm_tensor_shape_text(t, got, sizeof got),
            vlm_tensor_shape_text(&shape, wanted, sizeof wanted));
out:
  return st;
}

static void fill_spread(float *to, const spread *s, const float *values) {
  for (int64_t i = 0; i < s->width; i++) to[i] = values[s->map[i]];
}

static vlm_status prepare_spread(vlm_op_call *c, spread *s, int k, int axis, int64_t width) {
  vlm_status st = VLM_OK;
  *s = (spread){.input = k >= 0 && vlm_in(c, k) ? k : -1, .width = width};
  if (s->input < 0) goto out;
  VLM_TRY(make_map(c, s, axis));
  VLM_TRY(vlm_values_prepare(c, &s->values, k, vlm_tensor_count(c->in[k]), "an input"));
  if (c->in[0]->dtype == VLM_F64) {
    VLM_TRY(vlm_op_reserve(c, &s->at, width, sizeof(double)));
  } else if (s->map && vlm_op_lasts(c, k)) {
    VLM_TRY(vlm_op_keep_new(c, &s->kept, width));
    fill_spread(s->kept, s, s->values.own ? c->in[k]->data : s->values.kept);
  } else if (s->map) {
    VLM_TRY(vlm_op_reserve(c, &s->at, width, sizeof(float)));
  }
out:
  return st;
}

static const float *spread_floats(const vlm_op_call *c, const spread *s) {
  if (s->input < 0 || s->kept) return s->kept;
  const float *values = vlm_values_get(c, &s->values);
  if (!s->map) return values;
  float *to = vlm_op_work(c, s->at);
  fill_spread(to, s, values);
  return to;
}

static const double *spread_doubles(const vlm_op_call *c, const spread *s) {
  if (s->input < 0) return NULL;
  double *to = vlm_op_work(c, s->at);
  for (int64_t i = 0; i < s->width; i++)
    to[i] = ((const double *)c->in[s->input]->data)[s->map ? s->map[i] : i];
  return to;
}

/* ---- the operators ---- */

typedef struct {
  spread scale, bias;
  vlm_values x;
  vlm_result y;
  vlm_norm_rows n; /* all but the pointers of the run */
  int inverse_at;
  vlm_scalar q_scale, q_zero; /* vlm.QLayerNorm */
  size_t room;
} norm_layer_state;

/* bias: the input, -1 = none; without mean and bias for RMS. */
static vlm_status prepare_rows(vlm_op_call *c, norm_layer_state *s, bool rms, int bias) {
  vlm_status st = VLM_OK;
  const vlm_tensor *x = c->in[0];
  int axis;
  VLM_TRY(vlm_axis(c, vlm_arg_int(c, 0, -1), x->rank, false, &axis));
  s->inverse_at = rms ? 1 : 2;
  s->n = (vlm_norm_rows){.rows = vlm_tensor_span(x, 0, axis),
                         .width = vlm_tensor_span(x, axis, x->rank),
                         .rms = rms,
                         .eps = vlm_arg_float(c, 1, 1e-5f)};
  VLM_TRY(prepare_spread(c, &s->scale, 1, axis, s->n.width));
  VLM_TRY(prepare_spread(c, &s->bias, bias, axis, s->n.width));
out:
  return st;
}

static vlm_status prepare_norm(vlm_op_call *c, bool rms) {
  vlm_status st = VLM_OK;
  norm_layer_state *s;
  const vlm_tensor *x = c->in[0];
  VLM_TRY(vlm_op_state_new(c, &s));
  VLM_TRY(prepare_rows(c, s, rms, rms ? -1 : 2));
  if (x->dtype == VLM_F64) {
    VLM_CHECK(c->in[1]->dtype == VLM_F64 && (s->bias.input < 0 || c->in[2]->dtype == VLM_F64), c->err,
              VLM_INPUT, "scale is of type %s, the input of type float64", vlm_dtype_name(c->in[1]->dtype));
    goto out;
  }
  VLM_TRY(vlm_values_prepare(c, &s->x, 0, vlm_tensor_count(x), "x"));
  VLM_TRY(vlm_result_prepare(c, &s->y, 0));
out:
  return st;
}

vlm_status vlm_prepare_layer_norm(vlm_op_call *c) { return prepare_norm(c, false); }
vlm_status vlm_prepare_rms_norm(vlm_op_call *c) { return prepare_norm(c, true); }

static void run_f64(const vlm_op_call *c, const norm_layer_state *s) {
  const vlm_norm_rows *n = &s->n;
  vlm_norm_rows_f64 rows = {.rows = n->rows,
                            .width = n->width,
                            .rms = n->rms,
                            .eps = (double)n->eps,
                            .x = c->in[0]->data,
                            .y = c->out[0]->data};
  rows.scale = spread_doubles(c, &s->scale);
  rows.bias = spread_doubles(c, &s->bias);
  if (!n->rms && vlm_out(c, 1)) rows.mean = c->out[1]->data;
  if (vlm_out(c, s->inverse_at)) rows.inverse = c->out[s->inverse_at]->data;
  vlm_norm_rows_f64_run(&rows);
}

vlm_status vlm_run_layer_norm(vlm_op_call *c) {
  const norm_layer_state *s = c->state;
  if (c->in[0]->dtype == VLM_F64) {
    run_f64(c, s);
    return VLM_OK;
  }
  vlm_norm_rows n = s->n;
  n.x = vlm_values_get(c, &s->x);
  n.scale = spread_floats(c, &s->scale);
  n.bias = spread_floats(c, &s->bias);
  n.y = vlm_result_get(c, &s->y);
  if (!n.rms && vlm_out(c, 1)) n.mean = c->out[1]->data;
  if (vlm_out(c, s->inverse_at)) n.inverse = c->out[s->inverse_at]->data;
  vlm_norm_rows_run(c, &n);
  vlm_store_f32(c, 0, n.y);
  return VLM_OK;
}

/* ---- vlm.QLayerNorm ---- */

enum { Q_RMS = 2 };
enum { Q_SCALE = 2, Q_ZERO, Q_BIAS };

vlm_status vlm_infer_QLayerNorm(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  int axis;
  VLM_TRY(vlm_axis(c, vlm_arg_int(c, 0, -1), c->in[0]->rank, false, &axis));
  VLM_TRY(vlm_require_type(c, 0, "x", VLM_F32));
  VLM_TRY(vlm_require_type(c, 1, "scale", VLM_F32));
  VLM_TRY(vlm_require_type(c, Q_BIAS, "bias", VLM_F32));
  VLM_TRY(vlm_require_type(c, Q_ZERO, "the zero point", VLM_U8));
  vlm_out_shape(c, 0, VLM_U8, c->in[0]->rank, c->in[0]->dims);
out:
  return st;
}

vlm_status vlm_prepare_QLayerNorm(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  norm_layer_state *s;
  VLM_TRY(vlm_op_state_new(c, &s));
  const bool rms = vlm_arg_int(c, Q_RMS, 0) != 0;
  VLM_TRY(prepare_rows(c, s, rms, rms ? -1 : Q_BIAS));
  VLM_TRY(vlm_values_prepare(c, &s->x, 0, vlm_tensor_count(c->in[0]), "x"));
  VLM_TRY(vlm_scalar_prepare(c, &s->q_scale, Q_SCALE, 1, "the scale"));
  VLM_TRY(vlm_scalar_prepare(c, &s->q_zero, Q_ZERO, 0, "the zero point"));
  const int workers = c->threads ? vlm_threads_count(c->threads) : 1;
  VLM_TRY(vlm_op_reserve(c, &s->room, s->n.width * workers, sizeof(float)));
out:
  return st;
}

vlm_status vlm_run_QLayerNorm(vlm_op_call *c) {
  const norm_layer_state *s = c->state;
  vlm_norm_rows n = s->n;
  n.x = vlm_values_get(c, &s->x);
  n.scale = spread_floats(c, &s->scale);
  n.bias = spread_floats(c, &s->bias);
  n.q = c->out[0]->data;
  n.q_scale = (float)vlm_scalar_get(c, &s->q_scale);
  n.q_zero = (int32_t)vlm_scalar_get(c, &s->q_zero);
  n.room = vlm_op_work(c, s->room);
  vlm_norm_rows_run(c, &n);
  return VLM_OK;
}
