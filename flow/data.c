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

/* As the processor's class takes transparency. */
static vlm_status wants_white(bool *out, const vlm_bundle *bundle, vlm_error *err) {
  vlm_preprocess ops;
  bool stated = false;
  vlm_status st = vlm_bundle_preprocess(&ops, &stated, bundle, err);
  *out = st == VLM_OK && stated && vlm_preprocess_on_white(&ops);
  return st;
}

static void tell_skips(const vlm_dataset *set, const vlm_flow_data_opts *opts) {
  size_t count;
  const vlm_skip *skips = vlm_dataset_skips(set, &count);
  for (size_t i = 0; opts->skipped && i < count; i++)
    opts->skipped(opts->user, skips[i].path, skips[i].reason);
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
                          .image = opts->image,
                          .sample_axis = opts->sample_axis};
  *out = NULL;
  if (!g) VLM_TRY(wants_white(&set.image.on_white, bundle, err));
  if (g) {
    VLM_TRY(list_inputs(&names, g, err));
    set.inputs = names;
    set.input_count = (size_t)g->n_inputs;
  }
  VLM_TRY(
      (g ? vlm_dataset_open_inputs : vlm_dataset_open_images)(out, opts->paths, opts->n_paths, &set, err));
  st = vlm_dataset_check(*out, opts->skip_bad, err);
  tell_skips(*out, opts);
out:
  if (st != VLM_OK) {
    vlm_dataset_free(*out);
    *out = NULL;
  }
  vlm_free(names); /* the set has copies */
  return st;
}

vlm_status vlm_flow_data_kept(vlm_dataset **out, const vlm_bundle *bundle, const struct vlm_kept_list *list,
                              bool as_stored, vlm_error *err) {
  vlm_dataset_opts set = {.image = {.as_stored = as_stored}};
  vlm_status st = wants_white(&set.image.on_white, bundle, err);
  *out = NULL;
  return st == VLM_OK ? vlm_dataset_open_kept(out, list, &set, err) : st;
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
