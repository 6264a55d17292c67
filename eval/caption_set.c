#include <string.h>

#include "eval/caption_files.h"

vlm_status vlm_caption_set_create(vlm_caption_set *out, const char *source, vlm_error *err) {
  vlm_status st = VLM_OK;
  *out = (vlm_caption_set){.n_images = 0};
  VLM_TRY(vlm_arena_create(&out->arena, err));
  VLM_TRY(vlm_arena_strdup(out->arena, &out->source, source, err));
out:
  if (st != VLM_OK) vlm_caption_set_free(out);
  return st;
}

void vlm_caption_set_free(vlm_caption_set *set) {
  for (int32_t i = 0; i < set->n_images; i++) vlm_free(set->images[i].texts);
  vlm_free(set->images);
  vlm_text_index_free(&set->ids);
  if (set->arena) vlm_arena_free(set->arena);
  *set = (vlm_caption_set){.n_images = 0};
}

static vlm_status add_image(vlm_caption_set *set, int32_t *out, const char *id, vlm_error *err) {
  vlm_status st = VLM_OK;
  bool added;
  if (set->n_images == set->capacity) {
    const int32_t more = set->capacity ? set->capacity * 2 : 256;
    VLM_TRY(vlm_more(&set->images, set->capacity, more, err));
    set->capacity = more;
  }
  VLM_TRY(vlm_text_index_add(&set->ids, out, &added, id, strlen(id), err));
  if (added) set->images[set->n_images++] = (vlm_caption_image){.id = set->ids.texts[*out]};
out:
  return st;
}

static bool has_line_break(const char *text) {
  return strpbrk(text, "\r\v\f") || strstr(text, "\xE2\x80\xA8") || strstr(text, "\xE2\x80\xA9");
}

vlm_status vlm_caption_set_add(vlm_caption_set *set, const char *id, const char *text, vlm_error *err) {
  vlm_status st = VLM_OK;
  int32_t i;
  VLM_TRY(add_image(set, &i, id, err));
  if (!text) goto out;
  vlm_caption_image *image = &set->images[i];
  if (image->n_texts == image->capacity) {
    const int32_t more = image->capacity ? image->capacity * 2 : 5;
    VLM_TRY(vlm_more(&image->texts, image->capacity, more, err));
    image->capacity = more;
  }
  VLM_TRY(vlm_arena_strdup(set->arena, &image->texts[image->n_texts], text, err));
  image->n_texts++;
  set->n_texts++;
  set->line_breaks += has_line_break(text);
out:
  return st;
}

static const char *base_name(const char *path, size_t *stem) {
  const char *slash = strrchr(path, '/');
  const char *name = slash ? slash + 1 : path;
  const char *dot = strrchr(name, '.');
  *stem = dot && dot > name ? (size_t)(dot - name) : strlen(name);
  return name;
}

const vlm_caption_image *vlm_caption_set_find(const vlm_caption_set *set, const char *image) {
  const int32_t id = vlm_text_index_find(&set->ids, image, strlen(image));
  if (id >= 0) return &set->images[id];
  size_t stem, other_stem;
  const char *name = base_name(image, &stem);
  const vlm_caption_image *loose = NULL;
  for (int32_t i = 0; i < set->n_images; i++) {
    const char *other = base_name(set->images[i].file ? set->images[i].file : set->images[i].id, &other_stem);
    if (strcmp(other, name) == 0) return &set->images[i];
    if (!loose && other_stem == stem && memcmp(other, name, stem) == 0) loose = &set->images[i];
  }
  return loose;
}
