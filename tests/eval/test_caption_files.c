/* Caption files: every format gives the same set; what is wrong is refused with a message that names it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <unistd.h>

#include "calib/caption_join.h"
#include "eval/metrics_only.h"
#include "tests/eval/public_data.h"
#include "tests/fine.h"

static char folder[] = P_tmpdir "/vlmq-captions-XXXXXX";

static const char *write_file(const char *name, const char *text) {
  static char path[2][256];
  static int turn;
  char *p = path[turn ^= 1];
  snprintf(p, sizeof(path[0]), "%s/%s", folder, name);
  FILE *f = fopen(p, "w");
  assert_non_null(f);
  fputs(text, f);
  fclose(f);
  return p;
}

static int make_folder(void **state) {
  (void)state;
  return mkdtemp(folder) ? 0 : 1;
}

static int remove_folder(void **state) {
  (void)state;
  static const char *const names[] = {"refs.json", "refs.jsonl", "refs.csv",
                                      "refs.txt",  "hyps.json",  "df.tsv"};
  char path[256];
  for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
    snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
    unlink(path);
  }
  return rmdir(folder);
}

#define COCO                                                                                                \
  "{\"images\":[{\"id\":7,\"file_name\":\"x/b.jpg\"},{\"id\":3,\"file_name\":\"a.jpg\"}],\"annotations\":[" \
  "{\"id\":1,\"image_id\":3,\"caption\":\"a cat\"},{\"id\":2,\"image_id\":7,\"caption\":\"a bus\"},"        \
  "{\"id\":3,\"image_id\":7,\"caption\":\"one bus\"}]}"

static const struct {
  const char *name, *text;
} formats[] = {
    {"refs.json", COCO},
    {"refs.json",
     "\xEF\xBB\xBF[{\"image_id\":7,\"caption\":\"a bus\"},{\"image_id\":7,\"caption\":\"one "
     "bus\"},{\"image_id\":\"3\",\"caption\":\"a cat\"}]"},
    {"refs.json", "{\"7\":[\"a bus\",\"one bus\"],\"3\":\"a cat\"}"},
    {"refs.jsonl",
     "{\"image_id\":7,\"caption\":\"a bus\"}\n\n{\"image_id\":7,\"caption\":\"one "
     "bus\"}\r\n{\"image_id\":3,\"caption\":\"a cat\"}"},
    {"refs.json",
     "{\"image\":\"7\",\"prompt\":\"p\",\"refs\":[\"a bus\",\"one bus\"]}\n{\"image\":\"3\",\"refs\":[\"a "
     "cat\"]}\n"},
    {"refs.json",
     "{\"images\":[{\"cocoid\":7,\"filename\":\"x/b.jpg\",\"split\":\"test\",\"sentences\":[{\"raw\":\"a "
     "bus\",\"tokens\":[]},{\"raw\":\"one bus\"}]},"
     "{\"cocoid\":9,\"split\":\"train\",\"sentences\":[{\"raw\":\"no\"}]},{\"cocoid\":3,\"split\":\"test\","
     "\"sentences\":[{\"raw\":\"a cat\"}]}]}"},
};

static void test_formats(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
    vlm_caption_set set;
    const char *path = write_file(formats[i].name, formats[i].text);
    if (vlm_caption_set_load(&set, path, &(vlm_caption_opts){.split = "test"}, &error) != VLM_OK)
      fail_msg("format %zu: %s", i, error.text);
    assert_int_equal(set.n_images, 2);
    assert_int_equal(set.n_texts, 3);
    assert_string_equal(set.images[0].id, "7");
    assert_int_equal(set.images[0].n_texts, 2);
    assert_string_equal(set.images[0].texts[1], "one bus");
    assert_string_equal(set.images[1].id, "3");
    assert_string_equal(set.images[1].texts[0], "a cat");
    vlm_caption_set_free(&set);
  }
}

/* ---- joins ---- */

