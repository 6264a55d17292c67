/* Exporting: the model's files once more, quantized as planned, in operators that other runtimes have. */
#ifndef VLM_FLOW_EXPORT_H
#define VLM_FLOW_EXPORT_H

#include "export/export.h"
#include "flow/open.h"
#include "flow/quantize.h"
#include "flow/spare.h"

typedef struct vlm_flow_export_opts {
  const vlm_target *target;
  vlm_export_format format;
  int32_t opset;                   /* 0 = 17, or more where an operator needs it */
  const char *folder;              /* a file per file of the model, and its JSON files; or */
  const char *file;                /* of a single graph */
  vlm_flow_open_opts open;         /* as the model was opened */
  const vlm_shape_binding *freeze; /* sizes that dims have in the files, of every graph that has them */
  int32_t n_freeze;
} vlm_flow_export_opts;

typedef struct vlm_exported_file {
  char *path;
  size_t bytes;
  int32_t opset;
  vlm_export_report report;
} vlm_exported_file;

typedef struct vlm_flow_export_result {
  vlm_exported_file *files;
  int32_t count;
  vlm_spared spared; /* of a single graph with samples */
} vlm_flow_export_result;

/* After vlm_flow_quantize_plan. VLM_USAGE: the target takes no such format. Free with vlm_flow_export_free in any case. */
vlm_status vlm_flow_export(vlm_flow_export_result *out, vlm_context *context, const vlm_quantization *q,
                           const vlm_flow_export_opts *opts, vlm_error *err);
void vlm_flow_export_free(vlm_flow_export_result *result);

#endif
