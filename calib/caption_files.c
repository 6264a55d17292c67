#include <string.h>

#include "calib/caption_read.h"
#include "runtime/base/file.h"

/* The document, which is kept until vlm_json_free. */
static vlm_status parse(vlm_json_doc **doc, const char *text, size_t bytes, const char *source,
                        vlm_error *err) {
  vlm_status st = VLM_OK;
  char *soft = NULL;
  size_t soft_bytes = 0;
  VLM_TRY(vlm_caption_soften(&soft, &soft_bytes, text, bytes, err));
  VLM_TRY(vlm_json_parse(doc, soft ? soft : text, soft ? soft_bytes : bytes, source, err));
out:
  vlm_free(soft);
  return st;
}

/* ---- JSON lines ---- */

static vlm_status read_line(vlm_caption_set *set, const char *text, size_t bytes, int64_t line,
                            const vlm_caption_opts *opts, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_json_doc *doc = NULL;
  const char *source;
  VLM_TRY(vlm_arena_format(set->arena, &source, err, "%s:%lld", set->source, (long long)line));
  VLM_TRY(parse(&doc, text, bytes, source, err));
  VLM_TRY(vlm_caption_read_record(set, vlm_json_root(doc), opts, err));
out:
  vlm_json_free(doc);
  return st;
}

static vlm_status read_lines(vlm_caption_set *set, const char *text, size_t bytes,
                             const vlm_caption_opts *opts, vlm_error *err) {
  vlm_status st = VLM_OK;
  const char *end = text + bytes;
  for (int64_t line = 1; text < end; line++) {
    const char *stop = memchr(text, '\n', (size_t)(end - text));
    const size_t length = (size_t)((stop ? stop : end) - text);
    size_t blank = 0;
    while (blank < length && strchr(" \t\r", text[blank])) blank++;
    if (blank < length) VLM_TRY(read_line(set, text, length, line, opts, err));
    text += length + 1;
  }
out:
  return st;
}

/* JSON lines: the name says so, or the first line is an object of its own and more follows. */
static bool is_lines(const char *text, size_t bytes, const char *path) {
  const char *dot = strrchr(path, '.');
  if (dot && (strcmp(dot, ".jsonl") == 0 || strcmp(dot, ".ndjson") == 0)) return true;
  const char *stop = memchr(text, '\n', bytes);
  const char *next = stop ? memchr(stop, '{', bytes - (size_t)(stop - text)) : NULL;
  vlm_json_doc *doc = NULL;
  if (!next) return false;
  const bool whole = parse(&doc, text, (size_t)(stop - text), path, NULL) == VLM_OK &&
                     vlm_json_type(vlm_json_root(doc)) == VLM_JSON_OBJECT;
  vlm_json_free(doc);
  return whole;
}

/* ---- */

static vlm_status read_document(vlm_caption_set *set, const char *text, size_t bytes,
                                const vlm_caption_opts *opts, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_json_doc *doc = NULL;
  VLM_TRY(parse(&doc, text, bytes, set->source, err));
  VLM_TRY(vlm_caption_read_json(set, vlm_json_root(doc), opts, err));
out:
  vlm_json_free(doc);
  return st;
}

static vlm_status check_split(const vlm_caption_set *set, const vlm_caption_opts *opts, vlm_error *err) {
  if (!opts->split || !opts->must_split || set->has_splits) return VLM_OK;
  return vlm_fail(err, VLM_INPUT, "%s: does not say which images are of split \"%s\"; leave the split out",
                  set->source, opts->split);
}

vlm_status vlm_caption_set_load(vlm_caption_set *out, const char *path, const vlm_caption_opts *opts,
                                vlm_error *err) {
  static const vlm_caption_opts defaults = {.split = NULL};
  vlm_status st = VLM_OK;
  vlm_file file = {0};
  *out = (vlm_caption_set){.n_images = 0};
  if (!opts) opts = &defaults;
  VLM_TRY(vlm_file_map(&file, path, err));
  VLM_CHECK(file.bytes <= VLM_JSON_MAX_BYTES, err, VLM_LIMIT,
            "%s: %zu bytes, the limit for a caption file is %zu", path, file.bytes, VLM_JSON_MAX_BYTES);
  VLM_TRY(vlm_caption_set_create(out, path, err));
  const char *text = (const char *)file.data;
  if (is_lines(text, file.bytes, path)) VLM_TRY(read_lines(out, text, file.bytes, opts, err));
  else if (vlm_caption_is_table(text, file.bytes))
    VLM_TRY(vlm_caption_read_table(out, text, file.bytes, opts, err));
  else VLM_TRY(read_document(out, text, file.bytes, opts, err));
  VLM_TRY(check_split(out, opts, err));
  VLM_CHECK(out->n_texts > 0, err, VLM_INPUT, "%s: no caption in the file%s%s", path,
            opts->split ? " for split " : "", opts->split ? opts->split : "");
out:
  if (st != VLM_OK) vlm_caption_set_free(out);
  vlm_file_unmap(&file);
  return st;
}
