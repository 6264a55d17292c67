/* Planes to pixels: down the columns, along the rows, colours; rows of the result in tiles of eight, so that everything stays in the cache and the
 * inner loops have a length that the compiler knows. */
#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/image/yuv_private.h"

/* Fractional bits: 5 between the passes, FRACTION behind them. */
enum { ROWS = 8, WEIGHT = 14, FRACTION = 4, BLOCK = 16, HALF = 1 << (FRACTION - 1) };

/* value * (whole + part / 65536), for ROWS values: what is loaded is multiplied at once. */
typedef struct {
  int16_t whole[ROWS], part[ROWS];
} factor;

typedef struct {
  const uint8_t *data; /* the first sample of the crop */
  int64_t row, pixel;
  int width; /* samples across */
  vlm_resize_weights across, down;
  int16_t *weights[2]; /* the same in 14 bits: across, down */
  int lines;           /* most rows of the plane that a tile reads */
} plane;

typedef struct {      /* of one worker */
  int16_t *columns;   /* [width][ROWS] of the widest plane */
  const uint8_t **at; /* rows of the plane that a tile reads */
  uint8_t *lines;     /* those that are not dense */
  int16_t *colors;    /* [3][ROWS][width of the result] */
  uint8_t *bytes;     /* [3] of a row, as far apart */
} scratch;

typedef struct {
  plane planes[3];
  const vlm_yuv_target *to;
  int width, height;
  int16_t black[ROWS];
  factor luma, red_v, green_u, green_v, blue_u;
  scratch *workers;
  void *memory;
} resampler;

/* ---- weights ---- */

/* Rounded to 14 bits; the largest takes what makes the sum 1, so that what is even stays even. */
static void narrow(int16_t *to, const vlm_resize_weights *w) {
  for (int i = 0; i < w->out_size; i++) {
    const int32_t *from = w->weight + (size_t)i * (size_t)w->taps;
    int16_t *at = to + (size_t)i * (size_t)w->taps;
    int rest = 1 << WEIGHT, most = 0;
    for (int k = 0; k < w->count[i]; k++) {
      at[k] = (int16_t)((from[k] + 128) >> 8);
      rest -= at[k];
      if (at[k] > at[most]) most = k;
    }
    at[most] = (int16_t)(at[most] + rest);
  }
}

/* in_size samples, of which the part from `begin` to `end` becomes `size`. */
typedef struct {
  int in_size, size;
  float begin, end;
} axis_part;

static vlm_status make_axis(vlm_resize_weights *out, int16_t **narrowed, const axis_part *a,
                            vlm_resize_filter filter, vlm_error *err) {
  vlm_status st = VLM_OK;
  VLM_TRY(
      vlm_resize_weights_make(out, &(vlm_resize_axis){a->in_size, a->size, a->end, filter, a->begin}, err));
  VLM_TRY(vlm_new(narrowed, (size_t)a->size * (size_t)out->taps, err));
  narrow(*narrowed, out);
out:
  return st;
}

static vlm_status make_plane(plane *p, const vlm_yuv *f, int k, const vlm_image_size *size, vlm_error *err) {
  vlm_status st = VLM_OK;
  const int shift = k > 0, x = (int)f->crop.left, y = (int)f->crop.top, w = (int)f->crop.width,
            h = (int)f->crop.height;
  const int x0 = x >> shift, y0 = y >> shift, x1 = (x + w - 1) >> shift, y1 = (y + h - 1) >> shift;
  const float scale = shift ? 0.5f : 1, left = shift && (x & 1) ? 0.5f : 0, top = shift && (y & 1) ? 0.5f : 0;
  const vlm_yuv_plane *from = &f->planes[k];
  *p = (plane){.data = from->data + y0 * from->row + x0 * from->pixel,
               .row = from->row,
               .pixel = from->pixel,
               .width = x1 - x0 + 1};
  VLM_TRY(make_axis(&p->across, &p->weights[0],
                    &(axis_part){x1 - x0 + 1, (int)size->width, left, left + (float)w * scale}, size->filter,
                    err));
  VLM_TRY(make_axis(&p->down, &p->weights[1],
                    &(axis_part){y1 - y0 + 1, (int)size->height, top, top + (float)h * scale}, size->filter,
                    err));
  for (int i = 0; i < p->down.out_size; i += ROWS) {
    int last = i + ROWS <= p->down.out_size ? i + ROWS - 1 : p->down.out_size - 1;
    int lines = p->down.first[last] + p->down.count[last] - p->down.first[i];
    if (lines > p->lines) p->lines = lines;
  }
out:
  return st;
}