/* The id of the entry that fits, "" for none. */
static const char *found(vlm_caption_join *join, const char *name) {
  const vlm_caption_image *image;
  FINE(vlm_caption_join_find(join, &image, name, name, &error));
  return image ? image->id : "";
}

static void test_find_by_file_name(void **state) {
  (void)state;
  vlm_caption_set set;
  vlm_caption_join join;
  FINE(vlm_caption_set_load(&set, write_file("refs.json", COCO), NULL, &error));
  FINE(vlm_caption_join_create(&join, &set, &error));
  assert_string_equal(found(&join, "/photos/b.jpg"), "7");
  assert_string_equal(found(&join, "/photos/b.jpg"), "7"); /* the same image again */
  assert_string_equal(found(&join, "a.png"), "3");
  assert_string_equal(found(&join, "c.jpg"), "");
  vlm_caption_join_free(&join);
  FINE(vlm_caption_join_create(&join, &set, &error));
  assert_string_equal(found(&join, "3"), "3");
  vlm_caption_join_free(&join);
  vlm_caption_set_free(&set);
}

/* Each set of captions; images, of which the last is refused; what the message names. */
static const struct {
  const char *captions, *images[4], *words[2];
} doubtful[] = {
    {"{\"x/b.png\":\"a\",\"y/b.png\":\"b\"}", {"x/b.png", "z/b.png"}, {"x/b.png", "y/b.png"}},
    {"{\"b.png\":\"a\"}", {"x/b.png", "y/b.png"}, {"x/b.png", "y/b.png"}},
    {"{\"b.png\":\"a\"}", {"b.png", "b.jpg"}, {"b.png", "b.jpg"}},
    {"[{\"image_id\":1,\"caption\":\"a\"},{\"image_id\":2,\"caption\":\"b\"}]",
     {"im/2.png", "im/cat_1.png"},
     {"im/2.png", "im/cat_1.png"}},
    {"{\"1\":\"a\",\"2\":\"b\"}", {"cat_1.png", "cat_2.png", "dog_2.png"}, {"cat_1.png", "dog_2.png"}},
    {"{\"images\":[{\"id\":1,\"file_name\":\"v/a.jpg\"},{\"id\":2,\"file_name\":\"w/"
     "a.jpg\"}],\"annotations\":[{\"image_id\":1,\"caption\":\"a\"}]}",
     {"a.jpg"},
     {"v/a.jpg", "w/a.jpg"}},
};

static void test_joins_are_unique(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof doubtful / sizeof *doubtful; i++) {
    vlm_caption_set set;
    vlm_caption_join join;
    vlm_status st = VLM_OK;
    FINE(vlm_caption_set_load(&set, write_file("refs.json", doubtful[i].captions), NULL, &error));
    FINE(vlm_caption_join_create(&join, &set, &error));
    for (const char *const *name = doubtful[i].images; *name; name++) {
      const vlm_caption_image *image;
      st = vlm_caption_join_find(&join, &image, *name, *name, &error);
      if (st != VLM_OK && name[1]) fail_msg("case %zu: %s", i, error.text);
    }
    assert_int_equal(st, VLM_INPUT);
    for (int k = 0; k < 2; k++)
      if (!strstr(error.text, doubtful[i].words[k]))
        fail_msg("case %zu: \"%s\" does not name %s", i, error.text, doubtful[i].words[k]);
    vlm_caption_join_free(&join);
    vlm_caption_set_free(&set);
  }
}

static void test_joined_by_number(void **state) {
  (void)state;
  vlm_caption_set set;
  vlm_caption_join join;
  FINE(vlm_caption_set_load(
      &set, write_file("refs.json", "{\"42\":\"x\",\"0\":\"zero\",\"c.png\":\"named\"}"), NULL, &error));
  FINE(vlm_caption_join_create(&join, &set, &error));
  assert_string_equal(found(&join, "COCO_val2014_000000000042.jpg"), "42");
  assert_string_equal(found(&join, "COCO_val2014_000000000000.jpg"), "0");
  assert_string_equal(found(&join, "any/c.png"), "c.png");
  assert_int_equal(join.numbers, 2);
  vlm_caption_join_free(&join);
  vlm_caption_set_free(&set);
}

