#include "calib/kept.h"

#include <string.h>

#include "calib/accumulate_parts.h"
#include "runtime/base/memory.h"

/* ---- one sample ---- */

void vlm_kept_sample_free(vlm_kept_sample *s) {
  if (!s) return;
  for (int32_t i = 0; i < s->count; i++) {
    if (s->names) vlm_free(s->names[i]);
    if (s->tensors) vlm_free(s->tensors[i].data);
  }
  vlm_free(s->names);
  vlm_free(s->tensors);
  vlm_free(s);
}

static vlm_status copy_tensor(vlm_tensor *out, const vlm_tensor *t, vlm_error *err) {
  size_t bytes = vlm_tensor_bytes(t);
  void *data = NULL;
  vlm_status st = vlm_alloc(&data, bytes + 1, 1, err);
  if (st != VLM_OK) return st;
  if (bytes) memcpy(data, t->data, bytes);
  *out = *t;
  out->data = data;
  return VLM_OK;
}

vlm_status vlm_kept_sample_make(vlm_kept_sample **out, vlm_digest digest, bool held_out,
                                const char *const *names, const vlm_tensor *tensors, int32_t count,
                                vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_kept_sample *s = NULL;
  VLM_TRY(vlm_new(&s, 1, err));
  *s = (vlm_kept_sample){.digest = digest, .held_out = held_out, .count = count};
  VLM_TRY(vlm_new(&s->names, count, err));
  VLM_TRY(vlm_new(&s->tensors, count, err));
  for (int32_t i = 0; i < count; i++) {
    VLM_TRY(vlm_strdup(&s->names[i], names[i], err));
    VLM_TRY(copy_tensor(&s->tensors[i], &tensors[i], err));
  }
out:
  if (st != VLM_OK) {
    vlm_kept_sample_free(s);
    s = NULL;
  }
  *out = s;
  return st;
}

/* ---- the list ---- */

size_t vlm_kept_bytes(const vlm_tensor *tensors, int32_t count) {
  size_t bytes = 0;
  for (int32_t i = 0; i < count; i++) bytes += vlm_tensor_bytes(&tensors[i]);
  return bytes;
}

size_t vlm_kept_list_bytes(const vlm_kept_list *list) {
  size_t bytes = 0;
  for (int32_t i = 0; i < list->count; i++)
    bytes += vlm_kept_bytes(list->items[i]->tensors, list->items[i]->count);
  return bytes;
}

static int32_t held_out_of(const vlm_kept_list *list) {
  int32_t n = 0;
  while (n < list->count && list->items[n]->held_out) n++;
  return n;
}

static int32_t most_of(const vlm_kept_list *list, bool held_out) {
  return list->images && !held_out ? VLM_KEPT_IMAGES : VLM_KEPT_MOST;
}

static bool precedes(vlm_digest a, bool a_held_out, const vlm_kept_sample *b) {
  return a_held_out != b->held_out ? a_held_out : vlm_digest_less(a, b->digest);
}

bool vlm_kept_wants(const vlm_kept_list *list, vlm_digest digest, bool held_out, size_t bytes) {
  int32_t held = held_out_of(list), first = held_out ? 0 : held, end = held_out ? held : list->count;
  if (bytes > (list->images ? VLM_KEPT_IMAGE_BYTES : VLM_KEPT_BYTES)) return false;
  return end - first < most_of(list, held_out) || precedes(digest, held_out, list->items[end - 1]);
}

static void take_out(vlm_kept_list *list, int32_t at) {
  vlm_kept_sample_free(list->items[at]);
  list->count--;
  memmove(&list->items[at], &list->items[at + 1], (size_t)(list->count - at) * sizeof list->items[0]);
}

void vlm_kept_add(vlm_kept_list *list, vlm_kept_sample *s) {
  size_t bytes = vlm_kept_bytes(s->tensors, s->count);
  int32_t at = 0, held = held_out_of(list), part = s->held_out ? held : list->count - held;
  if (!vlm_kept_wants(list, s->digest, s->held_out, bytes)) {
    vlm_kept_sample_free(s);
    return;
  }
  if (part == most_of(list, s->held_out)) take_out(list, s->held_out ? held - 1 : list->count - 1);
  while (at < list->count && !precedes(s->digest, s->held_out, list->items[at])) at++;
  memmove(&list->items[at + 1], &list->items[at], (size_t)(list->count - at) * sizeof list->items[0]);
  list->items[at] = s;
  list->count++;
}

vlm_status vlm_kept_merge(vlm_kept_list *list, const vlm_kept_list *other, vlm_error *err) {
  vlm_status st = VLM_OK;
  list->images |= other->images;
  for (int32_t i = 0; i < other->count; i++) {
    const vlm_kept_sample *s = other->items[i];
    vlm_kept_sample *copy;
    VLM_TRY(vlm_kept_sample_make(&copy, s->digest, s->held_out, (const char *const *)s->names, s->tensors,
                                 s->count, err));
    vlm_kept_add(list, copy);
  }
out:
  return st;
}

static void hash_sample(vlm_hasher *h, const vlm_kept_sample *s) {
  const int64_t numbers[] = {s->held_out, s->count};
  vlm_hasher_add(h, &s->digest, sizeof s->digest);
  vlm_hasher_add(h, numbers, sizeof numbers);
  for (int32_t i = 0; i < s->count; i++) {
    const vlm_tensor *t = &s->tensors[i];
    vlm_hasher_add_text(h, s->names[i]);
    vlm_hasher_add_text(h, vlm_dtype_name(t->dtype));
    for (int d = 0; d < t->rank; d++) vlm_hasher_add(h, &t->dims[d], sizeof t->dims[d]);
    vlm_hasher_add(h, t->data, vlm_tensor_bytes(t));
  }
}

vlm_status vlm_kept_digest(vlm_digest *out, const vlm_kept_list *list, vlm_error *err) {
  vlm_hasher *h;
  vlm_status st = vlm_hasher_create(&h, err);
  if (st != VLM_OK) return st;
  for (int32_t i = 0; i < list->count; i++) hash_sample(h, list->items[i]);
  *out = vlm_hasher_digest(h);
  vlm_hasher_free(h);
  return VLM_OK;
}

void vlm_kept_free(vlm_kept_list *list) {
  for (int32_t i = 0; i < list->count; i++) vlm_kept_sample_free(list->items[i]);
  *list = (vlm_kept_list){.count = 0};
}
