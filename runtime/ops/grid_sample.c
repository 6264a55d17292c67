/* GridSample in any number of spatial dims, and AffineGrid. */
#include <math.h>
#include <string.h>

#include "runtime/ops/op_data.h"
#include "runtime/ops/op_table.h"
#include "runtime/ops/values.h"

enum { MAX_SPACE = 4, MAX_TAPS = 4 };
typedef enum sample_mode { SAMPLE_NEAREST, SAMPLE_LINEAR, SAMPLE_CUBIC } sample_mode;
typedef enum sample_padding { PAD_ZEROS, PAD_BORDER, PAD_REFLECTION } sample_padding;

typedef struct sampler {
  sample_mode mode;
  sample_padding padding;
  bool align_corners;
  int space; /* spatial dims */
  int64_t dims[MAX_SPACE];
} sampler;

static vlm_status read_sampler(vlm_op_call *c, sampler *s) {
  vlm_status st = VLM_OK;
  const vlm_tensor *x = c->in[0], *grid = c->in[1];
  const char *mode = vlm_arg_string(c, 1, "linear"), *padding = vlm_arg_string(c, 2, "zeros");
  s->space = x->rank - 2;
  VLM_CHECK(s->space >= 1 && s->space <= MAX_SPACE, c->err, VLM_UNSUPPORTED,
            "operator GridSample of %d dims is not supported", x->rank);
  VLM_CHECK(grid->rank == x->rank && grid->dims[0] == x->dims[0] && grid->dims[grid->rank - 1] == s->space,
            c->err, VLM_INPUT, "grid does not have the shape [N, …, %d] with N = %lld", s->space,
            (long long)x->dims[0]);
  if (strcmp(mode, "nearest") == 0) s->mode = SAMPLE_NEAREST;
  else if (strcmp(mode, "linear") == 0 || strcmp(mode, "bilinear") == 0) s->mode = SAMPLE_LINEAR;
  else if (strcmp(mode, "cubic") == 0 || strcmp(mode, "bicubic") == 0) s->mode = SAMPLE_CUBIC;
  else VLM_CHECK(false, c->err, VLM_INPUT, "mode is \"%s\", wanted nearest, linear or cubic", mode);
  if (strcmp(padding, "zeros") == 0) s->padding = PAD_ZEROS;
  else if (strcmp(padding, "border") == 0) s->padding = PAD_BORDER;
  else if (strcmp(padding, "reflection") == 0) s->padding = PAD_REFLECTION;
  else
    VLM_CHECK(false, c->err, VLM_INPUT, "padding_mode is \"%s\", wanted zeros, border or reflection",
              padding);
  s->align_corners = vlm_arg_int(c, 0, 0) != 0;
  for (int i = 0; i < s->space; i++) s->dims[i] = x->dims[2 + i];
out:
  return st;
}

vlm_status vlm_infer_GridSample(vlm_op_call *c) {
  sampler s;
  vlm_status st = read_sampler(c, &s);
  if (st != VLM_OK) return st;
  int64_t dims[VLM_MAX_RANK] = {c->in[0]->dims[0], c->in[0]->dims[1]};
  for (int i = 0; i < s.space; i++) dims[2 + i] = c->in[1]->dims[1 + i];
  vlm_out_shape(c, 0, c->in[0]->dtype, c->in[0]->rank, dims);
  return VLM_OK;
}

static float reflect(float x, float low, float high) {
  float range = high - low;
  if ((x >= low && x <= high) || range <= 0) return range <= 0 ? low : x;
  bool below = x < low;
  float d = below ? low - x : x - high, turns = floorf(d / range), rest = d - turns * range;
  bool even = fmodf(turns, 2) == 0;
  return below == even ? low + rest : high - rest;
}

/* Index of a tap inside the image, or -1 for a zero. */
static int64_t tap_index(const sampler *s, int64_t k, int64_t n) {
  if (k >= 0 && k < n) return k;
  if (s->padding == PAD_ZEROS) return -1;
  if (s->padding == PAD_BORDER) return k < 0 ? 0 : n - 1;
  k = (int64_t)(s->align_corners ? reflect((float)k, 0, (float)n - 1)
                                 : reflect((float)k, -0.5f, (float)n - 0.5f));
  return k < 0 ? 0 : k >= n ? n - 1 : k;
}

