/* Expressions at work. */
#include <string.h>

#include "hub/jinja_private.h"

/* ---- members ---- */

static vlm_jinja_any *attribute(vlm_jinja_run *r, vlm_jinja_any *of, const char *name) {
  if (of->kind == VLM_JINJA_UNDEFINED)
    return vlm_jinja_fail(r, VLM_INPUT, "%s is asked of %s, which is not defined", name, of->text);
  vlm_jinja_any *found = vlm_jinja_member(of, name);
  return found ? found : vlm_jinja_undefined(r, name);
}

/* A place that counts from the end when it is negative. */
static vlm_jinja_any *element(vlm_jinja_run *r, vlm_jinja_any *of, int64_t at) {
  vlm_jinja_any *list = vlm_jinja_elements(r, of);
  if (!list) return NULL;
  if (at < 0) at += (int64_t)list->count;
  return at >= 0 && (uint64_t)at < list->count ? list->items[at] : vlm_jinja_undefined(r, "an element");
}

static vlm_jinja_any *item(vlm_jinja_run *r, const vlm_jinja_node *n) {
  vlm_jinja_any *of = vlm_jinja_evaluate(r, n->a), *key = of ? vlm_jinja_evaluate(r, n->b) : NULL;
  if (!key) return NULL;
  if (key->kind == VLM_JINJA_TEXT) return attribute(r, of, key->text);
  if (key->kind == VLM_JINJA_INT && (of->kind == VLM_JINJA_LIST || of->kind == VLM_JINJA_TEXT))
    return element(r, of, key->number);
  if (of->kind == VLM_JINJA_DICT) return vlm_jinja_undefined(r, "an element");
  return vlm_jinja_fail(r, VLM_INPUT, "%s has no element by %s", vlm_jinja_kind_name(of),
                        vlm_jinja_kind_name(key));
}

/* One bound of a slice, or what it is when it is left out. */
static bool bound(vlm_jinja_run *r, const vlm_jinja_node *n, size_t at, int64_t *out) {
  vlm_jinja_any *v = at < n->count && n->list[at] ? vlm_jinja_evaluate(r, n->list[at]) : NULL;
  if (r->status != VLM_OK) return false;
  if (!v || v->kind == VLM_JINJA_NONE) return true;
  if (v->kind != VLM_JINJA_INT) return vlm_jinja_fail(r, VLM_INPUT, "a slice by %s", vlm_jinja_kind_name(v));
  *out = v->number;
  return true;
}

static int64_t clamp(int64_t at, int64_t low, int64_t high) { return at < low ? low : at > high ? high : at; }

/* As Python has it: a negative step goes backwards, from the last to the first. */
static vlm_jinja_any *slice_list(vlm_jinja_run *r, vlm_jinja_any *list, const vlm_jinja_node *n) {
  const int64_t count = (int64_t)list->count;
  int64_t step = 1;
  if (!bound(r, n, 2, &step)) return NULL;
  if (step == 0 || step < -count - 1)
    return vlm_jinja_fail(r, VLM_INPUT, "a slice with step %lld", (long long)step);
  const int64_t low = step < 0 ? -1 : 0, high = step < 0 ? count - 1 : count;
  int64_t from = step < 0 ? high : low, to = step < 0 ? -count - 1 : high;
  if (!bound(r, n, 0, &from) || !bound(r, n, 1, &to)) return NULL;
  from = clamp(from < 0 ? from + count : from, low, high);
  to = clamp(to < 0 ? to + count : to, low, high);
  vlm_jinja_value *made = vlm_jinja_new(r, VLM_JINJA_LIST);
  for (int64_t i = from; made && (step > 0 ? i < to : i > to); i += step) {
    if (!vlm_jinja_add(r, made, list->items[i])) return NULL;
    if (step > count) break;
  }
  return made;
}

