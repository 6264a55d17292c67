/* The task layer of Florence-2: task names to prompts, and generated text to labels, boxes, quadrilaterals and polygons.
 *
 * Locations are tokens <loc_k>, k in 0 .. 999: the middle of bin k, (k + 0.5) * size / 1000 pixels, x of the width and y of the height,
 * alternating. Coordinates stay fractions of pixels (the port in transformers cuts them to whole ones). */
#ifndef VLM_DECODE_TASKS_H
#define VLM_DECODE_TASKS_H

#include "runtime/base/memory.h"
#include "runtime/text/tokenizer.h"

typedef enum vlm_answer_kind {
  VLM_ANSWER_TEXT,               /* the text alone */
  VLM_ANSWER_OCR,                /* label, 8 locations: quadrilaterals */
  VLM_ANSWER_DESCRIBED_BOXES,    /* label, then 4 locations per box, as many boxes as there are */
  VLM_ANSWER_BOXES,              /* boxes; labels are empty */
  VLM_ANSWER_PHRASES,            /* as DESCRIBED_BOXES, pronouns and the like left out */
  VLM_ANSWER_POLYGONS,           /* polygons; labels may be empty */
  VLM_ANSWER_DESCRIBED_POLYGONS, /* label, then polygons */
  VLM_ANSWER_BOXES_OR_POLYGONS   /* DESCRIBED_POLYGONS when <poly> occurs, else DESCRIBED_BOXES */
} vlm_answer_kind;

typedef struct vlm_task {
  const char *name;   /* "<OD>" */
  const char *prompt; /* may hold {input} */
  vlm_answer_kind kind;
} vlm_task;

const vlm_task *vlm_task_table(size_t *count);
/* The task named in a prompt, or NULL. */
const vlm_task *vlm_task_find(const char *prompt);
/* Appends the text to send: "<OPEN_VOCABULARY_DETECTION>a car" -> "Locate a car in the image."; a prompt that names no task as it is.
 * VLM_USAGE when a task without input comes with one. */
vlm_status vlm_task_prompt(vlm_text *text, const char *prompt, vlm_error *err);
/* Appends a box in pixels as four location tokens, the input of the <REGION_TO_…> tasks. */
vlm_status vlm_task_region(vlm_text *text, const double box[4], int64_t width, int64_t height,
                           vlm_error *err);

typedef enum vlm_shape { VLM_SHAPE_BOX, VLM_SHAPE_QUAD, VLM_SHAPE_POLYGON } vlm_shape;

typedef struct vlm_object {
  const char *label; /* "" = none */
  vlm_shape shape;
  int32_t instance; /* polygons of one thing share a number; every other object has its own */
  size_t
      n_values; /* 4 for a box (left, top, right, bottom), 8 for a quadrilateral (4 points), 2 per polygon point */
  const double *values;
} vlm_object;

typedef struct vlm_objects {
  vlm_arena *arena; /* owns everything */
  const char *text; /* the answer without <s>, </s>, <pad>, stripped; location tokens are still in it */
  vlm_object *items;
  size_t count, room;
} vlm_objects;

/* `answer`: generated text with special tokens kept. Malformed parts are left out. Free with vlm_objects_free, also after a failure. */
vlm_status vlm_task_parse(vlm_objects *out, vlm_answer_kind kind, const char *answer, int64_t width,
                          int64_t height, vlm_error *err);
/* The same from generated ids. */
vlm_status vlm_task_parse_ids(vlm_objects *out, vlm_answer_kind kind, const vlm_tokenizer *tokenizer,
                              const int32_t *ids, size_t n, int64_t width, int64_t height, vlm_error *err);
void vlm_objects_free(vlm_objects *objects);

#endif
