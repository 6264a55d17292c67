/* Files below a folder, in an order that does not depend on the file system. */
#ifndef VLM_CALIB_FOLDER_H
#define VLM_CALIB_FOLDER_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/base/memory.h"

typedef struct vlm_folder {
  const char **
      names; /* relative to the folder, "sub/file.png", sorted by bytes; in the arena but for the array itself */
  size_t count;
} vlm_folder;

/* Lists regular files recursively; links are followed, hidden names (leading dot) are not. At most 32 levels and 16 million files.
 * `accept` gets the full path and may refuse a file; NULL takes all. Free the list with vlm_folder_free. */
typedef bool vlm_folder_accept(const char *path);
vlm_status vlm_folder_list(vlm_folder *out, vlm_arena *arena, const char *path, vlm_folder_accept *accept,
                           vlm_error *err);
void vlm_folder_free(vlm_folder *folder);

/* Name handling; the results point into `path`. */
const char *vlm_path_base(const char *path);
/* ".png" of "a.b/c.png", "" without one. */
const char *vlm_path_suffix(const char *path);
bool vlm_path_has_suffix(const char *path, const char *suffix); /* letter case ignored */
/* folder + "/" + name in the arena; name alone when it is absolute or the folder is "" or ".". */
vlm_status vlm_path_join_in(const char **out, vlm_arena *arena, const char *folder, const char *name,
                            vlm_error *err);
/* Folder part of a path in the arena, "." without one. */
vlm_status vlm_path_folder(const char **out, vlm_arena *arena, const char *path, vlm_error *err);

#endif
