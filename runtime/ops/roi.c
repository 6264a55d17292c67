/* RoiAlign and MaxRoiPool: fixed-size features of regions of an image [N, C, H, W]. */
#include <math.h>
#include <string.h>

#include "runtime/ops/op_data.h"
#include "runtime/ops/op_table.h"
#include "runtime/ops/values.h"

/* ---- RoiAlign ---- */

enum { MODE, HEIGHT, WIDTH, SAMPLING, SCALE, COORDINATES };
enum {
  MAX_SAMPLES = 4096,
  MAX_OVERSIZE = 16
}; /* samples per bin and axis; bins per image size: a region of any size must not run for ever */

vlm_status vlm_infer_RoiAlign(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  const vlm_tensor *x = c->in[0], *rois = c->in[1];
  int64_t dims[4] = {0, 0, vlm_arg_int(c, HEIGHT, 1), vlm_arg_int(c, WIDTH, 1)};
  VLM_CHECK(x->rank == 4, c->err, VLM_INPUT, "input has %d dims, wanted 4", x->rank);
  VLM_CHECK(rois->rank == 2 && rois->dims[1] == 4, c->err, VLM_INPUT, "rois does not have the shape [n, 4]");
  VLM_CHECK(vlm_tensor_count(c->in[2]) == rois->dims[0], c->err, VLM_INPUT,
            "batch_indices does not have one entry per region");
  VLM_CHECK(dims[2] > 0 && dims[3] > 0, c->err, VLM_INPUT, "output size is %lld x %lld", (long long)dims[2],
            (long long)dims[3]);
  VLM_CHECK(vlm_arg_int(c, SAMPLING, 0) <= MAX_SAMPLES, c->err, VLM_LIMIT,
            "sampling_ratio is %lld, at most %d", (long long)vlm_arg_int(c, SAMPLING, 0), MAX_SAMPLES);
  dims[0] = rois->dims[0];
  dims[1] = x->dims[1];
  vlm_out_shape(c, 0, x->dtype, 4, dims);
out:
  return st;
}

typedef struct corner {
  int64_t at;
  float weight;
} corner;

/* The four pixels around (y, x), all of weight 0 when the point is more than a pixel outside. */
static void find_corners(float y, float x, int64_t h, int64_t w, corner out[4]) {
  memset(out, 0, 4 * sizeof *out);
  if (!(y >= -1 && y <= (float)h && x >= -1 && x <= (float)w)) return;
  y = y < 0 ? 0 : y;
  x = x < 0 ? 0 : x;
  int64_t y0 = (int64_t)y, x0 = (int64_t)x, y1 = y0 + 1, x1 = x0 + 1;
  if (y0 >= h - 1) y0 = y1 = h - 1, y = (float)y0;
  if (x0 >= w - 1) x0 = x1 = w - 1, x = (float)x0;
  float fy = y - (float)y0, fx = x - (float)x0;
  out[0] = (corner){y0 * w + x0, (1 - fy) * (1 - fx)};
  out[1] = (corner){y0 * w + x1, (1 - fy) * fx};
  out[2] = (corner){y1 * w + x0, fy * (1 - fx)};
  out[3] = (corner){y1 * w + x1, fy * fx};
}

typedef struct align_job {
  const float *x, *rois;
  float *y;
  const vlm_tensor *image, *batch;
  int64_t ph, pw, sampling;
  float scale, offset;
  bool clamp_size, max;
} align_job;

/* ny x nx samples, half a step inside the corner. */
typedef struct align_bin {
  float top, left, step_y, step_x;
  int64_t ny, nx;
} align_bin;

/* One bin of one channel: mean of the bilinear samples, or the largest weighted corner (the operator's definition of max). */
static float sample_bin(const align_job *j, const float *image, const align_bin *b) {
  float sum = 0, best = 0;
  bool first = true;
  for (int64_t iy = 0; iy < b->ny; iy++)
    for (int64_t ix = 0; ix < b->nx; ix++) {
      corner p[4];
      float v[4];
      find_corners(b->top + ((float)iy + 0.5f) * b->step_y, b->left + ((float)ix + 0.5f) * b->step_x,
                   j->image->dims[2], j->image->dims[3], p);
      for (int k = 0; k < 4; k++) {
        v[k] = p[k].weight * image[p[k].at];
        if (first || v[k] > best) best = v[k];
        first = false;
      }
      sum += v[0] + v[1] + v[2] + v[3];
    }
  int64_t count = b->ny * b->nx > 1 ? b->ny * b->nx : 1;
  return j->max ? best : sum / (float)count;
}

/* Samples along a bin of that many pixels. */
static int64_t samples_of(float pixels) { return pixels > 0 ? (int64_t)ceilf(pixels) : 0; }