/* ---- ids and numbers ---- */

static void test_ids(void **state) {
  (void)state;
  vlm_caption_set set;
  const char *text =
      "[{\"image_id\":1.0,\"caption\":\"a\",\"score\":NaN},{\"image_id\":12345678901234567890123,\"caption\":"
      "\"b \\\" NaN -1\","
      "\"p\":-Infinity,\"q\":Infinity},{\"image_id\":\"007\",\"caption\":\"c\"},{\"image_id\":-"
      "1234567890123456789,\"caption\":\"d\"}]";
  FINE(vlm_caption_set_load(&set, write_file("refs.json", text), NULL, &error));
  assert_int_equal(set.n_images, 4);
  assert_string_equal(set.images[0].id, "1");
  assert_string_equal(set.images[1].id, "12345678901234567890123");
  assert_string_equal(set.images[1].texts[0], "b \" NaN -1");
  assert_string_equal(set.images[2].id, "007");
  assert_string_equal(set.images[3].id, "-1234567890123456789");
  vlm_caption_set_free(&set);
  FAILS(VLM_INPUT,
        vlm_caption_set_load(&set, write_file("refs.json", "[{\"image_id\":NaN,\"caption\":\"a\"}]"), NULL,
                             &error));
  FAILS(VLM_INPUT, vlm_caption_set_load(&set, write_file("refs.json", "[{\"image_id\":1,\"caption\":NaN}]"),
                                        NULL, &error));
}

/* ---- tables and other published forms: three images, image 2 has two captions ---- */

static const struct {
  const char *name, *text;
} published[] = {
    {"refs.txt", "1.jpg#0\ta cat .\n2.jpg#0\ta dog, \"big\" .\r\n3.jpg#0\ta bus\n2.jpg#1\tone dog\n"},
    {"refs.csv", "image,caption\n1.jpg,a cat .\n2.jpg,\"a dog, \"\"big\"\" .\"\n2.jpg,one dog\n3.jpg,a bus"},
    {"refs.csv",
     "\xEF\xBB\xBFimage_name| comment_number| comment\r\n1.jpg| 0| a cat .\r\n2.jpg| 0| a dog, \"big\" "
     ".\r\n2.jpg| 4   one dog\r\n3.jpg| 0| a bus\r\n"},
    {"refs.csv",
     "raw,split,filename,img_id\n\"[\"\"a cat .\"\"]\",test,1.jpg,0\n\"[\"\"a dog, \\\"\"big\\\"\" "
     ".\"\",\"\"one dog\"\"]\",test,2.jpg,1\n"
     "\"[\"\"a bus\"\"]\",test,3.jpg,2\n\"[\"\"no\"\"]\",train,4.jpg,3\n"},
    {"refs.json",
     "{\"dataset_type\":\"val\",\"data\":[{\"image_id\":\"1.jpg\",\"caption_str\":\"x\",\"reference_strs\":["
     "\"a cat .\"],\"set_name\":\"test\"},"
     "{\"image_id\":\"2.jpg\",\"caption_str\":\"x\",\"reference_strs\":[\"a dog, \\\"big\\\" .\",\"one "
     "dog\"]},"
     "{\"image_id\":\"2.jpg\",\"caption_str\":\"y\",\"reference_strs\":[\"a dog, \\\"big\\\" .\",\"one "
     "dog\"]},"
     "{\"image_id\":\"3.jpg\",\"caption_str\":\"a "
     "bus\"},{\"image_id\":\"4.jpg\",\"caption_str\":\"no\",\"set_name\":\"train\"}]}"},
    {"refs.jsonl",
     "{\"file_name\":\"1.jpg\",\"text\":\"a cat .\"}\n{\"image\":\"2.jpg\",\"refs\":[\"a dog, \\\"big\\\" "
     ".\",\"one dog\"]}\n"
     "{\"image\":\"3.jpg\",\"prompt\":\"<CAPTION>\",\"text\":\"a bus\",\"token_ids\":[1]}\n"},
};

