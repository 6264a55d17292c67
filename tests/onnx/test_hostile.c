/* Refusals of the importer: status and message of each, and no crash on altered bytes. Files: tests/oracles/onnx_models.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "onnx/import.h"
#include "runtime/base/file.h"
#include "runtime/exec/session.h"
#include "tests/fine.h"

#define DATA VLMQ_SOURCE_DIR "/tests/onnx/data/"

#define UNKNOWN "the sequence cannot be followed on import: "

static const struct {
  const char *file;
  vlm_status status;
  const char *message; /* after "FILE: " */
} rows[] = {
    {"bad_cycle.onnx", VLM_INPUT, "node \"n\" (Add): the node depends on its own result"},
    {"bad_dangling.onnx", VLM_INPUT, "node \"n\" (Relu): input \"nowhere\" is neither an input"},
    {"bad_output.onnx", VLM_INPUT, "output \"nothing\" of graph \"g\" is neither an input"},
    {"bad_twice.onnx", VLM_INPUT, "the name \"y\" is defined twice"},
    {"bad_initializer_twice.onnx", VLM_INPUT, "the name \"w\" is defined twice"},
    {"bad_capture.onnx", VLM_INPUT, "node \"n\" (Relu): input \"lost\" is neither an input"},
    {"bad_branch_number.onnx", VLM_INPUT, "node \"n\" (If): else_branch has 2 outputs, wanted 1"},
    {"bad_branch_type.onnx", VLM_INPUT,
     "node \"n\" (If): output 0 is float32 in then_branch and int64 in else_branch"},
    {"bad_dim.onnx", VLM_INPUT, "\"x\": dimension 1 is -3"},
    {"bad_rank.onnx", VLM_UNSUPPORTED, "\"x\" has 13 dimensions, at most 12"},
    {"bad_arity.onnx", VLM_INPUT, "node \"n\" (Add): got 1 inputs, expected 2"},
    {"bad_attribute.onnx", VLM_INPUT,
     "node \"n\" (Softmax): attribute \"axis\" is of type float, expected int"},
    {"bad_operator.onnx", VLM_UNSUPPORTED,
     "node \"n\" (com.acme.Frobnicate): operator com.acme.Frobnicate is not supported"},
    {"bad_sequence.onnx", VLM_UNSUPPORTED,
     "\"x\" is a sequence, not a tensor, which is not supported (operator SequenceLength uses it)"},
    {"bad_seq_cycle.onnx", VLM_INPUT, "node \"n\" (SequenceInsert): the node depends on its own result"},
    {"bad_seq_dangling.onnx", VLM_INPUT,
     "node \"n\" (SequenceLength): input \"nowhere\" is neither an input"},
    {"bad_seq_empty_concat.onnx", VLM_INPUT, "node \"n\" (ConcatFromSequence): the sequence is empty"},
    {"bad_seq_empty_erase.onnx", VLM_INPUT, "node \"n\" (SequenceErase): the sequence is empty"},
    {"bad_seq_if_kinds.onnx", VLM_INPUT,
     "node \"n\" (If): output 0 is a sequence in one branch and a tensor in the other"},
    {"bad_seq_if_lengths.onnx", VLM_UNSUPPORTED,
     "node \"n\" (If): " UNKNOWN "output 0 has 2 tensors in one branch and 4 in the other"},
    {"bad_seq_index.onnx", VLM_UNSUPPORTED,
     "node \"n\" (SequenceAt): " UNKNOWN "position \"k\" is not constant"},
    {"bad_seq_index_insert.onnx", VLM_UNSUPPORTED,
     "node \"n\" (SequenceInsert): " UNKNOWN "position \"k\" is not constant"},
    {"bad_seq_input.onnx", VLM_UNSUPPORTED,
     "\"t\" is a sequence, not a tensor, which is not supported (operator SequenceLength uses it)"},
    {"bad_seq_input_in_body.onnx", VLM_UNSUPPORTED,
     "\"t\" is a sequence, not a tensor, which is not supported (operator SequenceLength"},
    {"bad_seq_loop.onnx", VLM_UNSUPPORTED,
     "\"in\" is a sequence, not a tensor, which is not supported (operator SequenceInsert uses it)"},
    {"bad_seq_loop_input.onnx", VLM_UNSUPPORTED,
     "node \"n\" (Loop): \"s\" is a sequence, which Loop cannot carry here"},
    {"bad_seq_loop_output.onnx", VLM_UNSUPPORTED,
     "node \"n\" (Loop): output 1 of its body is a sequence, which is not supported"},
    {"bad_seq_nested.onnx", VLM_INPUT,
     "node \"n\" (SequenceConstruct): input 0, \"s\", is a sequence, wanted a tensor"},
    {"bad_seq_new_axis.onnx", VLM_INPUT,
     "node \"n\" (ConcatFromSequence): attribute \"new_axis\" is 2, wanted 0 or 1"},
    {"bad_seq_no_axis.onnx", VLM_INPUT, "node \"n\" (ConcatFromSequence): attribute \"axis\" is missing"},
    {"bad_seq_opset.onnx", VLM_UNSUPPORTED,
     "node \"s\" (SequenceConstruct): operator SequenceConstruct is not supported at opset 10"},
    {"bad_seq_output.onnx", VLM_UNSUPPORTED,
     "\"s\" is a sequence, not a tensor, which is not supported (operator SequenceConstruct uses it)"},
    {"bad_seq_output_untyped.onnx", VLM_UNSUPPORTED,
     "output \"s\" is a sequence, not a tensor, which is not supported"},
    {"bad_seq_position.onnx", VLM_INPUT,
     "node \"n\" (SequenceAt): position 3 is outside the sequence of 3 tensors"},
    {"bad_seq_position_float.onnx", VLM_INPUT,
     "node \"n\" (SequenceAt): position \"k\" is float32, wanted int32 or int64"},
    {"bad_seq_position_huge.onnx", VLM_INPUT,
     "node \"n\" (SequenceAt): position -9223372036854775808 is outside the sequence of 3"},
    {"bad_seq_position_insert.onnx", VLM_INPUT,
     "node \"n\" (SequenceInsert): position 4 is outside the sequence of 3 tensors"},
    {"bad_seq_position_low.onnx", VLM_INPUT,
     "node \"n\" (SequenceErase): position -4 is outside the sequence of 3 tensors"},
    {"bad_seq_position_two.onnx", VLM_INPUT,
     "node \"n\" (SequenceAt): position \"k\" has 2 elements, wanted one"},
    {"bad_seq_split_axis.onnx", VLM_INPUT,
     "node \"n\" (SplitToSequence): axis 3 is outside the 3 dimensions of \"x\""},
    {"bad_seq_split_computed.onnx", VLM_UNSUPPORTED,
     "node \"l\" (SequenceLength): " UNKNOWN "node \"n\" (SplitToSequence): the sizes \"k\" are"},
    {"bad_seq_split_float.onnx", VLM_INPUT,
     "node \"n\" (SplitToSequence): the sizes \"z\" are float32 of 0 dimensions, wanted int32"},
    {"bad_seq_split_keepdims.onnx", VLM_INPUT,
     "node \"n\" (SplitToSequence): attribute \"keepdims\" is 2, wanted 0 or 1"},
    {"bad_seq_split_long.onnx", VLM_INPUT,
     "node \"n\" (SplitToSequence): piece 1 has size 3, 2 are left of 3"},
    {"bad_seq_split_many.onnx", VLM_LIMIT,
     "node \"n\" (SplitToSequence): sequences hold more than 131072 tensors in all"},
    {"bad_seq_split_negative.onnx", VLM_INPUT,
     "node \"n\" (SplitToSequence): piece 0 has size -1, 3 are left of 3"},
    {"bad_seq_split_open.onnx", VLM_UNSUPPORTED,
     "node \"l\" (SequenceLength): " UNKNOWN "node \"n\" (SplitToSequence): dimension 0 of \"x\""},
    {"bad_seq_split_open_pairs.onnx", VLM_UNSUPPORTED,
     "node \"at\" (SequenceAt): " UNKNOWN "node \"n\" (SplitToSequence): dimension 0 of"},
    {"bad_seq_split_short.onnx", VLM_INPUT, "node \"n\" (SplitToSequence): the pieces leave 1 of 3"},
    {"bad_seq_split_table.onnx", VLM_INPUT,
     "node \"n\" (SplitToSequence): the sizes \"z\" are int64 of 2 dimensions, wanted"},
    {"bad_seq_split_zero.onnx", VLM_INPUT,
     "node \"n\" (SplitToSequence): pieces of size 0, wanted 1 or more"},
    {"bad_seq_strings.onnx", VLM_UNSUPPORTED,
     "node \"n\" (SequenceEmpty): element type string (8) is not supported"},
    {"bad_seq_tensor.onnx", VLM_INPUT,
     "node \"n\" (SequenceLength): input 0, \"x\", is a tensor, wanted a sequence"},
    {"bad_seq_twice.onnx", VLM_INPUT, "the name \"s\" is defined twice"},
    {"bad_seq_type_code.onnx", VLM_UNSUPPORTED,
     "node \"n\" (SequenceEmpty): element type unknown (1099511627776) is not supported"},
    {"bad_seq_types.onnx", VLM_INPUT,
     "node \"n\" (SequenceConstruct): \"d\" is float64, the other tensors of the sequence are float32"},
    {"bad_seq_types_empty.onnx", VLM_INPUT,
     "node \"n\" (SequenceInsert): \"x\" is float32, the other tensors of the sequence are int64"},
    {"bad_seq_used_as_tensor.onnx", VLM_INPUT,
     "node \"n\" (Neg): input 0, \"s\", is a sequence, wanted a tensor"},
    {"bad_opset0.onnx", VLM_INPUT, "opset is 0; opsets are 1 or more"},
    {"bad_opset_news.onnx", VLM_UNSUPPORTED,
     "node \"n\" (Relu): attribute \"depth\" of operator Relu is not supported"},
    {"bad_opset_twice.onnx", VLM_INPUT, "opset is given twice, as 17 and as 18"},
    {"bad_opset_of_function.onnx", VLM_INPUT, "opset of function Old is -5; opsets are 1 or more"},
    {"bad_ir_news.onnx", VLM_UNSUPPORTED,
     "IR version is 19 and field 41 of ModelProto is not one of version 14"},
    {"bad_nesting.onnx", VLM_LIMIT, "subgraphs are nested deeper than 64"},
    {"bad_recursion.onnx", VLM_LIMIT, "function Forever: calls are nested deeper than 64"},
    {"bad_no_graph.onnx", VLM_INPUT, "holds no graph"},
    {"bad_raw_short.onnx", VLM_INPUT, "tensor \"w\" holds 4 bytes, but shape [2] of float32 needs 8"},
    {"bad_typed_short.onnx", VLM_INPUT, "tensor \"w\" holds 2 numbers, but shape [3] of float32 needs 3"},
    {"bad_huge.onnx", VLM_INPUT,
     "tensor \"w\" holds 4 bytes, but shape [1048576, 1048576] of float32 needs 4398046511104"},
    {"bad_overflow.onnx", VLM_LIMIT, "tensor \"w\": shape [1099511627776, 1099511627776] is too large"},
    {"bad_negative.onnx", VLM_INPUT, "tensor \"w\": dimension 0 is -2"},
    {"bad_string.onnx", VLM_UNSUPPORTED,
     "tensor \"w\" has element type string (8), which is not supported (operator Add uses it)"},
    {"bad_complex.onnx", VLM_UNSUPPORTED, "tensor \"w\" has element type complex64 (14)"},
    {"bad_constant_string.onnx", VLM_UNSUPPORTED,
     "tensor \"y\": operator Constant with attribute \"value_string\""},
    {"bad_constant_strings.onnx", VLM_UNSUPPORTED,
     "tensor \"y\": operator Constant with attribute \"value_strings\""},
    {"bad_constant_empty.onnx", VLM_INPUT, "node \"n\" (Constant): has no value"},
    {"bad_sparse_index.onnx", VLM_INPUT, "sparse tensor \"w\": index 9 is outside the tensor"},
    {"bad_sparse_huge.onnx", VLM_LIMIT, "sparse tensor \"w\" is 4398046511104 bytes when dense"},
    {"bad_external_missing.onnx", VLM_INPUT,
     "tensor \"w\" lies in the file " DATA "missing.bin, which is missing; put it beside the model"},
    {"bad_external_up.onnx", VLM_INPUT,
     "tensor \"w\": the external data path \"sub/../../secret.bin\" leaves the folder of the model"},
    {"bad_external_absolute.onnx", VLM_INPUT,
     "tensor \"w\": the external data path \"/etc/hostname\" leaves the folder"},
    {"bad_external_offset.onnx", VLM_INPUT,
     "tensor \"w\": offset \"-4\" of its external data is not a number"},
    {"bad_external_length.onnx", VLM_INPUT,
     "tensor \"w\": its external data has length 12, but its shape needs 8"},
    {"bad_external_short.onnx", VLM_INPUT,
     "tensor \"w\" needs bytes 24 to 32 of external.bin, which has only 27"},
    {"bad_external_nowhere.onnx", VLM_INPUT, "tensor \"w\": its external data has no location"},
};

