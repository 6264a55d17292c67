#include "runtime/decode/search.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/decode/search_rules.h"

enum { MAX_SEQUENCE = 1 << 16 };
static const float FAR = -1.0e9f; /* the library's stand-in for minus infinity in beam scores */

/* A sequence and its score; ids live in an array of max_length of its own. */
typedef struct hypothesis {
  int32_t *ids;
  size_t count;
  float score;
  bool finished;
  int32_t row, parent; /* running ones: row of the coming step, and the row it continues */
} hypothesis;

/* One of the best continuations of a step. */
typedef struct candidate {
  float score;
  int32_t beam, token;
  bool hit; /* ends: end token, or the sequence is full */
} candidate;

struct vlm_search {
  vlm_generation generation;
  int64_t vocab, max_length;
  size_t n_prompt, count; /* count = length of every running sequence */
  int32_t n_beams, n_rows;
  hypothesis *running, *next;    /* n_beams each */
  hypothesis *finished, *merged; /* n_beams each, best first; beams only */
  candidate *candidates;         /* n_candidates, best first */
  int32_t n_candidates, room;    /* room: how many are kept */
  float *scores;                 /* one row */
  float *ranks, *untaken;        /* of finished ones and candidates: scores, and those not taken yet */
  int32_t *ids;                  /* memory of all sequences */
  bool improvable, done;
};

/* ---- creation ---- */

static vlm_status check(const vlm_search_opts *o, vlm_error *err) {
  vlm_status st = VLM_OK;
  VLM_CHECK(o->vocab > 0 && o->vocab <= INT32_MAX, err, VLM_INPUT, "search over a vocabulary of %lld tokens",
            (long long)o->vocab);
  VLM_CHECK(
      o->n_prompt > 0, err, VLM_INPUT,
      "generation needs a start token: set decoder_start_token_id or bos_token_id in generation_config.json");
  VLM_CHECK(o->max_length > 0 && (uint64_t)o->max_length > o->n_prompt, err, VLM_INPUT,
            "the longest sequence has %lld tokens, which leaves nothing to generate after a prompt of %zu",
            (long long)o->max_length, o->n_prompt);
  VLM_CHECK(o->max_length <= MAX_SEQUENCE, err, VLM_LIMIT,
            "sequences of %lld tokens, at most %d are supported", (long long)o->max_length, MAX_SEQUENCE);
  VLM_CHECK(o->generation->beams >= 1 && o->generation->beams <= VLM_MAX_BEAMS, err, VLM_INPUT,
            "%lld beams, wanted 1 to %d", (long long)o->generation->beams, VLM_MAX_BEAMS);
out:
  return st;
}

static vlm_status make_hypotheses(hypothesis **out, int32_t count, int32_t **ids, size_t max_length,
                                  vlm_error *err) {
  void *memory;
  const vlm_status st = vlm_alloc(&memory, (size_t)count, sizeof **out, err);
  *out = memory;
  for (int32_t i = 0; st == VLM_OK && i < count; i++, *ids += max_length)
    (*out)[i] = (hypothesis){.ids = *ids, .score = FAR};
  return st;
}

static vlm_status allocate(vlm_search *s, vlm_error *err) {
  vlm_status st = VLM_OK;
  void *memory;
  const int32_t n_eos = s->generation.n_eos;
  s->room = s->n_beams * (n_eos > 1 ? 1 + n_eos : 2);
  VLM_TRY(vlm_alloc(&memory, (size_t)s->n_beams * 4 * (size_t)s->max_length, sizeof *s->ids, err));
  s->ids = memory;
  int32_t *ids = s->ids;
  VLM_TRY(make_hypotheses(&s->running, s->n_beams, &ids, (size_t)s->max_length, err));
  VLM_TRY(make_hypotheses(&s->next, s->n_beams, &ids, (size_t)s->max_length, err));
  VLM_TRY(make_hypotheses(&s->finished, s->n_beams, &ids, (size_t)s->max_length, err));
  VLM_TRY(make_hypotheses(&s->merged, s->n_beams, &ids, (size_t)s->max_length, err));
  VLM_TRY(vlm_alloc(&memory, (size_t)s->room, sizeof *s->candidates, err));
  s->candidates = memory;
  VLM_TRY(vlm_alloc(&memory, (size_t)s->vocab, sizeof *s->scores, err));
  s->scores = memory;
  VLM_TRY(vlm_new(&s->ranks, s->n_beams + s->room, err));
  VLM_TRY(vlm_new(&s->untaken, s->n_beams + s->room, err));
out:
  return st;
}

