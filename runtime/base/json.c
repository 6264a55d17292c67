#include "runtime/base/json.h"

#include <jansson.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "runtime/base/file.h"
#include "runtime/base/memory.h"
#include "runtime/base/unconst.h"

struct vlm_json_doc {
  json_t *root;
  char *source;
};

/* ---- parsing ---- */

static json_t *parse_root(const char *text, size_t bytes, json_error_t *error) {
  const size_t flags = JSON_DECODE_ANY | JSON_ALLOW_NUL;
  json_t *root = json_loadb(text, bytes, flags, error);
  if (!root && json_error_code(error) == json_error_numeric_overflow) {
    root = json_loadb(text, bytes, flags | JSON_DECODE_INT_AS_REAL, error);
  }
  return root;
}

/* Jansson has a code for memory, yet often leaves it out: it tells nothing at all, or that a string which it could not store is no string. */
static bool is_out_of_memory(const json_error_t *error) {
  return json_error_code(error) == json_error_out_of_memory || !error->text[0] ||
         strstr(error->text, "string or '}' expected near '\"") ||
         strstr(error->text, "invalid token near '\"");
}

vlm_status vlm_json_parse(vlm_json_doc **out, const char *text, size_t bytes, const char *source,
                          vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_json_doc *doc = NULL;
  void *memory = NULL;
  json_error_t error = {0};
  *out = NULL;
  if (bytes >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) {
    text += 3;
    bytes -= 3;
  }
  VLM_TRY(vlm_alloc(&memory, 1, sizeof *doc, err));
  doc = memory;
  VLM_TRY(vlm_strdup(&doc->source, source ? source : "JSON text", err));
  doc->root = parse_root(text, bytes, &error);
  VLM_CHECK(doc->root || !is_out_of_memory(&error), err, VLM_MEMORY,
            "%s: out of memory while parsing %zu bytes", doc->source, bytes);
  VLM_CHECK(doc->root, err, VLM_INPUT, "%s: line %d column %d: not valid JSON: %s", doc->source, error.line,
            error.column, error.text);
  *out = doc;
  doc = NULL;
out:
  vlm_json_free(doc);
  return st;
}

vlm_status vlm_json_load(vlm_json_doc **out, const char *path, size_t max_bytes, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_file file = {0};
  const size_t limit = max_bytes ? max_bytes : VLM_JSON_MAX_BYTES;
  *out = NULL;
  VLM_TRY(vlm_file_map(&file, path, err));
  VLM_CHECK(file.bytes <= limit, err, VLM_LIMIT, "%s: JSON file of %zu bytes, at most %zu are read", path,
            file.bytes, limit);
  VLM_TRY(vlm_json_parse(out, (const char *)file.data, file.bytes, path, err));
out:
  vlm_file_unmap(&file);
  return st;
}

void vlm_json_free(vlm_json_doc *doc) {
  if (!doc) return;
  json_decref(doc->root);
  vlm_free(doc->source);
  vlm_free(doc);
}

const char *vlm_json_source(const vlm_json_doc *doc) { return doc->source; }

/* ---- walking ---- */

static const json_t *node_of(vlm_json value) { return value.node; }
static vlm_json make(const vlm_json_doc *doc, const json_t *node) { return (vlm_json){doc, node}; }

vlm_json vlm_json_root(const vlm_json_doc *doc) { return make(doc, doc->root); }

vlm_json_kind vlm_json_type(vlm_json value) {
  if (!value.node) return VLM_JSON_ABSENT;
  switch (json_typeof(node_of(value))) {
    case JSON_NULL: return VLM_JSON_NULL;
    case JSON_TRUE:
    case JSON_FALSE: return VLM_JSON_BOOL;
    case JSON_INTEGER: return VLM_JSON_INT;
    case JSON_REAL: return VLM_JSON_REAL;
    case JSON_STRING: return VLM_JSON_TEXT;
    case JSON_ARRAY: return VLM_JSON_ARRAY;
    case JSON_OBJECT: return VLM_JSON_OBJECT;
  }
  return VLM_JSON_ABSENT;
}

