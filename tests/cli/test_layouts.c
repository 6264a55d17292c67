/* Every bundle layout against tokens that ONNX Runtime gave for it (tests/oracles/make_layouts.py), before and after quantization and packing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "calib/calibrate.h"
#include "onnx/bundle.h"
#include "pack/pack.h"
#include "quant/plan.h"
#include "runtime/base/file.h"
#include "runtime/decode/bundle_profile.h"
#include "runtime/base/json.h"
#include "runtime/decode/answer.h"
#include "runtime/decode/bundle_lower.h"
#include "tests/fine.h"

#define LAYOUTS VLMQ_SOURCE_DIR "/tests/cli/data/layouts/"
enum { SIDE = 16, PIXELS = 3 * SIDE * SIDE, NEW_TOKENS = 12 };

/* ---- one model ---- */

typedef struct {
  vlm_context *context;
  vlm_bundle *bundle;
  vlm_model *model;
} player;

static vlm_bundle *open_layout(const char *name, vlm_decoder_form form) {
  char path[512];
  vlm_bundle *bundle;
  const vlm_bundle_opts opts = {.decoder = form};
  snprintf(path, sizeof path, LAYOUTS "%s", name);
  FINE(vlm_bundle_open(&bundle, path, &opts, &error));
  return bundle;
}

static void start(player *p, vlm_bundle *bundle) {
  p->bundle = bundle;
  FINE(vlm_context_create(&p->context, NULL, &error));
  FINE(vlm_model_create(&p->model, p->context, bundle, NULL, &error));
}

static void stop(player *p) {
  vlm_model_free(p->model);
  vlm_bundle_free(p->bundle);
  vlm_context_free(p->context);
}

/* The rule of make_layouts.py. */
static void make_pixels(float *pixels, int64_t image) {
  for (int64_t k = 0; k < PIXELS; k++)
    pixels[k] = (float)((k * 37 * (1 + image) + image * 101) % 256) / 128 - 1;
}

static void ask(player *p, const char *prompt, int64_t image, int64_t beams, vlm_answer *out) {
  float pixels[PIXELS];
  make_pixels(pixels, image);
  vlm_tensor t = vlm_tensor_make(VLM_F32, 4, (int64_t[]){1, 3, SIDE, SIDE}, pixels);
  const vlm_answer_opts opts = {.beams = beams, .max_new_tokens = NEW_TOKENS};
  vlm_answer_free(out);
  FINE(vlm_model_answer_pixels(p->model, &t, prompt, &opts, out, &error));
}

/* ---- tokens of ONNX Runtime ---- */

static void same_ids(const vlm_answer *a, vlm_json ids, const char *layout, size_t number) {
  bool same = vlm_json_size(ids) == a->ids.count;
  for (size_t i = 0; same && i < a->ids.count; i++) {
    int64_t id;
    FINE(vlm_json_as_int(&id, vlm_json_at(ids, i), &error));
    same = id == a->ids.data[i];
  }
  if (!same)
    fail_msg("%s: case %zu: other tokens than ONNX Runtime: %zu of them, %s", layout, number, a->ids.count,
             vlm_text_get(&a->text));
}

static void check_cases(player *p, const char *layout) {
  char path[512];
  vlm_json_doc *doc;
  vlm_answer a = {0};
  snprintf(path, sizeof path, LAYOUTS "%s/expected.json", layout);
  FINE(vlm_json_load(&doc, path, 0, &error));
  vlm_json cases = vlm_json_root(doc);
  assert_true(vlm_json_size(cases) >= 12);
  for (size_t i = 0; i < vlm_json_size(cases); i++) {
    const char *prompt;
    int64_t image, beams;
    vlm_json c = vlm_json_at(cases, i);
    FINE(vlm_json_get_text(&prompt, c, "prompt", VLM_JSON_REQUIRED, &error));
    FINE(vlm_json_get_int(&image, c, "image", VLM_JSON_REQUIRED, &error));
    FINE(vlm_json_get_int(&beams, c, "beams", VLM_JSON_REQUIRED, &error));
    ask(p, prompt, image, beams, &a);
    same_ids(&a, vlm_json_member(c, "ids"), layout, i);
  }
  vlm_answer_free(&a);
  vlm_json_free(doc);
}