static void each_refusal_says_why(void **state) {
  (void)state;
  for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++) {
    char path[512], wanted[1024];
    vlm_graph *graph = NULL;
    snprintf(path, sizeof path, "%s%s", DATA, rows[k].file);
    snprintf(wanted, sizeof wanted, "%s: %s", path, rows[k].message);
    vlm_status st = vlm_onnx_import(&graph, path, NULL, &error);
    assert_null(graph);
    if (st != rows[k].status || strncmp(error.text, wanted, strlen(wanted)) != 0) {
      fail_msg("%s: got %s \"%s\", wanted %s \"%s\"", rows[k].file, vlm_status_name(st), error.text,
               vlm_status_name(rows[k].status), wanted);
    }
  }
}

/* Refused before anything is computed or allocated. */
static void each_bad_shape_names_its_node(void **state) {
  static const struct {
    const char *file, *message;
  } shapes[] = {
      {"bad_shape_rank.onnx",
       "node \"n\" (Conv): convolution of [2] with [1, 2, 3]; wanted 1 to 3 spatial dims"},
      {"bad_shape_product.onnx", "node \"n\" (MatMul): shapes [2] and [3, 2] do not multiply"},
      {"bad_shape_huge.onnx",
       "node \"n\" (Expand): the output is [1048576, 524288, 2]: with it activations need 4194304 MiB"},
      {"bad_shape_overflow.onnx", "node \"n\" (Expand): "},
      {"bad_shape_negative.onnx", "node \"n\" (Reshape): target dim 0 is -5"},
  };
  (void)state;
  for (size_t k = 0; k < sizeof shapes / sizeof shapes[0]; k++) {
    char path[512], wanted[1024];
    vlm_graph *graph;
    vlm_context *context;
    vlm_session *session;
    float x[2] = {0};
    const vlm_tensor input = vlm_tensor_make(VLM_F32, 1, (int64_t[]){2}, x);
    snprintf(path, sizeof path, "%s%s", DATA, shapes[k].file);
    snprintf(wanted, sizeof wanted, "%s: %s", path, shapes[k].message);
    FINE(vlm_onnx_import(&graph, path, NULL, &error));
    FINE(vlm_context_create(&context, NULL, &error));
    FINE(vlm_session_create(&session, context, graph, NULL, &error));
    assert_int_not_equal(vlm_session_plan(session, &input, 1, &error), VLM_OK);
    if (strncmp(error.text, wanted, strlen(wanted)) != 0)
      fail_msg("got \"%s\", wanted \"%s\"", error.text, wanted);
    vlm_session_free(session);
    vlm_context_free(context);
    vlm_graph_free(graph);
  }
}

