/* Forms of values that are more than a number or a name. */
#include <stdlib.h>
#include <string.h>

#include "cli/data.h"
#include "cli/option_row.h"
#include "flow/frames.h"
#include "quant/range.h"

vlm_status vlm_form_shard(const char *text, vlm_error *err) {
  size_t shard, shards;
  return vlm_shard_parse(&shard, &shards, text, err);
}

vlm_status vlm_form_range(const char *text, vlm_error *err) {
  vlm_range_method method;
  double percentile;
  return vlm_range_method_parse(&method, &percentile, text, err);
}

vlm_status vlm_form_keep(const char *text, vlm_error *err) {
  const char *type = strrchr(text, '=');
  if (type && strcmp(type, "=f16") == 0)
    return vlm_fail(err, VLM_USAGE, "--keep %s: f16 is not built yet; what is kept stays f32", text);
  return VLM_OK;
}

static vlm_status check_dim(const char *option, const char *text, vlm_error *err) {
  const char *equals = strrchr(text, '=');
  char *end = NULL;
  long long size = equals && equals > text ? strtoll(equals + 1, &end, 10) : -1;
  if (size < 0 || end == equals + 1 || *end)
    return vlm_fail(err, VLM_USAGE, "%s %s: wanted DIM=N, such as batch_size=1", option, text);
  return VLM_OK;
}

vlm_status vlm_form_yuv(const char *text, vlm_error *err) {
  vlm_frame_file file = {.path = NULL};
  const vlm_status st = vlm_frame_file_parse(&file, text, err);
  vlm_frame_file_free(&file);
  return st;
}

vlm_status vlm_form_shape(const char *text, vlm_error *err) { return check_dim("--shape", text, err); }
vlm_status vlm_form_freeze(const char *text, vlm_error *err) { return check_dim("--freeze", text, err); }
