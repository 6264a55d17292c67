/* Private to the files that read captions: one form each. */
#ifndef VLM_CALIB_CAPTION_READ_H
#define VLM_CALIB_CAPTION_READ_H

#include "calib/caption_set.h"
#include "runtime/base/json.h"

/* Any of the JSON documents; one record of JSON lines. */
vlm_status vlm_caption_read_json(vlm_caption_set *set, vlm_json root, const vlm_caption_opts *opts,
                                 vlm_error *err);
vlm_status vlm_caption_read_record(vlm_caption_set *set, vlm_json record, const vlm_caption_opts *opts,
                                   vlm_error *err);

/* JSON as other writers make it: NaN and infinities become empty lists, which nobody takes for a value, and whole numbers beyond 18
 * digits become texts, so that ids keep them all. *out is NULL when the text can be read as it is; else free it with vlm_free. */
vlm_status vlm_caption_soften(char **out, size_t *out_bytes, const char *text, size_t bytes, vlm_error *err);

/* Flickr8k tokens, and tables with a head. False when the text is none of them. */
bool vlm_caption_is_table(const char *text, size_t bytes);
vlm_status vlm_caption_read_table(vlm_caption_set *set, const char *text, size_t bytes,
                                  const vlm_caption_opts *opts, vlm_error *err);

#endif
