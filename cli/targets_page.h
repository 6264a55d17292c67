/* The tables of targets as a page: docs/targets.md is this text (target targets_md writes it, a test compares). */
#ifndef VLM_CLI_TARGETS_PAGE_H
#define VLM_CLI_TARGETS_PAGE_H

#include "runtime/base/buffer.h"

/* Appends the whole page: Markdown. */
vlm_status vlm_targets_page(vlm_text *out, vlm_error *err);

#endif