static void test_published_forms(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof published / sizeof *published; i++) {
    vlm_caption_set set;
    const char *path = write_file(published[i].name, published[i].text);
    if (vlm_caption_set_load(&set, path, &(vlm_caption_opts){.split = "test"}, &error) != VLM_OK)
      fail_msg("form %zu: %s", i, error.text);
    const vlm_caption_image *two = vlm_caption_set_get(&set, "2.jpg");
    if (set.n_images != 3 || !two || two->n_texts != 2) fail_msg("form %zu: %d images", i, set.n_images);
    assert_string_equal(vlm_caption_set_get(&set, "1.jpg")->texts[0], "a cat .");
    assert_string_equal(two->texts[0], "a dog, \"big\" .");
    assert_string_equal(two->texts[1], "one dog");
    assert_string_equal(vlm_caption_set_get(&set, "3.jpg")->texts[0], "a bus");
    vlm_caption_set_free(&set);
  }
}

static void test_splits(void **state) {
  (void)state;
  vlm_caption_set set;
  const char *karpathy =
      "{\"images\":[{\"cocoid\":7,\"split\":\"test\",\"sentences\":[{\"raw\":\"a\"}]},{\"cocoid\":8,"
      "\"split\":\"train\",\"sentences\":[{\"raw\":\"b\"}]}]}";
  FAILS(VLM_INPUT, vlm_caption_set_load(&set, write_file("refs.json", karpathy),
                                        &(vlm_caption_opts){.split = "dev"}, &error));
  assert_non_null(strstr(error.text, "test, train"));
  FAILS(VLM_INPUT, vlm_caption_set_load(&set, write_file("refs.json", COCO),
                                        &(vlm_caption_opts){.split = "test", .must_split = true}, &error));
  assert_non_null(strstr(error.text, "does not say"));
}

static void test_one_record(void **state) {
  (void)state;
  vlm_caption_set set;
  FINE(vlm_caption_set_load(&set, write_file("refs.json", "{\"image\":\"a.png\",\"text\":\"one\"}"), NULL,
                            &error));
  assert_int_equal(set.n_images, 1);
  assert_string_equal(set.images[0].id, "a.png");
  vlm_caption_set_free(&set);
}

static void test_bad_tables(void **state) {
  (void)state;
  static const char *const texts[][2] = {{"image,caption\n1.jpg\n", "refs.csv:2: got 1 columns, wanted 2"},
                                         {"image,caption\n,a\n", "refs.csv:2: the image has no name"},
                                         {"image,caption\n1.jpg,\"a\n", "quote that does not end"},
                                         {"1.jpg#0\ta\n2.jpg\tb\n", "refs.csv:2: got \"2.jpg\", wanted"},
                                         {"name,words\n1.jpg,a\n", "refs.csv"}};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    vlm_caption_set set;
    FAILS(VLM_INPUT, vlm_caption_set_load(&set, write_file("refs.csv", texts[i][0]), NULL, &error));
    if (!strstr(error.text, texts[i][1])) fail_msg("\"%s\" does not say \"%s\"", error.text, texts[i][1]);
  }
}

