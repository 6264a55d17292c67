#include "eval/caption_files.h"

#include <stdio.h>
#include <string.h>

#include "eval/ptb_tokenize.h"
#include "runtime/base/file.h"
#include "runtime/base/json.h"

#define MAX_BYTES VLM_JSON_MAX_BYTES

/* An id as text: integers in decimal. */
static vlm_status read_id(vlm_arena *arena, const char **out, vlm_json value, vlm_error *err) {
  vlm_status st = VLM_OK;
  int64_t number;
  if (vlm_json_type(value) == VLM_JSON_TEXT) return vlm_json_as_text(out, value, err);
  if (vlm_json_type(value) != VLM_JSON_INT) return vlm_json_fail(value, err, VLM_INPUT, "an image id is wanted here, an integer or a text");
  VLM_TRY(vlm_json_as_int(&number, value, err));
  VLM_TRY(vlm_arena_format(arena, out, err, "%lld", (long long)number));
out:
  return st;
}

/* A caption; characters with code zero become blanks. */
static vlm_status read_caption(vlm_arena *arena, const char **out, vlm_json value, vlm_error *err) {
  vlm_status st = VLM_OK;
  const char *text;
  char *copy = NULL;
  size_t bytes;
  VLM_TRY(vlm_json_as_bytes(&text, &bytes, value, err));
  if (bytes > VLM_PTB_MAX_CAPTION) {
    st = vlm_json_fail(value, err, VLM_LIMIT, "a caption of %zu bytes; the limit is %d", bytes, VLM_PTB_MAX_CAPTION);
    goto out;
  }
  VLM_TRY(vlm_arena_new(arena, &copy, bytes + 1, err));
  for (size_t i = 0; i < bytes; i++) copy[i] = text[i] ? text[i] : ' ';
  *out = copy;
out:
  return st;
}

/* Adds one caption, a text, or several, an array of texts. */
static vlm_status add_captions(vlm_caption_set *set, const char *id, vlm_json value, const vlm_caption_opts *opts, vlm_error *err) {
  vlm_status st = VLM_OK;
  const char *text = NULL;
  const bool many = vlm_json_type(value) == VLM_JSON_ARRAY;
  const size_t n = many ? vlm_json_size(value) : 1;
  if (n == 0) return vlm_json_fail(value, err, VLM_INPUT, "image \"%s\" has an empty list of captions", id);
  for (size_t i = 0; i < n; i++) {
    const vlm_json one = many ? vlm_json_at(value, i) : value;
    VLM_TRY(read_caption(set->arena, &text, one, err));
    const int32_t known = vlm_text_index_find(&set->ids, id, strlen(id));
    if (opts->one_per_image && known >= 0 && set->images[known].n_texts > 0) {
      st = vlm_json_fail(one, err, VLM_INPUT, "a second caption for image %s; each image has exactly one candidate", id);
      goto out;
    }
    VLM_TRY(vlm_caption_set_add(set, id, text, err));
  }
out:
  return st;
}

static vlm_json first_member(vlm_json object, const char *const *keys) {
  vlm_json found = vlm_json_member(object, *keys);
  for (keys++; *keys && vlm_json_type(found) == VLM_JSON_ABSENT; keys++) found = vlm_json_member(object, *keys);
  return found;
}

/* {"image_id", "caption"} or {"image", "refs"}. */
static vlm_status read_record(vlm_caption_set *set, vlm_json record, const vlm_caption_opts *opts, vlm_error *err) {
  static const char *const id_keys[] = {"image_id", "image", NULL}, *const text_keys[] = {"caption", "captions", "refs", NULL};
  vlm_status st = VLM_OK;
  const char *id;
  if (vlm_json_type(record) != VLM_JSON_OBJECT) return vlm_json_fail(record, err, VLM_INPUT, "a record {\"image_id\", \"caption\"} is wanted here");
  const vlm_json id_value = first_member(record, id_keys), text = first_member(record, text_keys);
  if (vlm_json_is_null(id_value)) return vlm_json_fail(record, err, VLM_INPUT, "the record has no \"image_id\"");
  if (vlm_json_is_null(text)) return vlm_json_fail(record, err, VLM_INPUT, "the record has no \"caption\" (it is missing or null)");
  VLM_TRY(read_id(set->arena, &id, id_value, err));
  VLM_TRY(add_captions(set, id, text, opts, err));
out:
  return st;
}

