/* Everything before the decoder: vision, prompt, text encoder. */
#include <string.h>

#include "runtime/base/clock.h"
#include "runtime/bundle/binding.h"
#include "runtime/decode/model_private.h"

/* What the graphs before the decoder may ask for. NULL = not there (yet). */
typedef struct {
  const vlm_tensor *pixels, *mask, *image, *embeds;
  const int64_t *ids;
  int64_t n_ids;
} sources;

static vlm_status reserve_joined(vlm_model *m, size_t floats, vlm_error *err) {
  if (floats <= m->joined_capacity && m->joined) return VLM_OK;
  const vlm_status st = vlm_more(&m->joined, 0, floats, err);
  if (st == VLM_OK) m->joined_capacity = floats;
  return st;
}

static vlm_status reserve_ids(vlm_model *m, size_t count, vlm_error *err) {
  if (count <= m->ids_capacity && m->ids) return VLM_OK;
  const vlm_status st = vlm_more(&m->ids, 0, count, err);
  if (st == VLM_OK) m->ids_capacity = count;
  return st;
}

/* ---- one graph ---- */

/* [.., H, W] of pixels [.., 3, H, W] or [.., H, W, 3], without the channels. */
static int mask_dims(const vlm_tensor *pixels, int64_t dims[VLM_MAX_RANK]) {
  int rank = 0, channels = pixels->rank >= 3 && pixels->dims[pixels->rank - 3] == 3 ? pixels->rank - 3
                                                                                    : pixels->rank - 1;
  for (int d = 0; d < pixels->rank; d++)
    if (d != channels) dims[rank++] = pixels->dims[d];
  return rank;
}

static vlm_status fill_input(vlm_feed *feed, const sources *s, const vlm_graph *g, int32_t i, vlm_tensor *t,
                             vlm_error *err) {
  const vlm_value *v = &g->values[g->inputs[i]];
  int64_t dims[VLM_MAX_RANK];
  vlm_binding_kind kind = vlm_binding_parse(v->name);
  const vlm_tensor *given = kind == VLM_BIND_PIXELS           ? s->pixels
                            : kind == VLM_BIND_PIXEL_MASK     ? s->mask
                            : kind == VLM_BIND_EMBEDS         ? s->embeds
                            : kind == VLM_BIND_IMAGE_FEATURES ? s->image
                                                              : NULL;
  int64_t length = s->embeds ? s->embeds->dims[1] : s->n_ids;
  if (given) {
    *t = *given;
    return VLM_OK;
  }
  if (kind == VLM_BIND_PIXEL_MASK) return vlm_feed_ones(feed, t, v, mask_dims(s->pixels, dims), dims, err);
  if (kind == VLM_BIND_IDS && s->ids)
    return vlm_feed_fill(feed, t, v,
                         &(vlm_feed_values){.rank = 2, .dims = (int64_t[]){1, s->n_ids}, .ids = s->ids}, err);
  if (kind == VLM_BIND_MASK && length) return vlm_feed_ones(feed, t, v, 2, (int64_t[]){1, length}, err);
  if (kind == VLM_BIND_POSITIONS && length)
    return vlm_feed_fill(feed, t, v, &(vlm_feed_values){.rank = 2, .dims = (int64_t[]){1, length}, .step = 1},
                         err);
  if (kind == VLM_BIND_COUNT)
    return vlm_fail(err, VLM_UNSUPPORTED, "%s: input \"%s\" has no known meaning; name it in vlm.json",
                    g->source, v->name);
  return vlm_fail(err, VLM_INPUT, "%s: wants %s, which no graph before it gives", g->source, v->name);
}

/* A graph in front of the decoder: the time that it counts for, and the output that is wanted. */
typedef struct encode_step {
  vlm_role role;
  vlm_stage stage;
  const char *output;
} encode_step;

static vlm_status run_graph(vlm_model *m, encode_step step, const sources *s, const vlm_tensor **out,
                            vlm_answer *a, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_role role = step.role;
  vlm_tensor inputs[VLM_ENCODE_INPUTS];
  const vlm_graph *g = m->bundle->graphs[role];
  double start = vlm_clock_ms();
  VLM_CHECK(g, err, VLM_INPUT, "%s: has no graph \"%s\"", m->bundle->source, vlm_role_name(role));
  VLM_CHECK(g->n_inputs <= VLM_ENCODE_INPUTS, err, VLM_UNSUPPORTED, "%s: %d inputs, at most %d are handled",
            g->source, g->n_inputs, VLM_ENCODE_INPUTS);
  for (int32_t i = 0; i < g->n_inputs; i++) VLM_TRY(fill_input(&m->feeds[role][i], s, g, i, &inputs[i], err));
  VLM_TRY(vlm_session_run(m->sessions[role], inputs, g->n_inputs, err));
  if (m->stages_rest && role != VLM_ROLE_EMBED)
    vlm_session_rest(m->sessions[role]); /* the decoder embeds too */
  *out = vlm_session_output(m->sessions[role], vlm_output_index(g, step.output));
  a->stage_ms[step.stage] += vlm_clock_ms() - start;
out:
  return st;
}

