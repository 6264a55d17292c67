#include "runtime/exec/plan_cache.h"

#include <assert.h>

static bool fits(const vlm_cached_plan *p, const vlm_tensor *const *outside, int32_t count) {
  for (int32_t i = 0; i < count; i++) {
    const vlm_tensor *a = &p->outside[i], *b = outside[i];
    if (a->dtype != b->dtype || a->rank != b->rank) return false;
    for (int d = 0; d < a->rank; d++)
      if (a->dims[d] != b->dims[d] && a->dims[d] != -1) return false;
  }
  return true;
}

/* Of the same types and ranks and, where rows are kept apart, of as many rows: such plans can be one. */
static bool same_kind(const vlm_plan_cache *cache, const vlm_cached_plan *p, const vlm_tensor *outside,
                      int32_t count) {
  for (int32_t i = 0; i < count; i++) {
    const vlm_tensor *a = &p->outside[i], *b = &outside[i];
    if (a->dtype != b->dtype || a->rank != b->rank) return false;
    if (cache->keeps_rows && a->rank > 0 && a->dims[0] != b->dims[0]) return false;
  }
  return true;
}

static int32_t count_kind(const vlm_plan_cache *cache, const vlm_cached_plan *added, int32_t count) {
  int32_t n = 0;
  for (int32_t p = 0; p < cache->count; p++) n += same_kind(cache, &cache->plans[p], added->outside, count);
  return n;
}

/* Dims in which plans of the same types and ranks differ are live from now on. */
static void generalise(const vlm_plan_cache *cache, vlm_cached_plan *added, int32_t count) {
  for (int32_t p = 0; p < cache->count; p++) {
    const vlm_cached_plan *plan = &cache->plans[p];
    if (!same_kind(cache, plan, added->outside, count)) continue;
    for (int32_t i = 0; i < count; i++)
      for (int d = 0; d < added->outside[i].rank; d++)
        if (plan->outside[i].dims[d] != added->outside[i].dims[d]) {
          added->outside[i].dims[d] = -1;
          added->generic = true;
        }
  }
}

static void free_plan(vlm_cached_plan *p) {
  vlm_plan_free(p->plan);
  vlm_free(p->outside);
}

void vlm_plan_cache_free(vlm_plan_cache *cache) {
  for (int32_t p = 0; p < cache->count; p++) free_plan(&cache->plans[p]);
  cache->count = 0;
}

void vlm_plan_cache_distrust(vlm_plan_cache *cache) {
  int32_t kept = 0;
  for (int32_t p = 0; p < cache->count; p++) {
    if (cache->plans[p].generic) free_plan(&cache->plans[p]);
    else cache->plans[kept++] = cache->plans[p];
  }
  cache->count = kept;
  cache->distrust = true;
}

static void drop_oldest(vlm_plan_cache *cache) {
  int32_t oldest = 0;
  for (int32_t i = 1; i < cache->count; i++)
    if (cache->plans[i].last_used < cache->plans[oldest].last_used) oldest = i;
  free_plan(&cache->plans[oldest]);
  cache->plans[oldest] = cache->plans[--cache->count];
}

static int32_t find(const vlm_plan_cache *cache, const vlm_tensor *const *outside, int32_t count) {
  int32_t found = -1;
  if (cache->current < cache->count && !cache->plans[cache->current].generic &&
      fits(&cache->plans[cache->current], outside, count))
    return cache->current;
  for (int32_t p = 0; p < cache->count; p++)
    if (fits(&cache->plans[p], outside, count) && (found < 0 || cache->plans[found].generic)) found = p;
  return found;
}

/* A plan with live dims, from what the plans without them have in common. */
static vlm_status create_generic(const vlm_plan_cache *cache, vlm_cached_plan *added,
                                 vlm_plan_request *request, const vlm_tensor *const *outside, int32_t count,
                                 vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_plan *witnesses[VLM_MAX_PLANS + 1];
  vlm_tensor *now = NULL;
  vlm_plan *shapes = NULL;
  if (!cache->distrust) {
    VLM_TRY(vlm_new(&now, count, err));
    for (int32_t i = 0; i < count; i++) now[i] = *outside[i];
    request->outside = now;
    VLM_TRY(vlm_plan_create_shapes(&shapes, request, err));
    witnesses[request->n_witnesses++] = shapes;
    for (int32_t p = 0; p < cache->count; p++)
      if (!cache->plans[p].generic && same_kind(cache, &cache->plans[p], added->outside, count))
        witnesses[request->n_witnesses++] = cache->plans[p].plan;
    request->witnesses = witnesses;
  }
  request->outside = added->outside;
  VLM_TRY(vlm_plan_create(&added->plan, request, err));
out:
  vlm_plan_free(shapes);
  vlm_free(now);
  return st;
}

static vlm_status add(vlm_plan_cache *cache, const vlm_plan_request *setting,
                      const vlm_tensor *const *outside, int32_t count, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_cached_plan added = {0};
  vlm_plan_request request = *setting;
  VLM_TRY(vlm_new(&added.outside, count, err));
  for (int32_t i = 0; i < count; i++) added.outside[i] = *outside[i];
  if (count_kind(cache, &added, count) >= 2) generalise(cache, &added, count);
  request.outside = added.outside;
  if (added.generic) VLM_TRY(create_generic(cache, &added, &request, outside, count, err));
  else VLM_TRY(vlm_plan_create(&added.plan, &request, err));
  if (cache->count == VLM_MAX_PLANS) drop_oldest(cache);
  added.plan->number = ++cache->made;
  cache->plans[cache->count++] = added;
out:
  if (st != VLM_OK) free_plan(&added);
  return st;
}

vlm_status vlm_plan_cache_get(vlm_plan_cache *cache, vlm_plan **out, const vlm_plan_request *setting,
                              const vlm_tensor *const *outside, int32_t count, vlm_error *err) {
  vlm_status st = VLM_OK;
  int32_t at = find(cache, outside, count);
  *out = NULL;
  if (at < 0) {
    VLM_TRY(add(cache, setting, outside, count, err));
    at = cache->count - 1;
  }
  assert(at >= 0 && at < cache->count && fits(&cache->plans[at], outside, count));
  cache->current = at;
  cache->plans[at].last_used = ++cache->clock;
  *out = cache->plans[at].plan;
out:
  return st;
}