static vlm_status read_records(vlm_caption_set *set, vlm_json list, const vlm_caption_opts *opts, vlm_error *err) {
  vlm_status st = VLM_OK;
  for (size_t i = 0; i < vlm_json_size(list); i++) VLM_TRY(read_record(set, vlm_json_at(list, i), opts, err));
out:
  return st;
}

static vlm_status set_file(vlm_caption_set *set, const char *id, vlm_json image, const char *key, vlm_error *err) {
  vlm_status st = VLM_OK;
  const char *file = NULL;
  VLM_TRY(vlm_json_get_text(&file, image, key, VLM_JSON_OPTIONAL, err));
  const int32_t i = vlm_text_index_find(&set->ids, id, strlen(id));
  if (file && i >= 0) VLM_TRY(vlm_arena_strdup(set->arena, &set->images[i].file, file, err));
out:
  return st;
}

static vlm_status read_coco(vlm_caption_set *set, vlm_json root, vlm_json annotations, const vlm_caption_opts *opts, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_json images = vlm_json_member(root, "images");
  const char *id;
  for (size_t i = 0; i < vlm_json_size(images); i++) {
    const vlm_json image = vlm_json_at(images, i);
    VLM_TRY(read_id(set->arena, &id, vlm_json_member(image, "id"), err));
    VLM_TRY(vlm_caption_set_add(set, id, NULL, err));
    VLM_TRY(set_file(set, id, image, "file_name", err));
  }
  const int32_t known = set->n_images;
  VLM_TRY(read_records(set, annotations, opts, err));
  if (known && set->n_images > known) {
    st = vlm_json_fail(annotations, err, VLM_INPUT, "captions for image %s, which is not in \"images\"", set->images[known].id);
  }
out:
  return st;
}

static vlm_status read_karpathy_image(vlm_caption_set *set, vlm_json image, const vlm_caption_opts *opts, vlm_error *err) {
  static const char *const id_keys[] = {"cocoid", "filename", "imgid", NULL};
  vlm_status st = VLM_OK;
  vlm_json sentences;
  const char *id, *split = "";
  VLM_TRY(vlm_json_get_text(&split, image, "split", VLM_JSON_OPTIONAL, err));
  if (opts->split && strcmp(opts->split, split) != 0) goto out;
  const vlm_json id_value = first_member(image, id_keys);
  if (vlm_json_is_null(id_value)) return vlm_json_fail(image, err, VLM_INPUT, "the image has neither \"cocoid\" nor \"filename\"");
  VLM_TRY(read_id(set->arena, &id, id_value, err));
  VLM_TRY(vlm_json_get_array(&sentences, image, "sentences", VLM_JSON_REQUIRED, err));
  for (size_t i = 0; i < vlm_json_size(sentences); i++) {
    const vlm_json raw = vlm_json_member(vlm_json_at(sentences, i), "raw");
    if (vlm_json_is_null(raw)) return vlm_json_fail(vlm_json_at(sentences, i), err, VLM_INPUT, "the sentence has no \"raw\" text");
    VLM_TRY(add_captions(set, id, raw, opts, err));
  }
  VLM_TRY(set_file(set, id, image, "filename", err));
out:
  return st;
}

static vlm_status read_karpathy(vlm_caption_set *set, vlm_json images, const vlm_caption_opts *opts, vlm_error *err) {
  vlm_status st = VLM_OK;
  for (size_t i = 0; i < vlm_json_size(images); i++) VLM_TRY(read_karpathy_image(set, vlm_json_at(images, i), opts, err));
  if (vlm_json_size(images) && !set->n_images && opts->split) {
    st = vlm_json_fail(images, err, VLM_INPUT, "no image has \"split\": \"%s\"", opts->split);
  }
out:
  return st;
}

