/* A graph from bytes: whatever a file could hold, near to what exporters write, so that most of it gets past the first check.
 *
 * The bytes are decisions: which program it begins with (programs.def), which nodes follow (tests/ops/hostile_cases.def) and what is
 * changed in them, what reads what, what is declared, and what is changed in the whole. No bytes make the simplest graph. */
#ifndef VLM_TESTS_FUZZ_GRAPH_MAKE_H
#define VLM_TESTS_FUZZ_GRAPH_MAKE_H

#include <stdio.h>

#include "runtime/graph/graph.h"

enum { FUZZ_INPUTS = 24, FUZZ_BLOCKS = 256, FUZZ_RUNS = 3 };

typedef struct fuzz_graph {
  vlm_graph *graph;                      /* not resolved */
  vlm_tensor in[FUZZ_RUNS][FUZZ_INPUTS]; /* what each run is given; sizes of open dims differ */
  void *
      blocks[FUZZ_BLOCKS]; /* each tensor in a block of its own, so that a sanitizer sees every step beyond */
  int n_blocks;
} fuzz_graph;

/* Free with fuzz_graph_free, whatever is returned; false = the bytes ask for more than a test takes. */
bool fuzz_graph_make(fuzz_graph *g, const uint8_t *data, size_t size);
void fuzz_graph_free(fuzz_graph *g);
/* Made-up inputs for a graph from elsewhere, which belongs to g now. */
bool fuzz_graph_adopt(fuzz_graph *g, vlm_graph *graph);
/* One line per value that is given and per node. */
void fuzz_graph_print(FILE *to, const vlm_graph *graph);

#endif
