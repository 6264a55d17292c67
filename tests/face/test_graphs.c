/* Single graphs through the public interface: what they take, running them, what they give. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runtime/exec/session.h"
#include "tests/face/models.h"

enum { ROWS = 8, COLUMNS = 64 };
static float x[ROWS * COLUMNS];

static vlm_array input(void) {
  vlm_array array = vlm_array_init();
  array.name = "x";
  array.type = VLM_TYPE_FLOAT32;
  array.rank = 2;
  array.dims[0] = ROWS;
  array.dims[1] = COLUMNS;
  array.data = x;
  array.bytes = sizeof x;
  return array;
}

static void fill(int seed) {
  for (int i = 0; i < ROWS * COLUMNS; i++) x[i] = (float)((i * 37 + seed) % 101) / 50.0f - 1.0f;
}

/* What a session of our own gives. */
static void compute(float *y) {
  vlm_graph *g;
  vlm_context *context;
  vlm_session *session;
  const vlm_tensor in = vlm_tensor_make(VLM_F32, 2, (int64_t[]){ROWS, COLUMNS}, x);
  FINE(vlm_onnx_import(&g, GEMM, NULL, &error));
  FINE(vlm_context_create(&context, NULL, &error));
  FINE(vlm_session_create(&session, context, g, NULL, &error));
  FINE(vlm_session_run(session, &in, 1, &error));
  memcpy(y, vlm_session_output(session, 0)->data, sizeof x);
  vlm_session_free(session);
  vlm_context_free(context);
  vlm_graph_free(g);
}

static void check_runs(vlm_runner *runner) {
  float wanted[ROWS * COLUMNS];
  vlm_array array, out = vlm_array_init();
  for (int seed = 0; seed < 3; seed++) {
    fill(seed);
    compute(wanted);
    array = input();
    FINE(vlm_runner_set(runner, NULL, &array, &error));
    FINE(vlm_runner_run(runner, seed ? "model" : NULL, &error));
    FINE(vlm_runner_get(runner, NULL, seed ? "y" : NULL, &out, &error));
    assert_string_equal(out.name, "y");
    assert_true(out.type == VLM_TYPE_FLOAT32 && out.rank == 2 && out.dims[0] == ROWS &&
                out.dims[1] == COLUMNS);
    assert_int_equal(out.bytes, sizeof wanted);
    assert_memory_equal(out.data, wanted, sizeof wanted);
    FAILS(VLM_INPUT, vlm_runner_run(runner, NULL, &error)); /* inputs are forgotten */
    assert_non_null(strstr(error.text, "\"x\" was not set"));
  }
}

static void test_packed(void **state) {
  static const vlm_pack_codec codecs[] = {VLM_PACK_ZSTD, VLM_PACK_RAW};
  char file[64];
  vlm_runner *runner;
  (void)state;
  for (int i = 0; i < 2; i++) {
    pack_model(file, GEMM, codecs[i]);
    FINE(vlm_runner_open(&runner, file, NULL, &error));
    check_runs(runner);
    vlm_runner_free(runner);
    unlink(file);
  }
}

static void test_onnx_memory(void **state) {
  vlm_file file;
  vlm_runner *runner;
  (void)state;
  FINE(vlm_file_map(&file, GEMM, &error));
  FINE(vlm_runner_open_memory(&runner, file.data, file.bytes, NULL, &error));
  vlm_file_unmap(&file);
  check_runs(runner);
  vlm_runner_free(runner);
}

static void test_ports(void **state) {
  vlm_runner *runner;
  vlm_port port = vlm_port_init();
  vlm_model_info info = vlm_model_info_init();
  (void)state;
  FINE(vlm_runner_open(&runner, VLMQ_SOURCE_DIR "/tests/onnx/data/dims.onnx", NULL, &error));
  FINE(vlm_runner_info(runner, &info, &error));
  assert_true(!info.generates && info.graphs == 1);
  assert_string_equal(vlm_runner_graph(runner, 0), "model");
  assert_null(vlm_runner_graph(runner, 1));
  assert_int_equal(vlm_runner_ports(runner, NULL, VLM_SIDE_INPUTS), 1);
  assert_int_equal(vlm_runner_ports(runner, "model", VLM_SIDE_OUTPUTS), 1);
  FINE(vlm_runner_port(runner, NULL, VLM_SIDE_INPUTS, 0, &port, &error));
  assert_string_equal(port.name, "x");
  assert_true(port.type == VLM_TYPE_FLOAT32 && port.rank >= 2 && port.dims[0] == -1 &&
              port.dims[port.rank - 1] == 2);
  assert_string_equal(vlm_type_name(port.type), "float32");
  vlm_runner_free(runner);
}

static void test_wrong_shape(void **state) {
  vlm_runner *runner;
  vlm_array array = input(), out = vlm_array_init();
  (void)state;
  FINE(vlm_runner_open(&runner, GEMM, NULL, &error));
  array.dims[0] = 4;
  array.dims[1] = 128;
  FINE(vlm_runner_set(runner, NULL, &array, &error));
  FAILS(VLM_INPUT, vlm_runner_run(runner, NULL, &error));
  FAILS(VLM_USAGE, vlm_runner_get(runner, NULL, NULL, &out, &error));
  check_runs(runner);
  vlm_runner_free(runner);
}

/* The vision encoder alone, for whoever wants features. */
static void test_graph_of_pipeline(void **state) {
  vlm_runner *runner;
  vlm_file file;
  vlm_prepared *prepared;
  vlm_reply *reply;
  vlm_array pixels = vlm_array_init(), features = vlm_array_init();
  vlm_port port = vlm_port_init();
  const vlm_picture picture = screen(&file);
  (void)state;
  FINE(vlm_runner_open(&runner, CAPTIONER, NULL, &error));
  FINE(vlm_runner_prepare(&prepared, runner, &picture, &error));
  FINE(vlm_prepared_array(prepared, &pixels, &error));
  FINE(vlm_runner_set(runner, "vision", &pixels, &error));
  FINE(vlm_runner_run(runner, "vision", &error));
  FINE(vlm_runner_port(runner, "vision", VLM_SIDE_OUTPUTS, 0, &port, &error));
  FINE(vlm_runner_get(runner, "vision", port.name, &features, &error));
  assert_true(features.type == VLM_TYPE_FLOAT32 && features.rank == 3 && features.bytes > 0);
  FINE(vlm_runner_generate(&reply, runner, prepared, NULL, NULL, &error)); /* which uses the same session */
  assert_string_equal(vlm_reply_text(reply), CAPTION);
  vlm_reply_free(reply);
  vlm_prepared_free(prepared);
  vlm_runner_free(runner);
  vlm_file_unmap(&file);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_packed),
      cmocka_unit_test(test_onnx_memory),
      cmocka_unit_test(test_ports),
      cmocka_unit_test(test_wrong_shape),
      cmocka_unit_test(test_graph_of_pipeline),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