static vlm_jinja_any *slice(vlm_jinja_run *r, const vlm_jinja_node *n) {
  vlm_jinja_any *of = vlm_jinja_evaluate(r, n->a);
  if (!of) return NULL;
  if (of->kind != VLM_JINJA_LIST && of->kind != VLM_JINJA_TEXT)
    return vlm_jinja_fail(r, VLM_INPUT, "%s is sliced", vlm_jinja_kind_name(of));
  vlm_jinja_any *list = vlm_jinja_elements(r, of), *part = list ? slice_list(r, list, n) : NULL;
  if (!part || of->kind == VLM_JINJA_LIST) return part;
  const vlm_jinja_args none = {0};
  return vlm_jinja_filter(r, "join", part, &none);
}

/* ---- calls ---- */

static bool evaluate_args(vlm_jinja_run *r, const vlm_jinja_node *n, vlm_jinja_args *out) {
  vlm_jinja_value *list = vlm_jinja_new(r, VLM_JINJA_LIST);
  for (size_t i = 0; i < n->count; i++)
    if (!vlm_jinja_add(r, list, vlm_jinja_evaluate(r, n->list[i]))) return false;
  *out = (vlm_jinja_args){.values = list ? list->items : NULL, .names = n->named, .count = n->count};
  return list != NULL;
}

static vlm_jinja_any *call(vlm_jinja_run *r, const vlm_jinja_node *n) {
  vlm_jinja_args args;
  if (!evaluate_args(r, n, &args)) return NULL;
  if (n->a->kind == NODE_NAME) return vlm_jinja_function(r, n->a->text, &args);
  if (n->a->kind != NODE_ATTRIBUTE) return vlm_jinja_fail(r, VLM_UNSUPPORTED, "a value is called");
  vlm_jinja_any *of = vlm_jinja_evaluate(r, n->a->a);
  return of ? vlm_jinja_method(r, of, n->a->text, &args) : NULL;
}

static vlm_jinja_any *filter(vlm_jinja_run *r, const vlm_jinja_node *n) {
  vlm_jinja_args args;
  vlm_jinja_any *of = vlm_jinja_evaluate(r, n->a);
  return of && evaluate_args(r, n, &args) ? vlm_jinja_filter(r, n->text, of, &args) : NULL;
}

static vlm_jinja_any *test(vlm_jinja_run *r, const vlm_jinja_node *n) {
  vlm_jinja_args args;
  vlm_jinja_any *of = vlm_jinja_evaluate(r, n->a);
  if (!of || !evaluate_args(r, n, &args)) return NULL;
  const int is = vlm_jinja_test(r, n->text, of, &args);
  return is < 0 ? NULL : vlm_jinja_bool(r, (is == 1) != n->negated);
}

/* ---- operators ---- */

static vlm_jinja_any *concat(vlm_jinja_run *r, vlm_jinja_any *a, vlm_jinja_any *b) {
  vlm_text whole = {0};
  vlm_jinja_any *made = NULL;
  const char *x = vlm_jinja_print(r, a), *y = x ? vlm_jinja_print(r, b) : NULL;
  if (!y) return NULL;
  r->status = vlm_text_append(&whole, x, strlen(x), r->err);
  if (r->status == VLM_OK) r->status = vlm_text_append(&whole, y, strlen(y), r->err);
  if (r->status == VLM_OK) made = vlm_jinja_text(r, vlm_text_get(&whole), whole.bytes);
  vlm_text_free(&whole);
  return made;
}

static vlm_jinja_any *join_lists(vlm_jinja_run *r, vlm_jinja_any *a, vlm_jinja_any *b) {
  vlm_jinja_value *made = vlm_jinja_new(r, VLM_JINJA_LIST);
  for (size_t i = 0; i < a->count + b->count; i++)
    if (!vlm_jinja_add(r, made, i < a->count ? a->items[i] : b->items[i - a->count])) return NULL;
  return made;
}

