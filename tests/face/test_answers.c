/* Answers through the public interface: the same however a model is opened and a picture is laid out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <fcntl.h>

#include <cmocka.h>

#include "tests/face/models.h"

#define BOXES VLMQ_SOURCE_DIR "/tests/cli/data/boxes" /* answers from a table: tests/oracles/make_boxes.py */

static char zstd_file[64], raw_file[64];
static vlm_engine *engine;
static vlm_runner *runner;
static vlm_prepared *prepared;
static vlm_file file;

static vlm_open_opts with_engine(void) {
  vlm_open_opts opts = vlm_open_opts_init();
  opts.engine = engine;
  return opts;
}

static int set_up(void **state) {
  (void)state;
  pack_model(zstd_file, CAPTIONER, VLM_PACK_ZSTD);
  pack_model(raw_file, CAPTIONER, VLM_PACK_RAW);
  FINE(vlm_engine_create(&engine, NULL, &error));
  const vlm_open_opts opts = with_engine();
  FINE(vlm_runner_open(&runner, zstd_file, &opts, &error));
  const vlm_picture picture = screen(&file);
  FINE(vlm_runner_prepare(&prepared, runner, &picture, &error));
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  vlm_prepared_free(prepared);
  vlm_engine_free(engine); /* before its runner */
  vlm_runner_free(runner);
  vlm_file_unmap(&file);
  return unlink(zstd_file) + unlink(raw_file);
}

/* Frees the runner, which must give the caption. Twice: what the first answer let go is not missed. */
static void check_caption(vlm_runner *r) {
  const vlm_picture picture = screen(&file);
  vlm_prepared *p;
  vlm_reply *reply;
  FINE(vlm_runner_prepare(&p, r, &picture, &error));
  for (int i = 0; i < 2; i++) {
    FINE(vlm_runner_generate(&reply, r, p, "<CAPTION>", NULL, &error));
    assert_string_equal(vlm_reply_text(reply), CAPTION);
    vlm_reply_free(reply);
  }
  vlm_prepared_free(p);
  vlm_runner_free(r);
}

/* ---- opening ---- */

static void test_memory(void **state) {
  const char *const files[] = {zstd_file, raw_file};
  const vlm_open_opts opts = with_engine();
  (void)state;
  for (int i = 0; i < 2; i++) {
    vlm_runner *r;
    vlm_file packed;
    FINE(vlm_file_map(&packed, files[i], &error));
    unsigned char *bytes = malloc(packed.bytes + 1);
    memcpy(bytes + 1, packed.data, packed.bytes); /* wherever it lies */
    FINE(vlm_runner_open_memory(&r, bytes + 1, packed.bytes, &opts, &error));
    memset(bytes, 0xAA, packed.bytes + 1); /* and may be changed at once */
    free(bytes);
    vlm_file_unmap(&packed);
    check_caption(r);
  }
}

/* The packed file as an asset inside of another, at an offset. */
static int make_archive(char name[64], const char *inner, size_t offset, size_t *bytes) {
  vlm_file packed;
  static const char zeros[1 << 16];
  strcpy(name, "/tmp/vlmq-archive-XXXXXX");
  const int fd = mkstemp(name);
  FINE(vlm_file_map(&packed, inner, &error));
  *bytes = packed.bytes;
  assert_true(offset <= sizeof zeros && write(fd, zeros, offset) == (ssize_t)offset);
  assert_true(write(fd, packed.data, packed.bytes) == (ssize_t)packed.bytes && write(fd, zeros, 100) == 100);
  vlm_file_unmap(&packed);
  return fd;
}

static void test_descriptor(void **state) {
  static const size_t offsets[] = {0, 1 << 16, 7}; /* mapped from the start, mapped, read */
  const char *const files[] = {zstd_file, raw_file};
  const vlm_open_opts opts = with_engine();
  char name[64];
  size_t bytes;
  (void)state;
  for (int i = 0; i < 6; i++) {
    vlm_runner *r;
    const int fd = make_archive(name, files[i % 2], offsets[i / 2], &bytes);
    const off_t position = lseek(fd, 0, SEEK_CUR);
    FINE(vlm_runner_open_fd(&r, fd, offsets[i / 2], bytes, &opts, &error));
    assert_int_equal(lseek(fd, 0, SEEK_CUR), position);
    close(fd);
    unlink(name);
    check_caption(r);
  }
}

