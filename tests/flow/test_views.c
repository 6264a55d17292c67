/* Views against independent figures: MACs and parameters that PyTorch counts for the committed captioner
 * (datasets/captioner/macs.py), tails and saturation of a histogram made by hand, golden cases that hold and that do not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "flow/golden.h"
#include "flow/stats_view.h"
#include "flow/verify.h"
#include "onnx/bundle.h"
#include "runtime/ops/resolve.h"
#include "runtime/decode/bundle_profile.h"
#include "tests/fine.h"
#include "tests/flow/spread.h"

#define BUNDLE VLMQ_SOURCE_DIR "/datasets/captioner/bundle"

/* ---- costs ---- */

static void costs_are_those_of_pytorch(void **state) {
  static const struct {
    vlm_role role;
    int64_t macs;
  } macs[] = {{VLM_ROLE_VISION, 149750784},
              {VLM_ROLE_EMBED, 0},
              {VLM_ROLE_ENCODER, 45196032},
              {VLM_ROLE_DECODER_FIRST, 8526336},
              {VLM_ROLE_DECODER_STEP, 1301760}};
  vlm_bundle *bundle;
  vlm_context *context;
  vlm_bundle_profile costs;
  vlm_weight_count roles[VLM_ROLE_COUNT], total;
  const vlm_bundle_profile_opts opts = {.prompt_tokens = 12, .past_tokens = 1};
  (void)state;
  FINE(vlm_context_create(&context, NULL, &error));
  FINE(vlm_bundle_open(&bundle, BUNDLE, NULL, &error));
  FINE(vlm_bundle_profile_make(&costs, context, bundle, &opts, &error));
  for (size_t i = 0; i < sizeof macs / sizeof macs[0]; i++) {
    const vlm_role_profile *p = &costs.roles[macs[i].role];
    if (!p->made) fail_msg("%s: %s", vlm_role_name(macs[i].role), p->error.text);
    assert_int_equal(p->profile.macs, macs[i].macs);
    assert_false(p->profile.executed);
    int64_t sum = 0;
    for (int32_t n = 0; n < p->profile.n_nodes; n++) sum += p->profile.nodes[n].macs;
    assert_int_equal(sum, macs[i].macs);
  }
  assert_int_equal(costs.image_width, 192);
  assert_int_equal(costs.image_tokens, 37);
  assert_int_equal(costs.context_tokens, 49);
  FINE(vlm_bundle_count_weights(roles, &total, bundle, &error));
  assert_int_equal(roles[VLM_ROLE_ENCODER].elements, 939648);
  assert_int_equal(roles[VLM_ROLE_EMBED].elements, 230400);
  /* the tied embeddings are in three graphs and once in the total, which is PyTorch's but for some constants that are computed there */
  assert_in_range(total.elements, 3851232, 3851232 + 3851232 / 1000);
  assert_true(roles[VLM_ROLE_DECODER_FIRST].elements > 1236864);
  vlm_bundle_profile_free(&costs);
  vlm_bundle_free(bundle);
  vlm_context_free(context);
}

/* ---- statistics ---- */

static void tails_and_samples(void **state) {
  vlm_stats *stats;
  vlm_stats_view v;
  const vlm_digest first = {1, 1}, second = {2, 2};
  (void)state;
  FINE(vlm_stats_create(&stats, (vlm_digest){7, 7}, "", &error));
  FINE(vlm_stats_add_sample(stats, first, "plain.png", &error));
  FINE(vlm_stats_add_sample(stats, second, "odd.png", &error));
  vlm_tensor_stats *even = entry(stats, "even"), *tail, *none;
  spread(even, 320000, 0.99f);
  even->widest_high = first;
  tail = entry(stats, "tail");
  spread(tail, 320000, 10);
  tail->widest_high = second;
  tail->not_finite = 320001;
  none = entry(stats, "unseen");
  none->count = 0;
  FINE(vlm_stats_view_make(&v, stats, NULL, &error));
  assert_int_equal(v.n_tensors, 3);
  assert_string_equal(v.tensors[0].stats->name, "tail"); /* longest tail first */
  /* 99.99 % of the elements lie below 1: nine tenths of [0, 10] hold one element */
  assert_float_equal(v.tensors[0].shrink, 0.9, 0.01);
  assert_false(v.tensors[0].low_tail);
  assert_float_equal(v.tensors[0].wide.high, 1, 1e-6);
  assert_float_equal(v.tensors[0].not_finite, 0.5, 1e-9);
  assert_string_equal(v.tensors[0].high_sample, "odd.png");
  assert_string_equal(v.tensors[0].low_sample, ""); /* nothing is below 0 */
  /* the least-error range gives up the one element, and at most a share of the last bin with it */
  assert_true(v.tensors[0].mse.high < 10);
  assert_true(v.tensors[0].saturated >= 1.0 / 320001 - 1e-12);
  assert_true(v.tensors[1].shrink < 0.02);
  assert_int_equal(v.tensors[2].stats->count, 0);
  assert_string_equal(v.tensors[2].high_sample, "");
  assert_int_equal(v.n_samples, 2);
  assert_int_equal(v.samples[0].extremes, 1);
  assert_int_equal(v.samples[1].extremes, 1);
  vlm_stats_view_free(&v);
  vlm_stats_free(stats);
}

/* ---- golden cases ---- */

