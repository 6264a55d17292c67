/* The decode loop. */
#include <math.h>
#include <string.h>

#include "runtime/pipeline/model_private.h"

typedef struct {
  int64_t start, eos, forced_bos, forced_eos, max_length;
} rules;

static vlm_status read_rules(const vlm_model *m, rules *r, vlm_error *err) {
  vlm_status st = VLM_OK;
  *r = (rules){.start = -1, .eos = -1, .forced_bos = -1, .forced_eos = -1, .max_length = 64};
  vlm_json g = m->generation ? vlm_json_root(m->generation) : (vlm_json){0};
  VLM_TRY(vlm_json_get_int(&r->start, g, "decoder_start_token_id", VLM_JSON_REQUIRED, err));
  VLM_TRY(vlm_json_get_int(&r->eos, g, "eos_token_id", VLM_JSON_REQUIRED, err));
  VLM_TRY(vlm_json_get_int(&r->forced_bos, g, "forced_bos_token_id", VLM_JSON_OPTIONAL, err));
  VLM_TRY(vlm_json_get_int(&r->forced_eos, g, "forced_eos_token_id", VLM_JSON_OPTIONAL, err));
  VLM_TRY(vlm_json_get_int(&r->max_length, g, "max_length", VLM_JSON_OPTIONAL, err));
out:
  return st;
}

static int32_t best_token(const float *logits, int64_t vocab) {
  int64_t best = 0;
  for (int64_t i = 1; i < vocab; i++)
    if (logits[i] > logits[best]) best = i;
  return (int32_t)best;
}

static int32_t choose(const rules *r, const vlm_answer_opts *o, const vlm_ids *ids, const float *logits, int64_t vocab) {
  if (o->forced) return ids->count - 1 < o->n_forced ? o->forced[ids->count - 1] : (int32_t)r->eos;
  if (ids->count == 1 && r->forced_bos >= 0) return (int32_t)r->forced_bos;
  if ((int64_t)ids->count == r->max_length - 1 && r->forced_eos >= 0) return (int32_t)r->forced_eos;
  return best_token(logits, vocab);
}

static bool finished(const rules *r, const vlm_answer_opts *o, const vlm_ids *ids) {
  if (o->forced) return ids->count - 1 >= o->n_forced;
  return ids->data[ids->count - 1] == r->eos || (int64_t)ids->count >= r->max_length;
}

static vlm_status decode_text(vlm_model *m, vlm_answer *a, vlm_error *err) {
  return vlm_tokenizer_decode(m->tokenizer, a->ids.data, a->ids.count, true, &a->text, err);
}

vlm_status vlm_model_generate(vlm_model *m, const vlm_answer_opts *o, vlm_answer *a, double start_ms, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_cache *cache = NULL, *next = NULL;
  const float *logits;
  int64_t vocab;
  rules r;
  VLM_TRY(read_rules(m, &r, err));
  if (o->max_new_tokens > 0) r.max_length = o->max_new_tokens + 1;
  int32_t token = (int32_t)r.start;
  int64_t start_id = r.start;
  VLM_TRY(vlm_ids_append(&a->ids, &token, 1, err));
  double before = vlm_clock_ms();
  VLM_TRY(vlm_decoder_first(m->decoder, &start_id, NULL, 1, &cache, &logits, &vocab, err));
  a->stage_ms[VLM_STAGE_FIRST] = vlm_clock_ms() - before;
  a->first_token_ms = vlm_clock_ms() - start_ms;
  for (;;) {
    if (o->on_logits) VLM_TRY(o->on_logits(o->user, (int64_t)a->ids.count - 1, logits, vocab, err));
    token = choose(&r, o, &a->ids, logits, vocab);
    VLM_TRY(vlm_ids_append(&a->ids, &token, 1, err));
    if (o->on_token) VLM_TRY(o->on_token(o->user, token, err));
    if (finished(&r, o, &a->ids)) break;
    before = vlm_clock_ms();
    VLM_TRY(vlm_decoder_step(m->decoder, token, cache, &next, &logits, &vocab, err));
    a->stage_ms[VLM_STAGE_STEP] += vlm_clock_ms() - before;
    a->steps++;
    vlm_cache_release(m->decoder, cache);
    cache = next;
    next = NULL;
  }
  VLM_TRY(decode_text(m, a, err));
out:
  vlm_cache_release(m->decoder, cache);
  return st;
}
