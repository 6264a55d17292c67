/* Damaged files: every bit and every byte flipped, every length, edited numbers with correct hashes, other versions, and the committed bad files.
 * What is written is compact (format 1.1); format 1.0 is read from the committed file.
 * Nothing may crash, and nothing may open as something else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "pack/codec.h"
#include "pack/layout.h"
#include "pack/pack.h"
#include "runtime/base/file.h"
#include "runtime/base/hash.h"
#include "tests/pack/model.h"
#include "tests/fine.h"

#define DATA VLMQ_SOURCE_DIR "/tests/pack/data/"

static char folder[] = P_tmpdir "/vlmq-damage-XXXXXX";
static char path_a[128], path_b[128];

/* A file in memory. */
typedef struct image {
  unsigned char *data;
  size_t bytes;
} image;

static int make_folder(void **state) {
  (void)state;
  if (!mkdtemp(folder)) return 1;
  snprintf(path_a, sizeof(path_a), "%s/a.vlmq", folder);
  snprintf(path_b, sizeof(path_b), "%s/b.vlmq", folder);
  return 0;
}

static int remove_folder(void **state) {
  (void)state;
  unlink(path_a);
  unlink(path_b);
  return rmdir(folder);
}

static void save(const char *path, const void *data, size_t bytes) {
  unlink(path); /* truncating in place would make some file systems wait for the disk */
  FILE *f = fopen(path, "wb");
  assert_non_null(f);
  assert_int_equal(fwrite(data, 1, bytes, f), bytes);
  assert_int_equal(fclose(f), 0);
}

/* The model as a file, good at path_a, and in memory with room for a few bytes more. */
static image make_image(vlm_pack_codec codec) {
  vlm_bundle *model = make_model();
  const vlm_pack_content content = make_content(model);
  vlm_file file;
  image out;
  FINE(vlm_pack_write(path_a, &content, &(vlm_pack_opts){.codec = codec}, &out.bytes, &error));
  FINE(vlm_file_map(&file, path_a, &error));
  out.data = malloc(out.bytes + 64);
  memcpy(out.data, file.data, out.bytes);
  vlm_file_unmap(&file);
  vlm_bundle_free(model);
  return out;
}

/* The same model as the writer of format 1.0 left it; good at path_a. */
static image wide_image(void) {
  vlm_file file;
  FINE(vlm_file_map(&file, DATA "1.0/good.vlmq", &error));
  image out = {.data = malloc(file.bytes + 64), .bytes = file.bytes};
  memcpy(out.data, file.data, file.bytes);
  save(path_a, file.data, file.bytes);
  vlm_file_unmap(&file);
  return out;
}

/* Opens path_b in full. */
static vlm_status try_open(vlm_error *err) {
  vlm_pack *pack = NULL;
  vlm_bundle *bundle = NULL;
  err->text[0] = 0;
  vlm_status st = vlm_pack_open(&pack, path_b, NULL, err);
  if (st == VLM_OK) st = vlm_pack_bundle(&bundle, pack, err);
  vlm_bundle_free(bundle);
  vlm_pack_close(pack);
  return st;
}

static bool same_content(void) {
  vlm_pack *a, *b;
  int64_t count = 0;
  FINE(vlm_pack_open(&a, path_a, NULL, &error));
  FINE(vlm_pack_open(&b, path_b, NULL, &error));
  FINE(vlm_pack_diff(a, b, NULL, NULL, &count, &error));
  vlm_pack_close(a);
  vlm_pack_close(b);
  return count == 0;
}

static void check_refused(const char *what, size_t at) {
  vlm_error err = {0};
  const vlm_status st = try_open(&err);
  if (st == VLM_OK && same_content()) return;
  if (st != VLM_INTEGRITY && st != VLM_INPUT)
    fail_msg("%s %zu: %s: %s", what, at, vlm_status_name(st), err.text);
  if (!strstr(err.text, path_b))
    fail_msg("%s %zu: the message does not name the file: %s", what, at, err.text);
}

static void flip_every_byte(image f) {
  static const unsigned char masks[] = {0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xFF};
  for (size_t at = 0; at < f.bytes; at++) {
    for (int m = 0; m < 9; m++) {
      f.data[at] ^= masks[m];
      save(path_b, f.data, f.bytes);
      check_refused("byte", at);
      f.data[at] ^= masks[m];
    }
  }
  free(f.data);
}

