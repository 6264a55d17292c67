/* Tokens to statements. */
#include <string.h>

#include "hub/jinja_private.h"

static const vlm_jinja_token *token(const vlm_jinja_run *r) { return &r->tokens[r->at]; }

vlm_jinja_node *vlm_jinja_make(vlm_jinja_run *r, vlm_jinja_node_kind kind) {
  vlm_jinja_node *n = NULL;
  if (r->status == VLM_OK) r->status = vlm_arena_new(r->arena, &n, 1, r->err);
  if (r->status != VLM_OK) return NULL;
  n->kind = kind;
  n->line = token(r)->line;
  return n;
}

static bool is_word(const vlm_jinja_token *t, const char *text) {
  return (t->kind == TOKEN_NAME || t->kind == TOKEN_OPERATOR) && !strcmp(t->text, text);
}

bool vlm_jinja_is(const vlm_jinja_run *r, const char *text) { return is_word(token(r), text); }

bool vlm_jinja_take(vlm_jinja_run *r, const char *text) {
  if (!vlm_jinja_is(r, text)) return false;
  r->at++;
  return true;
}

static const char *found(const vlm_jinja_run *r) {
  switch (token(r)->kind) {
    case TOKEN_CLOSE: return "the end of the tag";
    case TOKEN_END: return "the end of the template";
    case TOKEN_DATA: return "text";
    default: return token(r)->text;
  }
}

bool vlm_jinja_want(vlm_jinja_run *r, const char *text) {
  r->line = token(r)->line;
  return vlm_jinja_take(r, text) || vlm_jinja_fail(r, VLM_INPUT, "%s where \"%s\" is wanted", found(r), text);
}

const char *vlm_jinja_take_name(vlm_jinja_run *r) {
  r->line = token(r)->line;
  if (token(r)->kind != TOKEN_NAME)
    return vlm_jinja_fail(r, VLM_INPUT, "%s where a name is wanted", found(r));
  return r->tokens[r->at++].text;
}

static bool want_close(vlm_jinja_run *r) {
  r->line = token(r)->line;
  if (token(r)->kind != TOKEN_CLOSE)
    return vlm_jinja_fail(r, VLM_INPUT, "\"%s\" where the tag should end", found(r));
  r->at++;
  return true;
}

/* The block at hand begins with that word. */
static bool next_is(const vlm_jinja_run *r, const char *word) {
  return token(r)->kind == TOKEN_BLOCK && is_word(&r->tokens[r->at + 1], word);
}

/* {% word %} */
static bool take_end(vlm_jinja_run *r, const char *word) {
  r->line = token(r)->line;
  if (!next_is(r, word)) return vlm_jinja_fail(r, VLM_INPUT, "%s is missing", word);
  r->at += 2;
  return want_close(r);
}

static bool parse_body(vlm_jinja_run *r, vlm_jinja_node **out);

/* ---- statements; the word is taken ---- */

static vlm_jinja_node *parse_if(vlm_jinja_run *r) {
  vlm_jinja_node *n = vlm_jinja_make(r, NODE_IF);
  if (!n || !(n->a = vlm_jinja_parse_expression(r)) || !want_close(r) || !parse_body(r, &n->body))
    return NULL;
  if (next_is(r, "elif")) {
    r->at += 2;
    if (!vlm_jinja_enter(r)) return NULL;
    n->otherwise = parse_if(r);
    vlm_jinja_leave(r);
    return n->otherwise ? n : NULL;
  }
  if (next_is(r, "else")) {
    r->at += 2;
    if (!want_close(r) || !parse_body(r, &n->otherwise)) return NULL;
  }
  return take_end(r, "endif") ? n : NULL;
}

static vlm_jinja_node *parse_for(vlm_jinja_run *r) {
  vlm_jinja_node *n = vlm_jinja_make(r, NODE_FOR);
  if (!n || !(n->text = vlm_jinja_take_name(r))) return NULL;
  if (vlm_jinja_take(r, ",") && !(n->second = vlm_jinja_take_name(r))) return NULL;
  /* A condition behind the list belongs to the loop, not to an expression "a if b". */
  if (!vlm_jinja_want(r, "in") || !(n->a = vlm_jinja_parse_expression(r))) return NULL;
  if (n->a->kind == NODE_CHOICE && !n->a->c) {
    n->b = n->a->b;
    n->a = n->a->a;
  }
  if (!want_close(r) || !parse_body(r, &n->body)) return NULL;
  if (next_is(r, "else")) {
    r->at += 2;
    if (!want_close(r) || !parse_body(r, &n->otherwise)) return NULL;
  }
  return take_end(r, "endfor") ? n : NULL;
}

