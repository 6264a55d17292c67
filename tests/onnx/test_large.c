/* A model of 2.68 GB: its weights are mapped, never read as a whole, and places behind 2 GiB are found. The weights are a sparse file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <unistd.h>

#include <cmocka.h>

#include "onnx/import.h"
#include "runtime/exec/session.h"
#include "tests/fine.h"

enum { ROWS = 655360, WIDTH = 1024 };
#define PRIVATE_LIMIT (100 << 20)

/* Memory of this process that no file backs, in bytes. */
static int64_t private_bytes(void) {
  char line[256];
  long long kib = -1;
  FILE *file = fopen("/proc/self/status", "r");
  assert_non_null(file);
  while (kib < 0 && fgets(line, sizeof line, file)) sscanf(line, "RssAnon: %lld", &kib);
  fclose(file);
  assert_true(kib >= 0);
  return kib * 1024;
}

static void put(int fd, int64_t element, float value) {
  assert_int_equal(pwrite(fd, &value, sizeof value, element * (off_t)sizeof value), sizeof value);
}

/* A folder with the graph and its weights: zeros but for the last number of two rows, and 1, 2, 3, 4 at the end. */
static void make_model(char *folder) {
  char path[512], copy[1024];
  assert_non_null(mkdtemp(folder));
  snprintf(copy, sizeof copy, "cp '%s/tests/onnx/data/large.onnx' '%s/'", VLMQ_SOURCE_DIR, folder);
  assert_int_equal(system(copy), 0);
  snprintf(path, sizeof path, "%s/large.bin", folder);
  int fd = open(path, O_RDWR | O_CREAT, 0600);
  assert_true(fd >= 0);
  put(fd, (int64_t)1 * WIDTH - 1, 5);
  put(fd, (int64_t)ROWS * WIDTH - 1, 6);
  for (int k = 0; k < 4; k++) put(fd, (int64_t)ROWS * WIDTH + k, (float)(k + 1));
  close(fd);
}

static void remove_model(const char *folder) {
  char path[512];
  snprintf(path, sizeof path, "%s/large.bin", folder);
  unlink(path);
  snprintf(path, sizeof path, "%s/large.onnx", folder);
  unlink(path);
  rmdir(folder);
}

static void check_outputs(const vlm_session *session) {
  const vlm_tensor *picked = vlm_session_output(session, 0), *behind = vlm_session_output(session, 1);
  assert_int_equal(vlm_tensor_count(picked), 2 * WIDTH);
  for (int k = 0; k < 2 * WIDTH; k++)
    assert_float_equal(vlm_tensor_get(picked, k), k == WIDTH - 1 ? 5 : k == 2 * WIDTH - 1 ? 6 : 0, 0);
  for (int k = 0; k < 4; k++) assert_float_equal(vlm_tensor_get(behind, k), -(k + 1), 0);
}

static void weights_are_mapped(void **state) {
  char folder[] = "/tmp/vlmq-large-XXXXXX", path[512];
  int64_t rows[2] = {0, ROWS - 1};
  vlm_graph *graph;
  vlm_context *context;
  vlm_session *session;
  const vlm_tensor input = vlm_tensor_make(VLM_S64, 1, (int64_t[]){2}, rows);
  (void)state;
  make_model(folder);
  int64_t before = private_bytes();
  snprintf(path, sizeof path, "%s/large.onnx", folder);
  FINE(vlm_onnx_import(&graph, path, NULL, &error));
  print_message("%.1f MiB private after the import\n", (double)(private_bytes() - before) / (1 << 20));
  assert_true(private_bytes() - before < PRIVATE_LIMIT);
  FINE(vlm_context_create(&context, NULL, &error));
  FINE(vlm_session_create(&session, context, graph, NULL, &error));
  FINE(vlm_session_run(session, &input, 1, &error));
  check_outputs(session);
  print_message("%.1f MiB private after a run that picks two rows\n",
                (double)(private_bytes() - before) / (1 << 20));
  assert_true(private_bytes() - before < PRIVATE_LIMIT);
  vlm_session_free(session);
  vlm_context_free(context);
  vlm_graph_free(graph);
  remove_model(folder);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(weights_are_mapped)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
