/* --records: a line per image, as JSON lines or CSV. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "calib/folder.h"
#include "cli/eval.h"
#include "cli/option_row.h"
#include "runtime/base/file.h"
#include "runtime/base/memory.h"

typedef enum { CELL_TEXT, CELL_NUMBER, CELL_COUNT, CELL_FLAG } cell_kind;

/* A column and its value; texts and numbers that are not there are NULL and NaN. */
typedef struct {
  const char *name;
  cell_kind kind;
  const char *text;
  double number;
} cell;

struct vlm_eval_records {
  FILE *file;
  const char *path;
  bool csv, headed;
  vlm_json_writer *json;
};

vlm_status vlm_form_records(const char *text, vlm_error *err) {
  if (vlm_path_has_suffix(text, ".jsonl") || vlm_path_has_suffix(text, ".csv")) return VLM_OK;
  return vlm_fail(err, VLM_USAGE, "--records %s: wanted FILE.jsonl or FILE.csv", text);
}

/* ---- columns ---- */

#define TEXT(name, value) \
  { name, CELL_TEXT, value, 0 }
#define NUMBER(name, value) \
  { name, CELL_NUMBER, NULL, value }
#define NUMBERED(name, value) \
  { name, CELL_COUNT, NULL, (double)(value) }
#define FLAG(name, value) \
  { name, CELL_FLAG, NULL, value }

static double if_there(int64_t value) { return value < 0 ? NAN : (double)value; }

/* A candidate's columns are empty without one. */
static double of_both(const vlm_eval_item *i, double value) { return i->captions[1] ? value : NAN; }

enum { COLUMNS = 13 };
typedef cell row[COLUMNS];

static int answer_row(row out, const vlm_eval_item *i) {
  const row cells = {TEXT("image", i->key),
                     TEXT("prompt", i->prompt),
                     TEXT("reference", i->captions[0]),
                     TEXT("candidate", i->captions[1]),
                     FLAG("exact", of_both(i, i->exact)),
                     NUMBERED("first_divergence", if_there(i->first_divergence)),
                     NUMBER("kl_mean", i->kl_mean),
                     NUMBERED("reference_tokens", i->tokens[0]),
                     NUMBERED("candidate_tokens", of_both(i, (double)i->tokens[1])),
                     NUMBER("reference_ms", i->total_ms[0]),
                     NUMBER("candidate_ms", i->total_ms[1]),
                     NUMBER("reference_cider_d", i->cider_d[0]),
                     NUMBER("candidate_cider_d", i->cider_d[1])};
  memcpy(out, cells, sizeof cells);
  return COLUMNS;
}

static int output_row(row out, const vlm_graph_item *i) {
  const bool both = i->ms[1] > 0;
  const cell cells[] = {TEXT("sample", i->key),
                        NUMBER("sqnr_db", i->min_db),
                        NUMBER("agreement", i->agreement),
                        NUMBERED("label", if_there(i->label)),
                        NUMBERED("reference_place", i->label < 0 ? NAN : (double)i->place[0]),
                        NUMBERED("candidate_place", i->label < 0 || !both ? NAN : (double)i->place[1]),
                        NUMBER("reference_ms", i->ms[0]),
                        NUMBER("candidate_ms", both ? i->ms[1] : NAN)};
  memcpy(out, cells, sizeof cells);
  return (int)(sizeof cells / sizeof *cells);
}

/* ---- forms ---- */

static bool is_there(const cell *c) { return c->kind == CELL_TEXT ? c->text != NULL : !isnan(c->number); }

static vlm_status write_json(vlm_eval_records *r, const cell *cells, int n, vlm_error *err) {
  vlm_status st = VLM_OK;
  const char *text;
  vlm_json_writer_reset(r->json);
  vlm_json_open_object(r->json, NULL);
  for (int k = 0; k < n; k++) {
    const cell *c = &cells[k];
    if (!is_there(c)) vlm_json_put_null(r->json, c->name);
    else if (c->kind == CELL_TEXT) vlm_json_put_text(r->json, c->name, c->text);
    else if (c->kind == CELL_FLAG) vlm_json_put_bool(r->json, c->name, c->number != 0);
    else if (c->kind == CELL_COUNT) vlm_json_put_int(r->json, c->name, (int64_t)c->number);
    else vlm_json_put_double(r->json, c->name, c->number);
  }
  vlm_json_close_object(r->json);
  VLM_TRY(vlm_json_writer_text(r->json, &text, NULL, err));
  fprintf(r->file, "%s\n", text);
out:
  return st;
}

