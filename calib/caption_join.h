/* Which captions belong to which image, by names and ids that were written by different people.
 *
 * In this order: the id or file name in full; the file name without folders; without folders and suffix; the number that ends the name,
 * when it is an id ("COCO_val2014_000000000042.jpg" has id 42) and the entry's own file name, if any, ends in it too, for names that
 * differ in nothing but that number. A join is unique or
 * refused with both names: two entries that fit one image, and two images that would get the captions of one entry. */
#ifndef VLM_CALIB_CAPTION_JOIN_H
#define VLM_CALIB_CAPTION_JOIN_H

#include "calib/caption_set.h"

typedef struct vlm_caption_join {
  const vlm_caption_set *set;
  struct vlm_caption_keys *keys; /* per way of joining */
  const char **taken;            /* per entry: the image that has it, NULL = none yet */
  const char *by_number;         /* the first image that was joined by its number */
  int64_t numbers;               /* images joined that way */
  vlm_arena *arena;
} vlm_caption_join;

/* The set must outlive the join. Free with vlm_caption_join_free. */
vlm_status vlm_caption_join_create(vlm_caption_join *out, const vlm_caption_set *set, vlm_error *err);
void vlm_caption_join_free(vlm_caption_join *join);

/* The entry for an image, NULL when there is none. name: what is joined; path: what it is, for images that may come more than once. */
vlm_status vlm_caption_join_find(vlm_caption_join *join, const vlm_caption_image **out, const char *name,
                                 const char *path, vlm_error *err);

#endif
