/* com.microsoft SkipLayerNormalization, SkipSimplifiedLayerNormalization: normalise input + skip + bias; and EmbedLayerNormalization. */
#include "runtime/ops/norm_rows.h"
#include "runtime/ops/op_data.h"
#include "runtime/ops/op_table.h"
#include "runtime/ops/values.h"

vlm_status vlm_infer_skip_norm(vlm_op_call *c) {
  const vlm_tensor *x = c->in[0];
  if (x->rank < 1) return vlm_fail(c->err, VLM_INPUT, "input is a scalar; wanted rank 2 or 3");
  vlm_tensor stats = *x;
  stats.dims[x->rank - 1] = 1;
  vlm_out_like(c, 0, 0);
  vlm_out_shape(c, 1, VLM_F32, x->rank, stats.dims);
  vlm_out_shape(c, 2, VLM_F32, x->rank, stats.dims);
  vlm_out_like(c, 3, 0);
  return VLM_OK;
}

static vlm_status check_row(vlm_op_call *c, int k, int64_t width) {
  const vlm_tensor *t = vlm_in(c, k);
  if (!t || vlm_tensor_count(t) == width) return VLM_OK;
  return vlm_fail(c->err, VLM_INPUT, "input %d has %lld elements; wanted %lld", k,
                  (long long)vlm_tensor_count(t), (long long)width);
}

typedef struct {
  vlm_norm_rows n; /* all but the pointers of the run */
  vlm_values x, skip, scale, bias, bias0;
  vlm_result y, sum;
} skip_norm_state;

/* gamma is input 2; beta (layer norm only) and bias follow. */
static vlm_status prepare_skip_norm(vlm_op_call *c, bool rms) {
  vlm_status st = VLM_OK;
  skip_norm_state *s;
  const vlm_tensor *x = c->in[0], *skip = c->in[1];
  int64_t width = x->dims[x->rank - 1], rows = width ? vlm_tensor_count(x) / width : 0;
  VLM_TRY(vlm_op_state_new(c, &s));
  s->n = (vlm_norm_rows){.rows = rows, .width = width, .rms = rms, .eps = vlm_arg_float(c, 0, 1e-12f)};
  if (rows == 0) goto out;
  for (int k = 2; k < c->n_in; k++) VLM_TRY(check_row(c, k, width));
  s->n.skip_rows = skip->rank && skip->dims[skip->rank - 1] == width ? vlm_tensor_count(skip) / width : 0;
  VLM_CHECK(s->n.skip_rows > 0 && rows % s->n.skip_rows == 0, c->err, VLM_INPUT,
            "skip has %lld elements, which does not fit the input's %lld", (long long)vlm_tensor_count(skip),
            (long long)vlm_tensor_count(x));
  VLM_TRY(vlm_floats_prepare(c, &s->x, 0));
  VLM_TRY(vlm_floats_prepare(c, &s->skip, 1));
  VLM_TRY(vlm_floats_prepare(c, &s->scale, 2));
  VLM_TRY(vlm_floats_prepare(c, &s->bias, rms ? -1 : 3));
  VLM_TRY(vlm_floats_prepare(c, &s->bias0, rms ? 3 : 4));
  VLM_TRY(vlm_result_prepare(c, &s->y, 0));
  VLM_TRY(vlm_result_prepare(c, &s->sum, 3));
out:
  return st;
}

vlm_status vlm_prepare_skip_layer_norm(vlm_op_call *c) { return prepare_skip_norm(c, false); }
vlm_status vlm_prepare_skip_rms_norm(vlm_op_call *c) { return prepare_skip_norm(c, true); }

vlm_status vlm_run_skip_norm(vlm_op_call *c) {
  const skip_norm_state *s = c->state;
  vlm_norm_rows n = s->n;
  for (int k = 1; k <= 2; k++) /* there is no mean without one, and no statistics of empty rows */
    if (vlm_out(c, k)) vlm_zero_some(c->out[k]->data, vlm_tensor_bytes(c->out[k]));
  if (n.rows == 0) return VLM_OK;
  n.x = vlm_values_get(c, &s->x);
  n.skip = vlm_values_get(c, &s->skip);
  n.scale = vlm_values_get(c, &s->scale);
  n.bias = vlm_values_get(c, &s->bias);
  n.bias0 = vlm_values_get(c, &s->bias0);
  n.y = vlm_result_get(c, &s->y);
  n.sum = vlm_out(c, 3) ? vlm_result_get(c, &s->sum) : n.y;
  if (!n.rms && vlm_out(c, 1)) n.mean = c->out[1]->data;
  if (vlm_out(c, 2)) n.inverse = c->out[2]->data;
  vlm_norm_rows_run(c, &n);
  vlm_store_f32(c, 0, n.y);
  if (vlm_out(c, 3)) vlm_store_f32(c, 3, n.sum);
  return VLM_OK;
}

/* ---- EmbedLayerNormalization ---- */

enum { IDS, SEGMENTS, WORDS, POSITIONS, SEGMENT_TABLE, GAMMA, BETA, MASK, POSITION_IDS };

vlm_status vlm_infer_embed_layer_norm(vlm_op_call *c) {
  static const int wanted[] = {WORDS, POSITIONS, GAMMA, BETA};
  for (int i = 0; i < 4; i++)
    if (!vlm_in(c, wanted[i]))
      return vlm_fail(c->err, VLM_INPUT, "input %d is absent; it is not optional", wanted[i]);
  const vlm_tensor *ids = c->in[IDS], *words = c->in[WORDS];
  if (ids->rank != 2 || words->rank != 2)
    return vlm_fail(c->err, VLM_INPUT,
                    "input_ids of rank %d and word table of rank %d; both must be of rank 2", ids->rank,
                    words->rank);
  const int64_t dims[3] = {ids->dims[0], ids->dims[1], words->dims[1]};
  vlm_out_shape(c, 0, words->dtype, 3, dims);
  vlm_out_shape(c, 1, VLM_S32, 1, dims);
  vlm_out_shape(c, 2, words->dtype, 3, dims);
  return VLM_OK;
}

