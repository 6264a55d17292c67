#include <assert.h>

#include "calib/dataset_set.h"

vlm_status vlm_dataset_add(vlm_dataset *set, vlm_sample sample, vlm_error *err) {
  vlm_status st = VLM_OK;
  if (set->count == set->capacity) {
    size_t more = set->capacity ? set->capacity * 2 : 64;
    VLM_TRY(vlm_more(&set->samples, set->capacity, more, err));
    set->capacity = more;
  }
  sample.index = set->count;
  set->samples[set->count++] = sample;
out:
  return st;
}

vlm_status vlm_dataset_pick(vlm_dataset *set, const size_t *places, size_t count, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_sample *picked = NULL;
  VLM_TRY(vlm_new(&picked, count + 1, err));
  for (size_t i = 0; i < count; i++) {
    assert(places[i] < set->count);
    picked[i] = set->samples[places[i]];
  }
  vlm_free(set->samples);
  set->samples = picked;
  set->count = count;
  set->capacity = count + 1;
out:
  return st;
}

void vlm_dataset_free(vlm_dataset *set) {
  if (!set) return;
  for (size_t i = 0; i < set->whole_count; i++) vlm_sample_arrays_free(&set->whole[i]);
  vlm_free(set->whole);
  vlm_free(set->samples);
  vlm_free(set->skips);
  vlm_arena_free(set->arena);
  vlm_free(set);
}

size_t vlm_dataset_count(const vlm_dataset *set) { return set->count; }
const vlm_sample *vlm_dataset_get(const vlm_dataset *set, size_t i) {
  assert(i < set->count);
  return &set->samples[i];
}
size_t vlm_dataset_of_all(const vlm_dataset *set) { return set->of_all; }
bool vlm_dataset_is_images(const vlm_dataset *set) { return set->images; }

/* ---- what is not used ---- */

vlm_status vlm_dataset_skip(vlm_dataset *set, const char *path, const char *reason, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_skip skip;
  if (set->n_skips == set->cap_skips) {
    size_t more = set->cap_skips ? set->cap_skips * 2 : 64;
    VLM_TRY(vlm_more(&set->skips, set->cap_skips, more, err));
    set->cap_skips = more;
  }
  VLM_TRY(vlm_arena_strdup(set->arena, &skip.path, path, err));
  VLM_TRY(vlm_arena_strdup(set->arena, &skip.reason, reason, err));
  set->skips[set->n_skips++] = skip;
out:
  return st;
}

const vlm_skip *vlm_dataset_skips(const vlm_dataset *set, size_t *count) {
  *count = set->n_skips;
  return set->skips;
}

vlm_dataset_seen vlm_dataset_what_was_seen(const vlm_dataset *set) { return set->seen; }
