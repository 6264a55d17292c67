/* Camera frames: against a model that computes one pixel after the other, and against converting first. */
#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "runtime/base/memory.h"
#include "runtime/image/yuv.h"
#include "tests/fine.h"

enum { I420, NV12, NV21, ODD, LAYOUTS }; /* ODD: every third byte, rows upside of each other */

/* ---- frames ---- */

typedef struct {
  uint8_t *samples[3]; /* dense */
  uint8_t *bytes;      /* as the layout has them */
  vlm_yuv frame;
} picture;

static int chroma(int size) { return (size + 1) / 2; }

/* Soft waves and an edge; poison between the samples. */
static uint8_t wave(int k, int x, int y, int w, int h) {
  double v = 128 + 90 * sin(x * 6.0 / w + k) * cos(y * 5.0 / h + 2 * k) + (k == 0 && x > w / 2 ? 30 : 0);
  return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
}

static void lay(picture *p, int k, size_t at, int64_t row, int64_t pixel) {
  const int w = k ? chroma(p->frame.width) : p->frame.width,
            h = k ? chroma(p->frame.height) : p->frame.height;
  for (int y = 0; y < h; y++)
    for (int x = 0; x < w; x++) p->bytes[at + (size_t)(y * row + x * pixel)] = p->samples[k][y * w + x];
  p->frame.planes[k] =
      (vlm_yuv_plane){p->bytes + at, (size_t)((h - 1) * row + (w - 1) * pixel + 1), row, pixel};
}

static picture make(int w, int h, int layout) {
  picture p = {.frame = {.width = w, .height = h, .crop = {0, 0, w, h}}};
  const int cw = chroma(w), ch = chroma(h), more = layout == ODD ? 5 : 0;
  const size_t size = (size_t)(w + 16) * (size_t)h + (size_t)(cw * 3 + 16) * (size_t)ch * 2 + 64;
  p.bytes = malloc(size);
  memset(p.bytes, 0xA5, size);
  for (int k = 0; k < 3; k++) {
    const int pw = k ? cw : w, ph = k ? ch : h;
    p.samples[k] = malloc((size_t)pw * (size_t)ph);
    for (int i = 0; i < pw * ph; i++) p.samples[k][i] = wave(k, i % pw, i / pw, pw, ph);
  }
  const size_t y_bytes = (size_t)(w + more) * (size_t)h, c_bytes = (size_t)cw * (size_t)ch;
  lay(&p, 0, 0, w + more, 1);
  for (int k = 1; k < 3; k++) {
    const size_t second = k == 2;
    if (layout == I420) lay(&p, k, y_bytes + second * c_bytes, cw, 1);
    if (layout == NV12) lay(&p, k, y_bytes + second, cw * 2, 2);
    if (layout == NV21) lay(&p, k, y_bytes + !second, cw * 2, 2);
    if (layout == ODD) lay(&p, k, y_bytes + second * (size_t)(cw * 3 + 7) * (size_t)ch, cw * 3 + 7, 3);
  }
  return p;
}

static void drop(picture *p) {
  for (int k = 0; k < 3; k++) free(p->samples[k]);
  free(p->bytes);
}

/* ---- preprocessing ---- */

static vlm_preprocess resized(int w, int h, vlm_resize_filter filter, bool nhwc) {
  vlm_preprocess ops = {.count = 4};
  ops.ops[0] = (vlm_preprocess_op){.kind = VLM_PREPROCESS_RESIZE, .width = w, .height = h, .filter = filter};
  ops.ops[1] = (vlm_preprocess_op){.kind = VLM_PREPROCESS_SCALE, .by = 1 / 255.0};
  ops.ops[2] =
      (vlm_preprocess_op){.kind = VLM_PREPROCESS_NORMALIZE, .mean = {0.5, 0.4, 0.3}, .std = {0.2, 0.3, 0.4}};
  ops.ops[3] = (vlm_preprocess_op){.kind = VLM_PREPROCESS_LAYOUT, .nhwc = nhwc};
  return ops;
}

