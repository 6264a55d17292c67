/* Tables of images (.csv, RFC 4180): a header that names the columns, quoted fields that may hold commas and line breaks. */
#include <stdio.h>
#include <string.h>

#include "calib/dataset_paths.h"
#include "runtime/base/file.h"

enum { MAX_COLUMNS = 64 };

typedef struct csv_reading {
  vlm_dataset *set;
  const char *path, *folder;
  char *at;          /* the next field */
  size_t line, next; /* of the row that was read; of what follows it */
  char where[512];   /* the row, for messages */
  vlm_row_key keys[MAX_COLUMNS];
  char *fields[MAX_COLUMNS];
} csv_reading;

/* Cuts one field out of the text, in place; *more: another follows in this row. */
static vlm_status take_field(csv_reading *r, char **out, bool *more, vlm_error *err) {
  char *from = r->at, *to = r->at;
  const bool quoted = *from == '"';
  bool open = quoted;
  from += quoted;
  *out = to;
  for (; *from && (open || (*from != ',' && *from != '\n')); from++) {
    r->next += *from == '\n';
    const bool twice = open && from[0] == '"' && from[1] == '"'; /* stands for one */
    if (quoted && *from == '"' && !twice) {
      open = false;
      continue;
    }
    from += twice;
    *to++ = *from;
  }
  if (open) return vlm_fail(err, VLM_INPUT, "%s: a quoted field is not closed", r->where);
  *more = *from == ',';
  r->next += *from == '\n';
  r->at = *from ? from + 1 : from;
  if (to > *out && to[-1] == '\r' && !*more) to--;
  *to = 0;
  return VLM_OK;
}

/* One row; empty lines are passed over. *count 0: the table has ended. */
static vlm_status take_row(csv_reading *r, size_t *count, vlm_error *err) {
  vlm_status st = VLM_OK;
  bool more = true;
  *count = 0;
  while (*r->at == '\n' || *r->at == '\r') r->next += *r->at++ == '\n';
  r->line = r->next;
  snprintf(r->where, sizeof r->where, "%s: line %zu", r->path, r->line);
  for (; more && (*r->at || *count); ++*count) { /* a comma at the very end has an empty field behind it */
    VLM_CHECK(*count < MAX_COLUMNS, err, VLM_LIMIT, "%s: more than %d columns", r->where, MAX_COLUMNS);
    VLM_TRY(take_field(r, &r->fields[*count], &more, err));
  }
out:
  return st;
}

static vlm_status take_header(csv_reading *r, size_t count, vlm_error *err) {
  vlm_status st = VLM_OK;
  int images = 0;
  for (size_t i = 0; i < count; i++) {
    VLM_TRY(vlm_row_key_of(&r->keys[i], r->fields[i], r->where, err));
    images += r->keys[i] == VLM_ROW_IMAGE;
  }
  VLM_CHECK(images == 1, err, VLM_INPUT, "%s: %s; the first line names the columns, such as image,caption",
            r->where, images ? "two columns name the image" : "no column is called \"image\"");
out:
  return st;
}

/* One more reference of the image that the row before has named. */
static vlm_status add_ref(csv_reading *r, vlm_sample *last, const char *ref, vlm_error *err) {
  vlm_status st = VLM_OK;
  const char **refs = NULL;
  VLM_TRY(vlm_arena_new(r->set->arena, &refs, last->ref_count + 1, err));
  for (size_t i = 0; i < last->ref_count; i++) refs[i] = last->refs[i];
  VLM_TRY(vlm_arena_strdup(r->set->arena, &refs[last->ref_count], ref, err));
  last->refs = refs;
  last->ref_count++;
out:
  return st;
}

/* first: samples there were before this table. */
static vlm_status add_row(csv_reading *r, size_t count, size_t first, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_dataset_row row = {0};
  vlm_dataset *set = r->set;
  for (size_t i = 0; i < count; i++) {
    if (r->keys[i] == VLM_ROW_IMAGE) row.image = r->fields[i];
    if (r->keys[i] == VLM_ROW_PROMPT) row.prompt = r->fields[i];
  }
  vlm_sample *last = set->count > first ? &set->samples[set->count - 1] : NULL;
  const bool goes_on =
      last && last->ref_count && !(row.prompt && *row.prompt) && strcmp(last->key, row.image) == 0;
  if (!goes_on) VLM_TRY(vlm_dataset_add_row(set, &row, r->folder, r->where, err));
  for (size_t i = 0; i < count; i++)
    if (r->keys[i] == VLM_ROW_REFS && *r->fields[i])
      VLM_TRY(add_ref(r, &set->samples[set->count - 1], r->fields[i], err));
out:
  return st;
}

vlm_status vlm_dataset_add_csv(vlm_dataset *set, const char *path, vlm_error *err) {
  vlm_status st = VLM_OK;
  char *text = NULL;
  csv_reading r = {.set = set, .path = path, .next = 1};
  size_t columns = 0, count = 0;
  const size_t first = set->count;
  VLM_TRY(vlm_path_folder(&r.folder, set->arena, path, err));
  VLM_TRY(vlm_file_read_text(&text, path, err));
  r.at = strncmp(text, "\xEF\xBB\xBF", 3) == 0 ? text + 3 : text;
  VLM_TRY(take_row(&r, &columns, err));
  VLM_TRY(take_header(&r, columns, err));
  for (;;) {
    VLM_TRY(take_row(&r, &count, err));
    if (count == 0) break;
    VLM_CHECK(count == columns, err, VLM_INPUT, "%s: %zu fields, the header names %zu columns", r.where,
              count, columns);
    VLM_TRY(add_row(&r, count, first, err));
  }
  VLM_CHECK(set->count > first, err, VLM_INPUT, "%s: the table has no images", path);
out:
  vlm_free(text);
  return st;
}