static void check_layout(const char *layout, vlm_decoder_form form) {
  player p;
  start(&p, open_layout(layout, form));
  check_cases(&p, layout);
  stop(&p);
}

static int count_ops(const vlm_graph *g, const char *op) {
  int count = 0;
  for (int32_t n = 0; n < g->n_nodes; n++) count += !strcmp(g->nodes[n].op_type, op);
  return count;
}

static void trocr(void **state) {
  (void)state;
  check_layout("trocr", VLM_DECODER_MERGED);
  check_layout("trocr", VLM_DECODER_SEPARATE);
}

static void vit_gpt2(void **state) {
  (void)state;
  check_layout("vit_gpt2", VLM_DECODER_MERGED);
  check_layout("vit_gpt2", VLM_DECODER_SEPARATE);
}

static void decoder_only(void **state) {
  (void)state;
  check_layout("llava", VLM_DECODER_ANY);
}

static void own_names(void **state) {
  (void)state;
  check_layout("named", VLM_DECODER_ANY);
}

static void forms_are_what_they_say(void **state) {
  (void)state;
  vlm_bundle *merged = open_layout("trocr", VLM_DECODER_MERGED),
             *separate = open_layout("trocr", VLM_DECODER_SEPARATE);
  assert_int_equal(merged->family, VLM_FAMILY_ENCODER_DECODER);
  assert_non_null(merged->merged);
  assert_null(separate->merged);
  assert_int_equal(count_ops(merged->graphs[VLM_ROLE_DECODER_STEP], "CacheAttention"), 1);
  assert_int_equal(count_ops(separate->graphs[VLM_ROLE_DECODER_STEP], "CacheAttention"), 1);
  vlm_bundle_free(merged);
  vlm_bundle_free(separate);
}

/* The step graph of a decoder-only model is a copy that appends in place and shares the weights. */
static void decoder_only_steps_in_place(void **state) {
  (void)state;
  vlm_bundle *b = open_layout("llava", VLM_DECODER_ANY);
  const vlm_graph *first = b->graphs[VLM_ROLE_DECODER_FIRST], *step = b->graphs[VLM_ROLE_DECODER_STEP];
  assert_int_equal(b->family, VLM_FAMILY_DECODER_ONLY);
  assert_ptr_not_equal(first, step);
  assert_int_equal(count_ops(first, "CacheAttention"), 0);
  assert_int_equal(count_ops(step, "CacheAttention"), 1);
  assert_int_equal(count_ops(step, "Expand"), 0);
  assert_true(vlm_graph_find_output(step, "present.0.key") < 0);
  vlm_value_id a = vlm_graph_find(first, "head.w"), c = vlm_graph_find(step, "head.w");
  assert_ptr_equal(first->values[a].tensor.data, step->values[c].tensor.data);
  vlm_bundle_free(b);
}

/* ---- steps, teacher forcing, profile ---- */

static void warm_steps_plan_nothing(void **state) {
  static const char *const NAMES[] = {"trocr", "llava", "named"};
  (void)state;
  for (size_t i = 0; i < 3; i++) {
    player p;
    vlm_answer a = {0};
    start(&p, open_layout(NAMES[i], VLM_DECODER_ANY));
    ask(&p, "w9", 2, 1, &a);
    vlm_session_stats before = vlm_session_get_stats(vlm_model_session(p.model, VLM_ROLE_DECODER_STEP));
    ask(&p, "w9", 2, 1, &a);
    vlm_session_stats after = vlm_session_get_stats(vlm_model_session(p.model, VLM_ROLE_DECODER_STEP));
    assert_int_equal(after.plans, before.plans);
    assert_int_equal(after.allocations, before.allocations);
    vlm_answer_free(&a);
    stop(&p);
  }
}

