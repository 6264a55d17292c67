/* Filters and methods of templates: a table of each. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "hub/jinja_private.h"

typedef vlm_jinja_any *callee(vlm_jinja_run *r, vlm_jinja_any *of, const vlm_jinja_args *args);

vlm_jinja_any *vlm_jinja_argument(const vlm_jinja_args *args, size_t at, const char *name) {
  for (size_t i = 0; i < args->count; i++)
    if (args->names[i] ? !strcmp(args->names[i], name) : i == at) return args->values[i];
  return NULL;
}

/* An argument that is a text; `otherwise` where it is left out; NULL = failed. */
static const char *text_argument(vlm_jinja_run *r, const vlm_jinja_args *args, size_t at,
                                 const char *otherwise) {
  vlm_jinja_any *v = vlm_jinja_argument(args, at, "");
  if (!v && otherwise) return otherwise;
  if (v && v->kind == VLM_JINJA_TEXT) return v->text;
  return vlm_jinja_fail(r, VLM_INPUT, "%s where a text is wanted", v ? vlm_jinja_kind_name(v) : "nothing");
}

static vlm_jinja_any *as_text(vlm_jinja_run *r, vlm_jinja_any *v) {
  const char *text = v->kind == VLM_JINJA_TEXT ? v->text : vlm_jinja_print(r, v);
  return !text || v->kind == VLM_JINJA_TEXT ? (text ? v : NULL) : vlm_jinja_text(r, text, strlen(text));
}

/* ---- texts ---- */

static vlm_jinja_any *strip(vlm_jinja_run *r, vlm_jinja_any *of, const vlm_jinja_args *args, bool left,
                            bool right) {
  const char *set = text_argument(r, args, 0, " \t\n\r\f\v"), *from;
  vlm_jinja_any *text = set ? as_text(r, of) : NULL;
  if (!text) return NULL;
  size_t bytes = strlen(from = text->text);
  while (left && *from && strchr(set, *from)) from++, bytes--;
  while (right && bytes && strchr(set, from[bytes - 1])) bytes--;
  return vlm_jinja_text(r, from, bytes);
}
static vlm_jinja_any *trim(vlm_jinja_run *r, vlm_jinja_any *of, const vlm_jinja_args *args) {
  return strip(r, of, args, true, true);
}
static vlm_jinja_any *lstrip(vlm_jinja_run *r, vlm_jinja_any *of, const vlm_jinja_args *args) {
  return strip(r, of, args, true, false);
}
static vlm_jinja_any *rstrip(vlm_jinja_run *r, vlm_jinja_any *of, const vlm_jinja_args *args) {
  return strip(r, of, args, false, true);
}

/* Letters of ASCII alone; others stay. `words`: the first of each word is large; `first`: of the text. */
typedef enum letters { LOWER, UPPER, CAPITAL, TITLE } letters;
static vlm_jinja_any *set_letters(vlm_jinja_run *r, vlm_jinja_any *of, letters how) {
  vlm_jinja_any *text = as_text(r, of);
  vlm_jinja_any *copy = text ? vlm_jinja_text(r, text->text, strlen(text->text)) : NULL;
  bool begins = true;
  for (char *c = copy ? (char *)(uintptr_t)copy->text : NULL; c && *c; c++) {
    bool large = how == UPPER || (begins && how >= CAPITAL);
    *c = (char)(large ? toupper((unsigned char)*c) : tolower((unsigned char)*c));
    begins = how == TITLE && !isalpha((unsigned char)*c);
  }
  return copy;
}
static vlm_jinja_any *lower(vlm_jinja_run *r, vlm_jinja_any *of, const vlm_jinja_args *args) {
  return (void)args, set_letters(r, of, LOWER);
}
static vlm_jinja_any *upper(vlm_jinja_run *r, vlm_jinja_any *of, const vlm_jinja_args *args) {
  return (void)args, set_letters(r, of, UPPER);
}
static vlm_jinja_any *capitalize(vlm_jinja_run *r, vlm_jinja_any *of, const vlm_jinja_args *args) {
  return (void)args, set_letters(r, of, CAPITAL);
}
static vlm_jinja_any *title(vlm_jinja_run *r, vlm_jinja_any *of, const vlm_jinja_args *args) {
  return (void)args, set_letters(r, of, TITLE);
}