/* Quotients and remainders are Python's: rounded down. */
static bool compute(char sign, int64_t a, int64_t b, int64_t *out) {
  switch (sign) {
    case '+': return !__builtin_add_overflow(a, b, out);
    case '-': return !__builtin_sub_overflow(a, b, out);
    case '*': return !__builtin_mul_overflow(a, b, out);
    default: break;
  }
  if (b == 0 || (a == INT64_MIN && b == -1)) return false;
  const bool down = a % b != 0 && (a % b < 0) != (b < 0);
  *out = sign == '%' ? a % b + (down ? b : 0) : a / b - down;
  return true;
}

static vlm_jinja_any *arithmetic(vlm_jinja_run *r, const char *text, vlm_jinja_any *a, vlm_jinja_any *b) {
  int64_t out = 0;
  if (*text == '+' && a->kind == VLM_JINJA_TEXT && b->kind == VLM_JINJA_TEXT) return concat(r, a, b);
  if (*text == '+' && a->kind == VLM_JINJA_LIST && b->kind == VLM_JINJA_LIST) return join_lists(r, a, b);
  if (a->kind != VLM_JINJA_INT || b->kind != VLM_JINJA_INT || !strcmp(text, "/"))
    return vlm_jinja_fail(r, VLM_INPUT, "%s %s %s", vlm_jinja_kind_name(a), text, vlm_jinja_kind_name(b));
  if (!compute(*text, a->number, b->number, &out))
    return vlm_jinja_fail(r, VLM_INPUT, "%lld %s %lld has no value", (long long)a->number, text,
                          (long long)b->number);
  return vlm_jinja_int(r, out);
}

static int contains(vlm_jinja_run *r, vlm_jinja_any *all, vlm_jinja_any *one) {
  if (all->kind == VLM_JINJA_TEXT && one->kind == VLM_JINJA_TEXT) return strstr(all->text, one->text) != NULL;
  if (all->kind == VLM_JINJA_DICT) return one->kind == VLM_JINJA_TEXT && vlm_jinja_member(all, one->text);
  for (size_t i = 0; all->kind == VLM_JINJA_LIST && i < all->count; i++)
    if (vlm_jinja_equal(r, all->items[i], one)) return 1;
  if (all->kind == VLM_JINJA_LIST || all->kind == VLM_JINJA_UNDEFINED) return 0;
  vlm_jinja_fail(r, VLM_INPUT, "%s in %s", vlm_jinja_kind_name(one), vlm_jinja_kind_name(all));
  return -1;
}

static vlm_jinja_any *compare(vlm_jinja_run *r, const char *text, vlm_jinja_any *a, vlm_jinja_any *b) {
  int order = 0;
  if (a->kind == VLM_JINJA_TEXT && b->kind == VLM_JINJA_TEXT) order = strcmp(a->text, b->text);
  else if (a->kind == VLM_JINJA_INT && b->kind == VLM_JINJA_INT)
    order = a->number < b->number ? -1 : a->number > b->number;
  else return vlm_jinja_fail(r, VLM_INPUT, "%s %s %s", vlm_jinja_kind_name(a), text, vlm_jinja_kind_name(b));
  bool less = *text == '<' ? order < 0 : order > 0;
  return vlm_jinja_bool(r, less || (text[1] == '=' && order == 0));
}

static vlm_jinja_any *binary(vlm_jinja_run *r, const vlm_jinja_node *n) {
  const char *text = n->text;
  vlm_jinja_any *a = vlm_jinja_evaluate(r, n->a);
  if (!a) return NULL;
  if (!strcmp(text, "and") || !strcmp(text, "or"))
    return vlm_jinja_true(a) == (*text == 'o') ? a : vlm_jinja_evaluate(r, n->b);
  vlm_jinja_any *b = vlm_jinja_evaluate(r, n->b);
  if (!b) return NULL;
  if (!strcmp(text, "==")) return vlm_jinja_bool(r, vlm_jinja_equal(r, a, b));
  if (!strcmp(text, "!=")) return vlm_jinja_bool(r, !vlm_jinja_equal(r, a, b));
  if (!strcmp(text, "~")) return concat(r, a, b);
  if (*text == '<' || *text == '>') return compare(r, text, a, b);
  if (strcmp(text, "in") != 0) return arithmetic(r, text, a, b);
  const int found = contains(r, b, a);
  return found < 0 ? NULL : vlm_jinja_bool(r, found == 1);
}

