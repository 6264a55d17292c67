/* Plan = run for every model of the test tree: planned by every recipe, packed, opened again and lowered;
 * what was lowered is what was planned, and what the coverage calls float is what the file holds in float.
 * Statistics are made up, so that every activation has a range. */
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
#include <dirent.h>

#include "calib/accumulate.h"
#include "calib/taps.h"
#include "onnx/bundle.h"
#include "pack/pack.h"
#include "quant/compare.h"
#include "quant/coverage.h"
#include "runtime/base/file.h"
#include "runtime/graph/bodies.h"
#include "tests/fine.h"

enum { PATH = 1024, LARGEST = 64 << 20 };

typedef struct {
  const char *folder; /* below the source folder */
  int least;          /* models that must be found; 0 = the folder may be missing */
} model_tree;

static const model_tree TREES[] = {
    {"tests/onnx/data", 30},      {"tests/cli/data", 200}, {"datasets/captioner/bundle", 1},
    {"../shared/data/models", 0}, {"../shared/cases", 0},
};

static const vlm_quant_opts RECIPES[] = {
    {.activations = VLM_ACTIVATIONS_AUTO, .no_weight_search = true},
    {.activations = VLM_ACTIVATIONS_STATIC, .no_weight_search = true},
    {.activations = VLM_ACTIVATIONS_DYNAMIC, .no_weight_search = true},
    {.activations = VLM_ACTIVATIONS_NONE, .no_weight_search = true},
    {.everything = true, .no_weight_search = true, .per_tensor_weights = true},
};

typedef struct {
  int opened, weights;
} tally;

/* ---- statistics without a run ---- */

static vlm_status add_range(vlm_stats *stats, const vlm_tap_place *place, const char *name) {
  static float values[] = {-3, -1, -0.25f, 0, 0.5f, 1, 2};
  const vlm_tensor t = vlm_tensor_make(VLM_F32, 1, (int64_t[]){7}, values);
  const vlm_token_layout layout = {.rest = VLM_TOKEN_GENERATED};
  vlm_tensor_stats *entry;
  vlm_status st = vlm_stats_entry(&entry, stats, place->path, name, &error);
  return st == VLM_OK ? vlm_accumulate(entry, &t, &layout, (vlm_digest){1, 1}, NULL, &error) : st;
}

static vlm_stats *make_stats(const vlm_bundle *bundle) {
  vlm_stats *stats;
  vlm_taps *taps;
  vlm_arena *arena;
  FINE(vlm_stats_create(&stats, (vlm_digest){0, 0}, "", &error));
  FINE(vlm_taps_make(&taps, bundle, false, &error));
  FINE(vlm_arena_create(&arena, &error));
  for (int r = 0; r < VLM_ROLE_COUNT; r++) {
    vlm_body_list bodies;
    if (!bundle->graphs[r]) continue;
    FINE(vlm_bodies_make(&bodies, bundle->graphs[r], vlm_role_name((vlm_role)r), arena, &error));
    for (int32_t b = 0; b < bodies.count; b++)
      for (vlm_value_id v = 0; v < bodies.items[b].graph->n_values; v++)
        if (vlm_taps_wants(taps, bodies.items[b].graph, v))
          FINE(add_range(stats, vlm_taps_find(taps, bodies.items[b].graph, v),
                         bodies.items[b].graph->values[v].name));
    vlm_bodies_free(&bodies);
  }
  vlm_arena_free(arena);
  vlm_taps_free(taps);
  return stats;
}

/* ---- one model ---- */

static int32_t graphs_of(vlm_quant_graph *out, const vlm_bundle *b) {
  int32_t n = 0;
  for (int r = 0; r < VLM_ROLE_COUNT; r++)
    if (vlm_bundle_graph_once(b, r)) out[n++] = (vlm_quant_graph){vlm_role_name((vlm_role)r), b->graphs[r]};
  return n;
}

static bool is_constant(const vlm_bundle *b, const vlm_left_float *left) {
  bool found = false;
  vlm_arena *arena;
  FINE(vlm_arena_create(&arena, &error));
  for (int r = 0; r < VLM_ROLE_COUNT && !found; r++) {
    vlm_body_list bodies;
    if (!b->graphs[r]) continue;
    FINE(vlm_bodies_make(&bodies, b->graphs[r], vlm_role_name((vlm_role)r), arena, &error));
    for (int32_t i = 0; i < bodies.count; i++) {
      vlm_value_id id = strcmp(bodies.items[i].path, left->graph)
                            ? VLM_NO_VALUE
                            : vlm_graph_find(bodies.items[i].graph, left->value);
      found |= id != VLM_NO_VALUE &&
               (int64_t)vlm_tensor_bytes(&bodies.items[i].graph->values[id].tensor) == left->bytes;
    }
    vlm_bodies_free(&bodies);
  }
  vlm_arena_free(arena);
  return found;
}

