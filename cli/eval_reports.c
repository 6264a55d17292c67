/* --junit and --markdown: the verdict in the forms that CI shows. */
#include <string.h>

#include "cli/eval.h"

enum { SHOWN = 20 }; /* regressions of a summary; all are in the JSON */

/* ---- XML ---- */

/* Escaped for an attribute or a text; what XML 1.0 cannot hold becomes '?'. */
static vlm_status add_xml(vlm_text *out, const char *text, vlm_error *err) {
  vlm_status st = VLM_OK;
  for (; *text; text++) {
    const unsigned char c = (unsigned char)*text;
    const char *name = c == '<'   ? "&lt;"
                       : c == '>' ? "&gt;"
                       : c == '&' ? "&amp;"
                       : c == '"' ? "&quot;"
                                  : NULL;
    if (name) VLM_TRY(vlm_text_print(out, err, "%s", name));
    else if (c < ' ' || c == 127) VLM_TRY(vlm_text_append(out, c == '\t' || c == '\n' ? " " : "?", 1, err));
    else VLM_TRY(vlm_text_append(out, text, 1, err));
  }
out:
  return st;
}

static vlm_status add_case(vlm_text *out, const vlm_check *c, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_text text = {0};
  VLM_TRY(vlm_check_text(&text, c, err));
  VLM_TRY(vlm_text_print(out, err, "  <testcase classname=\"vlm-eval\" name=\"%s", c->metric));
  if (c->of) VLM_TRY(vlm_text_print(out, err, " of "));
  if (c->of) VLM_TRY(add_xml(out, c->of, err));
  VLM_TRY(vlm_text_print(out, err, "\">"));
  if (c->verdict != VLM_VERDICT_PASS) {
    VLM_TRY(vlm_text_print(out, err, "<failure type=\"%s\" message=\"", vlm_verdict_text(c->verdict)));
    VLM_TRY(add_xml(out, vlm_text_get(&text), err));
    VLM_TRY(vlm_text_print(out, err, "\"/>"));
  } else {
    VLM_TRY(vlm_text_print(out, err, "<system-out>"));
    VLM_TRY(add_xml(out, vlm_text_get(&text), err));
    VLM_TRY(vlm_text_print(out, err, "</system-out>"));
  }
  VLM_TRY(vlm_text_print(out, err, "</testcase>\n"));
out:
  vlm_text_free(&text);
  return st;
}