static vlm_jinja_any *replace(vlm_jinja_run *r, vlm_jinja_any *of, const vlm_jinja_args *args) {
  const char *what = text_argument(r, args, 0, NULL), *by = what ? text_argument(r, args, 1, NULL) : NULL;
  vlm_jinja_any *text = by ? as_text(r, of) : NULL, *made = NULL;
  vlm_text out = {0};
  if (!text) return NULL;
  if (!*what) return vlm_jinja_fail(r, VLM_UNSUPPORTED, "an empty text is replaced");
  for (const char *at = text->text; r->status == VLM_OK && *at;) {
    const char *next = strstr(at, what);
    size_t bytes = next ? (size_t)(next - at) : strlen(at);
    r->status = vlm_text_append(&out, at, bytes, r->err);
    if (r->status == VLM_OK && next) r->status = vlm_text_append(&out, by, strlen(by), r->err);
    at += bytes + (next ? strlen(what) : 0);
    if (out.bytes > VLM_JINJA_TEXT_BYTES) break;
  }
  if (r->status == VLM_OK) made = vlm_jinja_text(r, vlm_text_get(&out), out.bytes);
  vlm_text_free(&out);
  return made;
}

/* By white space where no separator is given; then there are no empty parts. */
static vlm_jinja_any *split(vlm_jinja_run *r, vlm_jinja_any *of, const vlm_jinja_args *args) {
  static const char BLANK[] = " \t\n\r\f\v";
  vlm_jinja_any *given = vlm_jinja_argument(args, 0, "sep"), *most = vlm_jinja_argument(args, 1, "maxsplit");
  const char *by = given && given->kind == VLM_JINJA_TEXT ? given->text : NULL, *at = of->text, *next;
  int64_t left = most && most->kind == VLM_JINJA_INT && most->number >= 0 ? most->number : INT64_MAX;
  vlm_jinja_value *list = vlm_jinja_new(r, VLM_JINJA_LIST);
  if (by && !*by) return vlm_jinja_fail(r, VLM_INPUT, "a text is split by nothing");
  if (!by) at += strspn(at, BLANK);
  if (!by && !*at) return list;
  for (;; at = next + (by ? strlen(by) : strspn(next, BLANK))) {
    next = left-- > 0 ? (by ? strstr(at, by) : at + strcspn(at, BLANK)) : NULL;
    if (!by && (!*at || (next && !*next))) next = NULL;
    if (!by && !*at) return list;
    if (!vlm_jinja_add(r, list, vlm_jinja_text(r, at, next ? (size_t)(next - at) : strlen(at)))) return NULL;
    if (!next) return list;
  }
}

static bool begins(const char *text, const char *part, bool end) {
  size_t n = strlen(text), m = strlen(part);
  return n >= m && !memcmp(text + (end ? n - m : 0), part, m);
}

/* One text, or a list of them. */
static vlm_jinja_any *affix(vlm_jinja_run *r, vlm_jinja_any *of, const vlm_jinja_args *args, bool end) {
  vlm_jinja_any *part = vlm_jinja_argument(args, 0, "");
  bool found = false;
  if (!part || (part->kind != VLM_JINJA_TEXT && part->kind != VLM_JINJA_LIST))
    return vlm_jinja_fail(r, VLM_INPUT, "startswith and endswith want a text");
  if (part->kind == VLM_JINJA_TEXT) return vlm_jinja_bool(r, begins(of->text, part->text, end));
  for (size_t i = 0; i < part->count; i++)
    found |= part->items[i]->kind == VLM_JINJA_TEXT && begins(of->text, part->items[i]->text, end);
  return vlm_jinja_bool(r, found);
}
static vlm_jinja_any *startswith(vlm_jinja_run *r, vlm_jinja_any *of, const vlm_jinja_args *args) {
  return affix(r, of, args, false);
}
static vlm_jinja_any *endswith(vlm_jinja_run *r, vlm_jinja_any *of, const vlm_jinja_args *args) {
  return affix(r, of, args, true);
}

