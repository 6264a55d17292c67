#define _GNU_SOURCE /* memmem */
/* Generated text to objects. The grammar is that of the regular expressions in processing_florence2.py, read with two differences: a label
 * never begins inside a location token, and locations that are too few for a shape are dropped together with their label. */
#include <stdlib.h>
#include <string.h>

#include "runtime/decode/tasks.h"

enum { BINS = 1000, MAX_DIGITS = 3 };

/* ---- tags ---- */

typedef enum tag { TAG_NONE, TAG_LOCATION, TAG_SEPARATOR, TAG_OPEN, TAG_CLOSE } tag;

/* The tag that starts `text`, its length, and the bin of a location. */
static tag read_tag(vlm_slice text, size_t *bytes, int *bin) {
  static const struct {
    const char *text;
    tag kind;
  } fixed[] = {{"<sep>", TAG_SEPARATOR}, {"<poly>", TAG_OPEN}, {"</poly>", TAG_CLOSE}};
  *bytes = 0;
  for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++) {
    const size_t n = strlen(fixed[i].text);
    if (text.bytes < n || memcmp(text.data, fixed[i].text, n) != 0) continue;
    *bytes = n;
    return fixed[i].kind;
  }
  if (text.bytes < 7 || memcmp(text.data, "<loc_", 5) != 0) return TAG_NONE;
  size_t at = 5;
  for (*bin = 0; at < text.bytes && at < 5 + MAX_DIGITS && text.data[at] >= '0' && text.data[at] <= '9'; at++)
    *bin = *bin * 10 + (text.data[at] - '0');
  if (at == 5 || at == text.bytes || text.data[at] != '>') return TAG_NONE;
  *bytes = at + 1;
  return TAG_LOCATION;
}

static vlm_slice rest_of(vlm_slice text, size_t at) { return (vlm_slice){text.data + at, text.bytes - at}; }

/* Length of the tags in a row at the start of `text`, and how many: locations only, or polygon tags too. */
static size_t tag_run(vlm_slice text, bool polygons, size_t *count) {
  size_t at = 0, bytes;
  int bin;
  for (*count = 0; at < text.bytes; at += bytes, ++*count) {
    const tag kind = read_tag(rest_of(text, at), &bytes, &bin);
    if (kind == TAG_NONE || (kind != TAG_LOCATION && !polygons)) break;
  }
  return at;
}

/* ---- output ---- */

typedef struct answer_parser {
  vlm_objects *out;
  int64_t width, height;
  int32_t instances;
  bool ascii_labels; /* other characters are dropped from labels */
  bool banned_labels;
} answer_parser;

static bool is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

static vlm_slice strip(vlm_slice text) {
  while (text.bytes && is_blank(text.data[0])) text = rest_of(text, 1);
  while (text.bytes && is_blank(text.data[text.bytes - 1])) text.bytes--;
  return text;
}

static vlm_status make_label(const answer_parser *p, const char **out, vlm_slice text, vlm_error *err) {
  vlm_status st = VLM_OK;
  void *memory;
  VLM_TRY(vlm_arena_alloc(p->out->arena, &memory, text.bytes + 1, 1, err));
  char *label = memory;
  *out = label;
  for (size_t i = 0; i < text.bytes; i++) {
    if (!p->ascii_labels || (unsigned char)text.data[i] < 0x80) *label++ = text.data[i];
  }
out:
  return st;
}

static vlm_status add_object(answer_parser *p, vlm_slice label, vlm_shape shape, const int *bins, size_t n,
                             vlm_error *err) {
  vlm_status st = VLM_OK;
  void *memory;
  vlm_objects *o = p->out;
  vlm_object object = {.shape = shape, .instance = p->instances, .n_values = n};
  VLM_TRY(make_label(p, &object.label, label, err));
  VLM_TRY(vlm_arena_alloc(o->arena, &memory, n, sizeof(double), err));
  double *values = memory;
  object.values = values;
  for (size_t i = 0; i < n; i++) values[i] = (bins[i] + 0.5) * (double)(i % 2 ? p->height : p->width) / BINS;
  if (o->count == o->room) {
    VLM_TRY(vlm_arena_alloc(o->arena, &memory, (o->room + 8) * 2, sizeof *o->items, err));
    if (o->count) memcpy(memory, o->items, o->count * sizeof *o->items);
    o->items = memory;
    o->room = (o->room + 8) * 2;
  }
  o->items[o->count++] = object;
out:
  return st;
}

