/* Data sets: order, lists, manifests, references, shards, arrays. Files are made in a temporary folder. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "calib/dataset.h"
#include "calib/npy.h"
#include "runtime/base/file.h"
#include "runtime/base/memory.h"
#include "runtime/base/unconst.h"
#include "tests/fine.h"

#define IMAGES VLMQ_SOURCE_DIR "/tests/calib/data/images/"
#define NPY VLMQ_SOURCE_DIR "/tests/calib/data/npy/"

static char root[64];

/* Three slots, so that one call can take several paths. */
static const char *at(const char *name) {
  static char paths[3][512];
  static int slot;
  slot = (slot + 1) % 3;
  snprintf(paths[slot], sizeof paths[slot], "%s/%s", root, name);
  return paths[slot];
}

static void put(const char *name, const void *data, size_t bytes) {
  char path[512];
  snprintf(path, sizeof path, "%s", at(name));
  for (char *slash = path + strlen(root) + 1; (slash = strchr(slash, '/')) != NULL; slash++) {
    *slash = 0;
    mkdir(path, 0700);
    *slash = '/';
  }
  FILE *f = fopen(path, "wb");
  assert_non_null(f);
  assert_int_equal(fwrite(data, 1, bytes, f), bytes);
  fclose(f);
}

static void put_text(const char *name, const char *text) { put(name, text, strlen(text)); }

static void put_copy(const char *name, const char *from) {
  vlm_file file;
  FINE(vlm_file_map(&file, from, &error));
  put(name, file.data, file.bytes);
  vlm_file_unmap(&file);
}

static void put_array(const char *name, vlm_dtype dtype, int rank, const int64_t *dims, const void *data) {
  vlm_tensor t = vlm_tensor_make(dtype, rank, dims, vlm_unconst(data));
  put_text(name, "");
  FINE(vlm_npy_write(&t, at(name), &error));
}

static int setup(void **state) {
  (void)state;
  snprintf(root, sizeof root, P_tmpdir "/vlmq-test-dataset-XXXXXX");
  assert_non_null(mkdtemp(root));
  put_copy("set/b.png", IMAGES "rgb.png");
  put_copy("set/a/z.jpg", IMAGES "rgb.jpg");
  put_copy("set/a/B.JPG", IMAGES "gray.jpg");
  put_copy("set/a.png", IMAGES "gray.png");
  put_copy("set/no-suffix", IMAGES "one.png");
  put_text("set/notes.md", "no image");
  put_text("set/.hidden.png", "no image");
  return 0;
}

static int teardown(void **state) {
  (void)state;
  char command[128];
  snprintf(command, sizeof command, "rm -r '%s'", root);
  return system(command);
}

static vlm_dataset *open_images(const char *path, const vlm_dataset_opts *opts) {
  vlm_dataset *set = NULL;
  FINE(vlm_dataset_open_images(&set, &path, 1, opts, &error));
  return set;
}

static void fails(bool images, const char *path, const vlm_dataset_opts *opts, const char *words) {
  vlm_dataset *set = NULL;
  vlm_status st = images ? vlm_dataset_open_images(&set, &path, 1, opts, &error)
                         : vlm_dataset_open_inputs(&set, &path, 1, opts, &error);
  assert_int_not_equal(st, VLM_OK);
  assert_null(set);
  if (!strstr(error.text, words)) fail_msg("message \"%s\" lacks \"%s\"", error.text, words);
}

static void test_folder_order_is_by_bytes(void **state) {
  (void)state;
  static const char *const keys[] = {"a.png", "a/B.JPG", "a/z.jpg", "b.png", "no-suffix"};
  vlm_dataset *set = open_images(at("set"), NULL);
  assert_int_equal(vlm_dataset_count(set), 5);
  size_t skips;
  assert_string_equal(vlm_dataset_skips(set, &skips)[0].reason, "is no image");
  assert_int_equal(skips, 1);
  for (size_t i = 0; i < 5; i++) {
    assert_string_equal(vlm_dataset_get(set, i)->key, keys[i]);
    assert_int_equal(vlm_dataset_get(set, i)->index, i);
    assert_null(vlm_dataset_get(set, i)->prompt);
  }
  vlm_dataset_free(set);
  fails(true, at("nothing"), NULL, "does not exist");
  put_text("empty/readme", "x");
  fails(true, at("empty"), NULL, "no image in this folder (PNG, JPEG");
}