static vlm_pixels run(const vlm_yuv *frame, const vlm_preprocess *ops, vlm_threads *threads) {
  vlm_pixels out;
  FINE(vlm_yuv_run(&out, ops, frame, threads, &error));
  return out;
}

static void same(const vlm_pixels *a, const vlm_pixels *b) {
  assert_true(vlm_tensor_same_shape(&a->values, &b->values));
  assert_memory_equal(a->values.data, b->values.data, (size_t)vlm_tensor_count(&a->values) * sizeof(float));
}

/* ---- the model: one pixel after the other, from samples ---- */

typedef struct {
  vlm_resize_weights across, down;
} axes;

static axes axes_of(const vlm_yuv *f, int k, int w, int h, vlm_resize_filter filter) {
  axes a;
  const int64_t l = f->crop.left, t = f->crop.top, cw = f->crop.width, ch = f->crop.height;
  const int in_w = (int)(k ? (l + cw - 1) / 2 - l / 2 + 1 : cw),
            in_h = (int)(k ? (t + ch - 1) / 2 - t / 2 + 1 : ch);
  const float x = k ? (float)(l % 2) / 2 : 0, y = k ? (float)(t % 2) / 2 : 0, part = k ? 0.5f : 1;
  FINE(vlm_resize_weights_make(&a.across, &(vlm_resize_axis){in_w, w, x + (float)cw * part, filter, x},
                               &error));
  FINE(
      vlm_resize_weights_make(&a.down, &(vlm_resize_axis){in_h, h, y + (float)ch * part, filter, y}, &error));
  return a;
}

/* Weight i of output o in 14 bits; the largest holds what the others leave of 1. */
static int weight(const vlm_resize_weights *w, int o, int i) {
  const int32_t *k = w->weight + o * w->taps;
  int most = 0, sum = 0, value[256];
  for (int j = 0; j < w->count[o]; j++) {
    value[j] = (int)floor(k[j] / 256.0 + 0.5);
    sum += value[j];
    if (value[j] > value[most]) most = j;
  }
  return i == most ? value[i] + 16384 - sum : value[i];
}

static int share(int v, int w) { return (v * w) >> 16; }

/* In 1/16. */
static int resampled(const picture *p, const axes *a, int k, int ox, int oy) {
  const vlm_yuv *f = &p->frame;
  const int pw = k ? chroma(f->width) : f->width;
  const int left = (int)(k ? f->crop.left / 2 : f->crop.left), top = (int)(k ? f->crop.top / 2 : f->crop.top);
  int sum = (a->across.count[ox] - 1) / 2;
  for (int i = 0; i < a->across.count[ox]; i++) {
    int column = (a->down.count[oy] - 1) / 2;
    for (int j = 0; j < a->down.count[oy]; j++)
      column +=
          share(p->samples[k][(top + a->down.first[oy] + j) * pw + left + a->across.first[ox] + i] * 128,
                weight(&a->down, oy, j));
    sum += share(column * 2, weight(&a->across, ox, i));
  }
  return sum;
}

static int product(int v, double value) {
  const double whole = floor(value + 0.5);
  double part = floor((value - whole) * 65536 + 0.5);
  if (part > 32767) part = 32767;
  return v * (int)whole + ((v * (int)part) >> 16);
}

static int byte(int v) {
  v = (v + 8) >> 4;
  return v < 0 ? 0 : v > 255 ? 255 : v;
}

static void color(const vlm_yuv *f, int rgb[3], int y, int u, int v) {
  static const double M[2][4] = {{1.402, -0.344136, -0.714136, 1.772},
                                 {1.5748, -0.187324, -0.468124, 1.8556}};
  const double *m = M[f->colors], c = f->limited ? 255.0 / 224 : 1;
  y = product(f->limited ? y - 256 : y, f->limited ? 255.0 / 219 : 1);
  u -= 2048, v -= 2048;
  rgb[0] = byte(y + product(v, m[0] * c));
  rgb[1] = byte(y + product(u, m[1] * c) + product(v, m[2] * c));
  rgb[2] = byte(y + product(u, m[3] * c));
}

