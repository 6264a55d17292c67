#include "eval/labels.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "calib/folder.h"
#include "calib/text_index.h"
#include "runtime/base/file.h"
#include "runtime/base/json.h"

struct vlm_labels {
  char *source;
  int64_t *values;
  int64_t count, capacity;
  bool named;
  vlm_text_index names; /* of values */
  vlm_text_index stems; /* -> values, through stem_of */
  int64_t *stem_of;     /* per stem: the value's index, -1 = several have it */
};

static vlm_status add_stem(vlm_labels *l, const char *name, int64_t at, vlm_error *err) {
  vlm_status st = VLM_OK;
  int32_t i;
  bool added;
  const char *base = vlm_path_base(name);
  VLM_TRY(vlm_text_index_add(&l->stems, &i, &added, base, (size_t)(vlm_path_suffix(base) - base), err));
  l->stem_of[i] = added ? at : -1;
out:
  return st;
}

/* name NULL: the next in order. */
static vlm_status add(vlm_labels *l, const char *name, int64_t value, vlm_error *err) {
  vlm_status st = VLM_OK;
  int32_t i;
  bool added = true;
  VLM_CHECK(value >= 0, err, VLM_INPUT, "label %lld is negative; classes count from 0", (long long)value);
  if (l->count == l->capacity) {
    const int64_t more = l->capacity ? l->capacity * 2 : 256;
    VLM_TRY(vlm_more(&l->values, l->capacity, more, err));
    VLM_TRY(vlm_more(&l->stem_of, l->capacity, more, err));
    l->capacity = more;
  }
  VLM_CHECK(!l->count || l->named == (name != NULL), err, VLM_INPUT,
            "some labels have a name and some have none");
  l->named = name != NULL;
  if (name) VLM_TRY(vlm_text_index_add(&l->names, &i, &added, name, strlen(name), err));
  VLM_CHECK(added, err, VLM_INPUT, "a second label for \"%s\"", name);
  if (name) VLM_TRY(add_stem(l, name, l->count, err));
  l->values[l->count++] = value;
out:
  return st;
}

/* ---- text ---- */

/* "NAME NUMBER" or "NUMBER"; cuts the line. */
static vlm_status add_line(vlm_labels *l, char *line, vlm_error *err) {
  char *end = line + strlen(line), *number, *stop;
  while (end > line && strchr(" \t\r", end[-1])) *--end = 0;
  while (*line == ' ' || *line == '\t') line++;
  if (!*line) return VLM_OK;
  number = end;
  while (number > line && !strchr(" \t,", number[-1])) number--;
  errno = 0;
  const long long value = strtoll(number, &stop, 10);
  if (*stop || stop == number || errno)
    return vlm_fail(err, VLM_INPUT, "got \"%.60s\", wanted a label: \"281\" or \"NAME 281\"", line);
  char *name = number > line ? line : NULL;
  while (name && number > name && strchr(" \t,", number[-1])) *--number = 0;
  return add(l, name, value, err);
}

static vlm_status read_lines(vlm_labels *l, char *text, vlm_error *err) {
  vlm_status st = VLM_OK;
  for (int64_t k = 1; text && st == VLM_OK; k++) {
    char *end = strchr(text, '\n');
    if (end) *end++ = 0;
    st = add_line(l, text, err);
    if (st != VLM_OK) vlm_error_context(err, "line %lld", (long long)k);
    text = end;
  }
  return st;
}

/* ---- JSON ---- */

static vlm_status read_json(vlm_labels *l, vlm_json root, vlm_error *err) {
  vlm_status st = VLM_OK;
  int64_t value;
  for (size_t i = 0; vlm_json_type(root) == VLM_JSON_ARRAY && i < vlm_json_size(root); i++) {
    VLM_TRY(vlm_json_as_int(&value, vlm_json_at(root, i), err));
    VLM_TRY(add(l, NULL, value, err));
  }
  for (vlm_json_iter it = {0}; vlm_json_next(root, &it);) {
    VLM_TRY(vlm_json_as_int(&value, it.value, err));
    VLM_TRY(add(l, it.key, value, err));
  }
out:
  return st;
}

/* ---- */

vlm_status vlm_labels_load(vlm_labels **out, const char *path, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_labels *l = NULL;
  vlm_json_doc *doc = NULL;
  char *text = NULL;
  *out = NULL;
  VLM_TRY(vlm_new(&l, 1, err));
  VLM_TRY(vlm_strdup(&l->source, path, err));
  VLM_TRY(vlm_file_read_text(&text, path, err));
  const char *first = text + strspn(text, " \t\r\n");
  if (*first == '{' || *first == '[') {
    VLM_TRY(vlm_json_parse(&doc, text, strlen(text), path, err));
    VLM_TRY(read_json(l, vlm_json_root(doc), err));
  } else {
    st = read_lines(l, text, err);
    if (st != VLM_OK) vlm_error_context(err, "%s", path);
    if (st != VLM_OK) goto out;
  }
  VLM_CHECK(l->count > 0, err, VLM_INPUT, "%s: no label in the file", path);
  *out = l;
out:
  vlm_json_free(doc);
  vlm_free(text);
  if (st != VLM_OK) vlm_labels_free(l);
  return st;
}

void vlm_labels_free(vlm_labels *l) {
  if (!l) return;
  vlm_text_index_free(&l->names);
  vlm_text_index_free(&l->stems);
  vlm_free(l->stem_of);
  vlm_free(l->values);
  vlm_free(l->source);
  vlm_free(l);
}

static int64_t find_named(const vlm_labels *l, const char *key) {
  const int32_t i = vlm_text_index_find(&l->names, key, strlen(key));
  if (i >= 0) return i;
  const char *base = vlm_path_base(key);
  const int32_t stem = vlm_text_index_find(&l->stems, base, (size_t)(vlm_path_suffix(base) - base));
  return stem >= 0 ? l->stem_of[stem] : -1;
}

vlm_status vlm_labels_find(int64_t *out, const vlm_labels *l, const vlm_sample *sample, vlm_error *err) {
  vlm_status st = VLM_OK;
  const int64_t at = l->named ? find_named(l, sample->key) : (int64_t)sample->index;
  VLM_CHECK(at >= 0, err, VLM_INPUT, "%s: no label for sample \"%s\", or several that differ by folder alone",
            l->source, sample->key);
  VLM_CHECK(at < l->count, err, VLM_INPUT,
            "%s: has %lld labels, sample \"%s\" is number %zu; a label for each is wanted", l->source,
            (long long)l->count, sample->key, sample->index + 1);
  *out = l->values[at];
out:
  return st;
}
