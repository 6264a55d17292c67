#include "calib/calibrate.h"

#include <string.h>

#include "calib/accumulate.h"
#include "calib/graph_inputs.h"
#include "calib/kept.h"
#include "calib/rows.h"
#include "calib/shapes.h"
#include "calib/taps.h"
#include "runtime/kernels/kernels.h"
#include "runtime/bundle/binding.h"
#include "runtime/bundle/bundle_texts.h"
#include "runtime/decode/answer.h"

typedef struct {
  vlm_stats *stats;
  vlm_context *context;
  const vlm_bundle *bundle;
  const vlm_dataset *set;
  const vlm_calibrate_opts *opts;
  vlm_calibrate_report *report;
  vlm_model *model;           /* pipelines */
  vlm_session *session;       /* single graphs */
  vlm_digest content, sample; /* of the one that runs now: itself; with its prompt */
  double holdout;             /* percent */
  vlm_stats *met;             /* samples of this run, without tensors */
  vlm_taps *taps;
} calibration;

/* ---- taps ---- */

static bool wants(void *user, const vlm_graph *graph, vlm_value_id value) {
  const calibration *c = user;
  return vlm_taps_wants(c->taps, graph, value);
}

/* Where the rows of a sequence come from: the encoder sees image tokens, then the prompt; the decoder what was generated. */
static vlm_token_layout layout_of(const calibration *c, int role, const vlm_tensor *t) {
  vlm_token_layout layout = {.rest = role == VLM_ROLE_VISION ? VLM_TOKEN_IMAGE : VLM_TOKEN_GENERATED};
  vlm_session *vision = c->model ? vlm_model_session(c->model, VLM_ROLE_VISION) : NULL;
  if (role != VLM_ROLE_ENCODER || !vision || t->rank != 3) return layout;
  layout.image = vlm_session_output(vision, 0)->dims[1];
  layout.prompt = t->dims[1] - layout.image;
  return layout.prompt > 0 ? layout : (vlm_token_layout){.rest = VLM_TOKEN_IMAGE};
}

static vlm_status observe(void *user, const vlm_graph *graph, vlm_value_id value, const vlm_tensor *tensor,
                          vlm_error *err) {
  calibration *c = user;
  vlm_tap_place *place = vlm_taps_find(c->taps, graph, value);
  bool floats = tensor->dtype == VLM_F32 || (vlm_dtype_is_float(tensor->dtype) && place->multiplied);
  if (!floats) return VLM_OK;
  if (!place->entry) {
    vlm_status st = vlm_stats_entry(&place->entry, c->stats, place->path, graph->values[value].name, err);
    if (st != VLM_OK) return st;
    c->report->tensors[place->role]++;
  }
  const vlm_token_layout layout = layout_of(c, place->role, tensor);
  if (place->by_row) vlm_rows_add(place->entry, tensor);
  return vlm_accumulate(place->entry, tensor, c->opts->detail ? &layout : NULL, c->sample,
                        vlm_context_threads(c->context), err);
}

/* ---- samples ---- */

vlm_status vlm_calibrate_digest(vlm_digest *out, vlm_digest content, const char *prompt, vlm_error *err) {
  vlm_hasher *h = NULL;
  vlm_status st = VLM_OK;
  VLM_TRY(vlm_hasher_create(&h, err));
  vlm_hasher_add(h, &content, sizeof content);
  vlm_hasher_add_text(h, prompt);
  *out = vlm_hasher_digest(h);
out:
  vlm_hasher_free(h);
  return st;
}

static vlm_status teacher_ids(calibration *c, const vlm_sample *s, vlm_ids *ids, vlm_error *err) {
  if (!c->opts->teacher) return VLM_OK;
  if (s->ref_count == 0) return vlm_fail(err, VLM_INPUT, "%s: has no caption to follow", s->key);
  return vlm_tokenizer_encode(vlm_model_tokenizer(c->model), s->refs[0], strlen(s->refs[0]), true, ids, err);
}

static vlm_status run_image(calibration *c, const vlm_sample_pixels *pixels, size_t i, const char *prompt,
                            vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_answer answer = {0};
  vlm_ids forced = {0};
  const vlm_sample *s = vlm_dataset_get(c->set, i);
  vlm_answer_opts opts = {.max_new_tokens = c->opts->max_new_tokens, .beams = 1};
  VLM_TRY(teacher_ids(c, s, &forced, err));
  opts.forced = forced.data;
  opts.n_forced = forced.count;
  VLM_TRY(vlm_sample_answer(c->model, pixels, prompt, &opts, &answer, err));
  for (int r = 0; r < VLM_ROLE_COUNT; r++) c->report->runs[r] += c->bundle->graphs[r] != NULL;
  c->report->runs[VLM_ROLE_DECODER_STEP] += answer.steps - 1;
out:
  vlm_ids_free(&forced);
  vlm_answer_free(&answer);
  return st;
}

