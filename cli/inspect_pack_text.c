/* What a packed file holds, for people. */
#include <stdlib.h>
#include <string.h>

#include "cli/inspect.h"
#include "runtime/base/json.h"

enum { TENSORS_SHOWN = 10 };

/* ---- JSON texts inside the file ---- */

/* A value on one line: 3, text without quotes, [1, 2], a=1, b=2. Appends. */
static vlm_status show_json(vlm_text *out, vlm_json v, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_json_kind kind = vlm_json_type(v);
  bool flag, first = true;
  int64_t integer;
  double real;
  const char *text;
  switch (kind) {
    case VLM_JSON_BOOL:
      VLM_TRY(vlm_json_as_bool(&flag, v, err));
      VLM_TRY(vlm_text_print(out, err, "%s", flag ? "true" : "false"));
      break;
    case VLM_JSON_INT:
      VLM_TRY(vlm_json_as_int(&integer, v, err));
      VLM_TRY(vlm_text_print(out, err, "%lld", (long long)integer));
      break;
    case VLM_JSON_REAL:
      VLM_TRY(vlm_json_as_double(&real, v, err));
      VLM_TRY(vlm_text_print(out, err, "%.6g", real));
      break;
    case VLM_JSON_TEXT:
      VLM_TRY(vlm_json_as_text(&text, v, err));
      VLM_TRY(vlm_text_print(out, err, "%s", text));
      break;
    case VLM_JSON_ARRAY:
      VLM_TRY(vlm_text_print(out, err, "["));
      for (size_t i = 0; i < vlm_json_size(v); i++) {
        if (i) VLM_TRY(vlm_text_print(out, err, ", "));
        VLM_TRY(show_json(out, vlm_json_at(v, i), err));
      }
      VLM_TRY(vlm_text_print(out, err, "]"));
      break;
    case VLM_JSON_OBJECT: {
      vlm_json_iter it = {0};
      for (; vlm_json_next(v, &it); first = false) {
        VLM_TRY(vlm_text_print(out, err, "%s%s=", first ? "" : ", ", it.key));
        VLM_TRY(show_json(out, it.value, err));
      }
      break;
    }
    default: VLM_TRY(vlm_text_print(out, err, "null"));
  }
out:
  return st;
}

static vlm_status parse(vlm_json_doc **out, const char *text, const char *what, vlm_error *err) {
  *out = NULL;
  return text ? vlm_json_parse(out, text, strlen(text), what, err) : VLM_OK;
}

/* One line per element or member. */
static vlm_status print_lines(const char *title, vlm_json v, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_text line = {0};
  char clean[400];
  vlm_json_iter it = {0};
  bool object = vlm_json_type(v) == VLM_JSON_OBJECT;
  printf("\n%s\n", title);
  for (size_t i = 0; object ? vlm_json_next(v, &it) : i < vlm_json_size(v); i++) {
    vlm_text_clear(&line);
    if (object) VLM_TRY(vlm_text_print(&line, err, "%s: ", it.key));
    VLM_TRY(show_json(&line, object ? it.value : vlm_json_at(v, i), err));
    printf("  %s\n", vlm_show_clean(clean, sizeof clean, vlm_text_get(&line)));
  }
out:
  vlm_text_free(&line);
  return st;
}

static vlm_status print_text(const char *title, const char *json, vlm_error *err) {
  vlm_json_doc *doc;
  vlm_status st = parse(&doc, json, title, err);
  if (st == VLM_OK && doc) st = print_lines(title, vlm_json_root(doc), err);
  vlm_json_free(doc);
  return st;
}

/* ---- sections and tensors ---- */