static vlm_jinja_any *join_all(vlm_jinja_run *r, vlm_jinja_any *list, const char *by) {
  vlm_text out = {0};
  vlm_jinja_any *made = NULL;
  for (size_t i = 0; list && i < list->count && r->status == VLM_OK; i++) {
    const char *text = vlm_jinja_print(r, list->items[i]);
    if (i && text) r->status = vlm_text_append(&out, by, strlen(by), r->err);
    if (text && r->status == VLM_OK) r->status = vlm_text_append(&out, text, strlen(text), r->err);
    if (out.bytes > VLM_JINJA_TEXT_BYTES) break;
  }
  if (list && r->status == VLM_OK) made = vlm_jinja_text(r, vlm_text_get(&out), out.bytes);
  vlm_text_free(&out);
  return made;
}
static vlm_jinja_any *join(vlm_jinja_run *r, vlm_jinja_any *of, const vlm_jinja_args *args) {
  const char *by = text_argument(r, args, 0, "");
  return by ? join_all(r, vlm_jinja_elements(r, of), by) : NULL;
}
/* The method of a separator. */
static vlm_jinja_any *join_by(vlm_jinja_run *r, vlm_jinja_any *of, const vlm_jinja_args *args) {
  vlm_jinja_any *list = vlm_jinja_argument(args, 0, "");
  return list ? join_all(r, vlm_jinja_elements(r, list), of->text)
              : vlm_jinja_fail(r, VLM_INPUT, "join of nothing");
}

/* ---- lists and objects ---- */

static vlm_jinja_any *length(vlm_jinja_run *r, vlm_jinja_any *of, const vlm_jinja_args *args) {
  vlm_jinja_any *list = vlm_jinja_elements(r, of);
  (void)args;
  return list ? vlm_jinja_int(r, (int64_t)list->count) : NULL;
}
static vlm_jinja_any *end_of(vlm_jinja_run *r, vlm_jinja_any *of, bool last) {
  vlm_jinja_any *list = vlm_jinja_elements(r, of);
  if (!list) return NULL;
  return list->count ? list->items[last ? list->count - 1 : 0] : vlm_jinja_undefined(r, "an element");
}
static vlm_jinja_any *first(vlm_jinja_run *r, vlm_jinja_any *of, const vlm_jinja_args *args) {
  return (void)args, end_of(r, of, false);
}
static vlm_jinja_any *last(vlm_jinja_run *r, vlm_jinja_any *of, const vlm_jinja_args *args) {
  return (void)args, end_of(r, of, true);
}
static vlm_jinja_any *list(vlm_jinja_run *r, vlm_jinja_any *of, const vlm_jinja_args *args) {
  return (void)args, vlm_jinja_elements(r, of);
}

