/* Private to vlm-inspect: one entry per kind of file, and what they share. JSON fields: docs/inspect.md. */
#ifndef VLM_CLI_INSPECT_H
#define VLM_CLI_INSPECT_H

#include <stdio.h>

#include "cli/program.h"
#include "flow/model_view.h"
#include "flow/pack_view.h"
#include "flow/stats_view.h"
#include "flow/target_view.h"

/* ---- entries: read the options, print text or JSON ---- */

vlm_status vlm_inspect_model(const vlm_cli *cli, const char *path, vlm_error *err);
/* --target (flow/target_view.h) */
vlm_status vlm_inspect_target(const vlm_cli *cli, const char *path, vlm_error *err);
vlm_status vlm_inspect_pack(const vlm_cli *cli, const char *path, vlm_error *err);
vlm_status vlm_inspect_stats(const vlm_cli *cli, const char *path, vlm_error *err);

/* ---- a model (flow/model_view.h) ---- */

/* The totals, as a line and a table. title: what the line begins with. */
void vlm_model_view_print_totals(const vlm_model_view *view, const char *title);
/* Graph by graph. */
vlm_status vlm_model_view_print_graphs(const vlm_model_view *view, const vlm_cli *cli, vlm_error *err);
/* Members of the object that is open. */
vlm_status vlm_model_view_put(vlm_json_writer *w, const vlm_model_view *view, vlm_error *err);

/* The same of a target's view. */
void vlm_target_view_print(const vlm_target_view *view, const vlm_cli *cli, const char *title);
void vlm_target_view_put(vlm_json_writer *w, const vlm_target_view *view);

/* --dot FILE: every graph of the bundle in Graphviz text. */
vlm_status vlm_dot_write(const vlm_bundle *bundle, const char *path, vlm_error *err);

/* ---- a packed file (flow/pack_view.h) ---- */

vlm_status vlm_pack_view_print(const vlm_pack_view *view, const vlm_cli *cli, vlm_error *err);
vlm_status vlm_pack_view_put(vlm_json_writer *w, const vlm_pack_view *view, vlm_error *err);
/* --verify (flow/verify.h): prints what was checked, or fails with VLM_INTEGRITY. */
vlm_status vlm_inspect_verify(const vlm_cli *cli, const char *path, vlm_error *err);
/* --diff */
vlm_status vlm_inspect_diff(const vlm_cli *cli, const char *path, const char *other, vlm_error *err);

/* ---- statistics (flow/stats_view.h) ---- */

void vlm_stats_view_print(const vlm_stats_view *view, const vlm_cli *cli);
void vlm_stats_view_put(vlm_json_writer *w, const vlm_stats_view *view);
/* --plot: one SVG per tensor, NNNN_GRAPH_NAME.svg with NNNN the tensor's place in the file. */
vlm_status vlm_stats_view_plot(const vlm_stats_view *view, const char *folder, vlm_error *err);

/* ---- text (inspect_text.c) ---- */

/* Standard output is for people: neither --quiet nor taken by JSON (--json=FILE leaves it free). */
bool vlm_says_text(const vlm_cli *cli);
/* How many rows a table shows of those that it has, the first ones first: all with -v, else at most `usual`. */
int32_t vlm_rows_shown(const vlm_cli *cli, int32_t rows, int32_t usual);

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

#endif
