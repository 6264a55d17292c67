#include <string.h>

#include "calib/caption_set.h"

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

const vlm_caption_image *vlm_caption_set_get(const vlm_caption_set *set, const char *id) {
  const int32_t i = vlm_text_index_find(&set->ids, id, strlen(id));
  return i < 0 ? NULL : &set->images[i];
}

vlm_status vlm_caption_set_name_file(vlm_caption_set *set, const char *id, const char *file, vlm_error *err) {
  const int32_t i = vlm_text_index_find(&set->ids, id, strlen(id));
  return i < 0 ? VLM_OK : vlm_arena_strdup(set->arena, &set->images[i].file, file, err);
}
