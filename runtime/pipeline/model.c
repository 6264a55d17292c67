#include "runtime/pipeline/model.h"

#include <string.h>
#include <time.h>

#include "runtime/pipeline/binding.h"
#include "runtime/pipeline/model_private.h"
#include "runtime/pipeline/tasks.h"

static const char *const STAGES[VLM_STAGE_COUNT] = {
#define X(name, text) text,
    VLM_STAGES(X)
#undef X
};

const char *vlm_stage_name(vlm_stage stage) { return (unsigned)stage < VLM_STAGE_COUNT ? STAGES[stage] : "?"; }

double vlm_clock_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

/* ---- set-up ---- */

static vlm_json root_of(const vlm_json_doc *doc) { return doc ? vlm_json_root(doc) : (vlm_json){0}; }

static vlm_status make_tokenizer(vlm_model *m, vlm_error *err) {
  const char *json = m->bundle->texts[VLM_TEXT_TOKENIZER], *config = m->bundle->texts[VLM_TEXT_TOKENIZER_CONFIG];
  if (!json)
    return vlm_fail(err, VLM_INPUT, "%s: has no tokenizer.json; copy it beside the graphs", m->bundle->source);
  const vlm_slice text = {json, strlen(json)}, extra = {config, config ? strlen(config) : 0};
  return vlm_tokenizer_create(&m->tokenizer, text, extra, vlm_text_file(VLM_TEXT_TOKENIZER), err);
}

static vlm_status read_rules(vlm_model *m, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_json_doc *generation = NULL, *manifest = NULL;
  VLM_TRY(vlm_bundle_json(&generation, m->bundle, VLM_TEXT_GENERATION, err));
  VLM_TRY(vlm_bundle_json(&manifest, m->bundle, VLM_TEXT_MANIFEST, err));
  VLM_TRY(vlm_generation_read(&m->rules, m->config, generation, err));
  vlm_json stated = vlm_json_member(root_of(manifest), "generation");
  if (!vlm_json_is_null(stated)) VLM_TRY(vlm_generation_overlay(&m->rules, stated, err));
  VLM_TRY(vlm_json_get_int(&m->positions, vlm_json_member(root_of(m->config), "text_config"), "max_position_embeddings", VLM_JSON_OPTIONAL, err));
out:
  vlm_json_free(generation);
  vlm_json_free(manifest);
  return st;
}

static vlm_status make_sessions(vlm_model *m, const vlm_session_opts *opts, vlm_error *err) {
  vlm_status st = VLM_OK;
  for (int r = 0; r < VLM_ROLE_COUNT; r++) {
    const vlm_graph *g = m->bundle->graphs[r];
    if (!g) continue;
    if (r > 0 && g == m->bundle->graphs[r - 1]) m->sessions[r] = m->sessions[r - 1];
    else VLM_TRY(vlm_session_create(&m->sessions[r], m->context, g, opts, err));
  }
out:
  return st;
}

vlm_status vlm_model_create(vlm_model **out, vlm_context *context, const vlm_bundle *bundle, const vlm_model_opts *opts, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_model *m = NULL;
  VLM_CHECK(bundle->family != VLM_FAMILY_GRAPH, err, VLM_INPUT, "%s: is a single graph, not a pipeline; use --inputs instead of --images", bundle->source);
  VLM_CHECK(bundle->family == VLM_FAMILY_ENCODER_DECODER, err, VLM_UNSUPPORTED, "%s: decoder-only bundles are not built yet", bundle->source);
  VLM_TRY(vlm_alloc((void **)&m, 1, sizeof *m, err));
  m->context = context;
  m->bundle = bundle;
  VLM_TRY(vlm_bundle_json(&m->config, bundle, VLM_TEXT_CONFIG, err));
  VLM_TRY(read_rules(m, err));
  VLM_TRY(vlm_bundle_preprocess(&m->preprocess, &m->has_preprocess, bundle, err));
  VLM_TRY(make_tokenizer(m, err));
  VLM_TRY(make_sessions(m, opts ? &opts->session : NULL, err));
  VLM_TRY(vlm_decoder_create(&m->decoder, bundle, m->sessions[VLM_ROLE_DECODER_FIRST], m->sessions[VLM_ROLE_DECODER_STEP],
                             m->sessions[VLM_ROLE_EMBED], err));
out:
  if (st != VLM_OK) {
    vlm_model_free(m);
    m = NULL;
  }
  *out = m;
  return st;
}

void vlm_model_free(vlm_model *m) {
  if (!m) return;
  vlm_decoder_free(m->decoder);
  for (int r = 0; r < VLM_ROLE_COUNT; r++)
    if (r == 0 || m->sessions[r] != m->sessions[r - 1]) vlm_session_free(m->sessions[r]);
  vlm_tokenizer_free(m->tokenizer);
  vlm_json_free(m->config);
  vlm_free(m->joined);
  vlm_free(m->ids);
  vlm_free(m->ones);
  vlm_free(m);
}

