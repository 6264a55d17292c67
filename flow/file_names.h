/* File names for the values of a graph: one each, the same for every run, inside the folder. */
#ifndef VLM_FLOW_FILE_NAMES_H
#define VLM_FLOW_FILE_NAMES_H

#include <stddef.h>

#include "runtime/base/status.h"

/* Writes PREFIX, then `name` with "_" for all but letters, digits, ".", "-" and "_" and cut to 120 bytes, then SUFFIX. The caller makes
 * it unique, by a number in the prefix. */
void vlm_file_name_plain(char *out, size_t size, const char *prefix, const char *name, const char *suffix);

/* NAME.npy with "_" for "/" and control characters, cut where a file system would refuse it. A name that needs no change is kept; another
 * that would be the same goes on with -2, -3, ... in the order of the list. */
typedef struct vlm_file_names {
  char **items;
  int count;
} vlm_file_names;
vlm_status vlm_file_names_make(vlm_file_names *out, const char *const *names, int count, vlm_error *err);
void vlm_file_names_free(vlm_file_names *names);

#endif
