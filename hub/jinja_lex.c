/* Templates to tokens: what is text, what is code, and which white space around code goes. */
#include <ctype.h>
#include <string.h>

#include "hub/jinja_private.h"

typedef struct lexer {
  vlm_jinja_run *run;
  const char *source, *at;
  int line;
} lexer;

static bool add(lexer *x, vlm_jinja_token_kind kind, const char *text, size_t bytes) {
  vlm_jinja_run *r = x->run;
  r->line = x->line;
  if (r->count == r->room) {
    size_t room = r->room ? 2 * r->room : 256;
    vlm_jinja_token *more = NULL;
    r->status = vlm_arena_new(r->arena, &more, room, r->err);
    if (r->status != VLM_OK) return false;
    if (r->count) memcpy(more, r->tokens, r->count * sizeof *more);
    r->tokens = more;
    r->room = room;
  }
  const vlm_jinja_value *copy = vlm_jinja_text(r, text, bytes);
  if (!copy) return false;
  r->tokens[r->count++] = (vlm_jinja_token){kind, x->line, copy->text};
  return true;
}

static void skip(lexer *x, const char *to) {
  for (; x->at < to; x->at++) x->line += *x->at == '\n';
}

static bool is_space(char c) { return c && strchr(" \t\n\r\f\v", c); }

/* ---- inside a tag ---- */

static void put_utf8(char **to, unsigned code) {
  char *t = *to;
  if (code < 0x80) *t++ = (char)code;
  else if (code < 0x800) *t++ = (char)(0xC0 | code >> 6);
  else {
    *t++ = (char)(0xE0 | code >> 12);
    *t++ = (char)(0x80 | (code >> 6 & 63));
  }
  if (code >= 0x80) *t++ = (char)(0x80 | (code & 63));
  *to = t;
}

/* \u and four digits; what is none stays as it is. */
static const char *unicode(const char *from, char **to) {
  unsigned code = 0;
  for (int i = 0; i < 4; i++) {
    const char *digits = "0123456789abcdef", *d = strchr(digits, tolower((unsigned char)from[i]));
    if (!from[i] || !d) return from;
    code = code * 16 + (unsigned)(d - digits);
  }
  if (code) put_utf8(to, code);
  return from + 4;
}

static bool add_string(lexer *x, const char *end) {
  char *text = NULL, *to;
  vlm_jinja_run *r = x->run;
  r->status = vlm_arena_new(r->arena, &text, (size_t)(end - x->at) + 4, r->err);
  if (r->status != VLM_OK) return false;
  to = text;
  for (const char *p = x->at + 1; p < end; p++) {
    static const char FROM[] = "ntr\\'\"", TO[] = "\n\t\r\\'\"";
    const char *known = *p == '\\' ? strchr(FROM, p[1]) : NULL;
    if (*p == '\\' && p[1] == 'u') p = unicode(p + 2, &to) - 1;
    else if (known && *known) *to++ = TO[known - FROM], p++;
    else *to++ = *p;
  }
  bool fine = add(x, TOKEN_STRING, text, (size_t)(to - text));
  skip(x, end + 1);
  return fine;
}

static bool lex_string(lexer *x) {
  const char *end = x->at + 1;
  while (*end && *end != *x->at) end += *end == '\\' && end[1] ? 2 : 1;
  x->run->line = x->line;
  if (!*end) return vlm_jinja_fail(x->run, VLM_INPUT, "a text is not closed");
  return add_string(x, end);
}

static bool lex_word(lexer *x) {
  const char *end = x->at;
  bool digits = isdigit((unsigned char)*x->at);
  while (isalnum((unsigned char)*end) || *end == '_') end++;
  x->run->line = x->line;
  if (digits && *end == '.' && isdigit((unsigned char)end[1]))
    return vlm_jinja_fail(x->run, VLM_UNSUPPORTED, "numbers with fractions are not supported");
  bool fine = add(x, digits ? TOKEN_INT : TOKEN_NAME, x->at, (size_t)(end - x->at));
  x->at = end;
  return fine;
}