static void print_sections(const vlm_pack *pack) {
  int32_t n, n_meta;
  char label[256];
  const vlm_pack_section *s = vlm_pack_sections(pack, &n);
  printf("\n%-8s %-16s %-28s %-7s %10s %10s\n", "section", "what", "of", "codec", "stored", "raw");
  for (int32_t i = 0; i < n; i++)
    printf("%-8s %-16s %s %-7s %10s %10s\n", s[i].name, s[i].what,
           vlm_show_cell(label, sizeof label, s[i].label, 28), s[i].codec,
           vlm_show_bytes((double)s[i].stored_bytes).text, vlm_show_bytes((double)s[i].raw_bytes).text);
  const vlm_pack_pair *meta = vlm_pack_meta_all(pack, &n_meta);
  printf("\nkey-values\n");
  for (int32_t i = 0; i < n_meta; i++) {
    char value[400];
    printf("  %s: %s\n", vlm_show_clean(label, sizeof label, meta[i].key),
           vlm_show_clean(value, sizeof value, meta[i].value));
  }
}

static int by_size(const void *a, const void *b) {
  const vlm_pack_tensor *x = *(const vlm_pack_tensor *const *)a, *y = *(const vlm_pack_tensor *const *)b;
  if (x->bytes != y->bytes) return x->bytes > y->bytes ? -1 : 1;
  return x < y ? -1 : x > y;
}

static void print_types(const vlm_pack_tensor *t, int32_t n) {
  for (int d = 0; d < VLM_DTYPE_COUNT; d++) {
    int64_t tensors = 0, elements = 0;
    double bytes = 0, stored = 0;
    for (int32_t i = 0; i < n; i++) {
      if ((int)t[i].tensor.dtype != d) continue;
      tensors++;
      elements += vlm_tensor_count(&t[i].tensor);
      bytes += (double)t[i].bytes;
      stored += (double)t[i].stored_bytes;
    }
    if (tensors)
      printf("  %-9s %6lld tensors %9s elements %10s, stored %10s\n", vlm_dtype_name((vlm_dtype)d),
             (long long)tensors, vlm_show_count(elements).text, vlm_show_bytes(bytes).text,
             vlm_show_bytes(stored).text);
  }
}

static vlm_status print_tensors(const vlm_pack_view *v, const vlm_cli *cli, vlm_error *err) {
  vlm_status st = VLM_OK;
  int32_t n;
  const vlm_pack_tensor *t = vlm_pack_tensors(v->pack, &n), **sorted = NULL;
  char name[512], cell[256], shape[128];
  VLM_TRY(vlm_new(&sorted, n, err));
  for (int32_t i = 0; i < n; i++) sorted[i] = &t[i];
  if (n) qsort(sorted, (size_t)n, sizeof *sorted, by_size);
  printf("\ntensors\n");
  print_types(t, n);
  int32_t shown = vlm_rows_shown(cli, n, TENSORS_SHOWN);
  for (int32_t i = 0; i < shown; i++) {
    const vlm_pack_tensor *one = sorted[i];
    vlm_pack_tensor_name(v, one, name, sizeof name);
    printf("  %s %-8s %-18s %10s\n", vlm_show_cell(cell, sizeof cell, name, 52),
           vlm_dtype_name(one->tensor.dtype), vlm_tensor_shape_text(&one->tensor, shape, sizeof shape),
           vlm_show_bytes((double)one->bytes).text);
  }
  if (shown < n) printf("  and %d smaller ones (-v lists them)\n", n - shown);
out:
  vlm_free(sorted);
  return st;
}

/* ---- quantization ---- */

enum { KINDS = 8 };

typedef struct {
  const char *decision;
  int64_t nodes, weights;
  double worst;
  const char *worst_node;
} decision_row;

static void add_decision(decision_row *rows, int *n, const char *decision, const char *node, int64_t weights,
                         double sqnr) {
  int i = 0;
  while (i < *n && strcmp(rows[i].decision, decision)) i++;
  if (i == KINDS) return;
  if (i == *n) rows[(*n)++] = (decision_row){.decision = decision};
  rows[i].nodes++;
  rows[i].weights += weights;
  if (sqnr > 0 && (!rows[i].worst_node || sqnr < rows[i].worst)) {
    rows[i].worst = sqnr;
    rows[i].worst_node = node;
  }
}