/* Candidates against the COCO references above: each is refused, and the message has these words. */
static const struct {
  const char *hyps, *words[3];
} refused[] = {
    {"[]", {"no caption in the file"}},
    {"{", {"hyps.json"}},
    {"42", {"hyps.json", "list of captions"}},
    {"[{\"image_id\":7,\"caption\":\"a\"},{\"image_id\":3,\"caption\":\"b\"},{\"image_id\":7,\"caption\":"
     "\"c\"}]",
     {"[2]", "second caption for image 7"}},
    {"[{\"image_id\":7,\"caption\":\"a\"}]", {"no caption for 1 of the 2 images", "first: 3", "refs.json"}},
    {"[{\"image_id\":7,\"caption\":\"a\"},{\"image_id\":3,\"caption\":\"b\"},{\"image_id\":99,\"caption\":"
     "\"c\"}]",
     {"image 99", "not in"}},
    {"[{\"image_id\":7,\"text\":\"a\"}]", {"[0]", "no \"caption\""}},
    {"[{\"image_id\":7}]", {"[0]", "no \"caption\""}},
    {"[{\"image_id\":7,\"caption\":null}]", {"[0]", "null"}},
    {"[{\"caption\":\"a\"}]", {"no \"image_id\""}},
    {"[{\"image_id\":1.5,\"caption\":\"a\"}]", {"image_id", "integer or a text"}},
    {"[[7,\"a\"]]", {"record"}},
    {"{\"7\":{\"caption\":\"a\"}}", {"caption or a list"}},
    {"{\"7\":[]}", {"empty list"}},
    {"[{\"image_id\":7,\"caption\":\"\xFF\"}]", {"hyps.json"}},
};

static void test_refused(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
    vlm_metrics m;
    const char *refs = write_file("refs.json", COCO), *hyps = write_file("hyps.json", refused[i].hyps);
    const vlm_status st = vlm_metrics_score_files(&m, hyps, refs, NULL, &error);
    if (st != VLM_INPUT) fail_msg("case %zu: %s: %s", i, vlm_status_name(st), error.text);
    for (int k = 0; k < 3 && refused[i].words[k]; k++) {
      if (!strstr(error.text, refused[i].words[k]))
        fail_msg("case %zu: \"%s\" does not say \"%s\"", i, error.text, refused[i].words[k]);
    }
  }
}

static void test_bad_references(void **state) {
  (void)state;
  static const struct {
    const char *refs, *word;
  } cases[] = {
      {"{\"images\":[{\"id\":7},{\"id\":3}],\"annotations\":[{\"image_id\":7,\"caption\":\"a\"}]}",
       "image 3 has no reference"},
      {"{\"images\":[{\"id\":7}],\"annotations\":[{\"image_id\":7,\"caption\":\"a\"},{\"image_id\":3,"
       "\"caption\":\"a\"}]}",
       "image 3, which is not in"},
      {"{\"images\":[{\"cocoid\":7,\"sentences\":[{\"tokens\":[\"a\"]}]}]}", "no \"raw\""},
  };
  for (size_t i = 0; i < 3; i++) {
    vlm_metrics m;
    const char *refs = write_file("refs.json", cases[i].refs),
               *hyps = write_file("hyps.json", "{\"7\":\"a bus\",\"3\":\"a cat\"}");
    FAILS(VLM_INPUT, vlm_metrics_score_files(&m, hyps, refs, NULL, &error));
    if (!strstr(error.text, cases[i].word)) fail_msg("\"%s\" does not say \"%s\"", error.text, cases[i].word);
  }
}

static void test_counts_what_is_odd(void **state) {
  (void)state;
  vlm_metrics m;
  const char *refs = write_file("refs.json", COCO),
             *hyps = write_file("hyps.json", "{\"7\":\"a\\rbus \\u0000now\",\"3\":\"...\"}");
  FINE(vlm_metrics_score_files(&m, hyps, refs, NULL, &error));
  assert_int_equal(m.line_breaks, 1);
  assert_int_equal(m.set.empty_candidates, 1);
  assert_string_equal(m.set.images[0].candidate, "a bus now");
  assert_string_equal(m.set.images[1].candidate, "");
  assert_int_equal(m.set.n_refs, 3);
  vlm_metrics_free(&m);
}

