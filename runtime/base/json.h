/* Reading JSON: a parsed document and typed getters that name file and key when something is wrong.
 *
 * A vlm_json is a small handle passed by value; it stays valid as long as its document. A handle may be absent (a missing member):
 * every function accepts that. JSON files are untrusted: size and nesting are limited, types and ranges are checked, text is valid UTF-8.
 * Integers beyond 64 bits (as in "model_max_length": 1e30 written out) are read as real numbers. */
#ifndef VLM_PIPELINE_JSON_H
#define VLM_PIPELINE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/status.h"

#define VLM_JSON_MAX_BYTES ((size_t)256 << 20) /* default limit of vlm_json_load */

typedef struct vlm_json_doc vlm_json_doc;

typedef struct vlm_json {
  const vlm_json_doc *doc;
  const void *node; /* NULL = absent */
} vlm_json;

typedef enum vlm_json_kind {
  VLM_JSON_ABSENT,
  VLM_JSON_NULL,
  VLM_JSON_BOOL,
  VLM_JSON_INT,
  VLM_JSON_REAL,
  VLM_JSON_TEXT,
  VLM_JSON_ARRAY,
  VLM_JSON_OBJECT
} vlm_json_kind;

/* Parses `bytes` bytes of text (a byte-order mark is skipped). `source` is copied and names the text in messages.
 * Free with vlm_json_free. */
vlm_status vlm_json_parse(vlm_json_doc **out, const char *text, size_t bytes, const char *source,
                          vlm_error *err);
/* The same from a file; max_bytes 0 = VLM_JSON_MAX_BYTES, larger files are VLM_LIMIT. */
vlm_status vlm_json_load(vlm_json_doc **out, const char *path, size_t max_bytes, vlm_error *err);
void vlm_json_free(vlm_json_doc *doc);
const char *vlm_json_source(const vlm_json_doc *doc);

vlm_json vlm_json_root(const vlm_json_doc *doc);
vlm_json_kind vlm_json_type(vlm_json value);
/* Absent or null. */
bool vlm_json_is_null(vlm_json value);
/* Member of an object; absent when `object` is no object or has no such key. */
vlm_json vlm_json_member(vlm_json object, const char *key);
/* Elements of an array or members of an object; 0 for everything else. */
size_t vlm_json_size(vlm_json value);
/* Element of an array; absent when out of range. */
vlm_json vlm_json_at(vlm_json array, size_t index);

/* Walks an object's members in file order: `vlm_json_iter it = {0}; while (vlm_json_next(object, &it)) … it.key, it.value`. */
typedef struct vlm_json_iter {
  void *state;
  const char *key;
  vlm_json value;
} vlm_json_iter;
bool vlm_json_next(vlm_json object, vlm_json_iter *it);

/* A value as a C type. VLM_INPUT with file, path and found type otherwise. Integral reals count as integers. */
vlm_status vlm_json_as_bool(bool *out, vlm_json value, vlm_error *err);
vlm_status vlm_json_as_int(int64_t *out, vlm_json value, vlm_error *err);
vlm_status vlm_json_as_double(double *out, vlm_json value, vlm_error *err);
/* Zero-terminated, owned by the document; text that contains a zero character is refused. */
vlm_status vlm_json_as_text(const char **out, vlm_json value, vlm_error *err);
/* Text that may contain zero characters. */
vlm_status vlm_json_as_bytes(const char **out, size_t *bytes, vlm_json value, vlm_error *err);

/* Member `key` of `object` as a C type. Absent or null: *out stays as it is (set the default before) when OPTIONAL, VLM_INPUT when
 * REQUIRED. */
typedef enum vlm_json_need { VLM_JSON_OPTIONAL, VLM_JSON_REQUIRED } vlm_json_need;
vlm_status vlm_json_get_bool(bool *out, vlm_json object, const char *key, vlm_json_need need, vlm_error *err);
vlm_status vlm_json_get_int(int64_t *out, vlm_json object, const char *key, vlm_json_need need,
                            vlm_error *err);
/* The same within [min, max]. */
typedef struct vlm_json_range {
  int64_t min, max;
} vlm_json_range;
vlm_status vlm_json_get_int_in(int64_t *out, vlm_json object, const char *key, vlm_json_range range,
                               vlm_json_need need, vlm_error *err);
vlm_status vlm_json_get_double(double *out, vlm_json object, const char *key, vlm_json_need need,
                               vlm_error *err);
vlm_status vlm_json_get_text(const char **out, vlm_json object, const char *key, vlm_json_need need,
                             vlm_error *err);
vlm_status vlm_json_get_array(vlm_json *out, vlm_json object, const char *key, vlm_json_need need,
                              vlm_error *err);
vlm_status vlm_json_get_object(vlm_json *out, vlm_json object, const char *key, vlm_json_need need,
                               vlm_error *err);

/* Writes "FILE: PATH: message", e.g. "tokenizer.json: model.merges[3]: …", and returns `status`. For an absent value PATH is left out. */
vlm_status vlm_json_fail(vlm_json value, vlm_error *err, vlm_status status, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
