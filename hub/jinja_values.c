/* Values of templates. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "hub/jinja_private.h"

void *vlm_jinja_fail(vlm_jinja_run *r, vlm_status status, const char *format, ...) {
  char text[512];
  va_list list;
  if (r->status != VLM_OK) return NULL;
  va_start(list, format);
  vsnprintf(text, sizeof text, format, list);
  va_end(list);
  r->status = vlm_fail(r->err, status, "%s: line %d: %s", r->name, r->line, text);
  return NULL;
}

bool vlm_jinja_enter(vlm_jinja_run *r) {
  if (r->status != VLM_OK) return false;
  if (++r->depth > VLM_JINJA_DEPTH)
    return vlm_jinja_fail(r, VLM_LIMIT, "nested more than %d deep", VLM_JINJA_DEPTH);
  if (++r->steps > VLM_JINJA_STEPS)
    return vlm_jinja_fail(r, VLM_LIMIT, "the template takes more than %d steps", VLM_JINJA_STEPS);
  return true;
}

void vlm_jinja_leave(vlm_jinja_run *r) { r->depth--; }

/* ---- making ---- */

/* Memory of the arena; NULL = failed. */
static void *take(vlm_jinja_run *r, size_t count, size_t size) {
  void *out = NULL;
  if (r->status != VLM_OK) return NULL;
  r->status = vlm_arena_alloc(r->arena, &out, count, size, r->err);
  return r->status == VLM_OK ? out : NULL;
}

vlm_jinja_value *vlm_jinja_new(vlm_jinja_run *r, vlm_jinja_kind kind) {
  vlm_jinja_value *v = take(r, 1, sizeof *v);
  if (v) v->kind = kind;
  return v;
}

static const vlm_jinja_value *number(vlm_jinja_run *r, vlm_jinja_kind kind, int64_t value) {
  vlm_jinja_value *v = vlm_jinja_new(r, kind);
  if (v) v->number = value;
  return v;
}
const vlm_jinja_value *vlm_jinja_bool(vlm_jinja_run *r, bool value) {
  return number(r, VLM_JINJA_BOOL, value);
}
const vlm_jinja_value *vlm_jinja_int(vlm_jinja_run *r, int64_t value) {
  return number(r, VLM_JINJA_INT, value);
}

const vlm_jinja_value *vlm_jinja_text(vlm_jinja_run *r, const char *text, size_t bytes) {
  vlm_jinja_value *v = vlm_jinja_new(r, VLM_JINJA_TEXT);
  if (bytes > VLM_JINJA_TEXT_BYTES)
    return vlm_jinja_fail(r, VLM_LIMIT, "a text of more than %d bytes", VLM_JINJA_TEXT_BYTES);
  char *copy = v ? take(r, bytes + 1, 1) : NULL;
  if (!copy) return NULL;
  memcpy(copy, text, bytes);
  v->text = copy;
  return v;
}

const vlm_jinja_value *vlm_jinja_undefined(vlm_jinja_run *r, const char *name) {
  vlm_jinja_value *v = vlm_jinja_new(r, VLM_JINJA_UNDEFINED);
  if (v) v->text = name;
  return v;
}

static bool make_room(vlm_jinja_run *r, vlm_jinja_value *v) {
  if (v->count < v->room) return true;
  size_t room = v->room ? v->room * 2 : 8;
  const vlm_jinja_value **items = take(r, room, sizeof *items);
  const char **keys = items ? take(r, room, sizeof *keys) : NULL;
  if (!keys) return false;
  if (v->count) {
    memcpy(items, v->items, v->count * sizeof *items);
    memcpy(keys, v->keys, v->count * sizeof *keys);
  }
  v->items = items;
  v->keys = keys;
  v->room = room;
  return true;
}

bool vlm_jinja_add(vlm_jinja_run *r, vlm_jinja_value *list, const vlm_jinja_value *item) {
  if (!item || !list || !make_room(r, list)) return false;
  list->items[list->count++] = item;
  return true;
}

bool vlm_jinja_put(vlm_jinja_run *r, vlm_jinja_value *dict, const char *key, const vlm_jinja_value *item) {
  if (!item || !dict) return false;
  for (size_t i = 0; i < dict->count; i++)
    if (!strcmp(dict->keys[i], key)) {
      dict->items[i] = item;
      return true;
    }
  if (!make_room(r, dict)) return false;
  dict->keys[dict->count] = key;
  dict->items[dict->count++] = item;
  return true;
}

