#include "eval/ptb_scanner.h"

#include <string.h>

#include "eval/ptb_classes.h"

#define MAX_STATES 4096 /* the cache is emptied beyond that */
#define HASH_SLOTS 16384
#define UNKNOWN (-1)
#define DEAD (-2)

/* A state of the deterministic automaton: a set of instructions (SET and ACCEPT only), ascending. */
typedef struct state {
  int32_t first, count; /* in the pool */
  int32_t rule;         /* lowest accepted rule, or -1 */
  int32_t next[VLM_PTB_CLASSES];
} state;

struct vlm_ptb_scanner {
  vlm_ptb_program program;
  const vlm_ptb_rule *rules;
  int32_t n_rules;
  int32_t *starts; /* first instruction per rule */
  state *states;
  int32_t n_states, cap_states;
  int32_t *pool;
  int32_t n_pool, cap_pool;
  int32_t slots[HASH_SLOTS]; /* state + 1 */
  /* Scratch: the instruction set under construction. */
  unsigned char *member;
  int32_t *list, *stack;
  int32_t n_list;
  int64_t *split, *split_next; /* per instruction, for the split search */
};

/* Adds what is reachable from `pc` without reading. */
static void close_over(vlm_ptb_scanner *s, int32_t pc) {
  int32_t depth = 0;
  s->stack[depth++] = pc;
  while (depth) {
    pc = s->stack[--depth];
    if (s->member[pc]) continue;
    s->member[pc] = 1;
    s->list[s->n_list++] = pc;
    const vlm_ptb_instruction *i = &s->program.code[pc];
    if (i->code == VLM_PTB_FORK || i->code == VLM_PTB_SPLIT_POINT) s->stack[depth++] = i->x;
    if (i->code == VLM_PTB_FORK && i->y != i->x) s->stack[depth++] = i->y;
  }
}

/* Turns the collected set into the ascending list of its SET and ACCEPT instructions; clears the marks. */
static int32_t finish_set(vlm_ptb_scanner *s) {
  int32_t n = 0;
  for (int32_t k = 0; k < s->n_list; k++) s->member[s->list[k]] = 2;
  if (s->n_list == 0) return 0;
  int32_t low = s->list[0], high = s->list[0];
  for (int32_t k = 1; k < s->n_list; k++) {
    if (s->list[k] < low) low = s->list[k];
    if (s->list[k] > high) high = s->list[k];
  }
  for (int32_t pc = low; pc <= high; pc++) {
    if (!s->member[pc]) continue;
    s->member[pc] = 0;
    const vlm_ptb_opcode code = s->program.code[pc].code;
    if (code == VLM_PTB_SET || code == VLM_PTB_ACCEPT) s->list[n++] = pc;
  }
  s->n_list = 0;
  return n;
}

static uint32_t hash_list(const int32_t *list, int32_t n) {
  uint32_t h = 2166136261u;
  for (int32_t i = 0; i < n; i++) h = (h ^ (uint32_t)list[i]) * 16777619u;
  return h ^ h >> 15;
}

static vlm_status new_state(vlm_ptb_scanner *s, int32_t *out, int32_t n, vlm_error *err) {
  vlm_status st = VLM_OK;
  if (s->n_states == s->cap_states) {
    const int32_t more = s->cap_states ? s->cap_states * 2 : 64;
    VLM_TRY(vlm_more(&s->states, s->cap_states, more, err));
    s->cap_states = more;
  }
  if (s->n_pool + n > s->cap_pool) {
    const int32_t more = (s->n_pool + n) * 2;
    VLM_TRY(vlm_more(&s->pool, s->cap_pool, more, err));
    s->cap_pool = more;
  }
  state *fresh = &s->states[s->n_states];
  *fresh = (state){.first = s->n_pool, .count = n, .rule = -1};
  for (int i = 0; i < VLM_PTB_CLASSES; i++) fresh->next[i] = UNKNOWN;
  for (int32_t i = 0; i < n; i++) {
    const vlm_ptb_instruction *op = &s->program.code[s->list[i]];
    s->pool[s->n_pool++] = s->list[i];
    if (op->code == VLM_PTB_ACCEPT && (fresh->rule < 0 || op->x < fresh->rule)) fresh->rule = op->x;
  }
  *out = s->n_states++;
out:
  return st;
}

/* The state of the collected set: DEAD when empty, a known one, or a new one. */
static vlm_status intern(vlm_ptb_scanner *s, int32_t *out, vlm_error *err) {
  const int32_t n = finish_set(s);
  *out = DEAD;
  if (n == 0) return VLM_OK;
  uint32_t slot = hash_list(s->list, n) % HASH_SLOTS;
  for (; s->slots[slot]; slot = (slot + 1) % HASH_SLOTS) {
    const state *known = &s->states[s->slots[slot] - 1];
    if (known->count != n || memcmp(s->pool + known->first, s->list, (size_t)n * sizeof(*s->list)) != 0)
      continue;
    *out = s->slots[slot] - 1;
    return VLM_OK;
  }
  const vlm_status st = new_state(s, out, n, err);
  if (st == VLM_OK) s->slots[slot] = *out + 1;
  return st;
}