static vlm_jinja_any *unary(vlm_jinja_run *r, const vlm_jinja_node *n) {
  vlm_jinja_any *v = vlm_jinja_evaluate(r, n->a);
  if (!v) return NULL;
  if (*n->text == 'n') return vlm_jinja_bool(r, !vlm_jinja_true(v));
  if (v->kind != VLM_JINJA_INT || v->number == INT64_MIN)
    return vlm_jinja_fail(r, VLM_INPUT, "%s %s", n->text, vlm_jinja_kind_name(v));
  return *n->text == '-' ? vlm_jinja_int(r, -v->number) : v;
}

/* ---- the whole ---- */

static vlm_jinja_any *make_list(vlm_jinja_run *r, const vlm_jinja_node *n) {
  vlm_jinja_value *list = vlm_jinja_new(r, VLM_JINJA_LIST);
  for (size_t i = 0; i < n->count; i++)
    if (!vlm_jinja_add(r, list, vlm_jinja_evaluate(r, n->list[i]))) return NULL;
  return list;
}

static vlm_jinja_any *make_dict(vlm_jinja_run *r, const vlm_jinja_node *n) {
  vlm_jinja_value *dict = vlm_jinja_new(r, VLM_JINJA_DICT);
  for (size_t i = 0; i + 1 < n->count; i += 2) {
    vlm_jinja_any *key = vlm_jinja_evaluate(r, n->list[i]);
    if (!key) return NULL;
    if (key->kind != VLM_JINJA_TEXT) return vlm_jinja_fail(r, VLM_UNSUPPORTED, "keys of an object are texts");
    if (!vlm_jinja_put(r, dict, key->text, vlm_jinja_evaluate(r, n->list[i + 1]))) return NULL;
  }
  return dict;
}

static vlm_jinja_any *choose(vlm_jinja_run *r, const vlm_jinja_node *n) {
  vlm_jinja_any *wanted = vlm_jinja_evaluate(r, n->b);
  if (!wanted) return NULL;
  if (vlm_jinja_true(wanted)) return vlm_jinja_evaluate(r, n->a);
  return n->c ? vlm_jinja_evaluate(r, n->c) : vlm_jinja_undefined(r, "a choice without else");
}

static vlm_jinja_any *name(vlm_jinja_run *r, const char *text) {
  vlm_jinja_any *found = vlm_jinja_lookup(r, text);
  return found ? found : vlm_jinja_undefined(r, text);
}

static vlm_jinja_any *get_attribute(vlm_jinja_run *r, const vlm_jinja_node *n) {
  vlm_jinja_any *of = vlm_jinja_evaluate(r, n->a);
  return of ? attribute(r, of, n->text) : NULL;
}

static vlm_jinja_any *dispatch(vlm_jinja_run *r, const vlm_jinja_node *n) {
  switch (n->kind) {
    case NODE_VALUE: return n->value;
    case NODE_NAME: return name(r, n->text);
    case NODE_ATTRIBUTE: return get_attribute(r, n);
    case NODE_ITEM: return item(r, n);
    case NODE_SLICE: return slice(r, n);
    case NODE_CALL: return call(r, n);
    case NODE_FILTER: return filter(r, n);
    case NODE_TEST: return test(r, n);
    case NODE_UNARY: return unary(r, n);
    case NODE_BINARY: return binary(r, n);
    case NODE_CHOICE: return choose(r, n);
    case NODE_LIST: return make_list(r, n);
    default: return make_dict(r, n);
  }
}

vlm_jinja_any *vlm_jinja_evaluate(vlm_jinja_run *r, const vlm_jinja_node *n) {
  if (!vlm_jinja_enter(r)) return NULL;
  vlm_jinja_any *v = dispatch(r, n);
  vlm_jinja_leave(r);
  return r->status == VLM_OK ? v : NULL;
}