static void a_missing_file_is_named(void **state) {
  (void)state;
  vlm_graph *graph = NULL;
  FAILS(VLM_INPUT, vlm_onnx_import(&graph, DATA "absent.onnx", NULL, &error));
  assert_non_null(strstr(error.text, "absent.onnx"));
}

static void tensor_files_are_read_or_refused(void **state) {
  (void)state;
  static const struct {
    const char *file;
    vlm_status status;
    const char *message;
  } files[] = {
      {"tensor_short.pb", VLM_INPUT, "tensor \"t\" holds 4 bytes, but shape [3] of float32 needs 12"},
      {"tensor_string.pb", VLM_UNSUPPORTED,
       "tensor \"t\" has element type string (8), which is not supported"},
      {"tensor_external.pb", VLM_UNSUPPORTED, "external data in a tensor file is not supported"},
      {"external.bin", VLM_INPUT, "is not a valid"},
      {"absent.pb", VLM_INPUT, "cannot be opened"},
  };
  vlm_tensor tensor;
  void *storage = NULL;
  FINE(vlm_onnx_read_tensor(&tensor, &storage, DATA "tensor.pb", &error));
  assert_int_equal(tensor.rank, 2);
  assert_float_equal(vlm_tensor_get(&tensor, 3), 4, 0);
  vlm_free(storage);
  for (size_t k = 0; k < sizeof files / sizeof files[0]; k++) {
    char path[512];
    snprintf(path, sizeof path, "%s%s", DATA, files[k].file);
    assert_int_equal(vlm_onnx_read_tensor(&tensor, &storage, path, &error), files[k].status);
    assert_null(storage);
    if (strstr(error.text, files[k].message) == NULL || strstr(error.text, path) == NULL)
      fail_msg("%s: \"%s\"", path, error.text);
  }
}

