/* An engine: worker threads and the kernels for this CPU, for any number of models. */
#ifndef VLMQ_ENGINE_H
#define VLMQ_ENGINE_H

#include <vlmq/base.h>

VLM_BEGIN_DECLS

typedef struct vlm_engine vlm_engine;

typedef struct vlm_engine_opts {
  size_t size;           /* sizeof(vlm_engine_opts) */
  int32_t threads;       /* 1 to 256, the calling thread included; 0 = one per CPU */
  const char *cpu_level; /* "avx2", "neon", ... as in vlm-run --cpu; NULL = the best that this CPU has */
} vlm_engine_opts;

static inline vlm_engine_opts vlm_engine_opts_init(void) {
  vlm_engine_opts opts;
  memset(&opts, 0, sizeof opts);
  opts.size = sizeof opts;
  return opts;
}

/* opts NULL = defaults. VLM_USAGE: a level that does not exist or that this CPU lacks. Results do not
 * depend on threads and level: they are the same bytes. Free with vlm_engine_free. */
VLM_API vlm_status vlm_engine_create(vlm_engine **out, const vlm_engine_opts *opts, vlm_error *err);
/* Models that use the engine keep it: the order of freeing does not matter. */
VLM_API void vlm_engine_free(vlm_engine *engine);
/* The level in use, "avx512vnni"; static text. NULL for NULL. */
VLM_API const char *vlm_engine_cpu(const vlm_engine *engine);
/* Threads in use, the calling one included; 0 for NULL. */
VLM_API int32_t vlm_engine_threads(const vlm_engine *engine);

VLM_END_DECLS

#endif
