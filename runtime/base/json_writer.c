#include "runtime/base/json_writer.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/base/utf8.h"

enum { MAX_DEPTH = 64 };

struct vlm_json_writer {
  char *text;
  size_t bytes, room;
  int indent, depth;
  char closers[MAX_DEPTH]; /* '}' or ']' of each open level */
  bool filled[MAX_DEPTH];  /* the level has an element already */
  bool done;               /* a top-level value is complete */
  vlm_error failure;       /* first failure; status OK = none */
};

vlm_status vlm_json_writer_create(vlm_json_writer **out, int indent, vlm_error *err) {
  void *memory = NULL;
  const vlm_status st = vlm_alloc(&memory, 1, sizeof **out, err);
  *out = memory;
  if (st == VLM_OK) (*out)->indent = indent < 0 ? 0 : indent > 8 ? 8 : indent;
  return st;
}

void vlm_json_writer_free(vlm_json_writer *writer) {
  if (!writer) return;
  vlm_free(writer->text);
  vlm_free(writer);
}

void vlm_json_writer_reset(vlm_json_writer *writer) {
  writer->bytes = 0;
  writer->depth = 0;
  writer->done = false;
  writer->failure.status = VLM_OK;
}

static void append(vlm_json_writer *w, const char *data, size_t bytes) {
  if (w->failure.status != VLM_OK) return;
  if (bytes >= w->room - w->bytes) {
    void *memory = w->text;
    const size_t room = (w->room + bytes + 64) * 2;
    if (vlm_grow(&memory, w->room, room, 1, &w->failure) != VLM_OK) return;
    w->text = memory;
    w->room = room;
  }
  memcpy(w->text + w->bytes, data, bytes);
  w->bytes += bytes;
  w->text[w->bytes] = 0;
}

static void append_text(vlm_json_writer *w, const char *text) { append(w, text, strlen(text)); }

static void refuse(vlm_json_writer *w, const char *what) {
  if (w->failure.status == VLM_OK) vlm_fail(&w->failure, VLM_INTERNAL, "JSON writer: %s", what);
}

static void new_line(vlm_json_writer *w) {
  static const char spaces[] = "                ";
  if (!w->indent) return;
  append(w, "\n", 1);
  for (int n = w->indent * w->depth; n > 0; n -= 16) append(w, spaces, n < 16 ? (size_t)n : 16);
}

static void append_escape(vlm_json_writer *w, unsigned char c) {
  static const char names[] = "\"\"\\\\\bb\ff\nn\rr\tt"; /* character, letter after the backslash */
  char text[8];
  for (size_t i = 0; i + 1 < sizeof names; i += 2) {
    if ((unsigned char)names[i] != c) continue;
    append(w, (char[]){'\\', names[i + 1]}, 2);
    return;
  }
  snprintf(text, sizeof text, "\\u%04x", c);
  append_text(w, text);
}

static void append_quoted(vlm_json_writer *w, const char *text, size_t bytes) {
  append(w, "\"", 1);
  for (size_t i = 0; i < bytes;) {
    uint32_t code;
    const size_t used = vlm_utf8_next(text + i, bytes - i, &code);
    if (code < 0x20 || code == '"' || code == '\\' || code == 0x7F) append_escape(w, (unsigned char)code);
    else if (code == VLM_UTF8_BAD) append(w, "\xEF\xBF\xBD", 3);
    else append(w, text + i, used);
    i += used;
  }
  append(w, "\"", 1);
}

/* Everything in front of a value: comma, line break, key. False when the value may not stand here. */
static bool lead(vlm_json_writer *w, const char *key) {
  const bool in_object = w->depth > 0 && w->closers[w->depth - 1] == '}';
  if (w->depth == 0 && w->done) refuse(w, "a second value at the top");
  if (in_object != (key != NULL)) refuse(w, in_object ? "a member without a key" : "a key outside an object");
  if (w->failure.status != VLM_OK) return false;
  if (w->depth > 0) {
    if (w->filled[w->depth - 1]) append(w, w->indent ? "," : ", ", w->indent ? 1 : 2);
    w->filled[w->depth - 1] = true;
    new_line(w);
  } else {
    w->done = true;
  }
  if (key) {
    append_quoted(w, key, strlen(key));
    append(w, ": ", 2);
  }
  return true;
}

static void open_level(vlm_json_writer *w, const char *key, const char *opener, char closer) {
  if (!lead(w, key)) return;
  if (w->depth == MAX_DEPTH) {
    refuse(w, "nested too deeply");
    return;
  }
  append(w, opener, 1);
  w->closers[w->depth] = closer;
  w->filled[w->depth] = false;
  w->depth++;
}

static void close_level(vlm_json_writer *w, char closer) {
  if (w->depth == 0 || w->closers[w->depth - 1] != closer) refuse(w, "closed what is not open");
  if (w->failure.status != VLM_OK) return;
  w->depth--;
  if (w->filled[w->depth]) new_line(w);
  append(w, &closer, 1);
}

void vlm_json_open_object(vlm_json_writer *writer, const char *key) { open_level(writer, key, "{", '}'); }
void vlm_json_close_object(vlm_json_writer *writer) { close_level(writer, '}'); }
void vlm_json_open_array(vlm_json_writer *writer, const char *key) { open_level(writer, key, "[", ']'); }
void vlm_json_close_array(vlm_json_writer *writer) { close_level(writer, ']'); }

void vlm_json_put_bytes(vlm_json_writer *writer, const char *key, const char *text, size_t bytes) {
  if (lead(writer, key)) append_quoted(writer, text, bytes);
}

static void put_raw(vlm_json_writer *w, const char *key, const char *text) {
  if (lead(w, key)) append_text(w, text);
}

void vlm_json_put_text(vlm_json_writer *writer, const char *key, const char *text) {
  if (text) vlm_json_put_bytes(writer, key, text, strlen(text));
  else put_raw(writer, key, "null");
}

void vlm_json_put_int(vlm_json_writer *writer, const char *key, int64_t value) {
  char text[32];
  snprintf(text, sizeof text, "%lld", (long long)value);
  put_raw(writer, key, text);
}

void vlm_json_put_double(vlm_json_writer *writer, const char *key, double value) {
  char text[40] = "null";
  if (isfinite(value)) {
    for (int digits = 1; digits <= 17; digits++) {
      snprintf(text, sizeof text, "%.*g", digits, value);
      if (strtod(text, NULL) == value) break;
    }
    if (fabs(value) < 1e15 && value == trunc(value))
      snprintf(text, sizeof text, "%.1f", value); /* 80.0, not 8e+01 */
  }
  put_raw(writer, key, text);
}

void vlm_json_put_bool(vlm_json_writer *writer, const char *key, bool value) {
  put_raw(writer, key, value ? "true" : "false");
}
void vlm_json_put_null(vlm_json_writer *writer, const char *key) { put_raw(writer, key, "null"); }

vlm_status vlm_json_writer_text(const vlm_json_writer *writer, const char **text, size_t *bytes,
                                vlm_error *err) {
  vlm_status st = VLM_OK;
  VLM_CHECK(writer->failure.status == VLM_OK, err, writer->failure.status, "%s", writer->failure.text);
  VLM_CHECK(writer->depth == 0 && writer->done, err, VLM_INTERNAL, "JSON writer: %d levels are still open",
            writer->depth);
  *text = writer->text;
  if (bytes) *bytes = writer->bytes;
out:
  return st;
}
