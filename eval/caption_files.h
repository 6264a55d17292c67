/* Caption files: images with one candidate or several references each, in the formats that are in use.
 *
 * Read by content, not by role:
 *   COCO annotations   {"images": [{"id", "file_name"?}], "annotations": [{"image_id", "caption"}]}; images may be missing
 *   records            [{"image_id", "caption"}]: a results list, or references when an image comes more than once
 *   JSON lines         the same records one per line, or {"image", "refs": [...]} / {"image", "caption"} as in an image manifest
 *   map                {"image": "caption"} or {"image": ["caption", ...]}
 *   Karpathy split     {"images": [{"cocoid" or "filename", "split", "sentences": [{"raw"}]}]}; `raw` is read, not `tokens`
 * Ids are compared as text (42 and "42" are the same image). Images keep the file's order. Files are untrusted: what is missing, null or of the
 * wrong type is VLM_INPUT with file and place. */
#ifndef VLM_EVAL_CAPTION_FILES_H
#define VLM_EVAL_CAPTION_FILES_H

#include <stdbool.h>
#include <stdint.h>

#include "eval/scores.h"
#include "eval/text_index.h"

typedef struct vlm_caption_image {
  const char *id;
  const char *file; /* file name when the file gives one, else NULL */
  int32_t n_texts, capacity;
  const char **texts; /* as in the file, not tokenized */
} vlm_caption_image;

typedef struct vlm_caption_set {
  vlm_arena *arena;
  const char *source; /* file name for messages */
  vlm_caption_image *images;
  int32_t n_images, capacity;
  int64_t n_texts;
  int64_t line_breaks; /* captions with CR, VT, FF, U+2028 or U+2029 inside, which become blanks: they derail coco-caption */
  vlm_text_index ids;  /* id -> index into images */
} vlm_caption_set;

typedef struct vlm_caption_opts {
  const char *split;   /* Karpathy files: only these images; NULL = all */
  bool one_per_image;  /* candidates: a second caption for an image is an error */
} vlm_caption_opts;

vlm_status vlm_caption_set_load(vlm_caption_set *out, const char *path, const vlm_caption_opts *opts, vlm_error *err);
void vlm_caption_set_free(vlm_caption_set *set);

/* A set built in memory: zeroed, then create, then add. Adding an id again adds a text. text NULL only declares the image. */
vlm_status vlm_caption_set_create(vlm_caption_set *out, const char *source, vlm_error *err);
vlm_status vlm_caption_set_add(vlm_caption_set *set, const char *id, const char *text, vlm_error *err);

/* The image with this id; else, when none has it, the image whose file (or id) has the same name, else the same name without folder and
 * extension. NULL when there is none. */
const vlm_caption_image *vlm_caption_set_find(const vlm_caption_set *set, const char *image);

/* Candidates matched with references and tokenized (references and candidates as one text each), in the order of the references. */
typedef struct vlm_scored_set {
  vlm_arena *arena;
  int64_t n;
  const char **ids;
  vlm_score_image *images;
  int64_t n_refs;
  int64_t empty_candidates; /* without any token: BLEU and CIDEr 0 */
} vlm_scored_set;

typedef struct vlm_match_opts {
  bool only_with_results; /* leave out images without a candidate instead of failing; document frequencies then come from the rest */
  bool tokenized;         /* the texts are tokenized already */
} vlm_match_opts;

/* VLM_INPUT on a candidate for an unknown image, an image without candidate (see above) or without reference; ids are named. */
vlm_status vlm_scored_set_create(vlm_scored_set *out, const vlm_caption_set *refs, const vlm_caption_set *candidates, const vlm_match_opts *opts,
                                 vlm_error *err);
void vlm_scored_set_free(vlm_scored_set *set);

#endif
