/* Outputs never replace what the same command reads. */
#ifndef VLM_CLI_OUTPUTS_H
#define VLM_CLI_OUTPUTS_H

#include "cli/options.h"

/* Refuses an output that is (by whatever name or link) one of the files given to read, lies among the files of a folder given to read, or is
 * another output. */
vlm_status vlm_outputs_check(const vlm_args *args, vlm_error *err);
/* The same for one path, for outputs whose names come up later. */
vlm_status vlm_output_check(const vlm_args *args, const char *output, vlm_error *err);

#endif
