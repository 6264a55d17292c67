/* Opening and freeing a runner. */
#include <stdio.h>

#include "face/runner.h"
#include "face/sized.h"
#include "face/source.h"
#include "runtime/decode/bundle_lower.h"

static vlm_status take_options(vlm_open_opts *own, const vlm_open_opts *given, vlm_error *err) {
  *own = vlm_open_opts_init();
  return given ? VLM_TAKE(vlm_open_opts, *own, given, err) : VLM_OK;
}

static vlm_status make_engine(vlm_runner *runner, vlm_engine *given, vlm_error *err) {
  if (!given) return vlm_engine_create(&runner->engine, NULL, err);
  vlm_engine_hold(given);
  runner->engine = given;
  return VLM_OK;
}

static vlm_status make_calls(vlm_runner *runner, vlm_error *err) {
  vlm_status st = VLM_OK;
  for (int r = 0; r < VLM_ROLE_COUNT; r++)
    if (runner->bundle->graphs[r])
      VLM_TRY(vlm_new(&runner->calls[r].inputs, runner->bundle->graphs[r]->n_inputs, err));
out:
  return st;
}

static vlm_status make_session(vlm_runner *runner, vlm_context *context, bool low_memory, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_graph **graph = &runner->bundle->graphs[VLM_ROLE_MODEL];
  VLM_CHECK(*graph, err, VLM_INPUT, "%s: holds no graph", runner->bundle->source);
  VLM_TRY(vlm_release_create(&runner->release, graph, 1, err));
  const vlm_session_opts opts = {.release = runner->release, .gives_memory_back = low_memory};
  VLM_TRY(vlm_session_create(&runner->session, context, *graph, &opts, err));
out:
  return st;
}

/* On the engine, which was entered: the bundle, and what runs it. */
static vlm_status load(vlm_runner *runner, vlm_source *source, bool low_memory, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_context *context = vlm_engine_context(runner->engine);
  const vlm_model_opts opts = {.session = {.owns_constants = true, .gives_memory_back = low_memory},
                               .stages_rest = low_memory};
  source->threads = vlm_context_threads(context);
  VLM_TRY(vlm_source_bundle(&runner->bundle, source, err));
  VLM_TRY(vlm_bundle_lower(runner->bundle, NULL, err));
  VLM_TRY(make_calls(runner, err));
  if (runner->bundle->family == VLM_FAMILY_GRAPH) VLM_TRY(make_session(runner, context, low_memory, err));
  else VLM_TRY(vlm_model_create(&runner->model, context, runner->bundle, &opts, err));
out:
  return st;
}

/* Takes the file of the source over. */
static vlm_status open_source(vlm_runner **out, vlm_source *source, const vlm_open_opts *opts,
                              vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_runner *runner = NULL;
  if (opts->name) source->name = opts->name;
  source->max_weight_bytes = opts->max_weight_bytes > SIZE_MAX ? SIZE_MAX : (size_t)opts->max_weight_bytes;
  source->trust_weights = opts->trust_weights != 0;
  VLM_TRY(vlm_new(&runner, 1, err));
  VLM_TRY(make_engine(runner, opts->engine, err));
  VLM_TRY(vlm_engine_enter(runner->engine, err));
  st = load(runner, source, opts->low_memory != 0, err);
  vlm_engine_leave(runner->engine);
  VLM_TRY(st);
  *out = runner;
  runner = NULL;
out:
  vlm_runner_free(runner);
  vlm_file_unmap(&source->file);
  return st;
}

vlm_status vlm_runner_open(vlm_runner **out, const char *path, const vlm_open_opts *opts, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_open_opts own;
  VLM_GIVEN(out);
  *out = NULL;
  VLM_GIVEN(path);
  VLM_TRY(take_options(&own, opts, err));
  vlm_source source = {.path = path, .name = path};
  VLM_TRY(open_source(out, &source, &own, err));
out:
  return st;
}

vlm_status vlm_runner_open_memory(vlm_runner **out, const void *data, size_t bytes, const vlm_open_opts *opts,
                                  vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_open_opts own;
  vlm_source source = {.name = "memory"};
  VLM_GIVEN(out);
  *out = NULL;
  VLM_GIVEN(data);
  VLM_TRY(take_options(&own, opts, err));
  VLM_TRY(vlm_file_copy(&source.file, data, bytes, err));
  VLM_TRY(open_source(out, &source, &own, err));
out:
  return st;
}

vlm_status vlm_runner_open_fd(vlm_runner **out, int fd, uint64_t offset, uint64_t bytes,
                              const vlm_open_opts *opts, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_open_opts own;
  char name[32];
  vlm_source source = {.name = name};
  VLM_GIVEN(out);
  *out = NULL;
  VLM_CHECK(fd >= 0, err, VLM_USAGE, "descriptor %d: wanted one that is open", fd);
  VLM_TRY(take_options(&own, opts, err));
  snprintf(name, sizeof name, "descriptor %d", fd);
  VLM_TRY(vlm_file_map_fd(&source.file, fd, offset, bytes, own.name ? own.name : name, err));
  VLM_TRY(open_source(out, &source, &own, err));
out:
  return st;
}

void vlm_runner_free(vlm_runner *runner) {
  if (!runner) return;
  vlm_model_free(runner->model);
  vlm_session_free(runner->session);
  vlm_release_free(runner->release);
  for (int r = 0; r < VLM_ROLE_COUNT; r++) vlm_free(runner->calls[r].inputs);
  vlm_bundle_free(runner->bundle);
  vlm_engine_free(runner->engine);
  vlm_free(runner);
}
