/* The collection: tensors sorted by (graph, name), samples sorted by digest. */
#include "calib/stats.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "calib/accumulate_parts.h"
#include "calib/kept.h"
#include "calib/shapes.h"
#include "runtime/base/memory.h"

typedef struct {
  vlm_digest digest;
  char *name;
  bool held_out;
} sample;

struct vlm_stats {
  vlm_digest model;
  char *preprocess, *settings; /* settings: NULL = as usual */
  bool partial;
  vlm_tensor_stats **tensors;
  int32_t n_tensors, cap_tensors;
  sample *samples;
  int32_t n_samples, cap_samples;
  vlm_shape_list shapes;
  vlm_kept_list kept;
};

vlm_status vlm_stats_create(vlm_stats **out, vlm_digest model, const char *preprocess, vlm_error *err) {
  vlm_status st = vlm_new(out, 1, err);
  if (st != VLM_OK) return st;
  (*out)->model = model;
  st = vlm_strdup(&(*out)->preprocess, preprocess, err);
  if (st == VLM_OK) return st;
  vlm_stats_free(*out);
  *out = NULL;
  return st;
}

static void free_tensor(vlm_tensor_stats *t) {
  vlm_tensor_stats_drop_channels(t);
  vlm_free((void *)(uintptr_t)t->graph);
  vlm_free((void *)(uintptr_t)t->name);
  vlm_free(t);
}

void vlm_stats_free(vlm_stats *s) {
  if (!s) return;
  for (int32_t i = 0; i < s->n_tensors; i++) free_tensor(s->tensors[i]);
  for (int32_t i = 0; i < s->n_samples; i++) vlm_free(s->samples[i].name);
  vlm_free(s->tensors);
  vlm_free(s->samples);
  vlm_shape_list_free(&s->shapes);
  vlm_kept_free(&s->kept);
  vlm_free(s->preprocess);
  vlm_free(s->settings);
  vlm_free(s);
}

vlm_digest vlm_stats_model(const vlm_stats *s) { return s->model; }
const char *vlm_stats_preprocess(const vlm_stats *s) { return s->preprocess; }
const char *vlm_stats_settings(const vlm_stats *s) { return s->settings ? s->settings : ""; }
void vlm_stats_set_partial(vlm_stats *s, bool partial) { s->partial = partial; }
bool vlm_stats_is_partial(const vlm_stats *s) { return s->partial; }

vlm_status vlm_stats_set_settings(vlm_stats *s, const char *settings, vlm_error *err) {
  char *copy = NULL;
  vlm_status st = *settings ? vlm_strdup(&copy, settings, err) : VLM_OK;
  if (st != VLM_OK) return st;
  vlm_free(s->settings);
  s->settings = copy;
  return VLM_OK;
}

vlm_shape_list *vlm_stats_shapes(vlm_stats *s) { return &s->shapes; }
vlm_kept_list *vlm_stats_kept(vlm_stats *s) { return &s->kept; }
const vlm_kept_list *vlm_stats_kept_samples(const vlm_stats *s) { return &s->kept; }
const vlm_shape_list *vlm_stats_seen_shapes(const vlm_stats *s) { return &s->shapes; }

/* ---- tensors ---- */

static int compare_key(const vlm_tensor_stats *t, const char *graph, const char *name) {
  int c = strcmp(t->graph, graph);
  return c ? c : strcmp(t->name, name);
}

