#include "calib/folder.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#define MAX_DEPTH 32
#define MAX_FILES ((size_t)1 << 24)

typedef struct folder_walk {
  vlm_folder *out;
  size_t capacity;
  vlm_arena *arena;
  const char *root;
  vlm_folder_accept *accept;
  vlm_error *err;
} folder_walk;

static vlm_status add(folder_walk *w, const char *name) {
  vlm_status st = VLM_OK;
  VLM_CHECK(w->out->count < MAX_FILES, w->err, VLM_LIMIT, "%s: more than %zu files", w->root, MAX_FILES);
  if (w->out->count == w->capacity) {
    size_t more = w->capacity ? w->capacity * 2 : 64;
    VLM_TRY(vlm_more(&w->out->names, w->capacity, more, w->err));
    w->capacity = more;
  }
  w->out->names[w->out->count++] = name;
out:
  return st;
}

static vlm_status visit_folder(folder_walk *w, const char *relative, int depth);

static vlm_status visit(folder_walk *w, const char *relative, const char *name, int depth) {
  const char *child = NULL, *path = NULL;
  struct stat info;
  vlm_status st = VLM_OK;
  VLM_TRY(vlm_path_join_in(&child, w->arena, relative, name, w->err));
  VLM_TRY(vlm_path_join_in(&path, w->arena, w->root, child, w->err));
  if (stat(path, &info) != 0) goto out; /* a dangling link */
  if (S_ISDIR(info.st_mode)) VLM_TRY(visit_folder(w, child, depth + 1));
  else if (S_ISREG(info.st_mode) && (!w->accept || w->accept(path))) VLM_TRY(add(w, child));
out:
  return st;
}

static vlm_status visit_folder(folder_walk *w, const char *relative, int depth) {
  const char *path = NULL;
  DIR *dir = NULL;
  vlm_status st = VLM_OK;
  VLM_CHECK(depth <= MAX_DEPTH, w->err, VLM_LIMIT,
            "%s/%s: more than %d levels of folders; is a link circular?", w->root, relative, MAX_DEPTH);
  path = w->root;
  if (*relative) VLM_TRY(vlm_path_join_in(&path, w->arena, w->root, relative, w->err));
  dir = opendir(path);
  VLM_CHECK(dir, w->err, vlm_errno_status(VLM_INPUT), "%s: cannot be listed: %s", path, strerror(errno));
  for (struct dirent *e; (e = readdir(dir)) != NULL;)
    if (e->d_name[0] != '.') VLM_TRY(visit(w, relative, e->d_name, depth));
out:
  if (dir) closedir(dir);
  return st;
}

static int by_bytes(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

vlm_status vlm_folder_list(vlm_folder *out, vlm_arena *arena, const char *path, vlm_folder_accept *accept,
                           vlm_error *err) {
  folder_walk w = {.out = out, .arena = arena, .root = path, .accept = accept, .err = err};
  *out = (vlm_folder){0};
  vlm_status st = visit_folder(&w, "", 0);
  if (st != VLM_OK) vlm_folder_free(out);
  if (out->count) qsort(out->names, out->count, sizeof out->names[0], by_bytes);
  return st;
}

void vlm_folder_free(vlm_folder *folder) {
  vlm_free(folder->names);
  *folder = (vlm_folder){0};
}

const char *vlm_path_base(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

const char *vlm_path_suffix(const char *path) {
  const char *base = vlm_path_base(path), *dot = strrchr(base, '.');
  return dot && dot != base ? dot : base + strlen(base);
}

bool vlm_path_has_suffix(const char *path, const char *suffix) {
  return strcasecmp(vlm_path_suffix(path), suffix) == 0;
}

vlm_status vlm_path_join_in(const char **out, vlm_arena *arena, const char *folder, const char *name,
                            vlm_error *err) {
  size_t n = name[0] == '/' || strcmp(folder, ".") == 0 ? 0 : strlen(folder), m = strlen(name);
  bool slash = n > 0 && folder[n - 1] != '/';
  char *text = NULL;
  vlm_status st = vlm_arena_new(arena, &text, n + slash + m + 1, err);
  if (st != VLM_OK) return st;
  memcpy(text, folder, n);
  if (slash) text[n] = '/';
  memcpy(text + n + slash, name, m + 1);
  *out = text;
  return VLM_OK;
}

vlm_status vlm_path_folder(const char **out, vlm_arena *arena, const char *path, vlm_error *err) {
  size_t n = (size_t)(vlm_path_base(path) - path);
  char *text = NULL;
  if (n > 1) n--; /* without the slash, but "/" stays */
  vlm_status st = vlm_arena_new(arena, &text, n + 2, err);
  if (st != VLM_OK) return st;
  memcpy(text, n ? path : ".", n ? n : 1);
  *out = text;
  return VLM_OK;
}