static void test_every_byte_flipped(void **state) {
  (void)state;
  flip_every_byte(make_image(VLM_PACK_ZSTD));
  flip_every_byte(wide_image());
}

static void test_every_byte_flipped_raw(void **state) {
  (void)state;
  image f = make_image(VLM_PACK_RAW);
  for (size_t at = 0; at < f.bytes; at++) {
    f.data[at] ^= 0x10;
    save(path_b, f.data, f.bytes);
    vlm_error err = {0};
    if (try_open(&err) != VLM_INTEGRITY) fail_msg("byte %zu: %s", at, err.text);
    f.data[at] ^= 0x10;
  }
  free(f.data);
}

static void try_every_length(image f) {
  for (size_t bytes = 0; bytes < f.bytes; bytes++) {
    vlm_error err = {0};
    save(path_b, f.data, bytes);
    const vlm_status st = try_open(&err);
    assert_int_equal(st, bytes == 0 ? VLM_INPUT : VLM_INTEGRITY);
  }
  memset(f.data + f.bytes, 0, 64);
  save(path_b, f.data, f.bytes + 1);
  check_refused("longer by", 1);
  free(f.data);
}

static void test_every_length(void **state) {
  (void)state;
  try_every_length(make_image(VLM_PACK_ZSTD));
  try_every_length(wide_image());
}

/* ---- edits with correct hashes ---- */

static void put_u64(unsigned char *at, uint64_t value) {
  for (int i = 0; i < 8; i++) at[i] = (unsigned char)(value >> (8 * i));
}

static uint64_t get_u64(const unsigned char *at) {
  uint64_t value = 0;
  for (int i = 0; i < 8; i++) value |= (uint64_t)at[i] << (8 * i);
  return value;
}

static uint32_t get_u32(const unsigned char *at) { return (uint32_t)(get_u64(at) & 0xFFFFFFFF); }

/* Makes the hashes of header and index right. */
static void rehash(image *f) {
  put_u64(f->data + 56, vlm_xxh64(f->data + get_u64(f->data + 40), get_u32(f->data + 48)));
  put_u64(f->data + 64, vlm_xxh64(f->data, 64));
}

/* A forger can make every hash right: what is inside must still be checked number by number. The index of a raw file is not compressed and
 * holds all sections but the weights. */
static void test_edited_sections(void **state) {
  (void)state;
  static const unsigned char values[] = {0x00, 0x01, 0x7F, 0x80, 0xFF};
  image f = make_image(VLM_PACK_RAW);
  int opened = 0, refused = 0;
  for (size_t at = get_u64(f.data + 40); at < f.bytes; at++) {
    const unsigned char old = f.data[at];
    for (int v = 0; v < 5; v++) {
      vlm_error err = {0};
      f.data[at] = values[v];
      rehash(&f);
      save(path_b, f.data, f.bytes);
      const vlm_status st = try_open(&err);
      st == VLM_OK ? opened++ : refused++;
      if (st == VLM_INTERNAL || st == VLM_MEMORY || st == VLM_IO)
        fail_msg("byte %zu = %u: %s: %s", at, values[v], vlm_status_name(st), err.text);
    }
    f.data[at] = old;
  }
  assert_true(refused > 1000 && opened > 100); /* a letter of a text may change, a count may not */
  free(f.data);
}

/* ---- edits of compact files ---- */

typedef struct {
  size_t at; /* in the index; the first byte says how it is stored */
  const char *bytes;
  size_t n;
  vlm_status wanted;
  const char *words;
} index_edit;

