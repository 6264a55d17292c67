#include "eval/evaluate.h"

#include <math.h>
#include <string.h>

#include "eval/evaluate_scores.h"

/* Rows of logits of one answer. */
typedef struct {
  float *rows;
  int64_t count, capacity, vocab;
} logit_rows;

typedef struct {
  vlm_model *model;
  vlm_eval_side *side;
  vlm_answer answer;
  logit_rows logits;
} player;

typedef struct {
  vlm_evaluation *out;
  vlm_context *context;
  const vlm_dataset *set;
  const vlm_eval_opts *opts;
  player players[2];
  int n_players;
  vlm_error *err;
} match;

/* ---- running ---- */

static vlm_status keep_logits(void *user, int64_t step, const float *logits, int64_t vocab, vlm_error *err) {
  logit_rows *r = user;
  (void)step;
  if ((r->count + 1) * vocab > r->capacity) {
    int64_t wanted = 2 * (r->count + 1) * vocab;
    vlm_status st = vlm_more(&r->rows, (size_t)(r->count * vocab), wanted, err);
    if (st != VLM_OK) return st;
    r->capacity = wanted;
  }
  memcpy(r->rows + r->count * vocab, logits, (size_t)vocab * sizeof *logits);
  r->count++;
  r->vocab = vocab;
  return VLM_OK;
}

static vlm_status play(match *m, player *p, const vlm_sample_pixels *pixels, const char *prompt) {
  vlm_answer_opts opts = {.max_new_tokens = m->opts->max_new_tokens,
                          .beams = m->opts->beams,
                          .on_logits = keep_logits,
                          .user = &p->logits};
  vlm_answer_free(&p->answer);
  p->logits.count = 0;
  return vlm_sample_answer(p->model, pixels, prompt, &opts, &p->answer, m->err);
}

static vlm_status note_answer(match *m, player *p, vlm_eval_item *item) {
  vlm_status st = VLM_OK;
  const vlm_answer *a = &p->answer;
  const size_t side = (size_t)(p - m->players);
  for (int s = 0; s < VLM_STAGE_COUNT; s++) {
    double ms = a->stage_ms[s];
    if (s == VLM_STAGE_STEP) ms = a->steps ? ms / (double)a->steps : 0;
    if (s != VLM_STAGE_STEP || a->steps) VLM_TRY(vlm_samples_add(&p->side->stage_ms[s], ms, m->err));
  }
  VLM_TRY(vlm_samples_add(&p->side->first_token_ms, a->first_token_ms, m->err));
  VLM_TRY(vlm_samples_add(&p->side->total_ms, a->total_ms, m->err));
  p->side->tokens += (int64_t)a->ids.count - 1;
  p->side->decode_ms += a->stage_ms[VLM_STAGE_FIRST] + a->stage_ms[VLM_STAGE_STEP];
  item->total_ms[side] = a->total_ms;
  item->tokens[side] = (int64_t)a->ids.count - 1;
  VLM_TRY(vlm_arena_strdup(m->out->arena, &item->captions[side], vlm_text_get(&a->text), m->err));
out:
  return st;
}

/* ---- comparing one image ---- */

static vlm_status compare_session(match *m, vlm_role role) {
  vlm_session *a = vlm_model_session(m->players[0].model, role),
              *b = vlm_model_session(m->players[1].model, role);
  if (!a || !b) return VLM_OK;
  return vlm_sqnr_add_tensor(&m->out->sqnr[role], vlm_session_output(a, 0), vlm_session_output(b, 0), m->err);
}

