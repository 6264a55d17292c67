/* Packed files: what goes in comes out, in every codec; equal tensors once; the same bytes for every thread count; verify, diff, failures. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "pack/graphs.h"
#include "pack/pack.h"
#include "runtime/base/file.h"
#include "runtime/exec/session.h"
#include "tests/pack/model.h"
#include "tests/fine.h"

static char folder[] = P_tmpdir "/vlmq-pack-XXXXXX";
static char path_a[128], path_b[128];

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

static vlm_pack *open_pack(const char *path) {
  vlm_pack *pack = NULL;
  FINE(vlm_pack_open(&pack, path, NULL, &error));
  return pack;
}

static void count_difference(void *user, const char *where, const char *a, const char *b) {
  (void)a;
  (void)b;
  snprintf(user, 256, "%s", where);
}

static int64_t differences(const char *a, const char *b, char last[256]) {
  vlm_pack *pa = open_pack(a), *pb = open_pack(b);
  int64_t count = 0;
  last[0] = 0;
  FINE(vlm_pack_diff(pa, pb, count_difference, last, &count, &error));
  vlm_pack_close(pa);
  vlm_pack_close(pb);
  return count;
}

static bool same_file(const char *a, const char *b) {
  vlm_file fa, fb;
  FINE(vlm_file_map(&fa, a, &error));
  FINE(vlm_file_map(&fb, b, &error));
  const bool same = fa.bytes == fb.bytes && memcmp(fa.data, fb.data, fa.bytes) == 0;
  vlm_file_unmap(&fa);
  vlm_file_unmap(&fb);
  return same;
}

static void check_texts(const vlm_pack *pack) {
  int32_t n = 0;
  assert_string_equal(vlm_pack_preprocess(pack), "[{\"op\":\"layout\",\"order\":\"NCHW\"}]");
  assert_string_equal(vlm_pack_quantization(pack), "{\"conv\":{}}");
  assert_string_equal(vlm_pack_provenance(pack), "{\"samples\":2}");
  assert_string_equal(vlm_pack_text(pack, VLM_TEXT_TOKENIZER), "{\"model\": {\"type\": \"BPE\"}}");
  assert_string_equal(vlm_pack_text(pack, VLM_TEXT_CONFIG), "{\"vocab_size\": 5}");
  assert_null(vlm_pack_text(pack, VLM_TEXT_GENERATION));
  assert_string_equal(vlm_pack_meta(pack, "family"), "decoder-only");
  assert_string_equal(vlm_pack_meta(pack, "name"), "tiny");
  assert_null(vlm_pack_meta(pack, "nothing"));
  const vlm_pack_pair *pairs = vlm_pack_meta_all(pack, &n);
  assert_int_equal(n, 3);
  assert_string_equal(pairs[0].key, "family");
  const vlm_pack_golden *golden = vlm_pack_golden_all(pack, &n);
  assert_int_equal(n, 1);
  assert_string_equal(golden->names[1], "y");
  assert_true(((const float *)golden->tensors[1].data)[1] == 2.125f);
}

static void check_vision(const vlm_graph *g) {
  assert_string_equal(g->name, "vision");
  assert_int_equal(g->n_nodes, 3);
  const vlm_value *x = &g->values[g->inputs[0]];
  assert_string_equal(x->name, "pixel_values");
  assert_string_equal(x->dim_names[0], "batch");
  assert_true(x->tensor.dims[0] == -1 && x->tensor.dims[1] == 3 && x->tensor.dtype == VLM_F32);
  const vlm_value *y = &g->values[g->outputs[0]];
  assert_true(y->tensor.dtype == VLM_NONE && y->tensor.rank == -1);
  const vlm_value *w = &g->values[vlm_graph_find(g, "conv.weight")];
  assert_true(((const float *)w->tensor.data)[5] == 6.5f);
  assert_int_equal((uintptr_t)w->tensor.data % 64, 0);
  for (int32_t i = 0; i < g->n_nodes; i++) {
    const vlm_node *n = &g->nodes[i];
    if (strcmp(n->name, "conv") == 0) {
      assert_int_equal(vlm_node_attr(n, "strides")->u.ints[1], 1);
      assert_string_equal(vlm_node_attr(n, "auto_pad")->u.s, "SAME_UPPER");
    } else if (strcmp(n->name, "half") == 0) {
      assert_true(vlm_node_attr(n, "value_floats")->u.floats[1] == -2);
    } else {
      assert_true(vlm_node_attr(n, "alpha")->u.f == 0.25f);
    }
    assert_non_null(n->op);
  }
}

/* The graphs run: y = x + 0.125 or x. */
static void check_runs(const vlm_graph *g) {
  vlm_context *context;
  vlm_session *session;
  bool flag = true;
  float x[] = {1, 2};
  const int64_t dims[] = {1, 2};
  FINE(vlm_context_create(&context, &(vlm_context_opts){.threads = 1}, &error));
  FINE(vlm_session_create(&session, context, g, NULL, &error));
  const vlm_tensor inputs[] = {vlm_tensor_make(VLM_BOOL, 0, NULL, &flag),
                               vlm_tensor_make(VLM_F32, 2, dims, x)};
  FINE(vlm_session_run(session, inputs, 2, &error));
  assert_true(((const float *)vlm_session_output(session, 0)->data)[1] == 2.125f);
  assert_true(((const int64_t *)vlm_session_output(session, 1)->data)[1] == -9000000000);
  flag = false;
  FINE(vlm_session_run(session, inputs, 2, &error));
  assert_true(((const float *)vlm_session_output(session, 0)->data)[1] == 2);
  vlm_session_free(session);
  vlm_context_free(context);
}

