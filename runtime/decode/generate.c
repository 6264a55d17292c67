/* The decode loop: rows of logits from the decoder, next tokens from the search (or from the caller: teacher forcing). */
#include <string.h>

#include "runtime/base/clock.h"
#include "runtime/decode/model_private.h"
#include "runtime/decode/search.h"

/* What one answer holds on to. */
typedef struct {
  vlm_model *model;
  const vlm_answer_opts *opts;
  vlm_answer *answer;
  double start_ms;
  vlm_cache *cache;
  vlm_logits logits; /* of all rows */
  int32_t n_rows;
  vlm_error *err;
} loop;

/* What the decoder starts from, through the first graph. */
static vlm_status run_first(loop *l) {
  vlm_status st = VLM_OK;
  vlm_model *m = l->model;
  double before = vlm_clock_ms();
  VLM_TRY(vlm_decoder_first(m->decoder, m->ids, m->start_embeds.rank ? &m->start_embeds : NULL,
                            (int64_t)m->start.count, &l->cache, &l->logits, l->err));
  l->n_rows = 1;
  double now = vlm_clock_ms();
  l->answer->stage_ms[VLM_STAGE_FIRST] = now - before;
  l->answer->first_token_ms = now - l->start_ms;
out:
  return st;
}

static vlm_status run_step(loop *l, const vlm_search_row *rows, int32_t n_rows) {
  vlm_status st = VLM_OK;
  const double before = vlm_clock_ms();
  VLM_TRY(vlm_decoder_step(l->model->decoder, rows, n_rows, l->cache, &l->logits, l->err));
  l->n_rows = n_rows;
  l->answer->stage_ms[VLM_STAGE_STEP] += vlm_clock_ms() - before;
  l->answer->steps++;
out:
  return st;
}

static vlm_status show_logits(loop *l, int64_t step) {
  if (!l->opts->on_logits || l->n_rows != 1) return VLM_OK;
  return l->opts->on_logits(l->opts->user, step, l->logits.data, l->logits.vocab, l->err);
}

static vlm_status show_token(loop *l, int32_t token) {
  return l->opts->on_token ? l->opts->on_token(l->opts->user, token, l->err) : VLM_OK;
}

static bool told_to_stop(loop *l) {
  l->answer->stopped = l->opts->stop && l->opts->stop(l->opts->user);
  return l->answer->stopped;
}

/* ---- search ---- */

static vlm_status run_rows(loop *l, const vlm_search *search) {
  vlm_search_row rows[VLM_MAX_BEAMS];
  const int32_t n_rows = vlm_search_rows(search);
  for (int32_t r = 0; r < n_rows; r++) rows[r] = vlm_search_get_row(search, r);
  return run_step(l, rows, n_rows);
}

static vlm_status run_search(loop *l, const vlm_generation *g, int64_t max_length) {
  vlm_status st = VLM_OK;
  vlm_search *search = NULL;
  const int32_t *ids;
  size_t count;
  bool greedy = g->beams <= 1;
  const vlm_ids *start = &l->model->start;
  if (told_to_stop(l)) return vlm_ids_append(&l->answer->ids, start->data + start->count - 1, 1, l->err);
  VLM_TRY(run_first(l));
  const vlm_search_opts opts = {.generation = g,
                                .vocab = l->logits.vocab,
                                .prompt = start->data,
                                .n_prompt = start->count,
                                .max_length = max_length};
  VLM_TRY(vlm_search_create(&search, &opts, l->err));
  for (int64_t step = 0;; step++) {
    VLM_TRY(show_logits(l, step));
    VLM_TRY(vlm_search_step(search, l->logits.data, l->err));
    bool done = vlm_search_done(search);
    if (done) VLM_TRY(vlm_search_result(search, &ids, &count, NULL, l->err));
    else vlm_search_row_ids(search, 0, &ids, &count);
    if (greedy) VLM_TRY(show_token(l, ids[count - 1]));
    if (done) break;
    if (told_to_stop(l)) {
      vlm_search_stop(search);
      VLM_TRY(vlm_search_result(search, &ids, &count, NULL, l->err));
      break;
    }
    VLM_TRY(run_rows(l, search));
  }
  l->answer->ended = (int64_t)count < max_length && vlm_generation_is_eos(g, ids[count - 1]);
  VLM_TRY(vlm_ids_append(&l->answer->ids, ids + start->count - 1, count - start->count + 1, l->err));
out:
  vlm_search_free(search);
  return st;
}

/* ---- teacher forcing ---- */

static vlm_status run_forced(loop *l) {
  vlm_status st = VLM_OK;
  const vlm_answer_opts *o = l->opts;
  const vlm_ids *start = &l->model->start;
  VLM_TRY(vlm_ids_append(&l->answer->ids, start->data + start->count - 1, 1, l->err));
  VLM_TRY(run_first(l));
  for (size_t i = 0; i < o->n_forced; i++) {
    VLM_TRY(show_logits(l, (int64_t)i));
    VLM_TRY(vlm_ids_append(&l->answer->ids, &o->forced[i], 1, l->err));
    VLM_TRY(show_token(l, o->forced[i]));
    if (i + 1 == o->n_forced) break;
    VLM_TRY(run_step(l, &(const vlm_search_row){.token = o->forced[i]}, 1));
  }
out:
  return st;
}

/* Tokens of the whole sequence, what the decoder starts from included. */
static vlm_status sequence_length(const loop *l, const vlm_generation *g, int64_t *out) {
  const vlm_model *m = l->model;
  int64_t start = (int64_t)m->start.count;
  *out = vlm_generation_max_length(g, start, m->positions);
  if (l->opts->forced) *out = start + (int64_t)l->opts->n_forced;
  if (*out > start || l->opts->forced) return VLM_OK;
  return vlm_fail(l->err, VLM_INPUT,
                  "%s: the decoder starts from %lld tokens, but a sequence may have %lld (max_length, "
                  "max_position_embeddings)",
                  m->bundle->source, (long long)start, (long long)*out);
}

vlm_status vlm_model_generate(vlm_model *m, const vlm_answer_opts *o, vlm_answer *a, double start_ms,
                              vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_generation g = m->rules;
  int64_t max_length;
  loop l = {.model = m, .opts = o, .answer = a, .start_ms = start_ms, .err = err};
  if (o->beams > 0) g.beams = o->beams;
  if (o->max_new_tokens > 0) g.max_new_tokens = o->max_new_tokens;
  VLM_TRY(sequence_length(&l, &g, &max_length));
  vlm_decoder_expect(m->decoder, max_length, o->forced || g.beams < 1 ? 1 : (int32_t)g.beams);
  VLM_TRY(o->forced ? run_forced(&l) : run_search(&l, &g, max_length));
  VLM_TRY(vlm_tokenizer_decode(m->tokenizer, a->ids.data + 1, a->ids.count - 1, true, &a->text, err));
out:
  vlm_cache_release(m->decoder, l.cache);
  return st;
}