static void test_only_with_results(void **state) {
  (void)state;
  vlm_metrics m;
  const char *refs = write_file("refs.json", COCO), *hyps = write_file("hyps.json", "{\"3\":\"a cat\"}");
  FINE(vlm_metrics_score_files(&m, hyps, refs, &(vlm_metrics_opts){.only_with_results = true}, &error));
  assert_int_equal(m.set.n, 1);
  assert_string_equal(m.set.ids[0], "3");
  vlm_metrics_free(&m);
}

static void test_df_file(void **state) {
  (void)state;
  vlm_df_file df;
  FINE(vlm_df_file_load(&df, write_file("df.tsv", "#n_images\t50\n3\ta red\n50\ta\n"), &error));
  assert_int_equal(df.table.n_images, 50);
  assert_int_equal(df.table.count, 2);
  assert_string_equal(df.table.ngrams[0], "a red");
  assert_int_equal(df.table.df[1], 50);
  vlm_df_file_free(&df);
  static const char *const bad[] = {"",
                                    "a\t3\n",
                                    "#n_images\t0\n",
                                    "#n_images\t5\n9\ta\n",
                                    "#n_images\t5\n-1\ta\n",
                                    "#n_images\t5\n3\t\n",
                                    "#n_images\t5\n3 a\n"};
  for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
    error.text[0] = 0;
    FAILS(VLM_INPUT, vlm_df_file_load(&df, write_file("df.tsv", bad[i]), &error));
    assert_non_null(strstr(error.text, "df.tsv"));
  }
}

/* The public files that no tool should score, each refused by name. */
static void test_public_bad_files(void **state) {
  (void)state;
  SKIP_WITHOUT_DATA();
  static const struct {
    const char *file, *word;
  } cases[] = {
      {"bad_duplicate_id.json", "image 7"},  {"bad_missing_id.json", "1000000"},
      {"bad_unknown_id.json", "image 99"},   {"bad_no_caption_key.json", ""},
      {"bad_null_caption.json", "null"},     {"bad_not_a_list.json", "no caption for"},
      {"bad_empty_list.json", "no caption"},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    vlm_metrics m;
    char path[512];
    snprintf(path, sizeof(path), METRICS "formats/%s", cases[i].file);
    FAILS(VLM_INPUT,
          vlm_metrics_score_files(&m, path, METRICS "formats/coco_annotations.json", NULL, &error));
    if (!strstr(error.text, cases[i].file) || !strstr(error.text, cases[i].word))
      fail_msg("%s: \"%s\"", cases[i].file, error.text);
  }
}

/* No allocation failure may crash or leak. */
static void test_memory_failures(void **state) {
  (void)state;
  const char *refs = write_file("refs.json", COCO),
             *hyps = write_file("hyps.json", "{\"3\":\"a cat\",\"7\":\"a bus\"}");
  vlm_status st = VLM_MEMORY;
  for (long n = 1; st == VLM_MEMORY && n < 2000; n++) {
    vlm_metrics m;
    vlm_memory_fail_after(n);
    st = vlm_metrics_score_files(&m, hyps, refs, NULL, NULL);
    vlm_memory_fail_after(0);
    if (st == VLM_OK) vlm_metrics_free(&m);
  }
  assert_int_equal(st, VLM_OK);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_formats),
      cmocka_unit_test(test_find_by_file_name),
      cmocka_unit_test(test_joins_are_unique),
      cmocka_unit_test(test_joined_by_number),
      cmocka_unit_test(test_ids),
      cmocka_unit_test(test_published_forms),
      cmocka_unit_test(test_splits),
      cmocka_unit_test(test_one_record),
      cmocka_unit_test(test_bad_tables),
      cmocka_unit_test(test_refused),
      cmocka_unit_test(test_bad_references),
      cmocka_unit_test(test_counts_what_is_odd),
      cmocka_unit_test(test_only_with_results),
      cmocka_unit_test(test_df_file),
      cmocka_unit_test(test_public_bad_files),
      cmocka_unit_test(test_memory_failures),
  };
  return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
