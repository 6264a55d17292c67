#include "flow/watch.h"

vlm_status vlm_watch_go_on(void *user, vlm_error *err) {
  const vlm_watch *watch = user;
  bool over = watch->cancelled && watch->cancelled(watch->user);
  return over ? vlm_fail(err, VLM_INTERRUPTED, "interrupted") : VLM_OK;
}

vlm_status vlm_watch_step(void *user, int64_t done, int64_t total, vlm_error *err) {
  const vlm_watch *watch = user;
  if (watch->progress) watch->progress(watch->user, done, total);
  if (done == total || !watch->cancelled || !watch->cancelled(watch->user)) return VLM_OK;
  return vlm_fail(err, VLM_INTERRUPTED, "interrupted after %lld of %lld", (long long)done, (long long)total);
}
