/* .npy and .npz files against NumPy (tests/oracles/make_npy.py), damaged files, and the writer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <zlib.h>

#include "calib/npy.h"
#include "runtime/base/file.h"
#include "runtime/base/memory.h"
#include "tests/fine.h"

#define DATA VLMQ_SOURCE_DIR "/tests/calib/data/npy/"

static int each_case(const char *kind, void (*visit)(const char *)) {
  char *text = NULL, *rest = NULL;
  int count = 0;
  FINE(vlm_file_read_text(&text, DATA "cases.txt", &error));
  for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
    if (strncmp(line, kind, strlen(kind)) != 0) continue;
    visit(line + strlen(kind));
    count++;
  }
  vlm_free(text);
  return count;
}

static void check(const vlm_tensor *t, const char *name, const char *dtype, const char *shape,
                  unsigned want) {
  char got[64] = "";
  for (int d = 0; d < t->rank; d++)
    snprintf(got + strlen(got), sizeof got - strlen(got), "%s%d", d ? "x" : "", (int)t->dims[d]);
  assert_string_equal(got[0] ? got : "-", shape);
  assert_string_equal(vlm_dtype_name(t->dtype), dtype);
  if ((unsigned)crc32(0, t->data, (uInt)vlm_tensor_bytes(t)) != want) fail_msg("%s: values differ", name);
}

static void check_round_trip(const vlm_tensor *t) {
  char path[64];
  vlm_tensor back;
  snprintf(path, sizeof path, P_tmpdir "/vlmq-test-npy-%ld.npy", (long)getpid());
  FINE(vlm_npy_write(t, path, &error));
  FINE(vlm_npy_read(&back, path, &error));
  assert_int_equal(back.dtype, t->dtype);
  assert_true(vlm_tensor_same_shape(&back, t));
  assert_memory_equal(back.data, t->data, vlm_tensor_bytes(t));
  vlm_free(back.data);
  unlink(path);
}

static void visit_good(const char *line) {
  char name[64], dtype[32], shape[64], path[512];
  unsigned want;
  vlm_tensor t;
  assert_int_equal(sscanf(line, "%63s %31s %63s %x", name, dtype, shape, &want), 4);
  snprintf(path, sizeof path, DATA "%s", name);
  FINE(vlm_npy_read(&t, path, &error));
  check(&t, name, dtype, shape, want);
  check_round_trip(&t);
  vlm_free(t.data);
}

static void visit_npz(const char *line) {
  char name[64], key[64], dtype[32], shape[64], path[512];
  unsigned want;
  vlm_npz *npz;
  vlm_tensor t;
  size_t found = 0;
  assert_int_equal(sscanf(line, "%63s %63s %31s %63s %x", name, key, dtype, shape, &want), 5);
  snprintf(path, sizeof path, DATA "%s", name);
  FINE(vlm_npz_open(&npz, path, &error));
  for (size_t i = 0; i < vlm_npz_count(npz); i++) {
    if (strcmp(vlm_npz_name(npz, i), key) != 0) continue;
    FINE(vlm_npz_read(&t, npz, i, &error));
    check(&t, name, dtype, shape, want);
    vlm_free(t.data);
    found++;
  }
  assert_int_equal(found, 1);
  vlm_npz_free(npz);
}

/* Opens and reads everything; the first error counts. */
static vlm_status read_all(const char *path, vlm_error *err) {
  vlm_tensor t = {0};
  if (strcmp(path + strlen(path) - 4, ".npy") == 0) {
    vlm_status st = vlm_npy_read(&t, path, err);
    if (st != VLM_OK) assert_null(t.data);
    vlm_free(t.data);
    return st;
  }
  vlm_npz *npz;
  vlm_status st = vlm_npz_open(&npz, path, err);
  for (size_t i = 0; st == VLM_OK && i < vlm_npz_count(npz); i++) {
    st = vlm_npz_read(&t, npz, i, err);
    vlm_free(t.data);
  }
  vlm_npz_free(npz);
  return st;
}

