#include "flow/samples.h"

#include <stdlib.h>

#include "calib/calibrate.h"
#include "calib/graph_inputs.h"
#include "runtime/base/memory.h"

/* ---- what the statistics keep ---- */

static void take_kept(vlm_sample_list *out, const vlm_kept_list *list) {
  out->held_out = list->count > 0 && list->items[0]->held_out;
  for (int32_t i = 0; i < list->count && out->count < VLM_SAMPLES_MOST; i++)
    if (list->items[i]->held_out == out->held_out) out->items[out->count++] = list->items[i];
}

/* ---- a data set ---- */

typedef enum { HELD_OUT, UNKNOWN, CALIBRATED } sample_kind;

typedef struct {
  sample_kind kind;
  vlm_digest digest;
  size_t index;
} found_sample;

static sample_kind kind_of(const vlm_stats *stats, vlm_digest digest) {
  if (!stats || !vlm_stats_has_sample(stats, digest)) return UNKNOWN;
  return vlm_stats_is_held_out(stats, digest) ? HELD_OUT : CALIBRATED;
}

static int by_kind(const void *a, const void *b) {
  const found_sample *x = a, *y = b;
  if (x->kind != y->kind) return x->kind < y->kind ? -1 : 1;
  if (x->digest.high != y->digest.high) return x->digest.high < y->digest.high ? -1 : 1;
  return x->digest.low < y->digest.low ? -1 : x->digest.low > y->digest.low;
}

static vlm_status load(vlm_sample_list *out, const vlm_graph *g, const vlm_dataset *set,
                       const found_sample *found, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_sample_arrays arrays = {0};
  vlm_tensor *inputs = NULL;
  const char **names = NULL;
  VLM_TRY(vlm_new(&inputs, g->n_inputs, err));
  VLM_TRY(vlm_new(&names, g->n_inputs, err));
  VLM_TRY(vlm_dataset_load_arrays(&arrays, set, found->index, err));
  VLM_TRY(vlm_match_inputs(inputs, g, arrays.names, arrays.tensors, arrays.count, err));
  for (int32_t i = 0; i < g->n_inputs; i++) names[i] = g->values[g->inputs[i]].name;
  VLM_TRY(vlm_kept_sample_make(&out->items[out->count], found->digest, found->kind != CALIBRATED, names,
                               inputs, g->n_inputs, err));
  out->count++;
out:
  if (st != VLM_OK) vlm_error_context(err, "sample %s", vlm_dataset_get(set, found->index)->key);
  vlm_free(names);
  vlm_free(inputs);
  vlm_sample_arrays_free(&arrays);
  return st;
}

/* Every sample of the set, best kind first. Free with vlm_free. */
static vlm_status find_samples(found_sample **out, const vlm_dataset *set, const vlm_stats *stats,
                               const char *prompt, vlm_error *err) {
  vlm_status st = VLM_OK;
  found_sample *found = NULL;
  size_t count = vlm_dataset_count(set);
  VLM_TRY(vlm_new(&found, count + 1, err));
  for (size_t i = 0; i < count; i++) {
    const char *own = vlm_dataset_get(set, i)->prompt;
    vlm_digest content;
    found[i].index = i;
    VLM_TRY(vlm_dataset_digest(&content, set, i, err));
    VLM_TRY(vlm_calibrate_digest(&found[i].digest, content, own ? own : prompt, err));
    found[i].kind = kind_of(stats, found[i].digest);
  }
  if (count) qsort(found, count, sizeof *found, by_kind);
out:
  if (st != VLM_OK) {
    vlm_free(found);
    found = NULL;
  }
  *out = found;
  return st;
}

/* How many of the first kind are taken. */
static size_t first_kind(const found_sample *found, size_t count, size_t most) {
  size_t n = 0;
  while (n < count && n < most && found[n].kind == found[0].kind) n++;
  return n;
}

static vlm_status take_set(vlm_sample_list *out, const vlm_graph *g, const vlm_stats *stats,
                           const vlm_dataset *set, vlm_error *err) {
  vlm_status st = VLM_OK;
  found_sample *found = NULL;
  VLM_TRY(find_samples(&found, set, stats, "", err));
  size_t count = first_kind(found, vlm_dataset_count(set), VLM_SAMPLES_MOST);
  out->owned = true;
  out->held_out = count > 0 && found[0].kind != CALIBRATED;
  for (size_t i = 0; i < count; i++) VLM_TRY(load(out, g, set, &found[i], err));
out:
  vlm_free(found);
  return st;
}