static void test_descriptor_refused(void **state) {
  vlm_runner *r;
  int ends[2];
  size_t bytes;
  char name[64];
  (void)state;
  const int fd = make_archive(name, zstd_file, 0, &bytes);
  FAILS(VLM_INPUT, vlm_runner_open_fd(&r, fd, 0, bytes + 101, NULL, &error));
  FAILS(VLM_INPUT, vlm_runner_open_fd(&r, fd, UINT64_MAX, 1, NULL, &error));
  FAILS(VLM_INTEGRITY, vlm_runner_open_fd(&r, fd, 0, bytes - 1, NULL, &error));
  close(fd);
  unlink(name);
  assert_int_equal(pipe(ends), 0);
  FAILS(VLM_INPUT, vlm_runner_open_fd(&r, ends[0], 0, 0, NULL, &error));
  assert_non_null(strstr(error.text, "is not a file"));
  close(ends[0]);
  close(ends[1]);
}

static void test_onnx(void **state) {
  const vlm_open_opts opts = with_engine();
  vlm_runner *r;
  (void)state;
  FINE(vlm_runner_open(&r, CAPTIONER, &opts, &error));
  check_caption(r);
}

static void test_limits(void **state) {
  vlm_open_opts opts = with_engine();
  vlm_runner *r;
  (void)state;
  opts.max_weight_bytes = 1000;
  FAILS(VLM_LIMIT, vlm_runner_open(&r, raw_file, &opts, &error));
  opts.max_weight_bytes = 0;
  opts.trust_weights = 1;
  opts.low_memory = 1;
  opts.name = "a name";
  FINE(vlm_runner_open(&r, raw_file, &opts, &error));
  check_caption(r);
}

/* ---- pictures ---- */

/* The screen with other bytes per pixel, rows `stride` apart, and something in the gaps. */
static unsigned char *lay_out(vlm_picture *p, int bytes, const int place[3], int64_t stride, bool bottom_up) {
  const unsigned char *from = p->data;
  const size_t step = (size_t)stride;
  unsigned char *to = malloc(step * SCREEN_HEIGHT);
  memset(to, 0x5A, step * SCREEN_HEIGHT);
  for (int y = 0; y < SCREEN_HEIGHT; y++) {
    unsigned char *row = to + step * (size_t)(bottom_up ? SCREEN_HEIGHT - 1 - y : y);
    for (int x = 0; x < SCREEN_WIDTH * 3; x++) row[x / 3 * bytes + place[x % 3]] = *from++;
  }
  p->data = bottom_up ? to + step * (SCREEN_HEIGHT - 1) : to;
  p->stride = bottom_up ? -stride : stride;
  p->bytes = step * SCREEN_HEIGHT;
  return to;
}

static void check_same_pixels(const vlm_picture *picture) {
  vlm_array wanted = vlm_array_init(), got = vlm_array_init();
  vlm_prepared *p;
  FINE(vlm_runner_prepare(&p, runner, picture, &error));
  FINE(vlm_prepared_array(prepared, &wanted, &error));
  FINE(vlm_prepared_array(p, &got, &error));
  assert_string_equal(got.name, "pixel_values");
  assert_true(got.type == VLM_TYPE_FLOAT32 && got.rank == 4 && got.dims[1] == 3 && got.bytes == wanted.bytes);
  assert_memory_equal(got.data, wanted.data, wanted.bytes);
  assert_true(vlm_prepared_ms(p) > 0);
  vlm_prepared_free(p);
}

