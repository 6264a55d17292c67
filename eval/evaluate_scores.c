#include "eval/evaluate_scores.h"

#include <string.h>

#include "eval/ptb_tokenize.h"
#include "calib/text_index.h"
#include "runtime/base/memory.h"

typedef struct {
  vlm_evaluation *out;
  const vlm_dataset *set;
  const vlm_eval_opts *opts;
  vlm_error *err;
} scoring;

/* The items of one prompt. */
typedef struct {
  vlm_prompt_scores *scores;
  int64_t n;
  vlm_eval_item **items;
  int32_t *ref_counts;
  const char **refs; /* tokenized, of all items in a row */
} prompt_group;

static const vlm_sample *sample_of(const scoring *s, const vlm_eval_item *item) {
  return vlm_dataset_get(s->set, item->sample);
}

/* ---- groups ---- */

/* Whether the manifest asks one image more than one thing. */
static vlm_status is_asked_twice(bool *out, const scoring *s) {
  vlm_status st = VLM_OK;
  vlm_text_index keys = {0};
  const char **prompts = NULL;
  const vlm_evaluation *e = s->out;
  *out = false;
  VLM_TRY(vlm_new(&prompts, e->images, s->err));
  for (int64_t i = 0; i < e->images && !*out; i++) {
    int32_t at;
    bool added;
    const char *path = sample_of(s, &e->items[i])->path;
    VLM_TRY(vlm_text_index_add(&keys, &at, &added, path, strlen(path), s->err));
    if (added) prompts[at] = e->items[i].prompt;
    else *out = strcmp(prompts[at], e->items[i].prompt) != 0;
  }
out:
  vlm_text_index_free(&keys);
  vlm_free(prompts);
  return st;
}

/* Questions that differ from image to image are one group: each has its own references. */
static vlm_status find_groups(const scoring *s) {
  vlm_status st = VLM_OK;
  vlm_text_index names = {0};
  vlm_evaluation *e = s->out;
  bool split = s->opts->n_prompts > 1, mixed = false;
  if (!split) VLM_TRY(is_asked_twice(&split, s));
  for (int64_t i = 0; i < e->images; i++) {
    const char *prompt = split ? e->items[i].prompt : "";
    VLM_TRY(vlm_text_index_add(&names, &e->items[i].group, NULL, prompt, strlen(prompt), s->err));
    mixed |= strcmp(e->items[i].prompt, e->items[0].prompt) != 0;
  }
  e->n_prompts = names.count;
  VLM_TRY(vlm_arena_new(e->arena, &e->prompts, names.count, s->err));
  for (int64_t i = 0; i < e->images; i++) {
    vlm_prompt_scores *p = &e->prompts[e->items[i].group];
    p->images++;
    p->prompt = split || !mixed ? e->items[i].prompt : NULL;
  }
out:
  vlm_text_index_free(&names);
  return st;
}

/* ---- one group ---- */

/* References of all items in one block, tokenized in item order, as coco-caption does. */
static vlm_status tokenize_references(const scoring *s, prompt_group *g) {
  vlm_status st = VLM_OK;
  const char **texts = NULL;
  int64_t total = 0, at = 0;
  for (int64_t i = 0; i < g->n; i++)
    total += g->ref_counts[i] = (int32_t)sample_of(s, g->items[i])->ref_count;
  VLM_TRY(vlm_new(&texts, total, s->err));
  VLM_TRY(vlm_arena_new(s->out->arena, &g->refs, total, s->err));
  for (int64_t i = 0; i < g->n; i++)
    for (int32_t k = 0; k < g->ref_counts[i]; k++) texts[at++] = sample_of(s, g->items[i])->refs[k];
  VLM_TRY(vlm_ptb_tokenize(g->refs, s->out->arena, texts, total, NULL, s->err));
out:
  vlm_free(texts);
  return st;
}

static vlm_status score_side(const scoring *s, const prompt_group *g, int side, double *cider_d) {
  vlm_status st = VLM_OK;
  int64_t at = 0;
  const char **texts = NULL, **tokens = NULL;
  vlm_score_image *images = NULL;
  vlm_scores *each = NULL;
  VLM_TRY(vlm_new(&texts, g->n, s->err));
  VLM_TRY(vlm_new(&tokens, g->n, s->err));
  VLM_TRY(vlm_new(&images, g->n, s->err));
  VLM_TRY(vlm_new(&each, g->n, s->err));
  for (int64_t i = 0; i < g->n; i++) texts[i] = g->items[i]->captions[side];
  VLM_TRY(vlm_ptb_tokenize(tokens, s->out->arena, texts, g->n, NULL, s->err));
  for (int64_t i = 0; i < g->n; i++) {
    images[i] = (vlm_score_image){.candidate = tokens[i], .refs = g->refs + at, .n_refs = g->ref_counts[i]};
    at += g->ref_counts[i];
  }
  VLM_TRY(vlm_scores_compute(&g->scores->scores[side], each, NULL, images, g->n, NULL, s->err));
  for (int64_t i = 0; i < g->n; i++) g->items[i]->cider_d[side] = cider_d[i] = each[i].cider_d;
out:
  vlm_free(texts);
  vlm_free(tokens);
  vlm_free(images);
  vlm_free(each);
  return st;
}

static vlm_status score_group(const scoring *s, int32_t index) {
  vlm_status st = VLM_OK;
  vlm_evaluation *e = s->out;
  prompt_group g = {.scores = &e->prompts[index]};
  double *cider[2] = {NULL, NULL};
  const int64_t n = g.scores->images;
  VLM_TRY(vlm_new(&g.items, n, s->err));
  VLM_TRY(vlm_new(&g.ref_counts, n, s->err));
  for (int64_t i = 0; i < e->images; i++)
    if (e->items[i].group == index) g.items[g.n++] = &e->items[i];
  VLM_TRY(tokenize_references(s, &g));
  for (int k = 0; k < 1 + e->compared; k++) {
    VLM_TRY(vlm_new(&cider[k], n, s->err));
    VLM_TRY(score_side(s, &g, k, cider[k]));
  }
  if (e->compared)
    VLM_TRY(vlm_bootstrap_drop(&g.scores->drop, cider[0], cider[1], n, &s->opts->bootstrap, s->err));
out:
  vlm_free(g.items);
  vlm_free(g.ref_counts);
  vlm_free(cider[0]);
  vlm_free(cider[1]);
  return st;
}

/* ---- */

static bool has_references(const scoring *s) {
  const size_t n = vlm_dataset_count(s->set);
  for (size_t i = 0; i < n; i++)
    if (vlm_dataset_get(s->set, i)->ref_count == 0) return false;
  return n > 0;
}

vlm_status vlm_evaluation_score(vlm_evaluation *out, const vlm_dataset *set, const vlm_eval_opts *opts,
                                vlm_error *err) {
  vlm_status st = VLM_OK;
  const scoring s = {.out = out, .set = set, .opts = opts, .err = err};
  VLM_TRY(find_groups(&s));
  if (!has_references(&s)) goto out;
  for (int32_t i = 0; i < out->n_prompts; i++) VLM_TRY(score_group(&s, i));
  out->scored = true;
out:
  return st;
}