/* RFC 4180: quotes around what holds a comma, a quote or a line end. */
static void write_quoted(FILE *file, const char *text) {
  if (!strpbrk(text, ",\"\r\n")) {
    fputs(text, file);
    return;
  }
  fputc('"', file);
  for (; *text; text++) fprintf(file, *text == '"' ? "\"\"" : "%c", *text);
  fputc('"', file);
}

static void write_csv(vlm_eval_records *r, const cell *cells, int n) {
  for (int k = 0; k < n && !r->headed; k++) fprintf(r->file, "%s%s", k ? "," : "", cells[k].name);
  if (!r->headed) fputc('\n', r->file);
  r->headed = true;
  for (int k = 0; k < n; k++) {
    const cell *c = &cells[k];
    if (k) fputc(',', r->file);
    if (!is_there(c)) continue;
    if (c->kind == CELL_TEXT) write_quoted(r->file, c->text);
    else if (c->kind == CELL_FLAG) fputs(c->number != 0 ? "true" : "false", r->file);
    else fprintf(r->file, "%.15g", c->number);
  }
  fputc('\n', r->file);
}

static vlm_status write_row(vlm_eval_records *r, const cell *cells, int n, vlm_error *err) {
  vlm_status st = VLM_OK;
  if (r->csv) write_csv(r, cells, n);
  else VLM_TRY(write_json(r, cells, n, err));
  VLM_CHECK(fflush(r->file) == 0, err, VLM_IO, "%s: cannot be written: %s", r->path, strerror(errno));
out:
  return st;
}

/* ---- */

vlm_status vlm_eval_records_open(vlm_eval_records **out, const vlm_eval_job *job, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_eval_records *r = NULL;
  const char *path = job->cli->args->records;
  *out = NULL;
  if (!path) return VLM_OK;
  VLM_TRY(vlm_new(&r, 1, err));
  r->path = path;
  r->csv = vlm_path_has_suffix(path, ".csv");
  VLM_TRY(vlm_json_writer_create(&r->json, 0, err));
  r->file = fopen(path, "w");
  VLM_CHECK(r->file, err, vlm_errno_status(VLM_IO), "%s: cannot be written: %s", path, strerror(errno));
  *out = r;
out:
  if (st != VLM_OK) vlm_eval_records_free(r);
  return st;
}

vlm_status vlm_eval_records_answer(void *records, const vlm_eval_item *item, vlm_error *err) {
  row cells;
  const int n = answer_row(cells, item);
  return records ? write_row(records, cells, n, err) : VLM_OK;
}

vlm_status vlm_eval_records_output(void *records, const vlm_graph_item *item, vlm_error *err) {
  row cells;
  const int n = output_row(cells, item);
  return records ? write_row(records, cells, n, err) : VLM_OK;
}

vlm_status vlm_eval_records_close(vlm_eval_records *r, const vlm_flow_evaluation *e, vlm_error *err) {
  vlm_status st = VLM_OK;
  char *text = NULL;
  size_t bytes = 0;
  if (!r || e->graph || !e->answers.scored) return VLM_OK;
  fclose(r->file);
  r->headed = false;
  r->file = open_memstream(&text, &bytes);
  VLM_CHECK(r->file, err, VLM_MEMORY, "%s: no memory for its lines", r->path);
  for (int64_t i = 0; i < e->answers.images; i++)
    VLM_TRY(vlm_eval_records_answer(r, &e->answers.items[i], err));
  VLM_TRY(vlm_file_write(r->path, text, bytes, err));
out:
  if (r->file) fclose(r->file);
  r->file = NULL;
  free(text);
  return st;
}

void vlm_eval_records_free(vlm_eval_records *r) {
  if (!r) return;
  if (r->file) fclose(r->file);
  vlm_json_writer_free(r->json);
  vlm_free(r);
}
