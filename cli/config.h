/* Options in a file: --config, and --print-config, which writes one. */
#ifndef VLM_CLI_CONFIG_H
#define VLM_CLI_CONFIG_H

#include "cli/option_row.h"

/* Reads args->config, a JSON object of options by their long names without the dashes: {"weights": "s8", "keep": ["head*"],
 * "everything": true}. A member named like a program holds options of this program alone. What the command line gives stays as it is.
 * Mistakes are added to `all`; VLM_INPUT, VLM_IO, VLM_LIMIT: the file. args keep the document (vlm_args_free). */
vlm_status vlm_config_read(vlm_args *args, const vlm_program *program, vlm_mistakes *all, vlm_error *err);

/* The options that were given, on the line and in the file, as such a file. Append to `out`. */
vlm_status vlm_config_write(vlm_text *out, const vlm_args *args, vlm_error *err);

#endif
