#include "runtime/decode/model.h"

#include <string.h>

#include "runtime/bundle/binding.h"
#include "runtime/decode/model_private.h"
#include "runtime/decode/tasks.h"

/* ---- set-up ---- */

static vlm_json root_of(const vlm_json_doc *doc) { return doc ? vlm_json_root(doc) : (vlm_json){0}; }

static vlm_status make_tokenizer(vlm_model *m, vlm_error *err) {
  const char *json = m->bundle->texts[VLM_TEXT_TOKENIZER],
             *config = m->bundle->texts[VLM_TEXT_TOKENIZER_CONFIG];
  if (!json)
    return vlm_fail(err, VLM_INPUT,
                    "%s: has no tokenizer.json; copy it beside the graphs, or name it in vlm.json",
                    m->bundle->source);
  const vlm_slice text = {json, strlen(json)}, extra = {config, config ? strlen(config) : 0};
  return vlm_tokenizer_create(&m->tokenizer, text, extra, vlm_text_file(VLM_TEXT_TOKENIZER), err);
}

static vlm_status read_rules(vlm_model *m, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_json_doc *generation = NULL, *manifest = NULL;
  vlm_decoder_facts facts;
  VLM_TRY(vlm_bundle_json(&generation, m->bundle, VLM_TEXT_GENERATION, err));
  VLM_TRY(vlm_bundle_json(&manifest, m->bundle, VLM_TEXT_MANIFEST, err));
  VLM_TRY(vlm_generation_read(&m->rules, m->config, generation, err));
  vlm_json stated = vlm_json_member(root_of(manifest), "generation");
  if (!vlm_json_is_null(stated)) VLM_TRY(vlm_generation_overlay(&m->rules, stated, err));
  VLM_TRY(vlm_bundle_decoder_facts(&facts, m->bundle, err));
  m->positions = facts.positions;
out:
  vlm_json_free(generation);
  vlm_json_free(manifest);
  return st;
}

static vlm_status make_sessions(vlm_model *m, const vlm_session_opts *opts, vlm_error *err) {
  vlm_status st = VLM_OK;
  for (int r = 0; r < VLM_ROLE_COUNT; r++) {
    const vlm_graph *g = m->bundle->graphs[r];
    vlm_session_opts own = opts ? *opts : (vlm_session_opts){.tap = NULL};
    own.release = m->release;
    own.keeps_rows = true; /* beams */
    own.caches_have_room =
        g && g == m->bundle->graphs[VLM_ROLE_DECODER_STEP]; /* the decoder feeds it from its own buffers */
    if (!g) continue;
    if (r > 0 && g == m->bundle->graphs[r - 1]) m->sessions[r] = m->sessions[r - 1];
    else VLM_TRY(vlm_session_create(&m->sessions[r], m->context, g, &own, err));
  }
out:
  return st;
}

static bool takes(const vlm_graph *g, vlm_binding_kind kind) {
  return g && vlm_graph_find_input(g, vlm_binding_name(kind)) >= 0;
}

/* Who sees the prompt, by what the graphs take. */
static void set_readers(vlm_model *m) {
  vlm_graph *const *g = m->bundle->graphs;
  m->decoder_reads_image = m->bundle->family == VLM_FAMILY_DECODER_ONLY;
  m->encoder_reads_text = takes(g[VLM_ROLE_ENCODER], VLM_BIND_IDS) ||
                          (takes(g[VLM_ROLE_ENCODER], VLM_BIND_EMBEDS) && g[VLM_ROLE_EMBED]);
}

