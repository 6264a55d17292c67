#include "cli/coverage_text.h"

#include "cli/inspect.h"

/* 80 columns: bytes, name, reason. */
enum { LEFT_SHOWN = 12, NAME = 34, GRAPH = 20, REASON = 32, LINE = 400 };

static void print_share(const char *name, const vlm_coverage_share *s, vlm_put_line *put, void *user) {
  char line[LINE], macs[96] = "not known", cell[64];
  if (s->measured && s->macs == 0) snprintf(macs, sizeof macs, "none");
  else if (s->measured)
    snprintf(macs, sizeof macs, "%5.1f %% of %s", vlm_coverage_macs_percent(s), vlm_show_count(s->macs).text);
  snprintf(line, sizeof line, "%s %5.1f %% of %-12s %s", vlm_show_cell(cell, sizeof cell, name, GRAPH),
           vlm_coverage_weights_percent(s), vlm_show_bytes((double)s->weight_bytes).text, macs);
  put(user, line);
}

/* Where there is room for all of them, reasons are whole too. */
static void print_left(const vlm_coverage *c, int32_t shown, bool every, vlm_put_line *put, void *user) {
  char line[LINE], name[LINE], cell[128], reason[256];
  for (int32_t i = 0; i < shown; i++) {
    const vlm_left_float *l = &c->left[i];
    snprintf(name, sizeof name, "%.100s/%.250s", l->graph, l->value);
    const char *why = every ? vlm_show_clean(reason, sizeof reason, l->reason)
                            : vlm_show_cell(reason, sizeof reason, l->reason, -REASON);
    snprintf(line, sizeof line, "%10s  %s  %s", vlm_show_bytes((double)l->bytes).text,
             vlm_show_cell(cell, sizeof cell, name, NAME), why);
    put(user, line);
  }
}

void vlm_coverage_print(const vlm_coverage *c, const vlm_cli *cli, vlm_put_line *put, void *user) {
  char line[LINE];
  int32_t shown = vlm_rows_shown(cli, c->n_left, c->n_left == LEFT_SHOWN + 1 ? c->n_left : LEFT_SHOWN);
  int64_t left = c->small_bytes, rest = c->small_bytes;
  for (int32_t i = 0; i < c->n_left; i++) left += c->left[i].bytes;
  for (int32_t i = shown; i < c->n_left; i++) rest += c->left[i].bytes;
  snprintf(line, sizeof line, "%-*s %-22s %s", GRAPH, "in 8 bits", "weights", "MACs, both operands");
  put(user, line);
  for (int32_t g = 0; g < c->n_graphs; g++) print_share(c->graphs[g].role, &c->graphs[g].share, put, user);
  if (c->n_graphs > 1) print_share("together", &c->total, put, user);
  if (!left) return;
  snprintf(line, sizeof line, "weights left float: %s", vlm_show_bytes((double)left).text);
  put(user, line);
  print_left(c, shown, cli->verbose, put, user);
  if (!rest) return;
  snprintf(line, sizeof line, "%10s  in %d more%s", vlm_show_bytes((double)rest).text,
           c->small_count + c->n_left - shown,
           shown < c->n_left ? " (-v lists those above 1 KB)" : ", none above 1 KB");
  put(user, line);
}

static void put_share(vlm_json_writer *w, const char *key, const vlm_coverage_share *s) {
  vlm_json_open_object(w, key);
  vlm_json_put_int(w, "weight_bytes", s->weight_bytes);
  vlm_json_put_double(w, "weights_int8_percent", vlm_coverage_weights_percent(s));
  if (s->measured) vlm_json_put_int(w, "macs", s->macs);
  if (s->measured && s->macs > 0) vlm_json_put_double(w, "macs_int8_percent", vlm_coverage_macs_percent(s));
  vlm_json_close_object(w);
}

void vlm_coverage_put(vlm_json_writer *w, const vlm_coverage *c) {
  vlm_json_put_double(w, "weights_int8_percent", vlm_coverage_weights_percent(&c->total));
  if (c->total.measured && c->total.macs > 0)
    vlm_json_put_double(w, "macs_int8_percent", vlm_coverage_macs_percent(&c->total));
  vlm_json_open_object(w, "coverage");
  for (int32_t g = 0; g < c->n_graphs; g++) put_share(w, c->graphs[g].role, &c->graphs[g].share);
  vlm_json_close_object(w);
  vlm_json_open_array(w, "left_float");
  for (int32_t i = 0; i < c->n_left; i++) {
    vlm_json_open_object(w, NULL);
    vlm_json_put_text(w, "graph", c->left[i].graph);
    vlm_json_put_text(w, "value", c->left[i].value);
    vlm_json_put_int(w, "bytes", c->left[i].bytes);
    vlm_json_put_text(w, "reason", c->left[i].reason);
    vlm_json_close_object(w);
  }
  vlm_json_close_array(w);
}
