#include "onnx/proto.h"

#include <string.h>

typedef struct scan {
  const char *source;
  vlm_proto_limits limits;
  int64_t *nodes; /* seen so far */
  vlm_proto_news *news;
  vlm_error *err;
} scan;

/* Fields up to IR version 14 that an older installed proto does not have: read through vlm_proto_unknown or without meaning here. */
static const vlm_proto_news known[] = {
    {"FunctionProto", 11}, {"FunctionProto", 12}, {"FunctionProto", 13}, {"FunctionProto", 14},
    {"GraphProto", 16},    {"ModelProto", 26},    {"NodeProto", 8},      {"NodeProto", 9},
    {"NodeProto", 10},     {"TensorProto", 16},   {"TypeProto", 7},      {"ValueInfoProto", 4},
};

static void note_news(const scan *s, const char *message, uint32_t field) {
  if (s->news == NULL || s->news->message != NULL) return;
  for (size_t k = 0; k < sizeof known / sizeof known[0]; k++)
    if (known[k].field == field && strcmp(known[k].message, message) == 0) return;
  *s->news = (vlm_proto_news){message, field};
}

typedef struct cursor {
  const unsigned char *at, *end;
} cursor;

static bool read_varint(cursor *c, uint64_t *out) {
  *out = 0;
  for (int shift = 0; shift < 64 && c->at < c->end; shift += 7) {
    unsigned char byte = *c->at++;
    *out |= (uint64_t)(byte & 0x7f) << shift;
    if (byte < 0x80) return true;
  }
  return false;
}

static bool skip_bytes(cursor *c, uint64_t count) {
  if (count > (uint64_t)(c->end - c->at)) return false;
  c->at += count;
  return true;
}

/* Moves over one field; *field and *body describe it (body is empty unless length-delimited). */
static bool next_field(cursor *c, uint32_t *field, cursor *body) {
  uint64_t tag = 0, size = 0;
  *body = (cursor){c->at, c->at};
  if (!read_varint(c, &tag) || tag >> 3 == 0 || tag >> 3 > UINT32_MAX) return false;
  *field = (uint32_t)(tag >> 3);
  switch (tag & 7) {
    case 0: return read_varint(c, &size);
    case 1: return skip_bytes(c, 8);
    case 5: return skip_bytes(c, 4);
    case 2:
      if (!read_varint(c, &size)) return false;
      body->at = c->at;
      if (!skip_bytes(c, size)) return false;
      body->end = c->at;
      return true;
    default: return false;
  }
}

static vlm_status scan_message(const scan *s, const ProtobufCMessageDescriptor *descriptor, cursor c,
                               int depth) {
  vlm_status st = VLM_OK;
  VLM_CHECK(depth <= s->limits.depth, s->err, VLM_LIMIT, "%s: messages are nested deeper than %d levels",
            s->source, s->limits.depth);
  if (descriptor == &onnx__node_proto__descriptor) ++*s->nodes;
  VLM_CHECK(!s->limits.nodes || *s->nodes <= s->limits.nodes, s->err, VLM_LIMIT, "%s: more than %lld nodes",
            s->source, (long long)s->limits.nodes);
  while (c.at < c.end) {
    uint32_t number = 0;
    cursor body;
    VLM_CHECK(next_field(&c, &number, &body), s->err, VLM_INPUT,
              "%s: is not a valid ONNX file or is cut off: field %u of %s does not end inside its message; "
              "get the file again",
              s->source, number, descriptor->short_name);
    const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field(descriptor, number);
    if (field == NULL) note_news(s, descriptor->short_name, number);
    if (field != NULL && field->type == PROTOBUF_C_TYPE_MESSAGE)
      VLM_TRY(scan_message(s, field->descriptor, body, depth + 1));
  }
out:
  return st;
}

static void *proto_alloc(void *failed, size_t size) {
  void *data = NULL;
  if (vlm_alloc(&data, size, 1, NULL) != VLM_OK) *(bool *)failed = true;
  return data;
}

static void proto_release(void *unused, void *data) {
  (void)unused;
  vlm_free(data);
}

vlm_status vlm_proto_unpack(ProtobufCMessage **out, const ProtobufCMessageDescriptor *descriptor,
                            const void *data, size_t bytes, vlm_proto_limits limits, const char *source,
                            vlm_proto_news *news, vlm_error *err) {
  vlm_status st = VLM_OK;
  bool failed = false;
  ProtobufCAllocator allocator = {proto_alloc, proto_release, &failed};
  int64_t nodes = 0;
  const scan s = {source, limits, &nodes, news, err};
  *out = NULL;
  VLM_TRY(scan_message(&s, descriptor, (cursor){data, (const unsigned char *)data + bytes}, 0));
  *out = protobuf_c_message_unpack(descriptor, &allocator, bytes, data);
  VLM_CHECK(*out != NULL || !failed, err, VLM_MEMORY, "%s: out of memory while parsing %zu bytes", source,
            bytes);
  VLM_CHECK(*out != NULL, err, VLM_INPUT, "%s: is not a valid ONNX file (%s cannot be parsed)", source,
            descriptor->short_name);
out:
  return st;
}

void vlm_proto_free(ProtobufCMessage *message) {
  bool failed = false;
  ProtobufCAllocator allocator = {proto_alloc, proto_release, &failed};
  if (message != NULL) protobuf_c_message_free_unpacked(message, &allocator);
}

bool vlm_proto_unknown(const ProtobufCMessage *message, uint32_t field, int32_t index,
                       const unsigned char **data, size_t *bytes) {
  for (unsigned k = 0; k < message->n_unknown_fields; k++) {
    const ProtobufCMessageUnknownField *unknown = &message->unknown_fields[k];
    if (unknown->tag != field || unknown->wire_type != PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED || index-- > 0)
      continue;
    cursor c = {unknown->data, unknown->data + unknown->len};
    uint64_t size = 0;
    if (!read_varint(&c, &size) || size > (uint64_t)(c.end - c.at)) return false;
    *data = c.at;
    *bytes = (size_t)size;
    return true;
  }
  return false;
}
