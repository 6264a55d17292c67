/* The captioner of datasets/, re-wired into every other bundle layout (tests/oracles/rewire_captioner.py), gives the tokens that PyTorch gave. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/cli/captioner.h"

#define REWIRED VLMQ_SOURCE_DIR "/tests/cli/data/rewired/"
enum { ALL = 400, EVERY = STRIDE * 10 };

/* What the layout is for: which graphs there are and what the decoder steps take. */
typedef struct {
  vlm_family family;
  bool vision, embed, encoder, merged;
  bool step_takes_ids, step_takes_states;
  int cache_inputs;
} shape;

static int count_past(const vlm_graph *g) {
  int count = 0;
  for (int32_t i = 0; i < g->n_inputs; i++)
    count += !strncmp(g->values[g->inputs[i]].name, "past_key_values.", 16);
  return count;
}

static void check_shape(const vlm_bundle *b, const shape *s) {
  const vlm_graph *step = b->graphs[VLM_ROLE_DECODER_STEP];
  assert_int_equal(b->family, s->family);
  assert_int_equal(b->graphs[VLM_ROLE_VISION] != NULL, s->vision);
  assert_int_equal(b->graphs[VLM_ROLE_EMBED] != NULL, s->embed);
  assert_int_equal(b->graphs[VLM_ROLE_ENCODER] != NULL, s->encoder);
  assert_int_equal(b->merged != NULL, s->merged);
  assert_int_equal(vlm_graph_find_input(step, "input_ids") >= 0, s->step_takes_ids);
  assert_int_equal(vlm_graph_find_input(step, "encoder_hidden_states") >= 0, s->step_takes_states);
  assert_int_equal(count_past(step), s->cache_inputs);
}

static void check_layout(const char *layout, vlm_decoder_form form, const char *prompt, shape wanted) {
  captioner c;
  char folder[512];
  snprintf(folder, sizeof folder, REWIRED "%s", layout);
  open_captioner(&c, folder, NULL, form);
  wanted.merged = form == VLM_DECODER_MERGED;
  check_shape(c.bundle, &wanted);
  assert_int_equal(compare_tokens(&c, prompt, EVERY), ALL / EVERY);
  close_captioner(&c);
}

/* ---- layouts ---- */

static const shape TROCR = {
    .family = VLM_FAMILY_ENCODER_DECODER, .encoder = true, .step_takes_ids = true, .cache_inputs = 8};
static const shape VIT_GPT2 = {.family = VLM_FAMILY_ENCODER_DECODER,
                               .encoder = true,
                               .step_takes_ids = true,
                               .step_takes_states = true,
                               .cache_inputs = 4};
static const shape DECODER_ONLY = {
    .family = VLM_FAMILY_DECODER_ONLY, .vision = true, .embed = true, .cache_inputs = 8};
static const shape NAMED = {
    .family = VLM_FAMILY_ENCODER_DECODER, .vision = true, .embed = true, .encoder = true, .cache_inputs = 8};

/* A decoder that starts from the prompt knows no tasks: the question is in the encoder, "" and "<CAPTION>" mean the same. */
static void trocr(void **state) {
  (void)state;
  check_layout("trocr", VLM_DECODER_MERGED, "", TROCR);
  check_layout("trocr", VLM_DECODER_SEPARATE, "<CAPTION>", TROCR);
}

static void vit_gpt2(void **state) {
  (void)state;
  check_layout("vit_gpt2", VLM_DECODER_MERGED, "", VIT_GPT2);
  check_layout("vit_gpt2", VLM_DECODER_SEPARATE, "<CAPTION>", VIT_GPT2);
}

static void decoder_only(void **state) {
  (void)state;
  check_layout("decoder_only", VLM_DECODER_MERGED, "<CAPTION>", DECODER_ONLY);
}

/* The question is the default prompt of vlm.json, which is the only JSON file there. */
static void own_names(void **state) {
  (void)state;
  check_layout("named", VLM_DECODER_SEPARATE, "", NAMED);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(trocr),
      cmocka_unit_test(vit_gpt2),
      cmocka_unit_test(decoder_only),
      cmocka_unit_test(own_names),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
