#include "runtime/ops/ms_core.h"

#include <math.h>

#include "runtime/ops/op_data.h"

/* The padding mask in its forms: [B] lengths, [2 B] ends and starts, [B, S], [B, T, S], [B, 1, M, M]. */
static vlm_status find_form(vlm_op_call *c, vlm_ms_core *core) {
  const vlm_sdpa *a = &core->a;
  const vlm_tensor *t = c->in[core->padding];
  int64_t count = vlm_tensor_count(t), last = t->rank > 0 ? t->dims[t->rank - 1] : 0;
  bool square =
      t->rank == 4 && t->dims[0] == a->batch && t->dims[1] == 1 && t->dims[2] == last && last >= a->s;
  if (t->rank == 1 && count == a->batch) core->form = VLM_MS_LENGTHS;
  else if (t->rank == 1 && count == 2 * a->batch) core->form = VLM_MS_BOUNDS;
  else if (t->rank == 2 && count == a->batch * a->s) core->form = VLM_MS_KEYS;
  else if (t->rank == 3 && count == a->batch * a->t * a->s) core->form = VLM_MS_ROWS;
  else if (square) core->form = VLM_MS_SQUARE;
  else
    return vlm_fail(c->err, VLM_UNSUPPORTED,
                    "operator %s with a mask of %d dims and %lld values is not supported", c->node->op_type,
                    t->rank, (long long)count);
  return VLM_OK;
}

/* Both masks become one float mask of the run. */
static vlm_status prepare_sum(vlm_op_call *c, vlm_ms_core *core, int bias) {
  vlm_status st = VLM_OK;
  vlm_sdpa *a = &core->a;
  VLM_TRY(find_form(c, core));
  core->biased = vlm_in(c, bias) != NULL;
  core->bias = *a;
  VLM_TRY(vlm_sdpa_mask_prepare(c, &core->bias, bias, vlm_in(c, bias)));
  core->mask_heads = core->biased && core->bias.mask_head != 0 ? a->heads : 1;
  VLM_TRY(vlm_op_reserve(c, &core->sum, a->batch * core->mask_heads * a->t * a->s, sizeof(float)));
  a->mask_column = 1;
  a->mask_row = a->s;
  a->mask_head = core->mask_heads > 1 ? a->t * a->s : 0;
  a->mask_batch = core->mask_heads * a->t * a->s;
  a->mask_columns = a->s;
out:
  return st;
}

vlm_status vlm_ms_prepare(vlm_op_call *c, vlm_ms_core *core, const vlm_ms_sizes *sizes, int padding,
                          int bias) {
  vlm_status st = VLM_OK;
  vlm_sdpa *a = &core->a;
  a->batch = sizes->batch;
  a->heads = a->kv_heads = sizes->heads;
  a->t = sizes->t;
  a->s = sizes->past + sizes->fresh;
  a->d = sizes->d;
  a->dv = sizes->dv;
  a->scale = vlm_arg_float(c, VLM_MS_SCALE, 0);
  if (a->scale == 0) a->scale = (float)(1 / sqrt((double)a->d));
  a->causal = vlm_arg_int(c, VLM_MS_UNIDIRECTIONAL, 0) != 0;
  a->y_row = a->heads * a->dv;
  a->y_head = a->dv;
  a->y_batch = a->t * a->y_row;
  core->masked = vlm_arg_float(c, VLM_MS_MASK_VALUE, -10000);
  core->padding = vlm_in(c, padding) ? padding : -1;
  if (core->padding >= 0) VLM_TRY(prepare_sum(c, core, bias));
  else VLM_TRY(vlm_sdpa_mask_prepare(c, a, bias, vlm_in(c, bias)));
  VLM_TRY(vlm_op_reserve(c, &core->offset, a->batch, sizeof(int64_t)));
  VLM_TRY(vlm_result_prepare(c, &core->y, 0));
  VLM_TRY(vlm_sdpa_prepare(c, a));
out:
  return st;
}

/* A place of the mask. */
typedef struct {
  int64_t b, h, row, key;
} mask_place;

static bool keeps(const vlm_ms_core *core, const vlm_tensor *t, mask_place p) {
  const vlm_sdpa *a = &core->a;
  int64_t last = t->dims[t->rank - 1], past = a->s - a->t;
  switch (core->form) {
    case VLM_MS_LENGTHS: return p.key < vlm_tensor_get_int(t, p.b);
    case VLM_MS_BOUNDS:
      return p.key < vlm_tensor_get_int(t, p.b) && p.key >= vlm_tensor_get_int(t, a->batch + p.b);
    case VLM_MS_KEYS: return vlm_tensor_get_int(t, p.b * a->s + p.key) != 0;
    case VLM_MS_ROWS: return vlm_tensor_get_int(t, (p.b * a->t + p.row) * a->s + p.key) != 0;
    default: return vlm_tensor_get_int(t, (p.b * last + past + p.row) * last + p.key) != 0;
  }
}

/* What the additive mask adds; keys behind its last column are masked. */
static float bias_at(const vlm_sdpa *bias, mask_place p) {
  if (p.key >= bias->mask_columns) return -INFINITY;
  return bias->mask[p.b * bias->mask_batch + p.h * bias->mask_head + p.row * bias->mask_row +
                    p.key * bias->mask_column];
}

static const float *sum_masks(const vlm_op_call *c, const vlm_ms_core *core) {
  const vlm_sdpa *a = &core->a;
  vlm_sdpa bias = core->bias;
  float *sum = vlm_op_work(c, core->sum);
  if (core->biased) vlm_sdpa_mask_get(c, &bias);
  for (int64_t i = 0, n = a->batch * core->mask_heads * a->t * a->s; i < n; i++) {
    const mask_place p = {.b = i / a->s / a->t / core->mask_heads,
                          .h = i / a->s / a->t % core->mask_heads,
                          .row = i / a->s % a->t,
                          .key = i % a->s};
    sum[i] =
        (keeps(core, c->in[core->padding], p) ? 0 : core->masked) + (core->biased ? bias_at(&bias, p) : 0);
  }
  return sum;
}

void vlm_ms_run(vlm_op_call *c, const vlm_ms_core *core, vlm_sdpa *a) {
  int64_t *offset = vlm_op_work(c, core->offset);
  for (int64_t b = 0; b < a->batch; b++) offset[b] = a->s - a->t;
  a->offset = offset;
  if (core->padding >= 0) a->mask = sum_masks(c, core);
  else vlm_sdpa_mask_get(c, a);
  a->y = vlm_result_get(c, &core->y);
  vlm_sdpa_run(c, a);
  vlm_store_f32(c, 0, a->y);
}