/* Upright place to place as stored. */
static void stored(const vlm_yuv *f, int w, int h, int x, int y, int *sx, int *sy) {
  if (f->mirror) x = w - 1 - x;
  *sx = f->turns == 0 ? x : f->turns == 1 ? y : f->turns == 2 ? w - 1 - x : h - 1 - y;
  *sy = f->turns == 0 ? y : f->turns == 1 ? w - 1 - x : f->turns == 2 ? h - 1 - y : x;
}

static void as_the_model(const picture *p, int w, int h, vlm_resize_filter filter, bool nhwc) {
  const vlm_preprocess ops = resized(w, h, filter, nhwc);
  vlm_pixels got = run(&p->frame, &ops, NULL);
  const bool lies = p->frame.turns % 2;
  const float *values = got.values.data;
  axes a[3];
  for (int k = 0; k < 3; k++) a[k] = axes_of(&p->frame, k, lies ? h : w, lies ? w : h, filter);
  for (int y = 0; y < h; y++)
    for (int x = 0; x < w; x++) {
      int sx, sy, rgb[3], v[3];
      stored(&p->frame, w, h, x, y, &sx, &sy);
      for (int k = 0; k < 3; k++) v[k] = resampled(p, &a[k], k, sx, sy);
      color(&p->frame, rgb, v[0], v[1], v[2]);
      for (int c = 0; c < 3; c++) {
        const float scaled = (float)((double)(float)rgb[c] * (1 / 255.0));
        const float want = (scaled - (float)ops.ops[2].mean[c]) / (float)ops.ops[2].std[c];
        const float is = values[nhwc ? (y * w + x) * 3 + c : (c * h + y) * w + x];
        if (is != want)
          fail_msg("%d x %d, turn %d, pixel %d, %d, channel %d: %g, wanted %g", w, h, p->frame.turns, x, y, c,
                   (double)is, (double)want);
      }
    }
  for (int k = 0; k < 3; k++) {
    vlm_free(a[k].across.first);
    vlm_free(a[k].down.first);
  }
  vlm_pixels_free(&got);
}

/* ---- tests ---- */

static void layouts_are_equal(void **state) {
  (void)state;
  const vlm_preprocess ops = resized(24, 20, VLM_FILTER_BICUBIC, false);
  for (int odd = 0; odd < 2; odd++) {
    picture first = make(64 - odd, 48 - odd, I420);
    vlm_pixels want = run(&first.frame, &ops, NULL);
    for (int layout = 1; layout < LAYOUTS; layout++) {
      picture p = make(64 - odd, 48 - odd, layout);
      vlm_pixels got = run(&p.frame, &ops, NULL);
      same(&got, &want);
      vlm_pixels_free(&got);
      drop(&p);
    }
    vlm_pixels_free(&want);
    drop(&first);
  }
}

static void sizes_are_as_the_model(void **state) {
  static const int SIZES[][4] = {{64, 48, 24, 20}, {63, 47, 24, 20}, {33, 17, 40, 41}, {1, 1, 5, 5},
                                 {2, 3, 2, 3},     {97, 5, 8, 9},    {40, 41, 40, 41}};
  (void)state;
  for (size_t i = 0; i < sizeof SIZES / sizeof SIZES[0]; i++)
    for (int filter = VLM_FILTER_NEAREST + 1; filter < VLM_FILTER_COUNT; filter++) {
      picture p = make(SIZES[i][0], SIZES[i][1], (int)i % LAYOUTS);
      as_the_model(&p, SIZES[i][2], SIZES[i][3], (vlm_resize_filter)filter, i % 2);
      drop(&p);
    }
}

