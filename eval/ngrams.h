/* Words and n-grams as integers. A caption is split on white space (Python's str.split(): U+00A0 separates too); each word and each n-gram of
 * order 1 to 4 gets an id in the order of first appearance, the same id for the same words. */
#ifndef VLM_EVAL_NGRAMS_H
#define VLM_EVAL_NGRAMS_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/memory.h"

#define VLM_MAX_ORDER 4

/* How often an n-gram occurs in one caption. */
typedef struct vlm_ngram_count {
  int32_t id;
  int32_t count;
} vlm_ngram_count;

/* A caption's n-grams: per order ascending by id, each id once. */
typedef struct vlm_ngrams {
  int32_t words;
  int32_t n[VLM_MAX_ORDER];
  const vlm_ngram_count *grams[VLM_MAX_ORDER];
} vlm_ngrams;

typedef struct vlm_ngram_table vlm_ngram_table;
vlm_status vlm_ngram_table_create(vlm_ngram_table **out, vlm_error *err);
void vlm_ngram_table_free(vlm_ngram_table *table);
/* Number of ids given so far; ids of all orders share one range. */
int32_t vlm_ngram_table_count(const vlm_ngram_table *table);
/* Splits and counts; the arrays live as long as the table. */
vlm_status vlm_ngram_table_add(vlm_ngram_table *table, vlm_ngrams *out, const char *text, vlm_error *err);
/* Id of an n-gram given as words with single blanks, or -1 when it was never added. */
int32_t vlm_ngram_table_find(const vlm_ngram_table *table, const char *text, size_t bytes);

#endif
