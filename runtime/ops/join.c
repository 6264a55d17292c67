/* vlm.Join: values of several maps, some of them repeated, added up or side by side, as floats or bytes; what concatenation and addition of
 * upsampled maps become when they are channels last. Inputs: y_scale and y_zero (both or none: bytes), then the sources, whose pixel
 * (h / fh, w / fw) is seen at (h, w). Sums broadcast. */
#include <string.h>

#include "runtime/ops/op_check.h"
#include "runtime/ops/op_data.h"
#include "runtime/ops/op_table.h"
#include "runtime/ops/prepare.h"
#include "runtime/ops/rows.h"
#include "runtime/ops/values.h"

enum { SCALE, ZERO, FIRST, MOST_SOURCES = 16 };
enum { FACTORS, SUM };

typedef struct {
  int64_t dims[4];
} map_dims;

typedef struct {
  int64_t fh, fw;       /* how often each row and each pixel is seen */
  int64_t images;       /* rows from one image to the next; 0 = all see the same */
  int64_t rows, pixels; /* of an image */
  int64_t run, at;      /* elements of a pixel, and where they stand in the joined one */
  size_t room;          /* of a row in bytes, in a worker's */
} join_source;

typedef struct {
  join_source sources[MOST_SOURCES];
  int32_t count;
  bool sum, bytes;
  map_dims y;
  int64_t most_rows; /* that see one row of a source */
  vlm_scalar scale, zero;
  size_t work, worker_bytes;
} join_state;

/* ---- shapes ---- */

static int64_t factor(const vlm_op_call *c, int32_t k, int side) {
  return vlm_arg(c, FACTORS)->u.ints[2 * k + side];
}

static vlm_status check_factors(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  const vlm_attr *list = vlm_arg(c, FACTORS);
  const int32_t sources = c->n_in - FIRST;
  bool fine =
      sources >= 1 && sources <= MOST_SOURCES && list->kind == VLM_ATTR_INTS && list->count == 2 * sources;
  for (int32_t i = 0; fine && i < list->count; i++)
    fine = list->u.ints[i] >= 1 && vlm_is_extent(list->u.ints[i]);
  for (int32_t k = 0; fine && k < sources; k++) {
    const vlm_tensor *x = c->in[FIRST + k];
    const bool repeated = factor(c, k, 0) > 1 || factor(c, k, 1) > 1;
    fine = x && x->rank <= 4 && x->rank >= (repeated ? 4 : 1);
  }
  VLM_CHECK(fine && !c->in[SCALE] == !c->in[ZERO], c->err, VLM_INPUT,
            "wanted up to %d sources of rank 1 to 4, two factors each", MOST_SOURCES);
out:
  return st;
}

/* [images, rows, pixels, elements]; missing dims are 1. */
static map_dims dims_of(const vlm_tensor *t) {
  map_dims m = {{1, 1, 1, 1}};
  for (int i = 0; i < t->rank; i++) m.dims[4 - t->rank + i] = t->dims[i];
  return m;
}

static map_dims seen(const vlm_op_call *c, int32_t k) {
  map_dims m = dims_of(c->in[FIRST + k]);
  m.dims[1] *= factor(c, k, 0);
  m.dims[2] *= factor(c, k, 1);
  return m;
}

/* What is seen of source k becomes part of the output. */
static vlm_status add_source(vlm_op_call *c, int32_t k, vlm_tensor *y) {
  vlm_status st = VLM_OK;
  const vlm_tensor *x = c->in[FIRST + k];
  const bool sum = vlm_arg_int(c, SUM, 0) != 0;
  char got[128], wanted[128];
  vlm_tensor now = *x;
  if (factor(c, k, 0) != 1 || factor(c, k, 1) != 1) {
    now.dims[1] *= factor(c, k, 0);
    now.dims[2] *= factor(c, k, 1);
    VLM_TRY(vlm_check_dims(c, now.rank, now.dims));
  }
  if (k == 0) *y = now;
  else if (sum) VLM_TRY(vlm_broadcast_dims(c, y, &now, &y->rank, y->dims));
  if (k == 0 || sum) goto out;
  const int64_t joined = y->dims[y->rank - 1];
  y->dims[y->rank - 1] = now.dims[now.rank - 1];
  VLM_CHECK(vlm_tensor_same_shape(&now, y), c->err, VLM_INPUT,
            "input %d has shape %s, which does not join %s along axis %d", FIRST + k,
            vlm_tensor_shape_text(&now, got, sizeof got), vlm_tensor_shape_text(y, wanted, sizeof wanted),
            y->rank - 1);
  y->dims[y->rank - 1] += joined;
out:
  return st;
}