static bool lex_operator(lexer *x) {
  static const char *const two[] = {"==", "!=", "<=", ">=", "//", "**"};
  x->run->line = x->line;
  for (size_t i = 0; i < sizeof two / sizeof two[0]; i++)
    if (!strncmp(x->at, two[i], 2)) {
      x->at += 2;
      return add(x, TOKEN_OPERATOR, two[i], 2);
    }
  if (!strchr("+-*/%~|.,:()[]{}<>=", *x->at))
    return vlm_jinja_fail(x->run, VLM_INPUT, "\"%c\" has no meaning here", *x->at);
  return add(x, TOKEN_OPERATOR, x->at++, 1);
}

static bool at_end(const lexer *x, const char *close, int depth) {
  const char *p = x->at;
  if (depth > 0) return false;
  if ((*p == '-' || *p == '+') && !strncmp(p + 1, close, 2)) return true;
  return !strncmp(p, close, 2);
}

static bool lex_code(lexer *x, const char *close) {
  int depth = 0;
  for (;;) {
    while (is_space(*x->at)) skip(x, x->at + 1);
    x->run->line = x->line;
    if (!*x->at)
      return vlm_jinja_fail(x->run, VLM_INPUT, "the template ends inside {%c", close[0] == '}' ? '{' : '%');
    if (at_end(x, close, depth)) return true;
    bool word = isalnum((unsigned char)*x->at) || *x->at == '_', quote = *x->at == '"' || *x->at == '\'';
    depth += *x->at == '{' || *x->at == '[' || *x->at == '(';
    depth -= *x->at == '}' || *x->at == ']' || *x->at == ')';
    if (!(quote ? lex_string(x) : word ? lex_word(x) : lex_operator(x))) return false;
  }
}

/* ---- text and tags ---- */

/* Where the text in front of a tag ends: '-' takes all white space, a block alone on its line its indentation. */
static const char *text_end(const lexer *x, const char *tag) {
  const char *end = tag;
  if (tag[2] == '-') {
    while (end > x->at && is_space(end[-1])) end--;
    return end;
  }
  if (tag[1] == '{' || tag[2] == '+') return tag;
  while (end > x->at && (end[-1] == ' ' || end[-1] == '\t')) end--;
  bool starts_line = end == x->source || end[-1] == '\n';
  return starts_line ? end : tag;
}

/* Behind a tag: '-' takes all white space, a block or comment the end of its line. */
static void close_tag(lexer *x, bool block) {
  char mark = *x->at;
  x->at += mark == '-' || mark == '+' ? 3 : 2;
  if (mark == '-')
    while (is_space(*x->at)) skip(x, x->at + 1);
  else if (block && mark != '+' && *x->at == '\n') skip(x, x->at + 1);
}

static bool lex_comment(lexer *x) {
  const char *end = strstr(x->at + 2, "#}");
  if (!end) return vlm_jinja_fail(x->run, VLM_INPUT, "a comment is not closed");
  bool mark = end > x->at + 2 && (end[-1] == '-' || end[-1] == '+');
  skip(x, mark ? end - 1 : end);
  close_tag(x, true);
  return true;
}

static bool lex_tag(lexer *x) {
  const bool block = x->at[1] == '%';
  if (x->at[1] == '#') return lex_comment(x);
  if (!add(x, block ? TOKEN_BLOCK : TOKEN_PRINT, "", 0)) return false;
  x->at += x->at[2] == '-' || x->at[2] == '+' ? 3 : 2;
  if (!lex_code(x, block ? "%}" : "}}") || !add(x, TOKEN_CLOSE, "", 0)) return false;
  close_tag(x, block);
  return true;
}

static const char *next_tag(const char *at) {
  for (; (at = strchr(at, '{')); at++)
    if (at[1] == '{' || at[1] == '%' || at[1] == '#') return at;
  return NULL;
}

bool vlm_jinja_lex(vlm_jinja_run *r, const char *source) {
  lexer x = {r, source, source, 1};
  while (*x.at) {
    const char *tag = next_tag(x.at), *end = tag ? text_end(&x, tag) : x.at + strlen(x.at);
    if (!tag && end > x.at && end[-1] == '\n') end--; /* the last line end of a file is none of the text */
    r->line = x.line;
    if (end > x.at && !add(&x, TOKEN_DATA, x.at, (size_t)(end - x.at))) return false;
    skip(&x, tag ? tag : x.at + strlen(x.at));
    if (tag && !lex_tag(&x)) return false;
  }
  return add(&x, TOKEN_END, "", 0);
}
