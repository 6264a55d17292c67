/* Internal to data sets: building the list of samples. */
#ifndef VLM_CALIB_DATASET_SET_H
#define VLM_CALIB_DATASET_SET_H

#include "calib/dataset.h"
#include "calib/folder.h"
#include "calib/npy.h"

struct vlm_dataset {
  vlm_arena *arena;
  vlm_dataset_opts opts; /* names of inputs copied into the arena */
  bool images;
  vlm_skip *skips;
  size_t n_skips, cap_skips;
  vlm_dataset_seen seen;
  vlm_sample *samples;
  size_t count, capacity;
  size_t of_all;            /* samples before they were cut into shards */
  vlm_sample_arrays *whole; /* with sample_axis: the arrays of each source */
  size_t whole_count;
};

/* Appends a sample; key, path, prompt and refs are already in the arena. */
vlm_status vlm_dataset_add(vlm_dataset *set, vlm_sample sample, vlm_error *err);

/* Appends what is not used; both texts are copied into the arena. */
vlm_status vlm_dataset_skip(vlm_dataset *set, const char *path, const char *reason, vlm_error *err);

/* Reads the arrays of a folder's .npy files, an .npz archive or one .npy file, whole, under the names of the graph's inputs, sorted. */
vlm_status vlm_dataset_read_source(vlm_sample_arrays *out, const vlm_dataset *set, const char *path,
                                   vlm_error *err);

#endif
