/* Programs (tests/exec/graph_program.h) run as they are and lowered, on noise: the same bytes at every CPU level and on every number of threads. */
#ifndef VLM_TESTS_LOWERED_PROGRAM_H
#define VLM_TESTS_LOWERED_PROGRAM_H

#include "runtime/base/memory.h"
#include "runtime/lower/lower.h"
#include "tests/exec/graph_program.h"

enum { MOST = 1 << 18, INPUTS = 4 };

/* Output 0 of a run on noise. */
typedef struct {
  vlm_tensor y;
  int made, steps;
  float *bytes;
} answer;

static inline void fill(const vlm_graph *g, vlm_tensor *in, double *room) {
  uint32_t seed = 5;
  for (int32_t i = 0; i < g->n_inputs; i++, room += MOST) {
    in[i] = g->values[g->inputs[i]].tensor;
    in[i].data = room;
    assert_true(vlm_tensor_count(&in[i]) <= MOST);
    for (int64_t k = 0; k < vlm_tensor_count(&in[i]); k++) vlm_tensor_set(&in[i], k, program_noise(&seed));
  }
}

static inline answer run(const char *text, const char *op, bool lower, int threads, const char *cpu) {
  static double room[INPUTS * MOST];
  opened o = {.graph = graph_of(text)};
  vlm_tensor in[INPUTS];
  answer a;
  assert_true(o.graph->n_inputs <= INPUTS);
  if (lower) FINE(vlm_graph_lower(o.graph, NULL, &error));
  FINE(vlm_context_create(&o.context, &(vlm_context_opts){.threads = threads, .cpu_level = cpu}, &error));
  FINE(vlm_session_create(&o.session, o.context, o.graph, NULL, &error));
  fill(o.graph, in, room);
  FINE(vlm_session_run(o.session, in, o.graph->n_inputs, &error));
  a.y = *vlm_session_output(o.session, 0);
  a.made = op ? steps_of(&o, op) : 0;
  a.steps = steps_of(&o, NULL);
  FINE(vlm_new(&a.bytes, vlm_tensor_bytes(&a.y), &error));
  memcpy(a.bytes, a.y.data, vlm_tensor_bytes(&a.y));
  close_program(&o);
  return a;
}

/* Lowered, there are `made` steps of operator `op`, and `steps` in all (0 = not looked at). */
static inline void expect_lowered(const char *text, const char *op, int made, int steps) {
  static const char *const LEVELS[] = {NULL, "c", NULL};
  const answer want = run(text, NULL, false, 1, "c");
  for (int i = 0; i < 3; i++) {
    const answer got = run(text, op, true, 1 + i, LEVELS[i]);
    assert_int_equal(got.made, made);
    if (steps) assert_int_equal(got.steps, steps);
    assert_true(vlm_tensor_same_shape(&got.y, &want.y));
    assert_memory_equal(got.bytes, want.bytes, vlm_tensor_bytes(&want.y));
    vlm_free(got.bytes);
  }
  vlm_free(want.bytes);
}

#endif