typedef struct {
  int64_t rows;
  int32_t best[NEW_TOKENS + 1];
} argmax_log;

static vlm_status log_row(void *user, int64_t step, const float *logits, int64_t vocab, vlm_error *err) {
  argmax_log *l = user;
  int64_t best = 0;
  (void)err;
  for (int64_t i = 1; i < vocab; i++)
    if (logits[i] > logits[best]) best = i;
  if (step <= NEW_TOKENS) l->best[step] = (int32_t)best;
  l->rows++;
  return VLM_OK;
}

/* A model that is told its own answer agrees with each token of it. */
static void told_answers_agree(void **state) {
  static const char *const NAMES[] = {"trocr", "vit_gpt2", "llava", "named"};
  (void)state;
  for (size_t i = 0; i < 4; i++) {
    player p;
    vlm_answer a = {0}, b = {0};
    float pixels[PIXELS];
    argmax_log log = {0};
    make_pixels(pixels, 1);
    vlm_tensor t = vlm_tensor_make(VLM_F32, 4, (int64_t[]){1, 3, SIDE, SIDE}, pixels);
    start(&p, open_layout(NAMES[i], VLM_DECODER_ANY));
    ask(&p, "w9", 1, 1, &a);
    const vlm_answer_opts opts = {
        .forced = a.ids.data + 1, .n_forced = a.ids.count - 1, .on_logits = log_row, .user = &log};
    FINE(vlm_model_answer_pixels(p.model, &t, "w9", &opts, &b, &error));
    assert_int_equal(log.rows, a.ids.count - 1);
    assert_memory_equal(log.best, a.ids.data + 1, (a.ids.count - 1) * sizeof log.best[0]);
    assert_int_equal(a.ids.count, b.ids.count);
    assert_memory_equal(a.ids.data, b.ids.data, a.ids.count * sizeof *a.ids.data);
    vlm_answer_free(&a);
    vlm_answer_free(&b);
    stop(&p);
  }
}

static void every_graph_can_be_profiled(void **state) {
  static const char *const NAMES[] = {"trocr", "vit_gpt2", "llava", "named"};
  (void)state;
  for (size_t i = 0; i < 4; i++) {
    vlm_context *context;
    vlm_bundle_profile profile;
    vlm_bundle *b = open_layout(NAMES[i], VLM_DECODER_ANY);
    FINE(vlm_context_create(&context, NULL, &error));
    FINE(vlm_bundle_profile_make(&profile, context, b, NULL, &error));
    for (int r = 0; r < VLM_ROLE_COUNT; r++)
      if (b->graphs[r] && !profile.roles[r].made)
        fail_msg("%s: %s: %s", NAMES[i], vlm_role_name((vlm_role)r), profile.roles[r].error.text);
    vlm_bundle_profile_free(&profile);
    vlm_bundle_free(b);
    vlm_context_free(context);
  }
}

/* ---- quantize and pack ---- */

static void temporary(char path[64], const char *name) {
  snprintf(path, 64, "/tmp/vlmq-layouts-%ld-%s", (long)getpid(), name);
}

