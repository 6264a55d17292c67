/* Resizing and preprocessing against Pillow and the transformers image processors (tests/oracles/make_preprocess.py). */
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
#include "hub/processor.h"
#include "runtime/image/preprocess.h"
#include "tests/fine.h"

#define DATA VLMQ_SOURCE_DIR "/tests/hub/data/preprocess/"
#define SOURCES 8

typedef struct named_image {
  char name[32];
  vlm_image image;
} named_image;

typedef struct fixture {
  named_image sources[SOURCES];
  int count;
  vlm_threads *threads;
} fixture;

static uint32_t crc32_of(const void *data, size_t bytes) {
  const uint8_t *p = data;
  uint32_t crc = 0xffffffffu;
  for (size_t i = 0; i < bytes; i++) {
    crc ^= p[i];
    for (int k = 0; k < 8; k++) crc = crc & 1 ? crc >> 1 ^ 0xedb88320u : crc >> 1;
  }
  return ~crc;
}

static uint32_t image_crc(const vlm_image *image) {
  return crc32_of(image->data, (size_t)image->width * (size_t)image->height * 3);
}

static void load_source(fixture *f, const char *name, int width, int height) {
  char path[512];
  vlm_file file;
  named_image *s = &f->sources[f->count++];
  snprintf(path, sizeof path, DATA "%s.rgb", name);
  snprintf(s->name, sizeof s->name, "%s", name);
  FINE(vlm_file_map(&file, path, &error));
  FINE(vlm_image_create(&s->image, width, height, &error));
  assert_int_equal(file.bytes, width * height * 3);
  memcpy(s->image.data, file.data, file.bytes);
  vlm_file_unmap(&file);
}

static const vlm_image *source(const fixture *f, const char *name) {
  for (int i = 0; i < f->count; i++)
    if (strcmp(f->sources[i].name, name) == 0) return &f->sources[i].image;
  fail_msg("no source %s", name);
  return NULL;
}

/* Calls `visit` with each line of cases.txt that starts with `kind`; returns how many there were. */
static int each_case(fixture *f, const char *kind, void (*visit)(fixture *, const char *)) {
  char *text = NULL, *rest = NULL;
  int count = 0;
  FINE(vlm_file_read_text(&text, DATA "cases.txt", &error));
  for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
    if (strncmp(line, kind, strlen(kind)) != 0 || line[strlen(kind)] != ' ') continue;
    visit(f, line + strlen(kind) + 1);
    count++;
  }
  vlm_free(text);
  return count;
}

static void visit_source(fixture *f, const char *line) {
  char name[32];
  int width, height;
  assert_int_equal(sscanf(line, "%31s %d %d", name, &width, &height), 3);
  load_source(f, name, width, height);
}

static int setup(void **state) {
  fixture *f = calloc(1, sizeof *f);
  *state = f;
  FINE(vlm_threads_create(&f->threads, 3, &error));
  assert_true(each_case(f, "source", visit_source) >= 6);
  return 0;
}

static int teardown(void **state) {
  fixture *f = *state;
  for (int i = 0; i < f->count; i++) vlm_image_free(&f->sources[i].image);
  vlm_threads_free(f->threads);
  free(f);
  return 0;
}

static void check_resize(fixture *f, const char *line, bool gap) {
  char name[32], filter_name[32];
  int width, height;
  unsigned want;
  assert_int_equal(sscanf(line, "%31s %d %d %31s %x", name, &width, &height, filter_name, &want), 5);
  vlm_resize_filter filter = vlm_filter_find(filter_name);
  assert_true(filter != VLM_FILTER_COUNT);
  for (int threads = 0; threads < 2; threads++) {
    vlm_image out;
    vlm_threads *pool = threads ? f->threads : NULL;
    FINE(vlm_image_resize(&out, source(f, name), &(vlm_image_size){width, height, filter, gap ? 2.0 : 0},
                          pool, &error));
    if (image_crc(&out) != want) fail_msg("%s: pixels differ from Pillow's", line);
    vlm_image_free(&out);
  }
}

static void visit_resize(fixture *f, const char *line) { check_resize(f, line, false); }
static void visit_gap(fixture *f, const char *line) { check_resize(f, line, true); }

