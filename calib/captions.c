#include "calib/captions.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "calib/folder.h"
#include "runtime/base/json.h"

typedef struct caption_entry {
  const char *name, *base;
  const char *const *texts;
  size_t count;
} caption_entry;

/* One text of one image, before grouping. */
typedef struct pair {
  const char *name, *text;
  size_t order;
} pair;

struct vlm_captions {
  vlm_arena *arena;
  caption_entry *entries;        /* by name */
  const caption_entry **by_base; /* by file name, then name */
  size_t count;
};

typedef struct pairs {
  vlm_arena *arena;
  pair *items;
  size_t count, capacity;
} pairs;

/* ---- collecting ---- */

static vlm_status add_pair(pairs *p, const char *name, vlm_json text, vlm_error *err) {
  const char *words = NULL;
  vlm_status st = VLM_OK;
  VLM_TRY(vlm_json_as_text(&words, text, err));
  if (p->count == p->capacity) {
    size_t more = p->capacity ? p->capacity * 2 : 256;
    VLM_TRY(vlm_more(&p->items, p->capacity, more, err));
    p->capacity = more;
  }
  pair *item = &p->items[p->count];
  item->name = name;
  item->order = p->count++;
  VLM_TRY(vlm_arena_strdup(p->arena, &item->text, words, err));
out:
  return st;
}

static vlm_status read_map(pairs *p, vlm_json root, vlm_error *err) {
  vlm_status st = VLM_OK;
  for (vlm_json_iter it = {0}; vlm_json_next(root, &it); ) {
    const char *name = NULL;
    VLM_TRY(vlm_arena_strdup(p->arena, &name, it.key, err));
    if (vlm_json_type(it.value) == VLM_JSON_TEXT) {
      VLM_TRY(add_pair(p, name, it.value, err));
      continue;
    }
    if (vlm_json_type(it.value) != VLM_JSON_ARRAY) return vlm_json_fail(it.value, err, VLM_INPUT,
                                                                        "a caption or a list of captions is wanted");
    for (size_t i = 0; i < vlm_json_size(it.value); i++) VLM_TRY(add_pair(p, name, vlm_json_at(it.value, i), err));
  }
out:
  return st;
}

/* An id, a number or a text, as a name in the arena. */
static vlm_status id_text(const char **out, pairs *p, vlm_json object, const char *key, vlm_error *err) {
  vlm_json id = vlm_json_member(object, key);
  int64_t number = 0;
  const char *text = NULL;
  vlm_status st = VLM_OK;
  if (vlm_json_is_null(id)) return vlm_json_fail(object, err, VLM_INPUT, "%s is missing", key);
  if (vlm_json_type(id) == VLM_JSON_TEXT) {
    VLM_TRY(vlm_json_as_text(&text, id, err));
    return vlm_arena_strdup(p->arena, out, text, err);
  }
  VLM_TRY(vlm_json_as_int(&number, id, err));
  return vlm_arena_format(p->arena, out, err, "%lld", (long long)number);
out:
  return st;
}

static vlm_status read_list(pairs *p, vlm_json list, vlm_error *err) {
  vlm_status st = VLM_OK;
  for (size_t i = 0; i < vlm_json_size(list); i++) {
    vlm_json item = vlm_json_at(list, i), caption = vlm_json_member(item, "caption");
    const char *name = NULL;
    VLM_TRY(id_text(&name, p, item, "image_id", err));
    if (vlm_json_is_null(caption)) return vlm_json_fail(item, err, VLM_INPUT, "caption is missing");
    VLM_TRY(add_pair(p, name, caption, err));
  }
out:
  return st;
}

typedef struct renamed {
  const char *id, *file;
} renamed;

static int by_id(const void *a, const void *b) { return strcmp(((const renamed *)a)->id, ((const renamed *)b)->id); }

/* Replaces ids by the file names that "images" gives. */
static vlm_status rename_ids(pairs *p, vlm_json images, vlm_error *err) {
  vlm_status st = VLM_OK;
  renamed *table = NULL;
  size_t count = vlm_json_size(images);
  VLM_TRY(vlm_new(&table, count, err));
  for (size_t i = 0; i < count; i++) {
    const char *file = NULL;
    VLM_TRY(id_text(&table[i].id, p, vlm_json_at(images, i), "id", err));
    VLM_TRY(vlm_json_get_text(&file, vlm_json_at(images, i), "file_name", VLM_JSON_OPTIONAL, err));
    if (file) VLM_TRY(vlm_arena_strdup(p->arena, &table[i].file, file, err));
  }
  qsort(table, count, sizeof *table, by_id);
  for (size_t i = 0; i < p->count; i++) {
    renamed key = {.id = p->items[i].name}, *hit = bsearch(&key, table, count, sizeof *table, by_id);
    if (hit && hit->file) p->items[i].name = hit->file;
  }
out:
  vlm_free(table);
  return st;
}