static vlm_stats *calibrate(const vlm_bundle *bundle) {
  static const char *const PROMPTS[] = {"w9"};
  vlm_digest digest;
  vlm_stats *stats;
  vlm_dataset *set;
  vlm_context *context;
  char *preprocess;
  vlm_calibrate_report report;
  const char *paths[] = {VLMQ_SOURCE_DIR "/datasets/screens/test/test_0000.png",
                         VLMQ_SOURCE_DIR "/datasets/screens/test/test_0001.png"};
  const vlm_dataset_opts data = {.limit = 0};
  const vlm_calibrate_opts opts = {.prompts = PROMPTS, .n_prompts = 1, .max_new_tokens = NEW_TOKENS};
  FINE(vlm_context_create(&context, NULL, &error));
  FINE(vlm_bundle_digest(&digest, bundle, &error));
  FINE(vlm_calibrate_preprocess(&preprocess, bundle, &error));
  FINE(vlm_stats_create(&stats, digest, preprocess, &error));
  FINE(vlm_dataset_open_images(&set, paths, 2, &data, &error));
  FINE(vlm_calibrate(stats, context, bundle, set, &opts, &report, &error));
  assert_int_equal(report.samples, 2);
  assert_true(report.tensors[VLM_ROLE_DECODER_FIRST] > 4 && report.tensors[VLM_ROLE_DECODER_STEP] > 4);
  vlm_dataset_free(set);
  vlm_free(preprocess);
  vlm_context_free(context);
  return stats;
}

static void quantize(vlm_bundle *b, const vlm_stats *stats, const vlm_quant_opts *opts) {
  vlm_quant_graph graphs[VLM_ROLE_COUNT];
  vlm_quant_plan *plan;
  int32_t n = 0, changed = 0;
  for (int r = 0; r < VLM_ROLE_COUNT; r++)
    if (vlm_bundle_graph_once(b, r))
      graphs[n++] = (vlm_quant_graph){vlm_role_name((vlm_role)r), b->graphs[r]};
  FINE(vlm_quant_plan_make(&plan, graphs, n, stats, opts, &error));
  for (int32_t i = 0; i < plan->count; i++) changed += plan->nodes[i].decision != VLM_DECIDE_FLOAT;
  assert_true(changed > 8);
  for (int32_t i = 0; i < n; i++) FINE(vlm_quant_apply(&graphs[i], plan, stats, opts, &error));
  vlm_quant_plan_free(plan);
}

static vlm_bundle *pack_and_open(const vlm_bundle *b, const char *name) {
  char path[64];
  vlm_pack *pack;
  vlm_bundle *out;
  const vlm_pack_content content = {.bundle = b};
  temporary(path, name);
  FINE(vlm_pack_write(path, &content, NULL, NULL, &error));
  FINE(vlm_pack_open(&pack, path, &(vlm_pack_open_opts){.lazy = true}, &error));
  FINE(vlm_pack_bundle(&out, pack, &error));
  vlm_pack_close(pack);
  unlink(path);
  return out;
}

static void lower(vlm_bundle *b) { FINE(vlm_bundle_lower(b, NULL, &error)); }

static void same_answers(player *a, player *b, int64_t beams) {
  vlm_answer x = {0}, y = {0};
  for (int64_t image = 0; image < 3; image++) {
    ask(a, "w9", image, beams, &x);
    ask(b, "w9", image, beams, &y);
    assert_true(x.ids.count > 1);
    assert_int_equal(x.ids.count, y.ids.count);
    assert_memory_equal(x.ids.data, y.ids.data, x.ids.count * sizeof *x.ids.data);
    assert_string_equal(vlm_text_get(&x.text), vlm_text_get(&y.text));
  }
  vlm_answer_free(&x);
  vlm_answer_free(&y);
}

static void round_trip(const char *name, vlm_decoder_form form, vlm_activation_mode activations) {
  player a, b;
  vlm_bundle *quantized = open_layout(name, form);
  vlm_stats *stats = activations == VLM_ACTIVATIONS_AUTO ? calibrate(quantized) : NULL;
  const vlm_quant_opts opts = {.activations = activations};
  quantize(quantized, stats, &opts);
  vlm_bundle *packed = pack_and_open(quantized, name);
  assert_int_equal(packed->family, quantized->family);
  lower(quantized);
  lower(packed);
  start(&a, quantized);
  start(&b, packed);
  same_answers(&a, &b, 1);
  same_answers(&a, &b, 3);
  stop(&a);
  stop(&b);
  vlm_stats_free(stats);
}

