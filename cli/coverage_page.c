#include "cli/coverage_page.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "flow/costs.h"
#include "flow/foresee.h"
#include "cli/inspect.h"
#include "onnx/bundle.h"
#include "onnx/import.h"
#include "runtime/base/file.h"

enum { PATH = 1024, REASONS = 64, SHOWN = 3, MAX_INPUTS = 64 };

static const char HEAD[] =
    "# Coverage\n\n"
    "How much of known models `vlm-quantize` puts in 8 bits with no flags, once their ranges are known: the "
    "share of the weights' bytes, the\n"
    "share of the multiply-accumulates whose operands have both 8 bits, and what stays float, by reason. "
    "Made by\n"
    "`cmake --build build --target coverage_md`; the shapes are those of the test vectors. Reduced "
    "architectures have many small weights.\n";
static const char TABLE[] = "\n| model | weights | MACs | left float |\n|---|---|---|---|\n";

/* ---- one model ---- */

typedef struct {
  vlm_text *text;
  vlm_context *context;
  vlm_error *err;
} page;

/* Shapes of the first test vectors beside a single graph; false where there are none. */
static bool read_shapes(vlm_tensor *inputs, const vlm_graph *g, const char *model) {
  char path[PATH];
  int32_t n = 0;
  const char *slash = strrchr(model, '/');
  for (; n < g->n_inputs && n < MAX_INPUTS; n++) {
    void *storage = NULL;
    vlm_error ignored = {0};
    snprintf(path, sizeof path, "%.*s/test_data_set_0/input_%d.pb", (int)(slash - model), model, n);
    if (vlm_onnx_read_tensor(&inputs[n], &storage, path, &ignored) != VLM_OK) return false;
    vlm_free(storage);
    inputs[n].data = NULL;
  }
  return n == g->n_inputs;
}

static vlm_status measure(page *p, vlm_bundle_profile *costs, const vlm_bundle *bundle, const char *model) {
  vlm_tensor inputs[MAX_INPUTS];
  vlm_text assumed = {0};
  const vlm_graph *g = bundle->graphs[VLM_ROLE_MODEL];
  vlm_role_profile *own = &costs->roles[VLM_ROLE_MODEL];
  if (bundle->family == VLM_FAMILY_GRAPH && read_shapes(inputs, g, model)) {
    own->made = vlm_graph_profile(&own->profile, p->context, g, inputs, &own->error) == VLM_OK;
    return VLM_OK;
  }
  vlm_status st = vlm_costs_make(costs, &assumed, p->context, bundle, NULL, p->err);
  vlm_text_free(&assumed);
  return st;
}

typedef struct {
  const char *reason;
  int64_t bytes;
} reason_sum;

static int most_bytes(const void *a, const void *b) {
  const reason_sum *x = a, *y = b;
  return x->bytes != y->bytes ? (x->bytes > y->bytes ? -1 : 1) : strcmp(x->reason, y->reason);
}

/* Reasons that name a node are one. */
static const char *kind_of(const char *reason) {
  return strncmp(reason, "input ", 6) ? reason : "read by other operators";
}

static vlm_status put_left(page *p, const vlm_coverage *c) {
  vlm_status st = VLM_OK;
  reason_sum sums[REASONS];
  int n = 0;
  for (int32_t i = 0; i < c->n_left; i++) {
    int k = 0;
    while (k < n && strcmp(sums[k].reason, kind_of(c->left[i].reason))) k++;
    if (k == REASONS) continue;
    if (k == n) sums[n++] = (reason_sum){kind_of(c->left[i].reason), 0};
    sums[k].bytes += c->left[i].bytes;
  }
  qsort(sums, (size_t)n, sizeof *sums, most_bytes);
  for (int k = 0; k < n && k < SHOWN; k++)
    VLM_TRY(vlm_text_print(p->text, p->err, "%s%s: %s", k ? "; " : "",
                           vlm_show_bytes((double)sums[k].bytes).text, sums[k].reason));
  if (n > SHOWN) VLM_TRY(vlm_text_print(p->text, p->err, "; and %d more", n - SHOWN));
out:
  return st;
}

