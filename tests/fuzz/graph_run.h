/* A made-up graph (graph_make.h) run in every way that there is; ways that must agree are compared. */
#ifndef VLM_TESTS_FUZZ_GRAPH_RUN_H
#define VLM_TESTS_FUZZ_GRAPH_RUN_H

#include "runtime/exec/session.h"
#include "tests/fuzz/graph_make.h"

enum { FUZZ_OUTPUTS = 64, FUZZ_BYTES = 1 << 23 };

/* What one way of running gave: a status and message, or outputs that are copied here. */
typedef struct fuzz_answer {
  vlm_status status;
  vlm_error err;
  int n_out;
  vlm_tensor out[FUZZ_OUTPUTS];
} fuzz_answer;
void fuzz_answer_free(fuzz_answer *a);

/* Node by node, every result in a block of its own size, work space too: no plan, no sharing, no prepared weights. Bodies: UNSUPPORTED. */
void fuzz_run_nodes(fuzz_answer *a, const fuzz_graph *g, const vlm_graph *graph, vlm_context *context,
                    int run);
/* A session, which keeps its plans from run to run. */
void fuzz_run_session(fuzz_answer *a, const fuzz_graph *g, vlm_session *session, int n_out, int run);
/* What differs, as text; "" = nothing. `tolerance` 0: the same bits. */
const char *fuzz_difference(const fuzz_answer *a, const fuzz_answer *b, double tolerance);
/* Refused or run; anything else is a defect. */
bool fuzz_is_outcome(vlm_status status);

/* Everything. Returns NULL, or what is wrong; `ran` (may be NULL) = whether the graph as it is ran at all. */
const char *fuzz_graph_try(const uint8_t *data, size_t size, bool *ran);

/* The same for a graph that is there. */
const char *fuzz_graph_check(fuzz_graph *g, bool *ran);

#endif
