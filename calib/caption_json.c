/* The JSON forms of caption files. */
#include <stdio.h>
#include <string.h>

#include "calib/caption_read.h"

/* An id as text: whole numbers in decimal, of any size (caption_soften.c makes texts of the large ones). */
static vlm_status read_id(vlm_arena *arena, const char **out, vlm_json value, vlm_error *err) {
  vlm_status st = VLM_OK;
  int64_t number;
  const vlm_json_kind kind = vlm_json_type(value);
  if (kind == VLM_JSON_TEXT) {
    VLM_TRY(vlm_json_as_text(out, value, err));
    return **out ? VLM_OK : vlm_json_fail(value, err, VLM_INPUT, "the image id is empty");
  }
  if ((kind != VLM_JSON_INT && kind != VLM_JSON_REAL) || vlm_json_as_int(&number, value, NULL) != VLM_OK)
    return vlm_json_fail(value, err, VLM_INPUT, "an image id is wanted here, an integer or a text");
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
  if (bytes > VLM_CAPTION_MAX_BYTES) {
    st = vlm_json_fail(value, err, VLM_LIMIT, "a caption of %zu bytes; the limit is %d", bytes,
                       VLM_CAPTION_MAX_BYTES);
    goto out;
  }
  VLM_TRY(vlm_arena_new(arena, &copy, bytes + 1, err));
  for (size_t i = 0; i < bytes; i++) copy[i] = text[i] ? text[i] : ' ';
  *out = copy;
out:
  return st;
}

/* Adds one caption, a text, or several, an array of texts. */
static vlm_status add_captions(vlm_caption_set *set, const char *id, vlm_json value,
                               const vlm_caption_opts *opts, vlm_error *err) {
  vlm_status st = VLM_OK;
  const char *text = NULL;
  const bool many = vlm_json_type(value) == VLM_JSON_ARRAY;
  const size_t n = many ? vlm_json_size(value) : 1;
  if (n == 0) return vlm_json_fail(value, err, VLM_INPUT, "image \"%s\" has an empty list of captions", id);
  for (size_t i = 0; i < n; i++) {
    const vlm_json one = many ? vlm_json_at(value, i) : value;
    VLM_TRY(read_caption(set->arena, &text, one, err));
    const vlm_caption_image *known = vlm_caption_set_get(set, id);
    if (opts->one_per_image && known && known->n_texts > 0) {
      st = vlm_json_fail(one, err, VLM_INPUT,
                         "a second caption for image %s; each image has exactly one candidate", id);
      goto out;
    }
    VLM_TRY(vlm_caption_set_add(set, id, text, err));
  }
out:
  return st;
}

static vlm_json first_member(vlm_json object, const char *const *keys) {
  vlm_json found = vlm_json_member(object, *keys);
  for (keys++; *keys && vlm_json_type(found) == VLM_JSON_ABSENT; keys++)
    found = vlm_json_member(object, *keys);
  return found;
}

/* Whether the object is of the split that is wanted; key: the member that names its split. */
static vlm_status is_wanted(bool *out, vlm_caption_set *set, vlm_json object, const char *key,
                            const vlm_caption_opts *opts, vlm_error *err) {
  const char *split = NULL;
  const vlm_status st = vlm_json_get_text(&split, object, key, VLM_JSON_OPTIONAL, err);
  if (split) set->has_splits = true;
  *out = !opts->split || !split || strcmp(opts->split, split) == 0;
  return st;
}

static const char *const id_keys[] = {"image_id", "image", "file_name", NULL};
static const char *const text_keys[] = {"caption", "captions", "refs", NULL};

/* Answers of vlm-run, and metadata.jsonl, name a file and have a text. */
static vlm_json text_of(vlm_json record) {
  const vlm_json found = first_member(record, text_keys);
  if (vlm_json_type(found) != VLM_JSON_ABSENT || !vlm_json_is_null(vlm_json_member(record, "image_id")))
    return found;
  return vlm_json_member(record, "text");
}

/* {"image_id", "caption"} and its kin. */
/* The line in which vlm-run tells what it left out: no answer. */
static bool tells_skipped(vlm_json record) {
  return vlm_json_size(record) == 1 && vlm_json_type(vlm_json_member(record, "skipped")) == VLM_JSON_ARRAY;
}