/* Words that name nothing: phrases that are one of them are left out of grounding. */
static bool is_banned(vlm_slice label) {
  static const char *const banned[] = {
      "it",       "I",          "me",         "mine",       "you",        "your",        "yours",
      "he",       "him",        "his",        "she",        "her",        "hers",        "they",
      "them",     "their",      "theirs",     "one",        "oneself",    "we",          "us",
      "our",      "ours",       "its",        "myself",     "yourself",   "himself",     "herself",
      "itself",   "ourselves",  "yourselves", "themselves", "this",       "that",        "these",
      "those",    "who",        "whom",       "whose",      "which",      "what",        "all",
      "another",  "any",        "anybody",    "anyone",     "anything",   "each",        "everybody",
      "everyone", "everything", "few",        "many",       "nobody",     "none",        "several",
      "some",     "somebody",   "someone",    "something",  "each other", "one another", "the image",
      "image",    "images",     "the",        "a",          "an",         "a group",     "other objects",
      "lots",     "a set",
  };
  for (size_t i = 0; i < sizeof banned / sizeof *banned; i++) {
    if (strlen(banned[i]) == label.bytes && memcmp(banned[i], label.data, label.bytes) == 0) return true;
  }
  return false;
}

/* ---- phrases: a label and the tags behind it ---- */

typedef struct phrase {
  vlm_slice label, tags;
} phrase;

/* The next phrase from *at on. `labelled`: a label of at least one character stands in front, else there is none. */
static bool next_phrase(vlm_slice text, size_t *at, bool labelled, bool polygons, phrase *out) {
  while (*at < text.bytes) {
    size_t count, bytes;
    int bin;
    vlm_slice label = {text.data + *at, 0};
    if (labelled) {
      const char *open = memchr(label.data, '<', text.bytes - *at);
      label.bytes = open ? (size_t)(open - label.data) : text.bytes - *at;
    }
    out->label = label;
    out->tags = rest_of(text, *at + label.bytes);
    out->tags.bytes = tag_run(out->tags, polygons, &count);
    if (count >= 4 && (label.bytes > 0 || !labelled)) {
      *at += label.bytes + out->tags.bytes;
      return true;
    }
    /* No phrase: on to what follows the label and its tags, or over a tag of another kind, or over a lone "<". */
    *at += label.bytes + out->tags.bytes;
    if (label.bytes + out->tags.bytes > 0) continue;
    *at += read_tag(rest_of(text, *at), &bytes, &bin) == TAG_NONE ? 1 : bytes;
  }
  return false;
}

static vlm_status add_boxes(answer_parser *p, vlm_slice label, vlm_slice tags, vlm_error *err) {
  vlm_status st = VLM_OK;
  int bins[4];
  size_t n = 0, bytes;
  for (size_t at = 0; at < tags.bytes; at += bytes) {
    read_tag(rest_of(tags, at), &bytes, &bins[n]);
    if (++n < 4) continue;
    VLM_TRY(add_object(p, label, VLM_SHAPE_BOX, bins, 4, err));
    p->instances++;
    n = 0;
  }
out:
  return st;
}

static vlm_status parse_boxes(answer_parser *p, vlm_slice text, bool labelled, vlm_error *err) {
  vlm_status st = VLM_OK;
  phrase ph;
  for (size_t at = 0; next_phrase(text, &at, labelled, false, &ph);) {
    const vlm_slice label = strip(ph.label);
    if (!(p->banned_labels && is_banned(label))) VLM_TRY(add_boxes(p, label, ph.tags, err));
  }
out:
  return st;
}

/* ---- polygons ---- */

/* The polygons of one instance: runs of locations that end at <sep> or at the end. *found counts them. */
static vlm_status add_polygons(answer_parser *p, vlm_slice label, vlm_slice tags, vlm_error *err) {
  vlm_status st = VLM_OK;
  int *bins = NULL;
  size_t n = 0, bytes;
  bool found = false;
  VLM_TRY(vlm_new(&bins, tags.bytes / 7 + 1, err));
  for (size_t at = 0; at <= tags.bytes; at += bytes) {
    const tag kind = at < tags.bytes ? read_tag(rest_of(tags, at), &bytes, &bins[n]) : TAG_SEPARATOR;
    if (at == tags.bytes) bytes = 1;
    if (kind == TAG_LOCATION) {
      n++;
      continue;
    }
    if (kind == TAG_SEPARATOR && n >= 2) {
      VLM_TRY(add_object(p, label, VLM_SHAPE_POLYGON, bins, n - n % 2, err));
      found = true;
    }
    n = 0;
  }
  p->instances += found;
out:
  vlm_free(bins);
  return st;
}

/* The content of the next <poly> … </poly>. */
static bool next_instance(vlm_slice tags, size_t *at, vlm_slice *content) {
  const char *open = memmem(tags.data + *at, tags.bytes - *at, "<poly>", 6);
  if (!open) return false;
  content->data = open + 6;
  const char *close = memmem(content->data, tags.bytes - (size_t)(content->data - tags.data), "</poly>", 7);
  if (!close) return false;
  content->bytes = (size_t)(close - content->data);
  *at = (size_t)(close + 7 - tags.data);
  return true;
}

static vlm_status parse_polygons(answer_parser *p, vlm_slice text, bool labelled, vlm_error *err) {
  vlm_status st = VLM_OK;
  phrase ph;
  for (size_t at = 0; next_phrase(text, &at, labelled, true, &ph);) {
    const vlm_slice label = strip(ph.label);
    vlm_slice content;
    size_t within = 0;
    const bool enclosed =
        memmem(ph.tags.data, ph.tags.bytes, "<poly>", 6) && memmem(ph.tags.data, ph.tags.bytes, "</poly>", 7);
    if (!enclosed) VLM_TRY(add_polygons(p, label, ph.tags, err));
    while (enclosed && next_instance(ph.tags, &within, &content))
      VLM_TRY(add_polygons(p, label, content, err));
  }
out:
  return st;
}