/* Taps and weights of a normalised coordinate g along a dim of n pixels; returns their number. */
static int find_taps(const sampler *s, float g, int64_t n, int64_t *index, float *weight) {
  const float a = -0.75f;
  float x = s->align_corners ? (g + 1) / 2 * (float)(n - 1) : ((g + 1) * (float)n - 1) / 2;
  float low = s->align_corners ? 0 : -0.5f, high = (float)(n - 1) - low;
  if (s->mode == SAMPLE_NEAREST) x = nearbyintf(x);
  if (!(x > -1e9f)) x = -1e9f;
  if (x > 1e9f) x = 1e9f;
  if ((x < low || x > high) && s->padding == PAD_BORDER && s->mode != SAMPLE_CUBIC)
    x = x < 0 ? 0 : (float)(n - 1);
  /* cubic clamps each tap */
  if ((x < low || x > high) && s->padding == PAD_REFLECTION) x = reflect(x, low, high);
  int64_t base = (int64_t)floorf(x);
  float r = x - (float)base;
  if (s->mode == SAMPLE_NEAREST) {
    index[0] = tap_index(s, (int64_t)x, n);
    weight[0] = 1;
    return 1;
  }
  if (s->mode == SAMPLE_LINEAR) {
    for (int t = 0; t < 2; t++) index[t] = tap_index(s, base + t, n);
    weight[0] = 1 - r;
    weight[1] = r;
    return 2;
  }
  for (int t = 0; t < 4; t++) {
    float d = fabsf((float)(t - 1) - r);
    index[t] = tap_index(s, base + t - 1, n);
    weight[t] =
        t == 0 || t == 3 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : ((a + 2) * d - (a + 3)) * d * d + 1;
  }
  return 4;
}

typedef struct grid_point {
  int taps;
  int64_t index[MAX_SPACE][MAX_TAPS];
  float weight[MAX_SPACE][MAX_TAPS];
} grid_point;

/* Sum over the taps of dims [dim, space), the last dim innermost. The second bound is for the compiler, which unrolls. */
static float sample(const sampler *s, const grid_point *p, const float *image, int dim, int64_t at) {
  if (dim == s->space || dim == MAX_SPACE) return image[at];
  float sum = 0;
  for (int t = 0; t < p->taps; t++)
    if (p->index[dim][t] >= 0)
      sum += p->weight[dim][t] * sample(s, p, image, dim + 1, at * s->dims[dim] + p->index[dim][t]);
  return sum;
}

typedef struct sample_job {
  sampler s;
  const float *x, *grid;
  float *y;
  int64_t channels, pixels, points; /* pixels per image, points per grid */
} sample_job;

static void sample_points(void *user, int64_t begin, int64_t end, int worker) {
  const sample_job *j = user;
  (void)worker;
  for (int64_t i = begin; i < end; i++) {
    int64_t n = i / j->points, at = i % j->points;
    grid_point p;
    for (int d = 0; d < j->s.space; d++) /* the grid lists coordinates innermost first */
      p.taps = find_taps(&j->s, j->grid[i * j->s.space + j->s.space - 1 - d], j->s.dims[d], p.index[d],
                         p.weight[d]);
    for (int64_t ch = 0; ch < j->channels; ch++)
      j->y[(n * j->channels + ch) * j->points + at] =
          sample(&j->s, &p, j->x + (n * j->channels + ch) * j->pixels, 0, 0);
  }
}

typedef struct {
  sample_job job; /* all but the pointers of the run */
  vlm_values x, grid;
  vlm_result y;
} grid_sample_state;

vlm_status vlm_prepare_GridSample(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  grid_sample_state *s;
  const vlm_tensor *x = c->in[0];
  VLM_TRY(vlm_op_state_new(c, &s));
  s->job = (sample_job){.channels = x->dims[1],
                        .pixels = vlm_tensor_span(x, 2, x->rank),
                        .points = vlm_tensor_span(c->out[0], 2, x->rank)};
  VLM_TRY(read_sampler(c, &s->job.s));
  VLM_CHECK(s->job.pixels > 0 || vlm_tensor_count(c->out[0]) == 0, c->err, VLM_INPUT,
            "the image to sample is empty");
  VLM_TRY(vlm_floats_prepare(c, &s->x, 0));
  VLM_TRY(vlm_floats_prepare(c, &s->grid, 1));
  VLM_TRY(vlm_result_prepare(c, &s->y, 0));
out:
  return st;
}

