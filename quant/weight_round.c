#include "quant/weight_round.h"

#include <math.h>
#include <string.h>

#include "quant/gptq.h"

enum { NEAREST, MOVED, WAYS };

typedef struct {
  const vlm_tensor *w;
  vlm_weight_s8 *weight;
  const vlm_covariance *inputs;
  vlm_plane plane;
  int8_t *moved; /* as the weight is laid out */
  double
      *errors[WAYS]; /* per channel, of the samples to judge by: added up in their order, whoever made them */
  float *values;     /* a channel per worker, as the next two */
  int8_t *levels;
  double *lost;
} rounding;

static double judge(const rounding *r, const float *w, const int8_t *q, float scale, double *lost) {
  return vlm_plane_error(r->inputs->sums[1], r->inputs->size, w, q, scale, lost);
}

static void channel_task(void *user, int64_t c, int worker) {
  rounding *r = user;
  const int64_t n = r->inputs->size, step = r->weight->axis == 1 ? r->w->dims[1] : 1,
                first = r->weight->axis == 1 ? c : c * n;
  float *w = r->values + worker * n;
  int8_t *q = r->levels + worker * n;
  double *lost = r->lost + worker * n;
  const float scale = ((const float *)r->weight->scale.data)[c];
  for (int64_t i = 0; i < n; i++) {
    w[i] = ((const float *)r->w->data)[first + i * step];
    q[i] = ((const int8_t *)r->weight->data.data)[first + i * step];
  }
  r->errors[NEAREST][c] = judge(r, w, q, scale, lost);
  vlm_plane_round(q, w, scale, &r->plane, lost);
  r->errors[MOVED][c] = judge(r, w, q, scale, lost);
  for (int64_t i = 0; i < n; i++) r->moved[first + i * step] = q[i];
}

static vlm_status take_memory(rounding *r, vlm_threads *threads, vlm_error *err) {
  vlm_status st = VLM_OK;
  const int64_t n = r->inputs->size, channels = r->w->dims[r->weight->axis],
                workers = vlm_threads_count(threads);
  for (int way = 0; way < WAYS; way++) VLM_TRY(vlm_new(&r->errors[way], channels, err));
  VLM_TRY(vlm_new(&r->moved, channels * n, err));
  VLM_TRY(vlm_new(&r->values, workers * n, err));
  VLM_TRY(vlm_new(&r->levels, workers * n, err));
  VLM_TRY(vlm_new(&r->lost, workers * n, err));
out:
  return st;
}

static double total(const double *errors, int64_t count) {
  double sum = 0;
  for (int64_t c = 0; c < count; c++) sum += errors[c];
  return sum;
}

static void decide(rounding *r) {
  const int64_t channels = r->w->dims[r->weight->axis];
  const double nearest = total(r->errors[NEAREST], channels), moved = total(r->errors[MOVED], channels);
  r->weight->tried = true;
  r->weight->rounded = moved < nearest;
  r->weight->gain_db = moved > 0 && nearest > 0 ? 10 * log10(nearest / moved) : 0;
  if (r->weight->rounded) memcpy(r->weight->data.data, r->moved, (size_t)(channels * r->inputs->size));
}

vlm_status vlm_weight_round(vlm_weight_s8 *weight, const vlm_tensor *w, const vlm_covariance *inputs,
                            vlm_threads *threads, vlm_error *err) {
  vlm_status st = VLM_OK;
  rounding r = {.w = w, .weight = weight, .inputs = inputs};
  const bool fits = weight->axis < 2 && w->rank >= 2 && vlm_tensor_span(w, 2, w->rank) == 1 &&
                    w->dims[1 - weight->axis] == inputs->size;
  if (!fits || !inputs->rows[0] || !inputs->rows[1]) return VLM_OK;
  VLM_TRY(vlm_plane_make(&r.plane, inputs->sums[0], inputs->size, err));
  VLM_TRY(take_memory(&r, threads, err));
  vlm_threads_run(threads, w->dims[weight->axis], channel_task, &r);
  decide(&r);
out:
  vlm_plane_free(&r.plane);
  for (int way = 0; way < WAYS; way++) vlm_free(r.errors[way]);
  vlm_free(r.moved);
  vlm_free(r.values);
  vlm_free(r.levels);
  vlm_free(r.lost);
  return st;
}