/* ---- OCR ---- */

/* A label, within one line, and eight locations. */
static vlm_status parse_ocr(answer_parser *p, vlm_slice text, vlm_error *err) {
  vlm_status st = VLM_OK;
  size_t start = 0, count, bytes;
  for (size_t at = 0; at < text.bytes;) {
    const vlm_slice tags = {text.data + at, tag_run(rest_of(text, at), false, &count)};
    if (count == 0) {
      if (text.data[at++] == '\n') start = at;
      continue;
    }
    const vlm_slice label = strip((vlm_slice){text.data + start, at - start});
    at = start = at + tags.bytes;
    if (count < 8 || label.bytes == 0) continue;
    int bins[8];
    for (size_t i = 0, pos = 0; i < 8; i++, pos += bytes) read_tag(rest_of(tags, pos), &bytes, &bins[i]);
    VLM_TRY(add_object(p, label, VLM_SHAPE_QUAD, bins, 8, err));
    p->instances++;
  }
out:
  return st;
}

/* ---- dispatch ---- */

/* Copies the answer without the tokens that frame sequences, stripped. */
static vlm_status clean(vlm_objects *out, vlm_slice *text, const char *answer, vlm_error *err) {
  static const char *const frames[] = {"<s>", "</s>", "<pad>"};
  vlm_status st = VLM_OK;
  void *memory;
  VLM_TRY(vlm_arena_alloc(out->arena, &memory, strlen(answer) + 1, 1, err));
  char *to = memory;
  for (const char *from = answer; *from;) {
    size_t skip = 0;
    for (int i = 0; i < 3 && !skip; i++)
      skip = strncmp(from, frames[i], strlen(frames[i])) == 0 ? strlen(frames[i]) : 0;
    if (!skip) *to++ = *from++;
    from += skip;
  }
  *text = strip((vlm_slice){memory, (size_t)(to - (char *)memory)});
  ((char *)memory)[text->data + text->bytes - (char *)memory] = 0;
  out->text = text->data;
out:
  return st;
}

static vlm_status parse_kind(answer_parser *p, vlm_answer_kind kind, vlm_slice text, vlm_error *err) {
  p->ascii_labels = kind == VLM_ANSWER_DESCRIBED_BOXES || kind == VLM_ANSWER_PHRASES;
  p->banned_labels = kind == VLM_ANSWER_PHRASES;
  switch (kind) {
    case VLM_ANSWER_TEXT: return VLM_OK;
    case VLM_ANSWER_OCR: return parse_ocr(p, text, err);
    case VLM_ANSWER_DESCRIBED_BOXES:
    case VLM_ANSWER_PHRASES: return parse_boxes(p, text, true, err);
    case VLM_ANSWER_BOXES: return parse_boxes(p, text, false, err);
    case VLM_ANSWER_POLYGONS: return parse_polygons(p, text, false, err);
    case VLM_ANSWER_DESCRIBED_POLYGONS: return parse_polygons(p, text, true, err);
    case VLM_ANSWER_BOXES_OR_POLYGONS:
      return parse_kind(
          p, strstr(p->out->text, "<poly>") ? VLM_ANSWER_DESCRIBED_POLYGONS : VLM_ANSWER_DESCRIBED_BOXES,
          text, err);
  }
  return vlm_fail(err, VLM_INTERNAL, "answer kind %d", (int)kind);
}

vlm_status vlm_task_parse(vlm_objects *out, vlm_answer_kind kind, const char *answer, int64_t width,
                          int64_t height, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_slice text;
  answer_parser p = {.out = out, .width = width, .height = height};
  *out = (vlm_objects){.text = ""};
  VLM_CHECK(width > 0 && height > 0, err, VLM_INPUT, "image of %lld x %lld pixels", (long long)width,
            (long long)height);
  VLM_TRY(vlm_arena_create(&out->arena, err));
  VLM_TRY(clean(out, &text, answer, err));
  VLM_TRY(parse_kind(&p, kind, text, err));
out:
  return st;
}

vlm_status vlm_task_parse_ids(vlm_objects *out, vlm_answer_kind kind, const vlm_tokenizer *tokenizer,
                              const int32_t *ids, size_t n, int64_t width, int64_t height, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_text text = {0};
  *out = (vlm_objects){.text = ""};
  VLM_TRY(vlm_tokenizer_decode(tokenizer, ids, n, false, &text, err));
  VLM_TRY(vlm_task_parse(out, kind, vlm_text_get(&text), width, height, err));
out:
  vlm_text_free(&text);
  return st;
}

void vlm_objects_free(vlm_objects *objects) {
  vlm_arena_free(objects->arena);
  *objects = (vlm_objects){.text = ""};
}