vlm_status vlm_run_GridSample(vlm_op_call *c) {
  const grid_sample_state *s = c->state;
  sample_job j = s->job;
  if (vlm_tensor_count(c->out[0]) == 0) return VLM_OK;
  j.x = vlm_values_get(c, &s->x);
  j.grid = vlm_values_get(c, &s->grid);
  j.y = vlm_result_get(c, &s->y);
  vlm_threads_range(c->threads, c->in[0]->dims[0] * j.points, 256, sample_points, &j);
  vlm_store_f32(c, 0, j.y);
  return VLM_OK;
}

/* ---- AffineGrid: theta [N, d, d + 1] and size [N, C, spatial…] give coordinates [N, spatial…, d] ---- */

vlm_status vlm_infer_AffineGrid(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  const vlm_tensor *theta = c->in[0];
  int64_t size[VLM_MAX_RANK], dims[VLM_MAX_RANK];
  int n;
  VLM_TRY(vlm_read_ints(c, c->in[1], size, VLM_MAX_RANK, &n));
  int space = n - 2;
  VLM_CHECK(space >= 1 && space <= MAX_SPACE, c->err, VLM_INPUT, "size has %d entries, wanted 4 or 5", n);
  VLM_CHECK(
      theta->rank == 3 && theta->dims[0] == size[0] && theta->dims[1] == space && theta->dims[2] == space + 1,
      c->err, VLM_INPUT, "theta does not have the shape [%lld, %d, %d]", (long long)size[0], space,
      space + 1);
  dims[0] = size[0];
  for (int i = 0; i < space; i++) dims[1 + i] = size[2 + i];
  dims[1 + space] = space;
  for (int i = 0; i < n; i++)
    VLM_CHECK(size[i] >= 0, c->err, VLM_INPUT, "size entry %d is %lld", i, (long long)size[i]);
  VLM_TRY(vlm_check_dims(c, space + 2, dims));
  vlm_out_shape(c, 0, theta->dtype, space + 2, dims);
out:
  return st;
}

static double grid_coordinate(int64_t i, int64_t n, bool align) {
  if (align) return n > 1 ? -1 + 2.0 * (double)i / (double)(n - 1) : 0;
  return (2.0 * (double)i + 1) / (double)n - 1;
}

typedef struct {
  bool align;
  vlm_doubles theta;
  vlm_wide_result y;
} affine_grid_state;

vlm_status vlm_prepare_AffineGrid(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  affine_grid_state *s;
  VLM_TRY(vlm_op_state_new(c, &s));
  s->align = vlm_arg_int(c, 0, 0) != 0;
  VLM_TRY(vlm_doubles_prepare(c, &s->theta, 0));
  VLM_TRY(vlm_wide_result_prepare(c, &s->y, 0));
out:
  return st;
}

/* The `space` coordinates of point `at` of a grid of these dims, by rows [space, space + 1] of theta. */
static void affine_point(const vlm_tensor *y, int space, bool align, int64_t at, const double *theta,
                         double *out) {
  double place[MAX_SPACE + 1];
  for (int d = space - 1; d >= 0; d--) { /* innermost coordinate first */
    place[space - 1 - d] = grid_coordinate(at % y->dims[1 + d], y->dims[1 + d], align);
    at /= y->dims[1 + d];
  }
  place[space] = 1;
  for (int d = 0; d < space; d++, theta += space + 1) {
    double sum = 0;
    for (int k = 0; k <= space; k++) sum += theta[k] * place[k];
    out[d] = sum;
  }
}

vlm_status vlm_run_AffineGrid(vlm_op_call *c) {
  const affine_grid_state *s = c->state;
  const vlm_tensor *y = c->out[0];
  const double *theta = vlm_doubles_get(c, &s->theta);
  double *out = vlm_wide_result_get(c, &s->y);
  int space = y->rank - 2;
  int64_t points = vlm_tensor_span(y, 1, 1 + space), n = y->dims[0] * points;
  for (int64_t i = 0; i < n; i++)
    affine_point(y, space, s->align, i % points, theta + i / points * space * (space + 1), out + i * space);
  vlm_store_f64(c, 0, out);
  return VLM_OK;
}
