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

/* Checks the wire format before anything is built: every length inside its parent, messages at most max_depth deep (protobuf-c
 * recurses without a limit). Then unpacks. Free with vlm_proto_free. `news` may be NULL. */
vlm_status vlm_proto_unpack(ProtobufCMessage **out, const ProtobufCMessageDescriptor *descriptor,
                            const void *data, size_t bytes, int max_depth, const char *source,
                            vlm_proto_news *news, vlm_error *err);
void vlm_proto_free(ProtobufCMessage *message);

/* A length-delimited field that the descriptor does not know (newer ONNX than the installed proto): its bytes without the length.
 * `index` counts the fields of that number; false when there is no such field. */
bool vlm_proto_unknown(const ProtobufCMessage *message, uint32_t field, int32_t index,
                       const unsigned char **data, size_t *bytes);

#endif
