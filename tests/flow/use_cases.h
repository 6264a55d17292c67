/* The captioner, two of its images, and the programs of this build, for tests that compare both. Include cmocka.h
 * before. */
#ifndef VLM_TESTS_FLOW_USE_CASES_H
#define VLM_TESTS_FLOW_USE_CASES_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "flow/calibrate.h"
#include "flow/data.h"
#include "flow/open.h"
#include "flow/quantize.h"
#include "runtime/base/file.h"
#include "runtime/base/memory.h"
#include "tests/fine.h"

#define BUNDLE VLMQ_SOURCE_DIR "/datasets/captioner/bundle"
#define CALIBRATION VLMQ_SOURCE_DIR "/datasets/screens/calibration"

enum { SAMPLES = 2, LEVEL = 3 };
/* As the program tells them in the file. */
#define OPTIONS "--level 3"

/* A folder of its own, entered. */
static inline void enter_new_folder(void) {
  char folder[] = "/tmp/vlm-flow-XXXXXX";
  assert_non_null(mkdtemp(folder));
  assert_int_equal(chdir(folder), 0);
}

static inline void leave_folder(void) {
  char folder[512], command[600];
  assert_non_null(getcwd(folder, sizeof folder));
  assert_non_null(strstr(folder, "/vlm-flow-"));
  snprintf(command, sizeof command, "rm -rf '%s'", folder);
  assert_int_equal(chdir("/"), 0);
  assert_int_equal(system(command), 0);
}

/* Files in the current folder. */
static inline int files_here(void) {
  int n = 0;
  FILE *list = popen("ls -A | wc -l", "r");
  assert_non_null(list);
  assert_int_equal(fscanf(list, "%d", &n), 1);
  pclose(list);
  return n;
}

/* Runs a program that lies beside the folder of this test: "vlm-run ...". */
static inline void run_program(const char *arguments) {
  char self[512] = "", command[4096];
  ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
  assert_true(n > 0);
  *strrchr(self, '/') = 0; /* the test */
  *strrchr(self, '/') = 0; /* its folder */
  snprintf(command, sizeof command, "'%s'/%s >out.txt 2>err.txt", self, arguments);
  if (system(command) != 0) fail_msg("%s: see err.txt", command);
}

static inline void assert_same_file(const char *a, const char *b) {
  vlm_file x, y;
  FINE(vlm_file_map(&x, a, &error));
  FINE(vlm_file_map(&y, b, &error));
  assert_true(x.bytes > 0);
  assert_int_equal(x.bytes, y.bytes);
  assert_memory_equal(x.data, y.data, x.bytes);
  vlm_file_unmap(&x);
  vlm_file_unmap(&y);
}

typedef struct use {
  vlm_context *context;
  vlm_bundle *bundle;
  vlm_dataset *set;
} use;

static inline void begin(use *u, bool lower) {
  static const char *const PATHS[] = {CALIBRATION};
  const vlm_flow_open_opts open = {.lower = lower};
  const vlm_flow_data_opts data = {.paths = PATHS, .n_paths = 1, .limit = SAMPLES};
  FINE(vlm_context_create(&u->context, NULL, &error));
  FINE(vlm_flow_open(&u->bundle, BUNDLE, &open, &error));
  FINE(vlm_flow_data(&u->set, u->bundle, &data, &error));
}

static inline void finish(use *u) {
  vlm_dataset_free(u->set);
  vlm_bundle_free(u->bundle);
  vlm_context_free(u->context);
}

/* Statistics of the two images in `path`. */
static inline void make_statistics(const char *path) {
  use u;
  vlm_stats *stats;
  vlm_calibrate_report report;
  const vlm_flow_calibrate_opts opts = {.output = path};
  begin(&u, false);
  FINE(vlm_flow_statistics(&stats, u.bundle, NULL, NULL, &error));
  FINE(vlm_flow_calibrate(stats, u.context, u.bundle, u.set, &opts, &report, &error));
  assert_int_equal(report.samples, SAMPLES);
  vlm_stats_free(stats);
  finish(&u);
}

static inline void make_pack(const char *path, const char *statistics) {
  use u;
  vlm_quantization *q;
  const vlm_flow_quantize_opts opts = {.calib = statistics, .pack = {.level = LEVEL}, .options = OPTIONS};
  begin(&u, false);
  FINE(vlm_flow_quantize_plan(&q, u.context, u.bundle, &opts, &error));
  FINE(vlm_flow_quantize_apply(q, &error));
  FINE(vlm_flow_quantize_write(q, path, &error));
  assert_true(vlm_quantization_result(q)->bytes > 0);
  assert_int_equal(vlm_quantization_result(q)->no_golden.status, VLM_OK);
  vlm_quantization_free(q);
  finish(&u);
}

/* Cancels after some units of work. */
typedef struct patience {
  int64_t units, seen, asked;
} patience;

static inline void count_unit(void *user, int64_t done, int64_t total) {
  patience *p = user;
  assert_true(done <= total);
  p->seen++;
}
static inline bool is_over(void *user) {
  const patience *p = user;
  return p->seen >= p->units;
}
static inline vlm_watch watch_with(patience *p) {
  return (vlm_watch){.progress = count_unit, .cancelled = is_over, .user = p};
}

#endif
