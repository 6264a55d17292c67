/* Tokens to expressions, loosest binding first. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hub/jinja_private.h"

typedef vlm_jinja_node *parser(vlm_jinja_run *r);

static vlm_jinja_node *parse_unary(vlm_jinja_run *r);

static bool add(vlm_jinja_run *r, vlm_jinja_node *n, vlm_jinja_node *item, const char *name) {
  if (r->status != VLM_OK) return false;
  if (n->count == n->room) {
    size_t room = n->room ? 2 * n->room : 4;
    vlm_jinja_node **list = NULL;
    const char **named = NULL;
    r->status = vlm_arena_new(r->arena, &list, room, r->err);
    if (r->status == VLM_OK) r->status = vlm_arena_new(r->arena, &named, room, r->err);
    if (r->status != VLM_OK) return false;
    if (n->count) {
      memcpy(list, n->list, n->count * sizeof *list);
      memcpy(named, n->named, n->count * sizeof *named);
    }
    n->list = list;
    n->named = named;
    n->room = room;
  }
  n->named[n->count] = name;
  n->list[n->count++] = item;
  return true;
}

static vlm_jinja_node *constant(vlm_jinja_run *r, const vlm_jinja_value *value) {
  vlm_jinja_node *n = vlm_jinja_make(r, NODE_VALUE);
  if (!n || !value) return NULL;
  n->value = value;
  return n;
}

static vlm_jinja_node *join(vlm_jinja_run *r, const char *text, vlm_jinja_node *a, vlm_jinja_node *b) {
  vlm_jinja_node *n = vlm_jinja_make(r, NODE_BINARY);
  if (!n || !a || !b) return NULL;
  n->text = text;
  n->a = a;
  n->b = b;
  return n;
}

/* ---- primaries ---- */

static vlm_jinja_node *parse_int(vlm_jinja_run *r) {
  errno = 0;
  long long value = strtoll(r->tokens[r->at].text, NULL, 10);
  if (errno) return vlm_jinja_fail(r, VLM_LIMIT, "%s is too large", r->tokens[r->at].text);
  vlm_jinja_node *n = constant(r, vlm_jinja_int(r, value));
  r->at++;
  return n;
}

/* Texts in a row are one. */
static vlm_jinja_node *parse_string(vlm_jinja_run *r) {
  vlm_text whole = {0};
  vlm_jinja_node *n = NULL;
  for (; r->status == VLM_OK && r->tokens[r->at].kind == TOKEN_STRING; r->at++)
    r->status = vlm_text_append(&whole, r->tokens[r->at].text, strlen(r->tokens[r->at].text), r->err);
  if (r->status == VLM_OK) n = constant(r, vlm_jinja_text(r, vlm_text_get(&whole), whole.bytes));
  vlm_text_free(&whole);
  return n;
}

/* Elements up to `close`, which is taken. */
static vlm_jinja_node *parse_elements(vlm_jinja_run *r, const char *close) {
  vlm_jinja_node *n = vlm_jinja_make(r, NODE_LIST);
  while (n && !vlm_jinja_take(r, close)) {
    vlm_jinja_node *item = vlm_jinja_parse_expression(r);
    if (!item || !add(r, n, item, NULL)) return NULL;
    if (!vlm_jinja_is(r, close) && !vlm_jinja_want(r, ",")) return NULL;
  }
  return n;
}

/* (a) is a; (a, b) is a list. */
static vlm_jinja_node *parse_group(vlm_jinja_run *r) {
  vlm_jinja_node *n = parse_elements(r, ")");
  if (!n || n->count != 1) return n;
  const vlm_jinja_token *last = &r->tokens[r->at - 2];
  return last->kind == TOKEN_OPERATOR && !strcmp(last->text, ",") ? n : n->list[0];
}

static vlm_jinja_node *parse_dict(vlm_jinja_run *r) {
  vlm_jinja_node *n = vlm_jinja_make(r, NODE_DICT);
  while (n && !vlm_jinja_take(r, "}")) {
    vlm_jinja_node *key = vlm_jinja_parse_expression(r);
    if (!key || !add(r, n, key, NULL) || !vlm_jinja_want(r, ":")) return NULL;
    vlm_jinja_node *value = vlm_jinja_parse_expression(r);
    if (!value || !add(r, n, value, NULL)) return NULL;
    if (!vlm_jinja_is(r, "}") && !vlm_jinja_want(r, ",")) return NULL;
  }
  return n;
}

