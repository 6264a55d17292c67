/* Every public function with NULL or wrong arguments: refused with a status and a text, and nothing crashes.
 *   test_wrong_calls --functions     prints the functions that have a row, for tests/library.sh */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/face/models.h"

/* A call that says why. */
static bool refused(vlm_status st) {
  const bool is = st == VLM_USAGE && error.status == st && error.text[0];
  error = (vlm_error){.status = VLM_OK};
  return is;
}
#define REFUSED(call) refused(call)
/* The handle is set to something first: it must be gone. */
#define NO_HANDLE(handle, call) ((handle) = (void *)&error, refused(call) && !(handle))

static struct {
  vlm_engine_opts engine;
  vlm_open_opts open;
  vlm_model_info info;
  vlm_memory_info memory;
  vlm_picture picture;
  vlm_generate_opts generate;
  vlm_timing timing;
  vlm_finding finding;
  vlm_port port;
  vlm_array array;
} no_size;

static struct {
  vlm_engine_opts engine;
  vlm_picture no_data, no_width, order, stride, least_stride, bytes, huge;
  vlm_generate_opts beams, tokens, deadline;
  vlm_array no_name, type, rank, dim, short_data, null_data, other_name, other_type;
} wrong;

static float data[8 * 64];
static vlm_yuv420 frame, no_frame, turned_frame, short_frame;

static void make_frames(void) {
  static const uint8_t grey[6] = {128, 128, 128, 128, 128, 128};
  frame = vlm_yuv420_init();
  frame.y = grey, frame.u = grey + 4, frame.v = grey + 5;
  frame.y_bytes = 4, frame.u_bytes = frame.v_bytes = 1;
  frame.width = frame.height = 2;
  frame.y_row = 2, frame.u_row = frame.v_row = 1;
  turned_frame = short_frame = frame;
  turned_frame.rotation = 45;
  short_frame.y_bytes = 3;
}

static void make_wrong_pictures(vlm_picture good) {
  make_frames();
  wrong.no_data = wrong.no_width = wrong.order = wrong.stride = wrong.least_stride = wrong.bytes =
      wrong.huge = good;
  wrong.no_data.data = NULL;
  wrong.no_width.width = 0;
  wrong.order.order = (vlm_pixel_order)5;
  wrong.stride.stride = good.width * 3 - 1;
  wrong.least_stride.stride = INT64_MIN;
  wrong.bytes.height++;
  wrong.huge.width = wrong.huge.height = INT32_MAX;
}

static vlm_array good_array(void) {
  vlm_array array = vlm_array_init();
  array.name = "x";
  array.type = VLM_TYPE_FLOAT32;
  array.rank = 2;
  array.dims[0] = 8;
  array.dims[1] = 64;
  array.data = data;
  array.bytes = sizeof data;
  return array;
}

static void make_wrong_arrays(vlm_array good) {
  wrong.no_name = wrong.type = wrong.rank = wrong.dim = wrong.short_data = wrong.null_data =
      wrong.other_name = wrong.other_type = good;
  wrong.no_name.name = NULL;
  wrong.type.type = (vlm_type)8;
  wrong.rank.rank = VLM_ARRAY_RANK + 1;
  wrong.dim.dims[1] = -1;
  wrong.short_data.bytes--;
  wrong.null_data.data = NULL;
  wrong.other_name.name = "X";
  wrong.other_type.type = VLM_TYPE_INT32;
}

static void make_wrong_options(void) {
  wrong.engine = vlm_engine_opts_init();
  wrong.engine.cpu_level = "abacus";
  wrong.beams = wrong.tokens = wrong.deadline = vlm_generate_opts_init();
  wrong.beams.beams = 65;
  wrong.tokens.max_new_tokens = -1;
  wrong.deadline.deadline_ms = -1;
}

static vlm_runner *runner, *other, *graph;
static vlm_prepared *prepared;
static vlm_reply *reply;
static vlm_file file;

static int set_up(void **state) {
  vlm_open_opts opts = vlm_open_opts_init();
  (void)state;
  FINE(vlm_engine_create(&opts.engine, NULL, &error));
  FINE(vlm_runner_open(&runner, CAPTIONER, &opts, &error));
  FINE(vlm_runner_open(&other, CAPTIONER, &opts, &error));
  FINE(vlm_runner_open(&graph, GEMM, &opts, &error));
  vlm_engine_free(opts.engine); /* the runners keep it */
  const vlm_picture picture = screen(&file);
  FINE(vlm_runner_prepare(&prepared, runner, &picture, &error));
  FINE(vlm_runner_generate(&reply, runner, prepared, NULL, NULL, &error));
  make_wrong_pictures(picture);
  make_wrong_arrays(good_array());
  make_wrong_options();
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  vlm_reply_free(reply);
  vlm_prepared_free(prepared);
  vlm_runner_free(graph);
  vlm_runner_free(other);
  vlm_runner_free(runner);
  vlm_file_unmap(&file);
  return 0;
}

static void test_wrong_calls(void **state) {
  vlm_runner *out = NULL;
  vlm_engine *engine_out = NULL;
  vlm_prepared *prepared_out = NULL;
  vlm_reply *reply_out = NULL;
  vlm_model_info info = vlm_model_info_init();
  vlm_memory_info memory = vlm_memory_info_init();
  vlm_timing timing = vlm_timing_init();
  vlm_finding finding = vlm_finding_init();
  vlm_port port = vlm_port_init();
  vlm_array array = good_array();
  vlm_picture picture = screen(&file);
  size_t count = 1;
  int wrong_rows = 0;
  (void)state;
#define X(function, call)                              \
  if (!(call)) {                                       \
    print_error("not refused as wanted: %s\n", #call); \
    wrong_rows++;                                      \
  }
#include "tests/face/wrong_calls.def"
#undef X
  assert_int_equal(wrong_rows, 0);
}

/* A program of tomorrow, with a longer struct, and one of yesterday, with a shorter one. */
static void test_sizes(void **state) {
  struct {
    vlm_generate_opts opts;
    int64_t news;
  } longer = {vlm_generate_opts_init(), 0};
  struct {
    size_t size;
    double vision_ms;
    uint64_t behind;
  } shorter = {.size = 2 * sizeof(size_t), .behind = 42};
  vlm_reply *out = NULL;
  (void)state;
  longer.opts.size = sizeof longer;
  FINE(vlm_runner_generate(&out, runner, prepared, NULL, &longer.opts, &error));
  assert_string_equal(vlm_reply_text(out), CAPTION);
  FINE(vlm_reply_timing(out, (vlm_timing *)&shorter, &error));
  assert_true(shorter.vision_ms > 0 && shorter.behind == 42);
  vlm_reply_free(out);
  longer.news = 1;
  FAILS(VLM_UNSUPPORTED, vlm_runner_generate(&out, runner, prepared, NULL, &longer.opts, &error));
}

static int print_functions(void) {
#define X(function, call) puts(#function);
#include "tests/face/wrong_calls.def"
#undef X
  return 0;
}

int main(int argc, char **argv) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_wrong_calls),
      cmocka_unit_test(test_sizes),
  };
  if (argc > 1 && !strcmp(argv[1], "--functions")) return print_functions();
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