vlm_status vlm_search_create(vlm_search **out, const vlm_search_opts *opts, vlm_error *err) {
  vlm_status st = VLM_OK;
  void *memory;
  vlm_search *s = NULL;
  *out = NULL;
  VLM_TRY(check(opts, err));
  VLM_TRY(vlm_alloc(&memory, 1, sizeof *s, err));
  s = memory;
  s->generation = *opts->generation;
  s->vocab = opts->vocab;
  s->max_length = opts->max_length;
  s->n_prompt = s->count = opts->n_prompt;
  s->n_beams = (int32_t)opts->generation->beams;
  s->n_rows = 1;
  s->improvable = true;
  VLM_TRY(allocate(s, err));
  for (int32_t b = 0; b < s->n_beams; b++) {
    memcpy(s->running[b].ids, opts->prompt, opts->n_prompt * sizeof *opts->prompt);
    s->running[b].count = opts->n_prompt;
    s->running[b].score = b == 0 ? 0 : FAR;
  }
  *out = s;
  s = NULL;
out:
  vlm_search_free(s);
  return st;
}

void vlm_search_free(vlm_search *search) {
  if (!search) return;
  vlm_free(search->running);
  vlm_free(search->next);
  vlm_free(search->finished);
  vlm_free(search->merged);
  vlm_free(search->candidates);
  vlm_free(search->scores);
  vlm_free(search->ranks);
  vlm_free(search->untaken);
  vlm_free(search->ids);
  vlm_free(search);
}

/* ---- rows ---- */

int32_t vlm_search_rows(const vlm_search *search) { return search->done ? 0 : search->n_rows; }

/* The first running beam of a row. */
static const hypothesis *beam_of_row(const vlm_search *s, int32_t row) {
  int32_t b = 0;
  assert(row >= 0 && row < s->n_rows);
  while (b + 1 < s->n_beams && s->running[b].row != row) b++;
  return &s->running[b];
}

vlm_search_row vlm_search_get_row(const vlm_search *search, int32_t row) {
  const hypothesis *h = beam_of_row(search, row);
  return (vlm_search_row){h->ids[h->count - 1], h->parent};
}

void vlm_search_row_ids(const vlm_search *search, int32_t row, const int32_t **ids, size_t *count) {
  const hypothesis *h = beam_of_row(search, row);
  *ids = h->ids;
  *count = h->count;
}

/* Beams with the same parent row and token are the same sequence and get one row. */
static void assign_rows(vlm_search *s) {
  s->n_rows = 0;
  for (int32_t b = 0; b < s->n_beams; b++) {
    hypothesis *h = &s->running[b];
    int32_t same = 0;
    while (same < b && !(s->running[same].parent == h->parent &&
                         s->running[same].ids[s->count - 1] == h->ids[s->count - 1]))
      same++;
    h->row = same < b ? s->running[same].row : s->n_rows++;
  }
}

/* ---- scoring ---- */

/* Scores of one row into s->scores: rules on logits (greedy) or on log-probabilities (beams). */
static void score_row(vlm_search *s, int32_t row, const float *logits) {
  vlm_search_state state = {
      .generation = &s->generation, .n_prompt = s->n_prompt, .max_length = s->max_length, .vocab = s->vocab};
  vlm_search_row_ids(s, row, &state.ids, &state.count);
  memcpy(s->scores, logits + (size_t)row * (size_t)s->vocab, (size_t)s->vocab * sizeof *logits);
  if (s->n_beams > 1) {
    vlm_search_log_softmax(s->scores, s->vocab);
  } else {
    for (int64_t i = 0; i < s->vocab; i++) s->scores[i] = isnan(s->scores[i]) ? -INFINITY : s->scores[i];
  }
  vlm_search_rules_apply(&state, s->scores);
}