static void turns_and_mirrors(void **state) {
  (void)state;
  for (int turn = 0; turn < 8; turn++) {
    picture p = make(51, 38, NV21);
    p.frame.turns = turn % 4;
    p.frame.mirror = turn > 3;
    as_the_model(&p, 26, 19, VLM_FILTER_BICUBIC, false);
    as_the_model(&p, 26, 19, VLM_FILTER_BILINEAR, true);
    drop(&p);
  }
}

static void crops_begin_at_odd_places(void **state) {
  static const vlm_image_rect CROPS[] = {
      {1, 1, 31, 30}, {3, 2, 20, 21}, {0, 5, 51, 33}, {50, 37, 1, 1}, {7, 7, 16, 16}};
  (void)state;
  for (size_t i = 0; i < sizeof CROPS / sizeof CROPS[0]; i++) {
    picture p = make(51, 38, NV12);
    p.frame.crop = CROPS[i];
    as_the_model(&p, 16, 12, VLM_FILTER_BICUBIC, false);
    drop(&p);
  }
}

static void both_ranges_and_matrices(void **state) {
  (void)state;
  for (int k = 0; k < 4; k++) {
    picture p = make(40, 30, I420);
    p.frame.colors = (vlm_yuv_colors)(k % 2);
    p.frame.limited = k > 1;
    as_the_model(&p, 20, 15, VLM_FILTER_BICUBIC, false);
    drop(&p);
  }
}

/* One colour all over, at its own size: within 1 of the formulas, for colours all over the cube. */
static void colors_are_within_one(void **state) {
  static const double M[2][4] = {{1.402, 0.344136, 0.714136, 1.772}, {1.5748, 0.187324, 0.468124, 1.8556}};
  vlm_preprocess ops = {.count = 1};
  ops.ops[0] = (vlm_preprocess_op){
      .kind = VLM_PREPROCESS_RESIZE, .width = 1, .height = 1, .filter = VLM_FILTER_BICUBIC};
  (void)state;
  for (int i = 0; i < 4 * 18 * 18 * 18; i++) {
    const uint8_t s[3] = {(uint8_t)(i / 4 % 18 * 15), (uint8_t)(i / 72 % 18 * 15), (uint8_t)(i / 1296 * 15)};
    vlm_yuv f = {.planes = {{&s[0], 1, 1, 1}, {&s[1], 1, 1, 1}, {&s[2], 1, 1, 1}},
                 .width = 1,
                 .height = 1,
                 .crop = {0, 0, 1, 1},
                 .colors = (vlm_yuv_colors)(i % 2),
                 .limited = i / 2 % 2};
    const double *m = M[i % 2], c = f.limited ? 255.0 / 224 : 1,
                 y = f.limited ? (s[0] - 16) * 255.0 / 219 : s[0];
    const double u = (s[1] - 128) * c, v = (s[2] - 128) * c,
                 want[3] = {y + m[0] * v, y - m[1] * u - m[2] * v, y + m[3] * u};
    vlm_pixels got = run(&f, &ops, NULL);
    for (int k = 0; k < 3; k++) {
      const double clipped = want[k] < 0 ? 0 : want[k] > 255 ? 255 : want[k];
      assert_true(fabs((double)((float *)got.values.data)[k] - clipped) < 1);
    }
    vlm_pixels_free(&got);
  }
}

