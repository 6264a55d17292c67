#include "calib/caption_join.h"

#include <string.h>

#include "calib/folder.h"
#include "runtime/base/buffer.h"

typedef enum { BY_NAME, BY_BASE, BY_STEM, BY_NUMBER, WAYS } join_way;

/* Names of one way -> entries of the set; several entries may have one. */
typedef struct vlm_caption_keys {
  vlm_text_index names;
  int32_t *first, *second; /* per name: entries, -1 = none */
} caption_keys;

/* ---- keys ---- */

static vlm_slice base_of(const char *name) {
  const char *base = vlm_path_base(name);
  return (vlm_slice){base, strlen(base)};
}

static vlm_slice stem_of(const char *name) {
  const char *base = vlm_path_base(name);
  return (vlm_slice){base, (size_t)(vlm_path_suffix(base) - base)};
}

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

/* The number that ends the stem, without leading zeros; empty when there is none. */
static vlm_slice number_of(const char *name) {
  vlm_slice stem = stem_of(name);
  size_t from = stem.bytes;
  while (from > 0 && is_digit(stem.data[from - 1])) from--;
  while (from + 1 < stem.bytes && stem.data[from] == '0') from++;
  return (vlm_slice){stem.data + from, stem.bytes - from};
}

/* All in front of the digits that end the stem. */
static vlm_slice prefix_of(const char *name) {
  vlm_slice stem = stem_of(name);
  while (stem.bytes && is_digit(stem.data[stem.bytes - 1])) stem.bytes--;
  return stem;
}

static vlm_status add_key(caption_keys *keys, vlm_slice name, int32_t entry, vlm_error *err) {
  vlm_status st = VLM_OK;
  int32_t at;
  bool added;
  if (!name.bytes) return VLM_OK;
  VLM_TRY(vlm_text_index_add(&keys->names, &at, &added, name.data, name.bytes, err));
  if (added) keys->first[at] = entry, keys->second[at] = -1;
  else if (keys->first[at] != entry && keys->second[at] < 0) keys->second[at] = entry;
out:
  return st;
}

/* The id is a number, and the file's name, when there is one, ends in it. */
static bool is_number_of(const vlm_caption_image *image) {
  if (strspn(image->id, "0123456789") != strlen(image->id)) return false;
  if (!image->file) return true;
  const vlm_slice a = number_of(image->id), b = number_of(image->file);
  return a.bytes == b.bytes && memcmp(a.data, b.data, a.bytes) == 0;
}

static vlm_status add_entry(caption_keys *keys, const vlm_caption_image *image, int32_t entry,
                            vlm_error *err) {
  vlm_status st = VLM_OK;
  const char *name = image->file ? image->file : image->id;
  const vlm_slice id = {image->id, strlen(image->id)};
  VLM_TRY(add_key(&keys[BY_NAME], id, entry, err));
  VLM_TRY(add_key(&keys[BY_NAME], (vlm_slice){name, strlen(name)}, entry, err));
  VLM_TRY(add_key(&keys[BY_BASE], base_of(name), entry, err));
  VLM_TRY(add_key(&keys[BY_STEM], stem_of(name), entry, err));
  if (is_number_of(image)) VLM_TRY(add_key(&keys[BY_NUMBER], number_of(image->id), entry, err));
out:
  return st;
}

vlm_status vlm_caption_join_create(vlm_caption_join *out, const vlm_caption_set *set, vlm_error *err) {
  vlm_status st = VLM_OK;
  *out = (vlm_caption_join){.set = set};
  VLM_TRY(vlm_arena_create(&out->arena, err));
  VLM_TRY(vlm_new(&out->keys, WAYS, err));
  VLM_TRY(vlm_new(&out->taken, set->n_images, err));
  for (int k = 0; k < WAYS; k++) {
    const int32_t room = k == BY_NAME ? 2 * set->n_images : set->n_images;
    VLM_TRY(vlm_new(&out->keys[k].first, room, err));
    VLM_TRY(vlm_new(&out->keys[k].second, room, err));
  }
  for (int32_t i = 0; i < set->n_images; i++) VLM_TRY(add_entry(out->keys, &set->images[i], i, err));
out:
  if (st != VLM_OK) vlm_caption_join_free(out);
  return st;
}

