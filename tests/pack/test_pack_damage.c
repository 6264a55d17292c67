/* Damaged files: every byte flipped, every length, edited numbers with correct hashes, other versions, and the committed bad files.
 * Nothing may crash, and nothing may open as something else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

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
  if (st != VLM_INTEGRITY && st != VLM_INPUT) fail_msg("%s %zu: %s: %s", what, at, vlm_status_name(st), err.text);
  if (!strstr(err.text, path_b)) fail_msg("%s %zu: the message does not name the file: %s", what, at, err.text);
}

static void test_every_byte_flipped(void **state) {
  (void)state;
  static const unsigned char masks[] = {0x01, 0x80, 0xFF};
  image f = make_image(VLM_PACK_ZSTD);
  for (size_t at = 0; at < f.bytes; at++) {
    for (int m = 0; m < 3; m++) {
      f.data[at] ^= masks[m];
      save(path_b, f.data, f.bytes);
      check_refused("byte", at);
      f.data[at] ^= masks[m];
    }
  }
  free(f.data);
}

/* A raw file has 64 KiB of padding: a sample of it, and everything else. */
static void test_every_byte_flipped_raw(void **state) {
  (void)state;
  image f = make_image(VLM_PACK_RAW);
  for (size_t at = 0; at < f.bytes; at += at > 3000 && at < 65500 ? 997 : 1) {
    f.data[at] ^= 0x10;
    save(path_b, f.data, f.bytes);
    vlm_error err = {0};
    if (try_open(&err) != VLM_INTEGRITY) fail_msg("byte %zu: %s", at, err.text);
    f.data[at] ^= 0x10;
  }
  free(f.data);
}

static void test_every_length(void **state) {
  (void)state;
  image f = make_image(VLM_PACK_ZSTD);
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

/* Makes the hashes of header and index right, and those of raw sections. */
static void rehash(image *f, bool sections) {
  unsigned char *index = f->data + get_u64(f->data + 40);
  const uint32_t count = get_u32(f->data + 52);
  for (uint32_t i = 0; i < count && sections; i++) {
    unsigned char *record = index + 56 * i;
    const uint64_t hash = vlm_xxh64(f->data + get_u64(record + 16), get_u64(record + 24));
    put_u64(record + 40, hash);
    put_u64(record + 48, hash);
  }
  put_u64(f->data + 56, vlm_xxh64(index, get_u32(f->data + 48)));
  put_u64(f->data + 64, vlm_xxh64(f->data, 64));
}

/* A forger can make every hash right: what is inside must still be checked number by number. */
static void test_edited_sections(void **state) {
  (void)state;
  static const unsigned char values[] = {0x00, 0x01, 0x7F, 0x80, 0xFF};
  image f = make_image(VLM_PACK_RAW);
  unsigned char *index = f.data + get_u64(f.data + 40);
  int opened = 0, refused = 0;
  for (uint32_t i = 0; i < get_u32(f.data + 52); i++) {
    const unsigned char *record = index + 56 * i;
    if (memcmp(record, "WGHT", 4) == 0) continue;
    const size_t begin = get_u64(record + 16), end = begin + get_u64(record + 24);
    for (size_t at = begin; at < end; at++) {
      const unsigned char old = f.data[at];
      for (int v = 0; v < 5; v++) {
        vlm_error err = {0};
        f.data[at] = values[v];
        rehash(&f, true);
        save(path_b, f.data, f.bytes);
        const vlm_status st = try_open(&err);
        st == VLM_OK ? opened++ : refused++;
        if (st == VLM_INTERNAL || st == VLM_MEMORY || st == VLM_IO) fail_msg("byte %zu = %u: %s: %s", at, values[v], vlm_status_name(st), err.text);
      }
      f.data[at] = old;
    }
  }
  assert_true(refused > 1000 && opened > 100); /* a letter of a text may change, a count may not */
  free(f.data);
}

/* One field of header or index is changed, everything is hashed again. */
static void check_edit(size_t at, const void *bytes, size_t n, vlm_status wanted, const char *words) {
  image f = make_image(VLM_PACK_ZSTD);
  vlm_error err = {0};
  memcpy(f.data + at, bytes, n);
  rehash(&f, false);
  save(path_b, f.data, f.bytes);
  const vlm_status st = try_open(&err);
  if (st != wanted || !strstr(err.text, words)) fail_msg("edit at %zu: %s: \"%s\", wanted %s, \"%s\"", at, vlm_status_name(st), err.text, vlm_status_name(wanted), words);
  free(f.data);
}

static void test_edited_header_and_index(void **state) {
  (void)state;
  image f = make_image(VLM_PACK_ZSTD);
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
  image f = make_image(VLM_PACK_RAW);
  unsigned char *record = f.data + get_u64(f.data + 40) + 56;
  memcpy(record, "XTRA", 4);
  record[4] = 1;
  rehash(&f, false);
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
  f.data[65536 + 2] ^= 1;
  save(path_b, f.data, f.bytes);
  FAILS(VLM_INTEGRITY, try_open(&error));
  assert_non_null(strstr(error.text, "section WGHT, tensor 0 of 3"));
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
    {"bad-truncated.vlmq", VLM_INTEGRITY, "the file should have"},
    {"bad-header-only.vlmq", VLM_INTEGRITY, "truncated"},
    {"bad-text-mode.vlmq", VLM_INTEGRITY, "text-mode"},
    {"bad-weights.vlmq", VLM_INTEGRITY, "section WGHT"},
    {"bad-graph.vlmq", VLM_INTEGRITY, "section GRPH"},
    {"bad-overlap.vlmq", VLM_INTEGRITY, "section PREP: offset"},
    {"bad-feature.vlmq", VLM_UNSUPPORTED, "features"},
    {"bad-version.vlmq", VLM_UNSUPPORTED, "version"},
    {"bad-section.vlmq", VLM_UNSUPPORTED, "XTRA"},
    {"bad-magic.vlmq", VLM_INPUT, "not a packed model"},
};

static void test_committed_good_file(void **state) {
  (void)state;
  vlm_pack_report report;
  vlm_pack *a, *b;
  int64_t count;
  image f = make_image(VLM_PACK_ZSTD);
  FINE(vlm_pack_verify(DATA "good.vlmq", NULL, &report, &error));
  assert_int_equal(report.tensors, 3);
  FINE(vlm_pack_open(&a, DATA "good.vlmq", NULL, &error));
  FINE(vlm_pack_open(&b, path_a, NULL, &error));
  FINE(vlm_pack_diff(a, b, NULL, NULL, &count, &error));
  assert_int_equal(count, 0); /* what is written today is what was written then */
  vlm_pack_close(a);
  vlm_pack_close(b);
  assert_true(vlm_pack_is_pack(DATA "good.vlmq"));
  assert_false(vlm_pack_is_pack(DATA "bad-magic.vlmq"));
  free(f.data);
}

static void test_committed_bad_files(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof(committed) / sizeof(committed[0]); i++) {
    char path[512];
    vlm_error err = {0};
    snprintf(path, sizeof(path), DATA "%s", committed[i].name);
    const vlm_status st = vlm_pack_verify(path, NULL, NULL, &err);
    if (st != committed[i].status || !strstr(err.text, committed[i].words)) fail_msg("%s: %s: %s", committed[i].name, vlm_status_name(st), err.text);
  }
}

