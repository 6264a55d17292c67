/* Token for token against the Python tokenizers package: see tests/oracles/make_tokenizers.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/base/file.h"
#include "runtime/base/memory.h"
#include "runtime/pipeline/json.h"
#include "runtime/pipeline/tokenizer.h"

#define DATA VLMQ_SOURCE_DIR "/tests/pipeline/data/tokenizers/"
enum { MAX_SHOWN = 8 };

static const char *const kinds[] = {"bart",    "qwen2",         "llama3", "smollm2",     "bloom",     "llama",     "llama_meta", "bert",
                                    "bert_cased", "unigram", "unigram_bytes", "clip",   "subword_bpe", "wordlevel", "no_decoder"};
enum { N_KINDS = sizeof kinds / sizeof *kinds };

static vlm_error error;
#define OK(call) assert_ok((call), #call)
static void assert_ok(vlm_status st, const char *what) {
  if (st != VLM_OK) fail_msg("%s: %s", what, error.text);
}

static vlm_tokenizer *load(const char *kind) {
  char path[512];
  vlm_tokenizer *t;
  snprintf(path, sizeof path, DATA "%s/tokenizer.json", kind);
  OK(vlm_tokenizer_load(&t, path, NULL, &error));
  return t;
}

/* ---- lines of JSON ---- */

typedef struct lines {
  vlm_file file;
  size_t at;
  vlm_json_doc *doc;
} lines;

static bool next_line(lines *l) {
  vlm_json_free(l->doc);
  l->doc = NULL;
  if (l->at >= l->file.bytes) return false;
  const char *from = (const char *)l->file.data + l->at, *end = memchr(from, '\n', l->file.bytes - l->at);
  const size_t bytes = end ? (size_t)(end - from) : l->file.bytes - l->at;
  l->at += bytes + 1;
  OK(vlm_json_parse(&l->doc, from, bytes, "line", &error));
  return true;
}

static void open_lines(lines *l, const char *path) {
  *l = (lines){0};
  OK(vlm_file_map(&l->file, path, &error));
}

static void close_lines(lines *l) {
  vlm_json_free(l->doc);
  vlm_file_unmap(&l->file);
}

static vlm_slice text_of(vlm_json value) {
  vlm_slice s;
  OK(vlm_json_as_bytes(&s.data, &s.bytes, value, &error));
  return s;
}

/* ---- all strings, by hash ---- */

static uint64_t fnv(uint64_t h, const void *data, size_t bytes) {
  for (size_t i = 0; i < bytes; i++) h = (h ^ ((const unsigned char *)data)[i]) * 0x100000001B3u;
  return h;
}
static unsigned fold(uint64_t h) { return (unsigned)((h ^ (h >> 24) ^ (h >> 48)) & 0xFFFFFF); }
static const uint64_t FNV_START = 0xCBF29CE484222325u;

typedef struct result {
  vlm_ids ids;
  vlm_text decoded, skipped;
} result;

static void run(const vlm_tokenizer *t, vlm_slice text, result *r) {
  r->ids.count = 0;
  vlm_text_clear(&r->decoded);
  vlm_text_clear(&r->skipped);
  OK(vlm_tokenizer_encode(t, text.data, text.bytes, true, &r->ids, &error));
  OK(vlm_tokenizer_decode(t, r->ids.data, r->ids.count, false, &r->decoded, &error));
  OK(vlm_tokenizer_decode(t, r->ids.data, r->ids.count, true, &r->skipped, &error));
}

static void free_result(result *r) {
  vlm_ids_free(&r->ids);
  vlm_text_free(&r->decoded);
  vlm_text_free(&r->skipped);
}

