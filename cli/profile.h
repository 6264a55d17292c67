/* --profile: where the time of a run goes, as a table and as a trace. */
#ifndef VLM_CLI_PROFILE_H
#define VLM_CLI_PROFILE_H

#include "cli/program.h"
#include "flow/profile.h"

/* *out is NULL when the option is not given. */
vlm_status vlm_cli_profile_start(vlm_step_profile **out, const vlm_cli *cli, vlm_context *context,
                                 vlm_error *err);
/* The table on standard error and, with --profile=FILE, the trace; while the graphs are there. NULL is fine. */
vlm_status vlm_cli_profile_show(vlm_step_profile *profile, const vlm_cli *cli, vlm_error *err);

#endif
