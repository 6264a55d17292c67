/* What every JSON object says about how it came to be. */
#ifndef VLM_CLI_PROVENANCE_H
#define VLM_CLI_PROVENANCE_H

#include "cli/program.h"

/* Members "schema", "tool", "options" (those given, by name without dashes), "cpu", "threads". context may be NULL. */
void vlm_put_provenance(vlm_json_writer *w, const vlm_cli *cli, vlm_context *context);
/* A member {"path", "digest"} of a model (flow/digest.h). */
vlm_status vlm_put_model(vlm_json_writer *w, const char *key, const char *path, vlm_error *err);

#endif
