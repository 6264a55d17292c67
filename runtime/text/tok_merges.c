#include "runtime/text/tok_merges.h"

#include <string.h>

/* Open addressing, keyed by the two ids; rank 0 marks an empty slot, so ranks count from 1. */
typedef struct rule {
  int32_t left, right;
  uint32_t rank;
  int32_t merged;
} rule;

struct vlm_tok_merges {
  rule *slots;
  size_t n_slots;
};

static rule *slot_of(const vlm_tok_merges *m, int32_t left, int32_t right) {
  uint64_t key = ((uint64_t)(uint32_t)left << 32) | (uint32_t)right;
  key = (key ^ (key >> 31)) * 0x9E3779B97F4A7C15u;
  for (size_t at = (size_t)(key >> 20);; at++) {
    rule *slot = &m->slots[at & (m->n_slots - 1)];
    if (slot->rank == 0 || (slot->left == left && slot->right == right)) return slot;
  }
}

/* ---- reading ---- */

/* The two parts of a rule. A text is cut at its one blank. */
static vlm_status read_parts(vlm_slice *left, vlm_slice *right, vlm_json value, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_slice text;
  if (vlm_json_type(value) == VLM_JSON_ARRAY) {
    VLM_TRY(vlm_json_as_bytes(&left->data, &left->bytes, vlm_json_at(value, 0), err));
    VLM_TRY(vlm_json_as_bytes(&right->data, &right->bytes, vlm_json_at(value, 1), err));
    return VLM_OK;
  }
  VLM_TRY(vlm_json_as_bytes(&text.data, &text.bytes, value, err));
  const char *blank = text.bytes ? memchr(text.data, ' ', text.bytes) : NULL;
  const size_t at = blank ? (size_t)(blank - text.data) : text.bytes;
  if (!blank || memchr(blank + 1, ' ', text.bytes - at - 1)) {
    return vlm_json_fail(value, err, VLM_INPUT,
                         "got merge \"%.80s\", wanted two parts with one blank between them", text.data);
  }
  *left = vlm_slice_part(text, 0, at);
  *right = vlm_slice_part(text, at + 1, text.bytes);
out:
  return st;
}

static vlm_status find_part(int32_t *id, vlm_json value, const vlm_tok_vocab *vocab, vlm_slice text,
                            vlm_error *err) {
  *id = vlm_tok_vocab_find(vocab, text);
  if (*id >= 0) return VLM_OK;
  return vlm_json_fail(value, err, VLM_INPUT, "merge part \"%.*s\" is not in the vocabulary",
                       (int)(text.bytes < 80 ? text.bytes : 80), text.data);
}

/* What all rules are read with. */
typedef struct merge_reader {
  vlm_arena *scratch;
  const vlm_tok_vocab *vocab;
  vlm_slice prefix; /* of right parts, not part of the result */
} merge_reader;

static vlm_status read_rule(vlm_tok_merges *m, const merge_reader *reader, vlm_json value, uint32_t rank,
                            vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_tok_vocab *vocab = reader->vocab;
  const vlm_slice prefix = reader->prefix;
  vlm_slice left, right, joined;
  rule r = {.rank = rank};
  vlm_builder b = vlm_builder_start(reader->scratch, err);
  VLM_TRY(read_parts(&left, &right, value, err));
  VLM_TRY(find_part(&r.left, value, vocab, left, err));
  VLM_TRY(find_part(&r.right, value, vocab, right, err));
  if (right.bytes < prefix.bytes)
    return vlm_json_fail(value, err, VLM_INPUT,
                         "the right part of the merge lacks the continuing_subword_prefix");
  vlm_builder_add(&b, left);
  vlm_builder_add(&b, vlm_slice_part(right, prefix.bytes, right.bytes));
  VLM_TRY(vlm_builder_done(&b, &joined));
  VLM_TRY(find_part(&r.merged, value, vocab, joined, err));
  *slot_of(m, r.left, r.right) = r;
out:
  return st;
}

