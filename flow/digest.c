#include "flow/digest.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "calib/folder.h"
#include "runtime/base/file.h"

enum { PIECE = 1 << 18 };

static vlm_status add_file(vlm_hasher *hasher, char *piece, const char *path, vlm_error *err) {
  vlm_status st = VLM_OK;
  FILE *file = fopen(path, "rb");
  VLM_CHECK(file, err, vlm_errno_status(VLM_IO), "%s: cannot be opened: %s", path, strerror(errno));
  for (size_t got; (got = fread(piece, 1, PIECE, file)) > 0;) vlm_hasher_add(hasher, piece, got);
  VLM_CHECK(!ferror(file), err, VLM_IO, "%s: cannot be read: %s", path, strerror(errno));
out:
  if (file) fclose(file);
  return st;
}

static vlm_status add_folder(vlm_hasher *hasher, char *piece, const char *path, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_arena *arena = NULL;
  vlm_folder list = {0};
  const char *name;
  VLM_TRY(vlm_arena_create(&arena, err));
  VLM_TRY(vlm_folder_list(&list, arena, path, NULL, err));
  for (size_t i = 0; i < list.count; i++) {
    VLM_TRY(vlm_path_join_in(&name, arena, path, list.names[i], err));
    if (!vlm_file_is_regular(name, NULL)) continue;
    vlm_hasher_add_text(hasher, list.names[i]);
    VLM_TRY(add_file(hasher, piece, name, err));
  }
out:
  vlm_folder_free(&list);
  vlm_arena_free(arena);
  return st;
}

vlm_status vlm_flow_digest(vlm_digest *out, const char *path, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_hasher *hasher = NULL;
  char *piece = NULL;
  VLM_TRY(vlm_hasher_create(&hasher, err));
  VLM_TRY(vlm_new(&piece, PIECE, err));
  VLM_TRY((vlm_file_is_folder(path) ? add_folder : add_file)(hasher, piece, path, err));
  *out = vlm_hasher_digest(hasher);
out:
  vlm_free(piece);
  vlm_hasher_free(hasher);
  return st;
}