static void test_orders(void **state) {
  static const struct {
    vlm_pixel_order order;
    int bytes, place[3];
  } orders[] = {{VLM_ORDER_RGB, 3, {0, 1, 2}},
                {VLM_ORDER_BGR, 3, {2, 1, 0}},
                {VLM_ORDER_RGBA, 4, {0, 1, 2}},
                {VLM_ORDER_BGRA, 4, {2, 1, 0}}};
  (void)state;
  for (int i = 0; i < 12; i++) {
    vlm_picture picture = screen(&file);
    const int64_t row = (int64_t)SCREEN_WIDTH * orders[i / 3].bytes;
    picture.order = orders[i / 3].order;
    unsigned char *pixels =
        lay_out(&picture, orders[i / 3].bytes, orders[i / 3].place, i % 3 ? row + 13 : row, i % 3 == 2);
    check_same_pixels(&picture);
    free(pixels);
  }
}

static void test_grey(void **state) {
  enum { SIDE = 40 };
  unsigned char grey[SIDE * SIDE], rgb[SIDE * SIDE * 3];
  vlm_array a = vlm_array_init(), b = vlm_array_init();
  vlm_picture picture = vlm_picture_init();
  vlm_prepared *one, *three;
  (void)state;
  for (int i = 0; i < SIDE * SIDE; i++)
    grey[i] = rgb[3 * i] = rgb[3 * i + 1] = rgb[3 * i + 2] = (unsigned char)(i * 7);
  picture.width = picture.height = SIDE;
  picture.data = rgb;
  FINE(vlm_runner_prepare(&three, runner, &picture, &error));
  picture.data = grey;
  picture.order = VLM_ORDER_GREY;
  picture.bytes = sizeof grey;
  FINE(vlm_runner_prepare(&one, runner, &picture, &error));
  FINE(vlm_prepared_array(one, &a, &error));
  FINE(vlm_prepared_array(three, &b, &error));
  assert_memory_equal(a.data, b.data, a.bytes);
  vlm_prepared_free(one);
  vlm_prepared_free(three);
}

/* ---- answers ---- */

typedef struct {
  char text[1024];
  int tokens, stop_after;
  bool cancel, again;
  vlm_status nested;
} listener;

static int listen(void *user, int32_t id, const char *text, size_t bytes) {
  listener *l = user;
  assert_int_equal(strlen(text), bytes);
  assert_true(id >= 0 && strlen(l->text) + bytes < sizeof l->text);
  strcat(l->text, text);
  l->tokens++;
  if (l->again) {
    vlm_reply *reply;
    l->nested = vlm_runner_generate(&reply, runner, prepared, NULL, NULL, NULL);
  }
  if (l->tokens != l->stop_after) return 0;
  if (l->cancel) vlm_runner_cancel(runner);
  return !l->cancel;
}

static vlm_reply *generate(listener *l, int64_t beams, int64_t tokens, double deadline) {
  vlm_generate_opts opts = vlm_generate_opts_init();
  vlm_reply *reply;
  opts.on_token = listen;
  opts.user = l;
  opts.beams = beams;
  opts.max_new_tokens = tokens;
  opts.deadline_ms = deadline;
  FINE(vlm_runner_generate(&reply, runner, prepared, NULL, &opts, &error));
  return reply;
}

static void test_callback(void **state) {
  static const int64_t beams[] = {1, 3};
  (void)state;
  for (int i = 0; i < 2; i++) {
    listener l = {.again = i == 0};
    size_t count;
    vlm_reply *reply = generate(&l, beams[i], 0, 0);
    const int32_t *ids = vlm_reply_ids(reply, &count);
    assert_non_null(ids);
    assert_int_equal(l.tokens, count - 1);
    assert_string_equal(l.text, vlm_reply_text(reply));
    assert_int_equal(vlm_reply_finish(reply), VLM_FINISH_END);
    if (l.again) assert_int_equal(l.nested, VLM_USAGE);
    vlm_reply_free(reply);
  }
}

static void test_cancel(void **state) {
  (void)state;
  for (int i = 0; i < 4; i++) {
    listener l = {.stop_after = 4, .cancel = i % 2};
    vlm_reply *reply = generate(&l, i < 2 ? 1 : 3, 0, 0);
    if (i < 2) assert_int_equal(vlm_reply_finish(reply), VLM_FINISH_CANCELLED);
    if (i < 2) assert_string_equal(vlm_reply_text(reply), l.text);
    assert_int_equal(l.tokens, 4);
    vlm_reply_free(reply);
  }
  vlm_runner_cancel(runner); /* nothing to cancel: the next answer is whole */
  listener l = {.stop_after = 0};
  vlm_reply *reply = generate(&l, 1, 0, 0);
  assert_string_equal(vlm_reply_text(reply), CAPTION);
  vlm_reply_free(reply);
}

