/* Internal to the interpreter of chat templates. Functions that give a pointer give NULL when they fail; the error is in the run. */
#ifndef VLM_HUB_JINJA_PRIVATE_H
#define VLM_HUB_JINJA_PRIVATE_H

#include "hub/jinja.h"
#include "runtime/base/buffer.h"

enum {
  VLM_JINJA_DEPTH = 200,
  VLM_JINJA_STEPS = 1000000,
  VLM_JINJA_TEXT_BYTES = 1 << 20,
  VLM_JINJA_MEMORY = 64 << 20
};

typedef enum vlm_jinja_token_kind {
  TOKEN_DATA,
  TOKEN_PRINT, /* {{ */
  TOKEN_BLOCK, /* {% */
  TOKEN_CLOSE, /* }} or %} */
  TOKEN_NAME,
  TOKEN_INT,
  TOKEN_STRING,
  TOKEN_OPERATOR,
  TOKEN_END
} vlm_jinja_token_kind;

typedef const vlm_jinja_value vlm_jinja_any; /* what nobody writes to */

typedef struct vlm_jinja_token {
  vlm_jinja_token_kind kind;
  int line;
  const char *text; /* in the arena */
} vlm_jinja_token;

typedef enum vlm_jinja_node_kind {
  NODE_DATA,
  NODE_PRINT,
  NODE_IF,  /* a: condition, body, otherwise */
  NODE_FOR, /* text, second: targets; a: what; b: filter; body, otherwise */
  NODE_SET, /* text, second: name, attribute; a, or body */
  NODE_BREAK,
  NODE_CONTINUE,
  NODE_VALUE,
  NODE_NAME,
  NODE_ATTRIBUTE, /* a . text */
  NODE_ITEM,      /* a [ b ] */
  NODE_SLICE,     /* a [ list[0] : list[1] : list[2] ] */
  NODE_CALL,      /* a ( list, named ) */
  NODE_FILTER,    /* a | text ( list, named ) */
  NODE_TEST,      /* a is text ( list ) */
  NODE_UNARY,     /* text a */
  NODE_BINARY,    /* a text b */
  NODE_CHOICE,    /* a if b else c */
  NODE_LIST,
  NODE_DICT /* list: keys and values in turn */
} vlm_jinja_node_kind;

typedef struct vlm_jinja_node {
  vlm_jinja_node_kind kind;
  int line;
  bool negated; /* TEST */
  const char *text, *second;
  const vlm_jinja_value *value;
  struct vlm_jinja_node *a, *b, *c;
  struct vlm_jinja_node **list; /* arguments, elements; NULL entries in slices */
  const char **named;           /* names of the arguments; NULL = by place */
  size_t count, room;
  struct vlm_jinja_node *body, *otherwise, *next; /* statements in a row */
} vlm_jinja_node;

typedef struct vlm_jinja_scope {
  struct vlm_jinja_scope *outer;
  vlm_jinja_value *names; /* a DICT */
} vlm_jinja_scope;

typedef struct vlm_jinja_run {
  const char *name;
  vlm_arena *arena;
  vlm_error *err;
  vlm_status status;
  vlm_jinja_token *tokens;
  size_t count, room, at; /* of tokens */
  int depth, line;
  int64_t steps;
  vlm_jinja_scope *scope;
  vlm_text *out;
  bool breaks, continues;
} vlm_jinja_run;

/* Arguments of a call, evaluated. */
typedef struct vlm_jinja_args {
  const vlm_jinja_value **values;
  const char *const *names;
  size_t count;
} vlm_jinja_args;

/* Says it with the line; the first failure stays. Gives NULL. */
void *vlm_jinja_fail(vlm_jinja_run *r, vlm_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* One level deeper, or one step more: false when that is too much. */
bool vlm_jinja_enter(vlm_jinja_run *r);
void vlm_jinja_leave(vlm_jinja_run *r);

bool vlm_jinja_lex(vlm_jinja_run *r, const char *source);
vlm_jinja_node *vlm_jinja_parse(vlm_jinja_run *r);
vlm_jinja_node *vlm_jinja_parse_expression(vlm_jinja_run *r);
vlm_jinja_node *vlm_jinja_make(vlm_jinja_run *r, vlm_jinja_node_kind kind);
bool vlm_jinja_is(const vlm_jinja_run *r, const char *text); /* the token at hand, a name or an operator */
bool vlm_jinja_take(vlm_jinja_run *r, const char *text);     /* and goes on if so */
bool vlm_jinja_want(vlm_jinja_run *r, const char *text);
const char *vlm_jinja_take_name(vlm_jinja_run *r); /* NULL = it is none, which is an error */

const vlm_jinja_value *vlm_jinja_evaluate(vlm_jinja_run *r, const vlm_jinja_node *node);
void vlm_jinja_execute(vlm_jinja_run *r, const vlm_jinja_node *node);
const vlm_jinja_value *vlm_jinja_lookup(const vlm_jinja_run *r,
                                        const char *name); /* NULL = not there; no error */

/* By place or by name; NULL = left out. */
const vlm_jinja_value *vlm_jinja_argument(const vlm_jinja_args *args, size_t at, const char *name);
const vlm_jinja_value *vlm_jinja_filter(vlm_jinja_run *r, const char *name, const vlm_jinja_value *v,
                                        const vlm_jinja_args *args);
/* -1 = failed. */
int vlm_jinja_test(vlm_jinja_run *r, const char *name, const vlm_jinja_value *v, const vlm_jinja_args *args);
const vlm_jinja_value *vlm_jinja_method(vlm_jinja_run *r, const vlm_jinja_value *of, const char *name,
                                        const vlm_jinja_args *args);
const vlm_jinja_value *vlm_jinja_function(vlm_jinja_run *r, const char *name, const vlm_jinja_args *args);

/* ---- values ---- */

vlm_jinja_value *vlm_jinja_new(vlm_jinja_run *r, vlm_jinja_kind kind);
const vlm_jinja_value *vlm_jinja_bool(vlm_jinja_run *r, bool value);
const vlm_jinja_value *vlm_jinja_int(vlm_jinja_run *r, int64_t value);
const vlm_jinja_value *vlm_jinja_text(vlm_jinja_run *r, const char *text, size_t bytes);
const vlm_jinja_value *vlm_jinja_undefined(vlm_jinja_run *r, const char *name);
bool vlm_jinja_add(vlm_jinja_run *r, vlm_jinja_value *list, const vlm_jinja_value *item);
bool vlm_jinja_put(vlm_jinja_run *r, vlm_jinja_value *dict, const char *key, const vlm_jinja_value *item);
const vlm_jinja_value *vlm_jinja_member(const vlm_jinja_value *dict, const char *key); /* NULL = not there */
bool vlm_jinja_true(const vlm_jinja_value *value);
/* False, and the run fails, when comparing takes too long. */
bool vlm_jinja_equal(vlm_jinja_run *r, const vlm_jinja_value *a, const vlm_jinja_value *b);
/* As it is printed; lists and objects are not. */
const char *vlm_jinja_print(vlm_jinja_run *r, const vlm_jinja_value *value);
const vlm_jinja_value *vlm_jinja_json(vlm_jinja_run *r, const vlm_jinja_value *value);
const char *vlm_jinja_kind_name(const vlm_jinja_value *value);
/* Elements of a list, keys of an object, characters of a text, as a list. */
const vlm_jinja_value *vlm_jinja_elements(vlm_jinja_run *r, const vlm_jinja_value *value);

#endif
