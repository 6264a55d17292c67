/* Patterns to instructions (Thompson's construction). Code is emitted in order, so a repeated atom is parsed again for each copy. */
#include <ctype.h>
#include <string.h>

#include "eval/ptb_classes.h"
#include "eval/ptb_scanner.h"

typedef struct pattern_parser {
  vlm_ptb_program *program;
  const char *pattern, *at;
  int depth;
  vlm_error *err;
} pattern_parser;

static vlm_status parse_choice(pattern_parser *p);

static vlm_status emit(pattern_parser *p, vlm_ptb_opcode code, int32_t x, int32_t y) {
  vlm_ptb_program *program = p->program;
  vlm_status st = VLM_OK;
  if (program->count == program->capacity) {
    const int32_t more = program->capacity ? program->capacity * 2 : 1024;
    VLM_TRY(vlm_more(&program->code, program->capacity, more, p->err));
    program->capacity = more;
  }
  program->code[program->count++] = (vlm_ptb_instruction){.code = code, .x = x, .y = y};
out:
  return st;
}

static void add(unsigned char *set, int first, int last) {
  for (int i = first; i <= last; i++) set[i >> 3] |= (unsigned char)(1 << (i & 7));
}

/* What a set name stands for: its classes beyond ASCII and ASCII ranges in pairs. */
static const struct set_name {
  char name;
  const char *ascii;
  unsigned char classes[6];
} set_names[] = {
    {'l', "AZaz", {VLM_PTB_UPPER, VLM_PTB_LETTER, VLM_PTB_MARK, VLM_PTB_SOFT}},
    {'L', "AZaz", {VLM_PTB_UPPER, VLM_PTB_LETTER}},
    {'u', "AZ", {VLM_PTB_UPPER}},
    {'d', "09", {VLM_PTB_DIGIT}},
    {'\'', "''", {VLM_PTB_APOS}},
    {'q', "''``", {VLM_PTB_APOS, VLM_PTB_BACKQUOTE}},
    {'s', "  \t\t", {VLM_PTB_NBSP, VLM_PTB_SPACE}},
    {'n', "\n\r", {VLM_PTB_NEWLINE}},
    {'w', "  \t\r", {VLM_PTB_NBSP, VLM_PTB_SPACE, VLM_PTB_NEWLINE}},
    {'_', "", {VLM_PTB_NBSP}},
    {'h', "--__", {VLM_PTB_HYPHEN}},
    {'0', "", {VLM_PTB_DOTS}},
    {'1', "", {VLM_PTB_DASH}},
    {'2', "", {VLM_PTB_BACKQUOTE, VLM_PTB_APOS, VLM_PTB_QUOTE}},
    {'3', "", {VLM_PTB_SUPER}},
    {'4', "", {VLM_PTB_SUB}},
    {'5', "", {VLM_PTB_SUBSIGN}},
    {'6', "", {VLM_PTB_FRACTION}},
    {'7', "", {VLM_PTB_COMMA}},
    {'9', "", {VLM_PTB_SOFT}},
    {'8', "", {VLM_PTB_SYMBOL, VLM_PTB_SUPER, VLM_PTB_SUB, VLM_PTB_SUBSIGN, VLM_PTB_FRACTION}},
};

static vlm_status add_name(pattern_parser *p, unsigned char *set, char name) {
  if (name == '.') {
    add(set, 0, VLM_PTB_CLASSES - 1);
    return VLM_OK;
  }
  for (size_t i = 0; i < sizeof(set_names) / sizeof(set_names[0]); i++) {
    const struct set_name *row = &set_names[i];
    if (row->name != name) continue;
    for (const char *c = row->ascii; *c; c += 2) add(set, c[0], c[1]);
    for (const unsigned char *c = row->classes; *c; c++) add(set, *c, *c);
    return VLM_OK;
  }
  if (ispunct((unsigned char)name)) {
    add(set, name, name);
    return VLM_OK;
  }
  return vlm_fail(p->err, VLM_INTERNAL, "pattern \"%s\": unknown set %%%c", p->pattern, name);
}

/* After "[": members, with names and ranges, to the closing bracket. */
static vlm_status parse_set(pattern_parser *p, unsigned char *set) {
  vlm_status st = VLM_OK;
  const int negate = *p->at == '^';
  p->at += negate;
  while (*p->at && *p->at != ']') {
    if (*p->at == '%') {
      VLM_TRY(add_name(p, set, p->at[1]));
      p->at += 2;
      continue;
    }
    const int range = p->at[1] == '-' && p->at[2] && p->at[2] != ']';
    add(set, p->at[0], p->at[range ? 2 : 0]);
    p->at += range ? 3 : 1;
  }
  VLM_CHECK(*p->at == ']', p->err, VLM_INTERNAL, "pattern \"%s\": [ is not closed", p->pattern);
  p->at++;
  if (negate) {
    for (int i = 0; i < VLM_PTB_SET_BYTES; i++) set[i] = (unsigned char)~set[i];
  }
out:
  return st;
}

