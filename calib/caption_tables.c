/* Captions as tables: lines "1.jpg#0<TAB>caption", and tables whose first line names the columns, separated by comma, bar or tab. */
#include <string.h>

#include "calib/caption_read.h"
#include "runtime/base/buffer.h"

enum { MOST_FIELDS = 32 };

typedef struct {
  const char *at, *end;
  char separator;
  int64_t line; /* of the next record, from 1 */
} table_reader;

/* The columns that are read; -1 = there is none. */
typedef struct {
  int image, caption, split, fields;
} columns;

static const char *const IMAGE[] = {"image", "image_name", "image_id", "file_name", "filename",
                                    "img",   "image_path", "path",     NULL};
static const char *const CAPTION[] = {"caption",  "comment", "caption_text", "text",
                                      "sentence", "raw",     "captions",     NULL};
static const char *const SPLIT[] = {"split", NULL};

/* ---- fields ---- */

static bool is_blank(char c) { return c == ' ' || c == '\t'; }

/* A field in quotes, in which a quote is written twice; the reader ends behind the closing one. */
static vlm_status read_quoted(table_reader *r, vlm_text *out, vlm_error *err) {
  vlm_status st = VLM_OK;
  const int64_t line = r->line;
  for (r->at++; r->at < r->end; r->at++) {
    if (*r->at == '"' && (++r->at == r->end || *r->at != '"')) goto out;
    r->line += *r->at == '\n';
    VLM_TRY(vlm_text_append(out, *r->at ? r->at : " ", 1, err));
  }
  st = vlm_fail(err, VLM_INPUT, "line %lld: a quote that does not end", (long long)line);
out:
  return st;
}

static vlm_status read_plain(table_reader *r, vlm_text *out, bool last, vlm_error *err) {
  vlm_status st = VLM_OK;
  while (r->at < r->end && is_blank(*r->at) && *r->at != r->separator) r->at++;
  if (r->at < r->end && *r->at == '"' && r->separator == ',') VLM_TRY(read_quoted(r, out, err));
  const char *from = r->at;
  while (r->at < r->end && *r->at != '\n' && (last || *r->at != r->separator)) r->at++;
  const char *to = r->at;
  while (to > from && (is_blank(to[-1]) || to[-1] == '\r')) to--;
  for (; from < to; from++) VLM_TRY(vlm_text_append(out, *from ? from : " ", 1, err));
out:
  return st;
}

/* One record; *count gets how many fields there are: at most `most`, of which the last takes the rest of the line; 0 = as there are. */
static vlm_status read_record(table_reader *r, vlm_text *fields, int *count, int most, vlm_error *err) {
  vlm_status st = VLM_OK;
  *count = 0;
  for (;;) {
    vlm_text_clear(&fields[*count]);
    VLM_TRY(read_plain(r, &fields[*count], *count + 1 == most, err));
    ++*count;
    if (r->at == r->end || *r->at == '\n') break;
    r->at++;
    VLM_CHECK(*count < MOST_FIELDS, err, VLM_LIMIT, "line %lld: more than %d columns", (long long)r->line,
              MOST_FIELDS);
  }
  r->line++;
  r->at += r->at < r->end;
out:
  return st;
}

/* ---- the head ---- */

static int column_of(const vlm_text *fields, int count, const char *const *names) {
  for (; *names; names++)
    for (int i = 0; i < count; i++)
      if (strcmp(vlm_text_get(&fields[i]), *names) == 0) return i;
  return -1;
}

static vlm_status read_head(columns *out, table_reader *r, vlm_text *fields, vlm_error *err) {
  vlm_status st = VLM_OK;
  VLM_TRY(read_record(r, fields, &out->fields, 0, err));
  out->image = column_of(fields, out->fields, IMAGE);
  out->caption = column_of(fields, out->fields, CAPTION);
  out->split = column_of(fields, out->fields, SPLIT);
out:
  return st;
}

/* The separator of the first line: the first of tab, bar and comma that is there; 0 = none. */
static char separator_of(const char *text, size_t length) {
  for (const char *c = "\t|,"; *c; c++)
    if (memchr(text, *c, length)) return *c;
  return 0;
}

static table_reader reader_of(const char *text, size_t bytes) {
  const size_t mark = bytes >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
  const char *stop = memchr(text, '\n', bytes);
  return (table_reader){.at = text + mark,
                        .end = text + bytes,
                        .line = 1,
                        .separator = separator_of(text, stop ? (size_t)(stop - text) : bytes)};
}

/* "1.jpg#0<TAB>caption". */
static const char *find_hash(const char *field) {
  const char *hash = strrchr(field, '#');
  return hash && hash > field && hash[1] && strspn(hash + 1, "0123456789") == strlen(hash + 1) ? hash : NULL;
}

static void free_fields(vlm_text *fields) {
  for (int i = 0; i < MOST_FIELDS; i++) vlm_text_free(&fields[i]);
}

static vlm_status look(columns *out, bool *tokens, const char *text, size_t bytes, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_text fields[MOST_FIELDS] = {{0}};
  table_reader r = reader_of(text, bytes);
  *tokens = false;
  *out = (columns){.image = -1, .caption = -1};
  if (!r.separator || r.at == r.end || strchr("{[", *r.at)) goto out;
  VLM_TRY(read_head(out, &r, fields, err));
  *tokens = r.separator == '\t' && out->fields >= 2 && find_hash(vlm_text_get(&fields[0]));
out:
  free_fields(fields);
  return st;
}