bool vlm_json_is_null(vlm_json value) { return vlm_json_type(value) <= VLM_JSON_NULL; }

vlm_json vlm_json_member(vlm_json object, const char *key) {
  return make(object.doc, object.node ? json_object_get(node_of(object), key) : NULL);
}

size_t vlm_json_size(vlm_json value) {
  const vlm_json_kind kind = vlm_json_type(value);
  if (kind == VLM_JSON_ARRAY) return json_array_size(node_of(value));
  return kind == VLM_JSON_OBJECT ? json_object_size(node_of(value)) : 0;
}

vlm_json vlm_json_at(vlm_json array, size_t index) {
  return make(array.doc, array.node ? json_array_get(node_of(array), index) : NULL);
}

bool vlm_json_next(vlm_json object, vlm_json_iter *it) {
  if (vlm_json_type(object) != VLM_JSON_OBJECT) return false;
  json_t *node =
      vlm_unconst(object.node); /* jansson iterates through a non-const pointer, but does not write */
  it->state = it->state ? json_object_iter_next(node, it->state) : json_object_iter(node);
  if (!it->state) return false;
  it->key = json_object_iter_key(it->state);
  it->value = make(object.doc, json_object_iter_value(it->state));
  return true;
}

/* ---- messages ---- */

/* Writes the path of `target` below `node` into text; false when it is not there. Only run when something failed. */
static bool find_path(const json_t *node, const json_t *target, char *text, size_t size, size_t used) {
  if (node == target) return true;
  const char *key;
  json_t *child;
  json_object_foreach((json_t *)vlm_unconst(node), key, child) {
    const int n = snprintf(text + used, size - used, "%s%s", used ? "." : "", key);
    if (n > 0 && used + (size_t)n < size && find_path(child, target, text, size, used + (size_t)n))
      return true;
  }
  size_t index;
  json_array_foreach((json_t *)vlm_unconst(node), index, child) {
    const int n = snprintf(text + used, size - used, "[%zu]", index);
    if (n > 0 && used + (size_t)n < size && find_path(child, target, text, size, used + (size_t)n))
      return true;
  }
  text[used] = 0;
  return false;
}

vlm_status vlm_json_fail(vlm_json value, vlm_error *err, vlm_status status, const char *format, ...) {
  char message[512], path[256] = "";
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(message, sizeof message, format, arguments);
  va_end(arguments);
  if (value.node) find_path(value.doc->root, value.node, path, sizeof path, 0);
  return vlm_fail(err, status, "%s: %s%s%s", value.doc ? value.doc->source : "JSON", path,
                  path[0] ? ": " : "", message);
}

static const char *kind_name(vlm_json value) {
  static const char *const names[] = {"nothing",       "null", "a boolean", "an integer",
                                      "a real number", "text", "an array",  "an object"};
  return names[vlm_json_type(value)];
}

static vlm_status wrong_type(vlm_json value, const char *wanted, vlm_error *err) {
  return vlm_json_fail(value, err, VLM_INPUT, "got %s, wanted %s", kind_name(value), wanted);
}

/* ---- values ---- */

vlm_status vlm_json_as_bool(bool *out, vlm_json value, vlm_error *err) {
  if (vlm_json_type(value) != VLM_JSON_BOOL) return wrong_type(value, "a boolean", err);
  *out = json_is_true(node_of(value));
  return VLM_OK;
}

vlm_status vlm_json_as_int(int64_t *out, vlm_json value, vlm_error *err) {
  const vlm_json_kind kind = vlm_json_type(value);
  if (kind == VLM_JSON_INT) {
    *out = json_integer_value(node_of(value));
    return VLM_OK;
  }
  if (kind != VLM_JSON_REAL) return wrong_type(value, "an integer", err);
  const double real = json_real_value(node_of(value));
  if (!(real >= -9007199254740992.0 && real <= 9007199254740992.0) || real != (double)(int64_t)real) {
    return vlm_json_fail(value, err, VLM_INPUT, "got %.17g, wanted an integer", real);
  }
  *out = (int64_t)real;
  return VLM_OK;
}