const vlm_tokenizer *vlm_model_tokenizer(const vlm_model *m) { return m->tokenizer; }
const vlm_preprocess *vlm_model_preprocess(const vlm_model *m) { return m->has_preprocess ? &m->preprocess : NULL; }
vlm_session *vlm_model_session(const vlm_model *m, vlm_role role) { return m->sessions[role]; }

/* ---- prompt ---- */

vlm_status vlm_model_prompt(const vlm_model *m, const char *prompt, vlm_text *text, vlm_error *err) {
  const char *asked;
  vlm_json known = vlm_json_member(vlm_json_member(root_of(m->config), "task_prompts"), prompt);
  if (vlm_json_is_null(known)) return vlm_task_prompt(text, prompt, err);
  vlm_status st = vlm_json_as_text(&asked, known, err);
  return st == VLM_OK ? vlm_text_append(text, asked, strlen(asked), err) : st;
}

static vlm_status reserve(void **block, size_t *capacity, size_t wanted, size_t size, vlm_error *err) {
  if (wanted <= *capacity) return VLM_OK;
  vlm_status st = vlm_grow(block, 0, wanted, size, err);
  if (st == VLM_OK) *capacity = wanted;
  return st;
}

static vlm_status prompt_ids(vlm_model *m, const char *prompt, int64_t *count, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_text text = {0};
  vlm_ids ids = {0};
  VLM_TRY(vlm_model_prompt(m, prompt, &text, err));
  VLM_TRY(vlm_tokenizer_encode(m->tokenizer, vlm_text_get(&text), text.bytes, true, &ids, err));
  VLM_TRY(reserve((void **)&m->ids, &m->ids_capacity, ids.count, sizeof *m->ids, err));
  for (size_t i = 0; i < ids.count; i++) m->ids[i] = ids.data[i];
  *count = (int64_t)ids.count;
out:
  vlm_text_free(&text);
  vlm_ids_free(&ids);
  return st;
}

/* ---- encoding ---- */

static vlm_status run_one_input(vlm_session *s, const vlm_tensor *in, vlm_tensor *out, double *ms, vlm_error *err) {
  double start = vlm_clock_ms();
  vlm_status st = vlm_session_run(s, in, 1, err);
  if (st == VLM_OK) *out = *vlm_session_output(s, 0);
  *ms += vlm_clock_ms() - start;
  return st;
}

static vlm_status check_rows(const vlm_model *m, const char *what, const vlm_tensor *t, vlm_error *err) {
  char text[128];
  if (t->dtype == VLM_F32 && t->rank == 3 && t->dims[0] == 1) return VLM_OK;
  return vlm_fail(err, VLM_INPUT, "%s: %s are %s %s, wanted float32 [1, tokens, channels]", m->bundle->source, what, vlm_dtype_name(t->dtype),
                  vlm_tensor_shape_text(t, text, sizeof text));
}

/* [1, image + prompt, D], image first. */
static vlm_status join(vlm_model *m, const vlm_tensor *image, const vlm_tensor *prompt, vlm_tensor *out, vlm_error *err) {
  vlm_status st = VLM_OK;
  VLM_TRY(check_rows(m, "image features", image, err));
  VLM_TRY(check_rows(m, "prompt embeddings", prompt, err));
  VLM_CHECK(image->dims[2] == prompt->dims[2], err, VLM_INPUT, "%s: image features have %lld channels, prompt embeddings %lld", m->bundle->source,
            (long long)image->dims[2], (long long)prompt->dims[2]);
  size_t a = (size_t)vlm_tensor_count(image), b = (size_t)vlm_tensor_count(prompt);
  VLM_TRY(reserve((void **)&m->joined, &m->joined_capacity, a + b, sizeof(float), err));
  memcpy(m->joined, image->data, a * sizeof(float));
  memcpy(m->joined + a, prompt->data, b * sizeof(float));
  *out = vlm_tensor_make(VLM_F32, 3, (int64_t[]){1, image->dims[1] + prompt->dims[1], image->dims[2]}, m->joined);
out:
  return st;
}