static vlm_jinja_node *parse_name(vlm_jinja_run *r) {
  const char *name = vlm_jinja_take_name(r);
  vlm_jinja_node *n = NULL;
  if (!name) return NULL;
  if (!strcmp(name, "true") || !strcmp(name, "True")) return constant(r, vlm_jinja_bool(r, true));
  if (!strcmp(name, "false") || !strcmp(name, "False")) return constant(r, vlm_jinja_bool(r, false));
  if (!strcmp(name, "none") || !strcmp(name, "None")) return constant(r, vlm_jinja_new(r, VLM_JINJA_NONE));
  n = vlm_jinja_make(r, NODE_NAME);
  if (n) n->text = name;
  return n;
}

static vlm_jinja_node *parse_primary(vlm_jinja_run *r) {
  r->line = r->tokens[r->at].line;
  if (r->tokens[r->at].kind == TOKEN_INT) return parse_int(r);
  if (r->tokens[r->at].kind == TOKEN_STRING) return parse_string(r);
  if (vlm_jinja_take(r, "(")) return parse_group(r);
  if (vlm_jinja_take(r, "[")) return parse_elements(r, "]");
  if (vlm_jinja_take(r, "{")) return parse_dict(r);
  return parse_name(r);
}

/* ---- what follows a primary ---- */

static vlm_jinja_node *parse_arguments(vlm_jinja_run *r, vlm_jinja_node *n) {
  while (!vlm_jinja_take(r, ")")) {
    const char *name = NULL;
    const vlm_jinja_token *next = &r->tokens[r->at + 1];
    if (r->tokens[r->at].kind == TOKEN_NAME && next->kind == TOKEN_OPERATOR && !strcmp(next->text, "=")) {
      name = r->tokens[r->at].text;
      r->at += 2;
    }
    vlm_jinja_node *value = vlm_jinja_parse_expression(r);
    if (!value || !add(r, n, value, name)) return NULL;
    if (!vlm_jinja_is(r, ")") && !vlm_jinja_want(r, ",")) return NULL;
  }
  return n;
}

/* [a] or [a:b:c], each of which may be left out. */
static vlm_jinja_node *parse_subscript(vlm_jinja_run *r, vlm_jinja_node *of) {
  vlm_jinja_node *n = vlm_jinja_make(r, NODE_ITEM), *part = NULL;
  bool slice = false;
  if (!n) return NULL;
  n->a = of;
  for (;;) {
    if (!vlm_jinja_is(r, ":") && !vlm_jinja_is(r, "]") && !(part = vlm_jinja_parse_expression(r)))
      return NULL;
    if (!add(r, n, part, NULL)) return NULL;
    part = NULL;
    if (!vlm_jinja_take(r, ":")) break;
    slice = true;
  }
  n->kind = slice ? NODE_SLICE : NODE_ITEM;
  n->b = n->list[0];
  if (!vlm_jinja_want(r, "]")) return NULL;
  if ((slice && n->count <= 3) || (!slice && n->b)) return n;
  return vlm_jinja_fail(r, VLM_INPUT, "[] holds nothing, or more than a slice");
}

static vlm_jinja_node *parse_postfix(vlm_jinja_run *r) {
  vlm_jinja_node *n = parse_primary(r);
  while (n) {
    vlm_jinja_node *of = n;
    if (vlm_jinja_take(r, ".")) {
      n = vlm_jinja_make(r, NODE_ATTRIBUTE);
      if (n && !(n->text = vlm_jinja_take_name(r))) return NULL;
      if (n) n->a = of;
    } else if (vlm_jinja_take(r, "[")) {
      n = parse_subscript(r, of);
    } else if (vlm_jinja_take(r, "(")) {
      n = vlm_jinja_make(r, NODE_CALL);
      if (n) n->a = of;
      if (n) n = parse_arguments(r, n);
    } else {
      break;
    }
  }
  return n;
}

static vlm_jinja_node *parse_filter(vlm_jinja_run *r, vlm_jinja_node *of) {
  vlm_jinja_node *n = vlm_jinja_make(r, NODE_FILTER);
  if (!n || !(n->text = vlm_jinja_take_name(r))) return NULL;
  n->a = of;
  return vlm_jinja_take(r, "(") ? parse_arguments(r, n) : n;
}

/* is [not] name, with an argument in parentheses or without. */
static vlm_jinja_node *parse_test(vlm_jinja_run *r, vlm_jinja_node *of) {
  vlm_jinja_node *n = vlm_jinja_make(r, NODE_TEST);
  if (!n) return NULL;
  n->a = of;
  n->negated = vlm_jinja_take(r, "not");
  if (!(n->text = vlm_jinja_take_name(r))) return NULL;
  if (vlm_jinja_take(r, "(")) return parse_arguments(r, n);
  vlm_jinja_token_kind next = r->tokens[r->at].kind;
  bool argument = next == TOKEN_STRING || next == TOKEN_INT;
  if (!argument) return n;
  vlm_jinja_node *value = parse_primary(r);
  return value && add(r, n, value, NULL) ? n : NULL;
}