/* ---- down ---- */

/* The upper half of the product: a sum of some is too small by half a step for each but one, which `half` gives back. */
static int16_t share(int16_t v, int16_t weight) { return (int16_t)((v * weight) >> 16); }
static int16_t half(int count) { return (int16_t)((count - 1) / 2); }

/* Row y of the result, for columns of a plane, into place j of each. */
static void blend(int16_t *to, const uint8_t *const *rows, const int16_t *k, int count, int x) {
  int16_t sum[BLOCK];
  for (int i = 0; i < BLOCK; i++) sum[i] = half(count);
  for (int r = 0; r < count; r++) {
    const uint8_t *from = rows[r] + x;
    int16_t value[BLOCK],
        weight[BLOCK]; /* arrays, so that gcc finds the instruction that multiplies to upper halves */
    for (int i = 0; i < BLOCK; i++) weight[i] = k[r];
    for (int i = 0; i < BLOCK; i++) value[i] = (int16_t)(from[i] << 7);
    for (int i = 0; i < BLOCK; i++) sum[i] = (int16_t)(sum[i] + share(value[i], weight[i]));
  }
  for (int i = 0; i < BLOCK; i++) to[i * ROWS] = (int16_t)(sum[i] * 2);
}

static void blend_one(int16_t *to, const uint8_t *const *rows, const int16_t *k, int count, int x) {
  int16_t sum = half(count);
  for (int r = 0; r < count; r++) sum = (int16_t)(sum + share((int16_t)(rows[r][x] << 7), k[r]));
  *to = (int16_t)(sum * 2);
}

/* In blocks that the compiler knows; the last byte is none of a block, which would be read with the one behind it. */
static void copy_line(uint8_t *restrict to, const uint8_t *restrict from, int width, int64_t pixel) {
  int x = 0;
  for (; pixel == 2 && x + BLOCK < width; x += BLOCK)
    for (int i = 0; i < BLOCK; i++) to[x + i] = from[2 * (x + i)];
  for (; x < width; x++) to[x] = from[x * pixel];
}

/* Dense rows are read in place, others copied. */
static void find_rows(const plane *p, const scratch *s, int first, int count) {
  for (int r = 0; r < count; r++) {
    const uint8_t *from = p->data + (first + r) * p->row;
    s->at[r] = from;
    if (p->pixel == 1) continue;
    uint8_t *line = s->lines + (size_t)r * (size_t)p->width;
    copy_line(line, from, p->width, p->pixel);
    s->at[r] = line;
  }
}

static void go_down(const plane *p, const scratch *s, int y, int rows) {
  const vlm_resize_weights *w = &p->down;
  const int first = w->first[y], last = y + rows - 1;
  find_rows(p, s, first, w->first[last] + w->count[last] - first);
  for (int j = 0; j < rows; j++) {
    const uint8_t *const *at = s->at + (w->first[y + j] - first);
    const int16_t *k = p->weights[1] + (size_t)(y + j) * (size_t)w->taps;
    int x = 0;
    for (; x + BLOCK <= p->width; x += BLOCK)
      blend(s->columns + (ptrdiff_t)x * ROWS + j, at, k, w->count[y + j], x);
    for (; x < p->width; x++) blend_one(s->columns + (ptrdiff_t)x * ROWS + j, at, k, w->count[y + j], x);
  }
}

/* ---- along ---- */

/* to: rows of the result, `stride` apart. */
static void go_along(const plane *p, const scratch *s, int16_t *to, size_t stride) {
  const vlm_resize_weights *w = &p->across;
  for (int x = 0; x < w->out_size; x++, to++) {
    const int16_t *from = s->columns + (ptrdiff_t)w->first[x] * ROWS;
    const int16_t *k = p->weights[0] + (size_t)x * (size_t)w->taps;
    int16_t sum[ROWS];
    for (int j = 0; j < ROWS; j++) sum[j] = half(w->count[x]);
    for (const int16_t *end = k + w->count[x]; k < end; k++, from += ROWS) {
      int16_t weight[ROWS];
      for (int j = 0; j < ROWS; j++) weight[j] = *k;
      for (int j = 0; j < ROWS; j++) sum[j] = (int16_t)(sum[j] + share(from[j], weight[j]));
    }
    for (size_t j = 0; j < ROWS; j++) to[j * stride] = sum[j];
  }
}

