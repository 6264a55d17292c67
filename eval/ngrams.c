#include "eval/ngrams.h"

#include <stdlib.h>
#include <string.h>

#include "eval/ptb_classes.h"
#include "calib/text_index.h"
#include "runtime/base/hash.h"
#include "runtime/base/utf8.h"

/* An n-gram is its first n-1 words (an id, -1 for none) and its last word. */
typedef struct gram {
  int32_t prefix, word;
} gram;

struct vlm_ngram_table {
  vlm_arena *arena;
  vlm_text_index words;
  gram *grams;
  int32_t n_grams, cap_grams;
  int32_t *gram_slots; /* open addressing: id + 1; twice the capacity */
  int32_t *scratch;    /* word ids and n-gram ids of the caption at hand */
  size_t cap_scratch;
};

/* The slot where the n-gram is or would be. */
static uint32_t gram_slot(const vlm_ngram_table *t, gram g) {
  const uint32_t mask = (uint32_t)t->cap_grams * 2 - 1;
  uint32_t slot = (uint32_t)vlm_xxh64(&g, sizeof(g)) & mask;
  for (; t->gram_slots[slot]; slot = (slot + 1) & mask) {
    const gram known = t->grams[t->gram_slots[slot] - 1];
    if (known.prefix == g.prefix && known.word == g.word) break;
  }
  return slot;
}

/* Makes room for one more n-gram: the index is at most half full. */
static vlm_status grow_grams(vlm_ngram_table *t, vlm_error *err) {
  vlm_status st = VLM_OK;
  if (t->n_grams < t->cap_grams) goto out;
  const int32_t more = t->cap_grams ? t->cap_grams * 2 : 4096;
  VLM_CHECK(more > 0 && more < 1 << 29, err, VLM_LIMIT, "more than %d different n-grams", t->cap_grams);
  VLM_TRY(vlm_more(&t->grams, t->cap_grams, more, err));
  vlm_free(t->gram_slots);
  t->gram_slots = NULL;
  VLM_TRY(vlm_new(&t->gram_slots, (size_t)more * 2, err));
  t->cap_grams = more;
  for (int32_t i = 0; i < t->n_grams; i++) t->gram_slots[gram_slot(t, t->grams[i])] = i + 1;
out:
  return st;
}

static vlm_status intern_gram(vlm_ngram_table *t, int32_t *id, int32_t prefix, int32_t word, vlm_error *err) {
  vlm_status st = VLM_OK;
  const gram g = {prefix, word};
  VLM_TRY(grow_grams(t, err));
  const uint32_t slot = gram_slot(t, g);
  if (!t->gram_slots[slot]) {
    t->grams[t->n_grams++] = g;
    t->gram_slots[slot] = t->n_grams;
  }
  *id = t->gram_slots[slot] - 1;
out:
  return st;
}

/* Next word of [*text, end): its length, 0 at the end; *text is moved to its start. */
static size_t next_word(const char **text, const char *end) {
  size_t word = 0;
  const char *at = *text;
  while (at < end) {
    uint32_t code;
    const size_t used = vlm_utf8_next(at, (size_t)(end - at), &code);
    const bool blank = vlm_ptb_is_blank(code);
    if (blank && word) break;
    at += used;
    if (blank) *text = at;
    else word += used;
  }
  return word;
}

static int compare_ids(const void *a, const void *b) {
  const int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
  return (x > y) - (x < y);
}

/* Sorts ids and counts equal ones into arena memory. */
static vlm_status count_ids(vlm_ngram_table *t, vlm_ngrams *out, int order, int32_t *ids, int32_t n,
                            vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_ngram_count *counts = NULL;
  int32_t used = 0;
  if (n) qsort(ids, (size_t)n, sizeof(*ids), compare_ids);
  VLM_TRY(vlm_arena_new(t->arena, &counts, n, err));
  for (int32_t i = 0; i < n; i++) {
    if (used == 0 || counts[used - 1].id != ids[i]) counts[used++] = (vlm_ngram_count){ids[i], 0};
    counts[used - 1].count++;
  }
  out->n[order] = used;
  out->grams[order] = counts;
out:
  return st;
}

vlm_status vlm_ngram_table_add(vlm_ngram_table *t, vlm_ngrams *out, const char *text, vlm_error *err) {
  vlm_status st = VLM_OK;
  const char *end = text + strlen(text);
  const size_t room = (size_t)(end - text) / 2 + 1;
  int32_t n = 0;
  if (3 * room > t->cap_scratch) {
    VLM_TRY(vlm_more(&t->scratch, t->cap_scratch, 3 * room, err));
    t->cap_scratch = 3 * room;
  }
  int32_t *words = t->scratch, *ids = words + room, *sorted = ids + room;
  for (size_t bytes; (bytes = next_word(&text, end)) > 0; text += bytes)
    VLM_TRY(vlm_text_index_add(&t->words, &words[n++], NULL, text, bytes, err));
  out->words = n;
  for (int order = 0; order < VLM_MAX_ORDER; order++) {
    for (int32_t i = 0; i + order < n; i++)
      VLM_TRY(intern_gram(t, &ids[i], order ? ids[i] : -1, words[i + order], err));
    const int32_t grams = n > order ? n - order : 0;
    if (grams) memcpy(sorted, ids, (size_t)grams * sizeof(*ids));
    VLM_TRY(count_ids(t, out, order, sorted, grams, err));
  }
out:
  return st;
}

int32_t vlm_ngram_table_find(const vlm_ngram_table *t, const char *text, size_t bytes) {
  const char *end = text + bytes;
  int32_t id = -1;
  if (!t->n_grams) return -1;
  for (size_t used; (used = next_word(&text, end)) > 0; text += used) {
    const int32_t word = vlm_text_index_find(&t->words, text, used);
    if (word < 0) return -1;
    id = t->gram_slots[gram_slot(t, (gram){id, word})] - 1;
    if (id < 0) return -1;
  }
  return id;
}

int32_t vlm_ngram_table_count(const vlm_ngram_table *t) { return t->n_grams; }

vlm_status vlm_ngram_table_create(vlm_ngram_table **out, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_ngram_table *t = NULL;
  VLM_TRY(vlm_new(&t, 1, err));
  VLM_TRY(vlm_arena_create(&t->arena, err));
  *out = t;
  t = NULL;
out:
  vlm_ngram_table_free(t);
  return st;
}

void vlm_ngram_table_free(vlm_ngram_table *t) {
  if (!t) return;
  if (t->arena) vlm_arena_free(t->arena);
  vlm_text_index_free(&t->words);
  void *parts[] = {t->grams, t->gram_slots, t->scratch};
  for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) vlm_free(parts[i]);
  vlm_free(t);
}