static void test_resize_equals_pillow(void **state) {
  assert_true(each_case(*state, "resize", visit_resize) >= 90);
}
static void test_reducing_gap_equals_pillow(void **state) {
  assert_true(each_case(*state, "gap", visit_gap) >= 30);
}

static void load_config(vlm_preprocess *ops, const char *name, bool pad) {
  static const char model_text[] = "{\"image_aspect_ratio\": \"pad\"}";
  char path[512];
  vlm_json_doc *doc = NULL, *model = NULL;
  snprintf(path, sizeof path, DATA "%s.json", name);
  FINE(vlm_json_load(&doc, path, 0, &error));
  FINE(vlm_json_parse(&model, model_text, strlen(model_text), "config.json", &error));
  FINE(vlm_processor_steps(ops, vlm_json_root(doc), pad ? vlm_json_root(model) : (vlm_json){0}, &error));
  vlm_json_free(model);
  vlm_json_free(doc);
}

/* The list survives its text form: same text, same operations. */
static void check_text_form(const vlm_preprocess *ops) {
  char *text = NULL, *again = NULL;
  vlm_preprocess back;
  FINE(vlm_preprocess_format(&text, ops, &error));
  FINE(vlm_preprocess_parse(&back, text, "PREP", &error));
  FINE(vlm_preprocess_format(&again, &back, &error));
  assert_string_equal(text, again);
  assert_int_equal(back.count, ops->count);
  for (int i = 0; i < ops->count; i++) {
    assert_int_equal(back.ops[i].kind, ops->ops[i].kind);
    assert_true(back.ops[i].by == ops->ops[i].by);
    assert_memory_equal(back.ops[i].mean, ops->ops[i].mean, sizeof ops->ops[i].mean);
  }
  vlm_free(text);
  vlm_free(again);
}

static void check_mask(const vlm_pixels *pixels) {
  if (pixels->values.rank == 4) {
    assert_null(pixels->mask.data);
    return;
  }
  assert_int_equal(pixels->mask.rank, 4);
  assert_int_equal(pixels->mask.dims[1], pixels->values.dims[1]);
  for (int64_t i = 0; i < vlm_tensor_count(&pixels->mask); i++)
    assert_int_equal(((const uint8_t *)pixels->mask.data)[i], 1);
}

static void visit_config(fixture *f, const char *line) {
  char name[64], pad[8], image[32], shape[64], got[64] = "";
  int rows, columns, width, height;
  unsigned want;
  vlm_preprocess ops;
  vlm_pixels pixels;
  assert_int_equal(
      sscanf(line, "%63s %7s %31s %63s %d %d %x", name, pad, image, shape, &rows, &columns, &want), 7);
  load_config(&ops, name, strcmp(pad, "pad") == 0);
  check_text_form(&ops);
  FINE(vlm_preprocess_run(&pixels, &ops, source(f, image), f->threads, &error));
  for (int i = 0; i < pixels.values.rank; i++)
    snprintf(got + strlen(got), sizeof got - strlen(got), "%s%d", i ? "x" : "", (int)pixels.values.dims[i]);
  assert_string_equal(got, shape);
  assert_int_equal(pixels.rows, rows);
  assert_int_equal(pixels.columns, columns);
  check_mask(&pixels);
  assert_true(vlm_preprocess_fixed_size(&ops, &width, &height));
  assert_int_equal(width, pixels.values.dims[pixels.values.rank - 1]);
  assert_int_equal(height, pixels.values.dims[pixels.values.rank - 2]);
  if (crc32_of(pixels.values.data, vlm_tensor_bytes(&pixels.values)) != want)
    fail_msg("%s: values differ", line);
  vlm_pixels_free(&pixels);
}

static void test_configurations_equal_processors(void **state) {
  assert_true(each_case(*state, "config", visit_config) >= 60);
}

/* ---- lists written by hand ---- */

static void parse_fails(const char *text, const char *part) {
  vlm_preprocess ops;
  assert_int_not_equal(vlm_preprocess_parse(&ops, text, "vlm.json", &error), VLM_OK);
  if (!strstr(error.text, part)) fail_msg("message \"%s\" lacks \"%s\"", error.text, part);
  assert_non_null(strstr(error.text, "vlm.json"));
}

