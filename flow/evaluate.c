#include "flow/evaluate.h"

#include "flow/costs.h"
#include "flow/data.h"
#include "flow/open.h"
#include "runtime/base/memory.h"

static bool is_graph(const vlm_bundle *bundle) { return bundle->family == VLM_FAMILY_GRAPH; }

vlm_status vlm_flow_evaluate_check(const vlm_bundle *reference, const vlm_bundle *candidate, vlm_error *err) {
  if (!candidate || is_graph(reference) == is_graph(candidate)) return VLM_OK;
  return vlm_fail(err, VLM_INPUT, "%s and %s are not the same kind of model", reference->source,
                  candidate->source);
}

/* References for some images only would score nothing, and a budget on nothing would pass. */
static vlm_status check_references(const vlm_dataset *set, const vlm_budget *budget, vlm_error *err) {
  size_t count = vlm_dataset_count(set), with = 0;
  const char *without = NULL;
  for (size_t i = 0; i < count; i++) {
    const vlm_sample *s = vlm_dataset_get(set, i);
    if (s->ref_count) with++;
    else if (!without) without = s->key;
  }
  if (with && without)
    return vlm_fail(
        err, VLM_INPUT,
        "image \"%s\" has no reference captions, %zu of %zu images have; add its \"refs\" or --refs "
        "CAPTIONS.json",
        without, with, count);
  if (!with && budget->max_drop_percent.set)
    return vlm_fail(err, VLM_USAGE, "--max-drop needs captions to score against: add --refs CAPTIONS.json");
  return VLM_OK;
}

typedef struct {
  const vlm_flow_evaluate_opts *opts;
  vlm_watch watch;
} evaluating;

static vlm_status on_step(void *user, int64_t done, int64_t total, vlm_error *err) {
  evaluating *run = user;
  return vlm_watch_step(&run->watch, done, total, err);
}

static vlm_status on_answer(void *user, const vlm_eval_item *item, vlm_error *err) {
  const vlm_flow_evaluate_opts *o = ((evaluating *)user)->opts;
  return o->on_answer ? o->on_answer(o->user, item, err) : VLM_OK;
}

static vlm_status on_output(void *user, const vlm_graph_item *item, vlm_error *err) {
  const vlm_flow_evaluate_opts *o = ((evaluating *)user)->opts;
  return o->on_output ? o->on_output(o->user, item, err) : VLM_OK;
}

static vlm_status evaluate_answers(vlm_flow_evaluation *out, vlm_context *context,
                                   const vlm_bundle *reference, const vlm_bundle *candidate,
                                   const vlm_dataset *set, const vlm_flow_evaluate_opts *opts,
                                   vlm_error *err) {
  vlm_status st = VLM_OK;
  evaluating user = {.opts = opts, .watch = opts->watch};
  vlm_prompts prompts = {0};
  VLM_TRY(vlm_prompts_choose(&prompts, reference, set, opts->prompts, opts->n_prompts, err));
  VLM_TRY(check_references(set, &opts->budget, err));
  const vlm_eval_opts run = {.prompts = prompts.items,
                             .n_prompts = prompts.count,
                             .max_new_tokens = opts->max_new_tokens,
                             .beams = opts->beams,
                             .bootstrap = opts->bootstrap,
                             .owns_constants = opts->owns_constants,
                             .skip_bad = opts->skip_bad,
                             .skipped = opts->skipped,
                             .skipped_user = opts->skipped_user,
                             .between = on_step,
                             .on_item = on_answer,
                             .user = &user};
  VLM_TRY(vlm_evaluate(&out->answers, context, reference, candidate, set, &run, err));
  VLM_TRY(vlm_judge_answers(&out->verdict, &out->checks, &out->answers, &opts->budget, err));
out:
  vlm_free(prompts.own);
  return st;
}

static vlm_status evaluate_outputs(vlm_flow_evaluation *out, vlm_context *context,
                                   const vlm_bundle *reference, const vlm_bundle *candidate,
                                   const vlm_dataset *set, const vlm_flow_evaluate_opts *opts,
                                   vlm_error *err) {
  evaluating user = {.opts = opts, .watch = opts->watch};
  const vlm_graph_eval_opts run = {.between = on_step,
                                   .on_item = on_output,
                                   .user = &user,
                                   .labels = opts->labels,
                                   .bootstrap = opts->bootstrap,
                                   .owns_constants = opts->owns_constants};
  const vlm_graph *other = candidate ? candidate->graphs[VLM_ROLE_MODEL] : NULL;
  vlm_status st =
      vlm_graph_evaluate(&out->outputs, context, reference->graphs[VLM_ROLE_MODEL], other, set, &run, err);
  if (st != VLM_OK) return st;
  return vlm_judge_outputs(&out->verdict, &out->checks, &out->outputs, &opts->budget, err);
}

vlm_status vlm_flow_evaluate(vlm_flow_evaluation *out, vlm_context *context, const vlm_bundle *reference,
                             const vlm_bundle *candidate, const vlm_dataset *set,
                             const vlm_flow_evaluate_opts *opts, vlm_error *err) {
  static const vlm_flow_evaluate_opts DEFAULTS = {.n_prompts = 0};
  vlm_status st = VLM_OK;
  if (!opts) opts = &DEFAULTS;
  *out = (vlm_flow_evaluation){.graph = is_graph(reference), .compared = candidate != NULL};
  VLM_TRY(vlm_flow_evaluate_check(reference, candidate, err));
  VLM_TRY(vlm_flow_size_bytes(&out->size_bytes[0], reference, err));
  if (candidate) VLM_TRY(vlm_flow_size_bytes(&out->size_bytes[1], candidate, err));
  if (candidate) VLM_TRY(vlm_costs_share(&out->macs, context, candidate, err));
  VLM_TRY(
      (out->graph ? evaluate_outputs : evaluate_answers)(out, context, reference, candidate, set, opts, err));
out:
  if (st != VLM_OK) vlm_flow_evaluation_free(out);
  return st;
}

void vlm_flow_evaluation_free(vlm_flow_evaluation *e) {
  if (e->answers.arena) vlm_evaluation_free(&e->answers);
  vlm_graph_eval_free(&e->outputs);
  vlm_checks_free(&e->checks);
  *e = (vlm_flow_evaluation){.graph = false};
}
