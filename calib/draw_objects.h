/* Objects of an answer on their image: what vlm-run --draw shows.
 *
 * - Outlines first, labels on top of them, above the top left corner where there is room; a label moves down rather than cover another.
 * - The same label has the same colour in every picture: its hash picks from the table of draw.h. Where two labels of one picture pick the
 *   same, the later one takes the next free colour. Objects without label are told apart by their instance.
 * - Coordinates are in pixels with (0, 0) at the corner of the top left pixel, as runtime/decode/tasks.h gives them. */
#ifndef VLM_CALIB_DRAW_OBJECTS_H
#define VLM_CALIB_DRAW_OBJECTS_H

#include "calib/draw.h"
#include "runtime/decode/tasks.h"

vlm_status vlm_draw_objects(vlm_image *image, const vlm_objects *objects, vlm_error *err);

#endif
