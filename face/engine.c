#include "face/engine.h"

#include <stdatomic.h>

#include "face/sized.h"
#include "runtime/base/memory.h"

enum { MOST_THREADS = 256 };

struct vlm_engine {
  atomic_int owners;
  atomic_bool busy;
  vlm_context *context;
};

vlm_status vlm_engine_create(vlm_engine **out, const vlm_engine_opts *opts, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_engine_opts own = vlm_engine_opts_init();
  vlm_engine *engine = NULL;
  VLM_GIVEN(out);
  *out = NULL;
  if (opts) VLM_TRY(VLM_TAKE(vlm_engine_opts, own, opts, err));
  VLM_CHECK(own.threads >= 0 && own.threads <= MOST_THREADS, err, VLM_USAGE,
            "threads %d: wanted 0 (all) to %d", own.threads, MOST_THREADS);
  VLM_TRY(vlm_new(&engine, 1, err));
  atomic_store(&engine->owners, 1);
  const vlm_context_opts context = {.threads = own.threads, .cpu_level = own.cpu_level};
  VLM_TRY(vlm_context_create(&engine->context, &context, err));
  *out = engine;
  engine = NULL;
out:
  vlm_engine_free(engine);
  return st;
}

void vlm_engine_free(vlm_engine *engine) {
  if (!engine || atomic_fetch_sub(&engine->owners, 1) != 1) return;
  vlm_context_free(engine->context);
  vlm_free(engine);
}

void vlm_engine_hold(vlm_engine *engine) { atomic_fetch_add(&engine->owners, 1); }

vlm_context *vlm_engine_context(vlm_engine *engine) { return engine->context; }

const char *vlm_engine_cpu(const vlm_engine *engine) {
  return engine ? vlm_context_cpu(engine->context) : NULL;
}

int32_t vlm_engine_threads(const vlm_engine *engine) {
  return engine ? vlm_threads_count(vlm_context_threads(engine->context)) : 0;
}

vlm_status vlm_engine_enter(vlm_engine *engine, vlm_error *err) {
  if (!atomic_exchange(&engine->busy, true)) return VLM_OK;
  return vlm_fail(err, VLM_USAGE,
                  "the engine computes for another call; let calls on one engine follow each other, or use "
                  "one engine per thread");
}

void vlm_engine_leave(vlm_engine *engine) { atomic_store(&engine->busy, false); }
