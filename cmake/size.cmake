# libvlmq-runtime is to be small. Sections that nothing refers to are dropped when it is linked; nothing in it is unwound (callbacks may
# not throw), debuggers have their own tables. What walks over tensors, pixels or bytes is compiled for speed, everything else for size.
option(VLMQ_SMALL "Compile for size what is not hot" ON)
add_compile_options(-ffunction-sections -fdata-sections -fno-asynchronous-unwind-tables -fno-unwind-tables)

# Files of runtime/ that stay fast. Found by counting instructions of whole answers with and without.
set(VLMQ_FAST base/hash.c base/memory.c base/small_float.c
  image/image.c image/resize.c image/preprocess_store.c image/yuv_sample.c decode/search.c decode/search_rules.c
  ops/box.c ops/cache_attention.c ops/integer_product.c ops/nd_copy.c ops/norm_rows.c
  ops/pool_window.c ops/reduce_f32.c ops/requantize.c ops/resample.c ops/sdpa.c ops/softmax.c ops/table_copy.c
  ops/tensor_stack.c ops/turn.c)

# gcc 12 and clang know a smaller size than -Os.
include(CheckCCompilerFlag)
check_c_compiler_flag(-Oz VLMQ_HAS_OZ)
set(VLMQ_OPTIMIZE_SIZE -Os)
if(VLMQ_HAS_OZ)
  set(VLMQ_OPTIMIZE_SIZE -Oz)
endif()
# Values that loops do not change stay where they are used: registers that are not taken are not saved.
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
  list(APPEND VLMQ_OPTIMIZE_SIZE -fno-move-loop-invariants -fno-tree-loop-im)
endif()

# vlmq_small(LAYERS...): all but the fast files, in the build types for users.
function(vlmq_small)
  if(NOT VLMQ_SMALL)
    return()
  endif()
  set(released $<OR:$<CONFIG:Release>,$<CONFIG:RelWithDebInfo>>)
  foreach(layer ${ARGN})
    foreach(flag ${VLMQ_OPTIMIZE_SIZE})
      target_compile_options(vlmq-${layer} PRIVATE $<${released}:${flag}>)
    endforeach()
  endforeach()
  foreach(file ${VLMQ_FAST})
    set_property(SOURCE ${PROJECT_SOURCE_DIR}/runtime/${file} APPEND PROPERTY COMPILE_OPTIONS $<${released}:-O2>)
    if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
      set_property(SOURCE ${PROJECT_SOURCE_DIR}/runtime/${file} APPEND PROPERTY COMPILE_OPTIONS $<${released}:-fmove-loop-invariants> $<${released}:-ftree-loop-im>)
    endif()
  endforeach()
  if(CMAKE_C_COMPILER_ID STREQUAL "GNU") # its -O2 leaves loops with unknown trip counts alone
    set_property(SOURCE ${PROJECT_SOURCE_DIR}/runtime/ops/resample.c APPEND PROPERTY COMPILE_OPTIONS $<${released}:-ftree-vectorize> $<${released}:-fvect-cost-model=dynamic>)
  endif()
  set_property(SOURCE ${PROJECT_SOURCE_DIR}/runtime/kernels/q8_weights.c APPEND PROPERTY COMPILE_OPTIONS $<${released}:-O3>) # packs all
  # Canaries stay where texts and files are read, and wherever a function has a buffer of characters; kernels have none of either.
  foreach(layer ops lower exec)
    target_compile_options(vlmq-${layer} PRIVATE -fno-stack-protector -fstack-protector)
  endforeach()
  # Row operations have one loop for whole vectors and one for the rest.
  target_compile_options(vlmq-kernels PRIVATE $<${released}:-O2> -fno-stack-protector)
  # Kernels that choose and arrange; what they call computes.
  foreach(file kernels.c gemm_c.c conv_weights.c rows_c.c conv_f32.c conv_q8.c gemm_q8.c gemm_w8.c attention_f32.c conv_q8_rows.c conv_depthwise.c quantize_rows.c epilogue.c elementary.c)
    foreach(flag ${VLMQ_OPTIMIZE_SIZE})
      set_property(SOURCE ${PROJECT_SOURCE_DIR}/runtime/kernels/${file} APPEND PROPERTY COMPILE_OPTIONS $<${released}:${flag}>)
    endforeach()
  endforeach()
  # Copies of some elements are calls, not loops of bytes.
  check_c_compiler_flag(-mstringop-strategy=libcall VLMQ_HAS_STRINGOP)
  if(VLMQ_HAS_STRINGOP)
    target_compile_options(vlmq-kernels PRIVATE -mstringop-strategy=libcall)
  endif()
  # On x86-64 the C rows are the reference; every CPU since 2013 has faster ones.
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    set_property(SOURCE ${PROJECT_SOURCE_DIR}/runtime/kernels/rowops_c.c APPEND PROPERTY COMPILE_OPTIONS $<${released}:-Os> -DVLM_ROW_SMALL)
  endif()
  file(GLOB rows ${PROJECT_SOURCE_DIR}/runtime/kernels/rowops_*.c)
  set_property(SOURCE ${rows} APPEND PROPERTY COMPILE_OPTIONS $<$<C_COMPILER_ID:GNU>:--param=vect-epilogues-nomask=0>)
endfunction()
