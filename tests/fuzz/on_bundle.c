/* The texts beside a model, each up to a zero byte in the order of runtime/bundle/texts.def, then the preprocessing list of a packed file:
 * whoever reads one of them, reads it here. */
#include <stdlib.h>
#include <string.h>

#include "hub/resolve.h"
#include "hub/settings.h"
#include "runtime/base/memory.h"
#include "runtime/bundle/bundle_texts.h"
#include "runtime/decode/generation.h"
#include "runtime/image/preprocess.h"
#include "tests/fuzz/files.h"
#include "tests/fuzz/target.h"

fuzz_run fuzz_on_bundle;

static void preprocess(const vlm_preprocess *ops) {
  static const struct { int width, height; } sides[] = {{17, 13}, {1, 1}, {3, 200}};
  for (size_t i = 0; i < sizeof sides / sizeof *sides; i++) {
    vlm_error err;
    vlm_image image;
    vlm_pixels pixels;
    if (vlm_image_create(&image, sides[i].width, sides[i].height, &err) != VLM_OK) continue;
    if (vlm_preprocess_run(&pixels, ops, &image, NULL, &err) == VLM_OK) vlm_pixels_free(&pixels);
    vlm_image_free(&image);
  }
}

static void read_all(vlm_bundle *bundle) {
  vlm_error err;
  vlm_preprocess ops;
  vlm_decoder_facts facts;
  vlm_generation generation;
  vlm_json_doc *config = NULL, *generated = NULL;
  char *text = NULL;
  bool stated;
  if (vlm_hub_resolve(bundle, &err) == VLM_OK &&
      vlm_bundle_preprocess(&ops, &stated, bundle, &err) == VLM_OK && stated)
    preprocess(&ops);
  (void)vlm_bundle_decoder_facts(&facts, bundle, &err);
  if (vlm_bundle_default_prompt(&text, bundle, &err) == VLM_OK) vlm_free(text);
  if (vlm_hub_ignored(&text, bundle, &err) == VLM_OK) vlm_free(text);
  if (vlm_bundle_json(&config, bundle, VLM_TEXT_CONFIG, &err) == VLM_OK &&
      vlm_bundle_json(&generated, bundle, VLM_TEXT_GENERATION, &err) == VLM_OK)
    (void)vlm_generation_read(&generation, config, generated, &err);
  vlm_json_free(config);
  vlm_json_free(generated);
}

void fuzz_on_bundle(const uint8_t *data, size_t size) {
  vlm_error err;
  vlm_bundle *bundle = NULL;
  vlm_preprocess ops;
  if (vlm_bundle_create(&bundle, "fuzz", &err) != VLM_OK) return;
  for (int t = 0; t < VLM_TEXT_COUNT; t++) {
    char *text = fuzz_text(&data, &size);
    if (text[0] && vlm_strdup(&bundle->texts[t], text, &err) != VLM_OK) fuzz_found("out of memory");
    free(text);
  }
  read_all(bundle);
  char *list = fuzz_text(&data, &size);
  if (vlm_preprocess_parse(&ops, list, "fuzz", &err) == VLM_OK) preprocess(&ops);
  free(list);
  vlm_bundle_free(bundle);
}
