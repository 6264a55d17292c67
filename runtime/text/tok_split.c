#include "runtime/text/tok_split.h"

#include <string.h>

static const char *const behavior_names[] = {"Removed", "Isolated", "MergedWithPrevious", "MergedWithNext",
                                             "Contiguous"};

vlm_status vlm_tok_behavior_read(vlm_tok_behavior *out, vlm_json json, vlm_error *err) {
  vlm_status st = VLM_OK;
  const char *name = NULL;
  VLM_TRY(vlm_json_get_text(&name, json, "behavior", VLM_JSON_OPTIONAL, err));
  if (!name) return VLM_OK;
  for (int i = 0; i < 5; i++) {
    if (strcmp(name, behavior_names[i]) != 0) continue;
    *out = (vlm_tok_behavior)i;
    return VLM_OK;
  }
  st = vlm_json_fail(
      json, err, VLM_INPUT,
      "got behavior \"%s\", wanted Removed, Isolated, MergedWithPrevious, MergedWithNext or Contiguous",
      name);
out:
  return st;
}

/* The text as a row of parts, each a match or not. */
typedef struct part {
  size_t from, to;
  bool match;
} part;

static vlm_status make_parts(vlm_arena *arena, part **parts, size_t *count, const vlm_tok_cuts *cuts,
                             size_t bytes, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_text_range *ranges = cuts->ranges;
  const size_t n = cuts->count;
  const bool invert = cuts->invert;
  void *memory;
  size_t at = 0;
  VLM_TRY(vlm_arena_alloc(arena, &memory, 2 * n + 1, sizeof **parts, err));
  *parts = memory;
  *count = 0;
  for (size_t i = 0; i < n; i++) {
    if (ranges[i].from > at) (*parts)[(*count)++] = (part){at, ranges[i].from, invert};
    (*parts)[(*count)++] = (part){ranges[i].from, ranges[i].to, !invert};
    at = ranges[i].to;
  }
  if (at < bytes) (*parts)[(*count)++] = (part){at, bytes, invert};
out:
  return st;
}

/* Joins parts in place; each rule says whether part i goes into the part kept before it (or, walking backwards, after it). */
static size_t join_forward(part *parts, size_t count, vlm_tok_behavior behavior) {
  size_t kept = 0;
  bool previous = false;
  for (size_t i = 0; i < count; i++) {
    const bool match = parts[i].match;
    const bool joins = behavior == VLM_SPLIT_CONTIGUOUS ? match == previous : match && !previous;
    if (joins && kept > 0) parts[kept - 1].to = parts[i].to;
    else parts[kept++] = parts[i];
    previous = match;
  }
  return kept;
}

static size_t join_backward(part *parts, size_t count) {
  size_t first = count; /* parts [first, count) are kept */
  bool previous = false;
  for (size_t i = count; i-- > 0;) {
    const bool match = parts[i].match;
    if (match && !previous && first < count) parts[first].from = parts[i].from;
    else parts[--first] = parts[i];
    previous = match;
  }
  memmove(parts, parts + first, (count - first) * sizeof *parts);
  return count - first;
}

vlm_status vlm_tok_split(vlm_tok_piece piece, const vlm_tok_cuts *cuts, vlm_tok_pieces *out, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_tok_behavior behavior = cuts->behavior;
  part *parts;
  size_t n;
  VLM_TRY(make_parts(out->arena, &parts, &n, cuts, piece.text.bytes, err));
  if (behavior == VLM_SPLIT_CONTIGUOUS || behavior == VLM_SPLIT_WITH_PREVIOUS)
    n = join_forward(parts, n, behavior);
  if (behavior == VLM_SPLIT_WITH_NEXT) n = join_backward(parts, n);
  for (size_t i = 0; i < n; i++) {
    if (behavior == VLM_SPLIT_REMOVED && parts[i].match) continue;
    const vlm_tok_piece word = {vlm_slice_part(piece.text, parts[i].from, parts[i].to),
                                piece.at_start && parts[i].from == 0, -1};
    VLM_TRY(vlm_tok_pieces_add(out, word, err));
  }
out:
  return st;
}

vlm_status vlm_tok_split_chars(vlm_tok_piece piece, vlm_tok_test *test, uint32_t argument,
                               vlm_tok_behavior behavior, vlm_tok_pieces *out, vlm_error *err) {
  vlm_status st = VLM_OK;
  void *memory = NULL;
  size_t count = 0, room = 0;
  for (size_t at = 0, used = 0; at < piece.text.bytes; at += used) {
    uint32_t code;
    used = vlm_slice_code(vlm_slice_part(piece.text, at, piece.text.bytes), &code);
    if (!test(code, argument)) continue;
    VLM_TRY(vlm_tok_grow(out->arena, &memory, count, &room, count + 1, sizeof(vlm_text_range), err));
    ((vlm_text_range *)memory)[count++] = (vlm_text_range){at, at + used};
  }
  VLM_TRY(vlm_tok_split(piece, &(vlm_tok_cuts){memory, count, behavior, false}, out, err));
out:
  return st;
}
