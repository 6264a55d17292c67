/* Histograms as SVG: counts on a logarithmic scale, the range of least error as dashed lines. Same statistics, same bytes. */
#include <math.h>
#include <string.h>

#include "cli/inspect.h"
#include "flow/file_names.h"
#include "runtime/base/file.h"

enum {
  HALF = VLM_HISTOGRAM_BINS / 2,
  COLUMNS = 240,
  LEFT = 40,
  TOP = 36,
  WIDTH = 480,
  HEIGHT = 150,
  FULL_WIDTH = 540,
  FULL_HEIGHT = 224
};

typedef struct {
  double from, to; /* values at the left and right edge */
  double counts[COLUMNS];
  double decades; /* of the tallest column, rounded up */
} plot;

/* Neighbouring bins are added up where there are more than columns; where there are fewer, a bin is several columns wide. */
static void fill(plot *p, const vlm_tensor_stats *t) {
  double width = ldexp(1, t->histogram.exponent), most = 1;
  int first = VLM_HISTOGRAM_BINS, last = -1;
  for (int i = 0; i < VLM_HISTOGRAM_BINS; i++) {
    if (!t->histogram.bins[i]) continue;
    if (first > i) first = i;
    last = i;
  }
  if (last < 0) first = last = HALF; /* counted, but in no bin */
  memset(p, 0, sizeof *p);
  int bins = last - first + 1, per_column = (bins + COLUMNS - 1) / COLUMNS;
  p->from = (first - HALF) * width;
  p->to = (first + (double)per_column * ((bins + per_column - 1) / per_column) - HALF) * width;
  int used = (bins + per_column - 1) / per_column;
  for (int column = 0; column < COLUMNS; column++) {
    int at = (int)((int64_t)column * used / COLUMNS);
    for (int i = first + at * per_column; i < first + (at + 1) * per_column && i <= last; i++)
      p->counts[column] += (double)t->histogram.bins[i];
    most = fmax(most, p->counts[column]);
  }
  p->decades = fmax(ceil(log10(most + 1)), 1);
}

static double x_of(const plot *p, double value) {
  return LEFT + WIDTH * fmin(fmax((value - p->from) / (p->to - p->from), 0), 1);
}
static double y_of(const plot *p, double count) { return TOP + HEIGHT * (1 - log10(count + 1) / p->decades); }

static vlm_status add_escaped(vlm_text *out, const char *text, int limit, vlm_error *err) {
  char cell[600];
  vlm_status st = VLM_OK;
  vlm_show_clean(cell, (size_t)limit < sizeof cell ? (size_t)limit : sizeof cell, text);
  for (const char *c = cell; *c && st == VLM_OK; c++) {
    const char *entity = *c == '<'   ? "&lt;"
                         : *c == '>' ? "&gt;"
                         : *c == '&' ? "&amp;"
                         : *c == '"' ? "&quot;"
                                     : NULL;
    st = entity ? vlm_text_append(out, entity, strlen(entity), err) : vlm_text_append(out, c, 1, err);
  }
  return st;
}

static vlm_status add_line(vlm_text *out, double x1, double y1, double x2, double y2, const char *style,
                           vlm_error *err) {
  return vlm_text_print(out, err, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" %s/>\n", x1, y1, x2,
                        y2, style);
}

static vlm_status add_columns(vlm_text *out, const plot *p, vlm_error *err) {
  vlm_status st = VLM_OK;
  double base = TOP + HEIGHT, step = (double)WIDTH / COLUMNS;
  VLM_TRY(vlm_text_print(out, err, "<path fill=\"#4477aa\" d=\"M%d %.1f", LEFT, base));
  for (int i = 0; i < COLUMNS; i++) {
    if (i && p->counts[i] == p->counts[i - 1]) continue;
    double x = LEFT + step * i, before = i ? y_of(p, p->counts[i - 1]) : base;
    VLM_TRY(vlm_text_print(out, err, "L%.1f %.1fL%.1f %.1f", x, before, x, y_of(p, p->counts[i])));
  }
  VLM_TRY(vlm_text_print(out, err, "L%d %.1fL%d %.1fZ\"/>\n", LEFT + WIDTH, y_of(p, p->counts[COLUMNS - 1]),
                         LEFT + WIDTH, base));
out:
  return st;
}

