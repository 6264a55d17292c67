/* Looking at samples before they are run. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "calib/dataset_set.h"
#include "runtime/base/file.h"

/* ---- one sample ---- */

static bool is_finite(const vlm_tensor *t, int64_t *bad) {
  *bad = 0;
  if (!vlm_dtype_is_float(t->dtype)) return true;
  const int64_t count = vlm_tensor_count(t);
  for (int64_t i = 0; i < count; i++)
    *bad += !isfinite(t->dtype == VLM_F32 ? (double)((const float *)t->data)[i] : vlm_tensor_get(t, i));
  return *bad == 0;
}

static vlm_status check_values(const vlm_tensor *t, const char *path, const char *what, vlm_error *err) {
  int64_t bad;
  if (is_finite(t, &bad)) return VLM_OK;
  return vlm_fail(err, VLM_INPUT, "%s: %s has %lld values of %lld that are not finite (NaN, infinite)", path,
                  what, (long long)bad, (long long)vlm_tensor_count(t));
}

static vlm_status check_arrays(const vlm_dataset *set, size_t i, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_sample_arrays a = {0};
  const vlm_sample *s = vlm_dataset_get(set, i);
  char what[128];
  int64_t elements = 0;
  VLM_TRY(vlm_dataset_load_arrays(&a, set, i, err));
  for (size_t k = 0; k < a.count; k++) {
    snprintf(what, sizeof what, "array \"%.100s\"", a.names[k]);
    VLM_TRY(check_values(&a.tensors[k], s->path, what, err));
    elements += vlm_tensor_count(&a.tensors[k]);
  }
  VLM_CHECK(elements > 0, err, VLM_INPUT, "%s: the sample is empty, its arrays have no elements", s->path);
out:
  vlm_sample_arrays_free(&a);
  return st;
}

static vlm_status check_float_image(const vlm_dataset *set, size_t i, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_sample_pixels pixels;
  VLM_TRY(vlm_dataset_load_pixels(&pixels, set, i, err));
  if (pixels.values.data)
    st = check_values(&pixels.values, vlm_dataset_get(set, i)->path, "the picture", err);
  vlm_sample_pixels_free(&pixels);
out:
  return st;
}

static vlm_status check_image(vlm_dataset *set, size_t i, vlm_error *err) {
  const char *path = vlm_dataset_get(set, i)->path;
  unsigned char start[6];
  vlm_image_info info;
  if (vlm_file_begin(path, start, sizeof start) == sizeof start &&
      memcmp(start, "\x93NUMPY", sizeof start) == 0)
    return check_float_image(set, i, err);
  vlm_status st = vlm_image_look(&info, path, &set->opts.image, err);
  if (st != VLM_OK) return st;
  set->seen.turned += info.orientation > 1;
  if (info.endless && set->seen.endless++ == 0) set->seen.first_endless = path;
  return VLM_OK;
}

/* ---- all of them ---- */

static bool is_fault_of_ours(vlm_status st) { return st == VLM_MEMORY || st == VLM_INTERNAL; }

/* The path stands beside the reason, not in it too. */
static const char *without_path(const char *text, const char *path) {
  size_t n = strlen(path);
  return strncmp(text, path, n) == 0 && strncmp(text + n, ": ", 2) == 0 ? text + n + 2 : text;
}

static vlm_status keep_good(vlm_dataset *set, vlm_error *first, vlm_error *err) {
  vlm_status st = VLM_OK;
  size_t kept = 0;
  for (size_t i = 0; i < set->count; i++) {
    vlm_error found = {0};
    const vlm_sample sample = set->samples[i];
    st = set->images ? check_image(set, i, &found) : check_arrays(set, i, &found);
    if (is_fault_of_ours(st)) return vlm_fail(err, st, "%s", found.text);
    if (st == VLM_OK) set->samples[kept++] = sample;
    else if (first->status == VLM_OK) *first = found;
    if (st != VLM_OK) VLM_TRY(vlm_dataset_skip(set, sample.path, without_path(found.text, sample.path), err));
    st = VLM_OK;
  }
  set->count = kept;
out:
  return st;
}

/* All bad samples, as many as the message holds; the skips have every one. */
static vlm_status tell_bad(const vlm_dataset *set, size_t before, const vlm_error *first, vlm_error *err) {
  const size_t bad = set->n_skips - before, all = bad + set->count;
  char text[560] = "";
  size_t n = 0, told = 0;
  if (all == 1) return vlm_fail(err, first->status, "%s", first->text);
  for (; told < bad; told++) {
    const vlm_skip *s = &set->skips[before + told];
    size_t room = sizeof text - n, wants = strlen(s->path) + strlen(s->reason) + 6;
    if (told > 0 && wants > room) break;
    n += (size_t)snprintf(text + n, room, "%s%s: %s", told ? "; " : "", s->path, s->reason);
    if (n >= sizeof text) n = sizeof text - 1;
  }
  char more[48] = "";
  if (told < bad) snprintf(more, sizeof more, "; and %zu more", bad - told);
  return vlm_fail(err, first->status,
                  "%zu of %zu samples cannot be used: %s%s. Mend them, or leave them out with --on-bad skip",
                  bad, all, text, more);
}

vlm_status vlm_dataset_check(vlm_dataset *set, bool skip, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_error first = {0};
  const size_t before = set->n_skips, all = set->count;
  VLM_TRY(keep_good(set, &first, err));
  if (set->n_skips == before || (skip && set->count > 0)) return VLM_OK;
  if (!skip || all == 1) st = tell_bad(set, before, &first, err);
  else
    st = vlm_fail(err, first.status, "none of the %zu samples can be used; the first: %s", all, first.text);
out:
  return st;
}
