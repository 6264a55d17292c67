# Compiler and linker flags of everything, in this order: what the numbers need, warnings, hardening, same bytes everywhere.
# They stand behind the user's CFLAGS on the command line, so CFLAGS cannot take them back.
option(VLMQ_WERROR "Warnings are errors" OFF)
option(VLMQ_HARDENING "Position-independent programs, full RELRO, stack protector, FORTIFY" ON)
option(VLMQ_SANITIZE "Address and undefined-behaviour sanitizers" OFF)

set(CMAKE_C_FLAGS_SANITIZE "-O1 -g1" CACHE STRING "Flags of the build type Sanitize")
set(CMAKE_C_FLAGS_RELWITHDEBINFO "-O2 -g1") # without NDEBUG: only Release and MinSizeRel turn asserts off
get_property(multi_config GLOBAL PROPERTY GENERATOR_IS_MULTI_CONFIG)
if(NOT CMAKE_BUILD_TYPE AND NOT multi_config)
  set(CMAKE_BUILD_TYPE Release)
endif()

# What the user and the build type say.
string(TOUPPER "${CMAKE_BUILD_TYPE}" type)
set(given "${CMAKE_C_FLAGS} ${CMAKE_C_FLAGS_${type}}")

# No multiply-add where the source has none: results do not depend on what the compiler may contract.
add_compile_options(-fno-math-errno -ffp-contract=off)
set(other_arithmetic Ofast ffast-math funsafe-math-optimizations ffinite-math-only fassociative-math freciprocal-math fno-signed-zeros
    fsingle-precision-constant ffp-model=fast mfpmath=387)
list(JOIN other_arithmetic "|" other_arithmetic)
if(given MATCHES "-(${other_arithmetic})( |$)")
  message(FATAL_ERROR "CFLAGS hold -${CMAKE_MATCH_1}, which changes results; every build of vlmq gives the same ones: leave it out")
endif()

add_compile_options(-Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith)
add_compile_options(-Wconversion -Wvla -Wundef -Wcast-qual)
if(VLMQ_WERROR)
  add_compile_options(-Werror)
endif()

option(VLMQ_FUZZ "The libFuzzer program of tests/fuzz (clang)" OFF)
if(VLMQ_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
if(VLMQ_SANITIZE)
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
elseif(VLMQ_HARDENING)
  set(CMAKE_POSITION_INDEPENDENT_CODE ON)
  include(CheckPIESupported)
  check_pie_supported(LANGUAGES C)
  add_compile_options(-fstack-protector-strong)
  # FORTIFY needs an optimizer; a level that CFLAGS ask for is taken back first, else it would be defined twice.
  string(REGEX MATCHALL "(^| )-O[^ ]*" levels "${given}")
  list(POP_BACK levels level)
  if(multi_config)
    set(optimized $<NOT:$<CONFIG:Debug>>)
  elseif(NOT level OR level MATCHES "-O0$")
    set(optimized 0)
  else()
    set(optimized 1)
  endif()
  add_compile_options($<${optimized}:-U_FORTIFY_SOURCE> $<${optimized}:-D_FORTIFY_SOURCE=2>)
  add_link_options(-Wl,-z,relro,-z,now -Wl,-z,noexecstack)
endif()

# No folder of this machine in what is built.
add_compile_options(-ffile-prefix-map=${PROJECT_SOURCE_DIR}=. -ffile-prefix-map=${PROJECT_BINARY_DIR}=build)
set(CMAKE_BUILD_RPATH_USE_ORIGIN ON)

# Link-time optimisation through CFLAGS: clang's bitcode needs clang's archiver, gcc says how many jobs it would like.
if(given MATCHES "-flto")
  if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
    add_link_options(-flto=auto)
  elseif(CMAKE_C_COMPILER_AR)
    set(CMAKE_AR ${CMAKE_C_COMPILER_AR})
    set(CMAKE_RANLIB ${CMAKE_C_COMPILER_RANLIB})
  endif()
endif()
