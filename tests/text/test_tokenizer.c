/* Token for token against the Python tokenizers package: see tests/oracles/make_tokenizers.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/base/file.h"
#include "runtime/base/memory.h"
#include "runtime/base/json.h"
#include "runtime/text/tokenizer.h"
#include "runtime/base/utf8.h"
#include "tests/fine.h"

#define DATA VLMQ_SOURCE_DIR "/tests/text/data/tokenizers/"
enum { MAX_SHOWN = 8 };

static const char *const kinds[] = {"bart",          "qwen2",      "llama3",      "smollm2",    "bloom",
                                    "llama",         "llama_meta", "bert",        "bert_cased", "unigram",
                                    "unigram_bytes", "clip",       "subword_bpe", "wordlevel",  "no_decoder"};
enum { N_KINDS = sizeof kinds / sizeof *kinds };

static vlm_tokenizer *load(const char *kind) {
  char path[512];
  vlm_tokenizer *t;
  snprintf(path, sizeof path, DATA "%s/tokenizer.json", kind);
  FINE(vlm_tokenizer_load(&t, path, NULL, &error));
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
  FINE(vlm_json_parse(&l->doc, from, bytes, "line", &error));
  return true;
}

static void open_lines(lines *l, const char *path) {
  *l = (lines){0};
  FINE(vlm_file_map(&l->file, path, &error));
}

static void close_lines(lines *l) {
  vlm_json_free(l->doc);
  vlm_file_unmap(&l->file);
}

static vlm_slice text_of(vlm_json value) {
  vlm_slice s;
  FINE(vlm_json_as_bytes(&s.data, &s.bytes, value, &error));
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
  FINE(vlm_tokenizer_encode(t, text.data, text.bytes, true, &r->ids, &error));
  FINE(vlm_tokenizer_decode(t, r->ids.data, r->ids.count, false, &r->decoded, &error));
  FINE(vlm_tokenizer_decode(t, r->ids.data, r->ids.count, true, &r->skipped, &error));
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
  FINE(vlm_file_map(&checks, path, &error));
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
      const vlm_slice decoded = text_of(vlm_json_member(c, "decoded")),
                      skipped = text_of(vlm_json_member(c, "skipped"));
      run(t, text_of(vlm_json_member(c, "text")), &r);
      assert_int_equal(r.ids.count, vlm_json_size(ids));
      for (size_t i = 0; i < r.ids.count; i++) {
        int64_t id;
        FINE(vlm_json_as_int(&id, vlm_json_at(ids, i), &error));
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

/* ---- streaming ---- */

static bool is_complete(const vlm_text *text) {
  uint32_t code;
  for (size_t at = 0; at < text->bytes; at += vlm_utf8_next(text->data + at, text->bytes - at, &code)) {
    vlm_utf8_next(text->data + at, text->bytes - at, &code);
    if (code == VLM_UTF8_BAD) return false;
  }
  return true;
}

static void streams_give_the_whole_text(void **state) {
  (void)state;
  for (int k = 0; k < N_KINDS; k++) {
    lines l;
    result r = {0};
    vlm_text streamed = {0};
    vlm_token_stream *stream;
    vlm_tokenizer *t = load(kinds[k]);
    FINE(vlm_token_stream_create(&stream, t, true, &error));
    open_lines(&l, DATA "strings.jsonl");
    for (int n = 0; next_line(&l); n++) {
      if (n % 5) continue;
      run(t, text_of(vlm_json_root(l.doc)), &r);
      vlm_text_clear(&streamed);
      for (size_t i = 0; i < r.ids.count; i++) {
        FINE(vlm_token_stream_push(stream, r.ids.data[i], &streamed, &error));
        assert_true(is_complete(&streamed));
      }
      FINE(vlm_token_stream_finish(stream, &streamed, &error));
      assert_string_equal(vlm_text_get(&streamed), vlm_text_get(&r.skipped));
    }
    close_lines(&l);
    free_result(&r);
    vlm_text_free(&streamed);
    vlm_token_stream_free(stream);
    vlm_tokenizer_free(t);
  }
}

static void streams_hold_back_parts_of_characters(void **state) {
  (void)state;
  vlm_tokenizer *t = load("bart");
  vlm_token_stream *stream;
  vlm_text text = {0};
  const int32_t bytes[] = {vlm_tokenizer_id(t, "\xC3\xB0"), vlm_tokenizer_id(t, "\xC5\x81"),
                           vlm_tokenizer_id(t, "\xC4\xBA"), vlm_tokenizer_id(t, "\xC4\xA2")};
  FINE(vlm_token_stream_create(&stream, t, true, &error)); /* F0 9F 98 80, one token each */
  for (int i = 0; i < 3; i++) {
    FINE(vlm_token_stream_push(stream, bytes[i], &text, &error));
    assert_int_equal(text.bytes, 0);
  }
  FINE(vlm_token_stream_push(stream, bytes[3], &text, &error));
  assert_string_equal(vlm_text_get(&text), "\xF0\x9F\x98\x80");
  FINE(vlm_token_stream_push(stream, bytes[0], &text, &error));
  FINE(vlm_token_stream_finish(stream, &text, &error));
  assert_string_equal(vlm_text_get(&text), "\xF0\x9F\x98\x80\xEF\xBF\xBD");
  vlm_text_free(&text);
  vlm_token_stream_free(stream);
  vlm_tokenizer_free(t);
}

