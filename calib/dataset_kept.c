/* A set of the image files that statistics keep (kept.h). */
#include <stdio.h>
#include <string.h>

#include "calib/dataset_set.h"
#include "calib/kept.h"

static const vlm_tensor *part(const vlm_kept_sample *kept, const char *name) {
  for (int32_t i = 0; i < kept->count; i++)
    if (!strcmp(kept->names[i], name) && kept->tensors[i].dtype == VLM_U8) return &kept->tensors[i];
  return NULL;
}

static vlm_status add(vlm_dataset *set, const vlm_kept_sample *kept, vlm_error *err) {
  vlm_status st = VLM_OK;
  char digest[33], *prompt = NULL, *name = NULL;
  const vlm_tensor *image = part(kept, VLM_KEPT_IMAGE), *text = part(kept, VLM_KEPT_PROMPT);
  if (!image || !text) return VLM_OK;
  const size_t bytes = vlm_tensor_bytes(text);
  VLM_TRY(vlm_arena_new(set->arena, &prompt, bytes + 1, err));
  memcpy(prompt, text->data, bytes);
  VLM_TRY(vlm_arena_new(set->arena, &name, 64, err));
  snprintf(name, 64, "kept sample %s", vlm_digest_text(kept->digest, digest));
  st = vlm_dataset_add(set,
                       (vlm_sample){.key = name,
                                    .path = name,
                                    .prompt = prompt,
                                    .kept = image->data,
                                    .kept_bytes = vlm_tensor_bytes(image)},
                       err);
out:
  return st;
}

vlm_status vlm_dataset_open_kept(vlm_dataset **out, const vlm_kept_list *list, const vlm_dataset_opts *opts,
                                 vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_dataset *set = NULL;
  *out = NULL;
  VLM_TRY(vlm_new(&set, 1, err));
  set->opts = *opts;
  set->images = true;
  VLM_TRY(vlm_arena_create(&set->arena, err));
  for (int32_t i = 0; i < list->count; i++) VLM_TRY(add(set, list->items[i], err));
  set->of_all = set->count;
  *out = set;
  set = NULL;
out:
  vlm_dataset_free(set);
  return st;
}