static const float IN[4] = {1, -2, 3, -4};

/* y = relu(x) */
static vlm_bundle *small_model(void) {
  vlm_bundle *bundle;
  vlm_graph *g;
  vlm_value_id x, y;
  int32_t n;
  FINE(vlm_bundle_create(&bundle, "small", &error));
  FINE(vlm_graph_create(&g, "small", "small.onnx", &error));
  g->opset = 17;
  bundle->graphs[VLM_ROLE_MODEL] = g;
  FINE(vlm_graph_add_value(g, &x, "x", VLM_VALUE_INPUT, &error));
  g->values[x].tensor = vlm_tensor_make(VLM_F32, 1, (int64_t[]){4}, NULL);
  FINE(vlm_graph_add_input(g, x, &error));
  FINE(vlm_graph_add_value(g, &y, "y", VLM_VALUE_NODE, &error));
  g->values[y].tensor = g->values[x].tensor;
  FINE(vlm_graph_add_node(
      g, &n, &(vlm_node){.name = "relu", .op_type = "Relu", .opset = 17, .n_inputs = 1, .n_outputs = 1},
      &error));
  g->nodes[n].inputs[0] = x;
  vlm_node_set_output(g, n, 0, y);
  FINE(vlm_graph_add_output(g, y, &error));
  FINE(vlm_graph_resolve(g, &error));
  return bundle;
}

static vlm_status verify(const char *path, int32_t passed, int32_t not_run) {
  vlm_context *context;
  vlm_verify_result result;
  FINE(vlm_context_create(&context, NULL, &error));
  error = (vlm_error){0};
  vlm_status st = vlm_flow_verify(&result, context, path, NULL, &error);
  assert_int_equal(result.passed, st == VLM_OK ? passed : 0);
  assert_int_equal(result.not_run, not_run);
  vlm_context_free(context);
  return st;
}

static vlm_status verify_with(const float *outputs, const char *graph) {
  char path[] = "/tmp/vlm-golden-XXXXXX";
  const char *const names[] = {"x", "y"};
  const vlm_tensor tensors[] = {vlm_tensor_make(VLM_F32, 1, (int64_t[]){4}, (void *)(uintptr_t)IN),
                                vlm_tensor_make(VLM_F32, 1, (int64_t[]){4}, (void *)(uintptr_t)outputs)};
  const vlm_pack_golden golden = {
      .graph = graph, .n_inputs = 1, .n_outputs = 1, .names = names, .tensors = tensors};
  vlm_bundle *bundle = small_model();
  const vlm_pack_content content = {.bundle = bundle, .golden = &golden, .n_golden = 1};
  int file = mkstemp(path);
  assert_true(file >= 0);
  close(file);
  FINE(vlm_pack_write(path, &content, NULL, NULL, &error));
  bool named = !strcmp(graph, "model");
  vlm_status st = verify(path, named, !named);
  unlink(path);
  vlm_bundle_free(bundle);
  return st;
}

static void golden_cases(void **state) {
  static const float right[4] = {1, 0, 3, 0}, wrong[4] = {1, 0, 3, 1};
  (void)state;
  FINE(verify_with(right, "model"));
  assert_int_equal(verify_with(wrong, "model"), VLM_INTEGRITY);
  assert_non_null(strstr(
      error.text, "golden case 0 (model): output \"y\": element 3 is 0, the file says 1 (1 of 4 differ)"));
  FINE(verify_with(wrong, "pipeline")); /* belongs to no graph: not run */
}

/* The answer of a pipeline: the file that vlm-quantize would write, with one token changed or with an input that is none. */
static vlm_status verify_answer(int change) {
  char path[] = "/tmp/vlm-golden-XXXXXX";
  vlm_bundle *bundle;
  vlm_context *context;
  vlm_golden golden;
  FINE(vlm_bundle_open(&bundle, VLMQ_SOURCE_DIR "/tests/cli/data/boxes", NULL, &error));
  FINE(vlm_context_create(&context, NULL, &error));
  FINE(vlm_golden_make(&golden, context, bundle, "<OD>", &error));
  assert_int_equal(golden.item.n_outputs, 1);
  assert_true(golden.tensors[2].dims[0] > 8);
  if (change == 1) ((int64_t *)golden.tensors[2].data)[3] ^= 1;
  if (change == 2) golden.names[0] = "picture";
  const vlm_pack_content content = {.bundle = bundle, .golden = &golden.item, .n_golden = 1};
  close(mkstemp(path));
  FINE(vlm_pack_write(path, &content, NULL, NULL, &error));
  vlm_status st = verify(path, 1, 0);
  unlink(path);
  vlm_golden_free(&golden);
  vlm_context_free(context);
  vlm_bundle_free(bundle);
  return st;
}

static void golden_answer(void **state) {
  (void)state;
  FINE(verify_answer(0));
  assert_int_equal(verify_answer(1), VLM_INTEGRITY);
  assert_non_null(strstr(error.text, "golden case 0 (answer): output \"ids\": element 3 is "));
  assert_int_equal(verify_answer(2), VLM_INTEGRITY);
  assert_non_null(strstr(error.text, "golden case 0 (answer): wanted \"image\""));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(costs_are_those_of_pytorch),
      cmocka_unit_test(tails_and_samples),
      cmocka_unit_test(golden_cases),
      cmocka_unit_test(golden_answer),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
