#include "eval/ptb_classes.h"

typedef struct ptb_range {
  uint32_t first, last;
  int kind;
} ptb_range;

/* Asked before the general table. */
static const ptb_range singles[] = {
    {0x0085, 0x0085, VLM_PTB_DOTS},      {0x0091, 0x0091, VLM_PTB_BACKQUOTE},
    {0x0092, 0x0092, VLM_PTB_APOS},      {0x0093, 0x0094, VLM_PTB_QUOTE},
    {0x0096, 0x0097, VLM_PTB_DASH},      {0x00A0, 0x00A0, VLM_PTB_NBSP},
    {0x00AB, 0x00AB, VLM_PTB_QUOTE},     {0x00AD, 0x00AD, VLM_PTB_SOFT},
    {0x00B2, 0x00B3, VLM_PTB_SUPER},     {0x00B9, 0x00B9, VLM_PTB_SUPER},
    {0x00BB, 0x00BB, VLM_PTB_QUOTE},     {0x058A, 0x058A, VLM_PTB_HYPHEN},
    {0x2000, 0x200A, VLM_PTB_SPACE},     {0x2010, 0x2011, VLM_PTB_HYPHEN},
    {0x2013, 0x2015, VLM_PTB_DASH},      {0x2018, 0x2018, VLM_PTB_BACKQUOTE},
    {0x2019, 0x2019, VLM_PTB_APOS},      {0x201A, 0x201A, VLM_PTB_QUOTE},
    {0x201B, 0x201B, VLM_PTB_BACKQUOTE}, {0x201C, 0x201F, VLM_PTB_QUOTE},
    {0x2026, 0x2026, VLM_PTB_DOTS},      {0x2028, 0x2029, VLM_PTB_NEWLINE},
    {0x2039, 0x203A, VLM_PTB_QUOTE},     {0x2044, 0x2044, VLM_PTB_FRACTION},
    {0x2070, 0x2070, VLM_PTB_SUPER},     {0x2074, 0x2079, VLM_PTB_SUPER},
    {0x207A, 0x207B, VLM_PTB_SUBSIGN},   {0x2080, 0x2089, VLM_PTB_SUB},
    {0x208A, 0x208B, VLM_PTB_SUBSIGN},   {0x3000, 0x3000, VLM_PTB_SPACE},
    {0x3001, 0x3001, VLM_PTB_COMMA},
};

static const ptb_range ranges[] = {
#define X(first, last, kind) {first, last, VLM_PTB_##kind},
#include "eval/ptb_ranges.def"
#undef X
};

static const struct lower_run {
  uint32_t first, last;
  uint32_t stride;
  int32_t delta;
} lower_runs[] = {
#define X(first, last, stride, delta) {first, last, stride, delta},
#include "eval/ptb_lower.def"
#undef X
};

#define COUNT(a) ((int)(sizeof(a) / sizeof(a[0])))

/* The class of a code point in an ascending table, or -1. */
static int find(const ptb_range *table, int count, uint32_t code) {
  int low = 0, high = count - 1;
  while (low <= high) {
    int middle = (low + high) / 2;
    if (code < table[middle].first) high = middle - 1;
    else if (code > table[middle].last) low = middle + 1;
    else return table[middle].kind;
  }
  return -1;
}

uint32_t vlm_ptb_lower(uint32_t code) {
  if (code < 128) return code >= 'A' && code <= 'Z' ? code + 32 : code;
  for (int i = 0; i < COUNT(lower_runs) && lower_runs[i].first <= code; i++) {
    const struct lower_run *run = &lower_runs[i];
    if (code <= run->last && (code - run->first) % run->stride == 0)
      return (uint32_t)((int32_t)code + run->delta);
  }
  return code;
}

int vlm_ptb_class(uint32_t code) {
  if (code < 128) return (int)code;
  int kind = find(singles, COUNT(singles), code);
  if (kind < 0) kind = find(ranges, COUNT(ranges), code);
  if (kind < 0) return VLM_PTB_SKIP;
  if (kind == VLM_PTB_LETTER && (code == 0x0130 || vlm_ptb_lower(code) != code)) return VLM_PTB_UPPER;
  return kind;
}

bool vlm_ptb_is_blank(uint32_t code) {
  static const ptb_range blanks[] = {{0x09, 0x0D, 1},     {0x1C, 0x20, 1},     {0x85, 0x85, 1},
                                     {0xA0, 0xA0, 1},     {0x1680, 0x1680, 1}, {0x2000, 0x200A, 1},
                                     {0x2028, 0x2029, 1}, {0x202F, 0x202F, 1}, {0x205F, 0x205F, 1},
                                     {0x3000, 0x3000, 1}};
  return find(blanks, COUNT(blanks), code) > 0;
}