/* ---- the committed files were made with `test_pack_damage --write FOLDER` ---- */

static void write_variant(const char *to, const char *name, image f, size_t bytes) {
  char path[512];
  snprintf(path, sizeof(path), "%s/%s", to, name);
  save(path, f.data, bytes);
}

static void edit(const char *to, const char *name, size_t at, const void *data, size_t n, bool hash) {
  image f = make_image(VLM_PACK_ZSTD);
  memcpy(f.data + at, data, n);
  if (hash) rehash(&f, false);
  write_variant(to, name, f, f.bytes);
  free(f.data);
}

static int write_files(const char *to) {
  make_folder(NULL);
  image f = make_image(VLM_PACK_ZSTD);
  const size_t index = get_u64(f.data + 40), graph = get_u64(f.data + index + 4 * 56 + 16), weights = get_u64(f.data + index + 6 * 56 + 16);
  unsigned char number[8];
  write_variant(to, "good.vlmq", f, f.bytes);
  write_variant(to, "bad-truncated.vlmq", f, f.bytes - 100);
  write_variant(to, "bad-header-only.vlmq", f, 70);
  edit(to, "bad-text-mode.vlmq", 4, "\n\x1A\n", 3, false);
  number[0] = f.data[weights + 15] ^ 4;
  edit(to, "bad-weights.vlmq", weights + 15, number, 1, false);
  number[0] = f.data[graph + 20] ^ 4;
  edit(to, "bad-graph.vlmq", graph + 20, number, 1, false);
  put_u64(number, get_u64(f.data + index + 56 + 16) - 64);
  edit(to, "bad-overlap.vlmq", index + 56 + 16, number, 8, true);
  edit(to, "bad-feature.vlmq", 31, "\x80", 1, true);
  edit(to, "bad-version.vlmq", 8, "\x09", 1, true);
  edit(to, "bad-section.vlmq", index + 56, "XTRA", 4, true);
  edit(to, "bad-magic.vlmq", 0, "\0\0\0\0\0\0\0", 8, false);
  free(f.data);
  return remove_folder(NULL);
}

int main(int argc, char **argv) {
  if (argc == 3 && strcmp(argv[1], "--write") == 0) return write_files(argv[2]);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_every_byte_flipped),
      cmocka_unit_test(test_every_byte_flipped_raw),
      cmocka_unit_test(test_every_length),
      cmocka_unit_test(test_edited_sections),
      cmocka_unit_test(test_edited_header_and_index),
      cmocka_unit_test(test_optional_section),
      cmocka_unit_test(test_weights),
      cmocka_unit_test(test_committed_good_file),
      cmocka_unit_test(test_committed_bad_files),
  };
  return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
