#include <math.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/image/resize.h"

#define WEIGHT_ONE (1 << 22)

static const double pi = 3.14159265358979323846;

static const struct {
  const char *text;
  int code;
  double support;
} filters[VLM_FILTER_COUNT] = {
#define X(name, text, code, support) {text, code, support},
#include "runtime/image/filter.def"
#undef X
};

const char *vlm_filter_name(vlm_resize_filter filter) {
  return filter < VLM_FILTER_COUNT ? filters[filter].text : "?";
}

vlm_resize_filter vlm_filter_find(const char *name) {
  int i = 0;
  while (i < VLM_FILTER_COUNT && strcmp(filters[i].text, name) != 0) i++;
  return (vlm_resize_filter)i;
}

vlm_resize_filter vlm_filter_from_code(int64_t code) {
  int i = 0;
  while (i < VLM_FILTER_COUNT && filters[i].code != code) i++;
  return (vlm_resize_filter)i;
}

/* sin(pi x), own series so that weights do not depend on the system's libm: reduced to |r| <= 1/2, then Taylor up to r^21 (error <
 * 1e-17). */
static double sin_pi(double x) {
  double n = rint(x), r = (x - n) * pi, r2 = r * r, term = r, sum = r;
  for (int k = 2; k <= 20; k += 2) {
    term *= -r2 / (double)(k * (k + 1));
    sum += term;
  }
  return fmod(fabs(n), 2.0) == 1.0 ? -sum : sum;
}

static double sinc(double x) { return x == 0.0 ? 1.0 : sin_pi(x) / (x * pi); }

static double weight_box(double x) { return x > -0.5 && x <= 0.5 ? 1.0 : 0.0; }

static double weight_bilinear(double x) {
  x = fabs(x);
  return x < 1.0 ? 1.0 - x : 0.0;
}

static double weight_hamming(double x) {
  x = fabs(x);
  if (x >= 1.0) return 0.0;
  return sinc(x) * ((double)0.54f + (double)0.46f * sin_pi(x + 0.5));
}

static double weight_bicubic(double x) {
  const double a = -0.5;
  x = fabs(x);
  if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0;
  if (x < 2.0) return (((x - 5.0) * x + 8.0) * x - 4.0) * a;
  return 0.0;
}

static double weight_lanczos(double x) { return x >= -3.0 && x < 3.0 ? sinc(x) * sinc(x / 3.0) : 0.0; }

static double weight_at(vlm_resize_filter filter, double x) {
  switch (filter) {
    case VLM_FILTER_BOX: return weight_box(x);
    case VLM_FILTER_HAMMING: return weight_hamming(x);
    case VLM_FILTER_BICUBIC: return weight_bicubic(x);
    case VLM_FILTER_LANCZOS: return weight_lanczos(x);
    default: return weight_bilinear(x);
  }
}

static int32_t to_fixed(double w) { return (int32_t)(w < 0 ? w * WEIGHT_ONE - 0.5 : w * WEIGHT_ONE + 0.5); }

/* The filter at one size: what all positions of an axis share. */
typedef struct {
  vlm_resize_filter filter;
  double support, scale;
  int in_size;
  double *scratch; /* `taps` numbers */
} axis_filter;

/* Weights of one output position. */
static void fill_position(vlm_resize_weights *w, int i, double center, const axis_filter *f) {
  double *scratch = f->scratch;
  double low = center - f->support + 0.5, high = center + f->support + 0.5;
  int first = low < 0.0 ? 0 : (int)low, end = high > f->in_size ? f->in_size : (int)high;
  double sum = 0.0;
  for (int k = 0; k < end - first; k++) {
    scratch[k] = weight_at(f->filter, (k + first - center + 0.5) * f->scale);
    sum += scratch[k];
  }
  for (int k = 0; k < end - first; k++)
    w->weight[(size_t)i * (size_t)w->taps + (size_t)k] = to_fixed(sum != 0.0 ? scratch[k] / sum : scratch[k]);
  w->first[i] = first;
  w->count[i] = end - first;
}

vlm_status vlm_resize_weights_make(vlm_resize_weights *out, const vlm_resize_axis *axis, vlm_error *err) {
  vlm_status st = VLM_OK;
  const int in_size = axis->in_size, out_size = axis->out_size;
  void *block = NULL, *scratch = NULL;
  double scale = ((double)axis->end - (double)axis->begin) / out_size,
         filter_scale = scale < 1.0 ? 1.0 : scale;
  double support = filters[axis->filter].support * filter_scale;
  double most = ceil(support) * 2.0 + 1.0;
  int taps = most < in_size ? (int)most : in_size;
  size_t cells = 0;
  *out = (vlm_resize_weights){0};
  VLM_CHECK(vlm_size_mul((size_t)out_size, (size_t)taps + 2, &cells), err, VLM_LIMIT,
            "resize from %d to %d pixels: too many weights", in_size, out_size);
  VLM_TRY(vlm_alloc(&block, cells, sizeof(int32_t), err));
  VLM_TRY(vlm_alloc(&scratch, (size_t)taps, sizeof(double), err));
  *out = (vlm_resize_weights){.out_size = out_size, .taps = taps, .first = block};
  out->count = out->first + out_size;
  out->weight = out->count + out_size;
  const axis_filter f = {.filter = axis->filter,
                         .support = support,
                         .scale = 1.0 / filter_scale,
                         .in_size = in_size,
                         .scratch = scratch};
  for (int i = 0; i < out_size; i++) fill_position(out, i, (double)axis->begin + (i + 0.5) * scale, &f);
out:
  vlm_free(scratch);
  if (st != VLM_OK) vlm_free(block);
  return st;
}
