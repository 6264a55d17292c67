/* Statements at work. */
#include <string.h>

#include "hub/jinja_private.h"

static bool put(vlm_jinja_run *r, const char *text) {
  if (r->status != VLM_OK || !text) return false;
  size_t bytes = strlen(text);
  if (r->out->bytes + bytes > VLM_JINJA_TEXT_BYTES)
    return vlm_jinja_fail(r, VLM_LIMIT, "the template says more than %d bytes", VLM_JINJA_TEXT_BYTES);
  r->status = vlm_text_append(r->out, text, bytes, r->err);
  return r->status == VLM_OK;
}

const vlm_jinja_value *vlm_jinja_lookup(const vlm_jinja_run *r, const char *name) {
  for (const vlm_jinja_scope *s = r->scope; s; s = s->outer) {
    const vlm_jinja_value *found = vlm_jinja_member(s->names, name);
    if (found) return found;
  }
  return NULL;
}

/* ---- for ---- */

typedef struct item_loop {
  const vlm_jinja_node *node;
  const vlm_jinja_value *items;
  vlm_jinja_scope scope;
} item_loop;

static bool name_item(vlm_jinja_run *r, item_loop *l, const vlm_jinja_value *item) {
  const vlm_jinja_node *n = l->node;
  l->scope.names = vlm_jinja_new(r, VLM_JINJA_DICT);
  if (!n->second) return vlm_jinja_put(r, l->scope.names, n->text, item);
  if (item->kind != VLM_JINJA_LIST || item->count != 2)
    return vlm_jinja_fail(r, VLM_INPUT, "%s where two values are wanted", vlm_jinja_kind_name(item));
  return vlm_jinja_put(r, l->scope.names, n->text, item->items[0]) &&
         vlm_jinja_put(r, l->scope.names, n->second, item->items[1]);
}

/* The elements that the loop's condition keeps. */
static const vlm_jinja_value *keep(vlm_jinja_run *r, item_loop *l, const vlm_jinja_value *items) {
  vlm_jinja_value *kept = vlm_jinja_new(r, VLM_JINJA_LIST);
  for (size_t i = 0; i < items->count; i++) {
    if (!name_item(r, l, items->items[i])) return NULL;
    const vlm_jinja_value *wanted = vlm_jinja_evaluate(r, l->node->b);
    if (!wanted || (vlm_jinja_true(wanted) && !vlm_jinja_add(r, kept, items->items[i]))) return NULL;
  }
  return kept;
}

static bool put_loop(vlm_jinja_run *r, item_loop *l, size_t i) {
  const size_t count = l->items->count;
  const struct {
    const char *name;
    size_t value;
  } numbers[] = {{"index", i + 1},
                 {"index0", i},
                 {"revindex", count - i},
                 {"revindex0", count - i - 1},
                 {"length", count}};
  vlm_jinja_value *facts = vlm_jinja_new(r, VLM_JINJA_DICT);
  for (size_t k = 0; k < sizeof numbers / sizeof numbers[0]; k++)
    if (!vlm_jinja_put(r, facts, numbers[k].name, vlm_jinja_int(r, (int64_t)numbers[k].value))) return false;
  return vlm_jinja_put(r, facts, "first", vlm_jinja_bool(r, i == 0)) &&
         vlm_jinja_put(r, facts, "last", vlm_jinja_bool(r, i + 1 == count)) &&
         (i == 0 || vlm_jinja_put(r, facts, "previtem", l->items->items[i - 1])) &&
         (i + 1 == count || vlm_jinja_put(r, facts, "nextitem", l->items->items[i + 1])) &&
         vlm_jinja_put(r, l->scope.names, "loop", facts);
}

static void run_items(vlm_jinja_run *r, item_loop *l) {
  for (size_t i = 0; i < l->items->count && r->status == VLM_OK && !r->breaks; i++) {
    if (!name_item(r, l, l->items->items[i]) || !put_loop(r, l, i)) return;
    vlm_jinja_execute(r, l->node->body);
    r->continues = false;
  }
  r->breaks = false;
}

static void run_for(vlm_jinja_run *r, const vlm_jinja_node *n) {
  item_loop l = {.node = n, .scope = {.outer = r->scope, .names = vlm_jinja_new(r, VLM_JINJA_DICT)}};
  const vlm_jinja_value *of = vlm_jinja_evaluate(r, n->a);
  l.items = of ? vlm_jinja_elements(r, of) : NULL;
  if (!l.items) return;
  r->scope = &l.scope;
  if (n->b) l.items = keep(r, &l, l.items);
  if (l.items && l.items->count) run_items(r, &l);
  r->scope = l.scope.outer;
  if (l.items && !l.items->count) vlm_jinja_execute(r, n->otherwise);
}