const vlm_jinja_value *vlm_jinja_member(const vlm_jinja_value *dict, const char *key) {
  for (size_t i = 0; dict->kind == VLM_JINJA_DICT && i < dict->count; i++)
    if (!strcmp(dict->keys[i], key)) return dict->items[i];
  return NULL;
}

/* ---- asking ---- */

bool vlm_jinja_true(const vlm_jinja_value *v) {
  switch (v->kind) {
    case VLM_JINJA_BOOL:
    case VLM_JINJA_INT: return v->number != 0;
    case VLM_JINJA_TEXT: return *v->text != 0;
    case VLM_JINJA_LIST:
    case VLM_JINJA_DICT: return v->count > 0 || v->is_namespace;
    default: return false;
  }
}

static bool is_number(const vlm_jinja_value *v) {
  return v->kind == VLM_JINJA_INT || v->kind == VLM_JINJA_BOOL;
}

static bool same_items(vlm_jinja_run *r, const vlm_jinja_value *a, const vlm_jinja_value *b) {
  bool same = a->count == b->count && !a->is_namespace && !b->is_namespace;
  if (!same || !vlm_jinja_enter(r)) return false;
  for (size_t i = 0; same && i < a->count; i++) {
    const vlm_jinja_value *other = a->kind == VLM_JINJA_LIST ? b->items[i] : vlm_jinja_member(b, a->keys[i]);
    same = other && vlm_jinja_equal(r, a->items[i], other);
  }
  vlm_jinja_leave(r);
  return same;
}

bool vlm_jinja_equal(vlm_jinja_run *r, const vlm_jinja_value *a, const vlm_jinja_value *b) {
  if (is_number(a) && is_number(b)) return a->number == b->number;
  if (a->kind != b->kind) return false;
  if (a->kind == VLM_JINJA_TEXT) return !strcmp(a->text, b->text);
  return a->kind < VLM_JINJA_LIST || a == b || same_items(r, a, b);
}

const char *vlm_jinja_kind_name(const vlm_jinja_value *v) {
  static const char *const names[] = {"nothing", "none",   "a truth value", "a number",
                                      "text",    "a list", "an object"};
  return names[v->kind];
}

const char *vlm_jinja_print(vlm_jinja_run *r, const vlm_jinja_value *v) {
  const char *text = NULL;
  switch (v->kind) {
    case VLM_JINJA_UNDEFINED: return "";
    case VLM_JINJA_NONE: return "None";
    case VLM_JINJA_BOOL: return v->number ? "True" : "False";
    case VLM_JINJA_TEXT: return v->text;
    case VLM_JINJA_INT:
      r->status = vlm_arena_format(r->arena, &text, r->err, "%lld", (long long)v->number);
      return r->status == VLM_OK ? text : NULL;
    default: return vlm_jinja_fail(r, VLM_UNSUPPORTED, "%s is printed", vlm_jinja_kind_name(v));
  }
}

/* Bytes of the character that begins here. */
static size_t character(const char *at) {
  size_t n = 1;
  while (((unsigned char)at[n] & 0xC0) == 0x80) n++;
  return n;
}

const vlm_jinja_value *vlm_jinja_elements(vlm_jinja_run *r, const vlm_jinja_value *v) {
  if (v->kind == VLM_JINJA_LIST) return v;
  vlm_jinja_value *list = vlm_jinja_new(r, VLM_JINJA_LIST);
  if (v->kind == VLM_JINJA_DICT)
    for (size_t i = 0; i < v->count; i++)
      if (!vlm_jinja_add(r, list, vlm_jinja_text(r, v->keys[i], strlen(v->keys[i])))) return NULL;
  for (const char *at = v->kind == VLM_JINJA_TEXT ? v->text : ""; *at; at += character(at))
    if (!vlm_jinja_add(r, list, vlm_jinja_text(r, at, character(at)))) return NULL;
  if (v->kind >= VLM_JINJA_TEXT || v->kind == VLM_JINJA_UNDEFINED) return list;
  return vlm_jinja_fail(r, VLM_INPUT, "%s has no elements", vlm_jinja_kind_name(v));
}

/* ---- JSON ---- */

