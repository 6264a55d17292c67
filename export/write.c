#include "export/write.h"

#include <string.h>

#include "export/proto_build.h"
#include "runtime/base/file.h"

int64_t vlm_onnx_ir_version(int32_t opset) {
  static const int8_t OF_19_ON[] = {9, 9, 10, 10, 11, 12, 13, 13};
  if (opset < 19) return 8;
  return opset <= 26 ? OF_19_ON[opset - 19] : 13;
}

/* ---- the message, written as it is packed ---- */

typedef struct {
  ProtobufCBuffer base;
  vlm_writer *writer;
  size_t bytes;
  vlm_status st;
  vlm_error *err;
} proto_sink;

static void append(ProtobufCBuffer *buffer, size_t length, const uint8_t *data) {
  proto_sink *s = (proto_sink *)buffer;
  if (s->st == VLM_OK) s->st = vlm_writer_write(s->writer, data, length, s->err);
  s->bytes += length;
}

static vlm_status write_message(const char *path, const ProtobufCMessage *message, size_t *bytes,
                                vlm_error *err) {
  enum { MOST = INT32_MAX }; /* what readers of protobuf take */
  vlm_status st = VLM_OK;
  proto_sink s = {.base = {append}, .err = err};
  size_t size = protobuf_c_message_get_packed_size(message);
  VLM_CHECK(size <= MOST, err, VLM_LIMIT, "%s: would have %zu bytes, an ONNX file has at most %d", path, size,
            MOST);
  VLM_TRY(vlm_writer_open(&s.writer, path, err));
  protobuf_c_message_pack_to_buffer(message, &s.base);
  VLM_TRY(s.st);
  VLM_TRY(vlm_writer_commit(s.writer, err));
  *bytes += s.bytes;
out:
  vlm_writer_free(s.writer);
  return st;
}

static vlm_status write_data(const char *path, const vlm_external_data *x, size_t *bytes, vlm_error *err) {
  static const unsigned char ZEROS[65536] = {0};
  vlm_status st = VLM_OK;
  vlm_writer *writer = NULL;
  size_t at = 0;
  VLM_TRY(vlm_writer_open(&writer, path, err));
  for (size_t i = 0; i < x->count; i++) {
    VLM_TRY(vlm_writer_write(writer, ZEROS, x->offsets[i] - at, err));
    VLM_TRY(vlm_writer_write(writer, x->tensors[i]->data, vlm_tensor_bytes(x->tensors[i]), err));
    at = x->offsets[i] + vlm_tensor_bytes(x->tensors[i]);
  }
  VLM_TRY(vlm_writer_commit(writer, err));
  *bytes += at;
out:
  vlm_writer_free(writer);
  return st;
}

/* ---- the model ---- */

static vlm_status add_domain(vlm_proto_builder *b, Onnx__ModelProto *model, const char *domain,
                             int32_t version) {
  enum { MOST_DOMAINS = 16 };
  vlm_status st = VLM_OK;
  Onnx__OperatorSetIdProto *o;
  for (size_t i = 0; i < model->n_opset_import; i++)
    if (!strcmp(model->opset_import[i]->domain, domain)) return VLM_OK;
  VLM_CHECK(model->n_opset_import < MOST_DOMAINS, b->err, VLM_LIMIT, "more than %d domains of operators",
            MOST_DOMAINS);
  if (!model->opset_import) VLM_TRY(vlm_arena_new(b->arena, &model->opset_import, MOST_DOMAINS, b->err));
  VLM_TRY(VLM_PROTO_NEW(b, &o, onnx__operator_set_id_proto__init));
  o->domain = vlm_unconst(domain);
  o->has_version = 1;
  o->version = version;
  model->opset_import[model->n_opset_import++] = o;
out:
  return st;
}

static vlm_status add_domains(vlm_proto_builder *b, Onnx__ModelProto *model, int32_t opset) {
  vlm_status st = VLM_OK;
  VLM_TRY(add_domain(b, model, "", opset));
  for (int32_t k = 0; k < b->bodies.count; k++) {
    const vlm_graph *g = b->bodies.items[k].graph;
    for (int32_t n = 0; n < g->n_nodes; n++)
      VLM_TRY(add_domain(b, model, g->nodes[n].domain, g->nodes[n].opset));
  }
out:
  return st;
}

static size_t constant_bytes(const vlm_body_list *bodies) {
  size_t sum = 0;
  for (int32_t k = 0; k < bodies->count; k++)
    for (vlm_value_id id = 0; id < bodies->items[k].graph->n_values; id++) {
      const vlm_value *v = &bodies->items[k].graph->values[id];
      if (v->kind == VLM_VALUE_CONSTANT) sum += vlm_tensor_bytes(&v->tensor);
    }
  return sum;
}

static vlm_status build(vlm_proto_builder *b, Onnx__ModelProto *model, const vlm_graph *graph,
                        int32_t opset) {
  vlm_status st = VLM_OK;
  onnx__model_proto__init(model);
  model->has_ir_version = 1;
  model->ir_version = vlm_onnx_ir_version(opset);
  model->producer_name = vlm_unconst("vlmq");
  model->producer_version = vlm_unconst(VLM_VERSION);
  VLM_TRY(vlm_proto_name_values(b));
  VLM_TRY(add_domains(b, model, opset));
  VLM_TRY(vlm_proto_graph(b, &model->graph, graph));
out:
  return st;
}

static vlm_status data_path(vlm_arena *arena, const char **out, const char **name, const char *path,
                            vlm_error *err) {
  vlm_status st = vlm_arena_format(arena, out, err, "%s_data", path);
  if (st != VLM_OK) return st;
  const char *slash = strrchr(*out, '/');
  *name = slash ? slash + 1 : *out;
  return VLM_OK;
}

vlm_status vlm_onnx_write(size_t *bytes, const char *path, vlm_graph *graph, const vlm_onnx_write_opts *opts,
                          vlm_error *err) {
  static const vlm_onnx_write_opts DEFAULTS = {0};
  vlm_status st = VLM_OK;
  vlm_proto_builder b = {.err = err};
  Onnx__ModelProto model;
  const char *data = NULL, *name = NULL;
  size_t written = 0;
  if (!opts) opts = &DEFAULTS;
  size_t most = opts->inline_most ? opts->inline_most : 1000000000;
  VLM_TRY(vlm_arena_create(&b.arena, err));
  VLM_TRY(vlm_bodies_make(&b.bodies, graph, "graph", b.arena, err));
  VLM_TRY(data_path(b.arena, &data, &name, path, err));
  if (constant_bytes(&b.bodies) > most) b.external.location = name;
  VLM_TRY(build(&b, &model, graph, opts->opset ? opts->opset : graph->opset));
  if (b.external.location) VLM_TRY(write_data(data, &b.external, &written, err));
  VLM_TRY(write_message(path, &model.base, &written, err));
  if (bytes) *bytes = written;
out:
  vlm_free(b.external.tensors);
  vlm_free(b.external.offsets);
  vlm_bodies_free(&b.bodies);
  if (b.arena) vlm_arena_free(b.arena);
  return st;
}