static vlm_jinja_any *pairs(vlm_jinja_run *r, vlm_jinja_any *of, bool keys, bool values) {
  vlm_jinja_value *all = vlm_jinja_new(r, VLM_JINJA_LIST);
  if (of->kind != VLM_JINJA_DICT)
    return vlm_jinja_fail(r, VLM_INPUT, "%s has no items", vlm_jinja_kind_name(of));
  for (size_t i = 0; i < of->count; i++) {
    vlm_jinja_any *key = vlm_jinja_text(r, of->keys[i], strlen(of->keys[i]));
    vlm_jinja_value *pair = vlm_jinja_new(r, VLM_JINJA_LIST);
    if (!vlm_jinja_add(r, pair, key) || !vlm_jinja_add(r, pair, of->items[i])) return NULL;
    if (!vlm_jinja_add(r, all, keys && values ? pair : keys ? key : of->items[i])) return NULL;
  }
  return all;
}
static vlm_jinja_any *items(vlm_jinja_run *r, vlm_jinja_any *of, const vlm_jinja_args *args) {
  return (void)args, pairs(r, of, true, true);
}
static vlm_jinja_any *keys(vlm_jinja_run *r, vlm_jinja_any *of, const vlm_jinja_args *args) {
  return (void)args, pairs(r, of, true, false);
}
static vlm_jinja_any *values(vlm_jinja_run *r, vlm_jinja_any *of, const vlm_jinja_args *args) {
  return (void)args, pairs(r, of, false, true);
}

static vlm_jinja_any *get(vlm_jinja_run *r, vlm_jinja_any *of, const vlm_jinja_args *args) {
  const char *key = text_argument(r, args, 0, NULL);
  vlm_jinja_any *found = key ? vlm_jinja_member(of, key) : NULL,
                *otherwise = vlm_jinja_argument(args, 1, "default");
  if (!key || found) return found;
  return otherwise ? otherwise : vlm_jinja_new(r, VLM_JINJA_NONE);
}

/* selectattr(name), selectattr(name, test, argument) and what they leave out. */
static vlm_jinja_any *select_by(vlm_jinja_run *r, vlm_jinja_any *of, const vlm_jinja_args *args,
                                bool wanted) {
  const char *name = text_argument(r, args, 0, NULL);
  const char *test = name && args->count > 1 ? text_argument(r, args, 1, NULL) : "";
  vlm_jinja_any *all = test && name ? vlm_jinja_elements(r, of) : NULL;
  vlm_jinja_value *kept = vlm_jinja_new(r, VLM_JINJA_LIST);
  for (size_t i = 0; all && i < all->count; i++) {
    vlm_jinja_any *member = vlm_jinja_member(all->items[i], name);
    const size_t used = args->count > 2 ? 2 : args->count;
    const vlm_jinja_args rest = {args->values + used, args->names + used, args->count - used};
    if (!member) member = vlm_jinja_undefined(r, name);
    int is = !member ? -1 : args->count > 1 ? vlm_jinja_test(r, test, member, &rest) : vlm_jinja_true(member);
    if (is < 0 || ((is == 1) == wanted && !vlm_jinja_add(r, kept, all->items[i]))) return NULL;
  }
  return all ? kept : NULL;
}
static vlm_jinja_any *selectattr(vlm_jinja_run *r, vlm_jinja_any *of, const vlm_jinja_args *args) {
  return select_by(r, of, args, true);
}
static vlm_jinja_any *rejectattr(vlm_jinja_run *r, vlm_jinja_any *of, const vlm_jinja_args *args) {
  return select_by(r, of, args, false);
}

static vlm_jinja_any *map(vlm_jinja_run *r, vlm_jinja_any *of, const vlm_jinja_args *args) {
  vlm_jinja_any *name = vlm_jinja_argument(args, SIZE_MAX, "attribute"), *all = vlm_jinja_elements(r, of);
  vlm_jinja_value *made = vlm_jinja_new(r, VLM_JINJA_LIST);
  if (!name || name->kind != VLM_JINJA_TEXT)
    return vlm_jinja_fail(r, VLM_UNSUPPORTED, "map without attribute");
  for (size_t i = 0; all && i < all->count; i++) {
    vlm_jinja_any *member = vlm_jinja_member(all->items[i], name->text);
    if (!vlm_jinja_add(r, made, member ? member : vlm_jinja_undefined(r, name->text))) return NULL;
  }
  return all ? made : NULL;
}

/* ---- others ---- */

