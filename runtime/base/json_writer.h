/* Writing JSON: a deterministic text builder. Members appear in call order; numbers are the shortest text that reads back the same.
 *
 * Calls never fail one by one: the first failure (memory, wrong nesting) is kept and returned by vlm_json_writer_text.
 *   vlm_json_open_object(w, NULL); vlm_json_put_int(w, "samples", 8); vlm_json_open_array(w, "ids"); vlm_json_put_int(w, NULL, 3); …
 * `key` is the member name inside an object and NULL inside an array or at the top. Text must be UTF-8; bad bytes become U+FFFD. */
#ifndef VLM_PIPELINE_JSON_WRITER_H
#define VLM_PIPELINE_JSON_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/status.h"

typedef struct vlm_json_writer vlm_json_writer;

/* indent 0 = one line, else that many spaces per level. */
vlm_status vlm_json_writer_create(vlm_json_writer **out, int indent, vlm_error *err);
void vlm_json_writer_free(vlm_json_writer *writer);
/* Empties the writer, so that one writer serves many lines. */
void vlm_json_writer_reset(vlm_json_writer *writer);

void vlm_json_open_object(vlm_json_writer *writer, const char *key);
void vlm_json_close_object(vlm_json_writer *writer);
void vlm_json_open_array(vlm_json_writer *writer, const char *key);
void vlm_json_close_array(vlm_json_writer *writer);
/* text NULL = null. */
void vlm_json_put_text(vlm_json_writer *writer, const char *key, const char *text);
void vlm_json_put_bytes(vlm_json_writer *writer, const char *key, const char *text, size_t bytes);
void vlm_json_put_int(vlm_json_writer *writer, const char *key, int64_t value);
/* NaN and infinities become null. */
void vlm_json_put_double(vlm_json_writer *writer, const char *key, double value);
void vlm_json_put_bool(vlm_json_writer *writer, const char *key, bool value);
void vlm_json_put_null(vlm_json_writer *writer, const char *key);

/* The finished text, zero-terminated, without a final newline; owned by the writer, valid until the next call on it.
 * Fails when an earlier call failed or something is still open. bytes may be NULL. */
vlm_status vlm_json_writer_text(const vlm_json_writer *writer, const char **text, size_t *bytes,
                                vlm_error *err);

#endif