static void visit_bad(const char *line) {
  char name[64], path[512], status[32], words[64];
  assert_int_equal(sscanf(line, "%63s %31s %63[^\n]", name, status, words), 3);
  snprintf(path, sizeof path, DATA "%s", name);
  if (strcmp(vlm_status_name(read_all(path, &error)), status) != 0)
    fail_msg("%s: \"%s\" is not %s", name, error.text, status);
  if (!strstr(error.text, words) || !strstr(error.text, name))
    fail_msg("message \"%s\" lacks \"%s\" or the file name", error.text, words);
}

static void test_arrays_equal_numpy(void **state) {
  (void)state;
  assert_true(each_case("good ", visit_good) >= 17);
}

static void test_archives_equal_numpy(void **state) {
  (void)state;
  assert_int_equal(each_case("npz ", visit_npz), 6);
}

static void test_bad_files_are_described(void **state) {
  (void)state;
  assert_true(each_case("bad ", visit_bad) >= 20);
}

static void write_file(const char *path, const unsigned char *data, size_t bytes) {
  FILE *f = fopen(path, "wb");
  assert_non_null(f);
  assert_int_equal(fwrite(data, 1, bytes, f), bytes);
  fclose(f);
}

static void test_damaged_archives_never_crash(void **state) {
  (void)state;
  char path[64];
  vlm_file file;
  snprintf(path, sizeof path, P_tmpdir "/vlmq-test-npz-%ld.npz", (long)getpid());
  FINE(vlm_file_map(&file, DATA "deflated.npz", &error));
  unsigned char *copy = malloc(file.bytes);
  for (size_t i = 0; i < file.bytes; i++) {
    memcpy(copy, file.data, file.bytes);
    copy[i] ^= (unsigned char)(1 + i * 53 % 255);
    write_file(path, copy, file.bytes);
    read_all(path, &error);
    write_file(path, file.data, i);
    assert_int_not_equal(read_all(path, &error), VLM_OK);
  }
  unlink(path);
  free(copy);
  vlm_file_unmap(&file);
}

static void test_types_unknown_to_numpy_are_widened(void **state) {
  (void)state;
  char path[64];
  uint16_t half[2];
  half[0] = vlm_f32_to_bf16(1.5f);
  half[1] = vlm_f32_to_bf16(-3.0f);
  uint8_t packed[1] = {0x1f}; /* -1, 1 */
  int64_t dims[1] = {2};
  vlm_tensor a = vlm_tensor_make(VLM_BF16, 1, dims, half), b = vlm_tensor_make(VLM_S4, 1, dims, packed), back;
  snprintf(path, sizeof path, P_tmpdir "/vlmq-test-npy-%ld.npy", (long)getpid());
  FINE(vlm_npy_write(&a, path, &error));
  FINE(vlm_npy_read(&back, path, &error));
  assert_int_equal(back.dtype, VLM_F32);
  assert_true(((float *)back.data)[0] == 1.5f && ((float *)back.data)[1] == -3.0f);
  vlm_free(back.data);
  FINE(vlm_npy_write(&b, path, &error));
  FINE(vlm_npy_read(&back, path, &error));
  assert_int_equal(back.dtype, VLM_S8);
  assert_true(((int8_t *)back.data)[0] == -1 && ((int8_t *)back.data)[1] == 1);
  vlm_free(back.data);
  uint8_t small[2] = {0x3c, 0xc8}; /* 1.5, -4 */
  vlm_tensor c = vlm_tensor_make(VLM_F8E4M3FN, 1, dims, small), d = vlm_tensor_make(VLM_U2, 1, dims, packed);
  FINE(vlm_npy_write(&c, path, &error));
  FINE(vlm_npy_read(&back, path, &error));
  assert_int_equal(back.dtype, VLM_F32);
  assert_true(((float *)back.data)[0] == 1.5f && ((float *)back.data)[1] == -4.0f);
  vlm_free(back.data);
  FINE(vlm_npy_write(&d, path, &error));
  FINE(vlm_npy_read(&back, path, &error));
  assert_int_equal(back.dtype, VLM_U8);
  assert_true(((uint8_t *)back.data)[0] == 3 && ((uint8_t *)back.data)[1] == 3);
  vlm_free(back.data);
  unlink(path);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_arrays_equal_numpy),
      cmocka_unit_test(test_archives_equal_numpy),
      cmocka_unit_test(test_bad_files_are_described),
      cmocka_unit_test(test_damaged_archives_never_crash),
      cmocka_unit_test(test_types_unknown_to_numpy_are_widened),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
