/* Every operator against nodes that no exporter writes: from a run that succeeds (hostile_cases.def, or plain tensors) to wrong shapes, types, ranks,
 * values and attributes, absent and empty inputs, absent outputs. A trial ends in a status with a message or in a result; a result must not
 * depend on what memory held before.
 *
 *   VLMQ_HOSTILE_ROUNDS=N  trials per case (default 60)      VLMQ_HOSTILE_ONLY=TEXT  cases whose operator contains TEXT
 *   VLMQ_HOSTILE_SEED=N    other trials */
#include "tests/ops/hostile_mutate.h"

static const hostile_case CASES[] = {
#define CASE(domain, name, opset, n_out, attrs, inputs) {domain, name, opset, n_out, attrs, inputs},
#include "tests/ops/hostile_cases.def"
#undef CASE
};

static long rounds(void) {
  const char *text = getenv("VLMQ_HOSTILE_ROUNDS");
  return text ? strtol(text, NULL, 10) : 60;
}

/* Where the generator starts for case i; never 0, which it would stay at. */
static void seed_case(uint64_t i) {
  const char *text = getenv("VLMQ_HOSTILE_SEED");
  random_state = (88172645463325252u + i * 0x9E3779B97F4A7C15u) ^ (text ? strtoull(text, NULL, 10) << 20 : 0);
  random_state |= 1;
}

static bool left_out(const char *name) {
  const char *only = getenv("VLMQ_HOSTILE_ONLY");
  return only && !strstr(name, only);
}

static void attack(const trial *base) {
  static trial t;
  for (long round = 0, n = rounds(); round < n; round++) {
    t = *base;
    repoint(&t);
    for (int more = 1 + below(3); more > 0; more--) mutate(&t);
    for (int k = 0; k < t.n_in; k++) t.constant[k] = below(2);
    int before = complaints;
    try_twice(&t);
    if (complaints > before) return;
  }
}

static void test_cases(void **state) {
  (void)state;
  static trial base;
  for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
    if (left_out(CASES[i].name)) continue;
    read_case(&base, &CASES[i]);
    seed_case(i);
    if (try_twice(&base) != VLM_OK) fail_msg("%s: a case must succeed", now_running);
    attack(&base);
  }
  assert_int_equal(complaints, 0);
}

/* ---- operators without a case take plain tensors ---- */

static bool has_case(const vlm_op *op) {
  for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++)
    if (strcmp(CASES[i].name, op->name) == 0 && strcmp(CASES[i].domain, op->domain) == 0) return true;
  return false;
}

static bool plain_case(trial *base, const vlm_op *op, const char *input) {
  hostile_case c = {op->domain, op->name, op->since, op->min_out, "", ""};
  read_case(base, &c);
  for (int k = 0; k < op->min_in; k++) read_input(base, input, strlen(input));
  return try_twice(base) == VLM_OK;
}

static void test_plain(void **state) {
  (void)state;
  static trial base;
  static const char *const inputs[] = {"f2x3", "B2x3", "I2x3", "f2x3x4", "b2x3"};
  int32_t count;
  const vlm_op *table = vlm_op_table(&count);
  for (int32_t i = 0; i < count; i++) {
    const vlm_op *op = &table[i];
    if (has_case(op) || op->flags & VLM_OP_IMPORT || (op->attrs && strstr(op->attrs, ":g!")) ||
        left_out(op->name))
      continue;
    bool found = false;
    seed_case((uint64_t)i + 1000);
    for (size_t k = 0; !found && k < sizeof inputs / sizeof inputs[0]; k++)
      found = plain_case(&base, op, inputs[k]);
    if (!found) fail_msg("%s.%s needs a row in hostile_cases.def", op->domain, op->name);
    attack(&base);
  }
  assert_int_equal(complaints, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_cases), cmocka_unit_test(test_plain)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
