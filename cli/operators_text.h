/* The operator table as a page: docs/operators.md is this text (target operators_md writes it, a test compares). */
#ifndef VLM_CLI_OPERATORS_TEXT_H
#define VLM_CLI_OPERATORS_TEXT_H

#include "runtime/base/buffer.h"

/* Appends the whole page: Markdown, one table per domain, rows by name, then opset. */
vlm_status vlm_operators_text(vlm_text *out, vlm_error *err);

#endif