vlm_status vlm_caption_read_record(vlm_caption_set *set, vlm_json record, const vlm_caption_opts *opts,
                                   vlm_error *err) {
  vlm_status st = VLM_OK;
  const char *id;
  if (vlm_json_type(record) != VLM_JSON_OBJECT)
    return vlm_json_fail(record, err, VLM_INPUT, "a record {\"image_id\", \"caption\"} is wanted here");
  if (tells_skipped(record)) return VLM_OK;
  bool wanted;
  VLM_TRY(is_wanted(&wanted, set, record, "split", opts, err));
  if (!wanted) goto out;
  const vlm_json id_value = first_member(record, id_keys), text = text_of(record);
  if (vlm_json_is_null(id_value))
    return vlm_json_fail(record, err, VLM_INPUT, "the record has no \"image_id\"");
  if (vlm_json_is_null(text))
    return vlm_json_fail(record, err, VLM_INPUT, "the record has no \"caption\" (it is missing or null)");
  VLM_TRY(read_id(set->arena, &id, id_value, err));
  VLM_TRY(add_captions(set, id, text, opts, err));
out:
  return st;
}

static vlm_status read_records(vlm_caption_set *set, vlm_json list, const vlm_caption_opts *opts,
                               vlm_error *err) {
  vlm_status st = VLM_OK;
  for (size_t i = 0; i < vlm_json_size(list); i++)
    VLM_TRY(vlm_caption_read_record(set, vlm_json_at(list, i), opts, err));
out:
  return st;
}

static vlm_status set_file(vlm_caption_set *set, const char *id, vlm_json image, const char *key,
                           vlm_error *err) {
  vlm_status st = VLM_OK;
  const char *file = NULL;
  VLM_TRY(vlm_json_get_text(&file, image, key, VLM_JSON_OPTIONAL, err));
  if (file) VLM_TRY(vlm_caption_set_name_file(set, id, file, err));
out:
  return st;
}

static vlm_status read_coco(vlm_caption_set *set, vlm_json root, vlm_json annotations,
                            const vlm_caption_opts *opts, vlm_error *err) {
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
    st = vlm_json_fail(annotations, err, VLM_INPUT, "captions for image %s, which is not in \"images\"",
                       set->images[known].id);
  }
out:
  return st;
}

static vlm_status read_karpathy_image(vlm_caption_set *set, vlm_json image, const vlm_caption_opts *opts,
                                      vlm_error *err) {
  static const char *const names[] = {"cocoid", "filename", "imgid", NULL};
  vlm_status st = VLM_OK;
  vlm_json sentences;
  const char *id;
  bool wanted;
  VLM_TRY(is_wanted(&wanted, set, image, "split", opts, err));
  if (!wanted) goto out;
  const vlm_json id_value = first_member(image, names);
  if (vlm_json_is_null(id_value))
    return vlm_json_fail(image, err, VLM_INPUT, "the image has neither \"cocoid\" nor \"filename\"");
  VLM_TRY(read_id(set->arena, &id, id_value, err));
  VLM_TRY(vlm_json_get_array(&sentences, image, "sentences", VLM_JSON_REQUIRED, err));
  for (size_t i = 0; i < vlm_json_size(sentences); i++) {
    const vlm_json raw = vlm_json_member(vlm_json_at(sentences, i), "raw");
    if (vlm_json_is_null(raw))
      return vlm_json_fail(vlm_json_at(sentences, i), err, VLM_INPUT, "the sentence has no \"raw\" text");
    VLM_TRY(add_captions(set, id, raw, opts, err));
  }
  VLM_TRY(set_file(set, id, image, "filename", err));
out:
  return st;
}

/* Says which splits there are. */
static vlm_status no_split(vlm_json list, const char *key, const char *wanted, vlm_error *err) {
  char known[200] = "";
  for (size_t i = 0; i < vlm_json_size(list); i++) {
    const char *name = "";
    const size_t used = strlen(known);
    if (vlm_json_get_text(&name, vlm_json_at(list, i), key, VLM_JSON_OPTIONAL, NULL) != VLM_OK || !*name)
      continue;
    if (!strstr(known, name)) snprintf(known + used, sizeof known - used, "%s%s", used ? ", " : "", name);
  }
  return vlm_json_fail(list, err, VLM_INPUT, "no image has \"%s\": \"%s\"; known are: %s", key, wanted,
                       *known ? known : "none");
}