static bool better(candidate a, candidate b) {
  if (a.score != b.score) return a.score > b.score;
  return a.beam != b.beam ? a.beam < b.beam : a.token < b.token;
}

static void keep(vlm_search *s, candidate c) {
  if (s->n_candidates == s->room && !better(c, s->candidates[s->room - 1])) return;
  int32_t at = s->n_candidates < s->room ? s->n_candidates++ : s->room - 1;
  for (; at > 0 && better(c, s->candidates[at - 1]); at--) s->candidates[at] = s->candidates[at - 1];
  s->candidates[at] = c;
  assert(s->n_candidates <= s->room);
}

/* The best continuations of all beams. */
static void find_candidates(vlm_search *s, const float *logits) {
  s->n_candidates = 0;
  for (int32_t row = 0; row < s->n_rows; row++) {
    score_row(s, row, logits);
    for (int32_t b = 0; b < s->n_beams; b++) {
      if (s->running[b].row != row) continue;
      for (int32_t token = 0; token < s->vocab; token++) {
        const float score = s->scores[token] + s->running[b].score;
        keep(s, (candidate){isnan(score) ? -INFINITY : score, b, token, false});
      }
    }
  }
  for (int32_t i = 0; i < s->n_candidates; i++) {
    candidate *c = &s->candidates[i];
    c->hit = vlm_generation_is_eos(&s->generation, c->token) || (int64_t)s->count + 1 >= s->max_length;
  }
}

/* ---- choosing ---- */

static void extend(hypothesis *out, const hypothesis *from, int32_t token) {
  assert(out != from && from->count > 0);
  memcpy(out->ids, from->ids, from->count * sizeof *out->ids);
  out->ids[from->count] = token;
  out->count = from->count + 1;
  out->parent = from->row;
}

/* Index of the largest of n scores; among equals the first. Taken ones are NaN. */
static int32_t take_largest(float *scores, int32_t n) {
  int32_t best = -1;
  for (int32_t i = 0; i < n; i++) {
    if (!isnan(scores[i]) && (best < 0 || scores[i] > scores[best])) best = i;
  }
  if (best >= 0) scores[best] = NAN;
  return best;
}

static void swap(hypothesis **a, hypothesis **b) {
  hypothesis *c = *a;
  *a = *b;
  *b = c;
}

/* The best candidates that go on are the beams of the next step. */
static void choose_running(vlm_search *s) {
  for (int32_t i = 0; i < s->n_candidates; i++)
    s->ranks[i] = s->untaken[i] = s->candidates[i].score + (s->candidates[i].hit ? FAR : 0.0f);
  for (int32_t b = 0; b < s->n_beams; b++) {
    const int32_t best = take_largest(s->untaken, s->n_candidates);
    const candidate *c = &s->candidates[best < 0 ? 0 : best];
    extend(&s->next[b], &s->running[c->beam], c->token);
    s->next[b].score = s->ranks[best < 0 ? 0 : best];
  }
}

static bool all_finished(const vlm_search *s) {
  for (int32_t b = 0; b < s->n_beams; b++) {
    if (!s->finished[b].finished) return false;
  }
  return true;
}

