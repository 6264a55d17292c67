/* The recipe as text: what was typed and shapes the result. */
#include <stdio.h>
#include <string.h>

#include "cli/option_row.h"

/* In quotes when a shell would read it otherwise. */
static vlm_status append_word(vlm_text *out, const char *word, vlm_error *err) {
  static const char PLAIN[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./=:,+%@";
  vlm_status st = VLM_OK;
  if (*word && strspn(word, PLAIN) == strlen(word)) return vlm_text_append(out, word, strlen(word), err);
  VLM_TRY(vlm_text_append(out, "'", 1, err));
  for (const char *c = word; *c; c++)
    VLM_TRY(vlm_text_append(out, *c == '\'' ? "'\\''" : c, *c == '\'' ? 4 : 1, err));
  VLM_TRY(vlm_text_append(out, "'", 1, err));
out:
  return st;
}

static vlm_status append_option(vlm_text *out, const vlm_option_row *row, const char *value, vlm_error *err) {
  vlm_status st = VLM_OK;
  if (out->bytes) VLM_TRY(vlm_text_append(out, " ", 1, err));
  VLM_TRY(append_word(out, row->name, err));
  if (!value) goto out;
  VLM_TRY(vlm_text_append(out, " ", 1, err));
  VLM_TRY(append_word(out, value, err));
out:
  return st;
}

static vlm_status record_row(vlm_text *out, const vlm_args *args, const vlm_option_row *row, vlm_error *err) {
  vlm_status st = VLM_OK;
  char shown[512];
  vlm_args standard = {.given = {false}};
  if (row->type == VLM_TYPE_flag) return append_option(out, row, NULL, err);
  if (vlm_option_is_list(row)) {
    const vlm_option_values list = vlm_option_given_values(args, row, NULL);
    for (int i = 0; i < list.count; i++) VLM_TRY(append_option(out, row, list.items[i], err));
    goto out;
  }
  char usual[512] = "";
  if (row->standard) VLM_TRY(vlm_option_read(&standard, row, row->standard, err));
  if (row->standard) vlm_option_show(usual, sizeof usual, &standard, row);
  vlm_option_show(shown, sizeof shown, args, row);
  if (strcmp(shown, usual) != 0) VLM_TRY(append_option(out, row, shown, err));
out:
  return st;
}

static bool is_recorded(const vlm_option_row *row) { return row->recorded; }
static bool is_measured(const vlm_option_row *row) { return row->measured; }

static vlm_status record(vlm_text *out, const vlm_args *args, bool (*wanted)(const vlm_option_row *row),
                         vlm_error *err) {
  vlm_status st = VLM_OK;
  for (int i = 0; i < VLM_OPT_COUNT; i++)
    if (args->given[i] && wanted(&vlm_option_rows[i]))
      VLM_TRY(record_row(out, args, &vlm_option_rows[i], err));
out:
  return st;
}

vlm_status vlm_args_record(vlm_text *out, const vlm_args *args, vlm_error *err) {
  return record(out, args, is_recorded, err);
}
vlm_status vlm_args_measured(vlm_text *out, const vlm_args *args, vlm_error *err) {
  return record(out, args, is_measured, err);
}