static vlm_status read_karpathy(vlm_caption_set *set, vlm_json images, const vlm_caption_opts *opts,
                                vlm_error *err) {
  vlm_status st = VLM_OK;
  for (size_t i = 0; i < vlm_json_size(images); i++)
    VLM_TRY(read_karpathy_image(set, vlm_json_at(images, i), opts, err));
  if (vlm_json_size(images) && !set->n_images && opts->split)
    st = no_split(images, "split", opts->split, err);
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

/* A record per caption; each holds all references of its image, which are read once. */
static vlm_status read_textcaps_record(vlm_caption_set *set, vlm_json record, const vlm_caption_opts *opts,
                                       vlm_error *err) {
  static const char *const names[] = {"image_id", "image_name", NULL};
  vlm_status st = VLM_OK;
  const char *id;
  bool wanted;
  VLM_TRY(is_wanted(&wanted, set, record, "set_name", opts, err));
  if (!wanted) goto out;
  const vlm_json id_value = first_member(record, names), refs = vlm_json_member(record, "reference_strs");
  if (vlm_json_is_null(id_value))
    return vlm_json_fail(record, err, VLM_INPUT, "the record has no \"image_id\"");
  VLM_TRY(read_id(set->arena, &id, id_value, err));
  const vlm_caption_image *known = vlm_caption_set_get(set, id);
  if (!vlm_json_is_null(refs) && known && known->n_texts) goto out;
  const vlm_json text = vlm_json_is_null(refs) ? vlm_json_member(record, "caption_str") : refs;
  if (vlm_json_is_null(text))
    return vlm_json_fail(record, err, VLM_INPUT,
                         "the record has neither \"reference_strs\" nor \"caption_str\"");
  VLM_TRY(add_captions(set, id, text, opts, err));
out:
  return st;
}

static vlm_status read_textcaps(vlm_caption_set *set, vlm_json data, const vlm_caption_opts *opts,
                                vlm_error *err) {
  vlm_status st = VLM_OK;
  for (size_t i = 0; i < vlm_json_size(data); i++)
    VLM_TRY(read_textcaps_record(set, vlm_json_at(data, i), opts, err));
  if (!set->n_images && opts->split) st = no_split(data, "set_name", opts->split, err);
out:
  return st;
}

/* One record that stands alone, and no map of an image named "image". */
static bool is_record(vlm_json root) {
  return !vlm_json_is_null(first_member(root, id_keys)) && !vlm_json_is_null(text_of(root));
}

static bool is_objects(vlm_json list) {
  return vlm_json_type(list) == VLM_JSON_ARRAY && vlm_json_type(vlm_json_at(list, 0)) == VLM_JSON_OBJECT;
}

/* Tells the formats apart and reads one. */
vlm_status vlm_caption_read_json(vlm_caption_set *set, vlm_json root, const vlm_caption_opts *opts,
                                 vlm_error *err) {
  const vlm_json_kind kind = vlm_json_type(root);
  const vlm_json annotations = vlm_json_member(root, "annotations"), images = vlm_json_member(root, "images"),
                 data = vlm_json_member(root, "data");
  if (kind != VLM_JSON_ARRAY && kind != VLM_JSON_OBJECT)
    return vlm_json_fail(root, err, VLM_INPUT, "a list of captions or an object is wanted");
  if (vlm_json_type(annotations) != VLM_JSON_ARRAY && is_objects(images))
    return read_karpathy(set, images, opts, err);
  if (is_objects(data)) return read_textcaps(set, data, opts, err);
  if (kind == VLM_JSON_ARRAY) return read_records(set, root, opts, err);
  if (vlm_json_type(annotations) == VLM_JSON_ARRAY) return read_coco(set, root, annotations, opts, err);
  if (is_record(root)) return vlm_caption_read_record(set, root, opts, err);
  return read_map(set, root, opts, err);
}