/* ---- the rest of the interface ---- */

static void tokens_are_looked_up(void **state) {
  (void)state;
  vlm_tokenizer *t = load("bart");
  assert_int_equal(vlm_tokenizer_id(t, "<s>"), 0);
  assert_int_equal(vlm_tokenizer_id(t, "</s>"), 2);
  assert_int_equal(vlm_tokenizer_id(t, "no such token"), -1);
  assert_string_equal(vlm_tokenizer_token(t, 2), "</s>");
  assert_null(vlm_tokenizer_token(t, -1));
  assert_null(vlm_tokenizer_token(t, 1 << 20));
  assert_true(vlm_tokenizer_is_special(t, vlm_tokenizer_id(t, "<loc_12>")));
  assert_false(vlm_tokenizer_is_special(t, vlm_tokenizer_id(t, "abc")));
  const int32_t size = vlm_tokenizer_size(t);
  assert_non_null(vlm_tokenizer_token(t, size - 1));
  assert_null(vlm_tokenizer_token(t, size));
  vlm_tokenizer_free(t);
}

static void special_ids_are_optional(void **state) {
  (void)state;
  vlm_tokenizer *t = load("bart");
  vlm_ids with = {0}, without = {0};
  FINE(vlm_tokenizer_encode(t, "car", 3, true, &with, &error));
  FINE(vlm_tokenizer_encode(t, "car", 3, false, &without, &error));
  assert_int_equal(with.count, without.count + 2);
  assert_memory_equal(with.data + 1, without.data, without.count * sizeof *with.data);
  FINE(vlm_tokenizer_encode(t, "car", 3, false, &without, &error)); /* appends */
  assert_int_equal(with.count * 2 - 4, without.count);
  vlm_ids_free(&with);
  vlm_ids_free(&without);
  vlm_tokenizer_free(t);
}

static void bad_bytes_become_replacement_characters(void **state) {
  (void)state;
  vlm_tokenizer *t = load("bart");
  vlm_ids ids = {0};
  vlm_text text = {0};
  FINE(vlm_tokenizer_encode(t,
                            "a\xFF"
                            "b\xE4\xBD\0c",
                            7, false, &ids, &error));
  FINE(vlm_tokenizer_decode(t, ids.data, ids.count, false, &text, &error));
  assert_int_equal(text.bytes, 10);
  assert_memory_equal(text.data,
                      "a\xEF\xBF\xBD"
                      "b\xEF\xBF\xBD\0c",
                      10);
  vlm_ids_free(&ids);
  vlm_text_free(&text);
  vlm_tokenizer_free(t);
}

static vlm_status create(vlm_tokenizer **t, const char *json, const char *config) {
  const vlm_slice j = {json, strlen(json)}, c = {config, config ? strlen(config) : 0};
  return vlm_tokenizer_create(t, j, c, "tokenizer.json", &error);
}

static void config_is_applied(void **state) {
  (void)state;
  static const char json[] =
      "{\"model\": {\"type\": \"WordLevel\", \"vocab\": {\"it\": 0, \"is\": 1, \"n't\": 2, \".\": 3, "
      "\"<end>\": 4, \"u\": 5}, "
      "\"unk_token\": \"u\"},"
      "\"pre_tokenizer\": {\"type\": \"WhitespaceSplit\"}}";
  vlm_tokenizer *t;
  vlm_ids ids = {0};
  vlm_text text = {0};
  FINE(create(&t, json, NULL));
  FINE(vlm_tokenizer_encode(t, "it is n't . <end>", 17, true, &ids, &error));
  FINE(vlm_tokenizer_decode(t, ids.data, ids.count, true, &text, &error));
  assert_string_equal(vlm_text_get(&text), "it is n't . <end>");
  vlm_tokenizer_free(t);
  vlm_text_clear(&text);
  FINE(create(&t, json,
              "{\"clean_up_tokenization_spaces\": true, \"eos_token\": {\"content\": \"<end>\"}, "
              "\"model_max_length\": "
              "1000000000000000019884624838656}"));
  FINE(vlm_tokenizer_decode(t, ids.data, ids.count, true, &text, &error));
  assert_string_equal(vlm_text_get(&text), "it isn't.");
  vlm_tokenizer_free(t);
  vlm_ids_free(&ids);
  vlm_text_free(&text);
}