static void quantized_layouts_survive_packing(void **state) {
  static const char *const NAMES[] = {"trocr", "vit_gpt2", "llava", "named"};
  static const vlm_activation_mode MODES[] = {VLM_ACTIVATIONS_AUTO, VLM_ACTIVATIONS_DYNAMIC,
                                              VLM_ACTIVATIONS_NONE};
  (void)state;
  for (size_t i = 0; i < 4; i++)
    for (size_t m = 0; m < 3; m++) round_trip(NAMES[i], VLM_DECODER_ANY, MODES[m]);
  round_trip("trocr", VLM_DECODER_SEPARATE, VLM_ACTIVATIONS_AUTO);
  round_trip("vit_gpt2", VLM_DECODER_SEPARATE, VLM_ACTIVATIONS_AUTO);
}

/* A float model keeps the tokens of ONNX Runtime through a packed file: names and manifest travel with it. */
static void float_layouts_survive_packing(void **state) {
  static const char *const NAMES[] = {"trocr", "vit_gpt2", "llava", "named"};
  (void)state;
  for (size_t i = 0; i < 4; i++) {
    player p;
    vlm_bundle *plain = open_layout(NAMES[i], VLM_DECODER_ANY), *packed = pack_and_open(plain, NAMES[i]);
    vlm_bundle_free(plain);
    start(&p, packed);
    check_cases(&p, NAMES[i]);
    stop(&p);
  }
}

/* ---- mistakes in vlm.json ---- */

/* A folder with links to the files of "named" and a vlm.json that is `file` with `to` in place of `from`. */
static void make_folder(char folder[64], const char *file, const char *from, const char *to) {
  static const char *const FILES[] = {"eye.onnx",  "words.onnx", "reader.onnx",       "start.onnx",
                                      "next.onnx", "both.onnx",  "decoder.onnx_data", "vocabulary.json"};
  char target[512], path[128], *text = NULL;
  snprintf(target, sizeof target, LAYOUTS "named/%s", file);
  FINE(vlm_file_read_text(&text, target, &error));
  assert_non_null(strstr(text, from));
  size_t at = (size_t)(strstr(text, from) - text);
  temporary(folder, "XXXXXX");
  assert_non_null(mkdtemp(folder));
  for (size_t i = 0; i < sizeof FILES / sizeof FILES[0]; i++) {
    snprintf(target, sizeof target, LAYOUTS "named/%s", FILES[i]);
    snprintf(path, sizeof path, "%s/%s", folder, FILES[i]);
    assert_int_equal(symlink(target, path), 0);
  }
  snprintf(path, sizeof path, "%s/vlm.json", folder);
  FILE *f = fopen(path, "w");
  assert_non_null(f);
  fprintf(f, "%.*s%s%s", (int)at, text, to, text + at + strlen(from));
  fclose(f);
  vlm_free(text);
}

static void remove_folder(const char *folder) {
  char command[128];
  snprintf(command, sizeof command, "rm -r '%s'", folder);
  assert_int_equal(system(command), 0);
}

static void own_names_merged(void **state) {
  char folder[64];
  player p;
  vlm_bundle *b;
  (void)state;
  make_folder(folder, "merged.json", "{", "{");
  FINE(vlm_bundle_open(&b, folder, NULL, &error));
  assert_non_null(b->merged);
  start(&p, b);
  check_cases(&p, "named");
  stop(&p);
  remove_folder(folder);
}

/* Opens the changed folder and makes a model of it; the error must hold both texts. */
static void refuses(const char *from, const char *to, const char *first, const char *second) {
  char folder[64];
  vlm_bundle *b = NULL;
  vlm_context *context = NULL;
  vlm_model *model = NULL;
  make_folder(folder, "vlm.json", from, to);
  error.text[0] = '\0';
  FINE(vlm_context_create(&context, NULL, &error));
  vlm_status st = vlm_bundle_open(&b, folder, NULL, &error);
  if (st == VLM_OK) st = vlm_model_create(&model, context, b, NULL, &error);
  if (st == VLM_OK) fail_msg("%s instead of %s was accepted", to, from);
  if (!strstr(error.text, first) || !strstr(error.text, second))
    fail_msg("\"%s\" lacks \"%s\" or \"%s\"", error.text, first, second);
  vlm_model_free(model);
  vlm_bundle_free(b);
  vlm_context_free(context);
  remove_folder(folder);
}

