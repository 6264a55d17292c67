/* What vlm-quantize says of the plans that it tried for a budget. */
#include <stdio.h>

#include "cli/inspect.h"
#include "cli/quantize.h"

void vlm_quantize_print_search(const vlm_quantize_job *j) {
  const vlm_plan_search_result *s = j->result->search;
  if (!s) return;
  vlm_say(j->cli, "budget: %s after %d evaluations of %lld samples%s", s->met ? "kept" : "not kept", s->count,
          (long long)j->result->search_samples,
          j->result->held_out ? " that no range knows" : ", which were calibrated with");
  vlm_say(j->cli, "  %8s %10s %9s %8s %9s %9s %11s", "loss", "unchanged", "KL/token", "worst", "MACs int8",
          "ms", "weights");
  for (int32_t i = 0; i < s->count; i++) {
    const vlm_plan_search_point *p = &s->points[i];
    char loss[32] = "-"; /* of a target in dB, which stands beside it */
    if (VLM_OPTION_GIVEN(j->cli->args, max_drop)) snprintf(loss, sizeof loss, "%.2f %%", p->loss);
    vlm_say(j->cli, "%s %8s %8.1f %% %9.2e %5.1f dB %7.1f %% %9.1f %11s  %s", p->chosen ? ">" : " ", loss,
            p->unchanged, p->kl, p->db, p->macs_percent, p->ms, vlm_show_bytes((double)p->bytes).text,
            p->what);
  }
}

void vlm_quantize_put_search(const vlm_quantize_job *j, vlm_json_writer *w) {
  const vlm_plan_search_result *s = j->result->search;
  if (!s) return;
  vlm_json_open_object(w, "budget");
  vlm_json_put_bool(w, "kept", s->met);
  vlm_json_put_int(w, "samples", j->result->search_samples);
  vlm_json_open_array(w, "plans");
  for (int32_t i = 0; i < s->count; i++) {
    const vlm_plan_search_point *p = &s->points[i];
    vlm_json_open_object(w, NULL);
    vlm_json_put_text(w, "what", p->what);
    vlm_json_put_bool(w, "chosen", p->chosen);
    vlm_json_put_double(w, "loss", p->loss);
    vlm_json_put_double(w, "captions_unchanged_percent", p->unchanged);
    vlm_json_put_double(w, "kl_per_token", p->kl);
    vlm_json_put_double(w, "worst_sqnr_db", p->db);
    vlm_json_put_double(w, "macs_int8_percent", p->macs_percent);
    vlm_json_put_double(w, "latency_ms", p->ms);
    vlm_json_put_int(w, "weight_bytes", p->bytes);
    vlm_json_close_object(w);
  }
  vlm_json_close_array(w);
  vlm_json_close_object(w);
}
