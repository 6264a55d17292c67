/* An ONNX file; what is imported runs in every way. */
#include <stdlib.h>

#include "onnx/import.h"
#include "tests/fuzz/graph_run.h"
#include "tests/fuzz/target.h"

fuzz_run fuzz_on_onnx;

void fuzz_on_onnx(const uint8_t *data, size_t size) {
  static fuzz_graph g; /* large */
  vlm_error err = {0};
  vlm_graph *graph = NULL;
  const vlm_onnx_opts opts = {.keep_as_written = size % 2};
  vlm_status st = vlm_onnx_import_memory(&graph, data, size, "fuzz.onnx", &opts, &err);
  if (!fuzz_is_outcome(st) || (st && !err.text[0])) fuzz_found(err.text);
  if (st != VLM_OK) return;
  const char *what = fuzz_graph_adopt(&g, graph) ? fuzz_graph_check(&g, NULL) : NULL;
  if (what) {
    fuzz_graph_print(stderr, graph);
    fuzz_found(what);
  }
  fuzz_graph_free(&g);
}