static vlm_status see_shapes(calibration *c, const vlm_graph *g, const vlm_tensor *inputs, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_input_shape *run = NULL;
  VLM_TRY(vlm_new(&run, g->n_inputs, err));
  for (int32_t i = 0; i < g->n_inputs; i++) {
    run[i] = (vlm_input_shape){
        .graph = vlm_role_name(VLM_ROLE_MODEL), .name = g->values[g->inputs[i]].name, .rank = inputs[i].rank};
    memcpy(run[i].dims, inputs[i].dims, (size_t)inputs[i].rank * sizeof *run[i].dims);
  }
  st = vlm_shape_list_see(vlm_stats_shapes(c->stats), run, g->n_inputs, err);
out:
  vlm_free(run);
  return st;
}

/* By the content alone: an image stays apart with all its prompts, and on every machine. */
static bool is_held_out(const calibration *c) { return (double)(c->content.low % 10000) < 100 * c->holdout; }

static vlm_status keep_inputs(calibration *c, const vlm_graph *g, const vlm_tensor *inputs, vlm_error *err) {
  vlm_status st = VLM_OK;
  const char **names = NULL;
  vlm_kept_sample *kept;
  vlm_kept_list *list = vlm_stats_kept(c->stats);
  if (g->n_inputs > VLM_KEPT_INPUTS || c->opts->keep_none) return VLM_OK;
  if (!vlm_kept_wants(list, c->sample, is_held_out(c), vlm_kept_bytes(inputs, g->n_inputs))) return VLM_OK;
  VLM_TRY(vlm_new(&names, g->n_inputs, err));
  for (int32_t i = 0; i < g->n_inputs; i++) names[i] = g->values[g->inputs[i]].name;
  VLM_TRY(vlm_kept_sample_make(&kept, c->sample, is_held_out(c), names, inputs, g->n_inputs, err));
  vlm_kept_add(list, kept);
out:
  vlm_free(names);
  return st;
}

/* The file of an image and its prompt; values that are no image have none. */
static vlm_status keep_image(calibration *c, size_t i, const char *prompt, vlm_error *err) {
  static const char *const NAMES[] = {VLM_KEPT_IMAGE, VLM_KEPT_PROMPT};
  vlm_status st = VLM_OK;
  vlm_tensor parts[2] = {{.data = NULL}, {.data = NULL}};
  vlm_kept_sample *kept;
  vlm_kept_list *list = vlm_stats_kept(c->stats);
  const int64_t letters = (int64_t)strlen(prompt);
  if (c->opts->keep_none) return VLM_OK;
  list->images = true;
  VLM_TRY(vlm_dataset_load_file(&parts[0], c->set, i, err));
  if (!vlm_kept_wants(list, c->sample, is_held_out(c), vlm_kept_bytes(parts, 1) + (size_t)letters)) goto out;
  parts[1] = vlm_tensor_make(VLM_U8, 1, &letters, NULL);
  VLM_TRY(vlm_alloc(&parts[1].data, (size_t)letters + 1, 1, err));
  memcpy(parts[1].data, prompt, (size_t)letters);
  VLM_TRY(vlm_kept_sample_make(&kept, c->sample, is_held_out(c), NAMES, parts, 2, err));
  vlm_kept_add(list, kept);
out:
  for (int k = 0; k < 2; k++) vlm_free(parts[k].data);
  return st;
}

static vlm_status run_arrays(calibration *c, const vlm_sample_arrays *arrays, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_tensor *inputs = NULL;
  const vlm_graph *g = c->bundle->graphs[VLM_ROLE_MODEL];
  VLM_TRY(vlm_new(&inputs, g->n_inputs, err));
  VLM_TRY(vlm_match_inputs(inputs, g, arrays->names, arrays->tensors, arrays->count, err));
  VLM_TRY(keep_inputs(c, g, inputs, err));
  if (is_held_out(c)) goto out;
  VLM_TRY(vlm_session_run(c->session, inputs, g->n_inputs, err));
  VLM_TRY(see_shapes(c, g, inputs, err));
  c->report->runs[VLM_ROLE_MODEL]++;
out:
  vlm_free(inputs);
  return st;
}

typedef struct loaded {
  vlm_sample_pixels pixels; /* of pipelines */
  vlm_sample_arrays arrays; /* of single graphs */
} loaded;

static vlm_status load(loaded *out, const calibration *c, size_t i, vlm_error *err) {
  return c->model ? vlm_dataset_load_pixels(&out->pixels, c->set, i, err)
                  : vlm_dataset_load_arrays(&out->arrays, c->set, i, err);
}

static void unload(loaded *l) {
  vlm_sample_pixels_free(&l->pixels);
  vlm_sample_arrays_free(&l->arrays);
}

static void tell_skip(const calibration *c, const vlm_sample *s, const char *reason) {
  if (c->opts->skipped) c->opts->skipped(c->opts->user, s->path, reason);
}

