# Fuzz targets (tests/fuzz): a library that the tests replay and, with clang and VLMQ_FUZZ, one libFuzzer program:
#   cmake -S . -B build/fuzz -G Ninja -DCMAKE_C_COMPILER=clang -DVLMQ_FUZZ=ON -DVLMQ_SANITIZE=ON -DCMAKE_BUILD_TYPE=Sanitize
#   VLMQ_FUZZ=graph build/fuzz/vlm-fuzz FOLDER -max_total_time=600 -rss_limit_mb=2048 -timeout=10
add_library(vlmq-fuzz INTERFACE)
target_link_libraries(vlmq-fuzz INTERFACE vlmq-flow vlmq-face PkgConfig::CMOCKA)
target_compile_definitions(vlmq-fuzz INTERFACE VLMQ_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
if(VLMQ_FUZZ)
  add_executable(vlm-fuzz tests/fuzz/libfuzzer.c)
  target_link_options(vlm-fuzz PRIVATE -fsanitize=fuzzer)
endif()