static vlm_status put_row(page *p, const char *name, const vlm_coverage *c) {
  vlm_status st = VLM_OK;
  const vlm_coverage_share *s = &c->total;
  VLM_TRY(vlm_text_print(p->text, p->err, "| %s | %.1f %% of %s | ", name, vlm_coverage_weights_percent(s),
                         vlm_show_bytes((double)s->weight_bytes).text));
  if (!s->measured) VLM_TRY(vlm_text_print(p->text, p->err, "not known"));
  else if (!s->macs) VLM_TRY(vlm_text_print(p->text, p->err, "none"));
  else
    VLM_TRY(vlm_text_print(p->text, p->err, "%.1f %% of %s", vlm_coverage_macs_percent(s),
                           vlm_show_count(s->macs).text));
  VLM_TRY(vlm_text_print(p->text, p->err, " | "));
  VLM_TRY(put_left(p, c));
  VLM_TRY(vlm_text_print(p->text, p->err, " |\n"));
out:
  return st;
}

static vlm_status put_model(page *p, const char *name, const char *model) {
  vlm_status st = VLM_OK;
  vlm_bundle *bundle = NULL;
  vlm_bundle_profile costs = {.image_width = 0};
  vlm_quant_plan *plan = NULL;
  vlm_coverage *coverage = NULL;
  VLM_TRY(vlm_bundle_open(&bundle, model, NULL, p->err));
  VLM_TRY(measure(p, &costs, bundle, model));
  VLM_TRY(vlm_foresee(&plan, &coverage, bundle, &costs, p->err));
  VLM_TRY(put_row(p, name, coverage));
out:
  vlm_coverage_free(coverage);
  vlm_quant_plan_free(plan);
  vlm_bundle_profile_free(&costs);
  vlm_bundle_free(bundle);
  return st;
}

/* ---- folders ---- */

static int is_visible(const struct dirent *e) { return e->d_name[0] != '.'; }

static vlm_status put_folder(page *p, const char *folder, const char *prefix, int depth);

/* ENTRY/model.onnx of a folder; without one, and with depth, the folder ENTRY. */
static vlm_status put_entry(page *p, const char *folder, const char *prefix, const char *entry, int depth) {
  vlm_status st = VLM_OK;
  vlm_text path = {0}, name = {0};
  VLM_TRY(vlm_text_print(&name, p->err, "%s%s", prefix, entry));
  VLM_TRY(vlm_text_print(&path, p->err, "%s/%s/model.onnx", folder, entry));
  if (vlm_file_exists(vlm_text_get(&path))) {
    VLM_TRY(put_model(p, vlm_text_get(&name), vlm_text_get(&path)));
  } else if (depth > 0) {
    vlm_text_clear(&path);
    VLM_TRY(vlm_text_print(&path, p->err, "%s/%s", folder, entry));
    VLM_TRY(vlm_text_print(&name, p->err, "/"));
    VLM_TRY(put_folder(p, vlm_text_get(&path), vlm_text_get(&name), depth - 1));
  }
out:
  vlm_text_free(&name);
  vlm_text_free(&path);
  return st;
}

/* The entries of a folder, in the order of their names. */
static vlm_status put_folder(page *p, const char *folder, const char *prefix, int depth) {
  vlm_status st = VLM_OK;
  struct dirent **entries = NULL;
  int n = scandir(folder, &entries, is_visible, alphasort);
  for (int i = 0; i < n && st == VLM_OK; i++) st = put_entry(p, folder, prefix, entries[i]->d_name, depth);
  for (int i = 0; i < n; i++) free(entries[i]);
  free(entries);
  return st;
}

vlm_status vlm_coverage_page(vlm_text *text, vlm_context *context, const char *root, vlm_error *err) {
  vlm_status st = VLM_OK;
  page p = {text, context, err};
  char path[PATH];
  VLM_TRY(vlm_text_print(text, err, "%s", HEAD));
  VLM_TRY(vlm_text_print(text, err, "\n## In this repository\n%s", TABLE));
  snprintf(path, sizeof path, "%s/datasets/captioner/bundle", root);
  VLM_TRY(put_model(&p, "captioner", path));
  snprintf(path, sizeof path, "%s/tests/cli/data/architectures", root);
  VLM_TRY(put_folder(&p, path, "", 1));
out:
  return st;
}

vlm_status vlm_coverage_page_models(vlm_text *text, vlm_context *context, const char *models,
                                    vlm_error *err) {
  page p = {text, context, err};
  vlm_status st = vlm_text_print(text, err, "\n## Trained models beside it\n%s", TABLE);
  return st == VLM_OK ? put_folder(&p, models, "", 0) : st;
}