static vlm_status read_document(pairs *p, vlm_json root, vlm_error *err) {
  vlm_json annotations = vlm_json_member(root, "annotations");
  if (vlm_json_type(root) == VLM_JSON_ARRAY) return read_list(p, root, err);
  if (vlm_json_type(root) != VLM_JSON_OBJECT)
    return vlm_json_fail(root, err, VLM_INPUT, "COCO annotations, a COCO result list or {\"image\": [\"caption\", …]} is wanted");
  if (vlm_json_type(annotations) != VLM_JSON_ARRAY || vlm_json_size(annotations) == 0 ||
      vlm_json_type(vlm_json_at(annotations, 0)) != VLM_JSON_OBJECT)
    return read_map(p, root, err);
  vlm_status st = read_list(p, annotations, err);
  return st == VLM_OK ? rename_ids(p, vlm_json_member(root, "images"), err) : st;
}

/* ---- grouping ---- */

static int by_name_and_order(const void *a, const void *b) {
  const pair *x = a, *y = b;
  int c = strcmp(x->name, y->name);
  return c ? c : x->order < y->order ? -1 : 1;
}

static int by_base_and_name(const void *a, const void *b) {
  const caption_entry *x = *(const caption_entry *const *)a, *y = *(const caption_entry *const *)b;
  int c = strcmp(x->base, y->base);
  return c ? c : strcmp(x->name, y->name);
}

static vlm_status group(vlm_captions *c, pairs *p, vlm_error *err) {
  vlm_status st = VLM_OK;
  const char **texts = NULL;
  if (p->count) qsort(p->items, p->count, sizeof(pair), by_name_and_order);
  VLM_TRY(vlm_arena_new(c->arena, &texts, p->count, err));
  VLM_TRY(vlm_arena_new(c->arena, &c->entries, p->count, err));
  for (size_t i = 0; i < p->count; i++) {
    texts[i] = p->items[i].text;
    bool first = i == 0 || strcmp(p->items[i].name, p->items[i - 1].name) != 0;
    if (first) c->entries[c->count++] = (caption_entry){.name = p->items[i].name, .base = vlm_path_base(p->items[i].name), .texts = texts + i};
    c->entries[c->count - 1].count++;
  }
  VLM_TRY(vlm_arena_new(c->arena, &c->by_base, c->count, err));
  for (size_t i = 0; i < c->count; i++) c->by_base[i] = &c->entries[i];
  if (c->count) qsort(c->by_base, c->count, sizeof(caption_entry *), by_base_and_name);
out:
  return st;
}

vlm_status vlm_captions_load(vlm_captions **out, const char *path, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_captions *c = NULL;
  vlm_json_doc *doc = NULL;
  pairs p = {0};
  *out = NULL;
  VLM_TRY(vlm_new(&c, 1, err));
  VLM_TRY(vlm_arena_create(&c->arena, err));
  p.arena = c->arena;
  VLM_TRY(vlm_json_load(&doc, path, 0, err));
  VLM_TRY(read_document(&p, vlm_json_root(doc), err));
  VLM_TRY(group(c, &p, err));
  VLM_CHECK(c->count > 0, err, VLM_INPUT, "%s: has no captions", path);
  *out = c;
out:
  vlm_free(p.items);
  vlm_json_free(doc);
  if (st != VLM_OK) vlm_captions_free(c);
  return st;
}

void vlm_captions_free(vlm_captions *c) {
  if (!c) return;
  vlm_arena_free(c->arena);
  vlm_free(c);
}

size_t vlm_captions_count(const vlm_captions *c) { return c->count; }
const char *vlm_captions_name(const vlm_captions *c, size_t index) { return c->entries[index].name; }

const char *const *vlm_captions_texts(const vlm_captions *c, size_t index, size_t *count) {
  *count = c->entries[index].count;
  return c->entries[index].texts;
}

/* ---- finding ---- */

static int name_order(const void *key, const void *item) { return strcmp(key, ((const caption_entry *)item)->name); }
static int base_order(const void *key, const void *item) { return strcmp(key, (*(const caption_entry *const *)item)->base); }

static const caption_entry *find_name(const vlm_captions *c, const char *name) {
  return bsearch(name, c->entries, c->count, sizeof(caption_entry), name_order);
}

static const caption_entry *find_base(const vlm_captions *c, const char *base) {
  const caption_entry **hit = bsearch(base, c->by_base, c->count, sizeof(caption_entry *), base_order);
  if (!hit) return NULL;
  bool before = hit > c->by_base && strcmp(hit[-1]->base, base) == 0;
  bool after = hit + 1 < c->by_base + c->count && strcmp(hit[1]->base, base) == 0;
  return before || after ? NULL : *hit;
}

static const caption_entry *find_stem(const vlm_captions *c, const char *base) {
  char stem[256];
  size_t n = (size_t)(vlm_path_suffix(base) - base);
  if (n >= sizeof stem) return NULL;
  memcpy(stem, base, n);
  stem[n] = 0;
  const caption_entry *hit = find_name(c, stem);
  size_t digits = n;
  while (digits > 0 && stem[digits - 1] >= '0' && stem[digits - 1] <= '9') digits--;
  while (digits + 1 < n && stem[digits] == '0') digits++;
  return hit || digits == n ? hit : find_name(c, stem + digits);
}

const char *const *vlm_captions_find(const vlm_captions *c, const char *name, size_t *count) {
  const char *base = vlm_path_base(name);
  const caption_entry *hit = find_name(c, name);
  if (!hit) hit = find_base(c, base);
  if (!hit) hit = find_stem(c, base);
  *count = hit ? hit->count : 0;
  return hit ? hit->texts : NULL;
}