/* ---- colours ---- */

static inline void add_times(int16_t sum[ROWS], const int16_t v[ROWS], const factor *f) {
  int16_t high[ROWS];
  for (int i = 0; i < ROWS; i++) high[i] = share(v[i], f->part[i]);
  for (int i = 0; i < ROWS; i++) sum[i] = (int16_t)(sum[i] + (int16_t)(v[i] * f->whole[i]));
  for (int i = 0; i < ROWS; i++) sum[i] = (int16_t)(sum[i] + high[i]);
}

static inline void to_bytes(uint8_t *to, const int16_t v[ROWS]) {
  int16_t b[ROWS];
  for (int i = 0; i < ROWS; i++) b[i] = (int16_t)((int16_t)(v[i] + HALF) >> FRACTION);
  for (int i = 0; i < ROWS; i++) b[i] = b[i] < 0 ? 0 : b[i];
  for (int i = 0; i < ROWS; i++) b[i] = b[i] > 255 ? 255 : b[i];
  for (int i = 0; i < ROWS; i++) to[i] = (uint8_t)b[i];
}

/* Y, U and V of ROWS pixels of a row, `apart` from each other, to red, green and blue, likewise. */
static void mix(const resampler *s, uint8_t *to, const int16_t *from, size_t apart) {
  const int16_t *u = from + apart, *v = u + apart, grey = 128 << FRACTION;
  int16_t rgb[3][ROWS] = {{0}}, l[ROWS], cu[ROWS], cv[ROWS];
  for (int i = 0; i < ROWS; i++) l[i] = (int16_t)(from[i] - s->black[i]);
  for (int i = 0; i < ROWS; i++) cu[i] = (int16_t)(u[i] - grey);
  for (int i = 0; i < ROWS; i++) cv[i] = (int16_t)(v[i] - grey);
  for (int c = 0; c < 3; c++) add_times(rgb[c], l, &s->luma);
  add_times(rgb[0], cv, &s->red_v);
  add_times(rgb[1], cu, &s->green_u);
  add_times(rgb[1], cv, &s->green_v);
  add_times(rgb[2], cu, &s->blue_u);
  for (int c = 0; c < 3; c++, to += apart) to_bytes(to, rgb[c]);
}

static void put_values(float *to, ptrdiff_t step, const float table[256], const uint8_t *from, int width) {
  int x = 0;
  for (; x + 4 <= width; x += 4, to += 4 * step) {
    to[0] = table[from[x]];
    to[step] = table[from[x + 1]];
    to[2 * step] = table[from[x + 2]];
    to[3 * step] = table[from[x + 3]];
  }
  for (; x < width; x++, to += step) *to = table[from[x]];
}

static void put_row(const resampler *s, const uint8_t *from, size_t apart, int y) {
  const vlm_yuv_target *to = s->to;
  ptrdiff_t at = to->at + y * to->down;
  for (int c = 0; c < 3; c++, at += to->channel, from += apart) {
    if (to->values) put_values(to->values + at, to->across, to->table[c], from, s->width);
    else
      for (int x = 0; x < s->width; x++) to->bytes[at + x * to->across] = from[x];
  }
}

/* Rows of pixels are whole blocks. */
static size_t padded(int width) { return ((size_t)width + ROWS - 1) / ROWS * ROWS; }

static void make_tiles(void *user, int64_t begin, int64_t end, int worker) {
  const resampler *s = user;
  const scratch *own = &s->workers[worker];
  const size_t width = padded(s->width), plane_size = width * ROWS;
  for (int64_t t = begin; t < end; t++) {
    const int y = (int)t * ROWS, rows = s->height - y < ROWS ? s->height - y : ROWS;
    for (int k = 0; k < 3; k++) {
      go_down(&s->planes[k], own, y, rows);
      go_along(&s->planes[k], own, own->colors + (size_t)k * plane_size, width);
    }
    for (int j = 0; j < rows; j++) {
      for (size_t x = 0; x < width; x += ROWS)
        mix(s, own->bytes + x, own->colors + (size_t)j * width + x, plane_size);
      put_row(s, own->bytes, plane_size, y + j);
    }
  }
}

