#include "eval/scored_set.h"

#include <string.h>

#include "calib/caption_join.h"
#include "eval/ptb_tokenize.h"

_Static_assert(VLM_CAPTION_MAX_BYTES == VLM_PTB_MAX_CAPTION, "what is read can be tokenized");

/* ---- who belongs to whom ---- */

/* Fills `answers`: per image of the references its candidate, or NULL. */
static vlm_status join(vlm_scored_set *out, const vlm_caption_image **answers, const vlm_caption_set *refs,
                       const vlm_caption_set *candidates, bool subset, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_caption_join way = {0};
  VLM_TRY(vlm_caption_join_create(&way, refs, err));
  for (int32_t i = 0; i < candidates->n_images; i++) {
    const vlm_caption_image *candidate = &candidates->images[i], *image;
    const char *name = candidate->id;
    if (!candidate->n_texts) continue;
    VLM_CHECK(candidate->n_texts == 1, err, VLM_INPUT, "%s: %d captions for image %s, wanted one",
              candidates->source, (int)candidate->n_texts, name);
    VLM_TRY(vlm_caption_join_find(&way, &image, name, name, err));
    if (!image && candidate->file) VLM_TRY(vlm_caption_join_find(&way, &image, candidate->file, name, err));
    VLM_CHECK(image || subset, err, VLM_INPUT, "%s: a caption for image %s, which is not in %s",
              candidates->source, name, refs->source);
    if (image) answers[image - refs->images] = candidate;
    else out->left_out[1]++;
  }
out:
  vlm_caption_join_free(&way);
  return st;
}

/* How many images of the references lack a candidate, and the first. */
static int32_t count_missing(const vlm_caption_set *refs, const vlm_caption_image *const *answers,
                             const char **first) {
  int32_t missing = 0;
  for (int32_t i = 0; i < refs->n_images; i++)
    if (!answers[i] && missing++ == 0) *first = refs->images[i].id;
  return missing;
}

/* Fills ids, images and the two flat lists of raw texts. */
static vlm_status pair(vlm_scored_set *out, const char **ref_texts, const char **texts,
                       const vlm_caption_set *refs, const vlm_caption_image *const *answers, vlm_error *err) {
  vlm_status st = VLM_OK;
  for (int32_t i = 0; i < refs->n_images; i++) {
    const vlm_caption_image *image = &refs->images[i];
    if (!answers[i]) continue;
    VLM_CHECK(image->n_texts > 0, err, VLM_INPUT, "%s: image %s has no reference caption", refs->source,
              image->id);
    VLM_TRY(vlm_arena_strdup(out->arena, &out->ids[out->n], image->id, err));
    out->images[out->n].n_refs = image->n_texts;
    memcpy(ref_texts + out->n_refs, image->texts, (size_t)image->n_texts * sizeof(*ref_texts));
    out->n_refs += image->n_texts;
    texts[out->n++] = answers[i]->texts[0];
  }
out:
  return st;
}

static vlm_status tokenize(const char **out, vlm_arena *arena, const char *const *texts, int64_t n, bool done,
                           const char *source, vlm_error *err) {
  vlm_status st = VLM_OK;
  if (!done) {
    VLM_TRY(vlm_ptb_tokenize(out, arena, texts, n, NULL, err));
  } else {
    for (int64_t i = 0; i < n; i++) VLM_TRY(vlm_arena_strdup(arena, &out[i], texts[i], err));
  }
out:
  if (st != VLM_OK) vlm_error_context(err, "%s", source);
  return st;
}

vlm_status vlm_scored_set_create(vlm_scored_set *out, const vlm_caption_set *refs,
                                 const vlm_caption_set *candidates, const vlm_match_opts *opts,
                                 vlm_error *err) {
  static const vlm_match_opts defaults = {.tokenized = false};
  vlm_status st = VLM_OK;
  const char **raw_refs = NULL, **raw = NULL, **ref_tokens = NULL, **tokens = NULL, *first = NULL;
  const vlm_caption_image **answers = NULL;
  if (!opts) opts = &defaults;
  *out = (vlm_scored_set){.n = 0};
  VLM_TRY(vlm_new(&answers, refs->n_images, err));
  VLM_TRY(join(out, answers, refs, candidates, opts->only_with_results, err));
  const int32_t missing = count_missing(refs, answers, &first);
  out->left_out[0] = missing;
  VLM_CHECK(!missing || opts->only_with_results, err, VLM_INPUT,
            "%s: no caption for %d of the %d images of %s (first: %s); add them, or score only the images "
            "that have one (--subset)",
            candidates->source, (int)missing, (int)refs->n_images, refs->source, first);
  const size_t n = (size_t)(refs->n_images - missing), n_refs = (size_t)refs->n_texts;
  VLM_CHECK(n > 0, err, VLM_INPUT, "%s: no caption for any image of %s", candidates->source, refs->source);
  VLM_TRY(vlm_arena_create(&out->arena, err));
  VLM_TRY(vlm_arena_new(out->arena, &out->ids, n, err));
  VLM_TRY(vlm_arena_new(out->arena, &out->images, n, err));
  VLM_TRY(vlm_arena_new(out->arena, &ref_tokens, n_refs, err));
  VLM_TRY(vlm_arena_new(out->arena, &tokens, n, err));
  VLM_TRY(vlm_new(&raw_refs, n_refs, err));
  VLM_TRY(vlm_new(&raw, n, err));
  VLM_TRY(pair(out, raw_refs, raw, refs, answers, err));
  VLM_TRY(tokenize(ref_tokens, out->arena, raw_refs, out->n_refs, opts->tokenized, refs->source, err));
  VLM_TRY(tokenize(tokens, out->arena, raw, out->n, opts->tokenized, candidates->source, err));
  for (int64_t i = 0; i < out->n; i++) {
    out->images[i].candidate = tokens[i];
    out->images[i].refs = ref_tokens;
    ref_tokens += out->images[i].n_refs;
    out->empty_candidates += !tokens[i][0];
  }
out:
  vlm_free(raw_refs);
  vlm_free(raw);
  vlm_free(answers);
  if (st != VLM_OK) vlm_scored_set_free(out);
  return st;
}

void vlm_scored_set_free(vlm_scored_set *set) {
  if (set->arena) vlm_arena_free(set->arena);
  *set = (vlm_scored_set){.n = 0};
}
