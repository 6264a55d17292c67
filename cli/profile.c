#include "cli/profile.h"

#include <string.h>

#include "cli/terminal.h"

/* The least of a run's time that is worth a line; a line has so many columns in front of the words, which want room; beside them a kernel's name. */
enum { MOST_LINES = 40, COLUMNS_IN_FRONT = 47, LEAST_WORDS = 60, KERNEL_COLUMNS = 24 };

vlm_status vlm_cli_profile_start(vlm_step_profile **out, const vlm_cli *cli, vlm_context *context,
                                 vlm_error *err) {
  *out = NULL;
  if (!VLM_OPTION_GIVEN(cli->args, profile)) return VLM_OK;
  return vlm_step_profile_start(out, context, cli->args->profile != NULL, err);
}

/* What the row is: "vision QMatMul (bias, Gelu) /blocks.0/ffn". */
static void row_words(char *out, size_t size, const vlm_step_profile *p, const vlm_profile_row *row) {
  const char *graph = vlm_step_profile_graph(p, row->graph);
  const char *joined = row->facts.joined;
  if (!row->node) snprintf(out, size, "%s: plans, and what is copied out", graph);
  else
    snprintf(out, size, "%s %s%s%s%s %s", graph, row->node->op_type, *joined ? " (" : "", joined,
             *joined ? ")" : "", row->node->name ? row->node->name : "");
}

static void rate_text(char *out, size_t size, const vlm_step_profile *p, const vlm_profile_row *row) {
  const vlm_profile_rate rate = vlm_step_profile_rate(p, row);
  if (!row->node || rate.value <= 0) snprintf(out, size, "%11s %5s", "", "");
  else if (rate.memory && rate.share > 1) snprintf(out, size, "%6.1f GB/s cache", rate.value);
  else snprintf(out, size, "%6.1f %-4s %4.0f%%", rate.value, rate.memory ? "GB/s" : "GOPS", 100 * rate.share);
}

/* Columns that line up; words are cut at the width. Narrow: kernel and layout on a line of their own. */
static void print_row(const vlm_step_profile *p, const vlm_profile_row *row, double all_ms, int width) {
  char words[512], rate[32];
  const bool wide = width >= COLUMNS_IN_FRONT + KERNEL_COLUMNS + 8 + LEAST_WORDS;
  const int room = width - COLUMNS_IN_FRONT - (wide ? KERNEL_COLUMNS + 8 : 0);
  const char *kernel = row->node ? row->facts.kernel : "", *layout = row->node ? row->facts.layout : "";
  row_words(words, sizeof words, p, row);
  rate_text(rate, sizeof rate, p, row);
  fprintf(stderr, "%9.3f %5.1f%% %9lld  %s  ", row->ms, 100 * row->ms / all_ms, (long long)row->runs, rate);
  if (wide) fprintf(stderr, "%-7s %-*s", layout, KERNEL_COLUMNS, kernel);
  fprintf(stderr, "%.*s\n", room, words);
  if (!wide && *kernel) fprintf(stderr, "%*s%s, %s\n", COLUMNS_IN_FRONT + 2, "", kernel, layout);
}

static void print_rest(const char *what, double ms, double all_ms, int64_t runs) {
  fprintf(stderr, "%9.3f %5.1f%% ", ms, 100 * ms / all_ms);
  if (runs) fprintf(stderr, "%9lld", (long long)runs);
  else fprintf(stderr, "%9s", "");
  fprintf(stderr, "%*s%s\n", COLUMNS_IN_FRONT - 26, "", what);
}

static void print_totals(const vlm_step_profile *p, const vlm_profile_row *rows, int32_t count,
                         double all_ms) {
  char words[128];
  for (int32_t i = 0; i < count; i++) {
    const char *name = vlm_step_profile_graph(p, rows[i].graph);
    double ms = 0;
    int64_t runs = 0;
    bool seen = false;
    for (int32_t k = 0; k < i && !seen; k++)
      seen = strcmp(vlm_step_profile_graph(p, rows[k].graph), name) == 0;
    for (int32_t k = i; k < count && !seen; k++) {
      if (strcmp(vlm_step_profile_graph(p, rows[k].graph), name) != 0) continue;
      ms += rows[k].ms;
      if (!rows[k].node && !rows[k].graph->parent) runs += rows[k].runs;
    }
    snprintf(words, sizeof words, "%s in all", name);
    if (!seen) print_rest(words, ms, all_ms, runs);
  }
}

static void print_table(const vlm_step_profile *p, const vlm_profile_row *rows, int32_t count,
                        double all_ms) {
  const vlm_peaks *peaks = vlm_step_profile_peaks(p);
  const int width = vlm_terminal_width(), shown = count < MOST_LINES ? count : MOST_LINES;
  double rest = 0;
  char words[64];
  int64_t runs = 0;
  fprintf(stderr, "profile: at most %.1f GOPS in float32, %.1f in int8, %.1f GB/s (all threads)\n",
          peaks->float_gops, peaks->integer_gops, peaks->memory_gbs);
  fprintf(stderr, "%9s %6s %9s  %11s %5s  %s\n", "ms", "share", "runs", "rate", "peak", "step");
  for (int32_t i = 0; i < shown; i++) print_row(p, &rows[i], all_ms, width);
  for (int32_t i = shown; i < count; i++) {
    rest += rows[i].ms;
    runs += rows[i].runs;
  }
  snprintf(words, sizeof words, "%d further steps", count - shown);
  if (count > shown) print_rest(words, rest, all_ms, runs);
  print_totals(p, rows, count, all_ms);
  print_rest("outside of graphs", all_ms - vlm_step_profile_graphs_ms(p), all_ms, 0);
  print_rest("in all", all_ms, all_ms, 0);
}

vlm_status vlm_cli_profile_show(vlm_step_profile *profile, const vlm_cli *cli, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_profile_row *rows;
  int32_t count;
  const char *path = cli->args->profile;
  if (!profile) return VLM_OK;
  const double all_ms = vlm_step_profile_wall_ms(profile);
  VLM_TRY(vlm_step_profile_rows(profile, &rows, &count, err));
  fflush(stdout);
  if (!path || !cli->quiet) print_table(profile, rows, count, all_ms);
  if (path) VLM_TRY(vlm_step_profile_trace(profile, path, err));
out:
  return st;
}