vlm_status vlm_tok_merges_read(vlm_tok_merges **out, vlm_arena *arena, vlm_json array,
                               const vlm_tok_vocab *vocab, vlm_slice prefix, vlm_error *err) {
  vlm_status st = VLM_OK;
  void *memory;
  vlm_arena *scratch = NULL;
  const size_t count = vlm_json_size(array);
  VLM_TRY(vlm_arena_create(&scratch, err));
  VLM_TRY(vlm_arena_alloc(arena, &memory, 1, sizeof **out, err));
  *out = memory;
  (*out)->n_slots = 16;
  while ((*out)->n_slots < count * 2) (*out)->n_slots *= 2;
  VLM_TRY(vlm_arena_alloc(arena, &memory, (*out)->n_slots, sizeof(rule), err));
  (*out)->slots = memory;
  const merge_reader reader = {scratch, vocab, prefix};
  for (size_t i = 0; i < count; i++)
    VLM_TRY(read_rule(*out, &reader, vlm_json_at(array, i), (uint32_t)i + 1, err));
out:
  vlm_arena_free(scratch);
  return st;
}

/* ---- applying: a linked list of symbols and a heap of candidate merges, which may be out of date ---- */

typedef struct symbol {
  int32_t id, previous, next; /* -1 = none */
  bool gone;
} symbol;

typedef struct merge_candidate {
  uint32_t rank;
  int32_t at; /* left symbol */
  int32_t merged;
} merge_candidate;

typedef struct work {
  const vlm_tok_merges *merges;
  symbol *symbols;
  merge_candidate *heap;
  size_t count;
} work;

static bool before(merge_candidate a, merge_candidate b) {
  return a.rank != b.rank ? a.rank < b.rank : a.at < b.at;
}

static void heap_push(work *w, merge_candidate c) {
  size_t at = w->count++;
  for (; at > 0 && before(c, w->heap[(at - 1) / 2]); at = (at - 1) / 2) w->heap[at] = w->heap[(at - 1) / 2];
  w->heap[at] = c;
}

static merge_candidate heap_pop(work *w) {
  const merge_candidate top = w->heap[0], last = w->heap[--w->count];
  size_t at = 0;
  for (size_t child; (child = 2 * at + 1) < w->count; at = child) {
    if (child + 1 < w->count && before(w->heap[child + 1], w->heap[child])) child++;
    if (!before(w->heap[child], last)) break;
    w->heap[at] = w->heap[child];
  }
  w->heap[at] = last;
  return top;
}

static void consider(work *w, int32_t left) {
  if (left < 0 || w->symbols[left].next < 0) return;
  const rule *r = slot_of(w->merges, w->symbols[left].id, w->symbols[w->symbols[left].next].id);
  if (r->rank) heap_push(w, (merge_candidate){r->rank, left, r->merged});
}

static void merge(work *w, merge_candidate c) {
  symbol *left = &w->symbols[c.at];
  if (left->gone || left->next < 0) return;
  symbol *right = &w->symbols[left->next];
  const rule *r = slot_of(w->merges, left->id, right->id);
  if (r->rank == 0 || r->merged != c.merged) return; /* out of date */
  left->id = c.merged;
  left->next = right->next;
  right->gone = true;
  if (left->next >= 0) w->symbols[left->next].previous = c.at;
  consider(w, left->previous);
  consider(w, c.at);
}

vlm_status vlm_tok_merges_apply(const vlm_tok_merges *merges, vlm_arena *arena, int32_t *symbols,
                                size_t *count, vlm_error *err) {
  vlm_status st = VLM_OK;
  void *memory;
  work w = {.merges = merges};
  const size_t n = *count;
  if (n < 2) return VLM_OK;
  VLM_TRY(vlm_arena_alloc(arena, &memory, n, sizeof(symbol), err));
  w.symbols = memory;
  VLM_TRY(vlm_arena_alloc(arena, &memory, 3 * n, sizeof(merge_candidate),
                          err)); /* n - 1 at first, 2 more per merge, 1 popped */
  w.heap = memory;
  for (size_t i = 0; i < n; i++)
    w.symbols[i] = (symbol){symbols[i], (int32_t)i - 1, i + 1 < n ? (int32_t)i + 1 : -1, false};
  for (size_t i = 0; i + 1 < n; i++) consider(&w, (int32_t)i);
  while (w.count > 0) merge(&w, heap_pop(&w));
  *count = 0;
  for (int32_t i = 0; i >= 0; i = w.symbols[i].next) symbols[(*count)++] = w.symbols[i].id;
out:
  return st;
}
