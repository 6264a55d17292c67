/* Internal to data sets: one argument of --images or --inputs becomes samples. */
#ifndef VLM_CALIB_DATASET_PATHS_H
#define VLM_CALIB_DATASET_PATHS_H

#include "calib/dataset_set.h"

vlm_status vlm_dataset_add_image_path(vlm_dataset *set, const char *path, vlm_error *err);
vlm_status vlm_dataset_add_input_path(vlm_dataset *set, const char *path, vlm_error *err);

/* ---- rows of lists, manifests and tables (dataset_rows.c) ---- */

typedef struct vlm_dataset_row {
  const char *image, *prompt; /* prompt: NULL or "" = not stated */
  const char *const *refs;    /* in the arena of the set */
  size_t ref_count;
} vlm_dataset_row;

/* Appends the image, whose path is relative to the folder. `where` names the row in messages. */
vlm_status vlm_dataset_add_row(vlm_dataset *set, const vlm_dataset_row *row, const char *folder,
                               const char *where, vlm_error *err);

typedef vlm_status vlm_dataset_take(vlm_dataset *set, const char *line, const char *folder, const char *where,
                                    vlm_error *err);
/* A line of a manifest: an object. */
vlm_dataset_take vlm_dataset_take_object;
/* A table with a header (dataset_csv.c). */
vlm_status vlm_dataset_add_csv(vlm_dataset *set, const char *path, vlm_error *err);

/* What a key of a manifest or a column of a table says. */
typedef enum vlm_row_key { VLM_ROW_IMAGE, VLM_ROW_PROMPT, VLM_ROW_REFS, VLM_ROW_ID } vlm_row_key;
/* VLM_INPUT names the nearest key that is known. */
vlm_status vlm_row_key_of(vlm_row_key *out, const char *name, const char *where, vlm_error *err);

#endif