static void test_ends(void **state) {
  listener l = {.stop_after = 0}, late = {.stop_after = 0};
  size_t count;
  (void)state;
  vlm_reply *reply = generate(&l, 1, 5, 0);
  assert_int_equal(vlm_reply_finish(reply), VLM_FINISH_LENGTH);
  vlm_reply_ids(reply, &count);
  assert_int_equal(count, 6);
  vlm_reply_free(reply);
  reply = generate(&late, 1, 0, 1e-6);
  assert_int_equal(vlm_reply_finish(reply), VLM_FINISH_DEADLINE);
  assert_string_equal(vlm_reply_text(reply), "");
  assert_int_equal(late.tokens, 0);
  vlm_reply_free(reply);
}

static void test_numbers(void **state) {
  vlm_timing timing = vlm_timing_init();
  vlm_memory_info memory = vlm_memory_info_init();
  vlm_model_info info = vlm_model_info_init();
  listener l = {.stop_after = 0};
  size_t count;
  (void)state;
  vlm_reply *reply = generate(&l, 1, 0, 0);
  FINE(vlm_reply_timing(reply, &timing, &error));
  vlm_reply_ids(reply, &count);
  assert_int_equal(timing.steps, count - 2);
  assert_true(timing.vision_ms > 0 && timing.first_ms > 0 && timing.steps_ms > 0 &&
              timing.first_token_ms < timing.total_ms);
  assert_true(timing.vision_ms + timing.embed_ms + timing.encoder_ms + timing.first_ms <=
              timing.first_token_ms);
  FINE(vlm_runner_memory(runner, &memory, &error));
  assert_true(memory.arena_bytes > 100000 && memory.plans >= 5);
  assert_true(memory.released_bytes > 1000000);
  FINE(vlm_runner_info(runner, &info, &error));
  assert_string_equal(info.source, zstd_file);
  assert_true(info.generates == 1 && info.graphs == 5 && info.image_width > 0 && info.image_height > 0);
  vlm_reply_free(reply);
}

/* Boxes are in pixels of the picture that was given. */
static void test_findings(void **state) {
  enum { WIDTH = 200, HEIGHT = 100 };
  static unsigned char pixels[WIDTH * HEIGHT * 3];
  vlm_picture picture = vlm_picture_init();
  vlm_finding finding = vlm_finding_init();
  const vlm_open_opts opts = with_engine();
  vlm_runner *r;
  vlm_prepared *p;
  vlm_reply *reply;
  (void)state;
  picture.data = pixels;
  picture.width = WIDTH;
  picture.height = HEIGHT;
  FINE(vlm_runner_open(&r, BOXES, &opts, &error));
  FINE(vlm_runner_prepare(&p, r, &picture, &error));
  FINE(vlm_runner_generate(&reply, r, p, "<OD>", NULL, &error));
  vlm_prepared_free(p);
  vlm_runner_free(r); /* the reply stands by itself */
  assert_true(vlm_reply_findings(reply) > 0);
  for (size_t i = 0; i < vlm_reply_findings(reply); i++) {
    FINE(vlm_reply_finding(reply, i, &finding, &error));
    assert_true(finding.outline == VLM_OUTLINE_BOX && finding.count == 4 && finding.label[0]);
    assert_true(finding.values[0] < finding.values[2] && finding.values[2] <= WIDTH &&
                finding.values[3] <= HEIGHT);
  }
  vlm_reply_free(reply);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_memory),
      cmocka_unit_test(test_descriptor),
      cmocka_unit_test(test_descriptor_refused),
      cmocka_unit_test(test_onnx),
      cmocka_unit_test(test_limits),
      cmocka_unit_test(test_orders),
      cmocka_unit_test(test_grey),
      cmocka_unit_test(test_callback),
      cmocka_unit_test(test_cancel),
      cmocka_unit_test(test_ends),
      cmocka_unit_test(test_numbers),
      cmocka_unit_test(test_findings),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
