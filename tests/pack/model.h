/* A small model with everything a graph can hold: symbolic dims, shared weights, an If with captures, attributes of every kind. */
#ifndef VLM_TESTS_PACK_MODEL_H
#define VLM_TESTS_PACK_MODEL_H

#include <string.h>

#include "pack/pack.h"
#include "runtime/base/unconst.h"
#include "runtime/ops/resolve.h"
#include "tests/fine.h"

static inline vlm_value_id add_value(vlm_graph *g, const char *name, vlm_value_kind kind, vlm_dtype dtype,
                                     int rank, const int64_t *dims) {
  vlm_value_id id;
  FINE(vlm_graph_add_value(g, &id, name, kind, &error));
  g->values[id].tensor = vlm_tensor_make(dtype, rank, dims, NULL);
  if (kind == VLM_VALUE_INPUT) FINE(vlm_graph_add_input(g, id, &error));
  return id;
}

static inline vlm_value_id add_constant(vlm_graph *g, const char *name, vlm_dtype dtype, int rank,
                                        const int64_t *dims, void *data) {
  vlm_value_id id;
  const vlm_tensor t = vlm_tensor_make(dtype, rank, dims, data);
  FINE(vlm_graph_add_constant(g, &id, name, &t, true, &error));
  return id;
}

static inline vlm_node *add_node(vlm_graph *g, const char *name, const char *op, int n_in,
                                 const vlm_value_id *in, vlm_value_id out, int n_attrs) {
  int32_t n;
  FINE(vlm_graph_add_node(
      g, &n,
      &(vlm_node){
          .name = name, .op_type = op, .opset = 17, .n_inputs = n_in, .n_outputs = 1, .n_attrs = n_attrs},
      &error));
  for (int i = 0; i < n_in; i++) g->nodes[n].inputs[i] = in[i];
  vlm_node_set_output(g, n, 0, out);
  return &g->nodes[n];
}

static const int64_t model_ones[] = {1, 1}, model_floats_dims[] = {2};
static const float model_floats[] = {0.5f, -2};

static inline vlm_graph *make_vision(float *weights) {
  vlm_graph *g;
  const int64_t in[] = {-1, 3, 4, 4}, w[] = {2, 3, 1, 1}, out[] = {-1, 2, 4, 4};
  FINE(vlm_graph_create(&g, "vision", "model.onnx", &error));
  g->opset = 17;
  const vlm_value_id x = add_value(g, "pixel_values", VLM_VALUE_INPUT, VLM_F32, 4, in);
  FINE(vlm_arena_strdup(g->arena, &g->values[x].dim_names[0], "batch", &error));
  const vlm_value_id k = add_constant(g, "conv.weight", VLM_F32, 4, w, weights);
  const vlm_value_id c = add_value(g, "conv_out", VLM_VALUE_NODE, VLM_F32, 4, out),
                     y = add_value(g, "features", VLM_VALUE_NODE, VLM_NONE, 0, NULL);
  const vlm_value_id h = add_value(g, "half", VLM_VALUE_NODE, VLM_NONE, 0, NULL);
  g->values[y].tensor.rank = g->values[h].tensor.rank = -1;
  vlm_node *conv = add_node(g, "conv", "Conv", 2, (vlm_value_id[]){x, k}, c, 2);
  conv->attrs[0] = (vlm_attr){.name = "strides", .kind = VLM_ATTR_INTS, .count = 2, .u.ints = model_ones};
  conv->attrs[1] = (vlm_attr){.name = "auto_pad", .kind = VLM_ATTR_STRING, .u.s = "SAME_UPPER"};
  vlm_node *leak = add_node(g, "leak", "LeakyRelu", 1, (vlm_value_id[]){c}, y, 1);
  leak->attrs[0] = (vlm_attr){.name = "alpha", .kind = VLM_ATTR_FLOAT, .u.f = 0.25f};
  vlm_node *half = add_node(g, "half", "Constant", 0, NULL, h, 1);
  half->attrs[0] =
      (vlm_attr){.name = "value_floats", .kind = VLM_ATTR_FLOATS, .count = 2, .u.floats = model_floats};
  FINE(vlm_graph_add_output(g, y, &error));
  FINE(vlm_graph_add_output(g, h, &error));
  FINE(vlm_graph_resolve(g, &error));
  return g;
}

/* A branch of the If: x + bias, or x as it is. */
static inline vlm_graph *make_branch(vlm_graph *parent, const char *name, vlm_value_id x, bool add) {
  vlm_graph *g;
  const int64_t dims[] = {1, -1};
  float bias[] = {0.125f};
  FINE(vlm_graph_create_sub(&g, parent, name, &error));
  const vlm_value_id c = add_value(g, "x", VLM_VALUE_CAPTURE, VLM_F32, 2, dims);
  g->values[c].parent_value = x;
  const vlm_value_id y = add_value(g, "y", VLM_VALUE_NODE, VLM_F32, 2, dims);
  vlm_value_id in[2] = {c, VLM_NO_VALUE};
  if (add) in[1] = add_constant(g, "bias", VLM_F32, 1, (const int64_t[]){1}, bias);
  add_node(g, add ? "add" : "same", add ? "Add" : "Identity", add ? 2 : 1, in, y, 0);
  FINE(vlm_graph_add_output(g, y, &error));
  return g;
}

