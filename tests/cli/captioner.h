/* The committed captioner in tests: opening it, one answer, and all answers against the tokens that PyTorch gave. */
#ifndef VLM_TESTS_CLI_CAPTIONER_H
#define VLM_TESTS_CLI_CAPTIONER_H

#include <stdio.h>

#include "calib/image.h"
#include "onnx/bundle.h"
#include "runtime/base/json.h"
#include "runtime/decode/answer.h"
#include "tests/fine.h"

#define BUNDLE VLMQ_SOURCE_DIR "/datasets/captioner/bundle"
#define FIXTURES VLMQ_SOURCE_DIR "/datasets/captioner/fixtures"
#define IMAGES VLMQ_SOURCE_DIR "/datasets/screens/test"

/* Sanitizers cost a factor of ten: a sample of the images must do there. */
#if defined(__SANITIZE_ADDRESS__)
enum { STRIDE = 20 };
#else
enum { STRIDE = 1 };
#endif

typedef struct {
  vlm_context *context;
  vlm_bundle *bundle;
  vlm_model *model;
} captioner;

/* cpu NULL = best level. */
static inline void open_captioner(captioner *c, const char *folder, const char *cpu, vlm_decoder_form form) {
  const vlm_context_opts context = {.cpu_level = cpu};
  const vlm_bundle_opts bundle = {.decoder = form};
  FINE(vlm_context_create(&c->context, &context, &error));
  FINE(vlm_bundle_open(&c->bundle, folder, &bundle, &error));
  FINE(vlm_model_create(&c->model, c->context, c->bundle, NULL, &error));
}

static inline void close_captioner(captioner *c) {
  vlm_model_free(c->model);
  vlm_bundle_free(c->bundle);
  vlm_context_free(c->context);
}

static inline void answer(captioner *c, const char *file, const char *prompt, const vlm_answer_opts *opts,
                          vlm_answer *out) {
  char path[512];
  vlm_image image;
  snprintf(path, sizeof path, IMAGES "/%s", file);
  FINE(vlm_image_read(&image, path, NULL, &error));
  vlm_answer_free(out);
  FINE(vlm_model_answer(c->model, &image, prompt, opts, out, &error));
  vlm_image_free(&image);
}

static inline bool same_ids(const vlm_answer *a, vlm_json ids) {
  if (vlm_json_size(ids) != a->ids.count) return false;
  for (size_t i = 0; i < a->ids.count; i++) {
    int64_t id;
    FINE(vlm_json_as_int(&id, vlm_json_at(ids, i), &error));
    if (id != a->ids.data[i]) return false;
  }
  return true;
}

/* Compares each `stride`th image; returns how many were compared. */
static inline int compare_tokens(captioner *c, const char *prompt, int stride) {
  vlm_json_doc *doc;
  vlm_answer a = {0};
  vlm_json_iter it = {0};
  int index = 0, compared = 0;
  FINE(vlm_json_load(&doc, FIXTURES "/expected_tokens.json", 0, &error));
  while (vlm_json_next(vlm_json_root(doc), &it)) {
    if (index++ % stride) continue;
    answer(c, it.key, prompt, NULL, &a);
    if (!same_ids(&a, it.value))
      fail_msg("%s: %s: other tokens than PyTorch: %s", c->bundle->source, it.key, vlm_text_get(&a.text));
    compared++;
  }
  vlm_answer_free(&a);
  vlm_json_free(doc);
  return compared;
}

#endif