/* Packs the quantized bundle and opens the file: in memory where that is a folder, as every file is flushed. */
static vlm_bundle *reopen(const vlm_bundle *b) {
  char path[64];
  vlm_pack *pack;
  vlm_bundle *out;
  const char *folder = access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm";
  snprintf(path, sizeof path, "%s/vlmq-plan-%ld.vlmq", folder, (long)getpid());
  FINE(vlm_pack_write(path, &(vlm_pack_content){.bundle = b}, &(vlm_pack_opts){.codec = VLM_PACK_RAW}, NULL,
                      &error));
  FINE(vlm_pack_open(&pack, path, &(vlm_pack_open_opts){.lazy = true}, &error));
  FINE(vlm_pack_bundle(&out, pack, &error));
  vlm_pack_close(pack);
  unlink(path);
  return out;
}

static void compare(const char *model, int recipe, const vlm_quant_plan *plan, const vlm_bundle *packed) {
  vlm_quant_graph graphs[VLM_ROLE_COUNT];
  vlm_difference_list differences = {0};
  for (int32_t g = 0, n = graphs_of(graphs, packed); g < n; g++) {
    vlm_lower_report report = {0};
    FINE(vlm_graph_lower(graphs[g].graph, &report, &error));
    FINE(vlm_quant_compare(&differences, plan, &graphs[g], &report, &error));
    vlm_lower_report_free(&report);
  }
  if (vlm_differences_fail(&differences, &error) != VLM_OK)
    fail_msg("%s, recipe %d: %s", model, recipe, error.text);
  vlm_differences_free(&differences);
}

static void quantize(const char *model, vlm_bundle *b, int recipe, const vlm_stats *stats, tally *sum) {
  vlm_quant_graph graphs[VLM_ROLE_COUNT];
  vlm_quant_plan *plan;
  vlm_coverage *coverage;
  int32_t n = graphs_of(graphs, b);
  const vlm_quant_opts opts = RECIPES[recipe];
  FINE(vlm_quant_plan_make(&plan, graphs, n, stats, &opts, &error));
  FINE(vlm_coverage_make(&coverage, graphs, n, plan, &error));
  for (int32_t g = 0; g < n; g++)
    if (vlm_quant_apply(&graphs[g], plan, stats, &opts, &error) != VLM_OK)
      fail_msg("%s, recipe %d: %s", model, recipe, error.text);
  for (int32_t i = 0; i < coverage->n_left; i++)
    if (!is_constant(b, &coverage->left[i]))
      fail_msg("%s, recipe %d: %s is not left float", model, recipe, coverage->left[i].value);
  vlm_bundle *packed = reopen(b);
  compare(model, recipe, plan, packed);
  for (int32_t i = 0; i < plan->count; i++) sum->weights += plan->nodes[i].decision != VLM_DECIDE_FLOAT;
  vlm_bundle_free(packed);
  vlm_coverage_free(coverage);
  vlm_quant_plan_free(plan);
}

/* Models that cannot be opened are other tests' matter. */
static void try_model(const char *model, tally *sum) {
  vlm_stats *stats = NULL;
  for (int recipe = 0; recipe < (int)(sizeof RECIPES / sizeof RECIPES[0]); recipe++) {
    vlm_bundle *b;
    if (vlm_bundle_open(&b, model, NULL, &error) != VLM_OK) break;
    if (!stats) stats = make_stats(b);
    quantize(model, b, recipe, stats, sum);
    sum->opened += recipe == 0;
    vlm_bundle_free(b);
  }
  vlm_stats_free(stats);
}

/* ---- the tree ---- */

static bool ends_in(const char *name, const char *suffix) {
  size_t n = strlen(name), m = strlen(suffix);
  return n > m && !strcmp(name + n - m, suffix);
}

/* Each .onnx file as a single graph, and each folder as a bundle where it is one. */
static void walk_tree(const char *folder, tally *sum) {
  char path[PATH];
  DIR *dir = opendir(folder);
  bool models = false;
  if (!dir) return;
  for (struct dirent *e; (e = readdir(dir));) {
    struct stat info;
    snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
    if (e->d_name[0] == '.' || stat(path, &info)) continue;
    if (S_ISDIR(info.st_mode)) walk_tree(path, sum);
    else if (ends_in(e->d_name, ".onnx") && S_ISREG(info.st_mode) && info.st_size < LARGEST) {
      models = true;
      try_model(path, sum);
    }
  }
  closedir(dir);
  snprintf(path, sizeof path, "%s/config.json", folder);
  if (models && !access(path, R_OK)) try_model(folder, sum);
}

static void plan_is_run(void **state) {
  const model_tree *t = *state;
  char path[PATH];
  tally sum = {0};
  snprintf(path, sizeof path, VLMQ_SOURCE_DIR "/%s", t->folder);
  if (!t->least && !vlm_file_is_folder(path)) {
    skip();
    return;
  }
  walk_tree(path, &sum);
  print_message("%s: %d models, %d weights quantized\n", t->folder, sum.opened, sum.weights);
  assert_true(sum.opened >= t->least);
}

int main(void) {
  struct CMUnitTest tests[sizeof TREES / sizeof TREES[0]];
  for (size_t i = 0; i < sizeof TREES / sizeof TREES[0]; i++)
    tests[i] = (struct CMUnitTest){
        .name = TREES[i].folder, .test_func = plan_is_run, .initial_state = (void *)(uintptr_t)&TREES[i]};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
