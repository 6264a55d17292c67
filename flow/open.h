/* Opening what users name: a bundle folder, an .onnx file or a .vlmq file. */
#ifndef VLM_FLOW_OPEN_H
#define VLM_FLOW_OPEN_H

#include "onnx/bundle.h"

/* Told by the first bytes; a file that has lost them by its name, so that a damaged start is told as damage. */
typedef enum vlm_file_kind { VLM_FILE_MODEL, VLM_FILE_PACKED, VLM_FILE_STATISTICS } vlm_file_kind;
/* Fails only when the file cannot be read. A folder is a model. */
vlm_status vlm_file_kind_of(vlm_file_kind *out, const char *path, vlm_error *err);
/* True for a .vlmq file. */
bool vlm_is_packed(const char *path);

/* A size for every input dimension of that name, or of INPUT[AXIS] where it has none. */
typedef struct vlm_shape_binding {
  const char *dim;
  int64_t size;
} vlm_shape_binding;

/* Inputs and outputs of the graph get the size; false when no input has such a dimension. */
bool vlm_flow_bind_dim(vlm_graph *graph, const vlm_shape_binding *shape);

typedef struct vlm_flow_open_opts {
  vlm_decoder_form decoder;        /* when a folder has both forms */
  vlm_variant variant;             /* when a folder has several precisions */
  const vlm_shape_binding *shapes; /* for single graphs */
  int32_t n_shapes;
  bool raw_prompt; /* prompts are sent without the model's chat template */
  bool lower;      /* ready to run: quantized graphs become integer operators */
  bool lazy;       /* for a bundle that is run, and neither written nor compared: lowered, and packed
                                     * weights may wait in the file until a session wants them */
} vlm_flow_open_opts;

/* opts may be NULL. Free with vlm_bundle_free. */
vlm_status vlm_flow_open(vlm_bundle **out, const char *path, const vlm_flow_open_opts *opts, vlm_error *err);
/* The second half of vlm_flow_open, for a bundle that was made otherwise. */
vlm_status vlm_flow_open_finish(vlm_bundle *bundle, const vlm_flow_open_opts *opts, vlm_error *err);

/* Bytes of a packed file (0 = it is gone), or of the weights of any other model as floats (vlm_bundle_float_bytes). */
vlm_status vlm_flow_size_bytes(size_t *out, const vlm_bundle *bundle, vlm_error *err);

#endif
