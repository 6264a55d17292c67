#include "flow/golden.h"

#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/decode/answer.h"

enum { IMAGE, PROMPT, IDS, WIDTH = 32, HEIGHT = 24, NEW_TOKENS = 16 };

/* ---- asking ---- */

static vlm_status keep_ids(vlm_tensor *out, const vlm_ids *ids, vlm_error *err) {
  int64_t count = (int64_t)ids->count, *data = NULL;
  vlm_status st = vlm_new(&data, ids->count + 1, err);
  for (int64_t i = 0; st == VLM_OK && i < count; i++) data[i] = ids->data[i];
  *out = vlm_tensor_make(VLM_S64, 1, &count, data);
  return st;
}

static vlm_status ask(vlm_tensor *ids, vlm_context *context, const vlm_bundle *lowered,
                      const vlm_tensor *image, const vlm_tensor *prompt, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_model *model = NULL;
  vlm_answer answer = {0};
  char *text = NULL;
  size_t bytes = vlm_tensor_bytes(prompt);
  const vlm_answer_opts opts = {.max_new_tokens = NEW_TOKENS};
  const vlm_image picture = {
      .width = (int)image->dims[1], .height = (int)image->dims[0], .data = image->data};
  VLM_TRY(vlm_new(&text, bytes + 1, err));
  if (bytes) memcpy(text, prompt->data, bytes);
  VLM_TRY(vlm_model_create(&model, context, lowered, NULL, err));
  VLM_TRY(vlm_model_answer(model, &picture, text, &opts, &answer, err));
  VLM_TRY(keep_ids(ids, &answer.ids, err));
out:
  vlm_answer_free(&answer);
  vlm_model_free(model);
  vlm_free(text);
  return st;
}

static bool is_ours(const vlm_pack_golden *item) {
  const vlm_tensor *t = item->tensors;
  if (strcmp(item->graph, VLM_GOLDEN_ANSWER) || item->n_inputs != 2 || item->n_outputs != 1) return false;
  if (strcmp(item->names[IMAGE], "image") || strcmp(item->names[PROMPT], "prompt") ||
      strcmp(item->names[IDS], "ids"))
    return false;
  bool image = t[IMAGE].dtype == VLM_U8 && t[IMAGE].rank == 3 && t[IMAGE].dims[2] == 3;
  for (int d = 0; image && d < 2; d++) image = t[IMAGE].dims[d] > 0 && t[IMAGE].dims[d] <= INT32_MAX;
  return image && t[PROMPT].dtype == VLM_U8 && t[PROMPT].rank == 1 && t[IDS].dtype == VLM_S64 &&
         t[IDS].rank == 1;
}

vlm_status vlm_golden_answer(vlm_tensor *ids, vlm_context *context, const vlm_bundle *lowered,
                             const vlm_pack_golden *item, vlm_error *err) {
  *ids = (vlm_tensor){0};
  if (!is_ours(item))
    return vlm_fail(err, VLM_INTEGRITY,
                    "wanted \"image\" [height, width, 3] and \"prompt\" of uint8, and \"ids\" of int64");
  return ask(ids, context, lowered, &item->tensors[IMAGE], &item->tensors[PROMPT], err);
}

/* ---- making ---- */

static vlm_status put_inputs(vlm_golden *g, const char *prompt, vlm_error *err) {
  vlm_status st = VLM_OK;
  uint8_t *pixels = NULL;
  char *text = NULL;
  VLM_TRY(vlm_new(&pixels, HEIGHT * WIDTH * 3, err));
  for (int y = 0; y < HEIGHT; y++)
    for (int k = 0; k < WIDTH * 3; k++) pixels[y * WIDTH * 3 + k] = (uint8_t)(k * 37 + y * 101 + k * y);
  g->tensors[IMAGE] = vlm_tensor_make(VLM_U8, 3, (int64_t[]){HEIGHT, WIDTH, 3}, pixels);
  VLM_TRY(vlm_strdup(&text, prompt, err));
  g->tensors[PROMPT] = vlm_tensor_make(VLM_U8, 1, (int64_t[]){(int64_t)strlen(prompt)}, text);
out:
  return st;
}

vlm_status vlm_golden_make(vlm_golden *out, vlm_context *context, const vlm_bundle *lowered,
                           const char *prompt, vlm_error *err) {
  vlm_status st = VLM_OK;
  *out = (vlm_golden){.names = {"image", "prompt", "ids"}};
  if (lowered->family == VLM_FAMILY_GRAPH) return VLM_OK;
  VLM_TRY(put_inputs(out, prompt, err));
  VLM_TRY(ask(&out->tensors[IDS], context, lowered, &out->tensors[IMAGE], &out->tensors[PROMPT], err));
  out->item = (vlm_pack_golden){.graph = VLM_GOLDEN_ANSWER,
                                .n_inputs = 2,
                                .n_outputs = 1,
                                .names = out->names,
                                .tensors = out->tensors};
out:
  return st;
}

void vlm_golden_free(vlm_golden *golden) {
  for (int i = 0; i < 3; i++) vlm_free(golden->tensors[i].data);
  *golden = (vlm_golden){0};
}