/* The last sample of every plane is the last byte before a page that cannot be read. */
static void nothing_is_read_behind(void **state) {
  const size_t page = (size_t)sysconf(_SC_PAGESIZE), room = 4 * page;
  const int zeros = open("/dev/zero", O_RDWR);
  (void)state;
  for (int layout = 0; layout < LAYOUTS; layout++) {
    picture p = make(63, 47, layout);
    const vlm_preprocess ops = resized(24, 20, VLM_FILTER_BICUBIC, false);
    vlm_pixels want = run(&p.frame, &ops, NULL);
    uint8_t *maps[3];
    for (int k = 0; k < 3; k++) {
      vlm_yuv_plane *plane = &p.frame.planes[k];
      maps[k] = mmap(NULL, room + page, PROT_READ | PROT_WRITE, MAP_PRIVATE, zeros, 0);
      assert_true(maps[k] != MAP_FAILED && plane->bytes <= room);
      assert_int_equal(mprotect(maps[k] + room, page, PROT_NONE), 0);
      uint8_t *at = maps[k] + room - plane->bytes;
      memcpy(at, plane->data, plane->bytes);
      plane->data = at;
    }
    vlm_pixels got = run(&p.frame, &ops, NULL);
    same(&got, &want);
    vlm_pixels_free(&got);
    vlm_pixels_free(&want);
    for (int k = 0; k < 3; k++) munmap(maps[k], room + page);
    drop(&p);
  }
  close(zeros);
}

/* What converting first gives: chroma replicated, Pillow's resize. */
static vlm_image converted(const picture *p) {
  vlm_image image;
  const int w = p->frame.width;
  FINE(vlm_image_create(&image, w, p->frame.height, &error));
  for (int i = 0; i < w * p->frame.height; i++) {
    const int c = i / w / 2 * chroma(w) + i % w / 2;
    const double y = p->samples[0][i], u = p->samples[1][c] - 128, v = p->samples[2][c] - 128;
    const double rgb[3] = {y + 1.402 * v, y - 0.344136 * u - 0.714136 * v, y + 1.772 * u};
    for (int k = 0; k < 3; k++)
      image.data[i * 3 + k] = (uint8_t)(rgb[k] < 0 ? 0 : rgb[k] > 255 ? 255 : rgb[k] + 0.5);
  }
  return image;
}

static void near_to_converting_first(void **state) {
  vlm_preprocess ops = resized(80, 64, VLM_FILTER_BICUBIC, false);
  ops.count = 1;
  (void)state;
  picture p = make(320, 240, NV21);
  vlm_image image = converted(&p);
  vlm_pixels want, got = run(&p.frame, &ops, NULL);
  FINE(vlm_preprocess_run(&want, &ops, &image, NULL, &error));
  double sum = 0, most = 0;
  const int64_t n = vlm_tensor_count(&got.values);
  for (int64_t i = 0; i < n; i++) {
    const double d = fabs((double)((float *)got.values.data)[i] - (double)((float *)want.values.data)[i]);
    sum += d;
    if (d > most) most = d;
  }
  print_message("[          ] differs by %.3f of 255 in the mean, by %g at most\n", sum / (double)n, most);
  assert_true(sum / (double)n < 0.6 && most <= 6);
  vlm_image_free(&image);
  vlm_pixels_free(&got);
  vlm_pixels_free(&want);
  drop(&p);
}

/* Lists that go on with pixels (crop, pad) and threads: what the direct way and one thread give. */
static void lists_and_threads(void **state) {
  vlm_threads *threads;
  (void)state;
  FINE(vlm_threads_create(&threads, 3, &error));
  picture p = make(123, 77, NV12);
  p.frame.turns = 1;
  const vlm_preprocess direct = resized(50, 60, VLM_FILTER_BICUBIC, false);
  vlm_preprocess through = direct;
  through.ops[1] = (vlm_preprocess_op){.kind = VLM_PREPROCESS_CENTER_CROP, .width = 50, .height = 60};
  memcpy(&through.ops[2], &direct.ops[1], 3 * sizeof direct.ops[0]);
  through.count = 5;
  vlm_pixels a = run(&p.frame, &direct, NULL), b = run(&p.frame, &direct, threads),
             c = run(&p.frame, &through, threads);
  same(&a, &b);
  same(&a, &c);
  /* Without a resize the frame keeps its size. */
  const vlm_preprocess none = {.count = 0};
  vlm_pixels d = run(&p.frame, &none, threads);
  assert_int_equal(d.values.dims[2], 123);
  assert_int_equal(d.values.dims[3], 77);
  vlm_pixels_free(&a);
  vlm_pixels_free(&b);
  vlm_pixels_free(&c);
  vlm_pixels_free(&d);
  vlm_threads_free(threads);
  drop(&p);
}

