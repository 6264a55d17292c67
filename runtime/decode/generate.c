/* The decode loop: rows of logits from the decoder, next tokens from the search (or from the caller: teacher forcing). */
#include <assert.h>
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
  vlm_cache *caches[VLM_MAX_BEAMS],
      *previous[VLM_MAX_BEAMS]; /* per row of this step and of the step before */
  int32_t n_caches, n_previous;
  float *rows; /* logits of all rows */
  size_t rows_capacity;
  int64_t vocab;
  vlm_error *err;
} loop;

static void release(loop *l, vlm_cache **caches, int32_t *count) {
  for (int32_t i = 0; i < *count; i++) vlm_cache_release(l->model->decoder, caches[i]);
  *count = 0;
}

static vlm_status store_row(loop *l, int32_t row, const float *logits, int64_t vocab) {
  size_t wanted = (size_t)(row + 1) * (size_t)vocab;
  l->vocab = vocab;
  if (wanted > l->rows_capacity) {
    size_t room = wanted > (size_t)vocab * 4 ? (size_t)vocab * VLM_MAX_BEAMS : (size_t)vocab * 4;
    vlm_status st = vlm_more(&l->rows, l->rows_capacity, room, l->err);
    if (st != VLM_OK) return st;
    l->rows_capacity = room;
  }
  memcpy(l->rows + (size_t)row * (size_t)vocab, logits, (size_t)vocab * sizeof *logits);
  return VLM_OK;
}

/* What the decoder starts from, through the first graph. */
static vlm_status run_first(loop *l) {
  vlm_status st = VLM_OK;
  vlm_model *m = l->model;
  const float *logits;
  int64_t vocab;
  double before = vlm_clock_ms();
  VLM_TRY(vlm_decoder_first(m->decoder, m->ids, m->start_embeds.rank ? &m->start_embeds : NULL,
                            (int64_t)m->start.count, &l->caches[0], &logits, &vocab, l->err));
  l->n_caches = 1;
  VLM_TRY(store_row(l, 0, logits, vocab));
  double now = vlm_clock_ms();
  l->answer->stage_ms[VLM_STAGE_FIRST] = now - before;
  l->answer->first_token_ms = now - l->start_ms;
out:
  return st;
}

static void shift_caches(loop *l) {
  release(l, l->previous, &l->n_previous);
  memcpy(l->previous, l->caches, sizeof l->caches);
  l->n_previous = l->n_caches;
  l->n_caches = 0;
}

static vlm_status run_row(loop *l, int32_t token, int32_t parent, bool parent_continues) {
  vlm_status st = VLM_OK;
  const float *logits;
  int64_t vocab;
  double before = vlm_clock_ms();
  assert(l->n_caches < VLM_MAX_BEAMS && parent >= 0 && parent < l->n_previous && l->previous[parent]);
  VLM_TRY(vlm_decoder_step(l->model->decoder, token, &l->previous[parent], parent_continues,
                           &l->caches[l->n_caches], &logits, &vocab, l->err));
  l->n_caches++;
  VLM_TRY(store_row(l, l->n_caches - 1, logits, vocab));
  l->answer->stage_ms[VLM_STAGE_STEP] += vlm_clock_ms() - before;
out:
  return st;
}

static vlm_status show_logits(loop *l, int64_t step) {
  if (!l->opts->on_logits || l->n_caches != 1) return VLM_OK;
  return l->opts->on_logits(l->opts->user, step, l->rows, l->vocab, l->err);
}

static vlm_status show_token(loop *l, int32_t token) {
  return l->opts->on_token ? l->opts->on_token(l->opts->user, token, l->err) : VLM_OK;
}

static bool told_to_stop(loop *l) {
  l->answer->stopped = l->opts->stop && l->opts->stop(l->opts->user);
  return l->answer->stopped;
}

/* ---- search ---- */

/* A later row starts from the same parent: its cache must stay. */
static bool needed_later(const vlm_search *search, int32_t row) {
  for (int32_t r = row + 1; r < vlm_search_rows(search); r++)
    if (vlm_search_get_row(search, r).parent == vlm_search_get_row(search, row).parent) return true;
  return false;
}

static vlm_status run_rows(loop *l, const vlm_search *search) {
  shift_caches(l);
  for (int32_t r = 0; r < vlm_search_rows(search); r++) {
    vlm_search_row row = vlm_search_get_row(search, r);
    vlm_status st = run_row(l, row.token, row.parent, needed_later(search, r));
    if (st != VLM_OK) return st;
  }
  l->answer->steps++;
  return VLM_OK;
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
                                .vocab = l->vocab,
                                .prompt = start->data,
                                .n_prompt = start->count,
                                .max_length = max_length};
  VLM_TRY(vlm_search_create(&search, &opts, l->err));
  for (int64_t step = 0;; step++) {
    VLM_TRY(show_logits(l, step));
    VLM_TRY(vlm_search_step(search, l->rows, l->err));
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
    shift_caches(l);
    VLM_TRY(run_row(l, o->forced[i], 0, false));
    l->answer->steps++;
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
  vlm_decoder_expect(m->decoder, max_length);
  VLM_TRY(o->forced ? run_forced(&l) : run_search(&l, &g, max_length));
  VLM_TRY(vlm_tokenizer_decode(m->tokenizer, a->ids.data + 1, a->ids.count - 1, true, &a->text, err));
out:
  release(&l, l.caches, &l.n_caches);
  release(&l, l.previous, &l.n_previous);
  vlm_free(l.rows);
  return st;
}