static void test_bad_lists_are_refused(void **state) {
  (void)state;
  parse_fails("[{\"op\":\"blur\"}]", "blur");
  parse_fails("[{\"op\":\"resize\",\"width\":8,\"height\":8,\"filter\":\"bicubic\"}]", "\"fit\"");
  parse_fails("[{\"op\":\"resize\",\"width\":8,\"filter\":\"bicubic\",\"fit\":\"stretch\"}]", "\"height\"");
  parse_fails("[{\"op\":\"resize\",\"width\":8,\"height\":8,\"filter\":\"cubic\",\"fit\":\"stretch\"}]",
              "wanted one of nearest");
  parse_fails("[{\"op\":\"resize\",\"width\":8,\"height\":0,\"filter\":\"box\",\"fit\":\"stretch\"}]",
              "height");
  parse_fails("[{\"op\":\"resize\",\"width\":8,\"height\":9,\"filter\":\"box\",\"fit\":\"contain_even\"}]",
              "equal");
  parse_fails("[{\"op\":\"scale\"}]", "\"by\"");
  parse_fails("[{\"op\":\"scale\",\"by\":0}]", "other than 0");
  parse_fails("[{\"op\":\"normalize\",\"mean\":[0,0],\"std\":[1,1,1]}]", "3 are wanted");
  parse_fails("[{\"op\":\"normalize\",\"mean\":[0,0,0],\"std\":[1,0,1]}]", "std");
  parse_fails("[{\"op\":\"scale\",\"by\":1},{\"op\":\"center_crop\",\"width\":4,\"height\":4}]",
              "cannot follow");
  parse_fails("[{\"op\":\"pad\",\"square\":true,\"color\":[0,256,0],\"position\":\"center\"}]", "256");
  parse_fails("{\"op\":\"scale\"}", "array");
  parse_fails("[{\"op\":\"layout\",\"order\":\"CHW\"}]", "NCHW, NHWC");
}

static vlm_pixels run_text(const char *text, const vlm_image *image) {
  vlm_preprocess ops;
  vlm_pixels pixels;
  FINE(vlm_preprocess_parse(&ops, text, "list", &error));
  FINE(vlm_preprocess_run(&pixels, &ops, image, NULL, &error));
  return pixels;
}

static void test_layouts_hold_the_same_values(void **state) {
  const vlm_image *image = source(*state, "wide");
  vlm_pixels a = run_text("[{\"op\":\"scale\",\"by\":0.5}]", image);
  vlm_pixels b = run_text("[{\"op\":\"scale\",\"by\":0.5},{\"op\":\"layout\",\"order\":\"NHWC\"}]", image);
  const float *planes = a.values.data, *mixed = b.values.data;
  size_t count = (size_t)image->width * (size_t)image->height;
  assert_int_equal(a.values.dims[1], 3);
  assert_int_equal(b.values.dims[3], 3);
  for (size_t i = 0; i < count; i++)
    for (size_t c = 0; c < 3; c++) {
      assert_true(mixed[i * 3 + c] == image->data[i * 3 + c] * 0.5f);
      assert_true(planes[c * count + i] == mixed[i * 3 + c]);
    }
  vlm_pixels_free(&a);
  vlm_pixels_free(&b);
}

static void test_sizes_follow_the_image(void **state) {
  vlm_pixels p =
      run_text("[{\"op\":\"resize\",\"width\":20,\"height\":30,\"filter\":\"bilinear\",\"fit\":\"contain\"}]",
               source(*state, "wide"));
  assert_int_equal(p.values.dims[3], 20);
  assert_int_equal(p.values.dims[2], 20 * 37 / 61);
  vlm_pixels_free(&p);
  p = run_text("[{\"op\":\"resize\",\"width\":20,\"height\":30,\"filter\":\"bilinear\",\"fit\":\"cover\"}]",
               source(*state, "wide"));
  assert_int_equal(p.values.dims[3], 30 * 61 / 37);
  assert_int_equal(p.values.dims[2], 30);
  vlm_pixels_free(&p);
  vlm_preprocess ops = {
      .count = 1, .ops = {{.kind = VLM_PREPROCESS_RESIZE, .width = 9, .height = 9, .fit = VLM_FIT_COVER}}};
  int width, height;
  assert_false(vlm_preprocess_fixed_size(&ops, &width, &height));
}