static void test_round_trip(void **state) {
  (void)state;
  vlm_bundle *model = make_model();
  for (int codec = VLM_PACK_ZSTD; codec <= VLM_PACK_RAW; codec++) {
    const size_t bytes = write_model(path_a, model, (vlm_pack_codec)codec, NULL);
    vlm_pack *pack = open_pack(path_a);
    vlm_bundle *back;
    assert_int_equal(vlm_pack_file_bytes(pack), bytes);
    check_texts(pack);
    FINE(vlm_pack_bundle(&back, pack, &error));
    vlm_pack_close(pack); /* the graphs keep the weights */
    assert_int_equal(back->family, VLM_FAMILY_DECODER_ONLY);
    assert_ptr_equal(back->graphs[VLM_ROLE_DECODER_FIRST], back->graphs[VLM_ROLE_DECODER_STEP]);
    assert_null(back->graphs[VLM_ROLE_ENCODER]);
    check_vision(back->graphs[VLM_ROLE_VISION]);
    check_runs(back->graphs[VLM_ROLE_DECODER_STEP]);
    vlm_digest before, after;
    FINE(vlm_bundle_digest(&before, model, &error));
    FINE(vlm_bundle_digest(&after, back, &error));
    assert_memory_equal(&before, &after, sizeof(before));
    /* Writing what was read gives the same file. */
    write_model(path_b, back, (vlm_pack_codec)codec, NULL);
    assert_true(same_file(path_a, path_b));
    vlm_bundle_free(back);
  }
  vlm_bundle_free(model);
}

static void test_layout(void **state) {
  (void)state;
  vlm_bundle *model = make_model();
  int32_t n_sections, n_tensors;
  for (int codec = VLM_PACK_ZSTD; codec <= VLM_PACK_RAW; codec++) {
    write_model(path_a, model, (vlm_pack_codec)codec, NULL);
    vlm_pack *pack = open_pack(path_a);
    const vlm_pack_section *s = vlm_pack_sections(pack, &n_sections);
    const vlm_pack_tensor *t = vlm_pack_tensors(pack, &n_tensors);
    /* META PREP TOKN TEXT GRPH GRPH WGHT TENS QPAR CALB GOLD: a graph with two roles once */
    assert_int_equal(n_sections, 11);
    assert_int_equal(n_tensors, 3); /* the shared weight once, the bias, the offsets */
    assert_int_equal(t[0].bytes, 24);
    for (int32_t i = 0; i < n_sections; i++) {
      const bool weights = strcmp(s[i].name, "WGHT") == 0;
      assert_string_equal(s[i].codec, !weights ? "index" : codec == VLM_PACK_RAW ? "raw" : "frames");
      if (weights && codec == VLM_PACK_RAW) assert_int_equal(s[i].offset, 128);
    }
    assert_string_equal(s[4].label, "vision");
    assert_string_equal(s[5].label, "decoder_first");
    assert_true(vlm_pack_file_bytes(pack) < (codec == VLM_PACK_ZSTD ? 600 : 1100));
    vlm_pack_close(pack);
  }
  vlm_bundle_free(model);
}

