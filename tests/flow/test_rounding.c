/* Weights of a single graph rounded by what their inputs are like: a convolution with a kernel of one is the product that it is, and the rounding
 * stays only where the output gains on samples that it does not know. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "flow/rounding.h"
#include "quant/weight_store.h"
#include "tests/lower/lower_graph.h"

enum { INPUTS = 32, CHANNELS = 24, POSITIONS = 49, ROUND_WITH = 8, MEASURE_ON = 4, HIDDEN = 3 };

typedef struct {
  vlm_context *context;
  vlm_bundle *bundle;
  vlm_stats *stats;
  vlm_quant_graph graph;
  vlm_covariances *inputs;
  vlm_quant_opts quant;
  vlm_quant_plan *plan;
} job;

static float the_weights[CHANNELS * INPUTS];

/* [channels, inputs, 1, 1], or turned for a product. */
static vlm_graph *product_graph(bool convolves) {
  static float turned[INPUTS * CHANNELS];
  vlm_graph *g = new_graph();
  for (int c = 0; c < CHANNELS; c++)
    for (int i = 0; i < INPUTS; i++) turned[i * CHANNELS + c] = the_weights[c * INPUTS + i];
  vlm_value_id x = convolves ? add_input(g, "x", VLM_F32, 4, (int64_t[]){1, INPUTS, 7, 7})
                             : add_input(g, "x", VLM_F32, 2, (int64_t[]){POSITIONS, INPUTS});
  vlm_value_id w = convolves ? add_constant(g, VLM_F32, 4, (int64_t[]){CHANNELS, INPUTS, 1, 1}, the_weights)
                             : add_constant(g, VLM_F32, 2, (int64_t[]){INPUTS, CHANNELS}, turned);
  vlm_value_id same = add_node(g, NULL, "Identity", 1, &x, NULL);
  vlm_value_id y = add_node(g, "it", convolves ? "Conv" : "MatMul", 2, (vlm_value_id[]){same, w}, NULL);
  FINE(vlm_graph_add_output(g, y, &error));
  FINE(vlm_graph_resolve(g, &error));
  return g;
}

/* Positions, each a mix of a few hidden numbers, or of none. */
static void draw_sample(float *x, bool convolves, bool together) {
  static float mix[INPUTS][HIDDEN];
  const uint32_t after = seed;
  seed = 11;
  draw_all(mix[0], INPUTS * HIDDEN);
  seed = after;
  for (int p = 0; p < POSITIONS; p++) {
    float hidden[HIDDEN];
    draw_all(hidden, HIDDEN);
    for (int i = 0; i < INPUTS; i++) {
      float v = together ? 0.1f * draw() : draw();
      for (int k = 0; k < HIDDEN && together; k++) v += mix[i][k] * hidden[k];
      x[convolves ? i * POSITIONS + p : p * INPUTS + i] = v;
    }
  }
}

static void keep_samples(vlm_stats *stats, bool convolves, bool together) {
  static const char *const NAMES[] = {"x"};
  static float x[INPUTS * POSITIONS];
  for (int s = 0; s < ROUND_WITH + MEASURE_ON; s++) {
    vlm_kept_sample *sample;
    draw_sample(x, convolves, together);
    const vlm_tensor t = convolves ? vlm_tensor_make(VLM_F32, 4, (int64_t[]){1, INPUTS, 7, 7}, x)
                                   : vlm_tensor_make(VLM_F32, 2, (int64_t[]){POSITIONS, INPUTS}, x);
    FINE(vlm_kept_sample_make(&sample, (vlm_digest){0, (uint64_t)s + 1}, s >= ROUND_WITH, NAMES, &t, 1,
                              &error));
    vlm_kept_add(vlm_stats_kept(stats), sample);
  }
}

static vlm_rounding how_of(const job *j) {
  return (vlm_rounding){j->context, j->bundle, &j->graph, j->stats, NULL, &j->quant};
}

static void open_job(job *j, bool convolves, bool together) {
  memset(j, 0, sizeof *j);
  seed = 3;
  draw_all(the_weights, CHANNELS * INPUTS);
  FINE(vlm_context_create(&j->context, NULL, &error));
  FINE(vlm_bundle_create(&j->bundle, "made", &error));
  j->graph = (vlm_quant_graph){"model", product_graph(convolves)};
  j->bundle->graphs[VLM_ROLE_MODEL] = j->graph.graph;
  j->bundle->family = VLM_FAMILY_GRAPH;
  FINE(vlm_stats_create(&j->stats, (vlm_digest){0, 0}, "", &error));
  seed = 5;
  keep_samples(j->stats, convolves, together);
  /* float activations: what comes out is what the weights cost */
  j->quant = (vlm_quant_opts){.activations = VLM_ACTIVATIONS_NONE};
  const vlm_rounding how = how_of(j);
  FINE(vlm_rounding_inputs(&j->inputs, &how, &error));
  assert_non_null(j->inputs);
  j->quant.covariances = j->inputs;
  FINE(vlm_quant_plan_make(&j->plan, &j->graph, 1, j->stats, &j->quant, &error));
  assert_int_equal(j->plan->count, 1);
  assert_int_equal(j->plan->nodes[0].decision, VLM_DECIDE_WEIGHT_ONLY);
}

static void close_job(job *j) {
  vlm_quant_plan_free(j->plan);
  vlm_covariances_free(j->inputs);
  vlm_stats_free(j->stats);
  vlm_bundle_free(j->bundle);
  vlm_context_free(j->context);
}

static void levels(const job *j, int8_t out[CHANNELS][INPUTS], bool convolves) {
  const vlm_node_plan *n = &j->plan->nodes[0];
  const vlm_weight_s8 *w;
  FINE(vlm_weight_store_get(&w, j->plan->weights, &n->constant, n->slot.axis, false, &error));
  for (int c = 0; c < CHANNELS; c++)
    for (int i = 0; i < INPUTS; i++)
      out[c][i] = ((const int8_t *)w->data.data)[convolves ? c * INPUTS + i : i * CHANNELS + c];
}

static void a_kernel_of_one_is_a_product(void **state) {
  static job a, b;
  int8_t x[CHANNELS][INPUTS], y[CHANNELS][INPUTS];
  (void)state;
  open_job(&a, true, true);
  open_job(&b, false, true);
  assert_true(a.plan->nodes[0].rounded && b.plan->nodes[0].rounded);
  levels(&a, x, true);
  levels(&b, y, false);
  assert_memory_equal(x, y, sizeof x);
  close_job(&a);
  close_job(&b);
}

static double judge(job *j) {
  double gain;
  const vlm_rounding how = how_of(j);
  FINE(vlm_rounding_judge(&j->plan, &gain, &how, &error));
  return gain;
}

static void it_stays_where_the_output_gains(void **state) {
  static job j;
  (void)state;
  open_job(&j, true, true);
  assert_true(judge(&j) > 2);
  assert_true(j.plan->nodes[0].rounded);
  close_job(&j);
}

static void and_goes_where_it_does_not(void **state) {
  static job j;
  (void)state;
  open_job(&j, true, false);
  j.plan->nodes[0].rounded = true; /* as if the product alone had gained */
  assert_true(fabs(judge(&j)) < vlm_rounding_least_db);
  assert_false(j.plan->nodes[0].rounded);
  assert_false(j.plan->nodes[0].round_tried);
  close_job(&j);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_kernel_of_one_is_a_product),
      cmocka_unit_test(it_stays_where_the_output_gains),
      cmocka_unit_test(and_goes_where_it_does_not),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