static void test_too_large_for_pad_is_an_error(void **state) {
  vlm_preprocess ops = {.count = 1, .ops = {{.kind = VLM_PREPROCESS_PAD, .width = 8, .height = 8}}};
  vlm_pixels pixels;
  FAILS(VLM_INPUT, vlm_preprocess_run(&pixels, &ops, source(*state, "wide"), NULL, &error));
  assert_non_null(strstr(error.text, "61 x 37"));
}

static void test_unequal_sides_hit_the_limit(void **state) {
  (void)state;
  vlm_preprocess ops = {.count = 1,
                        .ops = {{.kind = VLM_PREPROCESS_RESIZE,
                                 .width = 4000,
                                 .height = 4000,
                                 .fit = VLM_FIT_COVER,
                                 .filter = VLM_FILTER_BOX}}};
  vlm_image line;
  vlm_pixels pixels;
  FINE(vlm_image_create(&line, 20000, 1, &error));
  FAILS(VLM_LIMIT, vlm_preprocess_run(&pixels, &ops, &line, NULL, &error));
  vlm_image_free(&line);
}

/* ---- what a configuration must state ---- */

static vlm_status from_text(const char *text, const char *model_text, vlm_error *err) {
  vlm_preprocess ops;
  vlm_json_doc *doc = NULL, *model = NULL;
  FINE(vlm_json_parse(&doc, text, strlen(text), "preprocessor_config.json", &error));
  FINE(vlm_json_parse(&model, model_text, strlen(model_text), "config.json", &error));
  vlm_status st = vlm_processor_steps(&ops, vlm_json_root(doc), vlm_json_root(model), err);
  vlm_json_free(model);
  vlm_json_free(doc);
  return st;
}

static void config_fails(const char *text, const char *model_text, const char *part) {
  assert_int_not_equal(from_text(text, model_text, &error), VLM_OK);
  if (!strstr(error.text, part)) fail_msg("message \"%s\" lacks \"%s\"", error.text, part);
}

#define SIZE "\"do_resize\":true,\"size\":{\"height\":8,\"width\":8},\"resample\":3"
#define RESCALE ",\"do_rescale\":true,\"rescale_factor\":0.5"
#define NORMALIZE ",\"do_normalize\":true,\"image_mean\":[0,0,0],\"image_std\":[1,1,1]"

static void test_missing_keys_are_named(void **state) {
  (void)state;
  FINE(from_text("{" SIZE RESCALE NORMALIZE "}", "{}", &error));
  config_fails("{}", "{}", "do_resize");
  config_fails("{\"do_resize\":true,\"resample\":3" RESCALE NORMALIZE "}", "{}", "size");
  config_fails("{\"do_resize\":true,\"size\":8,\"resample\":3" RESCALE NORMALIZE "}", "{}", "shortest_edge");
  config_fails("{\"do_resize\":true,\"size\":{\"height\":8},\"resample\":3" RESCALE NORMALIZE "}", "{}",
               "width");
  config_fails("{\"do_resize\":true,\"size\":{\"height\":8,\"width\":8}" RESCALE NORMALIZE "}", "{}",
               "resample");
  config_fails("{" SIZE NORMALIZE "}", "{}", "do_rescale");
  config_fails("{" SIZE ",\"do_rescale\":true" NORMALIZE "}", "{}", "rescale_factor");
  config_fails("{" SIZE RESCALE "}", "{}", "do_normalize");
  config_fails("{" SIZE RESCALE ",\"do_normalize\":true,\"image_std\":[1,1,1]}", "{}", "image_mean");
  config_fails("{" SIZE RESCALE ",\"do_normalize\":true,\"image_mean\":[0,0,0]}", "{}", "image_std");
  config_fails("{" SIZE RESCALE NORMALIZE ",\"do_center_crop\":true}", "{}", "crop_size");
  config_fails("{" SIZE RESCALE NORMALIZE ",\"crop_size\":{\"height\":8,\"width\":8}}", "{}",
               "do_center_crop");
  config_fails("{\"image_processor_type\":\"Pix2StructImageProcessor\"," SIZE RESCALE NORMALIZE "}", "{}",
               "Pix2StructImageProcessor");
  config_fails("{\"image_processor_type\":\"CLIPImageProcessor\"," SIZE RESCALE NORMALIZE "}",
               "{\"image_aspect_ratio\":\"anyres\"}", "anyres");
  config_fails("{" SIZE RESCALE NORMALIZE ",\"do_flip_channel_order\":true}", "{}", "do_flip_channel_order");
  config_fails("{\"do_resize\":true,\"size\":{\"height\":8,\"width\":8},\"resample\":9" RESCALE NORMALIZE "}",
               "{}", "resample is 9");
  FINE(
      from_text("{\"image_processor_type\":\"SiglipImageProcessorFast\",\"do_center_crop\":null,\"crop_"
                "size\":null,\"do_pad\":null," SIZE RESCALE NORMALIZE "}",
                "{}", &error));
}

