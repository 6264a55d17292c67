#include <stdlib.h>
#include <string.h>

#include "eval/metrics_only.h"
#include "runtime/base/file.h"

/* The number before the tab of a line; leaves *line behind the tab. false when there is none. */
static bool read_number(char **line, long long *number) {
  char *end;
  if (**line < '0' || **line > '9') return false;
  *number = strtoll(*line, &end, 10);
  if (*end != '\t') return false;
  *line = end + 1;
  return true;
}

static vlm_status read_header(vlm_df_file *out, char *line, const char *path, vlm_error *err) {
  vlm_status st = VLM_OK;
  char *end;
  VLM_CHECK(strncmp(line, "#n_images\t", 10) == 0, err, VLM_INPUT, "%s: line 1: wanted \"#n_images<TAB>N\"",
            path);
  out->table.n_images = strtoll(line + 10, &end, 10);
  VLM_CHECK(!*end && out->table.n_images > 0, err, VLM_INPUT,
            "%s: line 1: the number of images is not a positive integer", path);
out:
  return st;
}

vlm_status vlm_df_file_load(vlm_df_file *out, const char *path, vlm_error *err) {
  vlm_status st = VLM_OK;
  size_t lines = 1;
  *out = (vlm_df_file){.text = NULL};
  VLM_TRY(vlm_file_read_text(&out->text, path, err));
  for (const char *c = out->text; *c; c++) lines += *c == '\n';
  VLM_TRY(vlm_new(&out->ngrams, lines, err));
  VLM_TRY(vlm_new(&out->df, lines, err));
  char *line = out->text;
  for (size_t k = 1; line && *line; k++) {
    char *end = strchr(line, '\n');
    long long df = 0;
    if (end) *end++ = 0;
    if (k == 1) {
      VLM_TRY(read_header(out, line, path, err));
    } else if (*line) {
      VLM_CHECK(read_number(&line, &df) && *line, err, VLM_INPUT, "%s: line %zu: wanted \"DF<TAB>n-gram\"",
                path, k);
      VLM_CHECK(df <= out->table.n_images && df <= INT32_MAX, err, VLM_INPUT,
                "%s: line %zu: document frequency %lld of %lld images", path, k, df,
                (long long)out->table.n_images);
      out->ngrams[out->table.count] = line;
      out->df[out->table.count++] = (int32_t)df;
    }
    line = end;
  }
  VLM_CHECK(out->table.n_images > 0, err, VLM_INPUT, "%s: the file is empty", path);
  out->table.ngrams = out->ngrams;
  out->table.df = out->df;
out:
  if (st != VLM_OK) vlm_df_file_free(out);
  return st;
}

void vlm_df_file_free(vlm_df_file *file) {
  vlm_free(file->text);
  vlm_free(file->ngrams);
  vlm_free(file->df);
  *file = (vlm_df_file){.text = NULL};
}