/* The same bytes for every number of threads, with tensors that compress, do not compress, and are empty. */
static void test_threads_do_not_change_bytes(void **state) {
  (void)state;
  vlm_bundle *model = make_model();
  vlm_graph *g = model->graphs[VLM_ROLE_VISION];
  static unsigned char bytes[100000];
  uint32_t seed = 1;
  for (int i = 0; i < 200; i++) {
    char name[32];
    const int64_t n = i % 7 == 0 ? 0 : 100 * (i % 13) + i;
    for (int64_t k = 0; k < n; k++)
      bytes[k] = (unsigned char)(i % 3 ? (seed = seed * 1664525 + 1013904223) >> 24 : k / 64);
    snprintf(name, sizeof(name), "extra.%d", i);
    add_constant(g, name, VLM_U8, 1, &n, bytes);
  }
  vlm_threads *threads;
  FINE(vlm_threads_create(&threads, 4, &error));
  char last[256];
  for (int codec = VLM_PACK_ZSTD; codec <= VLM_PACK_RAW; codec++) {
    write_model(path_a, model, (vlm_pack_codec)codec, NULL);
    write_model(path_b, model, (vlm_pack_codec)codec, threads);
    assert_true(same_file(path_a, path_b));
    vlm_pack *pack;
    FINE(vlm_pack_open(&pack, path_b, &(vlm_pack_open_opts){.threads = threads}, &error));
    vlm_pack_close(pack);
  }
  write_model(path_b, model, VLM_PACK_ZSTD, threads);
  assert_int_equal(differences(path_a, path_b, last), 0);
  vlm_pack_report report;
  FINE(vlm_pack_verify(path_a, &(vlm_pack_verify_opts){.threads = threads}, &report, &error));
  FINE(vlm_pack_verify(path_b, NULL, &report, &error));
  assert_int_equal(report.graphs, 2);
  vlm_threads_free(threads);
  vlm_bundle_free(model);
}

static void test_equal_bytes_of_other_shapes_stay_apart(void **state) {
  (void)state;
  vlm_bundle *model = make_model();
  vlm_graph *g = model->graphs[VLM_ROLE_VISION];
  float zeros[6] = {0};
  int32_t n;
  add_constant(g, "a", VLM_F32, 1, (const int64_t[]){6}, zeros);
  add_constant(g, "b", VLM_F32, 2, (const int64_t[]){2, 3}, zeros);
  add_constant(g, "c", VLM_S32, 1, (const int64_t[]){6}, zeros);
  add_constant(g, "d", VLM_F32, 1, (const int64_t[]){6}, zeros);
  write_model(path_a, model, VLM_PACK_ZSTD, NULL);
  vlm_pack *pack = open_pack(path_a);
  vlm_pack_tensors(pack, &n);
  assert_int_equal(n, 6);
  vlm_pack_close(pack);
  vlm_bundle_free(model);
}

/* ---- weights that wait in the file ---- */

enum { CODE_ROWS = 256, CODE_COLUMNS = 128 };

