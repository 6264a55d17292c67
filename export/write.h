/* A vlm_graph as an .onnx file.
 *
 * Nodes and constants are written as they are: whoever calls has brought operators to the opset (legalize.h). Same graph and options, same
 * bytes. Names of bodies that would hide one of an enclosing graph are written with a suffix. */
#ifndef VLM_EXPORT_WRITE_H
#define VLM_EXPORT_WRITE_H

#include "runtime/graph/graph.h"

typedef struct vlm_onnx_write_opts {
  int32_t opset; /* of ai.onnx; 0 = the graph's */
  /* Constants of more bytes together lie in PATH_data, the large ones on pages; 0 = 1 GB */
  size_t inline_most;
} vlm_onnx_write_opts;

/* bytes: of the file and its data, or NULL. */
vlm_status vlm_onnx_write(size_t *bytes, const char *path, vlm_graph *graph, const vlm_onnx_write_opts *opts,
                          vlm_error *err);
/* The IR version that came with an opset; 8 for those up to 18. */
int64_t vlm_onnx_ir_version(int32_t opset);

#endif