vlm_status vlm_infer_Join(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  vlm_tensor y = {0};
  VLM_TRY(check_factors(c));
  for (int32_t k = 0; k < c->n_in - FIRST; k++) {
    VLM_TRY(vlm_require_type(c, FIRST + k, "x", VLM_F32));
    VLM_TRY(add_source(c, k, &y));
  }
  VLM_TRY(vlm_require_type(c, SCALE, "the scale", VLM_F32));
  VLM_TRY(vlm_require_type(c, ZERO, "the zero point", VLM_U8));
  vlm_out_shape(c, 0, c->in[SCALE] ? VLM_U8 : VLM_F32, y.rank, y.dims);
out:
  return st;
}

/* ---- what does not depend on values ---- */

/* A source of a sum that has one row, pixel or image is seen everywhere. */
static join_source source_of(const vlm_op_call *c, int32_t k, const map_dims *y) {
  const map_dims x = dims_of(c->in[FIRST + k]), all = seen(c, k);
  join_source s = {
      .fh = factor(c, k, 0), .fw = factor(c, k, 1), .rows = x.dims[1], .pixels = x.dims[2], .run = x.dims[3]};
  s.images = x.dims[0] == 1 && y->dims[0] != 1 ? 0 : s.rows;
  if (all.dims[1] != y->dims[1]) s.fh = y->dims[1];
  if (all.dims[2] != y->dims[2]) s.fw = y->dims[2];
  return s;
}

vlm_status vlm_prepare_Join(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  join_state *s;
  const map_dims y = dims_of(c->out[0]);
  int64_t at = 0;
  VLM_TRY(vlm_op_state_new(c, &s));
  s->count = c->n_in - FIRST;
  s->sum = vlm_arg_int(c, SUM, 0) != 0;
  s->bytes = c->in[SCALE] != NULL;
  s->y = y;
  VLM_TRY(vlm_scalar_prepare(c, &s->scale, SCALE, 1, "the scale"));
  VLM_TRY(vlm_scalar_prepare(c, &s->zero, ZERO, 0, "the zero point"));
  for (int32_t k = 0; k < s->count; k++) {
    join_source *x = &s->sources[k];
    *x = source_of(c, k, &y);
    x->at = at;
    x->room = s->worker_bytes;
    at += s->sum ? 0 : x->run;
    if (s->bytes && !s->sum) s->worker_bytes += vlm_size_align((size_t)(x->pixels * x->run));
    if (s->most_rows < x->fh) s->most_rows = x->fh;
  }
  if (s->bytes && s->sum) s->worker_bytes = vlm_size_align((size_t)(y.dims[2] * y.dims[3]) * sizeof(float));
  const int workers = c->threads ? vlm_threads_count(c->threads) : 1;
  VLM_TRY(vlm_op_reserve(c, &s->work, (int64_t)s->worker_bytes * workers, 1));
out:
  return st;
}

/* ---- rows ---- */

typedef struct {
  const vlm_op_call *c;
  const join_state *s;
  const vlm_rowops *ops;
  char *work;
  float scale;
  int32_t zero;
} join_job;

/* Row `h` of an image, in the source. */
static const float *source_row(const join_job *j, int32_t k, int64_t image, int64_t h) {
  const join_source *x = &j->s->sources[k];
  return (const float *)j->c->in[FIRST + k]->data + (image * x->images + h / x->fh) * x->pixels * x->run;
}

