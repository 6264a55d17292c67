/* Statistics as text and as JSON. */
#include <string.h>

#include "calib/kept.h"
#include "cli/inspect.h"

enum { TENSORS_SHOWN = 25, SAMPLES_SHOWN = 8, NAME = 47 };

static const char *const KINDS[VLM_TOKEN_KINDS] = {
    [VLM_TOKEN_IMAGE] = "image", [VLM_TOKEN_PROMPT] = "prompt", [VLM_TOKEN_GENERATED] = "generated"};

/* ---- text ---- */

static void print_kept(const vlm_stats *stats) {
  const vlm_kept_list *kept = vlm_stats_kept_samples(stats);
  int32_t held_out = 0;
  for (int32_t i = 0; i < kept->count; i++) held_out += kept->items[i]->held_out;
  if (!kept->count) return;
  printf("holds %d %s (%s), %d of them held out\n", kept->count,
         kept->images ? "of the image files themselves" : "of the inputs themselves",
         vlm_show_bytes((double)vlm_kept_list_bytes(kept)).text, held_out);
}

static void print_head(const vlm_stats_view *v) {
  char digest[33];
  int64_t elements = 0, not_finite = 0;
  int32_t graphs = 0, affected = 0, unseen = 0;
  for (int32_t i = 0; i < vlm_stats_count(v->stats); i++) {
    const vlm_tensor_stats *t = vlm_stats_at(v->stats, i);
    graphs += i == 0 || strcmp(t->graph, vlm_stats_at(v->stats, i - 1)->graph);
    elements += t->count;
    not_finite += t->not_finite;
    affected += t->not_finite > 0;
    unseen += t->count == 0;
  }
  printf("%s: %d samples, %d tensors of %d graphs, %s elements\n", v->path, v->n_samples, v->n_tensors,
         graphs, vlm_show_count(elements).text);
  if (vlm_stats_is_partial(v->stats))
    printf("not finished: the run was interrupted; vlm-calibrate --resume goes on\n");
  if (*vlm_stats_settings(v->stats)) printf("measured with %s\n", vlm_stats_settings(v->stats));
  print_kept(v->stats);
  printf("model %s\n", vlm_digest_text(vlm_stats_model(v->stats), digest));
  printf("not finite: ");
  if (not_finite) printf("%lld elements of %d tensors\n", (long long)not_finite, affected);
  else puts("none");
  if (unseen) printf("never reached: %d tensors\n", unseen);
}

static void print_detail(const vlm_tensor_summary *s) {
  const vlm_tensor_stats *t = s->stats;
  char clean[256];
  printf("      %lld runs, %s elements, %d channels; 99.99 %% in [%.4g, %.4g], 99.9 %% in [%.4g, %.4g]\n",
         (long long)t->runs, vlm_show_count(t->count).text, t->channels, (double)s->wide.low,
         (double)s->wide.high, (double)s->narrow.low, (double)s->narrow.high);
  printf("      8 bits over the least-error range: %.1f dB;", s->mse.sqnr_db);
  printf(" minimum by %s,", *s->low_sample ? vlm_show_clean(clean, sizeof clean, s->low_sample) : "-");
  printf(" maximum by %s\n", *s->high_sample ? vlm_show_clean(clean, sizeof clean, s->high_sample) : "-");
  for (int k = 0; k < VLM_TOKEN_KINDS; k++)
    if (t->kind_count[k])
      printf("      %-9s tokens [%.4g, %.4g], %s elements\n", KINDS[k], (double)t->kind_min[k],
             (double)t->kind_max[k], vlm_show_count(t->kind_count[k]).text);
}

static void print_tensor(const vlm_tensor_summary *s, bool verbose) {
  char name[600], cell[256];
  const vlm_tensor_stats *t = s->stats;
  snprintf(name, sizeof name, "%.80s/%.500s", t->graph, t->name);
  printf("%s", vlm_show_cell(cell, sizeof cell, name, NAME));
  if (t->count)
    printf(" %8.3g %8.3g %8.3g %8.3g %8s %7s", (double)t->min, (double)t->max, (double)s->mse.low,
           (double)s->mse.high, vlm_show_share(s->saturated).text, vlm_show_share(s->shrink).text);
  else printf(" %8s", "not seen");
  if (s->not_finite > 0) printf(" not finite %s", vlm_show_share(s->not_finite).text);
  putchar('\n');
  if (verbose && strlen(name) > NAME) printf("      %s\n", vlm_show_clean(cell, sizeof cell, name));
  if (verbose && t->count) print_detail(s);
}

static void print_samples(const vlm_stats_view *v, const vlm_cli *cli) {
  char cell[256];
  int64_t all = 0;
  for (int32_t i = 0; i < v->n_samples; i++) all += v->samples[i].extremes;
  if (!all) return;
  printf("\nsamples that widen most: of %lld minima and maxima, an even share would be %.1f each\n",
         (long long)all, (double)all / v->n_samples);
  int32_t shown = vlm_rows_shown(cli, v->n_samples, SAMPLES_SHOWN);
  for (int32_t i = 0; i < shown && v->samples[i].extremes; i++)
    printf("  %s %6lld  %s\n", vlm_show_cell(cell, sizeof cell, v->samples[i].name, 60),
           (long long)v->samples[i].extremes,
           vlm_show_share((double)v->samples[i].extremes / (double)all).text);
  printf(
      "enough samples? one more that is like these widens an end with probability 1/%d, about %.1f of them\n",
      v->n_samples + 1, (double)all / (v->n_samples + 1));
}

