/* A longest-match scanner over character classes (ptb_classes.h), built from a table of patterns.
 *
 * At a position every rule is tried; the rule whose match plus look-ahead is longest wins, on equal length the earlier one. Only the match
 * part counts as the token; when it can end in several places, the last one is taken.
 *
 * Pattern language: a character stands for itself, ASCII letters for both cases; % before punctuation takes it literally.
 *   [abc] [a-z] [^a]  sets, as written     ( | ) * + ? {m} {m,n}   as usual, counts below 10; there is no dot (a period is a period)
 *   %l letter of a word    %L letter that also joins at hyphens    %u upper-case letter    %d digit    %' apostrophes    %q apostrophes and backquotes
 *   %s blank    %n line end    %w blank or line end    %_ U+00A0    %h hyphens    %. any class    %0 to %9 classes named in ptb_pattern.c */
#ifndef VLM_EVAL_PTB_SCANNER_H
#define VLM_EVAL_PTB_SCANNER_H

#include <stdint.h>

#include "runtime/base/memory.h"

#define VLM_PTB_SET_BYTES 20 /* a bit per class */

typedef enum vlm_ptb_opcode { VLM_PTB_SET, VLM_PTB_FORK, VLM_PTB_SPLIT_POINT, VLM_PTB_ACCEPT } vlm_ptb_opcode;

/* One instruction of the automaton. SET: on a class of `set` go on at x. FORK: at x and y. SPLIT_POINT (end of the match part): at x. ACCEPT: rule x. */
typedef struct vlm_ptb_instruction {
  vlm_ptb_opcode code;
  int32_t x, y;
  unsigned char set[VLM_PTB_SET_BYTES];
} vlm_ptb_instruction;

typedef struct vlm_ptb_program {
  vlm_ptb_instruction *code;
  int32_t count, capacity;
} vlm_ptb_program;

static inline int vlm_ptb_in_set(const vlm_ptb_instruction *i, int class_) {
  return i->set[class_ >> 3] >> (class_ & 7) & 1;
}

/* Appends rule number `rule` (match, then look-ahead or NULL) and gives its first instruction. VLM_INTERNAL on a malformed pattern. */
vlm_status vlm_ptb_compile(vlm_ptb_program *program, int32_t *start, const char *match, const char *ahead,
                           int32_t rule, vlm_error *err);

typedef struct vlm_ptb_rule {
  const char *match, *ahead; /* ahead NULL = none */
} vlm_ptb_rule;

/* Caches automaton states while scanning: one thread at a time. */
typedef struct vlm_ptb_scanner vlm_ptb_scanner;
vlm_status vlm_ptb_scanner_create(vlm_ptb_scanner **out, const vlm_ptb_rule *rules, int32_t count,
                                  vlm_error *err);
void vlm_ptb_scanner_free(vlm_ptb_scanner *scanner);
/* The winning rule at classes[0] (-1 when none matches) and the length of its match part, at least 1. */
vlm_status vlm_ptb_scan(vlm_ptb_scanner *scanner, int32_t *rule, int64_t *length,
                        const unsigned char *classes, int64_t count, vlm_error *err);

#endif