/* y = x * codes, with the codes as a table, as an attribute and as an output beside it. */
static vlm_bundle *make_coded(int8_t *codes) {
  static char source[] = "coded.onnx";
  /* two tensors in the file */
  const int64_t dims[] = {CODE_ROWS, CODE_COLUMNS}, turned[] = {CODE_COLUMNS, CODE_ROWS};
  vlm_bundle *b;
  vlm_graph *g;
  vlm_tensor *value;
  FINE(vlm_bundle_create(&b, source, &error));
  FINE(vlm_graph_create(&g, "coded", source, &error));
  b->graphs[VLM_ROLE_MODEL] = g;
  g->opset = 17;
  for (int i = 0; i < CODE_ROWS * CODE_COLUMNS; i++) codes[i] = (int8_t)(i * 7 % 251);
  const vlm_value_id x = add_value(g, "x", VLM_VALUE_INPUT, VLM_U8, 2, (int64_t[]){-1, CODE_ROWS});
  const vlm_value_id w = add_constant(g, "codes", VLM_S8, 2, dims, codes),
                     y = add_value(g, "y", VLM_VALUE_NODE, VLM_S32, 2, (int64_t[]){-1, CODE_COLUMNS});
  const vlm_value_id row = add_value(g, "row", VLM_VALUE_NODE, VLM_S8, 1, (int64_t[]){CODE_COLUMNS}),
                     v = add_value(g, "v", VLM_VALUE_NODE, VLM_S8, 2, turned);
  int64_t third = 3;
  const vlm_value_id at = add_constant(g, "at", VLM_S64, 0, NULL, &third);
  add_node(g, "product", "MatMulInteger", 2, (vlm_value_id[]){x, w}, y, 0);
  add_node(g, "pick", "Gather", 2, (vlm_value_id[]){w, at}, row, 0);
  vlm_node *constant = add_node(g, "value", "Constant", 0, NULL, v, 1);
  FINE(vlm_arena_new(g->arena, &value, 1, &error));
  *value = vlm_tensor_make(VLM_S8, 2, turned, codes);
  constant->attrs[0] = (vlm_attr){.name = "value", .kind = VLM_ATTR_TENSOR, .u.t = value};
  const vlm_value_id outputs[] = {y, row, v, w};
  for (int i = 0; i < 4; i++) FINE(vlm_graph_add_output(g, outputs[i], &error));
  FINE(vlm_graph_resolve(g, &error));
  return b;
}

static void check_coded(const vlm_bundle *b, const int8_t *codes) {
  vlm_context *context;
  vlm_session *session;
  uint8_t x[CODE_ROWS];
  for (int i = 0; i < CODE_ROWS; i++) x[i] = (uint8_t)i;
  const vlm_tensor in = vlm_tensor_make(VLM_U8, 2, (int64_t[]){1, CODE_ROWS}, x);
  FINE(vlm_context_create(&context, &(vlm_context_opts){.threads = 1}, &error));
  FINE(vlm_session_create(&session, context, b->graphs[VLM_ROLE_MODEL], NULL, &error));
  FINE(vlm_session_run(session, &in, 1, &error));
  const int32_t *y = vlm_session_output(session, 0)->data;
  for (int c = 0; c < CODE_COLUMNS; c++) {
    int32_t sum = 0;
    for (int r = 0; r < CODE_ROWS; r++) sum += r * codes[r * CODE_COLUMNS + c];
    assert_int_equal(y[c], sum);
  }
  assert_memory_equal(vlm_session_output(session, 1)->data, codes + 3 * CODE_COLUMNS, CODE_COLUMNS);
  for (int i = 2; i < 4; i++)
    assert_memory_equal(vlm_session_output(session, i)->data, codes, CODE_ROWS * CODE_COLUMNS);
  vlm_session_free(session);
  vlm_context_free(context);
}

static void test_lazy_weights(void **state) {
  (void)state;
  static int8_t codes[CODE_ROWS * CODE_COLUMNS];
  const vlm_pack_open_opts lazy = {.lazy = true};
  vlm_bundle *model = make_coded(codes), *back;
  vlm_pack *pack;
  vlm_file file, copy;
  for (int codec = VLM_PACK_ZSTD; codec <= VLM_PACK_RAW; codec++) {
    FINE(vlm_pack_write(path_a, &(vlm_pack_content){.bundle = model},
                        &(vlm_pack_opts){.codec = (vlm_pack_codec)codec}, NULL, &error));
    FINE(vlm_pack_open(&pack, path_a, &lazy, &error));
    FINE(vlm_pack_bundle(&back, pack, &error));
    vlm_pack_close(pack);
    bool waits = codec == VLM_PACK_ZSTD; /* raw weights are mapped */
    assert_int_equal(back->graphs[VLM_ROLE_MODEL]->lazy != NULL, waits);
    check_coded(back, codes);
    vlm_bundle_free(back);
    /* The same from memory: what is given back to the system there would not come again. */
    FINE(vlm_file_map(&file, path_a, &error));
    FINE(vlm_file_copy(&copy, file.data, file.bytes, &error));
    vlm_file_unmap(&file);
    FINE(vlm_pack_open_file(&pack, &copy, "memory", &lazy, &error));
    FINE(vlm_pack_bundle(&back, pack, &error));
    vlm_pack_close(pack);
    check_coded(back, codes);
    check_coded(back, codes);
    vlm_bundle_free(back);
  }
  vlm_bundle_free(model);
}