static void show(const char *kind, const char *what, vlm_slice text, const result *r) {
  fprintf(stderr, "%s, %s differ: \"%.*s\"\n  bytes", kind, what, (int)text.bytes, text.data);
  for (size_t i = 0; i < text.bytes; i++) fprintf(stderr, " %02X", (unsigned char)text.data[i]);
  fprintf(stderr, "\n  ids  ");
  for (size_t i = 0; i < r->ids.count; i++) fprintf(stderr, " %d", r->ids.data[i]);
  fprintf(stderr, "\n  text \"%s\" / \"%s\"\n", vlm_text_get(&r->decoded), vlm_text_get(&r->skipped));
}

/* Number of strings whose ids or texts differ from what is recorded. */
static int count_differences(const char *kind) {
  char path[512];
  vlm_file checks;
  lines l;
  result r = {0};
  int wrong = 0;
  size_t n = 0;
  vlm_tokenizer *t = load(kind);
  snprintf(path, sizeof path, DATA "%s/checks.txt", kind);
  OK(vlm_file_map(&checks, path, &error));
  open_lines(&l, DATA "strings.jsonl");
  for (; next_line(&l); n++) {
    const vlm_slice text = text_of(vlm_json_root(l.doc));
    char want[13] = "";
    assert_true(13 * n + 13 <= checks.bytes);
    memcpy(want, checks.data + 13 * n, 12);
    run(t, text, &r);
    const unsigned ids = fold(fnv(FNV_START, r.ids.data, r.ids.count * sizeof *r.ids.data));
    const uint64_t first = fnv(FNV_START, vlm_text_get(&r.decoded), r.decoded.bytes);
    const unsigned texts = fold(fnv(fnv(first, "", 1), vlm_text_get(&r.skipped), r.skipped.bytes));
    char got[16];
    snprintf(got, sizeof got, "%06x%06x", ids, texts);
    if (strcmp(got, want) == 0) continue;
    if (++wrong <= MAX_SHOWN) show(kind, memcmp(got, want, 6) ? "ids" : "texts", text, &r);
  }
  assert_int_equal(n, 5000);
  close_lines(&l);
  vlm_file_unmap(&checks);
  free_result(&r);
  vlm_tokenizer_free(t);
  return wrong;
}

static void all_strings_agree(void **state) {
  (void)state;
  int wrong = 0;
  for (int k = 0; k < N_KINDS; k++) {
    const int n = count_differences(kinds[k]);
    if (n) fprintf(stderr, "%s: %d of 5000 differ\n", kinds[k], n);
    wrong += n;
  }
  assert_int_equal(wrong, 0);
}

/* ---- a few cases in full ---- */

static void cases_agree(void **state) {
  (void)state;
  for (int k = 0; k < N_KINDS; k++) {
    char path[512];
    lines l;
    result r = {0};
    size_t n = 0;
    vlm_tokenizer *t = load(kinds[k]);
    snprintf(path, sizeof path, DATA "%s/cases.jsonl", kinds[k]);
    open_lines(&l, path);
    for (; next_line(&l); n++) {
      const vlm_json c = vlm_json_root(l.doc), ids = vlm_json_member(c, "ids");
      const vlm_slice decoded = text_of(vlm_json_member(c, "decoded")), skipped = text_of(vlm_json_member(c, "skipped"));
      run(t, text_of(vlm_json_member(c, "text")), &r);
      assert_int_equal(r.ids.count, vlm_json_size(ids));
      for (size_t i = 0; i < r.ids.count; i++) {
        int64_t id;
        OK(vlm_json_as_int(&id, vlm_json_at(ids, i), &error));
        assert_int_equal(r.ids.data[i], id);
      }
      assert_int_equal(r.decoded.bytes, decoded.bytes);
      assert_memory_equal(vlm_text_get(&r.decoded), decoded.data, decoded.bytes);
      assert_int_equal(r.skipped.bytes, skipped.bytes);
      assert_memory_equal(vlm_text_get(&r.skipped), skipped.data, skipped.bytes);
    }
    assert_int_equal(n, 40);
    close_lines(&l);
    free_result(&r);
    vlm_tokenizer_free(t);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(all_strings_agree),
      cmocka_unit_test(cases_agree),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