void vlm_caption_join_free(vlm_caption_join *j) {
  for (int k = 0; j->keys && k < WAYS; k++) {
    vlm_text_index_free(&j->keys[k].names);
    vlm_free(j->keys[k].first);
    vlm_free(j->keys[k].second);
  }
  vlm_free(j->keys);
  vlm_free(j->taken);
  vlm_arena_free(j->arena);
  *j = (vlm_caption_join){.set = NULL};
}

/* ---- finding ---- */

/* A name of both the id of one entry and the file of another is that of the id. */
static vlm_status look(vlm_caption_join *j, int32_t *entry, join_way way, vlm_slice key, const char *name,
                       vlm_error *err) {
  const caption_keys *keys = &j->keys[way];
  const int32_t at = key.bytes ? vlm_text_index_find(&keys->names, key.data, key.bytes) : -1;
  const vlm_caption_image *images = j->set->images;
  *entry = at < 0 ? -1 : keys->first[at];
  if (at < 0 || keys->second[at] < 0) return VLM_OK;
  const int32_t id = way == BY_NAME ? vlm_text_index_find(&j->set->ids, name, strlen(name)) : -1;
  if (id >= 0) *entry = id;
  if (id >= 0) return VLM_OK;
  const vlm_caption_image *a = &images[keys->first[at]], *b = &images[keys->second[at]];
  return vlm_fail(err, VLM_INPUT,
                  "image \"%s\" fits two entries of %s, \"%s\" and \"%s\"; give their names in full", name,
                  j->set->source, a->file ? a->file : a->id, b->file ? b->file : b->id);
}

/* Numbers alone tell images apart only among names that are alike. */
static vlm_status check_number(vlm_caption_join *j, const char *name, const vlm_caption_image *image,
                               vlm_error *err) {
  vlm_status st = VLM_OK;
  if (!j->by_number) VLM_TRY(vlm_arena_strdup(j->arena, &j->by_number, name, err));
  const vlm_slice a = prefix_of(j->by_number), b = prefix_of(name);
  VLM_CHECK(a.bytes == b.bytes && !memcmp(a.data, b.data, a.bytes), err, VLM_INPUT,
            "images \"%s\" and \"%s\" fit ids of %s (%s) by the number in their names alone; add file names "
            "to the captions",
            j->by_number, name, j->set->source, image->id);
  j->numbers++;
out:
  return st;
}

/* Joined by a number: as such, or because the whole stem is one. */
static bool is_by_number(join_way way, const char *name, const vlm_caption_image *image) {
  return way == BY_NUMBER || (way == BY_STEM && !image->file && !prefix_of(name).bytes);
}

static vlm_status take(vlm_caption_join *j, int32_t entry, const char *path, vlm_error *err) {
  const char **taken = &j->taken[entry];
  const vlm_caption_image *image = &j->set->images[entry];
  if (!*taken) return vlm_arena_strdup(j->arena, taken, path, err);
  if (strcmp(*taken, path) == 0) return VLM_OK;
  return vlm_fail(err, VLM_INPUT,
                  "images \"%s\" and \"%s\" would both get the captions of \"%s\" in %s; give names in full",
                  *taken, path, image->file ? image->file : image->id, j->set->source);
}

vlm_status vlm_caption_join_find(vlm_caption_join *j, const vlm_caption_image **out, const char *name,
                                 const char *path, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_slice keys[WAYS] = {{name, strlen(name)}, base_of(name), stem_of(name), number_of(name)};
  int32_t entry = -1;
  int way = -1;
  *out = NULL;
  while (entry < 0 && ++way < WAYS) VLM_TRY(look(j, &entry, (join_way)way, keys[way], name, err));
  if (entry < 0) goto out;
  const vlm_caption_image *image = &j->set->images[entry];
  if (is_by_number((join_way)way, name, image)) VLM_TRY(check_number(j, name, image, err));
  VLM_TRY(take(j, entry, path, err));
  *out = image;
out:
  return st;
}
