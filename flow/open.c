/* A model argument: bundle folder, .onnx file or .vlmq file. */
#include <stdlib.h>
#include <string.h>

#include "cli/program.h"
#include "onnx/bundle.h"
#include "pack/pack.h"
#include "runtime/base/file.h"
#include "runtime/lower/lower.h"

static vlm_status open_pack(vlm_bundle **out, const char *path, bool lazy, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_pack *pack = NULL;
  VLM_TRY(vlm_pack_open(&pack, path, &(vlm_pack_open_opts){.lazy = lazy}, err));
  VLM_TRY(vlm_pack_bundle(out, pack, err));
out:
  vlm_pack_close(pack); /* the graphs keep the weights alive */
  return st;
}

static vlm_status decoder_form(vlm_decoder_form *out, const vlm_cli *cli, vlm_error *err) {
  static const char *const FORMS[] = {[VLM_DECODER_ANY] = "any", [VLM_DECODER_MERGED] = "merged", [VLM_DECODER_SEPARATE] = "separate"};
  const char *text = vlm_args_text(cli->args, VLM_OPT_DECODER, "any");
  for (int i = 0; i < 3; i++)
    if (!strcmp(FORMS[i], text)) {
      *out = (vlm_decoder_form)i;
      return VLM_OK;
    }
  return vlm_fail(err, VLM_USAGE, "--decoder %s: wanted merged or separate", text);
}

static vlm_status lower_all(vlm_bundle *bundle, vlm_error *err) {
  vlm_status st = VLM_OK;
  for (int r = 0; r < VLM_ROLE_COUNT; r++) {
    bool again = r > 0 && bundle->graphs[r] == bundle->graphs[r - 1];
    if (bundle->graphs[r] && !again) VLM_TRY(vlm_graph_lower(bundle->graphs[r], NULL, err));
  }
out:
  return st;
}

/* A file with the name is one too, so that a damaged start is told as damage. */
bool vlm_is_packed(const char *path) {
  size_t n = strlen(path);
  bool named = n > 5 && !strcmp(path + n - 5, ".vlmq") && !vlm_file_is_folder(path);
  return named || vlm_pack_is_pack(path);
}

/* Whether the text is the name of the dim, or INPUT[AXIS] of one without a name. */
static bool names_dim(const vlm_value *v, int d, const char *text, size_t length) {
  const char *name = v->dim_names[d] ? v->dim_names[d] : v->name;
  size_t n = strlen(name);
  char axis[16] = "";
  if (!v->dim_names[d]) snprintf(axis, sizeof axis, "[%d]", d);
  return length == n + strlen(axis) && !strncmp(text, name, n) && !strncmp(text + n, axis, length - n);
}

/* Every input dimension of that name gets the size. */
static bool bind_dim(vlm_graph *g, const char *name, size_t length, int64_t size) {
  bool found = false;
  for (int32_t i = 0; i < g->n_inputs; i++) {
    vlm_value *v = &g->values[g->inputs[i]];
    for (int d = 0; d < v->tensor.rank; d++) {
      if ((v->tensor.dims[d] >= 0 && !v->dim_names[d]) || !names_dim(v, d, name, length)) continue;
      v->tensor.dims[d] = size;
      found = true;
    }
  }
  return found;
}

static vlm_status bind_shapes(vlm_bundle *bundle, const vlm_cli *cli, vlm_error *err) {
  const vlm_option_values *given = &cli->args->options[VLM_OPT_SHAPE];
  vlm_graph *g = bundle->graphs[VLM_ROLE_MODEL];
  if (given->count && !g) return vlm_fail(err, VLM_USAGE, "--shape binds dimensions of a single graph; %s is a pipeline", bundle->source);
  for (int i = 0; i < given->count; i++) {
    const char *text = given->items[i], *equals = strrchr(text, '=');
    char *end = NULL;
    long long size = equals ? strtoll(equals + 1, &end, 10) : -1;
    if (size < 0 || *end) return vlm_fail(err, VLM_USAGE, "--shape %s: wanted DIM=N, such as batch_size=1", text);
    if (!bind_dim(g, text, (size_t)(equals - text), size))
      return vlm_fail(err, VLM_INPUT, "%s: no input has a dimension named \"%.*s\"", bundle->source, (int)(equals - text), text);
  }
  return VLM_OK;
}

vlm_status vlm_cli_open(vlm_bundle **out, const vlm_cli *cli, const char *path, vlm_open_use use, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_bundle_opts opts = {0};
  *out = NULL;
  VLM_TRY(decoder_form(&opts.decoder, cli, err));
  if (vlm_is_packed(path)) VLM_TRY(open_pack(out, path, use == VLM_OPEN_TO_RUN, err));
  else VLM_TRY(vlm_bundle_open(out, path, &opts, err));
  VLM_TRY(bind_shapes(*out, cli, err));
  if (use != VLM_OPEN_AS_IT_IS) VLM_TRY(lower_all(*out, err));
out:
  if (st != VLM_OK) {
    vlm_bundle_free(*out);
    *out = NULL;
  }
  return st;
}
