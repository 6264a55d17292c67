/* Watching a use case while it runs, and ending it. */
#ifndef VLM_FLOW_WATCH_H
#define VLM_FLOW_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/status.h"

/* In the options of every use case that takes time; all of it may be NULL. */
typedef struct vlm_watch {
  /* A unit of work is done (samples, stages: as the use case says). */
  void (*progress)(void *user, int64_t done, int64_t total);
  /* Asked between units: true ends the use case with VLM_INTERRUPTED. Files are whole or not there. */
  bool (*cancelled)(void *user);
  void *user;
} vlm_watch;

/* For those who work: tells the progress, then VLM_INTERRUPTED when it was cancelled; what is done to the end can
 * no longer be. watch is a const vlm_watch *, so that this is a callback itself. */
vlm_status vlm_watch_step(void *watch, int64_t done, int64_t total, vlm_error *err);

/* The same without progress, inside a unit of work. */
vlm_status vlm_watch_go_on(void *watch, vlm_error *err);

#endif