/* Whether it is in the statistics, from a run before or from this one. */
static vlm_status is_known(bool *known, calibration *c, const vlm_sample *s, vlm_error *err) {
  vlm_status st = VLM_OK;
  const bool twice = vlm_stats_has_sample(c->met, c->sample);
  *known = twice || vlm_stats_has_sample(c->stats, c->sample);
  c->report->duplicates += twice;
  c->report->resumed += *known && !twice;
  if (twice) tell_skip(c, s, "has the same content as a sample before it");
  else VLM_TRY(vlm_stats_add_sample(c->met, c->sample, s->key, err));
out:
  return st;
}

/* From here to its end a sample is in the statistics by half. */
static vlm_status measure(calibration *c, const loaded *l, size_t i, const char *prompt, vlm_error *err) {
  vlm_status st = VLM_OK;
  c->report->torn = true;
  const bool apart = is_held_out(c);
  if (c->model) VLM_TRY(keep_image(c, i, prompt, err));
  if (!c->model) VLM_TRY(run_arrays(c, &l->arrays, err));
  else if (!apart) VLM_TRY(run_image(c, &l->pixels, i, prompt, err));
  VLM_TRY(vlm_stats_add_sample(c->stats, c->sample, vlm_dataset_get(c->set, i)->key, err));
  if (apart) vlm_stats_hold_out(c->stats, c->sample);
  c->report->torn = false;
  *(apart ? &c->report->held_out : &c->report->samples) += 1;
out:
  return st;
}

static vlm_status run_sample(calibration *c, size_t i, const char *prompt, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_sample *s = vlm_dataset_get(c->set, i);
  loaded l = {0};
  bool known = false;
  VLM_TRY(vlm_dataset_digest(&c->content, c->set, i, err));
  VLM_TRY(vlm_calibrate_digest(&c->sample, c->content, prompt, err));
  VLM_TRY(is_known(&known, c, s, err));
  if (known) return VLM_OK;
  st = load(&l, c, i, err);
  if (st != VLM_OK && st != VLM_MEMORY && c->opts->skip_bad) {
    c->report->bad++;
    tell_skip(c, s, err->text);
    *err = (vlm_error){0};
    return VLM_OK;
  }
  if (st == VLM_OK) st = measure(c, &l, i, prompt, err);
out:
  unload(&l);
  if (st != VLM_OK) vlm_error_context(err, "sample %s", s->key);
  return st;
}

static vlm_status run_all(calibration *c, vlm_error *err) {
  vlm_status st = VLM_OK;
  size_t count = vlm_dataset_count(c->set);
  int32_t prompts = c->model ? c->opts->n_prompts : 1;
  int64_t total = (int64_t)count * prompts, done = 0;
  VLM_TRY(vlm_stats_create(&c->met, (vlm_digest){0}, "", err));
  for (size_t i = 0; i < count; i++)
    for (int32_t p = 0; p < prompts; p++) {
      const vlm_sample *s = vlm_dataset_get(c->set, i);
      VLM_TRY(run_sample(c, i,
                         c->model    ? vlm_sample_prompt(s, c->opts->prompts, p)
                         : s->prompt ? s->prompt
                                     : "",
                         err));
      done++;
      if (c->opts->between) VLM_TRY(c->opts->between(c->opts->user, done, total, err));
    }
out:
  vlm_stats_free(c->met);
  return st;
}

vlm_status vlm_calibrate(vlm_stats *stats, vlm_context *context, const vlm_bundle *bundle,
                         const vlm_dataset *set, const vlm_calibrate_opts *opts, vlm_calibrate_report *report,
                         vlm_error *err) {
  vlm_status st = VLM_OK;
  memset(report, 0, sizeof *report);
  calibration c = {
      .stats = stats, .context = context, .bundle = bundle, .set = set, .opts = opts, .report = report};
  const vlm_model_opts model_opts = {
      .session = {
          .tap = observe, .tap_user = &c, .tap_wants = wants, .owns_constants = opts->owns_constants}};
  report->too_few = opts->holdout > 0 && vlm_dataset_of_all(set) < VLM_HOLDOUT_LEAST;
  if (!report->too_few) c.holdout = opts->holdout;
  VLM_TRY(vlm_taps_make(&c.taps, bundle, opts->everything, err));
  if (bundle->family == VLM_FAMILY_GRAPH)
    VLM_TRY(
        vlm_session_create(&c.session, context, bundle->graphs[VLM_ROLE_MODEL], &model_opts.session, err));
  else VLM_TRY(vlm_model_create(&c.model, context, bundle, &model_opts, err));
  VLM_TRY(run_all(&c, err));
out:
  vlm_model_free(c.model);
  vlm_session_free(c.session);
  vlm_taps_free(c.taps);
  return st;
}

vlm_status vlm_calibrate_preprocess(char **out, const vlm_bundle *bundle, vlm_error *err) {
  vlm_preprocess ops;
  vlm_status st = VLM_OK;
  bool stated;
  *out = NULL;
  VLM_TRY(vlm_bundle_preprocess(&ops, &stated, bundle, err));
  if (stated) VLM_TRY(vlm_preprocess_format(out, &ops, err));
  else VLM_TRY(vlm_strdup(out, "", err));
out:
  return st;
}