static void refused(vlm_yuv frame, const char *why) {
  vlm_pixels out;
  const vlm_preprocess ops = resized(8, 8, VLM_FILTER_BICUBIC, false);
  assert_int_equal(vlm_yuv_run(&out, &ops, &frame, NULL, &error), VLM_USAGE);
  if (!strstr(error.text, why)) fail_msg("%s: no %s", error.text, why);
  error = (vlm_error){0};
}

static void what_cannot_be_is_refused(void **state) {
  (void)state;
  picture p = make(31, 21, NV21);
  vlm_yuv f = p.frame;
  f.planes[2].bytes--;
  refused(f, "plane V: ");
  f = p.frame;
  f.planes[0].row = 30;
  refused(f, "do not fit a stride of 30");
  f = p.frame;
  f.planes[1].data = NULL;
  refused(f, "plane U: data is NULL");
  f = p.frame;
  f.crop.left = 1;
  refused(f, "is not within 31 x 21");
  f = p.frame;
  f.width = 0;
  refused(f, "wanted at least 1 x 1");
  f = p.frame;
  f.planes[1].pixel = 0;
  refused(f, "wanted 1 to");
  drop(&p);
}

/* ---- for tests/yuv.sh: instructions of one frame ---- */

/* 16.16 fixed point, as cameras' users do it. */
static vlm_image convert_fast(const picture *p) {
  vlm_image image;
  const int w = p->frame.width, cw = chroma(w);
  FINE(vlm_image_create(&image, w, p->frame.height, &error));
  uint8_t *to = image.data;
  for (int y = 0; y < p->frame.height; y++)
    for (int x = 0; x < w; x++, to += 3) {
      const int c = y / 2 * cw + x / 2, l = (p->samples[0][y * w + x] << 16) + 32768;
      const int u = p->samples[1][c] - 128, v = p->samples[2][c] - 128;
      const int rgb[3] = {(l + 91881 * v) >> 16, (l - 22554 * u - 46802 * v) >> 16, (l + 116130 * u) >> 16};
      for (int k = 0; k < 3; k++) to[k] = (uint8_t)(rgb[k] < 0 ? 0 : rgb[k] > 255 ? 255 : rgb[k]);
    }
  return image;
}

static int one_frame(const char *how) {
  const vlm_preprocess ops = resized(768, 768, VLM_FILTER_BICUBIC, false);
  picture p = make(1920, 1080, NV21);
  vlm_pixels out = {0};
  if (!strcmp(how, "--straight")) {
    out = run(&p.frame, &ops, NULL);
  } else if (!strcmp(how, "--convert")) {
    vlm_image image = convert_fast(&p);
    FINE(vlm_preprocess_run(&out, &ops, &image, NULL, &error));
    vlm_image_free(&image);
  }
  vlm_pixels_free(&out);
  drop(&p);
  return 0;
}

int main(int argc, char **argv) {
  if (argc > 1) return one_frame(argv[1]);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(layouts_are_equal),        cmocka_unit_test(sizes_are_as_the_model),
      cmocka_unit_test(turns_and_mirrors),        cmocka_unit_test(crops_begin_at_odd_places),
      cmocka_unit_test(both_ranges_and_matrices), cmocka_unit_test(colors_are_within_one),
      cmocka_unit_test(nothing_is_read_behind),   cmocka_unit_test(near_to_converting_first),
      cmocka_unit_test(lists_and_threads),        cmocka_unit_test(what_cannot_be_is_refused)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
