/* Private to vlm-inspect: one entry per kind of file, and what they share. JSON fields: docs/inspect.md. */
#ifndef VLM_CLI_INSPECT_H
#define VLM_CLI_INSPECT_H

#include <stdio.h>

#include "cli/program.h"
#include "quant/coverage.h"
#include "runtime/base/buffer.h"
#include "runtime/decode/bundle_profile.h"

/* ---- entries: read the options, print text or JSON ---- */

vlm_status vlm_inspect_model(const vlm_cli *cli, const char *path, vlm_error *err);
vlm_status vlm_inspect_pack(const vlm_cli *cli, const char *path, vlm_error *err);
vlm_status vlm_inspect_stats(const vlm_cli *cli, const char *path, vlm_error *err);

/* ---- a model: graphs and what they cost (inspect_view.c) ---- */

typedef struct vlm_model_view {
  const vlm_bundle *bundle;
  vlm_weight_count weights[VLM_ROLE_COUNT], total;
  vlm_bundle_profile costs;  /* a single graph is in the role MODEL */
  vlm_quant_plan *plan;      /* what would be quantized; NULL for what is packed */
  vlm_coverage *coverage;    /* the shares that this would give; NULL likewise */
  vlm_text assumed;          /* "height = 1, width = 1": dims of a single graph that nobody bound */
} vlm_model_view;

/* quantizable: with what would be quantized. */
vlm_status vlm_model_view_make(vlm_model_view *out, const vlm_cli *cli, const vlm_bundle *bundle, bool quantizable, vlm_error *err);
void vlm_model_view_free(vlm_model_view *view);
/* True for a graph that plays an earlier role too. */
bool vlm_role_repeats(const vlm_bundle *bundle, int role);

/* The totals, as a line and a table. title: what the line begins with. */
void vlm_model_view_print_totals(const vlm_model_view *view, const char *title);
/* Graph by graph. */
vlm_status vlm_model_view_print_graphs(const vlm_model_view *view, bool verbose, vlm_error *err);
/* Members of the object that is open. */
vlm_status vlm_model_view_put(vlm_json_writer *w, const vlm_model_view *view, vlm_error *err);

/* ---- parts of a graph ---- */

/* Nodes of one operator, bodies included. */
typedef struct vlm_op_total {
  const char *domain, *op_type;
  int64_t nodes, macs;
} vlm_op_total;
/* Most work first, then most nodes, then by name; profile may be NULL. Free with vlm_free. */
vlm_status vlm_op_totals(vlm_op_total **out, int32_t *count, const vlm_graph *graph, const vlm_profile *profile, vlm_error *err);
/* "MatMul", "vlm.QMatMul" into text. */
const char *vlm_op_total_name(const vlm_op_total *op, char text[96]);

/* --dot FILE: every graph of the bundle in Graphviz text. */
vlm_status vlm_dot_write(const vlm_bundle *bundle, const char *path, vlm_error *err);

/* ---- text (inspect_text.c) ---- */

/* Standard output is for people: neither --quiet nor taken by JSON (--json=FILE leaves it free). */
bool vlm_says_text(const vlm_cli *cli);

typedef struct vlm_show {
  char text[32];
} vlm_show;
/* "91.0 M", "812", "0"; three or four digits. Above INT64_MAX - 1: "too many". */
vlm_show vlm_show_count(int64_t n);
/* "364.0 MB" (10^6). */
vlm_show vlm_show_bytes(double bytes);
/* "0.03 %", "< 0.01 %", "0". */
vlm_show vlm_show_share(double share);

/* Text of a file for people: control characters become "?". Exactly `width` characters wide: filled with spaces, or cut in the middle
 * ("…"). A negative width: cut to that many, not filled. */
const char *vlm_show_cell(char *out, size_t size, const char *text, int width);
/* The same as long as it is; cut when `size` is too small. */
const char *vlm_show_clean(char *out, size_t size, const char *text);

/* A list of words that breaks before column 100: `label` once, then aligned under the first word. Call begin, words, end. */
typedef struct vlm_show_list {
  int indent, column;
} vlm_show_list;
void vlm_show_begin(vlm_show_list *list, const char *label);
void vlm_show_word(vlm_show_list *list, const char *word);
void vlm_show_end(vlm_show_list *list);

/* Appends like printf; at most 1000 bytes per call. */
vlm_status vlm_text_print(vlm_text *text, vlm_error *err, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* The whole text as a file; nothing is added. */
vlm_status vlm_text_write(const vlm_text *text, const char *path, vlm_error *err);

#endif
