#include "face/reply.h"

#include "face/sized.h"
#include "runtime/base/memory.h"

void vlm_reply_free(vlm_reply *reply) {
  if (!reply) return;
  vlm_objects_free(&reply->objects);
  vlm_answer_free(&reply->answer);
  vlm_free(reply);
}

const char *vlm_reply_text(const vlm_reply *reply) {
  return reply ? vlm_text_get(&reply->answer.text) : NULL;
}

const int32_t *vlm_reply_ids(const vlm_reply *reply, size_t *count) {
  if (count) *count = reply ? reply->answer.ids.count : 0;
  return reply ? reply->answer.ids.data : NULL;
}

vlm_finish vlm_reply_finish(const vlm_reply *reply) { return reply ? reply->finish : VLM_FINISH_NONE; }

vlm_status vlm_reply_timing(const vlm_reply *reply, vlm_timing *out, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_timing timing = vlm_timing_init();
  VLM_GIVEN(reply);
  const vlm_answer *a = &reply->answer;
  timing.vision_ms = a->stage_ms[VLM_STAGE_VISION];
  timing.embed_ms = a->stage_ms[VLM_STAGE_EMBED];
  timing.encoder_ms = a->stage_ms[VLM_STAGE_ENCODER];
  timing.first_ms = a->stage_ms[VLM_STAGE_FIRST];
  timing.steps_ms = a->stage_ms[VLM_STAGE_STEP];
  timing.first_token_ms = a->first_token_ms;
  timing.total_ms = a->total_ms;
  timing.steps = a->steps;
  timing.image_tokens = a->image_tokens;
  timing.prompt_tokens = a->prompt_tokens;
  VLM_TRY(VLM_GIVE(vlm_timing, out, timing, err));
out:
  return st;
}

size_t vlm_reply_findings(const vlm_reply *reply) { return reply ? reply->objects.count : 0; }

static vlm_outline outline_of(vlm_shape shape) {
  return shape == VLM_SHAPE_BOX    ? VLM_OUTLINE_BOX
         : shape == VLM_SHAPE_QUAD ? VLM_OUTLINE_QUAD
                                   : VLM_OUTLINE_POLYGON;
}

vlm_status vlm_reply_finding(const vlm_reply *reply, size_t index, vlm_finding *out, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_finding finding = vlm_finding_init();
  VLM_GIVEN(reply);
  VLM_CHECK(index < reply->objects.count, err, VLM_USAGE, "finding %zu: the answer has %zu", index,
            reply->objects.count);
  const vlm_object *object = &reply->objects.items[index];
  finding.label = object->label;
  finding.outline = outline_of(object->shape);
  finding.instance = object->instance;
  finding.count = object->n_values;
  finding.values = object->values;
  VLM_TRY(VLM_GIVE(vlm_finding, out, finding, err));
out:
  return st;
}