static void prefix_space_is_overridden(void **state) {
  (void)state;
  char *json = NULL;
  vlm_tokenizer *t;
  vlm_ids ids = {0};
  FINE(vlm_file_read_text(&json, DATA "bart/tokenizer.json", &error));
  FINE(create(&t, json, "{\"add_prefix_space\": true}"));
  FINE(vlm_tokenizer_encode(t, "a", 1, false, &ids, &error));
  assert_int_equal(vlm_tokenizer_token(t, ids.data[0])[0], '\xC4'); /* U+0120, a blank */
  vlm_ids_free(&ids);
  vlm_tokenizer_free(t);
  vlm_free(json);
}

/* ---- hostile files ---- */

static void bad_files_are_refused(void **state) {
  (void)state;
  static const struct {
    const char *json, *message;
    /* clang-format off */
  } cases[] = {
      {"{}", "\"model\" is missing"},
      {"[]", "wanted an object"},
      {"{\"model\": {\"type\": \"Magic\"}}", "model \"Magic\" is not supported; supported are: BPE WordPiece"},
      {"{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 0}}}", "\"merges\" is missing"},
      {"{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": \"b\"}, \"merges\": []}}", "model.vocab.a: got text"},
      {"{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": -1}, \"merges\": []}}", "id -1"},
      {"{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 99999999999}, \"merges\": []}}", "id 99999999999"},
      {"{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 0}, \"merges\": [\"a\"]}}", "model.merges[0]: got merge \"a\""},
      {"{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 0}, \"merges\": [\"a a\"]}}", "merge part \"aa\" is not in the vocabulary"},
      {"{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 0}, \"merges\": [[\"a\"]]}}", "got nothing, wanted text"},
      {"{\"model\": {\"type\": \"BPE\", \"vocab\": {}, \"merges\": [], \"dropout\": 0.5}}", "dropout 0.5"},
      {"{\"model\": {\"type\": \"Unigram\", \"vocab\": [[\"a\", 0]], \"unk_id\": 1}}", "got 1, wanted 0 to 0"},
      {"{\"model\": {\"type\": \"Unigram\", \"vocab\": [[\"a\"]]}}", "got nothing, wanted a number"},
      {"{\"model\": {\"vocab\": {\"a\": 0}}, \"pre_tokenizer\": {\"type\": \"Split\", \"pattern\": {\"Regex\": \"(\"}}}", "cannot be used"},
      {"{\"model\": {\"vocab\": {\"a\": 0}}, \"pre_tokenizer\": {\"type\": \"UnicodeScripts\"}}",
       "pre-tokenizer \"UnicodeScripts\" is not supported"},
      {"{\"model\": {\"vocab\": {\"a\": 0}}, \"pre_tokenizer\": {\"type\": \"Punctuation\", \"behavior\": \"x\"}}", "got behavior \"x\""},
      {"{\"model\": {\"vocab\": {\"a\": 0}}, \"normalizer\": {\"type\": \"Precompiled\", \"precompiled_charsmap\": \"AAA*\"}}",
       "byte 3 is not base64"},
      {"{\"model\": {\"vocab\": {\"a\": 0}}, \"normalizer\": {\"type\": \"Precompiled\", \"precompiled_charsmap\": \"/////w==\"}}",
       "cannot hold its trie"},
      {"{\"model\": {\"vocab\": {\"a\": 0}}, \"decoder\": {\"type\": \"Strip\", \"content\": \"ab\"}}", "content must be one character"},
      {"{\"model\": {\"vocab\": {\"a\": 0}}, \"post_processor\": {\"type\": \"TemplateProcessing\", \"single\": [], \"special_tokens\": "
       "{}}}",
       "sequence A 0 times"},
      {"{\"model\": {\"vocab\": {\"a\": 0}}, \"post_processor\": {\"type\": \"BertProcessing\", \"cls\": [\"a\", -5], \"sep\": [\"a\", "
       "1]}}",
       "special id -5"},
      {"{\"model\": {\"vocab\": {\"a\": 0}}, \"added_tokens\": [{\"id\": 3}]}", "added_tokens[0]: member \"content\" is missing"},
  };
  /* clang-format on */
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    vlm_tokenizer *t = NULL;
    assert_int_not_equal(create(&t, cases[i].json, NULL), VLM_OK);
    assert_null(t);
    if (!strstr(error.text, cases[i].message))
      fail_msg("got \"%s\", wanted \"%s\"", error.text, cases[i].message);
  }
}

