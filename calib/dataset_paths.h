/* Internal to data sets: one argument of --images or --inputs becomes samples. */
#ifndef VLM_CALIB_DATASET_PATHS_H
#define VLM_CALIB_DATASET_PATHS_H

#include "calib/dataset_set.h"

vlm_status vlm_dataset_add_image_path(vlm_dataset *set, const char *path, vlm_error *err);
vlm_status vlm_dataset_add_input_path(vlm_dataset *set, const char *path, vlm_error *err);

#endif