void vlm_stats_view_print(const vlm_stats_view *v, const vlm_cli *cli) {
  print_head(v);
  printf("\n%-*s %8s %8s %8s %8s %8s %7s\n", NAME, "longest tail first", "min", "max", "from", "to",
         "outside", "tail");
  int32_t shown = vlm_rows_shown(cli, v->n_tensors, TENSORS_SHOWN);
  for (int32_t i = 0; i < shown; i++) print_tensor(&v->tensors[i], cli->verbose);
  if (shown < v->n_tensors) printf("and %d more with shorter tails (-v lists them)\n", v->n_tensors - shown);
  puts(
      "from, to: the 8-bit range of least error; outside: elements it saturates;\ntail: what the range loses "
      "when its longer end is cut to "
      "99.99 % of the elements");
  print_samples(v, cli);
}

/* ---- JSON ---- */

static void put_range(vlm_json_writer *w, const char *key, double low, double high) {
  vlm_json_open_array(w, key);
  vlm_json_put_double(w, NULL, low);
  vlm_json_put_double(w, NULL, high);
  vlm_json_close_array(w);
}

static void put_judgement(vlm_json_writer *w, const vlm_tensor_summary *s) {
  const vlm_tensor_stats *t = s->stats;
  put_range(w, "range", (double)t->min, (double)t->max);
  put_range(w, "range_99_99", (double)s->wide.low, (double)s->wide.high);
  put_range(w, "range_99_9", (double)s->narrow.low, (double)s->narrow.high);
  put_range(w, "range_mse", (double)s->mse.low, (double)s->mse.high);
  vlm_json_put_double(w, "mse_sqnr_db", s->mse.sqnr_db);
  vlm_json_put_double(w, "saturation", s->saturated);
  vlm_json_put_double(w, "tail", s->shrink);
  vlm_json_put_text(w, "tail_side", s->shrink > 0 ? s->low_tail ? "low" : "high" : NULL);
  vlm_json_put_text(w, "widest_low", *s->low_sample ? s->low_sample : NULL);
  vlm_json_put_text(w, "widest_high", *s->high_sample ? s->high_sample : NULL);
  vlm_json_open_object(w, "token_kinds");
  for (int k = 0; k < VLM_TOKEN_KINDS; k++)
    if (t->kind_count[k]) put_range(w, KINDS[k], (double)t->kind_min[k], (double)t->kind_max[k]);
  vlm_json_close_object(w);
}

static void put_tensor(vlm_json_writer *w, const vlm_tensor_summary *s) {
  const vlm_tensor_stats *t = s->stats;
  vlm_json_open_object(w, NULL);
  vlm_json_put_text(w, "graph", t->graph);
  vlm_json_put_text(w, "name", t->name);
  vlm_json_put_int(w, "runs", t->runs);
  vlm_json_put_int(w, "elements", t->count);
  vlm_json_put_int(w, "channels", t->channels);
  vlm_json_put_double(w, "not_finite", s->not_finite);
  if (t->count) put_judgement(w, s);
  vlm_json_close_object(w);
}

void vlm_stats_view_put(vlm_json_writer *w, const vlm_stats_view *v) {
  char digest[33];
  vlm_json_put_text(w, "model", vlm_digest_text(vlm_stats_model(v->stats), digest));
  vlm_json_put_text(w, "digest", vlm_digest_text(v->digest, digest));
  vlm_json_put_text(w, "preprocess", vlm_stats_preprocess(v->stats));
  vlm_json_put_double(w, "widened_by_next", 1.0 / (v->n_samples + 1));
  vlm_json_open_object(w, "kept");
  vlm_json_put_int(w, "samples", vlm_stats_kept_samples(v->stats)->count);
  vlm_json_put_int(w, "bytes", (int64_t)vlm_kept_list_bytes(vlm_stats_kept_samples(v->stats)));
  vlm_json_close_object(w);
  vlm_json_open_array(w, "samples");
  for (int32_t i = 0; i < v->n_samples; i++) {
    vlm_json_open_object(w, NULL);
    vlm_json_put_text(w, "name", v->samples[i].name);
    vlm_json_put_text(w, "digest",
                      vlm_digest_text(vlm_stats_sample(v->stats, v->samples[i].index, NULL), digest));
    vlm_json_put_int(w, "extremes", v->samples[i].extremes);
    vlm_json_close_object(w);
  }
  vlm_json_close_array(w);
  vlm_json_open_array(w, "tensors");
  for (int32_t i = 0; i < v->n_tensors; i++) put_tensor(w, &v->tensors[i]);
  vlm_json_close_array(w);
}
