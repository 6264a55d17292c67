#include <stdlib.h>

#include "tests/fuzz/graph_run.h"
#include "tests/fuzz/target.h"

fuzz_run fuzz_on_graph;

static void print(const uint8_t *data, size_t size) {
  static fuzz_graph g; /* large */
  if (fuzz_graph_make(&g, data, size)) fuzz_graph_print(stderr, g.graph);
  fuzz_graph_free(&g);
}

/* VLMQ_FUZZ_PRINT=1: what the bytes mean. */
void fuzz_on_graph(const uint8_t *data, size_t size) {
  if (getenv("VLMQ_FUZZ_PRINT")) print(data, size);
  const char *what = fuzz_graph_try(data, size, NULL);
  if (!what) return;
  print(data, size);
  fuzz_found(what);
}
