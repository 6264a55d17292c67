/* Texts of the command line into the fields of vlm_args, by the type of the row. */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cli/option_row.h"
#include "runtime/base/memory.h"

typedef vlm_status read_value(void *field, const vlm_option_row *row, const char *text, vlm_error *err);

/* ---- numbers ---- */

static bool has_bounds(const vlm_option_row *row) { return row->low != 0 || row->high != 0; }

static vlm_status wanted(const vlm_option_row *row, const char *text, const char *what, vlm_error *err) {
  return vlm_fail(err, VLM_USAGE, "%s %s: wanted %s from %lld to %lld", row->name, text, what,
                  (long long)row->low, (long long)row->high);
}

static vlm_status read_integer(void *field, const vlm_option_row *row, const char *text, vlm_error *err) {
  char *end;
  errno = 0;
  long long value = strtoll(text, &end, 10);
  bool good = !*end && end != text && !errno;
  if (!good && !has_bounds(row))
    return vlm_fail(err, VLM_USAGE, "%s %s: wanted a whole number", row->name, text);
  if (!good || (has_bounds(row) && (value < row->low || value > row->high)))
    return wanted(row, text, "a whole number", err);
  *(int64_t *)field = value;
  return VLM_OK;
}

/* Digits, point, sign, exponent: no hexadecimal, no infinity. unit: may follow, with a blank or without. */
static bool parse_number(double *out, const char *text, const char *unit) {
  char *end;
  *out = strtod(text, &end);
  size_t plain = strspn(text, " +-.0123456789eE");
  if (end == text || (size_t)(end - text) > plain || !isfinite(*out)) return false;
  while (unit && *end == ' ') end++;
  return !*end || (unit && strcasecmp(end, unit) == 0);
}

static vlm_status read_scaled(void *field, const vlm_option_row *row, const char *text, const char *unit,
                              vlm_error *err) {
  double value;
  const char *comma = strchr(text, ',');
  if (!parse_number(&value, text, unit)) {
    if (comma)
      return vlm_fail(err, VLM_USAGE, "%s %s: write %.*s.%s", row->name, text, (int)(comma - text), text,
                      comma + 1);
    return vlm_fail(err, VLM_USAGE, "%s %s: wanted a number", row->name, text);
  }
  if (has_bounds(row) && (value < (double)row->low || value > (double)row->high)) {
    if (row->high < INT32_MAX) return wanted(row, text, "a number", err);
    return vlm_fail(err, VLM_USAGE, "%s %s: wanted %lld or more", row->name, text, (long long)row->low);
  }
  *(double *)field = value;
  return VLM_OK;
}

static vlm_status read_number(void *field, const vlm_option_row *row, const char *text, vlm_error *err) {
  return read_scaled(field, row, text, row->unit, err);
}

static vlm_status read_percent(void *field, const vlm_option_row *row, const char *text, vlm_error *err) {
  return read_scaled(field, row, text, "%", err);
}

/* ---- names ---- */

/* "percentile[:P]" of the list meets "percentile" and "percentile:99". */
static bool meets(const vlm_slice *choice, const char *text) {
  const char *open = memchr(choice->data, '[', choice->bytes);
  size_t stem = open ? (size_t)(open - choice->data) : choice->bytes;
  if (strncmp(text, choice->data, stem) != 0) return false;
  return !text[stem] || (open && text[stem] == open[1] && text[stem + 1]);
}

static vlm_status choose(int *out, const vlm_option_row *row, const char *text, vlm_error *err) {
  vlm_slice choice;
  int index = 0;
  for (const char *at = row->choices; vlm_next_word(&at, &choice); index++)
    if (meets(&choice, text)) {
      *out = index;
      return VLM_OK;
    }
  int length = (int)strlen(row->choices);
  while (length > 0 && row->choices[length - 1] == ' ') length--;
  return vlm_fail(err, VLM_USAGE, "%s %s: known are %.*s", row->name, text, length, row->choices);
}

