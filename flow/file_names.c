#include "flow/file_names.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/memory.h"

enum {
  MOST = 200
}; /* of 255 bytes that file systems allow: a number, the suffix and the writer's temporary name follow */
static const char SUFFIX[] = ".npy";

void vlm_file_name_plain(char *out, size_t size, const char *prefix, const char *name, const char *suffix) {
  size_t n = (size_t)snprintf(out, size, "%s%.120s", prefix, name);
  for (size_t i = strlen(prefix); i < n; i++) {
    char c = out[i];
    bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
                 c == '-' || c == '_';
    if (!plain) out[i] = '_';
  }
  snprintf(out + n, size - n, "%s", suffix);
}

static void make_stem(char stem[MOST + 1], const char *name) {
  snprintf(stem, MOST + 1, "%s", name);
  for (char *c = stem; *c; c++)
    if (*c == '/' || iscntrl((unsigned char)*c)) *c = '_';
}

/* The file belongs to another value: by its own name, or because it was given away before. */
static bool is_taken(const vlm_file_names *out, const char *const *names, int at, const char *file) {
  size_t length = strlen(file) - strlen(SUFFIX);
  for (int k = 0; k < out->count; k++) {
    if (k == at) continue;
    if (out->items[k] && strcmp(out->items[k], file) == 0) return true;
    if (strlen(names[k]) == length && strncmp(names[k], file, length) == 0) return true;
  }
  return false;
}

static vlm_status name_one(vlm_file_names *out, const char *const *names, int at, vlm_error *err) {
  vlm_status st = VLM_OK;
  char stem[MOST + 1], file[MOST + 32];
  make_stem(stem, names[at]);
  snprintf(file, sizeof file, "%s%s", stem, SUFFIX);
  for (int number = 2; is_taken(out, names, at, file); number++)
    snprintf(file, sizeof file, "%s-%d%s", stem, number, SUFFIX);
  VLM_TRY(vlm_strdup(&out->items[at], file, err));
out:
  return st;
}

vlm_status vlm_file_names_make(vlm_file_names *out, const char *const *names, int count, vlm_error *err) {
  vlm_status st = VLM_OK;
  *out = (vlm_file_names){0};
  VLM_TRY(vlm_new(&out->items, count, err));
  out->count = count;
  for (int k = 0; k < count; k++) VLM_TRY(name_one(out, names, k, err));
out:
  return st;
}

void vlm_file_names_free(vlm_file_names *names) {
  for (int k = 0; k < names->count; k++) vlm_free(names->items[k]);
  vlm_free(names->items);
  *names = (vlm_file_names){0};
}
