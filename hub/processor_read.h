/* Internal to hub/: reading single values of a processor's file, and the operations that come of them. */
#ifndef VLM_HUB_PROCESSOR_READ_H
#define VLM_HUB_PROCESSOR_READ_H

#include "hub/processor.h"

typedef struct vlm_processor_reading {
  vlm_json config, model, defaults; /* of the class; absent where no class is named */
  const char *type;                 /* NULL = none */
  vlm_fit bare;                     /* meaning of a single number as a size */
  bool pads;                        /* "do_pad" is the square of LLaVA */
  bool
      old; /* "feature_extractor_type": written when rescaling by 1/255 was part of normalization and had no key */
  vlm_preprocess *out;
  vlm_error *err;
} vlm_processor_reading;

/* The object to look a key up in: the file where it states it, else the class. */
vlm_json vlm_processor_holder(const vlm_processor_reading *r, const char *key);

/* A flag; false when it is null, or left out everywhere and not required. */
vlm_status vlm_processor_flag(bool *out, const vlm_processor_reading *r, const char *key, vlm_json_need need);
/* A whole number from 1 to `most`. */
vlm_status vlm_processor_int(int64_t *out, const vlm_processor_reading *r, const char *key, int64_t most);
/* A side in pixels; by key: of the object `holder`, where it must be. */
vlm_status vlm_processor_side(int *out, vlm_json value, vlm_error *err);
vlm_status vlm_processor_edge(int *out, const vlm_processor_reading *r, const char *object, const char *key);
/* "resample". */
vlm_status vlm_processor_filter(vlm_resize_filter *out, const vlm_processor_reading *r);
/* Three numbers, or one for all channels. */
vlm_status vlm_processor_channels(double out[3], const vlm_processor_reading *r, const char *key);

/* A size in any of its spellings: a number, [a, b], {"height", "width"}, {"shortest_edge"} or {"longest_edge"}. */
typedef struct vlm_processor_extent {
  int width, height;
  vlm_fit fit;
} vlm_processor_extent;

/* A list is height, width unless `width_first`. */
vlm_status vlm_processor_size(vlm_processor_extent *out, const vlm_processor_reading *r, const char *key,
                              vlm_fit bare, bool width_first);
/* The same where only height and width will do. */
vlm_status vlm_processor_exact(vlm_processor_extent *out, const vlm_processor_reading *r, const char *key,
                               bool width_first);

/* One more operation, zeroed but for its kind. */
vlm_preprocess_op *vlm_processor_add(vlm_processor_reading *r, vlm_preprocess_kind kind);
void vlm_processor_add_resize(vlm_processor_reading *r, const vlm_processor_extent *size,
                              vlm_resize_filter filter);
/* Flatten, where the class blends transparency on white: its "Fast" form drops it. */
vlm_status vlm_processor_add_white(vlm_processor_reading *r);
/* "size" and "resample" where "do_resize" says so, then the crop. */
vlm_status vlm_processor_add_plain(vlm_processor_reading *r);

/* The geometry of each class. */
#define X(name, geometry, bare, defaults) vlm_status vlm_processor_##geometry(vlm_processor_reading *r);
#include "hub/processors.def"
#undef X

#endif