static vlm_status add_axes(vlm_text *out, const plot *p, vlm_error *err) {
  vlm_status st = VLM_OK;
  double base = TOP + HEIGHT, zero = x_of(p, 0);
  int every = p->decades > 8 ? 4 : p->decades > 4 ? 2 : 1;
  for (int k = 0; k <= (int)p->decades; k += every) {
    double y = TOP + HEIGHT * (1 - k / p->decades);
    VLM_TRY(add_line(out, LEFT, y, LEFT + WIDTH, y, "stroke=\"#dddddd\"", err));
    VLM_TRY(vlm_text_print(out, err, "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">1e%d</text>\n", LEFT - 4,
                           y + 3, k));
  }
  VLM_TRY(add_line(out, LEFT, base, LEFT + WIDTH, base, "stroke=\"#000000\"", err));
  if (p->from <= 0 && p->to >= 0)
    VLM_TRY(add_line(out, zero, base, zero, base + 5, "stroke=\"#000000\"", err));
  VLM_TRY(vlm_text_print(out, err, "<text x=\"%d\" y=\"%.1f\">%.4g</text>\n", LEFT, base + 16, p->from));
  VLM_TRY(vlm_text_print(out, err, "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%.4g</text>\n",
                         LEFT + WIDTH, base + 16, p->to));
out:
  return st;
}

static vlm_status draw(vlm_text *out, const vlm_tensor_summary *s, vlm_error *err) {
  vlm_status st = VLM_OK;
  plot p;
  const double ends[2] = {(double)s->mse.low, (double)s->mse.high};
  fill(&p, s->stats);
  VLM_TRY(vlm_text_print(out, err,
                         "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
                         "font-family=\"sans-serif\" font-size=\"10\">\n",
                         FULL_WIDTH, FULL_HEIGHT));
  VLM_TRY(vlm_text_print(
      out, err,
      "<rect width=\"100%%\" height=\"100%%\" fill=\"#ffffff\"/>\n<text x=\"%d\" y=\"14\" font-size=\"12\">",
      LEFT));
  VLM_TRY(add_escaped(out, s->stats->graph, 40, err));
  VLM_TRY(vlm_text_append(out, "/", 1, err));
  VLM_TRY(add_escaped(out, s->stats->name, 72, err));
  VLM_TRY(vlm_text_print(
      out, err,
      "</text>\n<text x=\"%d\" y=\"28\">min %.4g, max %.4g, %lld elements; 8 bits from %.4g to %.4g: %.1f "
      "dB, outside %s</text>\n",
      LEFT, (double)s->stats->min, (double)s->stats->max, (long long)s->stats->count, ends[0], ends[1],
      s->mse.sqnr_db,
      s->saturated > 0 && s->saturated < 1e-4 ? "&lt; 0.01 %" : vlm_show_share(s->saturated).text));
  VLM_TRY(add_axes(out, &p, err));
  VLM_TRY(add_columns(out, &p, err));
  for (int i = 0; i < 2; i++)
    VLM_TRY(add_line(out, x_of(&p, ends[i]), TOP, x_of(&p, ends[i]), TOP + HEIGHT,
                     "stroke=\"#cc3311\" stroke-dasharray=\"4 2\"", err));
  VLM_TRY(vlm_text_print(out, err, "</svg>\n"));
out:
  return st;
}

static vlm_status plot_one(const vlm_tensor_summary *s, const char *folder, vlm_text *text, vlm_error *err) {
  vlm_status st = VLM_OK;
  char number[64], name[200], *path = NULL;
  snprintf(number, sizeof number, "%04d_%.32s_", s->index, s->stats->graph);
  vlm_file_name_plain(name, sizeof name, number, s->stats->name, ".svg");
  vlm_text_clear(text);
  VLM_TRY(draw(text, s, err));
  VLM_TRY(vlm_path_join(&path, folder, name, err));
  VLM_TRY(vlm_file_write(path, vlm_text_get(text), text->bytes, err));
out:
  vlm_free(path);
  return st;
}

vlm_status vlm_stats_view_plot(const vlm_stats_view *v, const char *folder, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_text text = {0};
  VLM_TRY(vlm_folder_make(folder, err));
  for (int32_t i = 0; i < v->n_tensors; i++)
    if (v->tensors[i].stats->count) VLM_TRY(plot_one(&v->tensors[i], folder, &text, err));
out:
  vlm_text_free(&text);
  return st;
}