static void test_shards_cover_the_limited_set_once(void **state) {
  (void)state;
  int seen[4] = {0};
  for (size_t shard = 0; shard < 3; shard++) {
    vlm_dataset *set = open_images(at("set"), &(vlm_dataset_opts){.limit = 4, .shard = shard, .shards = 3});
    for (size_t i = 0; i < vlm_dataset_count(set); i++) {
      const vlm_sample *s = vlm_dataset_get(set, i);
      assert_true(s->index < 4 && s->index % 3 == shard);
      seen[s->index]++;
    }
    vlm_dataset_free(set);
  }
  for (int i = 0; i < 4; i++) assert_int_equal(seen[i], 1);
  fails(true, at("set"), &(vlm_dataset_opts){.shard = 3, .shards = 3}, "shard 3 of 3");
}

static void test_pixels_and_digests(void **state) {
  (void)state;
  vlm_dataset *set = open_images(at("set"), NULL);
  vlm_sample_pixels pixels;
  vlm_digest a, b;
  vlm_file file;
  FINE(vlm_dataset_load_pixels(&pixels, set, 3, &error));
  assert_int_equal(pixels.image.width, 19);
  assert_null(pixels.values.data);
  vlm_sample_pixels_free(&pixels);
  FINE(vlm_dataset_digest(&a, set, 3, &error));
  FINE(vlm_file_map(&file, IMAGES "rgb.png", &error));
  b = vlm_hash128(file.data, file.bytes);
  vlm_file_unmap(&file);
  assert_memory_equal(&a, &b, sizeof a);
  vlm_dataset_free(set);
}

static void test_float_arrays_are_fed_as_they_are(void **state) {
  (void)state;
  float values[12];
  uint16_t half[12];
  for (int i = 0; i < 12; i++) half[i] = vlm_f32_to_f16(values[i] = (float)i - 4.5f);
  int64_t dims[3] = {3, 2, 2}, bad[3] = {2, 2, 3};
  put_array("float/a.npy", VLM_F32, 3, dims, values);
  put_array("float/b.npy", VLM_F16, 3, dims, half);
  put_array("float/c.npy", VLM_F32, 3, bad, values);
  vlm_dataset *set = open_images(at("float"), NULL);
  vlm_sample_pixels p;
  for (size_t i = 0; i < 2; i++) {
    FINE(vlm_dataset_load_pixels(&p, set, i, &error));
    assert_int_equal(p.values.rank, 4);
    assert_int_equal(p.values.dims[0], 1);
    assert_int_equal(p.values.dims[1], 3);
    assert_memory_equal(p.values.data, values, sizeof values);
    assert_null(p.image.data);
    vlm_sample_pixels_free(&p);
  }
  FAILS(VLM_INPUT, vlm_dataset_load_pixels(&p, set, 2, &error));
  assert_non_null(strstr(error.text, "[2, 2, 3]"));
  vlm_dataset_free(set);
}

static void test_lists(void **state) {
  (void)state;
  put_text("list.txt", "set/b.png\r\n\n  set/a/z.jpg  \n");
  vlm_dataset *set = open_images(at("list.txt"), NULL);
  assert_int_equal(vlm_dataset_count(set), 2);
  assert_string_equal(vlm_dataset_get(set, 0)->key, "set/b.png");
  assert_string_equal(vlm_dataset_get(set, 1)->key, "set/a/z.jpg");
  assert_true(vlm_file_exists(vlm_dataset_get(set, 1)->path));
  vlm_dataset_free(set);
  put_text("bad.txt", "set/b.png\nset/gone.png\n");
  fails(true, at("bad.txt"), NULL, "line 2");
  put_text("none.txt", "\n\n");
  fails(true, at("none.txt"), NULL, "no images");
}

