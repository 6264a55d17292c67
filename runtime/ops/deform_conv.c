/* DeformConv of [N, C, H, W]: every kernel tap samples at its regular place plus an offset, bilinearly, zero outside. */
#include <math.h>
#include <string.h>

#include "runtime/ops/op_data.h"
#include "runtime/ops/op_gemm.h"
#include "runtime/ops/op_table.h"

enum { DILATIONS, GROUP, KERNEL, OFFSET_GROUP, PADS, STRIDES };

typedef struct deform_form {
  int64_t in[2], out[2], kernel[2], dilation[2], stride[2], before[2];
  int64_t group, offset_group, channels, taps, pixels; /* taps of the kernel, output pixels */
} deform_form;

static int64_t entry(const vlm_attr *a, int i, int64_t fallback) {
  return a->kind == VLM_ATTR_INTS && i < a->count ? a->u.ints[i] : fallback;
}

static vlm_status read_form(vlm_op_call *c, deform_form *f) {
  vlm_status st = VLM_OK;
  const vlm_tensor *x = c->in[0], *w = c->in[1], *offset = c->in[2], *mask = vlm_in(c, 4),
                   *bias = vlm_in(c, 3);
  VLM_CHECK(x->rank == 4 && w->rank == 4 && offset->rank == 4, c->err, VLM_UNSUPPORTED,
            "DeformConv of %d dims is not supported, wanted 4", x->rank);
  f->group = vlm_arg_int(c, GROUP, 1);
  f->offset_group = vlm_arg_int(c, OFFSET_GROUP, 1);
  f->channels = x->dims[1];
  VLM_CHECK(f->group > 0 && w->dims[0] % f->group == 0 && w->dims[1] * f->group == f->channels &&
                f->offset_group > 0 && f->channels % f->offset_group == 0,
            c->err, VLM_INPUT, "%lld channels, %lld filters, group %lld and offset_group %lld do not fit",
            (long long)f->channels, (long long)w->dims[0], (long long)f->group, (long long)f->offset_group);
  for (int i = 0; i < 2; i++) {
    f->in[i] = x->dims[2 + i];
    f->kernel[i] = w->dims[2 + i];
    f->dilation[i] = entry(vlm_arg(c, DILATIONS), i, 1);
    f->stride[i] = entry(vlm_arg(c, STRIDES), i, 1);
    f->before[i] = entry(vlm_arg(c, PADS), i, 0);
    int64_t after = entry(vlm_arg(c, PADS), 2 + i, 0);
    VLM_CHECK(f->kernel[i] > 0 && f->dilation[i] > 0 && f->stride[i] > 0 && vlm_is_extent(f->kernel[i]) &&
                  vlm_is_extent(f->dilation[i]) && vlm_is_extent(f->stride[i]) &&
                  vlm_is_extent(f->before[i]) && vlm_is_extent(after),
              c->err, VLM_INPUT, "kernel, dilations, strides or pads of spatial dim %d are out of range", i);
    int64_t room = f->in[i] + f->before[i] + after - (f->dilation[i] * (f->kernel[i] - 1) + 1);
    f->out[i] = room < 0 ? 0 : room / f->stride[i] + 1;
  }
  f->taps = f->kernel[0] * f->kernel[1];
  f->pixels = f->out[0] * f->out[1];
  VLM_CHECK(vlm_tensor_count(offset) == x->dims[0] * f->offset_group * f->taps * 2 * f->pixels, c->err,
            VLM_INPUT, "offset has %lld values, wanted %lld", (long long)vlm_tensor_count(offset),
            (long long)(x->dims[0] * f->offset_group * f->taps * 2 * f->pixels));
  VLM_CHECK(!mask || vlm_tensor_count(mask) * 2 == vlm_tensor_count(offset), c->err, VLM_INPUT,
            "mask does not have half the size of offset");
  VLM_CHECK(!bias || vlm_tensor_count(bias) == w->dims[0], c->err, VLM_INPUT,
            "bias does not have one value per filter");
out:
  return st;
}

vlm_status vlm_infer_DeformConv(vlm_op_call *c) {
  deform_form f;
  vlm_status st = read_form(c, &f);
  if (st != VLM_OK) return st;
  int64_t dims[4] = {c->in[0]->dims[0], c->in[1]->dims[0], f.out[0], f.out[1]};
  vlm_out_shape(c, 0, c->in[0]->dtype, 4, dims);
  return VLM_OK;
}

static float sample(const float *plane, int64_t h, int64_t w, float y, float x) {
  if (!(y > -1 && x > -1 && y < (float)h && x < (float)w)) return 0;
  int64_t y0 = (int64_t)floorf(y), x0 = (int64_t)floorf(x);
  float fy = y - (float)y0, fx = x - (float)x0, sum = 0;
  for (int i = 0; i < 2; i++)
    for (int j = 0; j < 2; j++) {
      int64_t r = y0 + i, k = x0 + j;
      if (r >= 0 && k >= 0 && r < h && k < w) sum += (i ? fy : 1 - fy) * (j ? fx : 1 - fx) * plane[r * w + k];
    }
  return sum;
}

