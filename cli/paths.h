/* Files of the command line: what is read is there, what is written can be, and nothing that is written is
 * read. */
#ifndef VLM_CLI_PATHS_H
#define VLM_CLI_PATHS_H

#include "cli/options.h"

/* Looks at all paths that were given, before any work. Inputs: VLM_INPUT names those that are not there or
 * cannot be read. Outputs: VLM_IO names those that cannot be written, with what to do; VLM_USAGE one that is
 * (by whatever name or link) a file given to read, lies among the files of a folder given to read, or is
 * another output. */
vlm_status vlm_paths_check(const vlm_args *args, vlm_error *err);
/* Whether the output is something that is read, for outputs whose names come up later. */
vlm_status vlm_output_check(const vlm_args *args, const char *output, vlm_error *err);

#endif
