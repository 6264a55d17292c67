#include "runtime/kernels/im2col.h"

#include <assert.h>
#include <string.h>

#include "runtime/kernels/kernels.h"

/* Where the lanes of one panel read for one tap. */
typedef struct {
  int64_t offset[VLM_TILE_MAX_COLUMNS]; /* in the channel plane, -1 = padding */
  bool whole; /* no lane is padding */
  bool run; /* and they are neighbours */
} lanes;

static void lanes_at(lanes *l, const vlm_conv_shape *s, int64_t column, int n, const int64_t tap[3]) {
  int64_t w = column % s->out[2], h = column / s->out[2] % s->out[1], d = column / (s->out[2] * s->out[1]);
  l->whole = l->run = true;
  for (int i = 0; i < n; i++) {
    int64_t z = vlm_conv_source(s, 0, d, tap[0]), y = vlm_conv_source(s, 1, h, tap[1]), x = vlm_conv_source(s, 2, w, tap[2]);
    bool inside = (z | y | x) >= 0;
    l->offset[i] = inside ? (z * s->in[1] + y) * s->in[2] + x : -1;
    l->whole = l->whole && inside;
    l->run = l->run && inside && l->offset[i] == l->offset[0] + i;
    if (++w < s->out[2]) continue;
    w = 0;
    if (++h < s->out[1]) continue;
    h = 0;
    d++;
  }
}

static void copy_lanes(float *dst, const lanes *l, const float *plane, int n, int nr) {
  if (l->run && n == 16) {
    memcpy(dst, plane + l->offset[0], 16 * sizeof *dst); /* a known size needs no call */
  } else if (l->run) {
    memcpy(dst, plane + l->offset[0], (size_t)n * sizeof *dst);
  } else if (l->whole) {
    for (int i = 0; i < n; i++) dst[i] = plane[l->offset[i]];
  } else {
    for (int i = 0; i < n; i++) dst[i] = l->offset[i] < 0 ? 0 : plane[l->offset[i]];
  }
  for (int i = n; i < nr; i++) dst[i] = 0;
}

/* n of the panel's nr columns from `column` on; x is the first channel of the group. */
static void pack_panel(float *panel, const vlm_conv_shape *s, const float *x, int64_t column, const vlm_columns_f32 *w) {
  int64_t taps = vlm_conv_volume(s->kernel), plane = vlm_conv_volume(s->in), channels = s->channels / s->groups, tap = 0;
  int64_t t[3], left = w->column + w->n - column;
  int nr = w->nr, n = (int)(left < nr ? left : nr);
  for (t[0] = 0; t[0] < s->kernel[0]; t[0]++) {
    for (t[1] = 0; t[1] < s->kernel[1]; t[1]++) {
      for (t[2] = 0; t[2] < s->kernel[2]; t[2]++, tap++) {
        lanes l;
        lanes_at(&l, s, column, n, t);
        for (int64_t c = 0; c < channels; c++) copy_lanes(panel + (c * taps + tap) * nr, &l, x + c * plane, n, nr);
      }
    }
  }
}

void vlm_im2col_pack(void *im2col, const vlm_columns_f32 *w) {
  const vlm_im2col *m = im2col;
  const vlm_conv_shape *s = &m->shape;
  int64_t channels = s->channels / s->groups, plane = vlm_conv_volume(s->in), k = channels * vlm_conv_volume(s->kernel);
  const float *x = m->x + w->batch * channels * plane;
  float *panels = w->panels;
  assert(w->nr <= VLM_TILE_MAX_COLUMNS && w->column + w->n <= vlm_conv_volume(s->out) && s->channels % s->groups == 0);
  for (int64_t j = 0; j < w->n; j += w->nr, panels += k * w->nr) pack_panel(panels, s, x, w->column + j, w);
}
