/* Reference captions by image name. Read from
 *   {"image name": ["text", …] or "text", …}
 *   COCO annotations {"images": [{"id", "file_name"}], "annotations": [{"image_id", "caption"}]}
 *   a COCO result list [{"image_id": number or name, "caption": "text"}]
 * Texts keep the order of the file. */
#ifndef VLM_CALIB_CAPTIONS_H
#define VLM_CALIB_CAPTIONS_H

#include <stddef.h>

#include "runtime/base/status.h"

typedef struct vlm_captions vlm_captions;

vlm_status vlm_captions_load(vlm_captions **out, const char *path, vlm_error *err);
void vlm_captions_free(vlm_captions *captions);

/* Images in byte order of their names; an id is its decimal text. Everything is owned by `captions`. */
size_t vlm_captions_count(const vlm_captions *captions);
const char *vlm_captions_name(const vlm_captions *captions, size_t index);
const char *const *vlm_captions_texts(const vlm_captions *captions, size_t index, size_t *count);

/* The texts of an image: by the name as given, then by file name without folders, by file name without suffix, and by the number that
 * ends it ("COCO_val2014_000000000042.jpg" has id 42). A name that several entries share counts only when given in full. NULL: none. */
const char *const *vlm_captions_find(const vlm_captions *captions, const char *name, size_t *count);

#endif
