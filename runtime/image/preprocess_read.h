/* Internal to preprocessing: reading single values of preprocessor_config.json. */
#ifndef VLM_IMAGE_PREPROCESS_READ_H
#define VLM_IMAGE_PREPROCESS_READ_H

#include "runtime/image/preprocess_size.h"

/* How a processor class turns its configuration into operations. */
typedef enum vlm_config_family {
  FAMILY_PLAIN,
  FAMILY_SHORTEST,
  FAMILY_LLAVA,
  FAMILY_CONVNEXT,
  FAMILY_DONUT,
  FAMILY_TILES
} vlm_config_family;

typedef struct vlm_config_reading {
  vlm_json config, model;
  vlm_config_family family;
  bool typed;
  bool
      old; /* "feature_extractor_type": written when rescaling by 1/255 was part of normalization and had no key */
  vlm_preprocess *out;
  vlm_error *err;
} vlm_config_reading;

/* A flag; false when it is left out or null and not required. */
vlm_status vlm_config_flag(bool *out, const vlm_config_reading *r, const char *key, vlm_json_need need);
/* A side in pixels. */
vlm_status vlm_config_side(int *out, vlm_json value, vlm_error *err);
/* "resample". */
vlm_status vlm_config_filter(vlm_resize_filter *out, const vlm_config_reading *r);
/* Three numbers, or one for all channels. */
vlm_status vlm_config_channels(double out[3], const vlm_config_reading *r, const char *key);

/* A size in any of its spellings: a number, [a, b], {"height", "width"}, {"shortest_edge"} or {"longest_edge"}. */
typedef struct vlm_config_extent {
  int width, height;
  vlm_fit fit;
} vlm_config_extent;

/* `bare` is the meaning of a single number; lists are height, width unless `width_first`. */
vlm_status vlm_config_size(vlm_config_extent *out, const vlm_config_reading *r, const char *key, vlm_fit bare,
                           bool width_first);

#endif
