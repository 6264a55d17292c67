/* What was given and is not used: told on standard error, and in JSON. */
#ifndef VLM_CLI_SKIPPED_H
#define VLM_CLI_SKIPPED_H

#include "calib/dataset.h"
#include "cli/program.h"

typedef struct vlm_skipped {
  const vlm_cli *cli;
  vlm_arena *arena; /* made with the first */
  vlm_skip *items;
  size_t count, capacity, told;
} vlm_skipped;

/* A callback of the use cases; user is the list. */
void vlm_skipped_add(void *user, const char *path, const char *reason);
/* Those that were not told yet: how many, and the first of them, with -v all. */
void vlm_skipped_say(vlm_skipped *list);
/* "skipped": [{"path", "reason"}]. */
void vlm_put_skipped(vlm_json_writer *w, const vlm_skipped *list);
void vlm_skipped_free(vlm_skipped *list);

#endif