static void test_manifests(void **state) {
  (void)state;
  put_text("m.jsonl",
           "{\"image\":\"set/b.png\",\"prompt\":\"<CAPTION>\",\"refs\":[\"one\",\"two \\u00e9\"]}\n\n"
           "{\"image\":\"set/a.png\",\"refs\":\"single\",\"id\":7}\n{\"image\":\"set/b.png\"}\n");
  vlm_dataset *set = open_images(at("m.jsonl"), NULL);
  assert_int_equal(vlm_dataset_count(set), 3);
  const vlm_sample *s = vlm_dataset_get(set, 0);
  assert_string_equal(s->prompt, "<CAPTION>");
  assert_int_equal(s->ref_count, 2);
  assert_string_equal(s->refs[1], "two \xc3\xa9");
  s = vlm_dataset_get(set, 1);
  assert_int_equal(s->ref_count, 1);
  assert_string_equal(s->refs[0], "single");
  assert_int_equal(vlm_dataset_get(set, 2)->ref_count, 0);
  vlm_dataset_free(set);
  put_text("m1.jsonl", "{\"image\":\"set/b.png\"}\n{\"picture\":\"set/b.png\"}\n");
  fails(true, at("m1.jsonl"), NULL, "line 2");
  put_text("m2.jsonl", "{\"image\":3}\n");
  fails(true, at("m2.jsonl"), NULL, "image");
  put_text("m3.jsonl", "{\"image\":\"set/b.png\"\n");
  fails(true, at("m3.jsonl"), NULL, "m3.jsonl");
  put_text("m4.jsonl", "[1]\n");
  fails(true, at("m4.jsonl"), NULL, "object");
}

static vlm_caption_set captions(const char *text) {
  vlm_caption_set c;
  put_text("captions.json", text);
  FINE(vlm_caption_set_load(&c, at("captions.json"), NULL, &error));
  return c;
}

static void test_references_are_joined(void **state) {
  (void)state;
  vlm_caption_set c =
      captions("{\"a.png\":[\"r1\"],\"B.JPG\":[\"r2\"],\"z.jpg\":[\"r3\"],\"b.png\":[\"r4\",\"r5\"]}");
  vlm_dataset *set = open_images(at("set"), &(vlm_dataset_opts){.limit = 4, .refs = &c});
  assert_string_equal(vlm_dataset_get(set, 1)->refs[0], "r2");
  assert_int_equal(vlm_dataset_get(set, 3)->ref_count, 2);
  vlm_dataset_free(set);
  fails(true, at("set"), &(vlm_dataset_opts){.refs = &c}, "\"no-suffix\" has no reference");
  vlm_caption_set_free(&c);
}

/* ---- arrays ---- */

static vlm_dataset *open_inputs(const char *path, const vlm_dataset_opts *opts) {
  vlm_dataset *set = NULL;
  FINE(vlm_dataset_open_inputs(&set, &path, 1, opts, &error));
  return set;
}

static const float ramp[24] = {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11,
                               12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23};