/* Idefics3 and SmolVLM blend transparency on white; their Fast forms and all others drop it. */
static void test_transparency_by_class(void **state) {
  static const char REST[] =
      "\"do_resize\": false, \"do_image_splitting\": false, \"resample\": 1, \"max_image_size\": "
      "{\"longest_edge\": 32}, "
      "\"do_rescale\": false, \"do_normalize\": false}";
  static const struct {
    const char *type;
    bool white;
  } CLASSES[] = {{"SmolVLMImageProcessor", true},
                 {"Idefics3ImageProcessor", true},
                 {"SmolVLMImageProcessorFast", false},
                 {"ViTImageProcessor", false}};
  (void)state;
  for (size_t i = 0; i < sizeof CLASSES / sizeof CLASSES[0]; i++) {
    char text[400], *list = NULL;
    vlm_json_doc *doc = NULL;
    vlm_preprocess ops, again;
    snprintf(text, sizeof text, "{\"image_processor_type\": \"%s\", %s", CLASSES[i].type, REST);
    FINE(vlm_json_parse(&doc, text, strlen(text), "preprocessor_config.json", &error));
    FINE(vlm_processor_steps(&ops, vlm_json_root(doc), (vlm_json){0}, &error));
    assert_int_equal(vlm_preprocess_on_white(&ops), CLASSES[i].white);
    FINE(vlm_preprocess_format(&list, &ops, &error));
    FINE(vlm_preprocess_parse(&again, list, "list", &error));
    assert_int_equal(vlm_preprocess_on_white(&again), CLASSES[i].white);
    vlm_free(list);
    vlm_json_free(doc);
  }
}

/* Every allocation of a run may fail: a clean error, nothing leaks (checked by the sanitizer build). */
static void test_allocation_failures(void **state) {
  vlm_preprocess ops;
  load_config(&ops, "smolvlm", false);
  for (long n = 1; n < 200; n++) {
    vlm_pixels pixels;
    vlm_memory_fail_after(n);
    vlm_status st = vlm_preprocess_run(&pixels, &ops, source(*state, "wide"), NULL, &error);
    vlm_memory_fail_after(0);
    if (st == VLM_OK) {
      vlm_pixels_free(&pixels);
      assert_true(n > 5);
      return;
    }
    assert_int_equal(st, VLM_MEMORY);
    assert_null(pixels.values.data);
  }
  fail_msg("never succeeded");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_resize_equals_pillow),
      cmocka_unit_test(test_reducing_gap_equals_pillow),
      cmocka_unit_test(test_configurations_equal_processors),
      cmocka_unit_test(test_bad_lists_are_refused),
      cmocka_unit_test(test_layouts_hold_the_same_values),
      cmocka_unit_test(test_sizes_follow_the_image),
      cmocka_unit_test(test_too_large_for_pad_is_an_error),
      cmocka_unit_test(test_unequal_sides_hit_the_limit),
      cmocka_unit_test(test_missing_keys_are_named),
      cmocka_unit_test(test_transparency_by_class),
      cmocka_unit_test(test_allocation_failures),
  };
  return cmocka_run_group_tests(tests, setup, teardown);
}
