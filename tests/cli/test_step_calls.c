/* A decode step runs as planned: between the first and the last instruction of the session's run nothing is looked up, locked, allocated or
 * hashed. The linker leads the calls of these functions through counters (CMakeLists.txt); `test_step_calls MODEL IMAGE` counts in a packed
 * model. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "calib/image.h"
#include "flow/open.h"
#include "runtime/decode/answer.h"
#include "runtime/decode/model.h"
#include "runtime/exec/session.h"
#include "tests/fine.h"

#define BUNDLE VLMQ_SOURCE_DIR "/datasets/captioner/bundle"
#define IMAGE VLMQ_SOURCE_DIR "/datasets/screens/test/test_0000.png"

static const char *model_path = BUNDLE, *image_path = IMAGE;
static volatile bool counting; /* volatile: compilers know malloc and strcmp */

#define WRAPPED(X)                                                                   \
  X(void *, malloc, (size_t n), (n))                                                 \
  X(void *, calloc, (size_t n, size_t size), (n, size))                              \
  X(void *, realloc, (void *p, size_t n), (p, n))                                    \
  X(void *, aligned_alloc, (size_t align, size_t n), (align, n))                     \
  X(int, strcmp, (const char *a, const char *b), (a, b))                             \
  X(int, strncmp, (const char *a, const char *b, size_t n), (a, b, n))               \
  X(const void *, vlm_node_attr, (const void *node, const char *name), (node, name)) \
  X(uint64_t, vlm_xxh64, (const void *data, size_t bytes), (data, bytes))            \
  X(int, pthread_mutex_lock, (void *mutex), (mutex))                                 \
  X(double, vlm_clock_ms, (void), ())

#define COUNTER(result, name, parameters, arguments) \
  static long count_##name;                          \
  result __real_##name parameters;                   \
  result __wrap_##name parameters;                   \
  result __wrap_##name parameters {                  \
    count_##name += counting;                        \
    return __real_##name arguments;                  \
  }
WRAPPED(COUNTER)

/* Steps with shapes that are all as planned are warm: the first runs of a session make its plans. */
enum { WARM_RUNS = 6 };
vlm_status __real_vlm_session_run(vlm_session *s, const vlm_tensor *inputs, int32_t n, vlm_error *err);
vlm_status __wrap_vlm_session_run(vlm_session *s, const vlm_tensor *inputs, int32_t n, vlm_error *err);
static vlm_session *step_session;
static long runs, counted_runs;
vlm_status __wrap_vlm_session_run(vlm_session *s, const vlm_tensor *inputs, int32_t n, vlm_error *err) {
  counting = s == step_session && runs++ >= WARM_RUNS;
  counted_runs += counting;
  vlm_status st = __real_vlm_session_run(s, inputs, n, err);
  counting = false;
  return st;
}

static void a_step_looks_nothing_up(void **state) {
  static const vlm_flow_open_opts ready = {.lazy = true};
  vlm_context *context;
  vlm_bundle *bundle;
  vlm_model *model;
  vlm_image image = {0};
  vlm_answer answer = {0};
  const vlm_context_opts one = {.threads = 1};
  const vlm_answer_opts opts = {.beams = 1, .max_new_tokens = 24};
  (void)state;
  FINE(vlm_context_create(&context, &one, &error));
  FINE(vlm_flow_open(&bundle, model_path, &ready, &error));
  FINE(vlm_model_create(&model, context, bundle, NULL, &error));
  FINE(vlm_image_read(&image, image_path, NULL, &error));
  step_session = vlm_model_session(model, VLM_ROLE_DECODER_STEP);
  for (int i = 0; i < 2; i++) {
    vlm_answer_free(&answer);
    FINE(vlm_model_answer(model, &image, "<CAPTION>", &opts, &answer, &error));
  }
  assert_true(counted_runs > 4);
#define NONE(result, name, parameters, arguments) \
  if (count_##name) fail_msg("%ld calls of %s in %ld steps", count_##name, #name, counted_runs);
  WRAPPED(NONE)
  vlm_answer_free(&answer);
  vlm_image_free(&image);
  vlm_model_free(model);
  vlm_bundle_free(bundle);
  vlm_context_free(context);
}

/* The counters count. */
static void calls_are_seen(void **state) {
  (void)state;
  counting = true;
  void *volatile p = malloc(8);
  const char *volatile a = "a", *volatile b = "b";
  bool differ = strcmp(a, b) != 0;
  counting = false;
  free(p);
  assert_true(differ && count_malloc == 1 && count_strcmp == 1);
  count_malloc = count_strcmp = 0;
}

int main(int argc, char **argv) {
  if (argc == 3) {
    model_path = argv[1];
    image_path = argv[2];
  }
  const struct CMUnitTest tests[] = {cmocka_unit_test(calls_are_seen),
                                     cmocka_unit_test(a_step_looks_nothing_up)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
