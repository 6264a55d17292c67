/* Caption files: images with one candidate or several references each, in the formats that are in use (docs/captions.md).
 *
 * Read by content, not by role:
 *   COCO annotations   {"images": [{"id", "file_name"?}], "annotations": [{"image_id", "caption"}]}; images may be missing. NoCaps too
 *   records            [{"image_id" or "image" or "file_name", "caption" or "captions" or "refs" or "text"}]: results, or references when
 *                      an image comes more than once
 *   JSON lines         the same records one per line: image manifests, answers of vlm-run --json, metadata.jsonl
 *   map                {"image": "caption"} or {"image": ["caption", ...]}
 *   Karpathy split     {"images": [{"cocoid" or "filename", "split", "sentences": [{"raw"}]}]}; `raw` is read, not `tokens`
 *   TextCaps           {"data": [{"image_id", "reference_strs" or "caption_str", "set_name"}]}
 *   Flickr8k, 30k      lines "1.jpg#0<TAB>caption", and tables with a head: image,caption · image_name| comment_number| comment
 * Ids are compared as text: 42, 42.0 and "42" are the same image, and numbers may have any size. Images keep the file's order. Files are
 * untrusted: what is missing, null or of the wrong type is VLM_INPUT with file and place; NaN and infinities are read where nobody asks. */
#ifndef VLM_CALIB_CAPTION_SET_H
#define VLM_CALIB_CAPTION_SET_H

#include <stdbool.h>
#include <stdint.h>

#include "calib/text_index.h"

#define VLM_CAPTION_MAX_BYTES 65536 /* of one caption */

typedef struct vlm_caption_image {
  const char *id;
  const char *file; /* file name when the file gives one, else NULL */
  int32_t n_texts, capacity;
  const char **texts; /* as in the file, not tokenized */
} vlm_caption_image;

/* Zeroed = no set. */
typedef struct vlm_caption_set {
  vlm_arena *arena;
  const char *source; /* file name for messages */
  vlm_caption_image *images;
  int32_t n_images, capacity;
  int64_t n_texts;
  int64_t
      line_breaks; /* captions with CR, VT, FF, U+2028 or U+2029 inside, which become blanks: they derail coco-caption */
  vlm_text_index ids; /* id -> index into images */
  bool has_splits;    /* the file says which split an image is of */
} vlm_caption_set;

typedef struct vlm_caption_opts {
  const char *split;  /* files with splits: only these images; NULL = all */
  bool must_split;    /* a file without splits is VLM_INPUT when `split` is given */
  bool one_per_image; /* candidates: a second caption for an image is an error */
} vlm_caption_opts;

/* opts may be NULL. Free with vlm_caption_set_free. */
vlm_status vlm_caption_set_load(vlm_caption_set *out, const char *path, const vlm_caption_opts *opts,
                                vlm_error *err);
void vlm_caption_set_free(vlm_caption_set *set);

/* A set built in memory: zeroed, then create, then add. Adding an id again adds a text. text NULL only declares the image. */
vlm_status vlm_caption_set_create(vlm_caption_set *out, const char *source, vlm_error *err);
vlm_status vlm_caption_set_add(vlm_caption_set *set, const char *id, const char *text, vlm_error *err);
/* The image that was added with this id, or NULL. */
const vlm_caption_image *vlm_caption_set_get(const vlm_caption_set *set, const char *id);
/* The file name of an image that was added. */
vlm_status vlm_caption_set_name_file(vlm_caption_set *set, const char *id, const char *file, vlm_error *err);

#endif