/* Damage is told when the file is opened, whoever reads the weight and when. */
static void test_damaged_lazy_weights(void **state) {
  (void)state;
  static int8_t codes[CODE_ROWS * CODE_COLUMNS];
  vlm_bundle *model = make_coded(codes);
  vlm_pack *pack;
  vlm_file file, copy;
  FINE(vlm_pack_write(path_a, &(vlm_pack_content){.bundle = model}, NULL, NULL, &error));
  FINE(vlm_file_map(&file, path_a, &error));
  FINE(vlm_file_copy(&copy, file.data, file.bytes, &error));
  vlm_file_unmap(&file);
  ((unsigned char *)(uintptr_t)copy.data)[100] ^= 1;
  FAILS(VLM_INTEGRITY,
        vlm_pack_open_file(&pack, &copy, "memory", &(vlm_pack_open_opts){.lazy = true}, &error));
  assert_non_null(strstr(error.text, "section WGHT"));
  vlm_bundle_free(model);
}

/* Attributes that no operator of the table has: encoded and decoded without binding. */
static void test_string_lists(void **state) {
  (void)state;
  static const char *const words[] = {"one", "", "one"};
  vlm_graph *g, *back;
  vlm_encoder e = {0};
  vlm_tensor_pool pool = {0};
  vlm_arena *arena;
  int32_t node;
  FINE(vlm_graph_create(&g, "g", "s", &error));
  vlm_node like = {.name = "n", .domain = "my.domain", .op_type = "Op", .opset = 3};
  like.n_inputs = 1;
  like.n_attrs = 2;
  FINE(vlm_graph_add_node(g, &node, &like, &error));
  g->nodes[node].attrs[0] =
      (vlm_attr){.name = "words", .kind = VLM_ATTR_STRINGS, .count = 3, .u.strings = words};
  g->nodes[node].attrs[1] = (vlm_attr){.name = "absent", .kind = VLM_ATTR_NONE};
  const char *roles[8] = {"model"};
  int32_t n_roles;
  assert_int_equal(vlm_graph_encode(&e, roles, 1, g, &pool), VLM_OK);
  const vlm_tensor_table none = {.count = 0};
  vlm_byte_reader d = {.data = (const unsigned char *)e.bytes.data, .bytes = e.bytes.bytes};
  d.file = "f";
  d.section = "GRPH";
  d.err = &error;
  FINE(vlm_arena_create(&arena, &error));
  assert_int_equal(vlm_graph_decode_roles(&d, arena, roles, &n_roles), VLM_OK);
  FINE(vlm_graph_decode(&back, &d, &none, "f"));
  const vlm_node *n = &back->nodes[0];
  assert_string_equal(n->domain, "my.domain");
  assert_int_equal(n->opset, 3);
  assert_int_equal(n->inputs[0], VLM_NO_VALUE);
  assert_string_equal(n->attrs[0].u.strings[1], "");
  assert_string_equal(n->attrs[0].u.strings[2], "one");
  assert_int_equal(n->attrs[1].kind, VLM_ATTR_NONE);
  vlm_graph_free(g);
  vlm_graph_free(back);
  vlm_arena_free(arena);
  vlm_text_free(&e.bytes);
  vlm_tensor_pool_free(&pool);
}

static void test_diff(void **state) {
  (void)state;
  vlm_bundle *a = make_model(), *b = make_model();
  char last[256];
  write_model(path_a, a, VLM_PACK_ZSTD, NULL);
  write_model(path_b, b, VLM_PACK_RAW, NULL);
  assert_int_equal(differences(path_a, path_b, last), 0);
  vlm_graph *g = b->graphs[VLM_ROLE_VISION];
  ((float *)g->values[vlm_graph_find(g, "conv.weight")].tensor.data)[0] = 1.5f;
  write_model(path_b, b, VLM_PACK_RAW, NULL);
  assert_int_equal(differences(path_a, path_b, last), 1);
  assert_string_equal(last, "tensor vision/conv.weight");
  ((float *)g->values[vlm_graph_find(g, "conv.weight")].tensor.data)[0] = 1;
  for (int32_t i = 0; i < g->n_nodes; i++) {
    if (strcmp(g->nodes[i].op_type, "LeakyRelu") == 0) g->nodes[i].attrs[0].u.f = 0.5f;
  }
  write_model(path_b, b, VLM_PACK_RAW, NULL);
  assert_int_equal(differences(path_a, path_b, last), 1);
  assert_string_equal(last, "node vision/leak");
  b->texts[VLM_TEXT_CONFIG][3] = 'X';
  write_model(path_b, b, VLM_PACK_RAW, NULL);
  assert_int_equal(differences(path_a, path_b, last), 2);
  vlm_bundle_free(a);
  vlm_bundle_free(b);
}

