/* ONNX import: a .onnx file becomes a resolved vlm_graph.
 *
 * Opsets of ai.onnx from 1 on, IR versions from 1 on. What decides is each operator's row (runtime/ops/ops.def): an opset that is newer than
 * the newest known one is read when the row holds for "newest known", and a change that we do not have is refused by the operator's name.
 *
 * What the graph looks like: initializers and Constant nodes are CONSTANT values (an initializer that is also an input is a constant);
 * sparse tensors are dense; model-local functions are inlined (their values and nodes get the prefix "CALL/"); the bodies of If, Loop and
 * Scan are subgraphs whose outer reads are CAPTURE values; unnamed nodes get made-up names. Sequences of tensors are gone after the clean-up
 * passes; kept as written they stay, and the graph cannot be run.
 * Inline weights are taken over from the parsed file, external data files are mapped once each and used in place when aligned.
 *
 * Files are untrusted: sizes, names, nesting and counts are checked. Errors name file, node or tensor, what was got and wanted.
 * VLM_UNSUPPORTED = a valid model that needs something this project does not have; VLM_INPUT = not a valid model. */
#ifndef VLM_ONNX_IMPORT_H
#define VLM_ONNX_IMPORT_H

#include "onnx/passes.h"
#include "runtime/graph/graph.h"

typedef struct vlm_onnx_opts {
  bool keep_as_written; /* no clean-up passes */
  vlm_clean_opts clean; /* for the passes */
  const char *
      folder; /* where external data lies; NULL = the folder of the file (from memory: external data is refused) */
  int64_t max_nodes;   /* after inlining, subgraphs included; 0 = 1,000,000 */
  int32_t max_nesting; /* of subgraphs and of function calls; 0 = 64, which is also the most */
} vlm_onnx_opts;

/* opts NULL = defaults. The graph is resolved and clean; free it with vlm_graph_free. */
vlm_status vlm_onnx_import(vlm_graph **out, const char *path, const vlm_onnx_opts *opts, vlm_error *err);
/* The same from bytes, which may be freed afterwards; `source` names them in messages. */
vlm_status vlm_onnx_import_memory(vlm_graph **out, const void *data, size_t bytes, const char *source,
                                  const vlm_onnx_opts *opts, vlm_error *err);

/* One TensorProto file (input_0.pb of the backend-test layout). The elements lie in *storage; free it with vlm_free. */
vlm_status vlm_onnx_read_tensor(vlm_tensor *out, void **storage, const char *path, vlm_error *err);

#endif