/* Without a budget there is one case, which is skipped: nothing was asked. */
static vlm_status junit(vlm_text *out, const vlm_eval_job *j, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_checks *all = &j->result.checks;
  int32_t failed = 0;
  for (int32_t i = 0; i < all->count; i++) failed += all->items[i].verdict != VLM_VERDICT_PASS;
  VLM_TRY(vlm_text_print(out, err, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n"));
  VLM_TRY(vlm_text_print(
      out, err, "<testsuite name=\"vlm-eval\" tests=\"%d\" failures=\"%d\" errors=\"0\" skipped=\"%d\">\n",
      all->count ? all->count : 1, failed, all->count == 0));
  for (int32_t i = 0; i < all->count; i++) VLM_TRY(add_case(out, &all->items[i], err));
  if (!all->count)
    VLM_TRY(vlm_text_print(out, err,
                           "  <testcase classname=\"vlm-eval\" name=\"budget\"><skipped message=\"no budget "
                           "set\"/></testcase>\n"));
  VLM_TRY(vlm_text_print(out, err, "</testsuite>\n</testsuites>"));
out:
  return st;
}

/* ---- Markdown ---- */

/* Text of a file in a table cell: no markup, no new cell, no new line. */
static vlm_status add_cell(vlm_text *out, const char *text, vlm_error *err) {
  vlm_status st = VLM_OK;
  for (; text && *text; text++) {
    if (strchr("<&", *text)) VLM_TRY(vlm_text_print(out, err, *text == '<' ? "&lt;" : "&amp;"));
    else if ((unsigned char)*text < ' ' || *text == 127) VLM_TRY(vlm_text_append(out, " ", 1, err));
    else if (strchr("|\\`*_[]#!~@", *text)) VLM_TRY(vlm_text_print(out, err, "\\%c", *text));
    else VLM_TRY(vlm_text_append(out, text, 1, err));
  }
out:
  return st;
}

static vlm_status checks_table(vlm_text *out, const vlm_checks *checks, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_text text = {0};
  if (checks->count) VLM_TRY(vlm_text_print(out, err, "| result | figure and budget |\n|---|---|\n"));
  for (int32_t i = 0; i < checks->count; i++) {
    vlm_text_clear(&text);
    VLM_TRY(vlm_check_text(&text, &checks->items[i], err));
    VLM_TRY(vlm_text_print(out, err, "| %s | ", vlm_verdict_text(checks->items[i].verdict)));
    VLM_TRY(add_cell(out, vlm_text_get(&text), err));
    VLM_TRY(vlm_text_print(out, err, " |\n"));
  }
out:
  vlm_text_free(&text);
  return st;
}

static vlm_status figure(vlm_text *out, const char *name, const double values[2], bool compared,
                         vlm_error *err) {
  vlm_status st = VLM_OK;
  VLM_TRY(vlm_text_print(out, err, "| %s | %.4g |", name, values[0]));
  if (compared) VLM_TRY(vlm_text_print(out, err, " %.4g |", values[1]));
  VLM_TRY(vlm_text_print(out, err, "\n"));
out:
  return st;
}

#define FIGURE(name, a, b) VLM_TRY(figure(out, name, (const double[]){a, b}, e->compared, err))

static vlm_status answer_figures(vlm_text *out, const vlm_flow_evaluation *e, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_evaluation *a = &e->answers;
  for (int32_t i = 0; a->scored && i < a->n_prompts; i++) {
    const vlm_prompt_scores *p = &a->prompts[i];
    if (a->n_prompts > 1) VLM_TRY(vlm_text_print(out, err, "| **prompt %d: ", i + 1));
    if (a->n_prompts > 1) VLM_TRY(add_cell(out, p->prompt, err));
    if (a->n_prompts > 1) VLM_TRY(vlm_text_print(out, err, "** | |%s\n", e->compared ? " |" : ""));
    FIGURE("CIDEr-D", p->scores[0].cider_d, p->scores[1].cider_d);
    FIGURE("BLEU-4", p->scores[0].bleu[3], p->scores[1].bleu[3]);
    FIGURE("ROUGE-L", p->scores[0].rouge_l, p->scores[1].rouge_l);
  }
  if (e->compared)
    VLM_TRY(vlm_text_print(out, err, "| captions unchanged, %% | | %.4g |\n",
                           vlm_agreement_exact_percent(&a->agreement)));
out:
  return st;
}

static vlm_status output_figures(vlm_text *out, const vlm_flow_evaluation *e, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_graph_eval *g = &e->outputs;
  if (g->accuracy.measured) FIGURE("top-1 accuracy, %", g->accuracy.top1[0], g->accuracy.top1[1]);
  if (g->accuracy.measured) FIGURE("top-5 accuracy, %", g->accuracy.top5[0], g->accuracy.top5[1]);
  for (int32_t i = 0; e->compared && i < g->n_outputs; i++) {
    const vlm_output_match *m = &g->outputs[i];
    VLM_TRY(vlm_text_print(out, err, "| "));
    VLM_TRY(add_cell(out, g->names[i], err));
    if (vlm_output_match_counts(m))
      VLM_TRY(vlm_text_print(out, err, ", agreement %% | | %.4g |\n", vlm_output_match_percent(m)));
    else VLM_TRY(vlm_text_print(out, err, ", dB | | %.4g |\n", vlm_sqnr_db(&m->sqnr)));
  }
out:
  return st;
}

static vlm_status figures(vlm_text *out, const vlm_eval_job *j, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_flow_evaluation *e = &j->result;
  /* the samples are sorted by now: percentiles are read off */
  const vlm_samples *ms[2] = {e->graph ? &e->outputs.reference_ms : &e->answers.reference.total_ms,
                              e->graph ? &e->outputs.candidate_ms : &e->answers.candidate.total_ms};
  VLM_TRY(vlm_text_print(out, err, "\n| | reference |%s\n|---|---|%s\n", e->compared ? " candidate |" : "",
                         e->compared ? "---|" : ""));
  VLM_TRY((e->graph ? output_figures : answer_figures)(out, e, err));
  FIGURE("median, ms", vlm_percentile(ms[0]->values, ms[0]->count, 50),
         vlm_percentile(ms[1]->values, ms[1]->count, 50));
  FIGURE("size, MB", (double)e->size_bytes[0] / 1e6, (double)e->size_bytes[1] / 1e6);
out:
  return st;
}

static vlm_status regressions(vlm_text *out, const vlm_regressions *r, vlm_error *err) {
  vlm_status st = VLM_OK;
  VLM_TRY(vlm_text_print(out, err, "\nSince the baseline: %lld of %lld worse, %lld better.\n",
                         (long long)r->count, (long long)r->samples, (long long)r->better));
  if (r->count)
    VLM_TRY(vlm_text_print(
        out, err,
        "\n| sample | %s before | after | caption before | caption after |\n|---|---|---|---|---|\n",
        r->metric));
  for (int64_t i = 0; i < r->count && i < SHOWN; i++) {
    const vlm_regression *item = &r->items[i];
    VLM_TRY(vlm_text_print(out, err, "| "));
    VLM_TRY(add_cell(out, item->key, err));
    VLM_TRY(vlm_text_print(out, err, " | %.4g | %.4g | ", item->figures[0], item->figures[1]));
    VLM_TRY(add_cell(out, item->before, err));
    VLM_TRY(vlm_text_print(out, err, " | "));
    VLM_TRY(add_cell(out, item->after, err));
    VLM_TRY(vlm_text_print(out, err, " |\n"));
  }
  if (r->count > SHOWN)
    VLM_TRY(vlm_text_print(out, err, "\nand %lld more.\n", (long long)(r->count - SHOWN)));
out:
  return st;
}

static vlm_status markdown(vlm_text *out, const vlm_eval_job *j, vlm_error *err) {
  vlm_status st = VLM_OK;
  VLM_TRY(vlm_text_print(out, err, "### vlm-eval: %s\n\n", vlm_verdict_text(j->result.verdict)));
  for (int k = 0; k < VLM_EVAL_MODELS; k++) {
    if (!j->paths[k]) continue;
    VLM_TRY(vlm_text_print(out, err, "%s",
                           k == VLM_EVAL_REFERENCE   ? ""
                           : k == VLM_EVAL_CANDIDATE ? " against "
                                                     : ", baseline "));
    VLM_TRY(add_cell(out, j->paths[k], err));
  }
  VLM_TRY(vlm_text_print(out, err, ", %zu samples\n\n", vlm_dataset_count(j->set)));
  VLM_TRY(checks_table(out, &j->result.checks, err));
  VLM_TRY(figures(out, j, err));
  if (j->watched) VLM_TRY(regressions(out, &j->regressions, err));
out:
  return st;
}

/* ---- */

typedef vlm_status make_text(vlm_text *out, const vlm_eval_job *j, vlm_error *err);

static vlm_status write_report(const char *path, make_text *make, const vlm_eval_job *j, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_text text = {0};
  if (!path) return VLM_OK;
  VLM_TRY(make(&text, j, err));
  VLM_TRY(vlm_write_text(path, vlm_text_get(&text), err));
out:
  vlm_text_free(&text);
  return st;
}

vlm_status vlm_eval_reports(const vlm_eval_job *job, vlm_error *err) {
  vlm_status st = VLM_OK;
  VLM_TRY(write_report(job->cli->args->junit, junit, job, err));
  VLM_TRY(write_report(job->cli->args->markdown, markdown, job, err));
out:
  return st;
}