/* ---- image features and embeddings ---- */

/* As rows: [1, tokens, channels], also from [tokens, channels] and [tiles, tokens, channels]. */
static vlm_status as_rows(const vlm_model *m, const char *what, const vlm_tensor *t, vlm_tensor *out,
                          vlm_error *err) {
  char text[128];
  if (t->dtype != VLM_F32 || t->rank < 2)
    return vlm_fail(err, VLM_INPUT, "%s: %s are %s %s, wanted float32 [1, tokens, channels]",
                    m->bundle->source, what, vlm_dtype_name(t->dtype),
                    vlm_tensor_shape_text(t, text, sizeof text));
  *out = vlm_tensor_make(VLM_F32, 3, (int64_t[]){1, vlm_tensor_span(t, 0, t->rank - 1), t->dims[t->rank - 1]},
                         t->data);
  return VLM_OK;
}

static vlm_status same_width(const vlm_model *m, const vlm_tensor *image, const vlm_tensor *prompt,
                             vlm_error *err) {
  if (image->dims[2] == prompt->dims[2]) return VLM_OK;
  return vlm_fail(err, VLM_INPUT, "%s: image features have %lld channels, prompt embeddings %lld",
                  m->bundle->source, (long long)image->dims[2], (long long)prompt->dims[2]);
}

/* [1, image + prompt, D], in the order that the prompt rules give. */
static vlm_status join(vlm_model *m, const vlm_tensor *image, const vlm_tensor *prompt, vlm_tensor *out,
                       vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_tensor *first = m->prompt.image_after ? prompt : image,
                   *second = m->prompt.image_after ? image : prompt;
  VLM_TRY(same_width(m, image, prompt, err));
  size_t a = (size_t)vlm_tensor_count(first), b = (size_t)vlm_tensor_count(second);
  VLM_TRY(reserve_joined(m, a + b, err));
  memcpy(m->joined, first->data, a * sizeof(float));
  memcpy(m->joined + a, second->data, b * sizeof(float));
  *out = vlm_tensor_make(VLM_F32, 3, (int64_t[]){1, image->dims[1] + prompt->dims[1], image->dims[2]},
                         m->joined);
out:
  return st;
}

/* Embeddings of the prompt with the rows of the image where its slots are. */
static vlm_status place_image(vlm_model *m, const vlm_tensor *image, const vlm_tensor *embeds,
                              vlm_tensor *out, vlm_error *err) {
  vlm_status st = VLM_OK;
  size_t width = (size_t)image->dims[2], row = 0;
  VLM_TRY(same_width(m, image, embeds, err));
  VLM_TRY(reserve_joined(m, m->start.count * width, err));
  memcpy(m->joined, embeds->data, m->start.count * width * sizeof(float));
  for (size_t i = 0; i < m->start.count; i++)
    if (m->start.data[i] == VLM_IMAGE_SLOT)
      memcpy(m->joined + i * width, (const float *)image->data + row++ * width, width * sizeof(float));
  *out = vlm_tensor_make(VLM_F32, 3, (int64_t[]){1, (int64_t)m->start.count, image->dims[2]}, m->joined);
out:
  return st;
}

/* Image slots get id 0: the embedding there is overwritten. */
static vlm_status set_ids(vlm_model *m, const vlm_ids *ids, sources *s, vlm_error *err) {
  vlm_status st = VLM_OK;
  VLM_TRY(reserve_ids(m, ids->count + 1, err));
  for (size_t i = 0; i < ids->count; i++) m->ids[i] = ids->data[i] == VLM_IMAGE_SLOT ? 0 : ids->data[i];
  s->ids = m->ids;
  s->n_ids = (int64_t)ids->count;
out:
  return st;
}

/* ---- families ---- */

