/* Graphs with more inputs than any array on the stack would hold: data sets, calibration, comparison. */
#include <unistd.h>

#include "calib/calibrate.h"
#include "calib/npy.h"
#include "eval/graph_eval.h"
#include "runtime/base/file.h"
#include "runtime/base/memory.h"
#include "tests/exec/graph_program.h"

enum { MANY = 300 };

static char folder[] = "/tmp/test_many_inputs_XXXXXX";

/* y = (x0 + x1 + ...) W. */
static vlm_graph *sum_of_many(void) {
  char *text = NULL;
  size_t bytes;
  FILE *f = open_memstream(&text, &bytes);
  for (int i = 0; i < MANY; i++) fprintf(f, "in x%d float32 2,4\n", i);
  fprintf(f, "const w float32 4,4 rand 1\nIdentity x0 -> s0\n");
  for (int i = 1; i < MANY; i++) fprintf(f, "Add s%d x%d -> s%d\n", i - 1, i, i);
  fprintf(f, "MatMul s%d w -> y\nout y\n", MANY - 1);
  fclose(f);
  vlm_graph *g = graph_of(text);
  free(text);
  return g;
}

static int write_arrays(void **state) {
  (void)state;
  if (!mkdtemp(folder)) return 1;
  for (int i = 0; i < MANY; i++) {
    char path[128];
    float x[8];
    for (int k = 0; k < 8; k++) x[k] = (float)(i + k);
    const vlm_tensor t = vlm_tensor_make(VLM_F32, 2, (int64_t[]){2, 4}, x);
    snprintf(path, sizeof path, "%s/x%d.npy", folder, i);
    if (vlm_npy_write(&t, path, &error) != VLM_OK) return 1;
  }
  return 0;
}

static int remove_arrays(void **state) {
  (void)state;
  for (int i = 0; i < MANY; i++) {
    char path[128];
    snprintf(path, sizeof path, "%s/x%d.npy", folder, i);
    unlink(path);
  }
  return rmdir(folder);
}

static vlm_dataset *open_set(const vlm_graph *g) {
  static vlm_dataset_input names[MANY];
  vlm_dataset *set;
  const char *path = folder;
  for (int i = 0; i < MANY; i++)
    names[i] = (vlm_dataset_input){.name = g->values[g->inputs[i]].name, .rank = 2};
  FINE(vlm_dataset_open_inputs(&set, &path, 1, &(vlm_dataset_opts){.inputs = names, .input_count = MANY},
                               &error));
  assert_int_equal(vlm_dataset_count(set), 1);
  return set;
}

static void test_comparison(void **state) {
  (void)state;
  vlm_graph *a = sum_of_many(), *b = sum_of_many();
  vlm_dataset *set = open_set(a);
  vlm_context *context;
  vlm_graph_eval e;
  FINE(vlm_context_create(&context, &(vlm_context_opts){.threads = 1}, &error));
  FINE(vlm_graph_evaluate(&e, context, a, b, set, NULL, &error));
  assert_int_equal(e.samples, 1);
  assert_int_equal(e.rows, e.equal);
  assert_true(vlm_graph_eval_min_db(&e) > 100);
  vlm_graph_eval_free(&e);
  vlm_context_free(context);
  vlm_dataset_free(set);
  vlm_graph_free(a);
  vlm_graph_free(b);
}

static void test_calibration(void **state) {
  (void)state;
  vlm_bundle *bundle;
  vlm_stats *stats;
  vlm_context *context;
  vlm_calibrate_report report;
  FINE(vlm_bundle_create(&bundle, "many", &error));
  bundle->family = VLM_FAMILY_GRAPH;
  bundle->graphs[VLM_ROLE_MODEL] = sum_of_many();
  vlm_dataset *set = open_set(bundle->graphs[VLM_ROLE_MODEL]);
  FINE(vlm_context_create(&context, &(vlm_context_opts){.threads = 1}, &error));
  FINE(vlm_stats_create(&stats, (vlm_digest){0}, "", &error));
  FINE(vlm_calibrate(stats, context, bundle, set, &(vlm_calibrate_opts){0}, &report, &error));
  const vlm_tensor_stats *t = vlm_stats_find(stats, "model", "s299");
  assert_non_null(t);
  assert_true(t->min == MANY * (MANY - 1) / 2 && t->max == MANY * (MANY - 1) / 2 + 7 * MANY);
  vlm_stats_free(stats);
  vlm_context_free(context);
  vlm_dataset_free(set);
  vlm_bundle_free(bundle);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_comparison), cmocka_unit_test(test_calibration)};
  return cmocka_run_group_tests(tests, write_arrays, remove_arrays);
}
