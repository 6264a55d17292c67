/* Parsing of untrusted protobuf bytes with protobuf-c, memory from vlm_alloc. */
#ifndef VLM_ONNX_PROTO_H
#define VLM_ONNX_PROTO_H

#include <onnx.pb-c.h>

#include "runtime/base/memory.h"

/* The first field that neither the installed proto nor IR version 14 has; message NULL = there is none. */
typedef struct vlm_proto_news {
  const char *message;
  uint32_t field;
} vlm_proto_news;

/* What a file may hold: checked before anything is built. */
typedef struct vlm_proto_limits {
  int depth;     /* of messages */
  int64_t nodes; /* NodeProto at any depth; 0 = no limit */
} vlm_proto_limits;

/* Checks the wire format before anything is built: every length inside its parent, messages within the limits (protobuf-c
 * recurses without a limit). Then unpacks. Free with vlm_proto_free. `news` may be NULL. */
vlm_status vlm_proto_unpack(ProtobufCMessage **out, const ProtobufCMessageDescriptor *descriptor,
                            const void *data, size_t bytes, vlm_proto_limits limits, const char *source,
                            vlm_proto_news *news, vlm_error *err);
void vlm_proto_free(ProtobufCMessage *message);

/* A length-delimited field that the descriptor does not know (newer ONNX than the installed proto): its bytes without the length.
 * `index` counts the fields of that number; false when there is no such field. */
bool vlm_proto_unknown(const ProtobufCMessage *message, uint32_t field, int32_t index,
                       const unsigned char **data, size_t *bytes);

#endif