/* First index whose key is not less. */
static int32_t tensor_place(const vlm_stats *s, const char *graph, const char *name) {
  int32_t low = 0, high = s->n_tensors;
  while (low < high) {
    int32_t middle = low + (high - low) / 2;
    if (compare_key(s->tensors[middle], graph, name) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

const vlm_tensor_stats *vlm_stats_find(const vlm_stats *s, const char *graph, const char *name) {
  int32_t at = tensor_place(s, graph, name);
  return at < s->n_tensors && !compare_key(s->tensors[at], graph, name) ? s->tensors[at] : NULL;
}

int32_t vlm_stats_count(const vlm_stats *s) { return s->n_tensors; }
const vlm_tensor_stats *vlm_stats_at(const vlm_stats *s, int32_t i) {
  assert(i >= 0 && i < s->n_tensors);
  return s->tensors[i];
}

vlm_status vlm_stats_entry(vlm_tensor_stats **out, vlm_stats *s, const char *graph, const char *name,
                           vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_tensor_stats *t = NULL;
  int32_t at = tensor_place(s, graph, name);
  if (at < s->n_tensors && !compare_key(s->tensors[at], graph, name)) {
    *out = s->tensors[at];
    return VLM_OK;
  }
  if (s->n_tensors == s->cap_tensors) {
    int32_t wanted = s->cap_tensors ? 2 * s->cap_tensors : 64;
    VLM_TRY(vlm_more(&s->tensors, s->n_tensors, wanted, err));
    s->cap_tensors = wanted;
  }
  VLM_TRY(vlm_new(&t, 1, err));
  VLM_TRY(vlm_strdup((char **)(uintptr_t)&t->graph, graph, err));
  VLM_TRY(vlm_strdup((char **)(uintptr_t)&t->name, name, err));
  memmove(s->tensors + at + 1, s->tensors + at, (size_t)(s->n_tensors - at) * sizeof *s->tensors);
  s->tensors[at] = *out = t;
  s->n_tensors++;
out:
  if (st != VLM_OK && t) free_tensor(t);
  return st;
}

double vlm_stats_channel_mean(const vlm_tensor_stats *t, int32_t c) {
  if (t->channel_count == 0) return 0;
  const vlm_sum128 *sum = &t->channel_sum[c];
  double total = (double)sum->high * 0x1p64 + (double)sum->low;
  return total * 0x1p-24 / (double)t->channel_count;
}

static void merge_extent(vlm_tensor_stats *a, const vlm_tensor_stats *b) {
  bool first = a->count == 0;
  if (b->count == 0) return;
  if (first || b->min < a->min || (b->min == a->min && vlm_digest_less(b->widest_low, a->widest_low)))
    a->widest_low = b->widest_low;
  if (first || b->max > a->max || (b->max == a->max && vlm_digest_less(b->widest_high, a->widest_high)))
    a->widest_high = b->widest_high;
  a->min = first ? b->min : fminf(a->min, b->min);
  a->max = first ? b->max : fmaxf(a->max, b->max);
}

static vlm_status merge_histogram(vlm_tensor_stats *a, const vlm_tensor_stats *b, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_histogram *h = NULL;
  if (b->count == 0) return VLM_OK;
  if (a->count == 0) {
    a->histogram = b->histogram;
    return VLM_OK;
  }
  VLM_TRY(vlm_new(&h, 1, err));
  *h = b->histogram;
  int32_t exponent = h->exponent > a->histogram.exponent ? h->exponent : a->histogram.exponent;
  vlm_histogram_widen(h, exponent);
  vlm_histogram_widen(&a->histogram, exponent);
  for (int i = 0; i < VLM_HISTOGRAM_BINS; i++) a->histogram.bins[i] += h->bins[i];
out:
  vlm_free(h);
  return st;
}

static vlm_status merge_channels(vlm_tensor_stats *a, const vlm_tensor_stats *b, vlm_error *err) {
  vlm_status st = VLM_OK;
  if (b->count == 0 || (a->count > 0 && a->channels == 0 && b->channels == 0)) return VLM_OK;
  if (a->count == 0 && b->channels > 0) {
    VLM_TRY(vlm_tensor_stats_start_channels(a, b->channels, err));
    a->channel_axis = b->channel_axis;
  }
  if (a->channels != b->channels || a->channel_axis != b->channel_axis) {
    vlm_tensor_stats_drop_channels(a);
    return VLM_OK;
  }
  for (int32_t c = 0; c < a->channels; c++) {
    a->channel_min[c] = fminf(a->channel_min[c], b->channel_min[c]);
    a->channel_max[c] = fmaxf(a->channel_max[c], b->channel_max[c]);
    a->channel_absmax[c] = fmaxf(a->channel_absmax[c], b->channel_absmax[c]);
    uint64_t low = a->channel_sum[c].low + b->channel_sum[c].low;
    a->channel_sum[c].high += b->channel_sum[c].high + (low < b->channel_sum[c].low);
    a->channel_sum[c].low = low;
  }
  a->channel_count += b->channel_count;
out:
  return st;
}

static void merge_kinds(vlm_tensor_stats *a, const vlm_tensor_stats *b) {
  for (int k = 0; k < VLM_TOKEN_KINDS; k++) {
    if (b->kind_count[k] == 0) continue;
    bool first = a->kind_count[k] == 0;
    a->kind_min[k] = first ? b->kind_min[k] : fminf(a->kind_min[k], b->kind_min[k]);
    a->kind_max[k] = first ? b->kind_max[k] : fmaxf(a->kind_max[k], b->kind_max[k]);
    a->kind_count[k] += b->kind_count[k];
  }
}

vlm_status vlm_tensor_stats_merge(vlm_tensor_stats *a, const vlm_tensor_stats *b, vlm_error *err) {
  vlm_status st = VLM_OK;
  merge_extent(a, b);
  VLM_TRY(merge_histogram(a, b, err));
  VLM_TRY(merge_channels(a, b, err));
  merge_kinds(a, b);
  for (int i = 0; i < VLM_ROW_BINS; i++) a->rows[i] += b->rows[i];
  a->runs += b->runs;
  a->count += b->count;
  a->not_finite += b->not_finite;
out:
  return st;
}

/* ---- samples ---- */

static int32_t sample_place(const vlm_stats *s, vlm_digest digest) {
  int32_t low = 0, high = s->n_samples;
  while (low < high) {
    int32_t middle = low + (high - low) / 2;
    if (vlm_digest_less(s->samples[middle].digest, digest)) low = middle + 1;
    else high = middle;
  }
  return low;
}

bool vlm_stats_has_sample(const vlm_stats *s, vlm_digest digest) {
  int32_t at = sample_place(s, digest);
  return at < s->n_samples && !vlm_digest_less(digest, s->samples[at].digest);
}

vlm_status vlm_stats_add_sample(vlm_stats *s, vlm_digest digest, const char *name, vlm_error *err) {
  vlm_status st = VLM_OK;
  int32_t at = sample_place(s, digest);
  VLM_CHECK(!vlm_stats_has_sample(s, digest), err, VLM_INPUT,
            "sample \"%s\" is in twice (as \"%s\"); leave one of them out", name, s->samples[at].name);
  if (s->n_samples == s->cap_samples) {
    int32_t wanted = s->cap_samples ? 2 * s->cap_samples : 64;
    VLM_TRY(vlm_more(&s->samples, s->n_samples, wanted, err));
    s->cap_samples = wanted;
  }
  char *copy;
  VLM_TRY(vlm_strdup(&copy, name, err));
  memmove(s->samples + at + 1, s->samples + at, (size_t)(s->n_samples - at) * sizeof *s->samples);
  s->samples[at] = (sample){.digest = digest, .name = copy};
  s->n_samples++;
out:
  return st;
}

int32_t vlm_stats_samples(const vlm_stats *s) { return s->n_samples; }

void vlm_stats_hold_out(vlm_stats *s, vlm_digest digest) {
  assert(vlm_stats_has_sample(s, digest));
  s->samples[sample_place(s, digest)].held_out = true;
}

bool vlm_stats_is_held_out(const vlm_stats *s, vlm_digest digest) {
  return vlm_stats_has_sample(s, digest) && s->samples[sample_place(s, digest)].held_out;
}

int32_t vlm_stats_held_out(const vlm_stats *s) {
  int32_t n = 0;
  for (int32_t i = 0; i < s->n_samples; i++) n += s->samples[i].held_out;
  return n;
}

vlm_digest vlm_stats_sample(const vlm_stats *s, int32_t i, const char **name) {
  if (name) *name = s->samples[i].name;
  return s->samples[i].digest;
}

vlm_status vlm_stats_merge(vlm_stats *a, const vlm_stats *b, vlm_error *err) {
  vlm_status st = VLM_OK;
  char wanted[33], got[33];
  VLM_CHECK(a->model.high == b->model.high && a->model.low == b->model.low, err, VLM_INPUT,
            "statistics of different models cannot be merged: %s and %s", vlm_digest_text(a->model, wanted),
            vlm_digest_text(b->model, got));
  VLM_CHECK(!strcmp(a->preprocess, b->preprocess), err, VLM_INPUT,
            "statistics with different preprocessing cannot be merged: %s and %s", a->preprocess,
            b->preprocess);
  VLM_CHECK(!strcmp(vlm_stats_settings(a), vlm_stats_settings(b)), err, VLM_INPUT,
            "statistics that were measured with different options cannot be merged: \"%s\" and \"%s\"",
            vlm_stats_settings(a), vlm_stats_settings(b));
  a->partial |= b->partial;
  for (int32_t i = 0; i < b->n_samples; i++) {
    VLM_TRY(vlm_stats_add_sample(a, b->samples[i].digest, b->samples[i].name, err));
    if (b->samples[i].held_out) vlm_stats_hold_out(a, b->samples[i].digest);
  }
  for (int32_t i = 0; i < b->n_tensors; i++) {
    vlm_tensor_stats *t;
    VLM_TRY(vlm_stats_entry(&t, a, b->tensors[i]->graph, b->tensors[i]->name, err));
    VLM_TRY(vlm_tensor_stats_merge(t, b->tensors[i], err));
  }
  VLM_TRY(vlm_shape_list_merge(&a->shapes, &b->shapes, err));
  VLM_TRY(vlm_kept_merge(&a->kept, &b->kept, err));
out:
  return st;
}

/* ---- digest of the content ---- */

/* Files of before know nothing of rows, and keep their digest. */
static void hash_rows(vlm_hasher *h, const vlm_tensor_stats *t) {
  bool any = false;
  for (int i = 0; i < VLM_ROW_BINS; i++) any |= t->rows[i] != 0;
  if (any) vlm_hasher_add(h, t->rows, sizeof t->rows);
}

static void hash_tensor(vlm_hasher *h, const vlm_tensor_stats *t) {
  vlm_hasher_add_text(h, t->graph);
  vlm_hasher_add_text(h, t->name);
  const int64_t numbers[] = {t->runs,         t->count,    t->not_finite,   t->histogram.exponent,
                             t->channel_axis, t->channels, t->channel_count};
  vlm_hasher_add(h, numbers, sizeof numbers);
  const float extents[] = {t->min, t->max};
  vlm_hasher_add(h, extents, sizeof extents);
  vlm_hasher_add(h, t->histogram.bins, sizeof t->histogram.bins);
  size_t n = t->channels > 0 ? (size_t)t->channels : 0;
  if (n) {
    vlm_hasher_add(h, t->channel_min, n * sizeof(float));
    vlm_hasher_add(h, t->channel_max, n * sizeof(float));
    vlm_hasher_add(h, t->channel_sum, n * sizeof(vlm_sum128));
  }
  vlm_hasher_add(h, t->kind_min, sizeof t->kind_min);
  vlm_hasher_add(h, t->kind_max, sizeof t->kind_max);
  vlm_hasher_add(h, t->kind_count, sizeof t->kind_count);
  hash_rows(h, t);
}

vlm_status vlm_stats_digest(vlm_digest *out, const vlm_stats *s, vlm_stats_form form, vlm_error *err) {
  vlm_hasher *h;
  vlm_status st = vlm_hasher_create(&h, err);
  if (st != VLM_OK) return st;
  vlm_hasher_add(h, &s->model, sizeof s->model);
  vlm_hasher_add_text(h, s->preprocess);
  for (int32_t i = 0; i < s->n_samples; i++) {
    vlm_hasher_add(h, &s->samples[i].digest, sizeof(vlm_digest));
    if (form >= VLM_STATS_NAMED) vlm_hasher_add_text(h, s->samples[i].name);
    if (s->samples[i].held_out) vlm_hasher_add_text(h, "held out");
  }
  for (int32_t i = 0; i < s->n_tensors; i++) {
    hash_tensor(h, s->tensors[i]);
    if (form < VLM_STATS_WHOLE) continue;
    vlm_hasher_add(h, &s->tensors[i]->widest_low, sizeof(vlm_digest));
    vlm_hasher_add(h, &s->tensors[i]->widest_high, sizeof(vlm_digest));
  }
  *out = vlm_hasher_digest(h);
  vlm_hasher_free(h);
  return VLM_OK;
}