static vlm_status print_graph_decisions(const char *role, vlm_json list, bool verbose, vlm_error *err) {
  vlm_status st = VLM_OK;
  decision_row rows[KINDS];
  int n = 0;
  char cell[256];
  for (size_t i = 0; i < vlm_json_size(list); i++) {
    vlm_json entry = vlm_json_at(list, i);
    const char *node = "", *decision = "", *op = "", *reason = "";
    int64_t weights = 0;
    double sqnr = 0;
    VLM_TRY(vlm_json_get_text(&node, entry, "node", VLM_JSON_OPTIONAL, err));
    VLM_TRY(vlm_json_get_text(&op, entry, "op", VLM_JSON_OPTIONAL, err));
    VLM_TRY(vlm_json_get_text(&decision, entry, "decision", VLM_JSON_OPTIONAL, err));
    VLM_TRY(vlm_json_get_text(&reason, entry, "reason", VLM_JSON_OPTIONAL, err));
    VLM_TRY(vlm_json_get_int(&weights, entry, "weights", VLM_JSON_OPTIONAL, err));
    VLM_TRY(vlm_json_get_double(&sqnr, entry, "sqnr_db", VLM_JSON_OPTIONAL, err));
    add_decision(rows, &n, decision, node, weights, sqnr);
    if (!verbose) continue;
    printf("    %-11s %-7s ", vlm_show_cell(cell, sizeof cell, decision, 11), op);
    printf("%s %6.1f dB  ", vlm_show_cell(cell, sizeof cell, node, 36), sqnr);
    puts(vlm_show_clean(cell, sizeof cell, reason));
  }
  for (int i = 0; i < n; i++) {
    printf("  %-14s %-11s %5lld %8s", i ? "" : role, vlm_show_cell(cell, 64, rows[i].decision, 11),
           (long long)rows[i].nodes, vlm_show_count(rows[i].weights).text);
    if (rows[i].worst_node)
      printf("  %5.1f dB  %s", rows[i].worst, vlm_show_cell(cell, sizeof cell, rows[i].worst_node, -40));
    putchar('\n');
  }
out:
  return st;
}

static vlm_status print_quantization(const vlm_pack *pack, bool verbose, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_json_doc *doc = NULL;
  vlm_json_iter it = {0};
  VLM_TRY(parse(&doc, vlm_pack_quantization(pack), "quantization", err));
  if (!doc) goto out;
  vlm_json graphs = vlm_json_member(vlm_json_root(doc), "graphs");
  printf("\n%-16s %-11s %5s %8s  %s\n", "quantization", "as", "nodes", "weights",
         "least signal to error, and where");
  while (vlm_json_next(graphs, &it)) VLM_TRY(print_graph_decisions(it.key, it.value, verbose, err));
out:
  vlm_json_free(doc);
  return st;
}

/* ---- all of it ---- */

static void print_golden(const vlm_pack *pack) {
  int32_t n;
  const vlm_pack_golden *g = vlm_pack_golden_all(pack, &n);
  vlm_show_list list;
  if (!n) return;
  printf("\ngolden cases (--verify runs them)\n");
  vlm_show_begin(&list, "  ");
  for (int32_t i = 0; i < n; i++) vlm_show_word(&list, g[i].graph);
  vlm_show_end(&list);
}

vlm_status vlm_pack_view_print(const vlm_pack_view *v, const vlm_cli *cli, vlm_error *err) {
  vlm_status st = VLM_OK;
  int32_t sections, tensors;
  vlm_pack_sections(v->pack, &sections);
  vlm_pack_tensors(v->pack, &tensors);
  printf("%s: packed model, %s, %d sections, %d tensors\n", v->path,
         vlm_show_bytes((double)vlm_pack_file_bytes(v->pack)).text, sections, tensors);
  vlm_model_view_print_totals(&v->model, "model");
  print_sections(v->pack);
  VLM_TRY(print_text("preprocessing", vlm_pack_preprocess(v->pack), err));
  VLM_TRY(print_text("provenance", vlm_pack_provenance(v->pack), err));
  VLM_TRY(print_quantization(v->pack, cli->verbose, err));
  VLM_TRY(print_tensors(v, cli, err));
  print_golden(v->pack);
  if (cli->verbose) VLM_TRY(vlm_model_view_print_graphs(&v->model, cli, err));
  else puts("\n-v shows each graph, every decision and every tensor");
out:
  return st;
}