static void nesting_is_limited(void **state) {
  (void)state;
  char json[8192] = "{\"model\": {\"vocab\": {\"a\": 0}}, \"normalizer\": ";
  for (int i = 0; i < 60; i++) strcat(json, "{\"type\": \"Sequence\", \"normalizers\": [");
  strcat(json, "null");
  for (int i = 0; i < 60; i++) strcat(json, "]}");
  strcat(json, "}");
  vlm_tokenizer *t;
  FAILS(VLM_LIMIT, create(&t, json, NULL));
}

static void runaway_patterns_give_up(void **state) {
  (void)state;
  static const char json[] =
      "{\"model\": {\"vocab\": {\"a\": 0}}, \"pre_tokenizer\": {\"type\": \"Split\", \"pattern\": "
      "{\"Regex\": \"(a|a?)+$|(x+x+)+y\"}, "
      "\"behavior\": \"Isolated\"}}";
  vlm_tokenizer *t;
  vlm_ids ids = {0};
  char text[4000];
  memset(text, 'x', sizeof text);
  FINE(create(&t, json, NULL));
  FAILS(VLM_LIMIT, vlm_tokenizer_encode(t, text, sizeof text, true, &ids, &error));
  assert_int_equal(ids.count, 0);
  vlm_ids_free(&ids);
  vlm_tokenizer_free(t);
}

/* Damaged copies of real files either load or are refused; what loads encodes or says why not. */
static void damaged_files_do_no_harm(void **state) {
  (void)state;
  uint64_t random = 7;
  for (int k = 0; k < N_KINDS; k++) {
    char path[512], *json = NULL;
    snprintf(path, sizeof path, DATA "%s/tokenizer.json", kinds[k]);
    FINE(vlm_file_read_text(&json, path, &error));
    const size_t bytes = strlen(json);
    for (int n = 0; n < 60; n++) {
      vlm_tokenizer *t = NULL;
      vlm_ids ids = {0};
      random = random * 6364136223846793005u + 1442695040888963407u;
      /* Mostly near the start or the end, where the structure is. */
      const size_t span = (random >> 62) ? (bytes < 1500 ? bytes : 1500) : bytes,
                   at = (size_t)(random >> 20) % span;
      const char old = json[at];
      json[at] = "0\"{}[],:-a9\\"[(random >> 50) % 12];
      const vlm_slice text = {json, bytes};
      if (vlm_tokenizer_create(&t, text, (vlm_slice){NULL, 0}, "damaged", &error) == VLM_OK) {
        vlm_tokenizer_encode(t, "What does the image describe? \xE4\xBA\xBA <s> 12", 41, true, &ids, &error);
        vlm_text decoded = {0};
        FINE(vlm_tokenizer_decode(t, ids.data, ids.count, true, &decoded, &error));
        vlm_text_free(&decoded);
      }
      vlm_ids_free(&ids);
      vlm_tokenizer_free(t);
      json[at] = old;
    }
    vlm_free(json);
  }
}

static void failing_memory_is_reported(void **state) {
  (void)state;
  for (int k = 0; k < N_KINDS; k += 3) {
    bool passed = false;
    for (long n = 1; n < 1000000 && !passed; n += n < 300 ? 1 : n / 8) { /* ASan: a block for each piece */
      char path[512];
      vlm_tokenizer *t = NULL;
      vlm_ids ids = {0};
      vlm_text text = {0};
      snprintf(path, sizeof path, DATA "%s/tokenizer.json", kinds[k]);
      vlm_memory_fail_after(n);
      vlm_status st = vlm_tokenizer_load(&t, path, NULL, &error);
      if (st == VLM_OK) st = vlm_tokenizer_encode(t, "A green car <s> 12", 18, true, &ids, &error);
      if (st == VLM_OK) st = vlm_tokenizer_decode(t, ids.data, ids.count, false, &text, &error);
      vlm_memory_fail_after(0);
      assert_true(st == VLM_OK || st == VLM_MEMORY);
      passed = st == VLM_OK;
      vlm_ids_free(&ids);
      vlm_text_free(&text);
      vlm_tokenizer_free(t);
    }
    assert_true(passed);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(all_strings_agree),
      cmocka_unit_test(cases_agree),
      cmocka_unit_test(streams_give_the_whole_text),
      cmocka_unit_test(streams_hold_back_parts_of_characters),
      cmocka_unit_test(tokens_are_looked_up),
      cmocka_unit_test(special_ids_are_optional),
      cmocka_unit_test(bad_bytes_become_replacement_characters),
      cmocka_unit_test(config_is_applied),
      cmocka_unit_test(prefix_space_is_overridden),
      cmocka_unit_test(bad_files_are_refused),
      cmocka_unit_test(nesting_is_limited),
      cmocka_unit_test(runaway_patterns_give_up),
      cmocka_unit_test(damaged_files_do_no_harm),
      cmocka_unit_test(failing_memory_is_reported),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