static void mistakes_in_the_manifest(void **state) {
  (void)state;
  refuses("\"family\"", "\"famly\"", "unknown key \"famly\"", "vlm.json");
  refuses("\"vision\": \"eye.onnx\"", "\"eye\": \"eye.onnx\"", "unknown key \"eye\"", "graphs");
  refuses("\"vision\": \"eye.onnx\"", "\"vision\": \"nose.onnx\"", "nose.onnx", "no such file");
  refuses("\"vision\": \"eye.onnx\"", "\"vision\": \"../eye.onnx\"", "outside", "graphs.vision");
  refuses("\"pixel_values\": \"img\"", "\"pixel_values\": \"image\"", "no input or output \"image\"",
          "eye.onnx");
  refuses("\"pixel_values\": \"img\"", "\"pixels\": \"img\"", "\"pixels\" has no known meaning",
          "pixel_values");
  refuses("old_{kind}_{what}_{layer}", "olde_{kind}_{what}_{layer}", "matches \"olde_", "next.onnx");
  refuses("old_{kind}_{what}_{layer}", "old_{kind}_{layer}", "no {layer} or no {what}", "decoder_step.past");
  refuses("\"inputs_embeds\": \"vec\",", "\"inputs_embeds\": \"enc\",", "one thing", "start.onnx");
  refuses("\"tokenizer\": \"vocabulary.json\",", "", "tokenizer.json", "");
  refuses("\"start\": 2,", "\"begin\": 2,", "unknown key \"begin\"", "generation");
  refuses("\"encoder-decoder\"", "\"encoder-encoder\"", "encoder-encoder", "wanted");
  refuses("\"image_position\": \"after\"", "\"image_position\": \"left\"", "left", "before or after");
  refuses("\"decoder_first\": {", "\"decoder_merged\": {", "decoder_merged", "not used");
}

/* What the manifest leaves out and no file beside it states. */
static void missing_facts_are_told(void **state) {
  char folder[64];
  player p;
  vlm_answer a = {0};
  float pixels[PIXELS] = {0};
  (void)state;
  make_folder(folder, "vlm.json", "\"start\": 2,\n  \"bos\": 0,", "");
  vlm_bundle *b;
  FINE(vlm_bundle_open(&b, folder, NULL, &error));
  start(&p, b);
  vlm_tensor t = vlm_tensor_make(VLM_F32, 4, (int64_t[]){1, 3, SIDE, SIDE}, pixels);
  FAILS(VLM_INPUT, vlm_model_answer_pixels(p.model, &t, "w9", NULL, &a, &error));
  assert_non_null(strstr(error.text, "decoder_start_token_id"));
  vlm_answer_free(&a);
  stop(&p);
  remove_folder(folder);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(trocr),
      cmocka_unit_test(vit_gpt2),
      cmocka_unit_test(decoder_only),
      cmocka_unit_test(own_names),
      cmocka_unit_test(own_names_merged),
      cmocka_unit_test(forms_are_what_they_say),
      cmocka_unit_test(decoder_only_steps_in_place),
      cmocka_unit_test(warm_steps_plan_nothing),
      cmocka_unit_test(told_answers_agree),
      cmocka_unit_test(every_graph_can_be_profiled),
      cmocka_unit_test(quantized_layouts_survive_packing),
      cmocka_unit_test(float_layouts_survive_packing),
      cmocka_unit_test(mistakes_in_the_manifest),
      cmocka_unit_test(missing_facts_are_told),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
