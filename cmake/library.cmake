# The libraries that programs link: libvlmq-runtime (what ships on a device, packed files only) and libvlmq (everything), each static and
# shared, from the objects of the layers; and what cmake --install puts where.
#   targets  vlmq::runtime vlmq::runtime-static vlmq::vlmq vlmq::vlmq-static; in this build without "vlmq::" they are vlmq-runtime and so on
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

file(GLOB VLMQ_PUBLIC_HEADERS CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/include/vlmq/*.h)

# The number of the interface stands in one place, the header; the public symbols are those that the headers declare.
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${VLMQ_PUBLIC_HEADERS})
file(STRINGS ${PROJECT_SOURCE_DIR}/include/vlmq/base.h VLMQ_ABI REGEX "^#define VLMQ_ABI_VERSION [0-9]+")
string(REGEX REPLACE ".* " "" VLMQ_ABI "${VLMQ_ABI}")
set(VLMQ_SYMBOLS "")
foreach(header ${VLMQ_PUBLIC_HEADERS})
  file(STRINGS ${header} lines REGEX "^VLM_API ")
  foreach(line ${lines})
    string(REGEX REPLACE "^VLM_API [^(]*[ *](vlm_[a-z0-9_]+)\\(.*" "\\1" symbol "${line}")
    string(APPEND VLMQ_SYMBOLS "    ${symbol};\n")
  endforeach()
endforeach()
file(WRITE ${PROJECT_BINARY_DIR}/vlmq.map.new "{\n  global:\n${VLMQ_SYMBOLS}  local:\n    *;\n};\n")
configure_file(${PROJECT_BINARY_DIR}/vlmq.map.new ${PROJECT_BINARY_DIR}/vlmq.map COPYONLY)

# The archive holds one object in which all but the public symbols are local: no name of ours, or of the generated reader, can clash with
# one of the program's. Where objects are no machine code (-flto), they go in as they are.
function(vlmq_archive_objects out name)
  set(${out} ${ARGN} PARENT_SCOPE)
  if("${CMAKE_C_FLAGS} ${CMAKE_C_FLAGS_${CMAKE_BUILD_TYPE}}" MATCHES "-flto" OR NOT CMAKE_OBJCOPY)
    return()
  endif()
  set(joined ${PROJECT_BINARY_DIR}/${name}-joined.o)
  add_custom_command(OUTPUT ${joined} DEPENDS ${ARGN} COMMAND_EXPAND_LISTS VERBATIM
    COMMAND ${CMAKE_LINKER} -r -o ${joined} ${ARGN}
    COMMAND ${CMAKE_OBJCOPY} --localize-hidden ${joined}
    COMMENT "Joining ${name}")
  set_source_files_properties(${joined} PROPERTIES EXTERNAL_OBJECT ON GENERATED ON)
  set(${out} ${joined} PARENT_SCOPE)
endfunction()

# vlmq_library(NAME LAYERS... [LINK LIBRARIES...]): NAME is that of the files; LIBRARIES are those of the system.
# Relative relocations, most of them in the tables of operators, take a bit each instead of 24 bytes where the linker can.
include(CheckCSourceCompiles)
set(CMAKE_REQUIRED_LINK_OPTIONS -Wl,--fatal-warnings -Wl,-z,pack-relative-relocs) # in this order: it warns when it reads it
check_c_source_compiles("int main(void) { return 0; }" VLMQ_PACKED_RELOCATIONS)
unset(CMAKE_REQUIRED_LINK_OPTIONS)

function(vlmq_library name)
  cmake_parse_arguments(PARSE_ARGV 1 it "" "" "LAYERS;LINK")
  set(objects "")
  foreach(layer ${it_LAYERS})
    list(APPEND objects $<TARGET_OBJECTS:${layer}>)
  endforeach()
  add_library(${name} SHARED ${objects})
  vlmq_archive_objects(archived ${name} ${objects})
  add_library(${name}-static STATIC ${archived})
  add_dependencies(${name}-static ${it_LAYERS}) # make knows the objects by the targets that compile them alone
  set_target_properties(${name} PROPERTIES VERSION ${PROJECT_VERSION} SOVERSION ${VLMQ_ABI} LINKER_LANGUAGE C
    LINK_DEPENDS ${PROJECT_BINARY_DIR}/vlmq.map)
  set_target_properties(${name}-static PROPERTIES OUTPUT_NAME ${name} LINKER_LANGUAGE C)
  target_link_libraries(${name} PRIVATE ${it_LINK})
  target_link_libraries(${name}-static PRIVATE ${it_LINK})
  target_link_options(${name} PRIVATE "-Wl,--version-script=${PROJECT_BINARY_DIR}/vlmq.map" -Wl,--gc-sections -Wl,--as-needed -Wl,-z,defs)
  if(VLMQ_PACKED_RELOCATIONS)
    target_link_options(${name} PRIVATE -Wl,-z,pack-relative-relocs)
  endif()
  foreach(target ${name} ${name}-static)
    string(REGEX REPLACE "^vlmq-(runtime)" "\\1" export ${target})
    set_target_properties(${target} PROPERTIES EXPORT_NAME ${export})
    add_library(vlmq::${export} ALIAS ${target})
    target_include_directories(${target} INTERFACE $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  endforeach()
endfunction()

set(VLMQ_RUNTIME_LAYERS vlmq-base vlmq-kernels vlmq-graph vlmq-ops vlmq-lower vlmq-exec vlmq-text vlmq-image vlmq-bundle vlmq-decode vlmq-pack
  vlmq-face)
set(VLMQ_RUNTIME_LINK PkgConfig::JANSSON PkgConfig::PCRE2 PkgConfig::UTF8PROC PkgConfig::ZSTD Threads::Threads m)
vlmq_library(vlmq-runtime LAYERS ${VLMQ_RUNTIME_LAYERS} vlmq-face-packed LINK ${VLMQ_RUNTIME_LINK})
set(VLMQ_TARGETS vlmq-runtime vlmq-runtime-static)
if(NOT VLMQ_RUNTIME_ONLY)
  vlmq_library(vlmq LAYERS ${VLMQ_RUNTIME_LAYERS} ${VLMQ_TOOL_LAYERS} vlmq-face-any LINK ${VLMQ_RUNTIME_LINK} ${VLMQ_TOOL_LINK})
  list(APPEND VLMQ_TARGETS vlmq vlmq-static)
endif()

# ---- install ----

set(VLMQ_PACKAGE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/vlmq)
install(FILES ${VLMQ_PUBLIC_HEADERS} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/vlmq COMPONENT dev)
if(VLMQ_PROGRAMS)
  install(TARGETS ${VLMQ_PROGRAMS} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT tools)
endif()

# One export file per component, so that the runtime's has nothing of the tools.
foreach(name vlmq-runtime vlmq)
  if(TARGET ${name})
    install(TARGETS ${name} EXPORT ${name}-targets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT lib NAMELINK_COMPONENT dev)
    install(TARGETS ${name}-static EXPORT ${name}-static-targets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT dev)
    install(EXPORT ${name}-targets NAMESPACE vlmq:: DESTINATION ${VLMQ_PACKAGE_DIR} COMPONENT dev)
    install(EXPORT ${name}-static-targets NAMESPACE vlmq:: DESTINATION ${VLMQ_PACKAGE_DIR} COMPONENT dev)
  endif()
endforeach()
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/vlmq-config.cmake.in ${PROJECT_BINARY_DIR}/vlmq-config.cmake
  INSTALL_DESTINATION ${VLMQ_PACKAGE_DIR})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/vlmq-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/vlmq-config.cmake ${PROJECT_BINARY_DIR}/vlmq-config-version.cmake DESTINATION ${VLMQ_PACKAGE_DIR} COMPONENT dev)

# pkg-config files find the prefix from their own place, so that cmake --install --prefix and moved trees work. What the archive needs
# stands in Libs.private by name: who links the shared library needs no .pc file of anybody else.
file(RELATIVE_PATH VLMQ_UP "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/")
string(REGEX REPLACE "/$" "" VLMQ_UP "${VLMQ_UP}")
function(vlmq_pkgconfig name description libs)
  set(file "prefix=\${pcfiledir}/${VLMQ_UP}\nincludedir=\${prefix}/${CMAKE_INSTALL_INCLUDEDIR}\nlibdir=\${prefix}/${CMAKE_INSTALL_LIBDIR}\n\n")
  string(APPEND file "Name: ${name}\nDescription: ${description}\nVersion: ${PROJECT_VERSION}\n")
  string(APPEND file "Libs: -L\${libdir} -l${name}\nLibs.private: ${libs}\nCflags: -I\${includedir}\n")
  file(WRITE ${PROJECT_BINARY_DIR}/${name}.pc "${file}")
  install(FILES ${PROJECT_BINARY_DIR}/${name}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT dev)
endfunction()
set(VLMQ_RUNTIME_LIBS "-ljansson -lpcre2-8 -lutf8proc -lzstd -lm -pthread")
vlmq_pkgconfig(vlmq-runtime "Runs packed vision-language models (.vlmq)" "${VLMQ_RUNTIME_LIBS}")
if(NOT VLMQ_RUNTIME_ONLY)
  vlmq_pkgconfig(vlmq "Runs vision-language models: packed files, ONNX files, folders of them" "${VLMQ_TOOL_LIBS} ${VLMQ_RUNTIME_LIBS}")
endif()