static vlm_status read_choice(void *field, const vlm_option_row *row, const char *text, vlm_error *err) {
  return choose(field, row, text, err);
}

static vlm_status check_text(const vlm_option_row *row, const char *text, vlm_error *err) {
  vlm_status st = VLM_OK;
  int index;
  if (row->choices) VLM_TRY(choose(&index, row, text, err));
  if (row->check) VLM_TRY(row->check(text, err));
  if (row->named) {
    const char *equals = strchr(text, '=');
    VLM_CHECK(equals && equals > text && equals[1], err, VLM_USAGE, "%s %s: wanted %s", row->name, text,
              row->value);
  }
out:
  return st;
}

static vlm_status read_text(void *field, const vlm_option_row *row, const char *text, vlm_error *err) {
  vlm_status st = check_text(row, text, err);
  if (st == VLM_OK) *(const char **)field = text;
  return st;
}

static vlm_status read_texts(void *field, const vlm_option_row *row, const char *text, vlm_error *err) {
  vlm_option_values *list = field;
  vlm_status st = VLM_OK;
  VLM_TRY(check_text(row, text, err));
  VLM_TRY(vlm_more(&list->items, list->count, list->count + 1, err));
  list->items[list->count++] = text;
out:
  return st;
}

/* ---- paths: whether they can be read or written is asked later ---- */

static vlm_status check_path(const vlm_option_row *row, const char *text, vlm_error *err) {
  if (!*text) return vlm_fail(err, VLM_USAGE, "%s is empty: wanted %s", row->name, row->value);
  return check_text(row, text, err);
}

static vlm_status read_path(void *field, const vlm_option_row *row, const char *text, vlm_error *err) {
  vlm_status st = check_path(row, text, err);
  if (st == VLM_OK) *(const char **)field = text;
  return st;
}

static vlm_status read_paths(void *field, const vlm_option_row *row, const char *text, vlm_error *err) {
  vlm_status st = check_path(row, text, err);
  return st == VLM_OK ? read_texts(field, row, text, err) : st;
}

static vlm_status read_flag(void *field, const vlm_option_row *row, const char *text, vlm_error *err) {
  (void)row, (void)text, (void)err;
  *(bool *)field = true;
  return VLM_OK;
}

vlm_status vlm_option_read(vlm_args *args, const vlm_option_row *row, const char *text, vlm_error *err) {
  static read_value *const READ[] = {
      [VLM_TYPE_flag] = read_flag,       [VLM_TYPE_integer] = read_integer, [VLM_TYPE_number] = read_number,
      [VLM_TYPE_percent] = read_percent, [VLM_TYPE_choice] = read_choice,   [VLM_TYPE_text] = read_text,
      [VLM_TYPE_texts] = read_texts,     [VLM_TYPE_file_in] = read_path,    [VLM_TYPE_paths] = read_paths,
      [VLM_TYPE_file_out] = read_path,   [VLM_TYPE_folder_out] = read_path, [VLM_TYPE_json_out] = read_path,
  };
  return READ[row->type]((char *)args + row->target, row, text, err);
}

void vlm_option_show(char *out, size_t size, const vlm_args *args, const vlm_option_row *row) {
  const void *field = (const char *)args + row->target;
  const char *at = row->choices;
  vlm_slice choice = {"", 0};
  *out = 0;
  if (row->type == VLM_TYPE_integer) snprintf(out, size, "%lld", (long long)*(const int64_t *)field);
  else if (row->type == VLM_TYPE_number || row->type == VLM_TYPE_percent)
    snprintf(out, size, "%.15g", *(const double *)field);
  else if (row->type == VLM_TYPE_choice) {
    for (int i = *(const int *)field; i >= 0 && vlm_next_word(&at, &choice);) i--;
    snprintf(out, size, "%.*s", (int)choice.bytes, choice.data);
  } else if (row->type != VLM_TYPE_flag && !vlm_option_is_list(row)) {
    const char *text = *(const char *const *)field;
    snprintf(out, size, "%s", text ? text : "");
  }
}