static vlm_status read_map(vlm_caption_set *set, vlm_json map, const vlm_caption_opts *opts, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_json_iter it = {0};
  while (vlm_json_next(map, &it)) {
    const vlm_json_kind kind = vlm_json_type(it.value);
    if (kind != VLM_JSON_TEXT && kind != VLM_JSON_ARRAY) {
      return vlm_json_fail(it.value, err, VLM_INPUT, "a caption or a list of captions is wanted here");
    }
    VLM_TRY(add_captions(set, it.key, it.value, opts, err));
  }
out:
  return st;
}

/* Tells the formats apart and reads one. */
static vlm_status read_document(vlm_caption_set *set, vlm_json root, const vlm_caption_opts *opts, vlm_error *err) {
  const vlm_json_kind kind = vlm_json_type(root);
  const vlm_json annotations = vlm_json_member(root, "annotations"), images = vlm_json_member(root, "images");
  if (kind == VLM_JSON_ARRAY) return read_records(set, root, opts, err);
  if (kind != VLM_JSON_OBJECT) return vlm_json_fail(root, err, VLM_INPUT, "a list of captions or an object is wanted");
  if (vlm_json_type(annotations) == VLM_JSON_ARRAY) return read_coco(set, root, annotations, opts, err);
  if (vlm_json_type(images) == VLM_JSON_ARRAY && vlm_json_type(vlm_json_at(images, 0)) == VLM_JSON_OBJECT) return read_karpathy(set, images, opts, err);
  return read_map(set, root, opts, err);
}

static vlm_status read_line(vlm_caption_set *set, const char *text, size_t bytes, const char *path, int64_t line, const vlm_caption_opts *opts,
                            vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_json_doc *doc = NULL;
  const char *source;
  VLM_TRY(vlm_arena_format(set->arena, &source, err, "%s:%lld", path, (long long)line));
  VLM_TRY(vlm_json_parse(&doc, text, bytes, source, err));
  VLM_TRY(read_record(set, vlm_json_root(doc), opts, err));
out:
  vlm_json_free(doc);
  return st;
}

static vlm_status read_lines(vlm_caption_set *set, const char *text, size_t bytes, const char *path, const vlm_caption_opts *opts, vlm_error *err) {
  vlm_status st = VLM_OK;
  const char *end = text + bytes;
  for (int64_t line = 1; text < end; line++) {
    const char *stop = memchr(text, '\n', (size_t)(end - text));
    const size_t length = (size_t)((stop ? stop : end) - text);
    size_t blank = 0;
    while (blank < length && strchr(" \t\r", text[blank])) blank++;
    if (blank < length) VLM_TRY(read_line(set, text, length, path, line, opts, err));
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
  const bool whole = vlm_json_parse(&doc, text, (size_t)(stop - text), path, NULL) == VLM_OK && vlm_json_type(vlm_json_root(doc)) == VLM_JSON_OBJECT;
  vlm_json_free(doc);
  return whole;
}

vlm_status vlm_caption_set_load(vlm_caption_set *out, const char *path, const vlm_caption_opts *opts, vlm_error *err) {
  static const vlm_caption_opts defaults = {.split = NULL};
  vlm_status st = VLM_OK;
  vlm_file file = {0};
  vlm_json_doc *doc = NULL;
  bool created = false;
  if (!opts) opts = &defaults;
  VLM_TRY(vlm_file_map(&file, path, err));
  VLM_CHECK(file.bytes <= MAX_BYTES, err, VLM_LIMIT, "%s: %zu bytes, the limit for a caption file is %zu", path, file.bytes, MAX_BYTES);
  VLM_TRY(vlm_caption_set_create(out, path, err));
  created = true;
  const char *text = (const char *)file.data;
  if (is_lines(text, file.bytes, path)) {
    VLM_TRY(read_lines(out, text, file.bytes, path, opts, err));
  } else {
    VLM_TRY(vlm_json_parse(&doc, text, file.bytes, path, err));
    VLM_TRY(read_document(out, vlm_json_root(doc), opts, err));
  }
  VLM_CHECK(out->n_texts > 0, err, VLM_INPUT, "%s: no caption in the file", path);
out:
  if (st != VLM_OK && created) vlm_caption_set_free(out);
  vlm_json_free(doc);
  vlm_file_unmap(&file);
  return st;
}
