#include "runtime/base/status.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

typedef struct {
  const char *name, *text;
  int exit_code;
} status_row;

static const status_row ROWS[] = {
#define X(name, exit_code, text) {#name, text, exit_code},
    VLM_STATUSES(X)
#undef X
};
enum { ROW_COUNT = sizeof ROWS / sizeof ROWS[0] };

static const status_row *row_of(vlm_status status) {
  return (unsigned)status < ROW_COUNT ? &ROWS[status] : &ROWS[VLM_INTERNAL];
}

const char *vlm_status_name(vlm_status status) { return row_of(status)->name; }
const char *vlm_status_text(vlm_status status) { return row_of(status)->text; }
int vlm_status_exit_code(vlm_status status) { return row_of(status)->exit_code; }
vlm_status vlm_errno_status(vlm_status otherwise) { return errno == ENOMEM ? VLM_MEMORY : otherwise; }

void vlm_error_set(vlm_error *err, vlm_status status, const char *format, ...) {
  if (!err) return;
  va_list args;
  va_start(args, format);
  vsnprintf(err->text, sizeof err->text, format, args);
  va_end(args);
  err->status = status;
}

vlm_status vlm_error_context(vlm_error *err, const char *format, ...) {
  if (!err) return VLM_INTERNAL;
  char context[sizeof err->text], joined[2 * sizeof err->text + 2];
  va_list args;
  va_start(args, format);
  vsnprintf(context, sizeof context, format, args);
  va_end(args);
  snprintf(joined, sizeof joined, "%s: %s", context, err->text);
  memcpy(err->text, joined, sizeof err->text - 1);
  err->text[sizeof err->text - 1] = 0;
  return err->status;
}