/* Each pixel fw times, `step` bytes apart. Blocks of 8 bytes are moved in place of a call. */
static void spread_pixels(char *to, size_t step, const char *from, size_t bytes, const join_source *x) {
  for (int64_t w = 0; w < x->pixels; w++, from += bytes)
    for (int64_t i = 0; i < x->fw; i++, to += step) {
      size_t at = 0;
      for (; at + 8 <= bytes; at += 8) memcpy(to + at, from + at, 8);
      for (; at < bytes; at++) to[at] = from[at];
    }
}

/* Bytes of a source's row are made once for all rows that see it; *held is the one that is there. */
static void put_side(const join_job *j, char *y, int32_t k, const float *row, char *room,
                     const float **held) {
  const join_source *x = &j->s->sources[k];
  const size_t item = j->s->bytes ? 1 : sizeof(float);
  const char *from = (const char *)row;
  if (j->s->bytes) {
    if (*held != row)
      j->ops->quantize_u8((uint8_t *)room + x->room, row, x->pixels * x->run, j->scale, j->zero);
    *held = row;
    from = room + x->room;
  }
  spread_pixels(y + (size_t)x->at * item, (size_t)j->s->y.dims[3] * item, from, (size_t)x->run * item, x);
}

/* y = a + b, where a is a row of the output already or of source 0. */
static void add_rows(const join_job *j, float *y, const join_source *first, const float *a,
                     const join_source *x, const float *b) {
  const int64_t n = j->s->y.dims[3], pixels = j->s->y.dims[2];
  const bool whole = (!first || (first->fw == 1 && first->run == n)) && x->fw == 1 && x->run == n;
  if (whole) {
    j->ops->add(y, a, 1, b, 1, pixels * n);
    return;
  }
  for (int64_t w = 0; w < pixels; w++) {
    const float *p = first ? a + w / first->fw * first->run : a + w * n;
    j->ops->add(y + w * n, p, !first || first->run == n, b + w / x->fw * x->run, x->run == n, n);
  }
}

static void put_sum(const join_job *j, char *y, int64_t image, int64_t h, char *room) {
  const join_state *s = j->s;
  float *to = (float *)(void *)(s->bytes ? room : y);
  const float *a = source_row(j, 0, image, h);
  for (int32_t k = 1; k < s->count; k++, a = to)
    add_rows(j, to, k == 1 ? &s->sources[0] : NULL, a, &s->sources[k], source_row(j, k, image, h));
  if (s->bytes) j->ops->quantize_u8((uint8_t *)y, to, s->y.dims[2] * s->y.dims[3], j->scale, j->zero);
}

static void join_rows(void *user, int64_t begin, int64_t end, int worker) {
  const join_job *j = user;
  const join_state *s = j->s;
  char *room = j->work + (size_t)worker * s->worker_bytes;
  const size_t row_bytes = (size_t)(s->y.dims[2] * s->y.dims[3]) * (s->bytes ? 1 : sizeof(float));
  const float *held[MOST_SOURCES] = {NULL};
  for (int64_t r = begin; r < end; r++) {
    char *y = (char *)j->c->out[0]->data + (size_t)r * row_bytes;
    const int64_t image = r / s->y.dims[1], h = r % s->y.dims[1];
    if (s->sum) put_sum(j, y, image, h, room);
    for (int32_t k = 0; k < s->count && !s->sum; k++)
      put_side(j, y, k, source_row(j, k, image, h), room, &held[k]);
  }
}

vlm_status vlm_run_Join(vlm_op_call *c) {
  const join_state *s = c->state;
  join_job j = {.c = c, .s = s, .ops = vlm_call_rowops(c), .work = vlm_op_work(c, s->work)};
  j.scale = (float)vlm_scalar_get(c, &s->scale);
  j.zero = (int32_t)vlm_scalar_get(c, &s->zero);
  const int64_t row = s->y.dims[2] * s->y.dims[3], rows = s->y.dims[0] * s->y.dims[1];
  const int64_t grain = row > 0 ? (16384 / row + 1) / s->most_rows * s->most_rows + s->most_rows : 1;
  if (row > 0) vlm_threads_range(c->threads, rows, grain, join_rows, &j);
  return VLM_OK;
}