/* Bins of this many pixels are sampled: some times the image, when that is small, and the image itself at most. */
static float most_pixels(int64_t size) {
  int64_t oversize = MAX_OVERSIZE * size;
  return (float)(oversize < MAX_SAMPLES ? oversize : size > MAX_SAMPLES ? size : MAX_SAMPLES);
}

static vlm_status check_extent(vlm_op_call *c, const align_job *j, int64_t i) {
  const float *roi = j->rois + i * 4;
  float w = (roi[2] - roi[0]) * j->scale / (float)j->pw, h = (roi[3] - roi[1]) * j->scale / (float)j->ph;
  float most_w = most_pixels(j->image->dims[3]), most_h = most_pixels(j->image->dims[2]);
  if (j->sampling > 0 || (w <= most_w && h <= most_h)) return VLM_OK;
  return vlm_fail(c->err, VLM_LIMIT,
                  "region %lld has bins of %g x %g pixels; an image of %lld x %lld takes at most %g x %g",
                  (long long)i, (double)w, (double)h, (long long)j->image->dims[3],
                  (long long)j->image->dims[2], (double)most_w, (double)most_h);
}

static void align_roi(void *user, int64_t index, int worker) {
  const align_job *j = user;
  (void)worker;
  int64_t channels = j->image->dims[1], plane = j->image->dims[2] * j->image->dims[3];
  const float *roi = j->rois + index * 4;
  float x0 = roi[0] * j->scale - j->offset, y0 = roi[1] * j->scale - j->offset;
  float w = roi[2] * j->scale - j->offset - x0, h = roi[3] * j->scale - j->offset - y0;
  if (j->clamp_size) w = w > 1 ? w : 1, h = h > 1 ? h : 1;
  float bin_h = h / (float)j->ph, bin_w = w / (float)j->pw;
  int64_t ny = j->sampling > 0 ? j->sampling : samples_of(bin_h),
          nx = j->sampling > 0 ? j->sampling : samples_of(bin_w);
  align_bin bin = {.step_y = bin_h / (float)ny, .step_x = bin_w / (float)nx, .ny = ny, .nx = nx};
  const float *image = j->x + vlm_tensor_get_int(j->batch, index) * channels * plane;
  float *y = j->y + index * channels * j->ph * j->pw;
  for (int64_t ch = 0; ch < channels; ch++)
    for (int64_t py = 0; py < j->ph; py++)
      for (int64_t px = 0; px < j->pw; px++) {
        bin.top = y0 + (float)py * bin_h;
        bin.left = x0 + (float)px * bin_w;
        *y++ = sample_bin(j, image + ch * plane, &bin);
      }
}

typedef struct {
  align_job job; /* all but the pointers of the run */
  vlm_values x, rois;
  vlm_result y;
} roi_align_state;

vlm_status vlm_prepare_RoiAlign(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  roi_align_state *s;
  const vlm_tensor *x = c->in[0], *y = c->out[0];
  const char *coordinates =
      vlm_arg_string(c, COORDINATES, c->node->opset >= 16 ? "half_pixel" : "output_half_pixel");
  bool half = strcmp(coordinates, "half_pixel") == 0;
  VLM_CHECK((x->dims[2] > 0 && x->dims[3] > 0) || vlm_tensor_count(y) == 0, c->err, VLM_INPUT,
            "the image is empty");
  VLM_TRY(vlm_op_state_new(c, &s));
  s->job = (align_job){.ph = y->dims[2],
                       .pw = y->dims[3],
                       .sampling = vlm_arg_int(c, SAMPLING, 0),
                       .scale = vlm_arg_float(c, SCALE, 1),
                       .offset = half ? 0.5f : 0,
                       .clamp_size = !half,
                       .max = strcmp(vlm_arg_string(c, MODE, "avg"), "max") == 0};
  VLM_TRY(vlm_floats_prepare(c, &s->x, 0));
  VLM_TRY(vlm_floats_prepare(c, &s->rois, 1));
  VLM_TRY(vlm_result_prepare(c, &s->y, 0));
out:
  return st;
}

static vlm_status check_batch(vlm_op_call *c, int64_t i) {
  int64_t b = vlm_tensor_get_int(c->in[2], i), n = c->in[0]->dims[0];
  if (b >= 0 && b < n) return VLM_OK;
  return vlm_fail(c->err, VLM_INPUT, "batch_indices[%lld] is %lld of %lld", (long long)i, (long long)b,
                  (long long)n);
}

vlm_status vlm_run_RoiAlign(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  const roi_align_state *s = c->state;
  align_job j = s->job;
  int64_t n = c->in[1]->dims[0];
  if (vlm_tensor_count(c->out[0]) == 0) goto out;
  j.image = c->in[0];
  j.batch = c->in[2];
  j.x = vlm_values_get(c, &s->x);
  j.rois = vlm_values_get(c, &s->rois);
  j.y = vlm_result_get(c, &s->y);
  for (int64_t i = 0; i < n; i++) VLM_TRY(check_batch(c, i));
  for (int64_t i = 0; i < n; i++) VLM_TRY(check_extent(c, &j, i));
  vlm_threads_run(c->threads, n, align_roi, &j);
  vlm_store_f32(c, 0, j.y);
out:
  return st;
}

