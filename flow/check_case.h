/* Private to check: one case. */
#ifndef VLM_FLOW_CHECK_CASE_H
#define VLM_FLOW_CHECK_CASE_H

#include "flow/check.h"
#include "runtime/exec/session.h"

/* Imports folder/model.onnx and runs every test_data_set_* below it. */
vlm_status vlm_check_run_case(const char *folder, vlm_context *context, double rtol, double atol,
                              vlm_error *err);

/* Sorted names of the entries of a folder, without "." files. Free with vlm_check_free_names. */
vlm_status vlm_check_list(const char *folder, char ***names, int32_t *count, vlm_error *err);
void vlm_check_free_names(char **names, int32_t count);

#endif