static void test_folders_of_arrays(void **state) {
  (void)state;
  int64_t dims[2] = {2, 3}, other[1] = {4};
  put_array("in/s1/x.npy", VLM_F32, 2, dims, ramp);
  put_array("in/s1/m_y.npy", VLM_F32, 1, other, ramp);
  put_array("in/s0/x.npy", VLM_F32, 2, dims, ramp + 6);
  put_array("in/s0/m_y.npy", VLM_F32, 1, other, ramp);
  put_array("in/s0/label.npy", VLM_F32, 1, other, ramp);
  vlm_dataset_input inputs[2] = {{.name = "x", .rank = 2}, {.name = "m/y", .rank = 1}};
  vlm_dataset *set = open_inputs(at("in"), &(vlm_dataset_opts){.inputs = inputs, .input_count = 2});
  vlm_sample_arrays a;
  assert_int_equal(vlm_dataset_count(set), 2);
  assert_string_equal(vlm_dataset_get(set, 0)->key, "s0");
  FINE(vlm_dataset_load_arrays(&a, set, 0, &error));
  assert_int_equal(a.count, 2);
  assert_string_equal(a.names[0], "m/y");
  assert_string_equal(a.names[1], "x");
  assert_true(((float *)a.tensors[1].data)[0] == 6.0f);
  vlm_sample_arrays_free(&a);
  vlm_digest d0, d1, again;
  FINE(vlm_dataset_digest(&d0, set, 0, &error));
  FINE(vlm_dataset_digest(&d1, set, 1, &error));
  FINE(vlm_dataset_digest(&again, set, 0, &error));
  assert_memory_equal(&d0, &again, sizeof d0);
  assert_memory_not_equal(&d0, &d1, sizeof d0);
  vlm_dataset_free(set);
  vlm_dataset_input missing[1] = {{.name = "z", .rank = 2}};
  set = open_inputs(at("in/s1"), &(vlm_dataset_opts){.inputs = missing, .input_count = 1, .limit = 0});
  assert_int_equal(vlm_dataset_count(set),
                   2); /* one input, several files of other names: samples of their own */
  vlm_dataset_free(set);
  vlm_dataset_input two[2] = {{.name = "x", .rank = 2}, {.name = "z", .rank = 2}};
  set = open_inputs(at("in/s1"), &(vlm_dataset_opts){.inputs = two, .input_count = 2});
  FAILS(VLM_INPUT, vlm_dataset_load_arrays(&a, set, 0, &error));
  assert_non_null(strstr(error.text, "\"z\""));
  assert_non_null(strstr(error.text, "m_y"));
  vlm_dataset_free(set);
}

static void test_archives_and_single_files(void **state) {
  (void)state;
  put_copy("zips/one.npz", NPY "stored.npz");
  put_copy("zips/two.npz", NPY "deflated.npz");
  vlm_dataset *set = open_inputs(at("zips"), NULL);
  vlm_sample_arrays a;
  vlm_digest d0, d1;
  assert_int_equal(vlm_dataset_count(set), 2);
  FINE(vlm_dataset_load_arrays(&a, set, 1, &error));
  assert_int_equal(a.count, 3);
  assert_string_equal(a.names[0], "a/b");
  assert_string_equal(a.names[2], "pixel_values");
  vlm_sample_arrays_free(&a);
  FINE(vlm_dataset_digest(&d0, set, 0, &error));
  FINE(vlm_dataset_digest(&d1, set, 1, &error));
  assert_memory_equal(&d0, &d1, sizeof d0); /* the same arrays, packed differently */
  vlm_dataset_free(set);
  vlm_dataset_input input[1] = {{.name = "data", .rank = -1}};
  set = open_inputs(NPY "f4.npy", &(vlm_dataset_opts){.inputs = input, .input_count = 1});
  FINE(vlm_dataset_load_arrays(&a, set, 0, &error));
  assert_string_equal(a.names[0], "data");
  vlm_sample_arrays_free(&a);
  vlm_dataset_free(set);
  fails(false, at("empty"), NULL, "no .npy or .npz");
  fails(false, at("m.jsonl"), NULL, "neither");
}

