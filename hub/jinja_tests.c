/* Functions and tests of templates. */
#include <string.h>

#include "hub/jinja_private.h"

/* ---- functions ---- */

static vlm_jinja_any *make_namespace(vlm_jinja_run *r, const vlm_jinja_args *args) {
  vlm_jinja_value *space = vlm_jinja_new(r, VLM_JINJA_DICT);
  for (size_t i = 0; space && i < args->count; i++) {
    if (!args->names[i]) return vlm_jinja_fail(r, VLM_UNSUPPORTED, "namespace() wants names");
    if (!vlm_jinja_put(r, space, args->names[i], args->values[i])) return NULL;
  }
  if (space) space->is_namespace = true;
  return space;
}

static vlm_jinja_any *range(vlm_jinja_run *r, const vlm_jinja_args *args) {
  int64_t bounds[3] = {0, 0, 1};
  vlm_jinja_value *made = vlm_jinja_new(r, VLM_JINJA_LIST);
  for (size_t i = 0; i < args->count; i++) {
    if (i > 2 || args->values[i]->kind != VLM_JINJA_INT)
      return vlm_jinja_fail(r, VLM_INPUT, "range() wants numbers");
    bounds[args->count == 1 ? 1 : i] = args->values[i]->number;
  }
  if (bounds[2] < 1 || bounds[1] > VLM_JINJA_STEPS || bounds[0] < -VLM_JINJA_STEPS)
    return vlm_jinja_fail(r, VLM_LIMIT, "range() over too much, or not upwards");
  for (int64_t i = bounds[0]; made && i < bounds[1]; i += bounds[2])
    if (!vlm_jinja_add(r, made, vlm_jinja_int(r, i))) return NULL;
  return made;
}

vlm_jinja_any *vlm_jinja_function(vlm_jinja_run *r, const char *name, const vlm_jinja_args *args) {
  vlm_jinja_any *message = vlm_jinja_argument(args, 0, "");
  if (!strcmp(name, "namespace")) return make_namespace(r, args);
  if (!strcmp(name, "range")) return range(r, args);
  if (strcmp(name, "raise_exception") != 0)
    return vlm_jinja_fail(r, VLM_UNSUPPORTED, "the function %s is not supported", name);
  bool said = message && message->kind == VLM_JINJA_TEXT;
  return vlm_jinja_fail(r, VLM_INPUT, "the template refuses: %s", said ? message->text : "no reason");
}

/* ---- tests ---- */

static int is_kind(vlm_jinja_any *v, const char *name) {
  static const struct {
    const char *name;
    unsigned kinds;
  } rows[] = {
#define K(kind) (1u << VLM_JINJA_##kind)
      {"undefined", K(UNDEFINED)},
      {"none", K(NONE)},
      {"boolean", K(BOOL)},
      {"integer", K(INT)},
      {"number", K(INT) | K(BOOL)},
      {"string", K(TEXT)},
      {"mapping", K(DICT)},
      {"iterable", K(TEXT) | K(LIST) | K(DICT) | K(UNDEFINED)},
      {"sequence", K(TEXT) | K(LIST) | K(DICT) | K(UNDEFINED)},
      {"defined", ~K(UNDEFINED)},
#undef K
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
    if (!strcmp(rows[i].name, name)) return (rows[i].kinds >> v->kind & 1) != 0;
  return -1;
}

int vlm_jinja_test(vlm_jinja_run *r, const char *name, vlm_jinja_any *v, const vlm_jinja_args *args) {
  static const char *const equal[] = {"equalto", "eq", "==", "sameas"};
  vlm_jinja_any *other = vlm_jinja_argument(args, 0, "");
  const int kind = is_kind(v, name);
  if (kind >= 0) return kind;
  if (!strcmp(name, "true")) return v->kind == VLM_JINJA_BOOL && v->number;
  if (!strcmp(name, "false")) return v->kind == VLM_JINJA_BOOL && !v->number;
  if (v->kind == VLM_JINJA_INT && !strcmp(name, "odd")) return v->number % 2 != 0;
  if (v->kind == VLM_JINJA_INT && !strcmp(name, "even")) return v->number % 2 == 0;
  if (other && (!strcmp(name, "ne") || !strcmp(name, "!="))) return !vlm_jinja_equal(r, v, other);
  for (size_t i = 0; other && i < sizeof equal / sizeof equal[0]; i++)
    if (!strcmp(name, equal[i])) return vlm_jinja_equal(r, v, other);
  if (other && !strcmp(name, "in") && other->kind == VLM_JINJA_LIST) {
    for (size_t i = 0; i < other->count; i++)
      if (vlm_jinja_equal(r, other->items[i], v)) return 1;
    return 0;
  }
  vlm_jinja_fail(r, VLM_UNSUPPORTED, "the test \"is %s\" is not supported", name);
  return -1;
}
