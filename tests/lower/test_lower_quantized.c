/* Models quantized elsewhere (tests/oracles/make_quantized.py) against ONNX Runtime: within one step of the
 * output's scale, at every CPU level, and every product and convolution runs in integers. */
#include <dirent.h>

#include "onnx/import.h"
#include "runtime/base/cpu.h"
#include "tests/lower/lower_graph.h"

#define FOLDER VLMQ_SOURCE_DIR "/tests/lower/data/quantized"

typedef struct {
  const char *name;
  float step; /* 0 = the output is float */
  int integers;
  vlm_tensor x, want;
  void *storage[2];
} sample;

static void read_tensor(vlm_tensor *t, void **storage, const char *name, const char *file) {
  char path[512];
  snprintf(path, sizeof path, FOLDER "/%s/test_data_set_0/%s", name, file);
  FINE(vlm_onnx_read_tensor(t, storage, path, &error));
}

static void open_sample(sample *s, const char *name) {
  char path[512];
  *s = (sample){.name = name};
  snprintf(path, sizeof path, FOLDER "/%s/case.txt", name);
  FILE *f = fopen(path, "r");
  assert_non_null(f);
  assert_int_equal(fscanf(f, "%f %d", &s->step, &s->integers), 2);
  fclose(f);
  read_tensor(&s->x, &s->storage[0], name, "input_0.pb");
  read_tensor(&s->want, &s->storage[1], name, "output_0.pb");
}

static vlm_graph *import(const char *name) {
  char path[512];
  vlm_graph *g;
  snprintf(path, sizeof path, FOLDER "/%s/model.onnx", name);
  FINE(vlm_onnx_import(&g, path, NULL, &error));
  return g;
}

static void expect_within(const sample *s, const vlm_tensor *got, const char *level) {
  const float *want = s->want.data, *values = got->data;
  float most = 0;
  assert_true(vlm_tensor_same_shape(got, &s->want));
  for (int64_t i = 0; i < vlm_tensor_count(got); i++) most = fabsf(want[i]) > most ? fabsf(want[i]) : most;
  float allowed = s->step > 0 ? 1.01f * s->step : 1e-5f * most;
  for (int64_t i = 0; i < vlm_tensor_count(got); i++)
    if (!(fabsf(values[i] - want[i]) <= allowed))
      fail_msg("%s at %s: element %d is %.7g, wanted %.7g (step %.3g)", s->name, level, (int)i,
               (double)values[i], (double)want[i], (double)s->step);
}

static void run_levels(const sample *s, const vlm_graph *g) {
  float values[MAX_ELEMENTS], first[MAX_ELEMENTS];
  bool any = false;
  for (int level = 0; level < VLM_CPU_COUNT; level++) {
    if (!(vlm_cpu_detect() >> level & 1)) continue;
    const char *name = vlm_cpu_name((vlm_cpu_level)level);
    vlm_tensor got = run_graph_at(g, &s->x, 1, values, name);
    expect_within(s, &got, name);
    if (any && memcmp(values, first, vlm_tensor_bytes(&got)))
      fail_msg("%s: %s gives other bits", s->name, name);
    memcpy(first, values, sizeof first);
    any = true;
  }
}

static void check(const char *name) {
  sample s;
  vlm_lower_report report = {0};
  vlm_graph *g = import(name);
  open_sample(&s, name);
  FINE(vlm_graph_lower(g, &report, &error));
  run_levels(&s, g);
  int integers = vlm_lower_report_forms(&report, VLM_FORM_STATIC) +
                 vlm_lower_report_forms(&report, VLM_FORM_ROW) +
                 vlm_lower_report_forms(&report, VLM_FORM_IMAGE);
  print_message(
      "%s: %d in integers; %d QConv, %d QMatMul, %d DequantizeLinear, %d QuantizeLinear, %d nodes\n", name,
      integers, count_ops(g, "vlm", "QConv"), count_ops(g, "vlm", "QMatMul"),
      count_ops(g, "", "DequantizeLinear"), count_ops(g, "", "QuantizeLinear"), g->n_nodes);
  if (getenv("SHOW"))
    for (int32_t i = 0; i < g->n_nodes; i++)
      print_message("   %s.%s %s <- %s %s\n", g->nodes[i].domain, g->nodes[i].op_type, g->nodes[i].name,
                    g->values[g->nodes[i].inputs[0]].name,
                    g->nodes[i].n_inputs > 1 ? g->values[g->nodes[i].inputs[1]].name : "");
  if (integers != s.integers) fail_msg("%s: %d operators in integers, wanted %d", name, integers, s.integers);
  for (int32_t i = 0; i < g->n_values; i++) {
    const vlm_tensor *t = &g->values[i].tensor;
    bool floats = g->values[i].kind == VLM_VALUE_CONSTANT && t->dtype == VLM_F32 && t->rank >= 2 &&
                  vlm_tensor_count(t) > 64;
    if (floats) fail_msg("%s: float weights are left", name);
  }
  vlm_lower_report_free(&report);
  vlm_graph_free(g);
  vlm_free(s.storage[0]);
  vlm_free(s.storage[1]);
}

static void every_model(void **state) {
  DIR *folder = opendir(FOLDER);
  struct dirent *entry;
  int cases = 0;
  (void)state;
  assert_non_null(folder);
  while ((entry = readdir(folder)) != NULL) {
    if (entry->d_name[0] == '.') continue;
    check(entry->d_name);
    cases++;
  }
  closedir(folder);
  assert_true(cases >= 15);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(every_model)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