/* "a_b" is input "a/b" when no other input can be meant. */
static void test_names_that_files_cannot_hold(void **state) {
  static const struct {
    const char *inputs[2], *error;
  } CASES[] = {{{"a/b", "c"}, NULL},
               {{"a|b", "c"}, NULL},
               {{"a/b", "a_b"}, "array of its own name"},
               {{"a/b", "a:b"}, "can be meant for"}};
  const int64_t dims[] = {6};
  (void)state;
  put_array("odd/s/a_b.npy", VLM_F32, 1, dims, ramp);
  put_array("odd/s/c.npy", VLM_F32, 1, dims, ramp);
  for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
    const vlm_dataset_input inputs[] = {{.name = CASES[i].inputs[0], .rank = 1},
                                        {.name = CASES[i].inputs[1], .rank = 1}};
    vlm_dataset *set = open_inputs(at("odd"), &(vlm_dataset_opts){.inputs = inputs, .input_count = 2});
    vlm_sample_arrays a = {0};
    if (CASES[i].error) {
      FAILS(VLM_INPUT, vlm_dataset_load_arrays(&a, set, 0, &error));
      assert_non_null(strstr(error.text, CASES[i].error));
    } else {
      FINE(vlm_dataset_load_arrays(&a, set, 0, &error));
      assert_string_equal(a.names[0], CASES[i].inputs[0]);
      assert_non_null(strstr(a.renamed, "a_b is read as input a"));
    }
    vlm_sample_arrays_free(&a);
    vlm_dataset_free(set);
  }
}

static void test_sample_axis(void **state) {
  (void)state;
  int64_t dims[3] = {4, 2, 3}, flat[1] = {4}, three[1] = {3};
  put_array("axis/x.npy", VLM_F32, 3, dims, ramp);
  put_array("axis/y.npy", VLM_F32, 1, flat, ramp);
  vlm_dataset_input inputs[2] = {{.name = "x", .rank = 3}, {.name = "y"}};
  vlm_dataset_opts opts = {.sample_axis = true, .inputs = inputs, .input_count = 2};
  vlm_dataset *set = open_inputs(at("axis"), &opts);
  vlm_sample_arrays a;
  assert_int_equal(vlm_dataset_count(set), 4);
  assert_string_equal(vlm_dataset_get(set, 2)->key, "axis#2");
  FINE(vlm_dataset_load_arrays(&a, set, 2, &error));
  assert_int_equal(a.tensors[0].rank, 3); /* the graph wants three dimensions: the axis stays */
  assert_int_equal(a.tensors[0].dims[0], 1);
  assert_memory_equal(a.tensors[0].data, ramp + 12, 6 * sizeof(float));
  assert_int_equal(a.tensors[1].rank, 0);
  assert_true(((float *)a.tensors[1].data)[0] == 2.0f);
  vlm_sample_arrays_free(&a);
  vlm_dataset_free(set);
  inputs[0].rank = 2;
  set = open_inputs(at("axis"), &opts);
  FINE(vlm_dataset_load_arrays(&a, set, 1, &error));
  assert_int_equal(a.tensors[0].rank, 2);
  assert_memory_equal(a.tensors[0].data, ramp + 6, 6 * sizeof(float));
  vlm_sample_arrays_free(&a);
  vlm_dataset_free(set);
  put_array("axis/y.npy", VLM_F32, 1, three, ramp);
  fails(false, at("axis"), &opts, "3 samples");
}

static void test_allocation_failures(void **state) {
  (void)state;
  for (long n = 1; n < 300; n++) {
    const char *path = at("m.jsonl");
    vlm_dataset *set = NULL;
    vlm_memory_fail_after(n);
    vlm_status st = vlm_dataset_open_images(&set, &path, 1, NULL, &error);
    vlm_memory_fail_after(0);
    if (st == VLM_OK) {
      vlm_dataset_free(set);
      return;
    }
    assert_int_equal(st, VLM_MEMORY);
  }
  fail_msg("never succeeded");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_folder_order_is_by_bytes),
      cmocka_unit_test(test_shards_cover_the_limited_set_once),
      cmocka_unit_test(test_pixels_and_digests),
      cmocka_unit_test(test_float_arrays_are_fed_as_they_are),
      cmocka_unit_test(test_lists),
      cmocka_unit_test(test_manifests),
      cmocka_unit_test(test_references_are_joined),
      cmocka_unit_test(test_folders_of_arrays),
      cmocka_unit_test(test_archives_and_single_files),
      cmocka_unit_test(test_names_that_files_cannot_hold),
      cmocka_unit_test(test_sample_axis),
      cmocka_unit_test(test_allocation_failures),
  };
  return cmocka_run_group_tests(tests, setup, teardown);
}