/* Adds row `id` of table k to z, or stores it. */
static vlm_status take_row(vlm_op_call *c, int k, int64_t id, float *z, bool add) {
  const vlm_tensor *t = c->in[k];
  const float *own = t->dtype == VLM_F32 ? t->data : NULL;
  int64_t width = t->dims[1];
  if (id < 0 || id >= t->dims[0])
    return vlm_fail(c->err, VLM_INPUT, "id %lld is outside of embedding table %d with %lld rows",
                    (long long)id, k, (long long)t->dims[0]);
  for (int64_t i = 0, at = id * width; i < width; i++, at++) {
    float value = own ? own[at] : (float)vlm_tensor_get(t, at);
    z[i] = add ? z[i] + value : value;
  }
  return VLM_OK;
}

typedef struct {
  vlm_norm_rows n; /* all but the pointers of the run */
  vlm_values scale, bias;
  vlm_result y;
} embed_norm_state;

static vlm_status embed(vlm_op_call *c, const embed_norm_state *s, float *sum) {
  vlm_status st = VLM_OK;
  const vlm_tensor *ids = c->in[IDS], *segments = vlm_in(c, SEGMENTS), *positions = vlm_in(c, POSITION_IDS);
  int64_t length = ids->dims[1];
  for (int64_t i = 0; i < s->n.rows; i++) {
    float *z = sum + i * s->n.width;
    int64_t at = i % length;
    if (positions) at = vlm_tensor_get_int(positions, vlm_tensor_count(positions) == length ? i % length : i);
    VLM_TRY(take_row(c, WORDS, vlm_tensor_get_int(ids, i), z, false));
    VLM_TRY(take_row(c, POSITIONS, at, z, true));
    if (segments && vlm_in(c, SEGMENT_TABLE))
      VLM_TRY(take_row(c, SEGMENT_TABLE, vlm_tensor_get_int(segments, i), z, true));
  }
out:
  return st;
}

/* mask_index: number of leading positions whose mask is not 0; 0 without a mask. */
static void mask_index(vlm_op_call *c) {
  const vlm_tensor *mask = vlm_in(c, MASK), *ids = c->in[IDS];
  if (!vlm_out(c, 1)) return;
  int32_t *out = c->out[1]->data;
  for (int64_t b = 0; b < ids->dims[0]; b++) {
    out[b] = 0;
    while (mask && out[b] < ids->dims[1] && vlm_tensor_get_int(mask, b * ids->dims[1] + out[b])) out[b]++;
  }
}

static vlm_status check_embed(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  int64_t width = c->in[WORDS]->dims[1], count = vlm_tensor_count(c->in[IDS]);
  static const int tables[] = {POSITIONS, SEGMENT_TABLE}, lists[] = {SEGMENTS, MASK};
  for (int i = 0; i < 2; i++) {
    const vlm_tensor *table = vlm_in(c, tables[i]), *list = vlm_in(c, lists[i]);
    VLM_CHECK(!table || (table->rank == 2 && table->dims[1] == width), c->err, VLM_INPUT,
              "embedding table %d does not have %lld columns", tables[i], (long long)width);
    VLM_CHECK(!list || vlm_tensor_count(list) == count, c->err, VLM_INPUT,
              "input %d has %lld elements; wanted %lld", lists[i], (long long)vlm_tensor_count(list),
              (long long)count);
  }
  const vlm_tensor *positions = vlm_in(c, POSITION_IDS);
  VLM_CHECK(!positions || vlm_tensor_count(positions) == count ||
                vlm_tensor_count(positions) == c->in[IDS]->dims[1],
            c->err, VLM_INPUT, "position_ids has %lld elements; wanted %lld",
            (long long)vlm_tensor_count(positions), (long long)count);
  VLM_TRY(check_row(c, GAMMA, width));
  VLM_TRY(check_row(c, BETA, width));
out:
  return st;
}

vlm_status vlm_prepare_embed_layer_norm(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  embed_norm_state *s;
  VLM_TRY(vlm_op_state_new(c, &s));
  VLM_TRY(check_embed(c));
  s->n = (vlm_norm_rows){.rows = vlm_tensor_count(c->in[IDS]),
                         .width = c->in[WORDS]->dims[1],
                         .eps = vlm_arg_float(c, 0, 1e-12f)};
  VLM_TRY(vlm_floats_prepare(c, &s->scale, GAMMA));
  VLM_TRY(vlm_floats_prepare(c, &s->bias, BETA));
  VLM_TRY(vlm_result_prepare(c, &s->y, 0));
out:
  return st;
}

vlm_status vlm_run_embed_layer_norm(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  const embed_norm_state *s = c->state;
  vlm_norm_rows n = s->n;
  n.x = n.y = vlm_result_get(c, &s->y);
  VLM_TRY(embed(c, s, n.y));
  if (vlm_out(c, 2)) vlm_store_f32(c, 2, n.y);
  if (vlm_out(c, 2) && c->out[2]->dtype == VLM_F32)
    vlm_copy_some(c->out[2]->data, n.y, vlm_tensor_bytes(c->out[2]));
  n.scale = vlm_values_get(c, &s->scale);
  n.bias = vlm_values_get(c, &s->bias);
  vlm_norm_rows_run(c, &n);
  vlm_store_f32(c, 0, n.y);
  mask_index(c);
out:
  return st;
}
