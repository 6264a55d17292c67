/* An operator's run function only computes: it sees no attribute (hostile_trial.h hides them), and between its first and its last instruction
 * nothing is looked up, locked, allocated or hashed. Seen with every case of hostile_cases.def; the linker leads the calls of these functions
 * through counters (cmake/tests.cmake). */
#include "runtime/ops/op_table.h"
#include "tests/ops/hostile_trial.h"

static const hostile_case CASES[] = {
#define CASE(domain, name, opset, n_out, attrs, inputs) {domain, name, opset, n_out, attrs, inputs},
#include "tests/ops/hostile_cases.def"
#undef CASE
};

/* Operators whose work space depends on values. */
static const struct {
  const char *name, *reason;
} unplanned[] = {
    {"NonMaxSuppression", "how many boxes there can be is the value of an input"},
    {"CacheAttention", "the past is as long as it is when the step is reached"},
};
enum { UNPLANNED = sizeof unplanned / sizeof unplanned[0] };

#define WRAPPED(X)                                                                   \
  X(void *, malloc, (size_t n), (n))                                                 \
  X(void *, calloc, (size_t n, size_t size), (n, size))                              \
  X(void *, realloc, (void *p, size_t n), (p, n))                                    \
  X(void *, aligned_alloc, (size_t align, size_t n), (align, n))                     \
  X(int, strcmp, (const char *a, const char *b), (a, b))                             \
  X(int, strncmp, (const char *a, const char *b, size_t n), (a, b, n))               \
  X(const void *, vlm_node_attr, (const void *node, const char *name), (node, name)) \
  X(uint64_t, vlm_xxh64, (const void *data, size_t bytes), (data, bytes))            \
  X(int, pthread_mutex_lock, (void *mutex), (mutex))

#define COUNTER(result, name, parameters, arguments) \
  static long count_##name;                          \
  result __real_##name parameters;                   \
  result __wrap_##name parameters;                   \
  result __wrap_##name parameters {                  \
    count_##name += in_run;                          \
    return __real_##name arguments;                  \
  }
WRAPPED(COUNTER)

static int unplanned_number(const char *name) {
  for (int i = 0; i < UNPLANNED; i++)
    if (strcmp(unplanned[i].name, name) == 0) return i;
  return -1;
}

typedef struct {
  const char *domain, *op;
} counted;

/* Weights that are computed are packed by run, which may take memory for it (packed.h): blocks are counted where inputs last. */
static void forget_blocks(void) { count_malloc = count_calloc = count_realloc = count_aligned_alloc = 0; }

static void check_counts(const counted *of) {
#define NONE(result, name, parameters, arguments) \
  if (count_##name) fail_msg("%s.%s: %ld calls of %s while it runs", of->domain, of->op, count_##name, #name);
  WRAPPED(NONE)
}

static void run_functions_only_compute(void **state) {
  static trial t;
  bool seen[UNPLANNED] = {false};
  (void)state;
  for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
    read_case(&t, &CASES[i]);
    int known = unplanned_number(CASES[i].name);
    for (int constant = 0; constant < 2; constant++) {
      for (int k = 0; k < t.n_in; k++) t.constant[k] = constant;
      scratches_in_run = 0;
      if (try_twice(&t) != VLM_OK) fail_msg("%s: a case must succeed", now_running);
      if (!constant) forget_blocks();
      check_counts(&(counted){CASES[i].domain, CASES[i].name});
      if (scratches_in_run && known < 0)
        fail_msg("%s.%s: memory that was not planned", CASES[i].domain, CASES[i].name);
      if (scratches_in_run) seen[known] = true;
    }
  }
  assert_int_equal(complaints, 0);
  for (int i = 0; i < UNPLANNED; i++)
    if (!seen[i])
      fail_msg("%s takes no memory of its own any more (%s)", unplanned[i].name, unplanned[i].reason);
}

/* The counters count. */
static void calls_are_seen(void **state) {
  const char *volatile a = "a", *volatile b = "b";
  (void)state;
  in_run = true;
  void *volatile p = malloc(8);
  bool differ = strcmp(a, b) != 0;
  in_run = false;
  free(p);
  assert_true(differ && count_malloc == 1 && count_strcmp == 1);
  count_malloc = count_strcmp = 0;
}

/* Rows that prepare nothing have no attribute that a run function could want: they are views, replaced on import, or have none at all. */
static void nothing_is_left_to_decode(void **state) {
  static const char *const of_infer[] = {"Range", "MelWeightMatrix"}; /* types of outputs */
  int32_t count;
  const vlm_op *table = vlm_op_table(&count);
  (void)state;
  for (int32_t i = 0; i < count; i++) {
    const vlm_op *op = &table[i];
    bool known = false;
    for (int k = 0; k < 2; k++) known |= strcmp(op->name, of_infer[k]) == 0;
    assert_non_null(op->prepare);
    if (op->prepare != vlm_prepare_nothing || op->flags & (VLM_OP_ALIAS | VLM_OP_IMPORT) || known) continue;
    if (op->attrs && op->attrs[0])
      fail_msg("%s.%s has attributes and prepares nothing", op->domain, op->name);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(calls_are_seen),
                                     cmocka_unit_test(nothing_is_left_to_decode),
                                     cmocka_unit_test(run_functions_only_compute)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