static void limits_are_options(void **state) {
  (void)state;
  vlm_graph *graph = NULL;
  const vlm_onnx_opts few = {.max_nodes = 2}, flat = {.max_nesting = 1};
  FAILS(VLM_LIMIT, vlm_onnx_import(&graph, DATA "unsorted.onnx", &few, &error));
  assert_non_null(strstr(error.text, "more than 2 nodes"));
  FAILS(VLM_LIMIT, vlm_onnx_import(&graph, DATA "subgraphs.onnx", &flat, &error));
  assert_non_null(strstr(error.text, "nested deeper than 1"));
}

static const char *const good[] = {
    "unsorted.onnx", "constants.onnx", "initializers.onnx",  "types.onnx",         "symbolic.onnx",
    "unnamed.onnx",  "subgraphs.onnx", "functions.onnx",     "external.onnx",      "overloads.onnx",
    "empty.onnx",    "sequences.onnx", "sequence_open.onnx", "sequence_then.onnx", "sequence_functions.onnx"};
enum { GOOD = sizeof good / sizeof good[0] };

static vlm_file map(const char *name) {
  char path[512];
  vlm_file file;
  snprintf(path, sizeof path, "%s%s", DATA, name);
  FINE(vlm_file_map(&file, path, &error));
  return file;
}