/* Both decoders saw the same tokens up to the first difference: up to there rows of logits answer the same question. */
static vlm_status compare_logits(match *m, vlm_eval_item *item) {
  vlm_status st = VLM_OK;
  const int64_t before = m->out->kl.count;
  double sum = 0;
  const player *a = &m->players[0], *b = &m->players[1];
  int64_t rows = a->logits.count < b->logits.count ? a->logits.count : b->logits.count;
  for (int64_t i = 0; i < rows && a->logits.vocab == b->logits.vocab; i++) {
    const float *x = a->logits.rows + i * a->logits.vocab, *y = b->logits.rows + i * b->logits.vocab;
    VLM_TRY(vlm_samples_add(&m->out->kl, vlm_kl_divergence(x, y, a->logits.vocab), m->err));
    sum += m->out->kl.values[m->out->kl.count - 1];
    vlm_sqnr_add(&m->out->sqnr[VLM_ROLE_DECODER_STEP], x, y, a->logits.vocab);
    m->out->top1_rows++;
    m->out->top1_equal += vlm_top1(x, a->logits.vocab) == vlm_top1(y, a->logits.vocab);
    if (a->answer.ids.data[i + 1] != b->answer.ids.data[i + 1]) break;
  }
  if (m->out->kl.count > before) item->kl_mean = sum / (double)(m->out->kl.count - before);
out:
  return st;
}

static vlm_status compare(match *m, vlm_eval_item *item) {
  vlm_status st = VLM_OK;
  const vlm_ids *a = &m->players[0].answer.ids, *b = &m->players[1].answer.ids;
  const int64_t sum = m->out->agreement.divergence_sum;
  vlm_agreement_add(&m->out->agreement, a->data, (int64_t)a->count, b->data, (int64_t)b->count);
  item->exact = a->count == b->count && !memcmp(a->data, b->data, a->count * sizeof *a->data);
  if (!item->exact) item->first_divergence = m->out->agreement.divergence_sum - sum;
  VLM_TRY(compare_session(m, VLM_ROLE_VISION));
  VLM_TRY(compare_session(m, VLM_ROLE_ENCODER));
  VLM_TRY(compare_logits(m, item));
out:
  return st;
}

/* ---- all images ---- */

static vlm_status play_image(match *m, vlm_eval_item *item, const vlm_sample_pixels *pixels) {
  vlm_status st = VLM_OK;
  for (int k = 0; k < m->n_players; k++) {
    player *p = &m->players[(k + (int)(item - m->out->items)) %
                            m->n_players]; /* turn by turn: neither side is always first */
    VLM_TRY(play(m, p, pixels, item->prompt));
    VLM_TRY(note_answer(m, p, item));
  }
  if (m->n_players == 2) VLM_TRY(compare(m, item));
  if (m->opts->on_item) VLM_TRY(m->opts->on_item(m->opts->user, item, m->err));
out:
  return st;
}

static vlm_status begin_item(match *m, vlm_eval_item *item, size_t i, int64_t p) {
  vlm_status st = VLM_OK;
  const vlm_sample *s = vlm_dataset_get(m->set, i);
  const char *prompt = s->prompt && p == 0 ? s->prompt : m->opts->prompts[p];
  *item = (vlm_eval_item){
      .sample = i, .kl_mean = NAN, .cider_d = {NAN, NAN}, .total_ms = {NAN, NAN}, .first_divergence = -1};
  VLM_TRY(vlm_arena_strdup(m->out->arena, &item->key, s->key, m->err));
  VLM_TRY(vlm_arena_strdup(m->out->arena, &item->prompt, prompt, m->err));
out:
  return st;
}

/* Its header was looked at before, but the pixels of an image may still be broken; *loaded false = it is left out. */
static vlm_status load(match *m, vlm_sample_pixels *pixels, size_t i, bool tell, bool *loaded) {
  const vlm_eval_opts *o = m->opts;
  const vlm_status st = vlm_dataset_load_pixels(pixels, m->set, i, m->err);
  *loaded = st == VLM_OK;
  if (st == VLM_OK || st == VLM_MEMORY || !o->skip_bad) return st;
  if (tell && o->skipped) o->skipped(o->skipped_user, vlm_dataset_get(m->set, i)->path, m->err->text);
  *m->err = (vlm_error){0};
  return VLM_OK;
}

/* One image with every prompt. */
static vlm_status play_sample(match *m, size_t i, int64_t total) {
  vlm_status st = VLM_OK;
  const vlm_eval_opts *o = m->opts;
  vlm_sample_pixels pixels = {0};
  bool loaded = false;
  VLM_TRY(load(m, &pixels, i, true, &loaded));
  for (int64_t p = 0; loaded && p < o->n_prompts; p++) {
    vlm_eval_item *item = &m->out->items[m->out->images];
    VLM_TRY(begin_item(m, item, i, p));
    VLM_TRY(play_image(m, item, &pixels));
    m->out->images++;
    if (o->between) VLM_TRY(o->between(o->user, (int64_t)i * o->n_prompts + p + 1, total, m->err));
  }
out:
  vlm_sample_pixels_free(&pixels);
  return st;
}