static inline vlm_graph *make_step(float *weights) {
  vlm_graph *g;
  const int64_t dims[] = {1, -1}, w[] = {2, 3, 1, 1};
  static const int64_t offsets[] = {3, -9000000000};
  vlm_tensor *value = NULL;
  FINE(vlm_graph_create(&g, "step", "model.onnx", &error));
  g->opset = 17;
  const vlm_value_id flag = add_value(g, "use_cache_branch", VLM_VALUE_INPUT, VLM_BOOL, 0, NULL),
                     x = add_value(g, "x", VLM_VALUE_INPUT, VLM_F32, 2, dims);
  const vlm_value_id y = add_value(g, "y", VLM_VALUE_NODE, VLM_F32, 2, dims),
                     k = add_constant(g, "shared.weight", VLM_F32, 4, w, weights);
  const vlm_value_id o = add_value(g, "offsets", VLM_VALUE_NODE, VLM_S64, 1, model_floats_dims);
  vlm_node *branch = add_node(g, "branch", "If", 1, (vlm_value_id[]){flag}, y, 2);
  branch->attrs[0] =
      (vlm_attr){.name = "then_branch", .kind = VLM_ATTR_GRAPH, .u.g = make_branch(g, "then", x, true)};
  branch->attrs[1] =
      (vlm_attr){.name = "else_branch", .kind = VLM_ATTR_GRAPH, .u.g = make_branch(g, "else", x, false)};
  vlm_node *constant = add_node(g, "offsets", "Constant", 0, NULL, o, 1);
  FINE(vlm_arena_new(g->arena, &value, 1, &error));
  *value = vlm_tensor_make(VLM_S64, 1, model_floats_dims, vlm_unconst(offsets));
  constant->attrs[0] = (vlm_attr){.name = "value", .kind = VLM_ATTR_TENSOR, .u.t = value};
  FINE(vlm_graph_add_output(g, y, &error));
  FINE(vlm_graph_add_output(g, o, &error));
  FINE(vlm_graph_add_output(g, k, &error));
  FINE(vlm_graph_resolve(g, &error));
  return g;
}

/* Both decoder roles are the same graph; its weight is the one of the vision graph. */
static inline vlm_bundle *make_model(void) {
  static float weights[] = {1, 2, 3, 4, 5, 6.5f};
  vlm_bundle *b;
  FINE(vlm_bundle_create(&b, "folder/of/the/model", &error));
  b->family = VLM_FAMILY_DECODER_ONLY;
  b->graphs[VLM_ROLE_VISION] = make_vision(weights);
  b->graphs[VLM_ROLE_DECODER_FIRST] = b->graphs[VLM_ROLE_DECODER_STEP] = make_step(weights);
  FINE(vlm_strdup(&b->texts[VLM_TEXT_TOKENIZER], "{\"model\": {\"type\": \"BPE\"}}", &error));
  FINE(vlm_strdup(&b->texts[VLM_TEXT_CONFIG], "{\"vocab_size\": 5}", &error));
  FINE(vlm_strdup(&b->preprocess, "[{\"op\":\"layout\",\"order\":\"NCHW\"}]", &error));
  return b;
}

static inline vlm_pack_content make_content(const vlm_bundle *bundle) {
  static const vlm_pack_pair meta[] = {{"tool", "vlmq"}, {"name", "tiny"}};
  static const float in[] = {1, 2}, out[] = {1.125f, 2.125f};
  static const int64_t dims[] = {1, 2};
  static const char *const names[] = {"x", "y"};
  static vlm_tensor tensors[2];
  static vlm_pack_golden golden;
  tensors[0] = vlm_tensor_make(VLM_F32, 2, dims, vlm_unconst(in));
  tensors[1] = vlm_tensor_make(VLM_F32, 2, dims, vlm_unconst(out));
  golden = (vlm_pack_golden){
      .graph = "decoder_step", .n_inputs = 1, .n_outputs = 1, .names = names, .tensors = tensors};
  return (vlm_pack_content){.bundle = bundle,
                            .quantization = "{\"conv\":{}}",
                            .provenance = "{\"samples\":2}",
                            .meta = meta,
                            .n_meta = 2,
                            .golden = &golden,
                            .n_golden = 1};
}

static inline size_t write_model(const char *path, const vlm_bundle *model, vlm_pack_codec codec,
                                 vlm_threads *threads) {
  const vlm_pack_content content = make_content(model);
  size_t bytes = 0;
  FINE(vlm_pack_write(path, &content, &(vlm_pack_opts){.codec = codec, .threads = threads}, &bytes, &error));
  return bytes;
}

#endif