/* Candidates that ended and rank among the first n_beams compete with the finished ones. */
static void choose_finished(vlm_search *s) {
  const float length =
      vlm_search_length_power((int64_t)(s->count + 1 - s->n_prompt), s->generation.length_penalty);
  const bool full = all_finished(s) && s->generation.early_stopping == VLM_EARLY_TRUE;
  for (int32_t b = 0; b < s->n_beams; b++) s->ranks[b] = s->untaken[b] = s->finished[b].score;
  for (int32_t i = 0; i < s->n_candidates; i++) {
    float score = s->candidates[i].score / length;
    if (full) score += FAR;
    if (!s->improvable) score += FAR;
    if (!(s->candidates[i].hit && i < s->n_beams)) score += FAR;
    s->ranks[s->n_beams + i] = s->untaken[s->n_beams + i] = score;
  }
  for (int32_t b = 0; b < s->n_beams; b++) {
    const int32_t best = take_largest(s->untaken, s->n_beams + s->n_candidates);
    assert(best >= 0); /* the n_beams finished ones have scores */
    hypothesis *out = &s->merged[b];
    if (best < s->n_beams) {
      const hypothesis *old = &s->finished[best];
      memcpy(out->ids, old->ids, old->count * sizeof *out->ids);
      out->count = old->count;
      out->finished = old->finished;
    } else {
      const candidate *c = &s->candidates[best - s->n_beams];
      extend(out, &s->running[c->beam], c->token);
      out->finished = c->hit && best - s->n_beams < s->n_beams;
    }
    out->score = s->ranks[best];
  }
  swap(&s->finished, &s->merged);
}

/* Can the best running beam, at its best, still beat the worst finished one? */
static bool can_improve(const vlm_search *s) {
  const bool never = s->generation.early_stopping == VLM_EARLY_NEVER && s->generation.length_penalty > 0;
  const int64_t length = (never ? s->max_length : (int64_t)s->count) - (int64_t)s->n_prompt;
  const float best = s->running[0].score / vlm_search_length_power(length, s->generation.length_penalty);
  float worst = INFINITY;
  for (int32_t b = 0; b < s->n_beams; b++)
    worst = s->finished[b].score < worst ? s->finished[b].score : worst;
  for (int32_t b = 0; b < s->n_beams; b++) {
    if (best > (s->finished[b].finished ? worst : FAR)) return true;
  }
  return false;
}

static bool all_hit(const vlm_search *s) {
  for (int32_t i = 0; i < s->n_candidates; i++) {
    if (!s->candidates[i].hit) return false;
  }
  return true;
}

static void beam_step(vlm_search *s, const float *logits) {
  find_candidates(s, logits);
  choose_running(s);
  choose_finished(s);
  swap(&s->running, &s->next);
  s->count++;
  assign_rows(s);
  s->improvable = s->improvable && can_improve(s);
  s->done =
      !s->improvable || (all_finished(s) && s->generation.early_stopping == VLM_EARLY_TRUE) || all_hit(s);
}

static void greedy_step(vlm_search *s, const float *logits) {
  hypothesis *h = &s->running[0];
  int64_t best = 0;
  assert((int64_t)h->count < s->max_length);
  score_row(s, 0, logits);
  for (int64_t i = 1; i < s->vocab; i++) best = s->scores[i] > s->scores[best] ? i : best;
  h->ids[h->count++] = (int32_t)best;
  s->count++;
  s->done = vlm_generation_is_eos(&s->generation, (int32_t)best) || (int64_t)s->count >= s->max_length;
}

vlm_status vlm_search_step(vlm_search *search, const float *logits, vlm_error *err) {
  if (search->done) return vlm_fail(err, VLM_INTERNAL, "the search is over");
  if (search->n_beams > 1) beam_step(search, logits);
  else greedy_step(search, logits);
  return VLM_OK;
}

bool vlm_search_done(const vlm_search *search) { return search->done; }
void vlm_search_stop(vlm_search *search) { search->done = true; }

vlm_status vlm_search_result(const vlm_search *search, const int32_t **ids, size_t *count, double *score,
                             vlm_error *err) {
  vlm_status st = VLM_OK;
  VLM_CHECK(search->done, err, VLM_INTERNAL, "the search is not over");
  const hypothesis *best =
      search->n_beams > 1 && search->finished[0].finished ? &search->finished[0] : &search->running[0];
  *ids = best->ids;
  *count = best->count;
  if (score) *score = search->n_beams > 1 ? (double)best->score : 0;
out:
  return st;
}
