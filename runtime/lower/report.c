#include "runtime/lower/lower_private.h"

vlm_status vlm_report_add(vlm_lowering *l, int32_t n, vlm_form form) {
  vlm_status st = VLM_OK;
  vlm_lower_report *r = l->report;
  if (!r) return VLM_OK;
  if (r->count == r->capacity) {
    int32_t more = r->capacity ? 2 * r->capacity : 64;
    VLM_TRY(vlm_more(&r->items, r->capacity, more, l->err));
    r->capacity = more;
  }
  r->items[r->count++] = (vlm_lowered){l->graph, l->graph->nodes[n].name, form};
out:
  return st;
}

int32_t vlm_lower_report_forms(const vlm_lower_report *report, vlm_form form) {
  int32_t found = 0;
  for (int32_t i = 0; i < report->count; i++) found += report->items[i].form == form;
  return found;
}

void vlm_lower_report_free(vlm_lower_report *report) {
  vlm_free(report->items);
  *report = (vlm_lower_report){0};
}