/* ---- the whole ---- */

static void set_factor(factor *f, double value) {
  const double whole = (double)(int)(value < 0 ? value - 0.5 : value + 0.5), part = (value - whole) * 65536;
  const int nearest = (int)(part < 0 ? part - 0.5 : part + 0.5);
  for (int i = 0; i < ROWS; i++) {
    f->whole[i] = (int16_t)whole;
    f->part[i] = (int16_t)(nearest > INT16_MAX ? INT16_MAX : nearest);
  }
}

static void set_colors(resampler *s, const vlm_yuv *f) {
  static const double MATRICES[][4] = {
#define X(name, ...) {__VA_ARGS__},
      VLM_YUV_MATRICES(X)
#undef X
  };
  const double *m = MATRICES[f->colors], chroma = f->limited ? 255.0 / 224 : 1;
  for (int i = 0; i < ROWS; i++) s->black[i] = f->limited ? 16 << FRACTION : 0;
  set_factor(&s->luma, f->limited ? 255.0 / 219 : 1);
  set_factor(&s->red_v, m[0] * chroma);
  set_factor(&s->green_u, m[1] * chroma);
  set_factor(&s->green_v, m[2] * chroma);
  set_factor(&s->blue_u, m[3] * chroma);
}

static vlm_status make_scratch(scratch *out, const resampler *s, vlm_error *err) {
  vlm_status st = VLM_OK;
  size_t columns = 0, lines = 0, bytes = 0;
  for (int k = 0; k < 3; k++) {
    const plane *p = &s->planes[k];
    if ((size_t)p->width > columns) columns = (size_t)p->width;
    if ((size_t)p->lines > lines) lines = (size_t)p->lines;
    if (p->pixel != 1 && (size_t)p->width * (size_t)p->lines > bytes)
      bytes = (size_t)p->width * (size_t)p->lines;
  }
  VLM_TRY(vlm_new(&out->columns, columns * ROWS, err));
  VLM_TRY(vlm_new(&out->at, lines, err));
  VLM_TRY(vlm_new(&out->lines, bytes, err));
  VLM_TRY(vlm_new(&out->colors, padded(s->width) * ROWS * 3, err));
  VLM_TRY(vlm_new(&out->bytes, padded(s->width) * ROWS * 3, err));
out:
  return st;
}

static void free_sampler(resampler *s, int workers) {
  for (int k = 0; k < 3; k++) {
    vlm_free(s->planes[k].across.first);
    vlm_free(s->planes[k].down.first);
    vlm_free(s->planes[k].weights[0]);
    vlm_free(s->planes[k].weights[1]);
  }
  for (int i = 0; s->workers && i < workers; i++) {
    vlm_free(s->workers[i].columns);
    vlm_free(s->workers[i].at);
    vlm_free(s->workers[i].lines);
    vlm_free(s->workers[i].colors);
    vlm_free(s->workers[i].bytes);
  }
  vlm_free(s->workers);
}

vlm_status vlm_yuv_sample(const vlm_yuv_target *to, const vlm_yuv *frame, const vlm_image_size *size,
                          vlm_threads *threads, vlm_error *err) {
  vlm_status st = VLM_OK;
  const int workers = threads ? vlm_threads_count(threads) : 1;
  resampler s = {.to = to, .width = (int)size->width, .height = (int)size->height};
  set_colors(&s, frame);
  for (int k = 0; k < 3; k++) VLM_TRY(make_plane(&s.planes[k], frame, k, size, err));
  VLM_TRY(vlm_new(&s.workers, (size_t)workers, err));
  for (int i = 0; i < workers; i++) VLM_TRY(make_scratch(&s.workers[i], &s, err));
  vlm_threads_range(threads, (s.height + ROWS - 1) / ROWS, 4, make_tiles, &s);
out:
  free_sampler(&s, workers);
  return st;
}
