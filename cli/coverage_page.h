/* docs/coverage.md: how much of known models is in 8 bits. */
#ifndef VLM_CLI_COVERAGE_PAGE_H
#define VLM_CLI_COVERAGE_PAGE_H

#include "runtime/base/buffer.h"
#include "runtime/exec/session.h"

/* Appends the page up to the models that are not in the repository. root: the source folder. */
vlm_status vlm_coverage_page(vlm_text *text, vlm_context *context, const char *root, vlm_error *err);
/* Appends the rest: a table of the model.onnx files in the folders of `models`. */
vlm_status vlm_coverage_page_models(vlm_text *text, vlm_context *context, const char *models, vlm_error *err);

#endif