/* The first section is META, inside, 42 bytes; a letter of it is followed by PREP. */
static void test_edited_compact_index(void **state) {
  (void)state;
  static const index_edit edits[] = {
      {0, "\x02", 1, VLM_INTEGRITY, "index: unknown form"},
      {0, "\x01", 1, VLM_INTEGRITY, "is compressed, but the header does not say so"},
      {1, "\x0B", 1, VLM_INTEGRITY, "section name 11 is unknown"},
      {1, "\x00", 1, VLM_INTEGRITY, "four capitals"},
      {1, "\x02", 1, VLM_INTEGRITY, "sections META"},
      {1, "\x06", 1, VLM_INTEGRITY, "section WGHT: codec 3 does not go with it"},
      {2, "\x23", 1, VLM_INTEGRITY, "codec 35"},
      {2, "\x05", 1, VLM_INTEGRITY, "codec"},
      {2, "\x02", 1, VLM_INTEGRITY, "codec 2"},
      {2, "\x01", 1, VLM_INTEGRITY, "section META"},
      {3, "\xFF\xFF\xFF\x7F", 4, VLM_INTEGRITY, "bytes wanted"},
      {3, "\xAA\x00", 2, VLM_INTEGRITY, "shortest form"},
  };
  for (size_t i = 0; i < sizeof edits / sizeof *edits; i++) {
    image f = make_image(VLM_PACK_RAW);
    vlm_error err = {0};
    memcpy(f.data + get_u64(f.data + 40) + edits[i].at, edits[i].bytes, edits[i].n);
    rehash(&f);
    save(path_b, f.data, f.bytes);
    const vlm_status st = try_open(&err);
    if (st != edits[i].wanted || !strstr(err.text, edits[i].words))
      fail_msg("index edit %zu: %s: \"%s\", wanted \"%s\"", i, vlm_status_name(st), err.text, edits[i].words);
    free(f.data);
  }
}

/* ---- edits of format 1.0 ---- */

/* One field of header or index is changed, everything is hashed again. */
static void check_edit(size_t at, const void *bytes, size_t n, vlm_status wanted, const char *words) {
  image f = wide_image();
  vlm_error err = {0};
  memcpy(f.data + at, bytes, n);
  rehash(&f);
  save(path_b, f.data, f.bytes);
  const vlm_status st = try_open(&err);
  if (st != wanted || !strstr(err.text, words))
    fail_msg("edit at %zu: %s: \"%s\", wanted %s, \"%s\"", at, vlm_status_name(st), err.text,
             vlm_status_name(wanted), words);
  free(f.data);
}

static void test_edited_header_and_wide_index(void **state) {
  (void)state;
  image f = wide_image();
  const size_t index = get_u64(f.data + 40), second = index + 56;
  const uint64_t bytes = f.bytes, where = get_u64(f.data + second + 16);
  unsigned char number[8];
  check_edit(8, "\x02", 1, VLM_UNSUPPORTED, "format version 2.0");
  check_edit(25, "\x01", 1, VLM_UNSUPPORTED, "needs features 0x100");
  check_edit(24, "\x00", 1, VLM_INTEGRITY, "is compressed, but the header does not say so");
  put_u64(number, bytes + 1);
  check_edit(16, number, 8, VLM_INTEGRITY, "the file should have");
  check_edit(12, "\x40\0\0\0", 4, VLM_INTEGRITY, "header: size 64");
  check_edit(52, "\x01\0\0\0", 4, VLM_INTEGRITY, "does not end a file");
  check_edit(second, "XTRA", 4, VLM_UNSUPPORTED, "section XTRA is unknown");
  check_edit(second, "xx\x01y", 4, VLM_INTEGRITY, "four capitals");
  check_edit(second, "META", 4, VLM_INTEGRITY, "2 sections META");
  check_edit(second + 4, "\x02", 1, VLM_INTEGRITY, "flags 0x2");
  check_edit(second + 8, "\x02", 1, VLM_INTEGRITY, "codec 2");
  put_u64(number, where - 64);
  check_edit(second + 16, number, 8, VLM_INTEGRITY, "wanted");
  put_u64(number, UINT64_MAX - 63);
  check_edit(second + 16, number, 8, VLM_INTEGRITY, "offset");
  check_edit(second + 24, number, 8, VLM_INTEGRITY, "run into the index");
  check_edit(second + 32, number, 8, VLM_INTEGRITY, "the limit is");
  put_u64(number, (uint64_t)128 << 20);
  check_edit(second + 32, number, 8, VLM_INTEGRITY, "more than 4096 times");
  put_u64(number, 0);
  check_edit(second + 40, number, 8, VLM_INTEGRITY, "section PREP");
  free(f.data);
}

/* An optional section of an unknown name is skipped, but its hash is checked. */
static void test_optional_section(void **state) {
  (void)state;
  image f = wide_image();
  unsigned char *record = f.data + get_u64(f.data + 40) + 56;
  memcpy(record, "XTRA", 4);
  record[4] = 1;
  rehash(&f);
  save(path_b, f.data, f.bytes);
  FINE(try_open(&error));
  vlm_pack *pack;
  int32_t n;
  FINE(vlm_pack_open(&pack, path_b, NULL, &error));
  assert_null(vlm_pack_preprocess(pack));
  assert_string_equal(vlm_pack_sections(pack, &n)[1].what, "unknown");
  vlm_pack_close(pack);
  f.data[get_u64(record + 16)] ^= 1;
  save(path_b, f.data, f.bytes);
  FAILS(VLM_INTEGRITY, try_open(&error));
  assert_non_null(strstr(error.text, "section XTRA"));
  free(f.data);
}