static vlm_status make_start(vlm_ptb_scanner *s, vlm_error *err) {
  int32_t start;
  memset(s->slots, 0, sizeof(s->slots));
  s->n_states = s->n_pool = s->n_list = 0;
  for (int32_t r = 0; r < s->n_rules; r++) close_over(s, s->starts[r]);
  return intern(s, &start, err);
}

static vlm_status step(vlm_ptb_scanner *s, int32_t *out, int32_t from, int class_, vlm_error *err) {
  const state *now = &s->states[from];
  for (int32_t i = 0; i < now->count; i++) {
    const vlm_ptb_instruction *op = &s->program.code[s->pool[now->first + i]];
    if (op->code == VLM_PTB_SET && vlm_ptb_in_set(op, class_)) close_over(s, op->x);
  }
  const vlm_status st = intern(s, out, err);
  if (st == VLM_OK) s->states[from].next[class_] = *out;
  return st;
}

/* Marks instruction `pc` as reached with the match part ending at `split` (-1 = not yet); the latest end wins. */
static void reach(vlm_ptb_scanner *s, int64_t *splits, int32_t pc, int64_t split, int64_t position) {
  if (splits[pc] >= split + 2) return;
  splits[pc] = split + 2; /* 0 = not reached, 1 = no split yet */
  const vlm_ptb_instruction *op = &s->program.code[pc];
  if (op->code == VLM_PTB_FORK) {
    reach(s, splits, op->x, split, position);
    if (op->y != op->x) reach(s, splits, op->y, split, position);
  } else if (op->code == VLM_PTB_SPLIT_POINT) {
    reach(s, splits, op->x, position, position);
  }
}

/* Where the match part of `rule` ends when match and look-ahead together take `total` classes: the last possible place. */
static int64_t find_split(vlm_ptb_scanner *s, int32_t rule, const unsigned char *classes, int64_t total) {
  const int32_t first = s->starts[rule],
                last = rule + 1 < s->n_rules ? s->starts[rule + 1] : s->program.count;
  const size_t bytes = (size_t)(last - first) * sizeof(*s->split);
  memset(s->split + first, 0, bytes);
  reach(s, s->split, first, -1, 0);
  for (int64_t at = 0; at < total; at++) {
    memset(s->split_next + first, 0, bytes);
    for (int32_t pc = first; pc < last; pc++) {
      const vlm_ptb_instruction *op = &s->program.code[pc];
      if (s->split[pc] && op->code == VLM_PTB_SET && vlm_ptb_in_set(op, classes[at]))
        reach(s, s->split_next, op->x, s->split[pc] - 2, at + 1);
    }
    int64_t *swap = s->split;
    s->split = s->split_next;
    s->split_next = swap;
  }
  return s->split[last - 1] - 2; /* a rule's program ends with its only ACCEPT */
}

vlm_status vlm_ptb_scan(vlm_ptb_scanner *s, int32_t *rule, int64_t *length, const unsigned char *classes,
                        int64_t count, vlm_error *err) {
  vlm_status st = VLM_OK;
  int32_t now = 0;
  int64_t total = 0;
  *rule = -1;
  *length = 1;
  if (s->n_states > MAX_STATES) VLM_TRY(make_start(s, err));
  for (int64_t at = 0; at < count; at++) {
    int32_t next = s->states[now].next[classes[at]];
    if (next == UNKNOWN) VLM_TRY(step(s, &next, now, classes[at], err));
    if (next == DEAD) break;
    now = next;
    if (s->states[now].rule < 0) continue;
    *rule = s->states[now].rule;
    total = at + 1;
  }
  if (*rule >= 0) *length = s->rules[*rule].ahead ? find_split(s, *rule, classes, total) : total;
  VLM_CHECK(*length >= 1, err, VLM_INTERNAL, "tokenizer rule %d matched nothing", (int)*rule);
out:
  return st;
}

vlm_status vlm_ptb_scanner_create(vlm_ptb_scanner **out, const vlm_ptb_rule *rules, int32_t count,
                                  vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_ptb_scanner *s = NULL;
  VLM_TRY(vlm_new(&s, 1, err));
  s->rules = rules;
  s->n_rules = count;
  VLM_TRY(vlm_new(&s->starts, count, err));
  for (int32_t r = 0; r < count; r++)
    VLM_TRY(vlm_ptb_compile(&s->program, &s->starts[r], rules[r].match, rules[r].ahead, r, err));
  const size_t n = (size_t)s->program.count;
  VLM_TRY(vlm_new(&s->member, n, err));
  VLM_TRY(vlm_new(&s->list, n, err));
  VLM_TRY(vlm_new(&s->stack, 2 * n + 2, err));
  VLM_TRY(vlm_new(&s->split, n, err));
  VLM_TRY(vlm_new(&s->split_next, n, err));
  VLM_TRY(make_start(s, err));
  *out = s;
  s = NULL;
out:
  vlm_ptb_scanner_free(s);
  return st;
}

void vlm_ptb_scanner_free(vlm_ptb_scanner *s) {
  if (!s) return;
  void *parts[] = {s->program.code, s->starts, s->states, s->pool,      s->member,
                   s->list,         s->stack,  s->split,  s->split_next};
  for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) vlm_free(parts[i]);
  vlm_free(s);
}