vlm_status vlm_json_as_double(double *out, vlm_json value, vlm_error *err) {
  if (vlm_json_type(value) != VLM_JSON_INT && vlm_json_type(value) != VLM_JSON_REAL)
    return wrong_type(value, "a number", err);
  *out = json_number_value(node_of(value));
  return VLM_OK;
}

vlm_status vlm_json_as_bytes(const char **out, size_t *bytes, vlm_json value, vlm_error *err) {
  if (vlm_json_type(value) != VLM_JSON_TEXT) return wrong_type(value, "text", err);
  *out = json_string_value(node_of(value));
  *bytes = json_string_length(node_of(value));
  return VLM_OK;
}

vlm_status vlm_json_as_text(const char **out, vlm_json value, vlm_error *err) {
  vlm_status st = VLM_OK;
  const char *text = NULL;
  size_t bytes = 0;
  VLM_TRY(vlm_json_as_bytes(&text, &bytes, value, err));
  if (strlen(text) != bytes) return vlm_json_fail(value, err, VLM_INPUT, "text contains a zero character");
  *out = text;
out:
  return st;
}

/* ---- members ---- */

/* The member, checked for presence: *there tells whether there is something to convert. */
static vlm_status take(vlm_json *value, bool *there, vlm_json object, const char *key, vlm_json_need need,
                       vlm_error *err) {
  *value = vlm_json_member(object, key);
  *there = !vlm_json_is_null(*value);
  if (*there || need == VLM_JSON_OPTIONAL) return VLM_OK;
  if (vlm_json_type(object) != VLM_JSON_OBJECT) return wrong_type(object, "an object", err);
  return vlm_json_fail(object, err, VLM_INPUT, "member \"%s\" is missing", key);
}

#define VLM_JSON_GET(name, type)                                                                  \
  vlm_status vlm_json_get_##name(type *out, vlm_json object, const char *key, vlm_json_need need, \
                                 vlm_error *err) {                                                \
    vlm_status st = VLM_OK;                                                                       \
    vlm_json value;                                                                               \
    bool there;                                                                                   \
    VLM_TRY(take(&value, &there, object, key, need, err));                                        \
    if (there) st = vlm_json_as_##name(out, value, err);                                          \
  out:                                                                                            \
    return st;                                                                                    \
  }
VLM_JSON_GET(bool, bool)
VLM_JSON_GET(int, int64_t)
VLM_JSON_GET(double, double)
VLM_JSON_GET(text, const char *)
#undef VLM_JSON_GET

vlm_status vlm_json_get_int_in(int64_t *out, vlm_json object, const char *key, vlm_json_range range,
                               vlm_json_need need, vlm_error *err) {
  vlm_status st = VLM_OK;
  int64_t number = 0;
  const vlm_json value = vlm_json_member(object, key);
  VLM_TRY(vlm_json_get_int(&number, object, key, need, err));
  if (vlm_json_is_null(value)) return VLM_OK;
  if (number < range.min || number > range.max) {
    return vlm_json_fail(value, err, VLM_INPUT, "got %lld, wanted %lld to %lld", (long long)number,
                         (long long)range.min, (long long)range.max);
  }
  *out = number;
out:
  return st;
}

static vlm_status get_container(vlm_json *out, vlm_json object, const char *key, vlm_json_kind kind,
                                vlm_json_need need, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_json value;
  bool there;
  VLM_TRY(take(&value, &there, object, key, need, err));
  if (!there) return VLM_OK;
  if (vlm_json_type(value) != kind)
    return wrong_type(value, kind == VLM_JSON_ARRAY ? "an array" : "an object", err);
  *out = value;
out:
  return st;
}

vlm_status vlm_json_get_array(vlm_json *out, vlm_json object, const char *key, vlm_json_need need,
                              vlm_error *err) {
  return get_container(out, object, key, VLM_JSON_ARRAY, need, err);
}

vlm_status vlm_json_get_object(vlm_json *out, vlm_json object, const char *key, vlm_json_need need,
                               vlm_error *err) {
  return get_container(out, object, key, VLM_JSON_OBJECT, need, err);
}