typedef struct deform_job {
  const deform_form *f;
  const float *x, *offset, *mask; /* of one image */
  float *columns;                 /* [channels * taps, pixels] */
} deform_job;

static void gather_row(void *user, int64_t row, int worker) {
  const deform_job *j = user;
  const deform_form *f = j->f;
  int64_t channel = row / f->taps, tap = row % f->taps, g = channel / (f->channels / f->offset_group);
  const float *shift = j->offset + (g * f->taps + tap) * 2 * f->pixels,
              *weight = j->mask ? j->mask + (g * f->taps + tap) * f->pixels : NULL;
  (void)worker;
  for (int64_t p = 0; p < f->pixels; p++) {
    int64_t y = p / f->out[1] * f->stride[0] - f->before[0] + tap / f->kernel[1] * f->dilation[0];
    int64_t x = p % f->out[1] * f->stride[1] - f->before[1] + tap % f->kernel[1] * f->dilation[1];
    float v = sample(j->x + channel * f->in[0] * f->in[1], f->in[0], f->in[1], (float)y + shift[p],
                     (float)x + shift[f->pixels + p]);
    j->columns[row * f->pixels + p] = weight ? v * weight[p] : v;
  }
}

typedef struct {
  deform_form f;
  vlm_values x, w, offset, bias, mask;
  vlm_result y;
  vlm_gemm_f32 g; /* all but the pointers of the run */
  size_t columns, work;
} deform_state;

/* Weights times columns, group by group. */
static vlm_status prepare_product(vlm_op_call *c, deform_state *s) {
  vlm_status st = VLM_OK;
  const deform_form *f = &s->f;
  int64_t filters = c->in[1]->dims[0] / f->group, k = c->in[1]->dims[1] * f->taps, *at;
  VLM_TRY(vlm_op_keep_new(c, &at, 3 * f->group));
  for (int64_t i = 0; i < f->group; i++) {
    at[i] = i * filters * k;
    at[f->group + i] = i * k * f->pixels;
    at[2 * f->group + i] = i * filters;
  }
  s->g = (vlm_gemm_f32){.batch = f->group,
                        .m = filters,
                        .n = f->pixels,
                        .k = k,
                        .a_offset = at,
                        .a_row = k,
                        .a_column = 1,
                        .b_offset = at + f->group,
                        .b_row = f->pixels,
                        .b_column = 1,
                        .c_batch = filters * f->pixels,
                        .ldc = f->pixels,
                        .epilogue = {.alpha = 1},
                        .row_bias_offset = at + 2 * f->group};
  VLM_TRY(vlm_op_gemm_prepare(c, &s->g, &s->work));
out:
  return st;
}

vlm_status vlm_prepare_DeformConv(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  deform_state *s;
  VLM_TRY(vlm_op_state_new(c, &s));
  VLM_TRY(read_form(c, &s->f));
  if (vlm_tensor_count(c->out[0]) == 0) goto out;
  VLM_TRY(vlm_floats_prepare(c, &s->x, 0));
  VLM_TRY(vlm_floats_prepare(c, &s->w, 1));
  VLM_TRY(vlm_floats_prepare(c, &s->offset, 2));
  VLM_TRY(vlm_floats_prepare(c, &s->bias, 3));
  VLM_TRY(vlm_floats_prepare(c, &s->mask, 4));
  VLM_TRY(vlm_result_prepare(c, &s->y, 0));
  VLM_TRY(vlm_op_reserve(c, &s->columns, s->f.channels * s->f.taps * s->f.pixels, sizeof(float)));
  VLM_TRY(prepare_product(c, s));
out:
  return st;
}

vlm_status vlm_run_DeformConv(vlm_op_call *c) {
  const deform_state *s = c->state;
  const deform_form *f = &s->f;
  if (vlm_tensor_count(c->out[0]) == 0) return VLM_OK;
  const float *x = vlm_values_get(c, &s->x), *offset = vlm_values_get(c, &s->offset),
              *mask = vlm_values_get(c, &s->mask);
  float *y = vlm_result_get(c, &s->y), *columns = vlm_op_work(c, s->columns);
  int64_t shifts = f->offset_group * f->taps * f->pixels;
  vlm_gemm_f32 g = s->g;
  g.a = vlm_values_get(c, &s->w);
  g.b = columns;
  g.epilogue.row_bias = vlm_values_get(c, &s->bias);
  for (int64_t n = 0; n < c->in[0]->dims[0]; n++) {
    deform_job job = {f, x + n * f->channels * f->in[0] * f->in[1], offset + n * 2 * shifts,
                      mask ? mask + n * shifts : NULL, columns};
    vlm_threads_run(c->threads, f->channels * f->taps, gather_row, &job);
    g.c = y + n * g.m * f->group * f->pixels;
    vlm_op_gemm_run(c, &g, s->work);
  }
  vlm_store_f32(c, 0, y);
  return VLM_OK;
}
