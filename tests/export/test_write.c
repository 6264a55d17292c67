/* What is written is what was read. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "export/write.h"
#include "onnx/import.h"
#include "runtime/base/file.h"
#include "tests/export/same_graph.h"
#include "tests/fine.h"

static const vlm_onnx_opts AS_WRITTEN = {.keep_as_written = true};

static char folder[] = "/tmp/vlmq-write-XXXXXX";

static int make_folder(void **state) {
  (void)state;
  return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state) {
  char path[300];
  (void)state;
  static const char *const NAMES[] = {"a.onnx", "a.onnx_data", "b.onnx", "b.onnx_data"};
  for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
    snprintf(path, sizeof path, "%s/%s", folder, NAMES[i]);
    unlink(path);
  }
  return rmdir(folder);
}

static const char *in_folder(char *path, size_t size, const char *name) {
  snprintf(path, size, "%s/%s", folder, name);
  return path;
}

/* Writes what the file holds, reads it again and compares. */
static void round_trip(const char *path, const vlm_onnx_write_opts *opts) {
  char a[300], text[300];
  vlm_graph *was = NULL, *is = NULL;
  size_t bytes = 0;
  if (vlm_onnx_import(&was, path, &AS_WRITTEN, &error) != VLM_OK) return; /* a file that is wrong */
  FINE(vlm_onnx_write(&bytes, in_folder(a, sizeof a, "a.onnx"), was, opts, &error));
  assert_true(bytes > 0);
  if (vlm_onnx_import(&is, a, &AS_WRITTEN, &error) != VLM_OK) fail_msg("%s: %s", path, error.text);
  if (*same_graph(text, sizeof text, was, is)) fail_msg("%s: %s", path, text);
  vlm_graph_free(was);
  vlm_graph_free(is);
}

static void every_model_comes_back(void **state) {
  static const char DATA[] = VLMQ_SOURCE_DIR "/tests/onnx/data";
  int seen = 0;
  (void)state;
  DIR *dir = opendir(DATA);
  assert_non_null(dir);
  for (const struct dirent *e; (e = readdir(dir)) != NULL;) {
    char path[600];
    size_t n = strlen(e->d_name);
    if (n < 5 || strcmp(e->d_name + n - 5, ".onnx") != 0) continue;
    snprintf(path, sizeof path, "%s/%s", DATA, e->d_name);
    round_trip(path, NULL);
    seen++;
  }
  closedir(dir);
  assert_true(seen > 20);
}

static const char MERGED[] = VLMQ_SOURCE_DIR "/datasets/captioner/bundle/decoder_model_merged.onnx";

static void branches_and_data_beside_the_file(void **state) {
  (void)state;
  round_trip(MERGED, NULL);
  round_trip(MERGED, &(vlm_onnx_write_opts){.inline_most = 1});
  char data[300];
  assert_true(vlm_file_is_regular(in_folder(data, sizeof data, "a.onnx_data"), NULL));
}

static void same_file(const char *a, const char *b) {
  vlm_file left = {0}, right = {0};
  FINE(vlm_file_map(&left, a, &error));
  FINE(vlm_file_map(&right, b, &error));
  assert_int_equal(left.bytes, right.bytes);
  assert_memory_equal(left.data, right.data, left.bytes);
  vlm_file_unmap(&left);
  vlm_file_unmap(&right);
}

static void same_graph_same_bytes(void **state) {
  char a[300], b[300];
  vlm_graph *first = NULL, *second = NULL;
  (void)state;
  FINE(vlm_onnx_import(&first, MERGED, &AS_WRITTEN, &error));
  FINE(vlm_onnx_import(&second, MERGED, &AS_WRITTEN, &error));
  FINE(vlm_onnx_write(NULL, in_folder(a, sizeof a, "a.onnx"), first, NULL, &error));
  FINE(vlm_onnx_write(NULL, in_folder(b, sizeof b, "b.onnx"), second, NULL, &error));
  same_file(a, b);
  vlm_graph_free(first);
  vlm_graph_free(second);
}

static void a_full_name_is_told(void **state) {
  vlm_graph *graph = NULL;
  (void)state;
  FINE(vlm_onnx_import(&graph, MERGED, &AS_WRITTEN, &error));
  FAILS(VLM_IO, vlm_onnx_write(NULL, "/nowhere/at/all.onnx", graph, NULL, &error));
  assert_non_null(strstr(error.text, "/nowhere/at/all.onnx"));
  vlm_graph_free(graph);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_model_comes_back), cmocka_unit_test(branches_and_data_beside_the_file),
      cmocka_unit_test(same_graph_same_bytes), cmocka_unit_test(a_full_name_is_told)};
  return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