static vlm_status play_all(match *m) {
  vlm_status st = VLM_OK;
  const size_t count = vlm_dataset_count(m->set);
  const int64_t total = (int64_t)count * m->opts->n_prompts;
  for (size_t i = 0; i < count; i++) {
    st = play_sample(m, i, total);
    if (st != VLM_OK && st != VLM_INTERRUPTED)
      vlm_error_context(m->err, "%s", vlm_dataset_get(m->set, i)->key);
    if (st != VLM_OK) return st;
  }
  return st;
}

/* ---- set-up ---- */

/* Loads a side and answers once, so that first-run work is in neither side's times. */
static vlm_status enter(match *m, const vlm_bundle *bundle, vlm_eval_side *side) {
  vlm_status st = VLM_OK;
  vlm_sample_pixels pixels = {0};
  bool loaded = false;
  player *p = &m->players[m->n_players];
  vlm_memory_use before = vlm_memory_now();
  p->side = side;
  m->n_players++;
  const vlm_model_opts opts = {.session = {.owns_constants = m->opts->owns_constants}};
  VLM_TRY(vlm_model_create(&p->model, m->context, bundle, &opts, m->err));
  for (size_t i = 0; i < vlm_dataset_count(m->set) && !loaded; i++)
    VLM_TRY(load(m, &pixels, i, false, &loaded));
  VLM_CHECK(loaded, m->err, VLM_INPUT, "none of the images can be read");
  VLM_TRY(play(m, p, &pixels, m->opts->prompts[0]));
  vlm_memory_use after = vlm_memory_now();
  side->memory.private_dirty_mib = after.private_dirty_mib - before.private_dirty_mib;
  side->memory.private_clean_mib = after.private_clean_mib - before.private_clean_mib;
out:
  vlm_sample_pixels_free(&pixels);
  return st;
}

static void leave(player *p) {
  vlm_answer_free(&p->answer);
  vlm_free(p->logits.rows);
  vlm_model_free(p->model);
}

vlm_status vlm_evaluate(vlm_evaluation *out, vlm_context *context, const vlm_bundle *reference,
                        const vlm_bundle *candidate, const vlm_dataset *set, const vlm_eval_opts *opts,
                        vlm_error *err) {
  vlm_status st = VLM_OK;
  match m = {.out = out, .context = context, .set = set, .opts = opts, .err = err};
  memset(out, 0, sizeof *out);
  const int64_t most = (int64_t)vlm_dataset_count(set) * opts->n_prompts;
  out->compared = candidate != NULL;
  VLM_CHECK(most > 0, err, VLM_INPUT, "the data set is empty");
  VLM_TRY(vlm_arena_create(&out->arena, err));
  VLM_TRY(vlm_arena_new(out->arena, &out->items, most, err));
  VLM_TRY(enter(&m, reference, &out->reference));
  if (candidate) VLM_TRY(enter(&m, candidate, &out->candidate));
  VLM_TRY(play_all(&m));
  VLM_TRY(vlm_evaluation_score(out, set, opts, err));
  out->kl_mean = 0;
  for (int64_t i = 0; i < out->kl.count; i++) out->kl_mean += out->kl.values[i] / (double)out->kl.count;
out:
  leave(&m.players[0]);
  leave(&m.players[1]);
  if (st != VLM_OK) vlm_evaluation_free(out);
  return st;
}

static void free_side(vlm_eval_side *s) {
  for (int k = 0; k < VLM_STAGE_COUNT; k++) vlm_samples_free(&s->stage_ms[k]);
  vlm_samples_free(&s->first_token_ms);
  vlm_samples_free(&s->total_ms);
}

void vlm_evaluation_free(vlm_evaluation *e) {
  free_side(&e->reference);
  free_side(&e->candidate);
  vlm_samples_free(&e->kl);
  vlm_arena_free(e->arena);
  memset(e, 0, sizeof *e);
}