/* Few samples are all of one kind. */
static vlm_status take_rest(vlm_sample_list *out, const vlm_graph *g, const vlm_stats *stats,
                            const vlm_dataset *set, vlm_error *err) {
  vlm_status st = VLM_OK;
  found_sample *found = NULL;
  const size_t all = vlm_dataset_count(set);
  VLM_TRY(find_samples(&found, set, stats, "", err));
  size_t i = first_kind(found, all, VLM_SAMPLES_MOST);
  out->owned = true;
  if (i == all) i = 0;
  for (; i < all && out->count < VLM_SAMPLES_TO_ROUND; i++)
    if (found[i].kind == CALIBRATED) VLM_TRY(load(out, g, set, &found[i], err));
out:
  vlm_free(found);
  return st;
}

vlm_status vlm_samples_pick(vlm_dataset *set, bool *held_out, size_t most, const vlm_stats *stats,
                            const char *prompt, vlm_error *err) {
  vlm_status st = VLM_OK;
  found_sample *found = NULL;
  size_t *places = NULL;
  VLM_TRY(find_samples(&found, set, stats, prompt, err));
  size_t count = first_kind(found, vlm_dataset_count(set), most);
  VLM_TRY(vlm_new(&places, count + 1, err));
  *held_out = count > 0 && found[0].kind != CALIBRATED;
  for (size_t i = 0; i < count; i++) places[i] = found[i].index;
  VLM_TRY(vlm_dataset_pick(set, places, count, err));
out:
  vlm_free(places);
  vlm_free(found);
  return st;
}

vlm_status vlm_samples_rest(size_t **places, size_t *count, const vlm_dataset *set, const vlm_stats *stats,
                            const char *prompt, vlm_error *err) {
  vlm_status st = VLM_OK;
  found_sample *found = NULL;
  const size_t all = vlm_dataset_count(set);
  *places = NULL;
  *count = 0;
  VLM_TRY(find_samples(&found, set, stats, prompt, err));
  VLM_TRY(vlm_new(places, VLM_SAMPLES_TO_ROUND, err));
  for (size_t i = first_kind(found, all, VLM_SAMPLES_MOST); i < all && *count < VLM_SAMPLES_TO_ROUND; i++)
    if (found[i].kind != HELD_OUT) (*places)[(*count)++] = found[i].index;
out:
  vlm_free(found);
  return st;
}

vlm_status vlm_sample_list_make(vlm_sample_list *out, const vlm_bundle *bundle, const vlm_stats *stats,
                                const vlm_dataset *set, vlm_error *err) {
  vlm_status st = VLM_OK;
  *out = (vlm_sample_list){.count = 0};
  if (set) st = take_set(out, bundle->graphs[VLM_ROLE_MODEL], stats, set, err);
  else if (stats) take_kept(out, vlm_stats_kept_samples(stats));
  if (st != VLM_OK) vlm_sample_list_free(out);
  return st;
}

vlm_status vlm_sample_list_rest(vlm_sample_list *out, const vlm_bundle *bundle, const vlm_stats *stats,
                                const vlm_dataset *set, vlm_error *err) {
  vlm_status st = VLM_OK;
  *out = (vlm_sample_list){.count = 0};
  const vlm_kept_list *kept = stats ? vlm_stats_kept_samples(stats) : NULL;
  if (set) st = take_rest(out, bundle->graphs[VLM_ROLE_MODEL], stats, set, err);
  for (int32_t i = 0; !set && kept && i < kept->count; i++)
    if (!kept->items[i]->held_out) out->items[out->count++] = kept->items[i];
  if (st != VLM_OK) vlm_sample_list_free(out);
  return st;
}

void vlm_sample_list_free(vlm_sample_list *list) {
  for (int32_t i = 0; list->owned && i < list->count; i++) vlm_kept_sample_free(list->items[i]);
  *list = (vlm_sample_list){.count = 0};
}
