#include "onnx/import.h"
#include "onnx/proto.h"
#include "onnx/tensor_proto.h"
#include "runtime/base/file.h"

enum { TENSOR_DEPTH = 4 };

vlm_status vlm_onnx_read_tensor(vlm_tensor *out, void **storage, const char *path, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_file file = {0};
  ProtobufCMessage *message = NULL;
  *storage = NULL;
  VLM_TRY(vlm_file_map(&file, path, err));
  VLM_TRY(vlm_proto_unpack(&message, &onnx__tensor_proto__descriptor, file.data, file.bytes,
                           (vlm_proto_limits){TENSOR_DEPTH, 0}, path, NULL, err));
  const Onnx__TensorProto *proto = (const Onnx__TensorProto *)message;
  const char *label = proto->name != NULL ? proto->name : "";
  VLM_CHECK(!vlm_onnx_tensor_is_external(proto), err, VLM_UNSUPPORTED,
            "%s: external data in a tensor file is not supported", path);
  VLM_TRY(vlm_onnx_tensor_shape(out, proto, path, label, err));
  VLM_TRY(vlm_onnx_tensor_check(out, proto, path, label, err));
  VLM_TRY(vlm_alloc(storage, vlm_tensor_bytes(out), 1, err));
  vlm_onnx_tensor_fill(*storage, out, proto);
  out->data = *storage;
out:
  if (st != VLM_OK) {
    vlm_free(*storage);
    *storage = NULL;
  }
  vlm_proto_free(message);
  vlm_file_unmap(&file);
  return st;
}
