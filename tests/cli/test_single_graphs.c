/* Single graphs end to end: test vectors -> .npy samples -> statistics -> plan -> QDQ graph -> packed file -> lowered graph -> figures.
 * Every second sample calibrates, all are scored. Trained models lie beside the checkout; without
 * them their tests are skipped. The one with random weights is a fixture. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "calib/calibrate.h"
#include "calib/npy.h"
#include "eval/graph_eval.h"
#include "onnx/bundle.h"
#include "pack/pack.h"
#include "quant/plan.h"
#include "runtime/base/file.h"
#include "runtime/base/unconst.h"
#include "runtime/lower/lower.h"
#include "tests/fine.h"

#define MODELS "../shared/data/models/"
#define REDUCED "tests/cli/data/architectures/"

enum { MAX_INPUTS = 4, MAX_SETS = 16, CALIBRATE_EVERY = 2 };

typedef struct {
  const char *folder; /* below the source folder */
  const char *what;
  double min_db;        /* of every output */
  double min_agreement; /* percent of rows with the same largest value */
  int32_t min_int8;     /* integer operators after lowering, of both kinds */
} model_case;

/* Reached when written: 26.0, 44.9, 53.8, 20.7, 22.5, 23.7 dB. */
static const model_case CASES[] = {
    {MODELS "ch_PP-OCRv2_det_infer", "text detection", 23, 0, 32},
    {MODELS "ch_ppocr_mobile_v2.0_cls_infer", "orientation", 40, 100, 20},
    {MODELS "ultraface-rfb320", "face detection", 50, 99.9, 24},
    {MODELS "magika-standard_v3_3", "file type", 20, 90, 3},
    {MODELS "silero_vad_16k_op15", "voice activity", 20, 0, 4},
    {REDUCED "bert_base/model", "text encoder", 20, 0, 8},
};

typedef struct {
  const model_case *model;
  char folder[64]; /* temporary */
  vlm_context *context;
  vlm_bundle *reference, *candidate;
  vlm_dataset *all, *some;
  vlm_stats *stats;
  int32_t sets;
} job;

/* ---- samples ---- */

/* input K of set S as FOLDER/SS/NAME.npy; false when there is no such file. */
static bool write_input(const job *j, int set, int k, const vlm_graph *graph) {
  char path[512];
  vlm_tensor t;
  void *storage;
  snprintf(path, sizeof path, VLMQ_SOURCE_DIR "/%s/test_data_set_%d/input_%d.pb", j->model->folder, set, k);
  if (access(path, R_OK) != 0) return false;
  FINE(vlm_onnx_read_tensor(&t, &storage, path, &error));
  snprintf(path, sizeof path, "%s/%02d/%s.npy", j->folder, set, graph->values[graph->inputs[k]].name);
  FINE(vlm_npy_write(&t, path, &error));
  vlm_free(storage);
  return true;
}

static void write_samples(job *j) {
  const vlm_graph *graph = j->reference->graphs[VLM_ROLE_MODEL];
  assert_true(graph->n_inputs <= MAX_INPUTS);
  for (j->sets = 0; j->sets < MAX_SETS; j->sets++) {
    char path[512];
    snprintf(path, sizeof path, "%s/%02d", j->folder, j->sets);
    assert_int_equal(mkdir(path, 0777), 0);
    if (!write_input(j, j->sets, 0, graph)) {
      assert_int_equal(rmdir(path), 0);
      break;
    }
    for (int k = 1; k < graph->n_inputs; k++) assert_true(write_input(j, j->sets, k, graph));
  }
  const char *const folders[] = {j->folder};
  const vlm_dataset_opts part = {.shards = CALIBRATE_EVERY};
  FINE(vlm_dataset_open_inputs(&j->all, folders, 1, NULL, &error));
  FINE(vlm_dataset_open_inputs(&j->some, folders, 1, &part, &error));
  assert_int_equal(vlm_dataset_count(j->all), j->sets);
  assert_in_range(vlm_dataset_count(j->some), 1, vlm_dataset_count(j->all) - 1);
}

static void remove_samples(const job *j) {
  const vlm_graph *graph = j->reference->graphs[VLM_ROLE_MODEL];
  char path[512];
  for (int s = 0; s < j->sets; s++) {
    for (int k = 0; k < graph->n_inputs; k++) {
      snprintf(path, sizeof path, "%s/%02d/%s.npy", j->folder, s, graph->values[graph->inputs[k]].name);
      unlink(path);
    }
    snprintf(path, sizeof path, "%s/%02d", j->folder, s);
    rmdir(path);
  }
  rmdir(j->folder);
}

/* ---- the chain ---- */

static void open_model(vlm_bundle **out, const model_case *model) {
  char path[512];
  snprintf(path, sizeof path, VLMQ_SOURCE_DIR "/%s/model.onnx", model->folder);
  FINE(vlm_bundle_open(out, path, NULL, &error));
  assert_int_equal((*out)->family, VLM_FAMILY_GRAPH);
}

