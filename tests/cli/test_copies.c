/* Bytes that a run of the captioner's vision encoder moves and does nothing else with: the counter that says how many copies are left. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "onnx/import.h"
#include "runtime/exec/session.h"
#include "runtime/lower/lower.h"
#include "tests/fine.h"

#define MODEL "datasets/captioner/bundle/vision_encoder.onnx"

typedef struct {
  size_t bytes;
  int32_t steps;
} copies;

/* Views of other shapes are no copies, and Concat, which joins, is not counted. */
static void count_copy(void *user, const vlm_graph *graph, const vlm_node *node,
                       const vlm_tensor *const *out) {
  const int32_t moves = VLM_TRAIT_MOVES | VLM_TRAIT_SAME_VALUES;
  copies *c = user;
  (void)graph;
  if (!(node->traits->flags & moves) || node->op->flags & VLM_OP_ALIAS) return;
  c->steps++;
  for (int32_t k = 0; k < node->n_outputs; k++) c->bytes += out[k] ? vlm_tensor_bytes(out[k]) : 0;
}

static copies plan(bool lower, int64_t height, int64_t width) {
  vlm_graph *graph;
  vlm_context *context;
  vlm_session *session;
  copies count = {0};
  FINE(vlm_context_create(&context, NULL, &error));
  FINE(vlm_onnx_import(&graph, MODEL, NULL, &error));
  if (lower) FINE(vlm_graph_lower(graph, NULL, &error));
  vlm_tensor image = vlm_tensor_make(VLM_F32, 4, (int64_t[]){1, 3, height, width}, NULL);
  FINE(vlm_session_create(&session, context, graph, NULL, &error));
  FINE(vlm_session_plan(session, &image, 1, &error));
  vlm_session_visit_steps(session, count_copy, &count);
  vlm_session_free(session);
  vlm_graph_free(graph);
  vlm_context_free(context);
  printf("# %s, %d x %d: %d copies, %zu bytes\n", lower ? "lowered" : "as it is", (int)height, (int)width,
         (int)count.steps, count.bytes);
  return count;
}

static void test_copies_left(void **state) {
  (void)state;
  const copies before = plan(false, 192, 192), after = plan(true, 192, 192);
  /* The image to channels last; windows to rows and back where there are several. */
  assert_true(before.steps > 60 && before.bytes > 10 << 20);
  assert_true(after.steps <= 8 && after.bytes <= 1300000);
}

/* Windows that do not divide the image are padded and cut. */
static void test_copies_left_with_padding(void **state) {
  (void)state;
  const copies before = plan(false, 160, 224), after = plan(true, 160, 224);
  assert_true(after.steps <= before.steps / 3 && after.bytes <= before.bytes / 3);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_copies_left),
                                     cmocka_unit_test(test_copies_left_with_padding)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