static vlm_status refuse(void *user, const vlm_bundle *bundle, const vlm_pack_golden *golden,
                         vlm_error *err) {
  ++*(int *)user;
  assert_non_null(bundle->graphs[VLM_ROLE_DECODER_STEP]);
  return vlm_fail(err, VLM_INTEGRITY, "output \"%s\" differs", golden->names[1]);
}

static void test_verify_runs_golden_cases(void **state) {
  (void)state;
  vlm_bundle *model = make_model();
  int calls = 0;
  write_model(path_a, model, VLM_PACK_ZSTD, NULL);
  FAILS(VLM_INTEGRITY,
        vlm_pack_verify(path_a, &(vlm_pack_verify_opts){.check = refuse, .user = &calls}, NULL, &error));
  assert_int_equal(calls, 1);
  assert_non_null(strstr(error.text, "golden case 0 (decoder_step): output \"y\" differs"));
  vlm_bundle_free(model);
}

static void test_failures_leave_no_file(void **state) {
  (void)state;
  vlm_bundle *model = make_model();
  vlm_pack_content content = make_content(model);
  unlink(path_a);
  FAILS(VLM_USAGE, vlm_pack_write(path_a, &content, &(vlm_pack_opts){.level = 20}, NULL, &error));
  const vlm_pack_pair twice[] = {{"family", "mine"}};
  content.meta = twice;
  content.n_meta = 1;
  FAILS(VLM_INPUT, vlm_pack_write(path_a, &content, NULL, NULL, &error));
  assert_string_equal(error.text, "the key \"family\" is given twice");
  assert_false(vlm_file_exists(path_a));
  FAILS(VLM_IO, vlm_pack_write("/nowhere/at/all.vlmq", &content, NULL, NULL, &error));
  vlm_bundle_free(model);
}

/* No allocation failure may crash, leak, or leave half a file. */
static void test_memory_failures(void **state) {
  (void)state;
  vlm_bundle *model = make_model();
  const vlm_pack_content content = make_content(model);
  vlm_status st = VLM_MEMORY;
  unlink(path_a);
  for (long n = 1; st == VLM_MEMORY && n < 5000; n++) {
    vlm_memory_fail_after(n);
    st = vlm_pack_write(path_a, &content, NULL, NULL, NULL);
    vlm_memory_fail_after(0);
    if (vlm_file_exists(path_a)) FINE(vlm_pack_verify(path_a, NULL, NULL, &error));
    unlink(path_a);
  }
  assert_int_equal(st, VLM_OK);
  FINE(vlm_pack_write(path_a, &content, NULL, NULL, &error));
  st = VLM_MEMORY;
  for (long n = 1; st == VLM_MEMORY && n < 5000; n++) {
    vlm_pack *pack = NULL;
    vlm_bundle *back = NULL;
    vlm_memory_fail_after(n);
    st = vlm_pack_open(&pack, path_a, NULL, NULL);
    if (st == VLM_OK) st = vlm_pack_bundle(&back, pack, NULL);
    vlm_memory_fail_after(0);
    vlm_pack_close(pack);
    vlm_bundle_free(back);
  }
  assert_int_equal(st, VLM_OK);
  vlm_bundle_free(model);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_round_trip),
      cmocka_unit_test(test_layout),
      cmocka_unit_test(test_threads_do_not_change_bytes),
      cmocka_unit_test(test_equal_bytes_of_other_shapes_stay_apart),
      cmocka_unit_test(test_string_lists),
      cmocka_unit_test(test_diff),
      cmocka_unit_test(test_lazy_weights),
      cmocka_unit_test(test_damaged_lazy_weights),
      cmocka_unit_test(test_verify_runs_golden_cases),
      cmocka_unit_test(test_failures_leave_no_file),
      cmocka_unit_test(test_memory_failures),
  };
  return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