static void collect_statistics(job *j) {
  const vlm_calibrate_opts opts = {0};
  vlm_calibrate_report report;
  vlm_digest digest;
  FINE(vlm_bundle_digest(&digest, j->reference, &error));
  FINE(vlm_stats_create(&j->stats, digest, "", &error));
  FINE(vlm_calibrate(j->stats, j->context, j->reference, j->some, &opts, &report, &error));
  assert_int_equal(report.samples, vlm_dataset_count(j->some));
}

/* The worst of the nodes that are quantized, to see at a glance where the error comes from. */
static void print_worst(const vlm_quant_plan *plan) {
  const vlm_node_plan *worst = NULL;
  for (int32_t i = 0; i < plan->count; i++) {
    const vlm_node_plan *n = &plan->nodes[i];
    if (n->decision != VLM_DECIDE_FLOAT && (!worst || n->local_db < worst->local_db)) worst = n;
  }
  if (worst) print_message("  worst node %.1f dB: %s (%s)\n", worst->local_db, worst->node, worst->op_type);
}

/* Plan, QDQ form, packed file, and the file opened again and lowered. */
static void quantize(job *j) {
  const vlm_quant_opts opts = {0};
  vlm_bundle *work;
  vlm_quant_plan *plan;
  vlm_pack *pack;
  vlm_lower_report counts = {0};
  size_t before, bytes;
  char path[128];
  open_model(&work, j->model);
  FINE(vlm_bundle_weight_bytes(&before, work, &error));
  const vlm_quant_graph graph = {vlm_role_name(VLM_ROLE_MODEL), work->graphs[VLM_ROLE_MODEL]};
  FINE(vlm_quant_plan_make(&plan, &graph, 1, j->stats, &opts, &error));
  FINE(vlm_quant_apply(&graph, plan, j->stats, &opts, &error));
  snprintf(path, sizeof path, "%s.vlmq", j->folder);
  FINE(vlm_pack_write(path, &(vlm_pack_content){.bundle = work}, NULL, &bytes, &error));
  FINE(vlm_pack_open(&pack, path, &(vlm_pack_open_opts){.lazy = true}, &error));
  FINE(vlm_pack_bundle(&j->candidate, pack, &error));
  FINE(vlm_graph_lower(j->candidate->graphs[VLM_ROLE_MODEL], &counts, &error));
  int32_t fixed = vlm_lower_report_forms(&counts, VLM_FORM_STATIC),
          at_run_time =
              vlm_lower_report_forms(&counts, VLM_FORM_ROW) + vlm_lower_report_forms(&counts, VLM_FORM_IMAGE);
  print_message("%s: %d static INT8 operators, %d with ranges at run time, %zu of %zu bytes\n",
                j->model->what, fixed, at_run_time, bytes, before);
  print_worst(plan);
  assert_true(fixed + at_run_time >= j->model->min_int8);
  assert_true(bytes < before * 7 / 10);
  vlm_lower_report_free(&counts);
  vlm_pack_close(pack);
  unlink(path);
  vlm_quant_plan_free(plan);
  vlm_bundle_free(work);
}

static void evaluate(job *j) {
  vlm_graph_eval e;
  FINE(vlm_graph_evaluate(&e, j->context, j->reference->graphs[VLM_ROLE_MODEL],
                          j->candidate->graphs[VLM_ROLE_MODEL], j->all, NULL, &error));
  double agreement = e.rows ? 100.0 * (double)e.equal / (double)e.rows : 100, db = vlm_graph_eval_min_db(&e);
  print_message("  SQNR %.1f dB (worst output), top-1 agreement %.2f %% of %lld rows, %lld samples\n", db,
                agreement, (long long)e.rows, (long long)e.samples);
  assert_int_equal(e.samples, j->sets);
  assert_true(db >= j->model->min_db);
  assert_true(db < 100); /* it is quantized */
  assert_true(agreement >= j->model->min_agreement);
  vlm_graph_eval_free(&e);
}

static void run_case(void **state) {
  job j = {.model = *state, .folder = "/tmp/vlmq-graphs-XXXXXX"};
  if (strncmp(j.model->folder, MODELS, sizeof MODELS - 1) == 0 &&
      !vlm_file_is_folder(VLMQ_SOURCE_DIR "/" MODELS)) {
    skip();
    return;
  }
  assert_non_null(mkdtemp(j.folder));
  FINE(vlm_context_create(&j.context, NULL, &error));
  open_model(&j.reference, j.model);
  write_samples(&j);
  collect_statistics(&j);
  quantize(&j);
  evaluate(&j);
  remove_samples(&j);
  vlm_stats_free(j.stats);
  vlm_dataset_free(j.all);
  vlm_dataset_free(j.some);
  vlm_bundle_free(j.candidate);
  vlm_bundle_free(j.reference);
  vlm_context_free(j.context);
}

int main(void) {
  struct CMUnitTest tests[sizeof CASES / sizeof CASES[0]];
  for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++)
    tests[i] = (struct CMUnitTest){
        .name = CASES[i].what, .test_func = run_case, .initial_state = vlm_unconst(&CASES[i])};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