static vlm_status run_encoder(vlm_model *m, const vlm_tensor *embeds, const vlm_tensor *pixels, vlm_answer *a, vlm_tensor *out, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_tensor inputs[8];
  const vlm_graph *g = m->bundle->graphs[VLM_ROLE_ENCODER];
  int64_t tokens = embeds ? embeds->dims[1] : 0;
  double start = vlm_clock_ms();
  VLM_CHECK(g->n_inputs <= 8, err, VLM_UNSUPPORTED, "%s: encoder with %d inputs", g->source, g->n_inputs);
  VLM_TRY(reserve((void **)&m->ones, &m->ones_capacity, (size_t)tokens, sizeof *m->ones, err));
  for (int64_t i = 0; i < tokens; i++) m->ones[i] = 1;
  for (int32_t i = 0; i < g->n_inputs; i++) {
    const char *name = g->values[g->inputs[i]].name;
    vlm_binding_kind kind = vlm_binding_parse(name);
    if (kind == VLM_BIND_EMBEDS && embeds) inputs[i] = *embeds;
    else if (kind == VLM_BIND_MASK && embeds) inputs[i] = vlm_tensor_make(VLM_S64, 2, (int64_t[]){1, tokens}, m->ones);
    else if (kind == VLM_BIND_PIXELS) inputs[i] = *pixels;
    else VLM_TRY(vlm_fail(err, VLM_UNSUPPORTED, "%s: encoder input \"%s\" has no known meaning", g->source, name));
  }
  VLM_TRY(vlm_session_run(m->sessions[VLM_ROLE_ENCODER], inputs, g->n_inputs, err));
  *out = *vlm_session_output(m->sessions[VLM_ROLE_ENCODER], 0);
  a->stage_ms[VLM_STAGE_ENCODER] += vlm_clock_ms() - start;
out:
  return st;
}

vlm_status vlm_model_encode(vlm_model *m, const vlm_tensor *pixels, const char *prompt, vlm_answer *a, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_tensor image, embeds, joined, states;
  if (m->sessions[VLM_ROLE_VISION]) {
    VLM_TRY(run_one_input(m->sessions[VLM_ROLE_VISION], pixels, &image, &a->stage_ms[VLM_STAGE_VISION], err));
    VLM_CHECK(m->sessions[VLM_ROLE_EMBED], err, VLM_INPUT, "%s: has no embed_tokens graph", m->bundle->source);
    VLM_TRY(prompt_ids(m, prompt, &a->prompt_tokens, err));
    vlm_tensor ids = vlm_tensor_make(VLM_S64, 2, (int64_t[]){1, a->prompt_tokens}, m->ids);
    VLM_TRY(run_one_input(m->sessions[VLM_ROLE_EMBED], &ids, &embeds, &a->stage_ms[VLM_STAGE_EMBED], err));
    VLM_TRY(join(m, &image, &embeds, &joined, err));
    a->image_tokens = image.dims[1];
    VLM_TRY(run_encoder(m, &joined, pixels, a, &states, err));
  } else {
    VLM_TRY(run_encoder(m, NULL, pixels, a, &states, err));
  }
  VLM_TRY(check_rows(m, "encoder states", &states, err));
  const vlm_tensor *kept = vlm_session_output(m->sessions[VLM_ROLE_ENCODER], 0);
  const vlm_decoder_context context = {.encoder_states = kept, .encoder_length = kept->dims[1]};
  vlm_decoder_begin(m->decoder, &context);
out:
  return st;
}

/* ---- answers ---- */

void vlm_answer_free(vlm_answer *a) {
  vlm_ids_free(&a->ids);
  vlm_text_free(&a->text);
  memset(a, 0, sizeof *a);
}

static vlm_status answer_from(vlm_model *m, const vlm_tensor *pixels, const char *prompt, const vlm_answer_opts *opts, vlm_answer *a, double start, vlm_error *err) {
  static const vlm_answer_opts defaults = {0};
  vlm_status st = VLM_OK;
  VLM_TRY(vlm_model_encode(m, pixels, prompt, a, err));
  VLM_TRY(vlm_model_generate(m, opts ? opts : &defaults, a, start, err));
  a->total_ms = vlm_clock_ms() - start;
out:
  return st;
}

vlm_status vlm_model_answer_pixels(vlm_model *m, const vlm_tensor *pixels, const char *prompt, const vlm_answer_opts *opts, vlm_answer *a, vlm_error *err) {
  return answer_from(m, pixels, prompt, opts, a, vlm_clock_ms(), err);
}

vlm_status vlm_model_answer(vlm_model *m, const vlm_image *image, const char *prompt, const vlm_answer_opts *opts, vlm_answer *a, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_pixels pixels = {0};
  double start = vlm_clock_ms();
  VLM_CHECK(m->has_preprocess, err, VLM_INPUT, "%s: has no preprocessor_config.json, so how images become pixel_values is not known", m->bundle->source);
  VLM_TRY(vlm_preprocess_run(&pixels, &m->preprocess, image, vlm_context_threads(m->context), err));
  a->stage_ms[VLM_STAGE_PREPROCESS] = vlm_clock_ms() - start;
  VLM_TRY(answer_from(m, &pixels.values, prompt, opts, a, start, err));
out:
  vlm_pixels_free(&pixels);
  return st;
}