/* The same in the index of a compact file: a fourth text, whose name is written out. */
static void test_optional_section_inside(void **state) {
  (void)state;
  static const unsigned char extra[] = {0, 0x13, 'X', 'T', 'R', 'A', 2, 'o', 'k'};
  image f = make_image(VLM_PACK_RAW);
  memcpy(f.data + f.bytes, extra, sizeof extra);
  put_u64(f.data + 16, f.bytes + sizeof extra);
  f.data[48] = (unsigned char)(f.data[48] + sizeof extra);
  if (f.data[48] < sizeof extra) f.data[49]++;
  f.data[52]++;
  f.bytes += sizeof extra;
  rehash(&f);
  save(path_b, f.data, f.bytes);
  FINE(try_open(&error));
  f.data[f.bytes - 8] = 0x03; /* not optional */
  rehash(&f);
  save(path_b, f.data, f.bytes);
  FAILS(VLM_UNSUPPORTED, try_open(&error));
  free(f.data);
}

static void test_weights(void **state) {
  (void)state;
  image f = make_image(VLM_PACK_RAW);
  vlm_pack *pack;
  int32_t n;
  FAILS(VLM_LIMIT, vlm_pack_open(&pack, path_a, &(vlm_pack_open_opts){.max_weight_bytes = 100}, &error));
  FINE(vlm_pack_open(&pack, path_a, &(vlm_pack_open_opts){.no_weights = true}, &error));
  assert_null(vlm_pack_tensors(pack, &n)[0].tensor.data);
  vlm_bundle *bundle;
  FAILS(VLM_USAGE, vlm_pack_bundle(&bundle, pack, &error));
  vlm_pack_close(pack);
  /* A flipped weight is found, and named, unless the caller trusts the file. */
  f.data[128 + 2] ^= 1; /* the first multiple of 64 behind the header */
  save(path_b, f.data, f.bytes);
  FAILS(VLM_INTEGRITY, try_open(&error));
  assert_non_null(strstr(error.text, "section WGHT"));
  FINE(vlm_pack_open(&pack, path_b, &(vlm_pack_open_opts){.trust_weights = true}, &error));
  vlm_pack_close(pack);
  FAILS(VLM_INTEGRITY, vlm_pack_verify(path_b, NULL, NULL, &error));
  free(f.data);
}

/* ---- committed files ---- */

static const struct {
  const char *name;
  vlm_status status;
  const char *words;
} committed[] = {
    {"1.0/bad-truncated.vlmq", VLM_INTEGRITY, "the file should have"},
    {"1.0/bad-header-only.vlmq", VLM_INTEGRITY, "truncated"},
    {"1.0/bad-text-mode.vlmq", VLM_INTEGRITY, "text-mode"},
    {"1.0/bad-weights.vlmq", VLM_INTEGRITY, "section WGHT"},
    {"1.0/bad-graph.vlmq", VLM_INTEGRITY, "section GRPH"},
    {"1.0/bad-overlap.vlmq", VLM_INTEGRITY, "section PREP: offset"},
    {"1.0/bad-feature.vlmq", VLM_UNSUPPORTED, "features"},
    {"1.0/bad-version.vlmq", VLM_UNSUPPORTED, "version"},
    {"1.0/bad-section.vlmq", VLM_UNSUPPORTED, "XTRA"},
    {"1.0/bad-magic.vlmq", VLM_INPUT, "not a packed model"},
    {"1.1/bad-truncated.vlmq", VLM_INTEGRITY, "the file should have"},
    {"1.1/bad-weights.vlmq", VLM_INTEGRITY, "section WGHT"},
    {"1.1/bad-index.vlmq", VLM_INTEGRITY, "index: stored hash"},
    {"1.1/bad-form.vlmq", VLM_INTEGRITY, "index: unknown form"},
    {"1.1/bad-frame.vlmq", VLM_INTEGRITY, "index: the zstd frame"},
    {"1.1/bad-feature.vlmq", VLM_UNSUPPORTED, "features"},
};

