/* A vision encoder of fixed size has no integer operator left: whatever computes shapes is folded when the session plans.
 * The Florence-2-base graphs are tested where they were written: the folder in VLMQ_FLORENCE, or build/florence2 (not committed). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "onnx/import.h"
#include "runtime/base/file.h"
#include "runtime/exec/session.h"
#include "tests/fine.h"

typedef struct {
  int32_t steps, other; /* other = some output is not float */
} step_count;

static void count_step(void *user, const vlm_graph *graph, const vlm_node *node,
                       const vlm_tensor *const *out) {
  step_count *count = user;
  bool other = false;
  (void)graph;
  for (int32_t k = 0; k < node->n_outputs; k++) other |= out[k] && out[k]->dtype != VLM_F32;
  count->steps++;
  count->other += other;
}

/* Sizes for the dims that the graph leaves open: one sample; images of `size`, sequences of `size` tokens. */
static void choose_sizes(const vlm_graph *graph, int64_t size, vlm_tensor *inputs) {
  for (int32_t i = 0; i < graph->n_inputs; i++) {
    inputs[i] = graph->values[graph->inputs[i]].tensor;
    for (int d = 0; d < inputs[i].rank; d++)
      if (inputs[i].dims[d] < 0) inputs[i].dims[d] = d == 0 ? 1 : d == 1 && inputs[i].rank == 4 ? 3 : size;
  }
}

/* Plans a graph without running it. */
static step_count plan_steps(const char *path, const vlm_onnx_opts *opts, int64_t size, int32_t *nodes) {
  vlm_graph *graph;
  vlm_context *context;
  vlm_session *session;
  step_count count = {0};
  vlm_tensor inputs[2];
  FINE(vlm_context_create(&context, NULL, &error));
  FINE(vlm_onnx_import(&graph, path, opts, &error));
  assert_in_range(graph->n_inputs, 1, 2);
  choose_sizes(graph, size, inputs);
  *nodes = graph->n_nodes;
  FINE(vlm_session_create(&session, context, graph, NULL, &error));
  vlm_session_visit_steps(session, count_step, &count);
  assert_int_equal(count.steps, 0); /* nothing is planned yet */
  FINE(vlm_session_plan(session, inputs, graph->n_inputs, &error));
  vlm_session_visit_steps(session, count_step, &count);
  assert_int_equal(count.steps, vlm_session_get_stats(session).steps);
  vlm_session_free(session);
  vlm_graph_free(graph);
  vlm_context_free(context);
  return count;
}

static void captioner_encoder_is_all_float(void **state) {
  const char *path = VLMQ_SOURCE_DIR "/datasets/captioner/bundle/vision_encoder.onnx";
  const vlm_onnx_opts as_written = {.keep_as_written = true};
  int32_t nodes;
  (void)state;
  step_count count = plan_steps(path, NULL, 192, &nodes);
  assert_in_range(count.steps, 20, nodes);
  assert_int_equal(count.other, 0);
  /* Planning alone does it, without the clean-up passes. */
  count = plan_steps(path, &as_written, 192, &nodes);
  assert_true(count.steps < nodes);
  assert_int_equal(count.other, 0);
}

/* The count is not blind: a text encoder computes with its integer mask. */
static void captioner_text_encoder_is_not(void **state) {
  int32_t nodes;
  (void)state;
  step_count count =
      plan_steps(VLMQ_SOURCE_DIR "/datasets/captioner/bundle/encoder_model.onnx", NULL, 20, &nodes);
  assert_true(count.other > 0);
}

/* The folder of the materialised graphs, or NULL. */
static const char *florence(void) {
  static const char built[] = VLMQ_SOURCE_DIR "/build/florence2";
  const char *given = getenv("VLMQ_FLORENCE");
  const char *folder = given && *given ? given : built;
  return vlm_file_is_folder(folder) ? folder : NULL;
}

static void florence_encoder_is_all_float(void **state) {
  char path[4096];
  int32_t nodes;
  (void)state;
  if (!florence()) {
    skip();
    return;
  }
  snprintf(path, sizeof path, "%s/vision_encoder.onnx", florence());
  step_count count = plan_steps(path, NULL, 768, &nodes);
  print_message("%d nodes after clean-up, %d steps\n", nodes, count.steps);
  assert_in_range(count.steps, 400, nodes / 2);
  assert_int_equal(count.other, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(captioner_encoder_is_all_float),
      cmocka_unit_test(captioner_text_encoder_is_not),
      cmocka_unit_test(florence_encoder_is_all_float),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
