# The ONNX reader: C generated at build time from the proto file that libonnx-dev installs.
find_file(ONNX_PROTO onnx/onnx.proto PATHS /usr/include REQUIRED CMAKE_FIND_ROOT_PATH_BOTH) # the same text for every machine
find_program(PROTOC_C protoc-c REQUIRED)
pkg_check_modules(PROTOBUF_C REQUIRED IMPORTED_TARGET libprotobuf-c)
get_filename_component(ONNX_PROTO_DIR ${ONNX_PROTO} DIRECTORY)
set(ONNX_GENERATED ${CMAKE_BINARY_DIR}/generated)
file(MAKE_DIRECTORY ${ONNX_GENERATED})
add_custom_command(
  OUTPUT ${ONNX_GENERATED}/onnx.pb-c.c ${ONNX_GENERATED}/onnx.pb-c.h
  COMMAND ${PROTOC_C} --c_out=${ONNX_GENERATED} --proto_path=${ONNX_PROTO_DIR} ${ONNX_PROTO}
  DEPENDS ${ONNX_PROTO} VERBATIM)
add_library(vlmq-onnx-proto STATIC ${ONNX_GENERATED}/onnx.pb-c.c)
target_include_directories(vlmq-onnx-proto SYSTEM PUBLIC ${ONNX_GENERATED})
target_compile_options(vlmq-onnx-proto PRIVATE -w)
target_link_libraries(vlmq-onnx-proto PUBLIC PkgConfig::PROTOBUF_C)
