/* Private to the writer: the messages of a model, built in one arena. */
#ifndef VLM_EXPORT_PROTO_BUILD_H
#define VLM_EXPORT_PROTO_BUILD_H

#include <onnx.pb-c.h>

#include "runtime/base/unconst.h"
#include "runtime/graph/bodies.h"

/* Where the bytes of constants go when the file does not hold them. */
typedef struct vlm_external_data {
  const char *location; /* NULL = the file holds them */
  const vlm_tensor **tensors;
  size_t *offsets;
  size_t count, capacity, bytes;
} vlm_external_data;

typedef struct vlm_proto_builder {
  vlm_arena *arena;
  vlm_body_list bodies;
  const char ***names; /* per body, per value: as written */
  vlm_external_data external;
  vlm_error *err;
} vlm_proto_builder;

/* ---- proto_names.c ---- */

vlm_status vlm_proto_name_values(vlm_proto_builder *b);
const char *vlm_proto_name(const vlm_proto_builder *b, const vlm_graph *graph, vlm_value_id id);

/* ---- proto_tensor.c ---- */

vlm_status vlm_proto_tensor(vlm_proto_builder *b, Onnx__TensorProto **out, const char *name,
                            const vlm_tensor *tensor);
vlm_status vlm_proto_value(vlm_proto_builder *b, Onnx__ValueInfoProto **out, const char *name,
                           const vlm_value *value);

/* ---- proto_graph.c ---- */

vlm_status vlm_proto_graph(vlm_proto_builder *b, Onnx__GraphProto **out, const vlm_graph *graph);

/* A message of that type in the arena. */
#define VLM_PROTO_NEW(b, out, init)                                 \
  __extension__({                                                   \
    vlm_status made_ = vlm_arena_new((b)->arena, out, 1, (b)->err); \
    if (made_ == VLM_OK) init(*(out));                              \
    made_;                                                          \
  })

#endif