/* ---- MaxRoiPool: regions [batch, x1, y1, x2, y2] with inclusive, rounded corners ---- */

vlm_status vlm_infer_MaxRoiPool(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  const vlm_tensor *x = c->in[0], *rois = c->in[1];
  const vlm_attr *shape = vlm_arg(c, 0);
  VLM_CHECK(x->rank == 4 && rois->rank == 2 && rois->dims[1] == 5, c->err, VLM_INPUT,
            "inputs do not have the shapes [N, C, H, W] and [n, 5]");
  VLM_CHECK(shape->count == 2 && shape->u.ints[0] > 0 && shape->u.ints[1] > 0, c->err, VLM_INPUT,
            "pooled_shape is not two positive numbers");
  int64_t dims[4] = {rois->dims[0], x->dims[1], shape->u.ints[0], shape->u.ints[1]};
  vlm_out_shape(c, 0, x->dtype, 4, dims);
out:
  return st;
}

typedef struct pixel_span {
  int64_t from, to;
} pixel_span;

/* Pixels [from, to) that bin k of `bins` covers, for a region of `size` pixels at `start` of an axis of n. */
static pixel_span bin_span(int64_t k, int64_t bins, float start, float size, int64_t n) {
  float step = size / (float)bins, low = floorf((float)k * step) + start,
        high = ceilf((float)(k + 1) * step) + start;
  return (pixel_span){.from = !(low > 0)       ? 0
                              : low > (float)n ? n
                                               : (int64_t)low,
                      .to = !(high > 0)       ? 0
                            : high > (float)n ? n
                                              : (int64_t)high};
}

typedef struct {
  float scale;
  vlm_values x, rois;
  vlm_result y;
} roi_pool_state;

vlm_status vlm_prepare_MaxRoiPool(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  roi_pool_state *s;
  VLM_TRY(vlm_op_state_new(c, &s));
  s->scale = vlm_arg_float(c, 1, 1);
  VLM_TRY(vlm_floats_prepare(c, &s->x, 0));
  VLM_TRY(vlm_floats_prepare(c, &s->rois, 1));
  VLM_TRY(vlm_result_prepare(c, &s->y, 0));
out:
  return st;
}

static float largest_of(const float *plane, int64_t width, pixel_span rows, pixel_span columns) {
  float best = rows.from < rows.to && columns.from < columns.to ? plane[rows.from * width + columns.from] : 0;
  for (int64_t i = rows.from; i < rows.to; i++)
    for (int64_t j = columns.from; j < columns.to; j++)
      best = plane[i * width + j] > best ? plane[i * width + j] : best;
  return best;
}

/* One region into y [C, pooled height, pooled width]. */
static void pool_region(const vlm_op_call *c, const float *image, const float *roi, float scale, float *y) {
  const vlm_tensor *x = c->in[0], *t = c->out[0];
  float x0 = roundf(roi[1] * scale), y0 = roundf(roi[2] * scale), w = roundf(roi[3] * scale) - x0 + 1,
        h = roundf(roi[4] * scale) - y0 + 1;
  for (int64_t k = 0, n = t->dims[1] * t->dims[2] * t->dims[3]; k < n; k++) {
    int64_t px = k % t->dims[3], py = k / t->dims[3] % t->dims[2], ch = k / (t->dims[3] * t->dims[2]);
    const float *plane = image + ((int64_t)roi[0] * x->dims[1] + ch) * x->dims[2] * x->dims[3];
    y[k] = largest_of(plane, x->dims[3], bin_span(py, t->dims[2], y0, h > 1 ? h : 1, x->dims[2]),
                      bin_span(px, t->dims[3], x0, w > 1 ? w : 1, x->dims[3]));
  }
}

vlm_status vlm_run_MaxRoiPool(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  const roi_pool_state *s = c->state;
  const float *image = vlm_values_get(c, &s->x), *rois = vlm_values_get(c, &s->rois);
  float *y = vlm_result_get(c, &s->y);
  int64_t size = vlm_tensor_span(c->out[0], 1, 4);
  for (int64_t r = 0; r < c->out[0]->dims[0]; r++) {
    const float *roi = rois + r * 5;
    VLM_CHECK(roi[0] >= 0 && roi[0] < (float)c->in[0]->dims[0], c->err, VLM_INPUT,
              "region %lld is of image %g of %lld", (long long)r, (double)roi[0],
              (long long)c->in[0]->dims[0]);
    pool_region(c, image, roi, s->scale, y + r * size);
  }
  vlm_store_f32(c, 0, y);
out:
  return st;
}
