#include "runtime/exec/memory_plan.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>

#include "runtime/base/memory.h"

/* Neighbours that all searches for gaps together may look at. A plan of some thousand blocks never gets there; behind it blocks go
 * on top of what lives beside them, which needs no search and wastes little, as the largest blocks have their place by then. */
enum { MOST_LOOKS = 4 << 20 };

/* A block with its lifetime as positions in the order of first steps: [from, to]. */
typedef struct {
  vlm_lifetime *item;
  size_t size; /* aligned */
  int32_t from, to, index;
} placed_block;

typedef struct {
  size_t begin, end;
} span;

typedef struct {
  placed_block *blocks; /* largest first */
  int32_t *firsts;      /* of all items, ascending */
  int32_t *order;       /* position -> index in blocks, of blocks by their first step */
  int32_t count, leaves;
  int32_t *reach;   /* tree over positions: the farthest `to` of the placed blocks below a node; -1 = none */
  size_t *highest;  /* tree over positions: the highest end anywhere below a node */
  size_t *covering; /* the highest end of the blocks that cover all of a node */
  span *near;       /* what lives beside the block at hand */
  int32_t n_near, looks;
} memory_planner;

static int ascending(const void *a, const void *b) {
  const int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
  return (x > y) - (x < y);
}

static int larger_first(const void *a, const void *b) {
  const placed_block *x = a, *y = b;
  if (x->item->bytes != y->item->bytes) return x->item->bytes < y->item->bytes ? 1 : -1;
  return x->index < y->index ? -1 : 1;
}

static int lower_first(const void *a, const void *b) {
  const span *x = a, *y = b;
  return (x->begin > y->begin) - (x->begin < y->begin);
}

/* How many of the ascending values are below `limit`. */
static int32_t count_below(const int32_t *values, int32_t count, int64_t limit) {
  int32_t low = 0, high = count;
  while (low < high) {
    const int32_t middle = low + (high - low) / 2;
    if (values[middle] < limit) low = middle + 1;
    else high = middle;
  }
  return low;
}

/* ---- gaps ---- */

/* Blocks of the same first step share `from` but not their leaf, so a block's leaf is its place in `order`. */
static void collect(memory_planner *p, const placed_block *b, int32_t node, int32_t low, int32_t high) {
  if (low > b->to || p->reach[node] < b->from) return;
  if (high - low == 1) {
    const placed_block *other = &p->blocks[p->order[low]];
    p->near[p->n_near++] = (span){other->item->offset, other->item->offset + other->size};
    return;
  }
  const int32_t middle = low + (high - low) / 2;
  collect(p, b, 2 * node, low, middle);
  collect(p, b, 2 * node + 1, middle, high);
}

/* The lowest place between blocks that live at the same time. */
static size_t lowest_gap(memory_planner *p, const placed_block *b) {
  size_t at = 0;
  p->n_near = 0;
  collect(p, b, 1, 0, p->leaves);
  p->looks += p->n_near;
  if (p->n_near) qsort(p->near, (size_t)p->n_near, sizeof *p->near, lower_first);
  for (int32_t i = 0; i < p->n_near; i++) {
    if (p->near[i].begin >= at && p->near[i].begin - at >= b->size) break;
    if (p->near[i].end > at) at = p->near[i].end;
  }
  return at;
}

/* ---- heights ---- */

static size_t height(const memory_planner *p, const placed_block *b, int32_t node, int32_t low,
                     int32_t high) {
  if (high <= b->from || low > b->to) return 0;
  if (b->from <= low && high - 1 <= b->to) return p->highest[node];
  const int32_t middle = low + (high - low) / 2;
  const size_t left = height(p, b, 2 * node, low, middle), right = height(p, b, 2 * node + 1, middle, high);
  const size_t below = left > right ? left : right;
  return below > p->covering[node] ? below : p->covering[node];
}

static void raise(memory_planner *p, const placed_block *b, size_t end, int32_t node, int32_t low,
                  int32_t high) {
  if (high <= b->from || low > b->to) return;
  if (end > p->highest[node]) p->highest[node] = end;
  if (b->from <= low && high - 1 <= b->to) {
    if (end > p->covering[node]) p->covering[node] = end;
    return;
  }
  const int32_t middle = low + (high - low) / 2;
  raise(p, b, end, 2 * node, low, middle);
  raise(p, b, end, 2 * node + 1, middle, high);
}

/* ---- placing ---- */

static void note_placed(memory_planner *p, const placed_block *b, int32_t leaf) {
  for (int32_t node = p->leaves + leaf; node > 0; node /= 2)
    if (b->to > p->reach[node]) p->reach[node] = b->to;
  raise(p, b, b->item->offset + b->size, 1, 0, p->leaves);
}

/* Lifetimes become positions; every block gets the leaf of its own. */
static vlm_status set_up(memory_planner *p, vlm_lifetime *items, vlm_error *err) {
  vlm_status st = VLM_OK;
  int32_t *next = NULL;
  for (p->leaves = 1; p->leaves < p->count;) p->leaves *= 2;
  VLM_TRY(vlm_new(&p->blocks, p->count, err));
  VLM_TRY(vlm_new(&p->firsts, p->count, err));
  VLM_TRY(vlm_new(&p->order, p->leaves, err));
  VLM_TRY(vlm_new(&p->reach, 2 * (size_t)p->leaves, err));
  VLM_TRY(vlm_new(&p->highest, 2 * (size_t)p->leaves, err));
  VLM_TRY(vlm_new(&p->covering, 2 * (size_t)p->leaves, err));
  VLM_TRY(vlm_new(&p->near, p->count, err));
  VLM_TRY(vlm_new(&next, p->count, err));
  for (int32_t i = 0; i < 2 * p->leaves; i++) p->reach[i] = -1;
  for (int32_t i = 0; i < p->count; i++) {
    assert(items[i].first <= items[i].last);
    p->firsts[i] = items[i].first;
    p->blocks[i] = (placed_block){.item = &items[i], .size = vlm_size_align(items[i].bytes), .index = i};
  }
  if (p->count) qsort(p->firsts, (size_t)p->count, sizeof *p->firsts, ascending);
  if (p->count) qsort(p->blocks, (size_t)p->count, sizeof *p->blocks, larger_first);
  for (int32_t i = 0; i < p->count; i++) {
    placed_block *b = &p->blocks[i];
    b->from = count_below(p->firsts, p->count, b->item->first);
    b->to = count_below(p->firsts, p->count, (int64_t)b->item->last + 1) - 1;
    b->index = b->from + next[b->from]++; /* its leaf from here on */
    p->order[b->index] = i;
  }
out:
  vlm_free(next);
  return st;
}

vlm_status vlm_memory_plan(vlm_lifetime *items, int32_t count, size_t *arena_bytes, vlm_error *err) {
  vlm_status st = VLM_OK;
  memory_planner p = {.count = count};
  *arena_bytes = 0;
  VLM_TRY(set_up(&p, items, err));
  for (int32_t i = 0; i < count; i++) {
    placed_block *b = &p.blocks[i];
    b->item->offset = p.looks < MOST_LOOKS ? lowest_gap(&p, b) : height(&p, b, 1, 0, p.leaves);
    note_placed(&p, b, b->index);
    if (b->item->offset + b->size > *arena_bytes) *arena_bytes = b->item->offset + b->size;
  }
out:
  vlm_free(p.blocks);
  vlm_free(p.firsts);
  vlm_free(p.order);
  vlm_free(p.reach);
  vlm_free(p.highest);
  vlm_free(p.covering);
  vlm_free(p.near);
  return st;
}
