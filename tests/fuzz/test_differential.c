/* Random small graphs in every way that must agree: plans against nodes alone, lowered and cleaned against plain, CPU levels, threads,
 * packed against not. The smallest graph that differs is printed.
 *
 *   VLMQ_DIFFERENTIAL_SEEDS=N  graphs (default 600)      VLMQ_DIFFERENTIAL_FIRST=N  the first seed (default 1) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tests/fuzz/graph_differ.h"
#include "tests/fuzz/graph_run.h"

enum { LONGEST = 96 };

static uint64_t state;
static uint8_t draw(void) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return (uint8_t)(state >> 24);
}

static long number(const char *name, long otherwise) {
  const char *text = getenv(name);
  return text ? strtol(text, NULL, 10) : otherwise;
}

static const char *any_problem(const uint8_t *data, size_t size) {
  const char *what = fuzz_graph_try(data, size, NULL);
  return what ? what : fuzz_graph_differ(data, size);
}

static void show(uint8_t *data, size_t size, long seed) {
  static fuzz_graph g; /* large */
  size = fuzz_smallest(data, size, any_problem);
  if (fuzz_graph_make(&g, data, size)) fuzz_graph_print(stderr, g.graph);
  fuzz_graph_free(&g);
  fprintf(stderr, "bytes:");
  for (size_t i = 0; i < size; i++) fprintf(stderr, " %02x", data[i]);
  fail_msg("seed %ld: %s", seed, any_problem(data, size));
}

static void test_graphs(void **unused) {
  (void)unused;
  const long first = number("VLMQ_DIFFERENTIAL_FIRST", 1), n = number("VLMQ_DIFFERENTIAL_SEEDS", 600);
  long ran = 0;
  for (long seed = first; seed < first + n; seed++) {
    uint8_t data[LONGEST];
    bool runs;
    state = (uint64_t)seed * 0x9E3779B97F4A7C15u;
    const size_t size = 4 + draw() % (LONGEST - 4u);
    for (size_t i = 0; i < size; i++) data[i] = draw() % 3 ? draw() : 0;
    const char *what = fuzz_graph_try(data, size, &runs);
    if (!what) what = fuzz_graph_differ(data, size);
    if (what) show(data, size, seed);
    ran += runs;
  }
  print_message("%ld graphs, %ld of them ran\n", n, ran);
  assert_true(ran > n / 8); /* a generator whose graphs are all refused tests nothing */
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_graphs)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
