/* The output of `vlm-run --check`: a line per failure, the closing line, JSON. */
#ifndef VLM_CLI_CHECK_REPORT_H
#define VLM_CLI_CHECK_REPORT_H

#include <stdbool.h>

#include "flow/check.h"

typedef struct vlm_check_output {
  bool json;             /* one JSON object */
  const char *json_path; /* where to; NULL = standard output */
  bool verbose;          /* a line for every case */
  bool quiet;            /* only the closing line */
} vlm_check_output;

/* Runs the check and prints. VLM_INPUT when a case failed (the message says how many). */
vlm_status vlm_check_report(const char *const *folders, int32_t n_folders, const vlm_check_opts *opts,
                            const vlm_check_output *output, vlm_error *err);

#endif
