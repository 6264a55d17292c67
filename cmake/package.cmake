# Debian packages by CPack: `cpack --config BUILD/CPackConfig.cmake` writes vlmq (programs, manual pages, completion), libvlmq1 (shared
# libraries) and libvlmq-dev, and scripts/sbom.sh what is in them as SPDX. tests/package.sh installs and runs them.
if(VLMQ_RUNTIME_ONLY)
  return()
endif()
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME vlmq)
set(CPACK_PACKAGE_VENDOR "the vlmq authors")
set(VLMQ_MAINTAINER "the vlmq authors <authors@vlmq.invalid>" CACHE STRING "Name and address of who publishes the packages")
set(CPACK_PACKAGE_CONTACT ${VLMQ_MAINTAINER})
set(CPACK_PACKAGE_DIRECTORY ${PROJECT_BINARY_DIR}/packages)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_COMPONENTS_ALL tools lib dev)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${PROJECT_BINARY_DIR})
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS_POLICY ">=")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_TOOLS_PACKAGE_NAME vlmq)
set(CPACK_DEBIAN_TOOLS_PACKAGE_SECTION science)
set(CPACK_DEBIAN_LIB_PACKAGE_NAME libvlmq1)
set(CPACK_DEBIAN_LIB_PACKAGE_SECTION libs)
set(CPACK_DEBIAN_DEV_PACKAGE_NAME libvlmq-dev)
set(CPACK_DEBIAN_DEV_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEV_PACKAGE_DEPENDS "libvlmq1 (= ${PROJECT_VERSION}), libjansson-dev, libpcre2-dev, libutf8proc-dev, libzstd-dev, libprotobuf-c-dev")
set(CPACK_DEBIAN_TOOLS_DESCRIPTION "INT8 quantization of vision-language models
 Programs that calibrate, quantize, evaluate and run ONNX graphs of
 vision-language models as one packed file, offline.")
set(CPACK_DEBIAN_LIB_DESCRIPTION "runtime for packed vision-language models
 Shared libraries that run .vlmq files and, the larger one, ONNX graphs.")
set(CPACK_DEBIAN_DEV_DESCRIPTION "runtime for packed vision-language models: development
 Headers, static libraries, CMake and pkg-config files of libvlmq1.")

# What Debian wants beside the files: changelog and copyright, the same bytes on every day.
set(debian ${PROJECT_BINARY_DIR}/debian)
file(WRITE ${debian}/copyright "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: vlmq

Files: *
Copyright: 2026 the vlmq authors
License: Apache-2.0
 On Debian systems the text of the Apache License, version 2.0, is in
 /usr/share/common-licenses/Apache-2.0.
")
foreach(package vlmq libvlmq1 libvlmq-dev)
  file(WRITE ${debian}/${package}/changelog "${package} (${PROJECT_VERSION}) unstable; urgency=medium

  * See CHANGELOG.md of the sources.

 -- ${VLMQ_MAINTAINER}  Tue, 01 Dec 2026 00:00:00 +0000
")
  execute_process(COMMAND gzip -9nkf ${debian}/${package}/changelog)
endforeach()
foreach(pair tools:vlmq lib:libvlmq1 dev:libvlmq-dev)
  string(REPLACE ":" ";" pair ${pair})
  list(GET pair 0 component)
  list(GET pair 1 package)
  install(FILES ${debian}/copyright ${debian}/${package}/changelog.gz DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/${package} COMPONENT ${component}
          EXCLUDE_FROM_ALL)
endforeach()
# Manual pages are compressed in packages alone; libraries are entered into the linker's cache.
file(WRITE ${debian}/triggers "activate-noawait ldconfig\n")
set(CPACK_DEBIAN_LIB_PACKAGE_CONTROL_EXTRA ${debian}/triggers)
file(WRITE ${debian}/compress.cmake "file(GLOB_RECURSE pages \${CPACK_TEMPORARY_INSTALL_DIRECTORY}/*/man1/*.1)
if(pages)
  execute_process(COMMAND gzip -9nf \${pages} COMMAND_ERROR_IS_FATAL ANY)
endif()
")
set(CPACK_PRE_BUILD_SCRIPTS ${debian}/compress.cmake)
include(CPack)
