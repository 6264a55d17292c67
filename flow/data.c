#include "flow/data.h"

#include "runtime/base/memory.h"
#include "runtime/bundle/bundle_texts.h"

static vlm_status list_inputs(vlm_dataset_input **out, const vlm_graph *g, vlm_error *err) {
  const vlm_status st = vlm_new(out, g->n_inputs, err);
  for (int32_t i = 0; st == VLM_OK && i < g->n_inputs; i++) {
    const vlm_value *v = &g->values[g->inputs[i]];
    (*out)[i] = (vlm_dataset_input){.name = v->name, .rank = v->tensor.rank, .dtype = v->tensor.dtype};
  }
  return st;
}

vlm_status vlm_flow_data(vlm_dataset **out, const vlm_bundle *bundle, const vlm_flow_data_opts *opts,
                         vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_dataset_input *names = NULL;
  const vlm_graph *g = bundle->family == VLM_FAMILY_GRAPH ? bundle->graphs[VLM_ROLE_MODEL] : NULL;
  vlm_dataset_opts set = {.limit = opts->limit,
                          .shard = opts->shard,
                          .shards = opts->shards,
                          .refs = opts->captions,
                          .sample_axis = opts->sample_axis};
  if (g) {
    VLM_TRY(list_inputs(&names, g, err));
    set.inputs = names;
    set.input_count = (size_t)g->n_inputs;
  }
  VLM_TRY(
      (g ? vlm_dataset_open_inputs : vlm_dataset_open_images)(out, opts->paths, opts->n_paths, &set, err));
out:
  vlm_free(names); /* the set has copies */
  return st;
}

static vlm_status check_own_prompts(const vlm_dataset *set, int32_t given, vlm_error *err) {
  for (size_t i = 0; set && given > 1 && i < vlm_dataset_count(set); i++)
    if (vlm_dataset_get(set, i)->prompt)
      return vlm_fail(err, VLM_USAGE,
                      "--prompt is given %d times, but image \"%s\" has its own prompt in the manifest: "
                      "give one at most",
                      given, vlm_dataset_get(set, i)->key);
  return VLM_OK;
}

vlm_status vlm_prompts_choose(vlm_prompts *out, const vlm_bundle *bundle, const vlm_dataset *set,
                              const char *const *given, int32_t n_given, vlm_error *err) {
  vlm_status st = VLM_OK;
  *out = (vlm_prompts){.items = given, .count = n_given};
  if (n_given) return check_own_prompts(set, n_given, err);
  if (bundle->family != VLM_FAMILY_GRAPH) VLM_TRY(vlm_bundle_default_prompt(&out->own, bundle, err));
  if (!out->own || !*out->own) {
    vlm_free(out->own);
    VLM_TRY(vlm_strdup(&out->own, "<CAPTION>", err));
  }
  out->items = (const char *const *)&out->own;
  out->count = 1;
out:
  return st;
}