static bool put_string(vlm_text *out, const char *s, vlm_error *err) {
  vlm_status st = vlm_text_append(out, "\"", 1, err);
  for (; st == VLM_OK && *s; s++) {
    static const char FROM[] = "\"\\\n\r\t\b\f", TO[] = "\"\\nrtbf";
    const char *known = strchr(FROM, *s);
    if (known) st = vlm_text_print(out, err, "\\%c", TO[known - FROM]);
    else if ((unsigned char)*s < 0x20) st = vlm_text_print(out, err, "\\u%04x", *s);
    else st = vlm_text_append(out, s, 1, err);
  }
  return st == VLM_OK && vlm_text_append(out, "\"", 1, err) == VLM_OK;
}

static bool put(vlm_jinja_run *r, vlm_text *out, const char *text) {
  vlm_status st = vlm_text_append(out, text, strlen(text), r->err);
  if (r->status == VLM_OK) r->status = st;
  return r->status == VLM_OK;
}

static bool put_json(vlm_jinja_run *r, vlm_text *out, const vlm_jinja_value *v) {
  static const char *const words[] = {"null", "null", "false", "true"};
  const bool dict = v->kind == VLM_JINJA_DICT;
  if (v->kind == VLM_JINJA_TEXT) return put_string(out, v->text, r->err);
  if (v->kind == VLM_JINJA_INT) return put(r, out, vlm_jinja_print(r, v));
  if (v->kind <= VLM_JINJA_BOOL) return put(r, out, words[v->kind + v->number]);
  if (!vlm_jinja_enter(r) || !put(r, out, dict ? "{" : "[")) return false;
  for (size_t i = 0; i < v->count; i++) {
    if (i && !put(r, out, ", ")) return false;
    if (dict && (!put_string(out, v->keys[i], r->err) || !put(r, out, ": "))) return false;
    if (!put_json(r, out, v->items[i])) return false;
  }
  vlm_jinja_leave(r);
  return put(r, out, dict ? "}" : "]");
}

const vlm_jinja_value *vlm_jinja_json(vlm_jinja_run *r, const vlm_jinja_value *v) {
  vlm_text out = {0};
  const vlm_jinja_value *made = NULL;
  if (put_json(r, &out, v)) made = vlm_jinja_text(r, vlm_text_get(&out), out.bytes);
  else vlm_jinja_fail(r, VLM_MEMORY, "no memory");
  vlm_text_free(&out);
  return made;
}

static const vlm_jinja_value *convert(vlm_jinja_run *r, vlm_json json) {
  const char *text = "";
  int64_t whole = 0;
  bool flag = false;
  vlm_error ignored;
  vlm_jinja_value *made = NULL;
  vlm_json_iter it = {0};
  switch (vlm_json_type(json)) {
    case VLM_JSON_BOOL: (void)vlm_json_as_bool(&flag, json, &ignored); return vlm_jinja_bool(r, flag);
    case VLM_JSON_TEXT:
      r->status = vlm_json_as_text(&text, json, r->err);
      return r->status == VLM_OK ? vlm_jinja_text(r, text, strlen(text)) : NULL;
    case VLM_JSON_INT:
    case VLM_JSON_REAL:
      r->status = vlm_json_as_int(&whole, json, r->err);
      return r->status == VLM_OK ? vlm_jinja_int(r, whole) : NULL;
    case VLM_JSON_ARRAY:
      made = vlm_jinja_new(r, VLM_JINJA_LIST);
      for (size_t i = 0; made && i < vlm_json_size(json); i++)
        if (!vlm_jinja_add(r, made, convert(r, vlm_json_at(json, i)))) return NULL;
      return made;
    case VLM_JSON_OBJECT:
      made = vlm_jinja_new(r, VLM_JINJA_DICT);
      while (made && vlm_json_next(json, &it)) {
        const vlm_jinja_value *key = vlm_jinja_text(r, it.key, strlen(it.key));
        if (!key || !vlm_jinja_put(r, made, key->text, convert(r, it.value))) return NULL;
      }
      return made;
    default: return vlm_jinja_new(r, VLM_JINJA_NONE);
  }
}

vlm_status vlm_jinja_from_json(const vlm_jinja_value **out, vlm_arena *arena, vlm_json json, vlm_error *err) {
  vlm_jinja_run r = {.name = "", .arena = arena, .err = err};
  *out = convert(&r, json);
  return r.status;
}