/* What is written today is what was written then, byte for byte where the layout is the same. */
static void test_committed_good_files(void **state) {
  (void)state;
  static const char *const good[] = {DATA "1.0/good.vlmq", DATA "1.1/good.vlmq"};
  vlm_pack_report report;
  vlm_pack *a, *b;
  int64_t count;
  image f = make_image(VLM_PACK_ZSTD);
  for (int i = 0; i < 2; i++) {
    FINE(vlm_pack_verify(good[i], NULL, &report, &error));
    assert_int_equal(report.tensors, 3);
    FINE(vlm_pack_open(&a, good[i], NULL, &error));
    FINE(vlm_pack_open(&b, path_a, NULL, &error));
    FINE(vlm_pack_diff(a, b, NULL, NULL, &count, &error));
    assert_int_equal(count, 0);
    vlm_pack_close(a);
    vlm_pack_close(b);
    assert_true(vlm_pack_is_pack(good[i]));
  }
  assert_false(vlm_pack_is_pack(DATA "1.0/bad-magic.vlmq"));
  free(f.data);
}

static void test_committed_bad_files(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof(committed) / sizeof(committed[0]); i++) {
    char path[512];
    vlm_error err = {0};
    snprintf(path, sizeof(path), DATA "%s", committed[i].name);
    const vlm_status st = vlm_pack_verify(path, NULL, NULL, &err);
    if (st != committed[i].status || !strstr(err.text, committed[i].words))
      fail_msg("%s: %s: %s", committed[i].name, vlm_status_name(st), err.text);
  }
}

/* Files are made with the words: they are part of the format. */
static void test_words_are_those_of_the_page(void **state) {
  (void)state;
  char *text = NULL;
  FINE(vlm_file_read_text(&text, VLMQ_SOURCE_DIR "/docs/format-words.txt", &error));
  assert_int_equal(strlen(text), strlen(vlm_codec_words) + 1); /* the line's end */
  assert_memory_equal(text, vlm_codec_words, strlen(vlm_codec_words));
  vlm_free(text);
}

/* ---- the committed files of 1.1 were made with `test_pack_damage --write FOLDER` ---- */

static void write_variant(const char *to, const char *name, image f, size_t bytes) {
  char path[512];
  snprintf(path, sizeof(path), "%s/%s", to, name);
  save(path, f.data, bytes);
}

static void edit(const char *to, const char *name, size_t at, unsigned char bits, bool hash) {
  image f = make_image(VLM_PACK_ZSTD);
  f.data[at] ^= bits;
  if (hash) rehash(&f);
  write_variant(to, name, f, f.bytes);
  free(f.data);
}

static int write_files(const char *to) {
  make_folder(NULL);
  image f = make_image(VLM_PACK_ZSTD), raw = make_image(VLM_PACK_RAW);
  const size_t index = get_u64(f.data + 40);
  write_variant(to, "good.vlmq", f, f.bytes);
  write_variant(to, "bad-truncated.vlmq", f, f.bytes - 100);
  raw.data[130] ^= 4;
  write_variant(to, "bad-weights.vlmq", raw, raw.bytes);
  edit(to, "bad-index.vlmq", index + 20, 4, false);
  edit(to, "bad-form.vlmq", index, 6, true);
  edit(to, "bad-frame.vlmq", f.bytes - 1, 0x80, true);
  edit(to, "bad-feature.vlmq", 31, 0x80, true);
  free(f.data);
  free(raw.data);
  return remove_folder(NULL);
}

int main(int argc, char **argv) {
  if (argc == 3 && strcmp(argv[1], "--write") == 0) return write_files(argv[2]);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_every_byte_flipped),
      cmocka_unit_test(test_every_byte_flipped_raw),
      cmocka_unit_test(test_every_length),
      cmocka_unit_test(test_edited_sections),
      cmocka_unit_test(test_edited_compact_index),
      cmocka_unit_test(test_edited_header_and_wide_index),
      cmocka_unit_test(test_optional_section),
      cmocka_unit_test(test_optional_section_inside),
      cmocka_unit_test(test_weights),
      cmocka_unit_test(test_committed_good_files),
      cmocka_unit_test(test_committed_bad_files),
      cmocka_unit_test(test_words_are_those_of_the_page),
  };
  return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