/* One sequence of image and prompt for the decoder. */
static vlm_status encode_sequence(vlm_model *m, sources *s, const char *text, vlm_answer *a, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_tensor *embeds;
  vlm_tensor rows;
  VLM_CHECK(s->image, err, VLM_INPUT, "%s: a decoder-only model without vision graph", m->bundle->source);
  VLM_TRY(vlm_prompt_sequence(&m->prompt, text, s->image->dims[1], &m->start, err));
  a->prompt_tokens = (int64_t)m->start.count - s->image->dims[1];
  VLM_TRY(set_ids(m, &m->start, s, err));
  VLM_TRY(run_graph(m, (encode_step){VLM_ROLE_EMBED, VLM_STAGE_EMBED, "inputs_embeds"}, s, &embeds, a, err));
  VLM_TRY(as_rows(m, "prompt embeddings", embeds, &rows, err));
  VLM_TRY(place_image(m, s->image, &rows, &m->start_embeds, err));
  vlm_decoder_begin(m->decoder, &(const vlm_decoder_context){.encoder_states = NULL});
out:
  return st;
}

static vlm_status embed_prompt(vlm_model *m, sources *s, const char *text, vlm_tensor *joined, vlm_answer *a,
                               vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_ids ids = {0};
  const vlm_tensor *embeds;
  vlm_tensor rows;
  VLM_TRY(vlm_tokenizer_encode(m->tokenizer, text, strlen(text), true, &ids, err));
  VLM_TRY(set_ids(m, &ids, s, err));
  a->prompt_tokens = s->n_ids;
  if (!m->sessions[VLM_ROLE_EMBED]) goto out; /* the encoder takes ids */
  VLM_TRY(run_graph(m, (encode_step){VLM_ROLE_EMBED, VLM_STAGE_EMBED, "inputs_embeds"}, s, &embeds, a, err));
  VLM_TRY(as_rows(m, "prompt embeddings", embeds, &rows, err));
  if (s->image) VLM_TRY(join(m, s->image, &rows, joined, err));
  else *joined = rows;
  s->embeds = joined;
out:
  vlm_ids_free(&ids);
  return st;
}

/* The encoder's output, which the decoder attends to. A vision graph alone is the encoder. */
static vlm_status encode_states(vlm_model *m, sources *s, const char *text, vlm_tensor *states, vlm_answer *a,
                                vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_tensor joined;
  const vlm_tensor *out;
  if (m->encoder_reads_text) VLM_TRY(embed_prompt(m, s, text, &joined, a, err));
  else s->embeds = s->image;
  if (!m->sessions[VLM_ROLE_ENCODER]) {
    VLM_CHECK(s->image, err, VLM_INPUT, "%s: has neither an encoder nor a vision graph", m->bundle->source);
    *states = *s->image;
    goto out;
  }
  VLM_TRY(
      run_graph(m, (encode_step){VLM_ROLE_ENCODER, VLM_STAGE_ENCODER, "last_hidden_state"}, s, &out, a, err));
  VLM_TRY(as_rows(m, "encoder states", out, states, err));
out:
  return st;
}

static vlm_status encode_context(vlm_model *m, sources *s, const char *text, vlm_answer *a, vlm_error *err) {
  vlm_status st = VLM_OK;
  VLM_TRY(encode_states(m, s, text, &m->states, a, err));
  VLM_TRY(vlm_prompt_start(&m->prompt, m->encoder_reads_text ? "" : text, m->rules.start, &m->start, err));
  VLM_CHECK(m->start.count, err, VLM_INPUT,
            "%s: no file states decoder_start_token_id (or bos_token_id); add it to generation_config.json",
            m->bundle->source);
  if (!m->encoder_reads_text) a->prompt_tokens = (int64_t)m->start.count;
  VLM_TRY(set_ids(m, &m->start, s, err));
  vlm_decoder_begin(m->decoder, &(const vlm_decoder_context){.encoder_states = &m->states,
                                                             .encoder_length = m->states.dims[1]});
out:
  return st;
}

vlm_status vlm_model_encode(vlm_model *m, const vlm_model_input *input, vlm_answer *a, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_text text = {0};
  vlm_tensor image;
  const vlm_tensor *features;
  sources s = {.pixels = input->pixels, .mask = input->mask};
  m->start.count = 0;
  m->start_embeds = (vlm_tensor){.rank = 0};
  VLM_TRY(vlm_model_prompt(m, input->prompt ? input->prompt : "", &text, err));
  if (m->sessions[VLM_ROLE_VISION]) {
    VLM_TRY(run_graph(m, (encode_step){VLM_ROLE_VISION, VLM_STAGE_VISION, "image_features"}, &s, &features, a,
                      err));
    VLM_TRY(as_rows(m, "image features", features, &image, err));
    a->image_tokens = image.dims[1];
    s.image = &image;
  }
  VLM_TRY((m->decoder_reads_image ? encode_sequence : encode_context)(m, &s, vlm_text_get(&text), a, err));
out:
  vlm_text_free(&text);
  return st;
}