static vlm_jinja_node *parse_filtered(vlm_jinja_run *r, vlm_jinja_node *n) {
  while (n) {
    if (vlm_jinja_take(r, "|")) n = parse_filter(r, n);
    else if (vlm_jinja_take(r, "is")) n = parse_test(r, n);
    else break;
  }
  return n;
}

/* ---- operators ---- */

static vlm_jinja_node *parse_sign(vlm_jinja_run *r, const char *sign) {
  vlm_jinja_node *n = vlm_jinja_make(r, NODE_UNARY);
  if (!n || !vlm_jinja_enter(r)) return NULL;
  n->text = sign;
  n->a = parse_unary(r);
  vlm_jinja_leave(r);
  return n->a ? n : NULL;
}

static vlm_jinja_node *parse_unary(vlm_jinja_run *r) {
  vlm_jinja_node *n = vlm_jinja_take(r, "-")   ? parse_sign(r, "-")
                      : vlm_jinja_take(r, "+") ? parse_sign(r, "+")
                                               : parse_postfix(r);
  return parse_filtered(r, n);
}

/* Operators of one rank, from left to right. */
static vlm_jinja_node *parse_rank(vlm_jinja_run *r, parser *tighter, const char *const *operators) {
  vlm_jinja_node *n = tighter(r);
  for (size_t i = 0; n && operators[i]; i++) {
    if (!vlm_jinja_take(r, operators[i])) continue;
    n = join(r, operators[i], n, tighter(r));
    i = (size_t)-1;
  }
  return n;
}

static vlm_jinja_node *parse_product(vlm_jinja_run *r) {
  static const char *const operators[] = {"*", "//", "/", "%", NULL};
  return parse_rank(r, parse_unary, operators);
}
static vlm_jinja_node *parse_concat(vlm_jinja_run *r) {
  static const char *const operators[] = {"~", NULL};
  return parse_rank(r, parse_product, operators);
}
static vlm_jinja_node *parse_sum(vlm_jinja_run *r) {
  static const char *const operators[] = {"+", "-", NULL};
  return parse_rank(r, parse_concat, operators);
}

static vlm_jinja_node *negate(vlm_jinja_run *r, vlm_jinja_node *of) {
  vlm_jinja_node *n = vlm_jinja_make(r, NODE_UNARY);
  if (!n || !of) return NULL;
  n->text = "not";
  n->a = of;
  return n;
}

/* a < b < c is (a < b) and (b < c). */
static vlm_jinja_node *parse_comparison(vlm_jinja_run *r) {
  static const char *const operators[] = {"==", "!=", "<=", ">=", "<", ">", "in"};
  enum { COUNT = sizeof operators / sizeof operators[0] };
  vlm_jinja_node *left = parse_sum(r), *all = NULL;
  while (left) {
    size_t i = 0;
    const vlm_jinja_token *next = &r->tokens[r->at];
    bool no = vlm_jinja_is(r, "not") && next[1].kind == TOKEN_NAME && !strcmp(next[1].text, "in");
    if (no) r->at++;
    while (i < COUNT && !vlm_jinja_take(r, operators[i])) i++;
    if (i == COUNT) break;
    vlm_jinja_node *right = parse_sum(r), *one = join(r, operators[i], left, right);
    if (no) one = negate(r, one);
    all = all ? join(r, "and", all, one) : one;
    left = right;
    if (!all) return NULL;
  }
  return all ? all : left;
}

static vlm_jinja_node *parse_not(vlm_jinja_run *r) {
  if (!vlm_jinja_take(r, "not")) return parse_comparison(r);
  if (!vlm_jinja_enter(r)) return NULL;
  vlm_jinja_node *n = negate(r, parse_not(r));
  vlm_jinja_leave(r);
  return n;
}
static vlm_jinja_node *parse_and(vlm_jinja_run *r) {
  static const char *const operators[] = {"and", NULL};
  return parse_rank(r, parse_not, operators);
}
static vlm_jinja_node *parse_or(vlm_jinja_run *r) {
  static const char *const operators[] = {"or", NULL};
  return parse_rank(r, parse_and, operators);
}

vlm_jinja_node *vlm_jinja_parse_expression(vlm_jinja_run *r) {
  vlm_jinja_node *n = NULL, *choice;
  if (!vlm_jinja_enter(r)) return NULL;
  n = parse_or(r);
  while (n && vlm_jinja_take(r, "if")) {
    choice = vlm_jinja_make(r, NODE_CHOICE);
    if (!choice || !(choice->b = parse_or(r))) return NULL;
    choice->a = n;
    if (vlm_jinja_take(r, "else") && !(choice->c = vlm_jinja_parse_expression(r))) return NULL;
    n = choice;
  }
  vlm_jinja_leave(r);
  return n;
}
