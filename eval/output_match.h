/* How closely one output of a candidate graph follows the reference's, whatever the output holds. Starts zeroed. */
#ifndef VLM_EVAL_OUTPUT_MATCH_H
#define VLM_EVAL_OUTPUT_MATCH_H

#include "eval/agreement.h"
#include "runtime/graph/graph.h"

/* What is one item of an integer output. */
typedef enum vlm_item_form {
  VLM_ITEM_ELEMENT, /* an element, within its row */
  VLM_ITEM_ROW,     /* a row along the last axis: (batch, class, box) of NonMaxSuppression */
  VLM_ITEM_COLUMN   /* a column: the coordinates of NonZero */
} vlm_item_form;

typedef struct vlm_output_match {
  bool
      selected; /* data decides what is there and in which order: items are looked for, not compared in place */
  bool integers; /* integers and bools: equal or not; else floats */
  vlm_item_form form;
  vlm_sqnr sqnr;   /* of floats; of a selected output the rows that are found again */
  int64_t items;   /* of both sides, those in common once; floats: rows along the last axis */
  int64_t matched; /* those found on both sides: equal, floats with 20 dB or more */
} vlm_output_match;

/* From the operators that lead to output `index` of the graph. */
vlm_status vlm_output_match_begin(vlm_output_match *match, const vlm_graph *graph, int32_t index,
                                  vlm_error *err);
/* One sample. Different shapes make the output a selected one. VLM_INPUT when the types differ. */
vlm_status vlm_output_match_add(vlm_output_match *match, const vlm_tensor *reference,
                                const vlm_tensor *candidate, vlm_error *err);
/* Whether agreement judges the output, or signal to error alone. */
bool vlm_output_match_counts(const vlm_output_match *match);
/* Percent of the items that are matched; 100 when there are none on either side. */
double vlm_output_match_percent(const vlm_output_match *match);

#endif