static vlm_jinja_node *parse_set(vlm_jinja_run *r) {
  vlm_jinja_node *n = vlm_jinja_make(r, NODE_SET);
  if (!n || !(n->text = vlm_jinja_take_name(r))) return NULL;
  if (vlm_jinja_take(r, ".") && !(n->second = vlm_jinja_take_name(r))) return NULL;
  if (vlm_jinja_take(r, "=")) return (n->a = vlm_jinja_parse_expression(r)) && want_close(r) ? n : NULL;
  return want_close(r) && parse_body(r, &n->body) && take_end(r, "endset") ? n : NULL;
}

static vlm_jinja_node *parse_leap(vlm_jinja_run *r, vlm_jinja_node_kind kind) {
  vlm_jinja_node *n = vlm_jinja_make(r, kind);
  return n && want_close(r) ? n : NULL;
}

/* Marks what an assistant said, for training: its body alone counts. */
static vlm_jinja_node *parse_generation(vlm_jinja_run *r) {
  vlm_jinja_node *n = vlm_jinja_make(r, NODE_IF);
  if (!n || !want_close(r) || !parse_body(r, &n->body) || !take_end(r, "endgeneration")) return NULL;
  n->a = vlm_jinja_make(r, NODE_VALUE);
  if (n->a) n->a->value = vlm_jinja_bool(r, true);
  return n->a && n->a->value ? n : NULL;
}

static vlm_jinja_node *parse_block(vlm_jinja_run *r) {
  const char *word = vlm_jinja_take_name(r);
  if (!word) return NULL;
  if (!strcmp(word, "if")) return parse_if(r);
  if (!strcmp(word, "for")) return parse_for(r);
  if (!strcmp(word, "set")) return parse_set(r);
  if (!strcmp(word, "break")) return parse_leap(r, NODE_BREAK);
  if (!strcmp(word, "continue")) return parse_leap(r, NODE_CONTINUE);
  if (!strcmp(word, "generation")) return parse_generation(r);
  return vlm_jinja_fail(r, VLM_UNSUPPORTED,
                        "{%% %s %%} is not supported; --raw-prompt sends the prompt as written", word);
}

static vlm_jinja_node *parse_statement(vlm_jinja_run *r) {
  const vlm_jinja_token *t = token(r);
  vlm_jinja_node *n = NULL;
  r->line = t->line;
  if (t->kind == TOKEN_BLOCK) {
    r->at++;
    return parse_block(r);
  }
  n = vlm_jinja_make(r, t->kind == TOKEN_DATA ? NODE_DATA : NODE_PRINT);
  if (!n) return NULL;
  n->text = t->text;
  r->at++;
  if (t->kind == TOKEN_DATA) return n;
  return (n->a = vlm_jinja_parse_expression(r)) && want_close(r) ? n : NULL;
}

/* Up to a block that ends or parts one. */
static bool ends_body(const vlm_jinja_run *r) {
  static const char *const words[] = {"endif", "elif", "else", "endfor", "endset", "endgeneration"};
  for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
    if (next_is(r, words[i])) return true;
  return token(r)->kind == TOKEN_END;
}

static bool parse_body(vlm_jinja_run *r, vlm_jinja_node **out) {
  vlm_jinja_node **last = out;
  *out = NULL;
  if (!vlm_jinja_enter(r)) return false;
  while (!ends_body(r)) {
    if (!(*last = parse_statement(r))) return false;
    last = &(*last)->next;
  }
  vlm_jinja_leave(r);
  return true;
}

vlm_jinja_node *vlm_jinja_parse(vlm_jinja_run *r) {
  vlm_jinja_node *body = NULL;
  if (!parse_body(r, &body)) return NULL;
  r->line = token(r)->line;
  if (token(r)->kind != TOKEN_END)
    return vlm_jinja_fail(r, VLM_INPUT, "%s ends nothing", r->tokens[r->at + 1].text);
  return body ? body : vlm_jinja_make(r, NODE_DATA);
}