vlm_status vlm_model_create(vlm_model **out, vlm_context *context, const vlm_bundle *bundle,
                            const vlm_model_opts *opts, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_model *m = NULL;
  VLM_CHECK(bundle->family != VLM_FAMILY_GRAPH, err, VLM_INPUT,
            "%s: is a single graph, not a pipeline; use --inputs instead of --images", bundle->source);
  VLM_CHECK(takes(bundle->graphs[VLM_ROLE_VISION], VLM_BIND_PIXELS) ||
                takes(bundle->graphs[VLM_ROLE_ENCODER], VLM_BIND_PIXELS),
            err, VLM_INPUT,
            "%s: no graph takes pixel_values, so no answer would depend on the image; is the vision encoder "
            "missing?",
            bundle->source);
  VLM_TRY(vlm_new(&m, 1, err));
  m->context = context;
  m->bundle = bundle;
  VLM_TRY(vlm_bundle_json(&m->config, bundle, VLM_TEXT_CONFIG, err));
  VLM_TRY(read_rules(m, err));
  VLM_TRY(vlm_bundle_preprocess(&m->preprocess, &m->has_preprocess, bundle, err));
  VLM_TRY(make_tokenizer(m, err));
  VLM_TRY(vlm_prompt_rules_read(&m->prompt, bundle, m->tokenizer, m->rules.bos, err));
  set_readers(m);
  m->stages_rest = opts && opts->stages_rest;
  if (opts && opts->session.owns_constants)
    VLM_TRY(vlm_release_create(&m->release, bundle->graphs, VLM_ROLE_COUNT, err));
  VLM_TRY(make_sessions(m, opts ? &opts->session : NULL, err));
  VLM_TRY(vlm_decoder_create(&m->decoder, bundle, m->sessions[VLM_ROLE_DECODER_FIRST],
                             m->sessions[VLM_ROLE_DECODER_STEP], m->sessions[VLM_ROLE_EMBED], err));
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
  vlm_release_free(m->release);
  vlm_tokenizer_free(m->tokenizer);
  vlm_json_free(m->config);
  vlm_prompt_rules_free(&m->prompt);
  for (int r = 0; r < VLM_ROLE_COUNT; r++)
    for (int i = 0; i < VLM_ENCODE_INPUTS; i++) vlm_feed_free(&m->feeds[r][i]);
  vlm_ids_free(&m->start);
  vlm_free(m->joined);
  vlm_free(m->ids);
  vlm_free(m);
}

const vlm_tokenizer *vlm_model_tokenizer(const vlm_model *m) { return m->tokenizer; }
const vlm_preprocess *vlm_model_preprocess(const vlm_model *m) {
  return m->has_preprocess ? &m->preprocess : NULL;
}
vlm_session *vlm_model_session(const vlm_model *m, vlm_role role) { return m->sessions[role]; }
size_t vlm_model_released_bytes(const vlm_model *m) { return m->release ? vlm_release_bytes(m->release) : 0; }

/* ---- prompt ---- */

const char *vlm_model_default_prompt(const vlm_model *m) {
  return m->prompt.fallback && *m->prompt.fallback ? m->prompt.fallback : VLM_DEFAULT_PROMPT;
}

/* A task's question, in the model's chat template. */
static vlm_status chat_prompt(const vlm_model *m, const char *prompt, vlm_text *text, vlm_error *err) {
  vlm_text question = {0};
  vlm_status st = vlm_task_prompt(&question, prompt, err);
  if (st == VLM_OK) st = vlm_prompt_chat(&m->prompt, vlm_text_get(&question), text, err);
  vlm_text_free(&question);
  return st;
}

vlm_status vlm_model_prompt(const vlm_model *m, const char *prompt, vlm_text *text, vlm_error *err) {
  const char *asked;
  if (!*prompt && m->prompt.fallback) prompt = m->prompt.fallback;
  vlm_json known = vlm_json_member(vlm_json_member(root_of(m->config), "task_prompts"), prompt);
  if (!vlm_json_is_null(known)) {
    vlm_status st = vlm_json_as_text(&asked, known, err);
    return st == VLM_OK ? vlm_text_append(text, asked, strlen(asked), err) : st;
  }
  if (m->encoder_reads_text) return vlm_task_prompt(text, prompt, err);
  if (m->decoder_reads_image) return chat_prompt(m, prompt, text, err);
  /* A decoder that starts from the prompt knows no tasks but those of its own vocabulary. */
  if (vlm_task_find(prompt) && vlm_tokenizer_id(m->tokenizer, prompt) < 0) return VLM_OK;
  return vlm_text_append(text, prompt, strlen(prompt), err);
}
