#include "quant/gptq.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/wide.h"

static const double DAMPING = 0.01; /* of the mean diagonal, as the paper has it */

static int64_t at(int64_t i, int64_t j) { return i >= j ? i * (i + 1) / 2 + j : j * (j + 1) / 2 + i; }

/* ---- the order ---- */

typedef struct {
  double energy;
  int64_t index;
} input;

static int by_energy(const void *a, const void *b) {
  const input *x = a, *y = b;
  if (x->energy != y->energy) return x->energy < y->energy ? -1 : 1;
  return x->index < y->index ? -1 : x->index > y->index;
}

static vlm_status sort_inputs(int64_t *order, const double *sums, int64_t size, vlm_error *err) {
  input *inputs;
  vlm_status st = vlm_new(&inputs, size, err);
  if (st != VLM_OK) return st;
  for (int64_t i = 0; i < size; i++) inputs[i] = (input){sums[at(i, i)], i};
  qsort(inputs, (size_t)size, sizeof *inputs, by_energy);
  for (int64_t i = 0; i < size; i++) order[i] = inputs[i].index;
  vlm_free(inputs);
  return VLM_OK;
}

/* ---- the factor ---- */

/* y -= a x: no sum, so any width gives the same numbers. */
VLM_WIDE static void subtract(double *y, const double *x, double a, int64_t n) {
  for (int64_t i = 0; i < n; i++) y[i] -= a * x[i];
}

/* Cholesky, one row of R after the other; the lower half is not touched. False: not positive. */
static bool factorize(double *r, int64_t n) {
  for (int64_t k = 0; k < n; k++) {
    double *row = r + k * n;
    if (!(row[k] > 0) || !isfinite(row[k])) return false;
    const double root = sqrt(row[k]);
    for (int64_t j = k; j < n; j++) row[j] /= root;
    for (int64_t i = k + 1; i < n; i++) subtract(r + i * n + i, row + i, row[i], n - i);
  }
  return true;
}

/* What rounding asks for is R[k][j] / R[k][k]. */
static void divide_rows(double *r, int64_t n) {
  for (int64_t k = 0; k < n; k++)
    for (int64_t j = n - 1; j >= k; j--) r[k * n + j] /= r[k * n + k];
}

vlm_status vlm_plane_make(vlm_plane *out, const double *sums, int64_t size, vlm_error *err) {
  vlm_status st = VLM_OK;
  double energy = 0;
  *out = (vlm_plane){.size = size};
  for (int64_t i = 0; i < size; i++) energy += sums[at(i, i)];
  VLM_CHECK(energy > 0 && isfinite(energy), err, VLM_INPUT, "inputs of energy %g say nothing about weights",
            energy);
  VLM_TRY(vlm_new(&out->order, size, err));
  VLM_TRY(vlm_new(&out->factor, size * size, err));
  VLM_TRY(sort_inputs(out->order, sums, size, err));
  for (int64_t i = 0; i < size; i++)
    for (int64_t j = i; j < size; j++) out->factor[i * size + j] = sums[at(out->order[i], out->order[j])];
  for (int64_t i = 0; i < size; i++) out->factor[i * size + i] += DAMPING * energy / (double)size;
  VLM_CHECK(factorize(out->factor, size), err, VLM_INPUT, "sums over inputs are not positive");
  divide_rows(out->factor, size);
out:
  if (st != VLM_OK) vlm_plane_free(out);
  return st;
}

void vlm_plane_free(vlm_plane *plane) {
  vlm_free(plane->factor);
  vlm_free(plane->order);
  *plane = (vlm_plane){.size = 0};
}

/* ---- rounding ---- */

/* In VLM_LANES interleaved sums. */
VLM_WIDE static double dot(const double *a, const double *b, int64_t n) {
  double lanes[VLM_LANES] = {0}, sum = 0;
  int64_t i = 0;
  for (; i + VLM_LANES <= n; i += VLM_LANES)
    for (int k = 0; k < VLM_LANES; k++) lanes[k] += a[i + k] * b[i + k];
  for (int k = 0; i < n; i++, k++) lanes[k] += a[i] * b[i];
  for (int k = 0; k < VLM_LANES; k++) sum += lanes[k];
  return sum;
}

void vlm_plane_round(int8_t *q, const float *w, float scale, const vlm_plane *plane, double *lost) {
  const int64_t n = plane->size;
  for (int64_t k = n - 1; k >= 0; k--) {
    const double weight = (double)w[plane->order[k]],
                 wanted = weight + dot(plane->factor + k * n + k + 1, lost + k + 1, n - k - 1);
    double level = rint(wanted / (double)scale);
    level = level < -127 ? -127 : level > 127 ? 127 : level;
    q[plane->order[k]] = (int8_t)level;
    lost[k] = weight - level * (double)scale;
  }
}

double vlm_plane_error(const double *sums, int64_t size, const float *w, const int8_t *q, float scale,
                       double *lost) {
  double error = 0;
  for (int64_t i = 0; i < size; i++) lost[i] = (double)w[i] - (double)q[i] * (double)scale;
  for (int64_t i = 0; i < size; i++)
    error += lost[i] * (2 * dot(sums + at(i, 0), lost, i) + sums[at(i, i)] * lost[i]);
  return error;
}