/* ---- set ---- */

/* What the body says, as a text. */
static const vlm_jinja_value *capture(vlm_jinja_run *r, const vlm_jinja_node *body) {
  vlm_text said = {0}, *outer = r->out;
  const vlm_jinja_value *made = NULL;
  r->out = &said;
  vlm_jinja_execute(r, body);
  r->out = outer;
  if (r->status == VLM_OK) made = vlm_jinja_text(r, vlm_text_get(&said), said.bytes);
  vlm_text_free(&said);
  return made;
}

static void run_set(vlm_jinja_run *r, const vlm_jinja_node *n) {
  const vlm_jinja_value *value = n->a ? vlm_jinja_evaluate(r, n->a) : capture(r, n->body);
  if (!value) return;
  if (!n->second) {
    (void)vlm_jinja_put(r, r->scope->names, n->text, value);
    return;
  }
  const vlm_jinja_value *space = vlm_jinja_lookup(r, n->text);
  if (!space || !space->is_namespace) {
    vlm_jinja_fail(r, VLM_INPUT, "%s is no namespace", n->text);
    return;
  }
  (void)vlm_jinja_put(r, (vlm_jinja_value *)(uintptr_t)space, n->second, value);
}

/* ---- the whole ---- */

static void run_if(vlm_jinja_run *r, const vlm_jinja_node *n) {
  const vlm_jinja_value *wanted = vlm_jinja_evaluate(r, n->a);
  if (wanted) vlm_jinja_execute(r, vlm_jinja_true(wanted) ? n->body : n->otherwise);
}

static void run_print(vlm_jinja_run *r, const vlm_jinja_node *n) {
  const vlm_jinja_value *value = vlm_jinja_evaluate(r, n->a);
  if (value) (void)put(r, vlm_jinja_print(r, value));
}

void vlm_jinja_execute(vlm_jinja_run *r, const vlm_jinja_node *n) {
  if (!vlm_jinja_enter(r)) return;
  for (; n && r->status == VLM_OK && !r->breaks && !r->continues; n = n->next) {
    r->line = n->line;
    switch (n->kind) {
      case NODE_DATA: (void)put(r, n->text ? n->text : ""); break;
      case NODE_PRINT: run_print(r, n); break;
      case NODE_IF: run_if(r, n); break;
      case NODE_FOR: run_for(r, n); break;
      case NODE_SET: run_set(r, n); break;
      case NODE_BREAK: r->breaks = true; break;
      default: r->continues = true; break;
    }
  }
  vlm_jinja_leave(r);
}

/* Lines end as they do on Unix. */
static vlm_status plain_lines(char **out, const char *source, vlm_error *err) {
  vlm_status st = vlm_strdup(out, source, err);
  if (st != VLM_OK) return st;
  char *to = *out;
  for (const char *from = source; *from; from++)
    if (*from != '\r') *to++ = *from;
    else if (from[1] != '\n') *to++ = '\n';
  *to = 0;
  return st;
}

vlm_status vlm_jinja_render(char **out, const char *source, const char *name,
                            const vlm_jinja_value *variables, vlm_arena *arena, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_text said = {0};
  char *lines = NULL;
  vlm_jinja_run r = {.name = name, .arena = arena, .err = err, .out = &said};
  vlm_jinja_scope global = {.names = (vlm_jinja_value *)(uintptr_t)variables};
  vlm_jinja_scope top = {.outer = &global};
  *out = NULL;
  vlm_arena_limit(arena, vlm_arena_used(arena) + VLM_JINJA_MEMORY);
  VLM_TRY(plain_lines(&lines, source, err));
  r.scope = &top;
  top.names = vlm_jinja_new(&r, VLM_JINJA_DICT);
  const vlm_jinja_node *body = top.names && vlm_jinja_lex(&r, lines) ? vlm_jinja_parse(&r) : NULL;
  if (body) vlm_jinja_execute(&r, body);
  VLM_TRY(r.status);
  VLM_TRY(vlm_strdup(out, vlm_text_get(&said), err));
out:
  vlm_text_free(&said);
  vlm_free(lines);
  vlm_arena_limit(arena, 0);
  return st;
}
