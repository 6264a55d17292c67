/* Private to exec/: the plans of a frame by the shapes of what comes from outside. When the third set of shapes comes, the dims that changed
 * become live and one generic plan serves all further sizes. */
#ifndef VLM_EXEC_PLAN_CACHE_H
#define VLM_EXEC_PLAN_CACHE_H

#include "runtime/exec/plan.h"

enum { VLM_MAX_PLANS = 8 };

typedef struct vlm_cached_plan {
  vlm_plan *plan;
  vlm_tensor *outside; /* type and shape; dim -1 = live */
  bool generic;        /* has live dims */
  int64_t last_used;
} vlm_cached_plan;

typedef struct vlm_plan_cache {
  vlm_cached_plan plans[VLM_MAX_PLANS];
  int32_t count, current;
  int64_t clock, made;
  bool keeps_rows; /* the first dims are never live */
  bool distrust;   /* a guessed shape was wrong once: none is guessed any more */
} vlm_plan_cache;

/* The plan for `count` tensors from outside (inputs, then captures; all dims known): found or made with the setting, whose own `outside` is not
 * read. */
vlm_status vlm_plan_cache_get(vlm_plan_cache *cache, vlm_plan **out, const vlm_plan_request *setting,
                              const vlm_tensor *const *outside, int32_t count, vlm_error *err);
/* Drops the generic plans: the next ones guess no shapes. */
void vlm_plan_cache_distrust(vlm_plan_cache *cache);
void vlm_plan_cache_free(vlm_plan_cache *cache);

#endif
