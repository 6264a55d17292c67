#include "runtime/base/cpu.h"
#include "runtime/base/memory.h"
#include "runtime/exec/context_private.h"

vlm_status vlm_context_create(vlm_context **out, const vlm_context_opts *opts, vlm_error *err) {
  static const vlm_context_opts defaults = {0};
  vlm_status st = VLM_OK;
  vlm_context *context = NULL;
  if (!opts) opts = &defaults;
  VLM_TRY(vlm_new(&context, 1, err));
  context->max_loop_runs = opts->max_loop_runs ? opts->max_loop_runs : VLM_MAX_LOOP_RUNS;
  VLM_TRY(vlm_cpu_select(&context->cpu_mask, opts->cpu_level, err));
  VLM_TRY(vlm_threads_create(&context->threads, opts->threads, err));
  VLM_TRY(vlm_kernels_select(&context->kernels, context->cpu_mask, err));
  VLM_TRY(vlm_weights_create(&context->weights, err));
out:
  if (st != VLM_OK) {
    vlm_context_free(context);
    context = NULL;
  }
  *out = context;
  return st;
}

void vlm_context_free(vlm_context *context) {
  if (!context) return;
  vlm_weights_free(context->weights);
  vlm_threads_free(context->threads);
  vlm_free(context);
}

void vlm_context_watch_steps(vlm_context *context, const vlm_step_watch *watch) { context->watch = watch; }
vlm_threads *vlm_context_threads(vlm_context *context) { return context->threads; }
const struct vlm_kernels *vlm_context_kernels(const vlm_context *context) { return &context->kernels; }
const char *vlm_context_cpu(const vlm_context *context) {
  return vlm_cpu_name(vlm_cpu_best(context->cpu_mask));
}