bool vlm_caption_is_table(const char *text, size_t bytes) {
  columns c;
  bool tokens;
  return look(&c, &tokens, text, bytes, NULL) == VLM_OK && (tokens || (c.image >= 0 && c.caption >= 0));
}

/* ---- records ---- */

static vlm_status add_text(vlm_caption_set *set, const char *image, const char *text,
                           const vlm_caption_opts *opts, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_caption_image *known = vlm_caption_set_get(set, image);
  VLM_CHECK(strlen(text) <= VLM_CAPTION_MAX_BYTES, err, VLM_LIMIT, "a caption of %zu bytes; the limit is %d",
            strlen(text), VLM_CAPTION_MAX_BYTES);
  VLM_CHECK(!opts->one_per_image || !known || !known->n_texts, err, VLM_INPUT,
            "a second caption for image %s; each image has exactly one candidate", image);
  VLM_TRY(vlm_caption_set_add(set, image, text, err));
out:
  return st;
}

/* A cell with a JSON list of captions, as some tables have it. */
static vlm_status add_cell(vlm_caption_set *set, const char *image, const char *cell,
                           const vlm_caption_opts *opts, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_json_doc *doc = NULL;
  const char *text;
  if (*cell != '[' || vlm_json_parse(&doc, cell, strlen(cell), "cell", NULL) != VLM_OK)
    return add_text(set, image, cell, opts, err);
  const vlm_json list = vlm_json_root(doc);
  for (size_t i = 0; i < vlm_json_size(list); i++) {
    VLM_TRY(vlm_json_as_text(&text, vlm_json_at(list, i), err));
    VLM_TRY(add_text(set, image, text, opts, err));
  }
out:
  vlm_json_free(doc);
  return st;
}

/* A table that is in use has one row without the bar behind its number: "1.jpg| 4   A dog runs". */
static const char *behind_number(const char *field) {
  const size_t digits = strspn(field, "0123456789");
  return digits && is_blank(field[digits]) ? field + digits + strspn(field + digits, " \t") : NULL;
}

static const char *caption_of(const columns *c, const vlm_text *fields, int count) {
  if (count > c->caption) return vlm_text_get(&fields[c->caption]);
  return count == c->caption && count > c->image + 1 ? behind_number(vlm_text_get(&fields[count - 1])) : NULL;
}

static vlm_status add_row(vlm_caption_set *set, const columns *c, vlm_text *fields, int count,
                          const vlm_caption_opts *opts, vlm_error *err) {
  vlm_status st = VLM_OK;
  if (count == 1 && !*vlm_text_get(&fields[0])) return VLM_OK;
  const char *caption = caption_of(c, fields, count);
  VLM_CHECK(count > c->image && caption, err, VLM_INPUT, "got %d columns, wanted %d", count, c->fields);
  if (c->split >= 0 && count > c->split && opts->split &&
      strcmp(vlm_text_get(&fields[c->split]), opts->split) != 0)
    goto out;
  const char *image = vlm_text_get(&fields[c->image]);
  VLM_CHECK(*image, err, VLM_INPUT, "the image has no name");
  VLM_TRY(add_cell(set, image, caption, opts, err));
out:
  return st;
}

static vlm_status add_tokens(vlm_caption_set *set, vlm_text *fields, int count, const vlm_caption_opts *opts,
                             vlm_error *err) {
  vlm_status st = VLM_OK;
  const char *image;
  if (count == 1 && !*vlm_text_get(&fields[0])) return VLM_OK;
  const char *name = vlm_text_get(&fields[0]), *hash = find_hash(name);
  VLM_CHECK(count == 2 && hash, err, VLM_INPUT, "got \"%.60s\", wanted \"IMAGE#NUMBER<TAB>caption\"", name);
  VLM_TRY(vlm_arena_format(set->arena, &image, err, "%.*s", (int)(hash - name), name));
  VLM_TRY(add_text(set, image, vlm_text_get(&fields[1]), opts, err));
out:
  return st;
}

vlm_status vlm_caption_read_table(vlm_caption_set *set, const char *text, size_t bytes,
                                  const vlm_caption_opts *opts, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_text fields[MOST_FIELDS] = {{0}};
  table_reader r = reader_of(text, bytes);
  columns c;
  bool tokens;
  int count;
  VLM_TRY(look(&c, &tokens, text, bytes, err));
  if (tokens) c = (columns){.caption = 1, .fields = 2};
  else VLM_TRY(read_head(&c, &r, fields, err));
  set->has_splits = !tokens && c.split >= 0;
  while (r.at < r.end) {
    const int64_t line = r.line;
    VLM_TRY(read_record(&r, fields, &count, c.caption == c.fields - 1 ? c.fields : 0, err));
    st = tokens ? add_tokens(set, fields, count, opts, err) : add_row(set, &c, fields, count, opts, err);
    if (st != VLM_OK) vlm_error_context(err, "%s:%lld", set->source, (long long)line);
    if (st != VLM_OK) goto out;
  }
out:
  free_fields(fields);
  return st;
}