static vlm_jinja_any *tojson(vlm_jinja_run *r, vlm_jinja_any *of, const vlm_jinja_args *args) {
  if (args->count) return vlm_jinja_fail(r, VLM_UNSUPPORTED, "tojson with arguments");
  return vlm_jinja_json(r, of);
}
static vlm_jinja_any *otherwise(vlm_jinja_run *r, vlm_jinja_any *of, const vlm_jinja_args *args) {
  vlm_jinja_any *given = vlm_jinja_argument(args, 0, "default_value"),
                *also = vlm_jinja_argument(args, 1, "boolean");
  bool missing = of->kind == VLM_JINJA_UNDEFINED || (also && vlm_jinja_true(also) && !vlm_jinja_true(of));
  if (!missing) return of;
  return given ? given : vlm_jinja_text(r, "", 0);
}
static vlm_jinja_any *string(vlm_jinja_run *r, vlm_jinja_any *of, const vlm_jinja_args *args) {
  return (void)args, as_text(r, of);
}
static vlm_jinja_any *as_int(vlm_jinja_run *r, vlm_jinja_any *of, const vlm_jinja_args *args) {
  (void)args;
  bool number = of->kind == VLM_JINJA_INT || of->kind == VLM_JINJA_BOOL;
  return vlm_jinja_int(r, number ? of->number : of->kind == VLM_JINJA_TEXT ? strtoll(of->text, NULL, 10) : 0);
}
static vlm_jinja_any *itself(vlm_jinja_run *r, vlm_jinja_any *of, const vlm_jinja_args *args) {
  return (void)r, (void)args, of;
}

static const struct named {
  const char *name;
  callee *call;
} filters[] =
    {
        {"trim", trim},
        {"lower", lower},
        {"upper", upper},
        {"capitalize", capitalize},
        {"title", title},
        {"replace", replace},
        {"join", join},
        {"length", length},
        {"count", length},
        {"first", first},
        {"last", last},
        {"list", list},
        {"items", items},
        {"selectattr", selectattr},
        {"rejectattr", rejectattr},
        {"map", map},
        {"tojson", tojson},
        {"default", otherwise},
        {"d", otherwise},
        {"string", string},
        {"int", as_int},
        {"safe", itself},
},
  text_methods[] =
      {
          {"strip", trim},  {"lstrip", lstrip},         {"rstrip", rstrip},         {"lower", lower},
          {"upper", upper}, {"title", title},           {"capitalize", capitalize}, {"replace", replace},
          {"split", split}, {"startswith", startswith}, {"endswith", endswith},     {"join", join_by},
},
  dict_methods[] = {
      {"get", get},
      {"items", items},
      {"keys", keys},
      {"values", values},
};
#define FIND(table, name) find(table, sizeof table / sizeof table[0], name)

static callee *find(const struct named *table, size_t count, const char *name) {
  for (size_t i = 0; i < count; i++)
    if (!strcmp(table[i].name, name)) return table[i].call;
  return NULL;
}

vlm_jinja_any *vlm_jinja_filter(vlm_jinja_run *r, const char *name, vlm_jinja_any *v,
                                const vlm_jinja_args *args) {
  callee *call = FIND(filters, name);
  return call ? call(r, v, args) : vlm_jinja_fail(r, VLM_UNSUPPORTED, "the filter %s is not supported", name);
}

vlm_jinja_any *vlm_jinja_method(vlm_jinja_run *r, vlm_jinja_any *of, const char *name,
                                const vlm_jinja_args *args) {
  callee *call = of->kind == VLM_JINJA_TEXT   ? FIND(text_methods, name)
                 : of->kind == VLM_JINJA_DICT ? FIND(dict_methods, name)
                                              : NULL;
  if (call) return call(r, of, args);
  return vlm_jinja_fail(r, VLM_UNSUPPORTED, "%s() of %s is not supported", name, vlm_jinja_kind_name(of));
}