static vlm_status parse_atom(pattern_parser *p) {
  vlm_status st = VLM_OK;
  const char c = *p->at++;
  if (c == '(') {
    VLM_CHECK(++p->depth < 32, p->err, VLM_INTERNAL, "pattern \"%s\": too deep", p->pattern);
    VLM_TRY(parse_choice(p));
    p->depth--;
    VLM_CHECK(*p->at == ')', p->err, VLM_INTERNAL, "pattern \"%s\": ( is not closed", p->pattern);
    p->at++;
    goto out;
  }
  VLM_TRY(emit(p, VLM_PTB_SET, p->program->count + 1, 0));
  unsigned char *set = p->program->code[p->program->count - 1].set;
  if (c == '[') {
    VLM_TRY(parse_set(p, set));
  } else if (c == '%') {
    VLM_TRY(add_name(p, set, *p->at++));
  } else {
    add(set, tolower((unsigned char)c), tolower((unsigned char)c));
    add(set, toupper((unsigned char)c), toupper((unsigned char)c));
  }
out:
  return st;
}

/* The counts after an atom: at least *low, at most *high (-1 = any). */
static void parse_counts(pattern_parser *p, int *low, int *high) {
  *low = *high = 1;
  if (*p->at == '*' || *p->at == '+' || *p->at == '?') {
    *low = *p->at == '+';
    *high = *p->at == '?' ? 1 : -1;
    p->at++;
  } else if (*p->at == '{') {
    *low = *high = p->at[1] - '0';
    p->at += 2;
    if (*p->at == ',') {
      *high = p->at[1] - '0';
      p->at += 2;
    }
    p->at++;
  }
}

/* Every copy of the atom begins with a fork that goes nowhere else until the counts are known. */
static vlm_status parse_repeat(pattern_parser *p) {
  vlm_status st = VLM_OK;
  const char *atom = p->at, *end = NULL;
  int low = 1, high = 1, n_skips = 0;
  int32_t skips[16];
  for (int i = 0; i < (high < 0 ? (low ? low : 1) : high); i++) {
    const int32_t begin = p->program->count;
    VLM_TRY(emit(p, VLM_PTB_FORK, begin + 1, begin + 1));
    p->at = atom;
    VLM_TRY(parse_atom(p));
    if (i == 0) parse_counts(p, &low, &high);
    if (i == 0) end = p->at;
    VLM_CHECK(low >= 0 && low < 10 && high < 10, p->err, VLM_INTERNAL, "pattern \"%s\": bad count",
              p->pattern);
    if (i >= low) skips[n_skips++] = begin;
    if (high < 0 && i + 1 >= low) VLM_TRY(emit(p, VLM_PTB_FORK, begin, p->program->count + 1));
  }
  for (int i = 0; i < n_skips; i++) p->program->code[skips[i]].y = p->program->count;
  p->at = end;
out:
  return st;
}

static vlm_status parse_sequence(pattern_parser *p) {
  vlm_status st = VLM_OK;
  while (*p->at && *p->at != '|' && *p->at != ')') VLM_TRY(parse_repeat(p));
out:
  return st;
}

static vlm_status parse_choice(pattern_parser *p) {
  vlm_status st = VLM_OK;
  const int32_t first = p->program->count;
  VLM_TRY(emit(p, VLM_PTB_FORK, first + 1, first + 1));
  VLM_TRY(parse_sequence(p));
  if (*p->at != '|') goto out;
  const int32_t jump = p->program->count;
  VLM_TRY(emit(p, VLM_PTB_FORK, 0, 0));
  p->program->code[first].y = p->program->count;
  p->at++;
  VLM_TRY(parse_choice(p));
  p->program->code[jump].x = p->program->code[jump].y = p->program->count;
out:
  return st;
}

static vlm_status parse_all(pattern_parser *p, const char *pattern) {
  vlm_status st = VLM_OK;
  p->pattern = p->at = pattern;
  VLM_TRY(parse_choice(p));
  VLM_CHECK(!*p->at, p->err, VLM_INTERNAL, "pattern \"%s\": stray )", pattern);
out:
  return st;
}

vlm_status vlm_ptb_compile(vlm_ptb_program *program, int32_t *start, const char *match, const char *ahead,
                           int32_t rule, vlm_error *err) {
  vlm_status st = VLM_OK;
  pattern_parser p = {.program = program, .err = err};
  *start = program->count;
  VLM_TRY(parse_all(&p, match));
  VLM_TRY(emit(&p, VLM_PTB_SPLIT_POINT, program->count + 1, 0));
  if (ahead) VLM_TRY(parse_all(&p, ahead));
  VLM_TRY(emit(&p, VLM_PTB_ACCEPT, rule, 0));
out:
  return st;
}