static void try_bytes(const unsigned char *bytes, size_t size) {
  const vlm_onnx_opts opts = {.folder = VLMQ_SOURCE_DIR "/tests/onnx/data"};
  vlm_graph *graph = NULL;
  vlm_status st = vlm_onnx_import_memory(&graph, bytes, size, "altered", &opts, &error);
  if (st == VLM_OK) assert_non_null(graph);
  else if (strstr(error.text, "altered") == NULL) fail_msg("message without the file: %s", error.text);
  vlm_graph_free(graph);
}

static void cut_off_files_are_refused_or_read(void **state) {
  (void)state;
  for (int k = 0; k < GOOD; k++) {
    vlm_file file = map(good[k]);
    for (size_t size = 0; size < file.bytes; size++) {
      unsigned char *exact = malloc(size + 1);
      memcpy(exact, file.data, size);
      try_bytes(exact, size);
      free(exact);
    }
    vlm_file_unmap(&file);
  }
  vlm_graph *graph = NULL;
  vlm_file file = map("functions.onnx");
  FAILS(VLM_INPUT, vlm_onnx_import_memory(&graph, file.data, file.bytes - 3, "cut.onnx", NULL, &error));
  assert_non_null(strstr(error.text, "cut.onnx: is not a valid ONNX file or is cut off"));
  vlm_file_unmap(&file);
}

static void altered_bytes_never_crash(void **state) {
  (void)state;
  uint64_t seed = 12345;
  for (int k = 0; k < GOOD; k++) {
    vlm_file file = map(good[k]);
    unsigned char *copy = malloc(file.bytes);
    for (int round = 0; round < 400; round++) {
      memcpy(copy, file.data, file.bytes);
      for (int change = 0; change < 1 + round % 4; change++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        copy[(seed >> 33) % file.bytes] = (unsigned char)(seed >> 20);
      }
      try_bytes(copy, file.bytes);
    }
    free(copy);
    vlm_file_unmap(&file);
  }
}

static void each_allocation_fails(const char *name) {
  vlm_file file = map(name);
  vlm_status st = VLM_MEMORY;
  for (long n = 1; st != VLM_OK; n++) {
    vlm_graph *graph = NULL;
    vlm_memory_fail_after(n);
    st = vlm_onnx_import_memory(&graph, file.data, file.bytes, "f", NULL, &error);
    vlm_memory_fail_after(0);
    assert_true(st == VLM_OK || st == VLM_MEMORY);
    assert_true((graph != NULL) == (st == VLM_OK));
    vlm_graph_free(graph);
  }
  vlm_file_unmap(&file);
}

static void failed_allocations_are_reported(void **state) {
  (void)state;
  each_allocation_fails("functions.onnx");
  each_allocation_fails("sequence_then.onnx");
  each_allocation_fails("sequence_splits.onnx");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_refusal_says_why),     cmocka_unit_test(each_bad_shape_names_its_node),
      cmocka_unit_test(a_missing_file_is_named),   cmocka_unit_test(tensor_files_are_read_or_refused),
      cmocka_unit_test(limits_are_options),        cmocka_unit_test(cut_off_files_are_refused_or_read),
      cmocka_unit_test(altered_bytes_never_crash), cmocka_unit_test(failed_allocations_are_reported),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
