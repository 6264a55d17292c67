/* How far the rows of an activation reach: what a range per row would gain over one range for all. */
#ifndef VLM_CALIB_ROWS_H
#define VLM_CALIB_ROWS_H

#include "calib/stats.h"

/* Counts the rows (last dim) of a float32 tensor by their extent, which contains zero; rows of zeros are left
 * out, and rows with elements that are not finite. Counts are integers: any order gives the same. */
void vlm_rows_add(vlm_tensor_stats *stats, const vlm_tensor *tensor);
/* The extent that `share` of the rows (0 to 1) do not reach, to half an octave from above; 0 = no rows. */
double vlm_rows_extent(const vlm_tensor_stats *stats, double share);

#endif
