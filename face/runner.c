/* What a runner says about itself. */
#include "face/runner.h"

#include "face/sized.h"

vlm_session *vlm_runner_session(const vlm_runner *runner, vlm_role role) {
  return runner->model            ? vlm_model_session(runner->model, role)
         : role == VLM_ROLE_MODEL ? runner->session
                                  : NULL;
}

static int32_t count_graphs(const vlm_bundle *bundle) {
  int32_t count = 0;
  for (int r = 0; r < VLM_ROLE_COUNT; r++) count += bundle->graphs[r] != NULL;
  return count;
}

vlm_status vlm_runner_info(const vlm_runner *runner, vlm_model_info *out, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_model_info info = vlm_model_info_init();
  int width = 0, height = 0;
  VLM_GIVEN(runner);
  const vlm_preprocess *ops = runner->model ? vlm_model_preprocess(runner->model) : NULL;
  info.source = runner->bundle->source;
  info.generates = runner->model != NULL;
  info.graphs = count_graphs(runner->bundle);
  if (ops && vlm_preprocess_fixed_size(ops, &width, &height)) {
    info.image_width = width;
    info.image_height = height;
  }
  VLM_TRY(VLM_GIVE(vlm_model_info, out, info, err));
out:
  return st;
}

static void add_session(vlm_memory_info *info, const vlm_session *session) {
  const vlm_session_stats stats = vlm_session_get_stats(session);
  info->arena_bytes += stats.arena_bytes;
  info->heap_bytes += stats.heap_bytes;
  info->plans += stats.plans;
}

vlm_status vlm_runner_memory(const vlm_runner *runner, vlm_memory_info *out, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_memory_info info = vlm_memory_info_init();
  const vlm_session *last = NULL;
  VLM_GIVEN(runner);
  for (int r = 0; r < VLM_ROLE_COUNT; r++) {
    const vlm_session *session = vlm_runner_session(runner, (vlm_role)r);
    if (session && session != last) add_session(&info, session);
    last = session;
  }
  info.released_bytes =
      runner->model ? vlm_model_released_bytes(runner->model) : vlm_release_bytes(runner->release);
  VLM_TRY(VLM_GIVE(vlm_memory_info, out, info, err));
out:
  return st;
}
