# Toolchain: AArch64 Linux, built on another machine.
#   cmake -S . -B build/aarch64 -DCMAKE_TOOLCHAIN_FILE=cmake/aarch64.cmake [-DVLMQ_SYSROOT=FOLDER]
# VLMQ_SYSROOT is a folder with the libraries as Debian lays them out (scripts/sysroot.sh makes one); without it those of
# the machine itself are taken (dpkg --add-architecture arm64). With qemu-aarch64 here, programs and tests run in it.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(VLMQ_TRIPLET aarch64-linux-gnu)
if(NOT CMAKE_C_COMPILER)
  set(CMAKE_C_COMPILER ${VLMQ_TRIPLET}-gcc)
endif()
if(CMAKE_C_COMPILER MATCHES "clang")
  set(CMAKE_C_COMPILER_TARGET ${VLMQ_TRIPLET})
endif()

set(VLMQ_SYSROOT "" CACHE PATH "Folder with the libraries of the target, laid out as Debian does")
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES VLMQ_SYSROOT)
set(CMAKE_FIND_ROOT_PATH ${VLMQ_SYSROOT} /usr/${VLMQ_TRIPLET})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(CMAKE_LIBRARY_ARCHITECTURE ${VLMQ_TRIPLET})

# pkg-config knows the target's files only.
set(ENV{PKG_CONFIG_DIR} "")
set(ENV{PKG_CONFIG_LIBDIR} "${VLMQ_SYSROOT}/usr/lib/${VLMQ_TRIPLET}/pkgconfig:${VLMQ_SYSROOT}/usr/share/pkgconfig")
set(ENV{PKG_CONFIG_SYSROOT_DIR} "${VLMQ_SYSROOT}")

set(vlmq_emulator_paths -L /usr/${VLMQ_TRIPLET})
if(VLMQ_SYSROOT)
  set(CMAKE_C_FLAGS_INIT "-isystem ${VLMQ_SYSROOT}/usr/include/${VLMQ_TRIPLET}")
  set(vlmq_libraries ${VLMQ_SYSROOT}/usr/lib/${VLMQ_TRIPLET})
  # Libraries of libraries are found by rpath-link.
  set(CMAKE_EXE_LINKER_FLAGS_INIT "-Wl,-rpath-link,${vlmq_libraries}:${VLMQ_SYSROOT}/lib/${VLMQ_TRIPLET}")
  set(CMAKE_SHARED_LINKER_FLAGS_INIT ${CMAKE_EXE_LINKER_FLAGS_INIT})
  list(APPEND vlmq_emulator_paths -E LD_LIBRARY_PATH=${vlmq_libraries}:${VLMQ_SYSROOT}/lib/${VLMQ_TRIPLET})
endif()
find_program(VLMQ_EMULATOR qemu-aarch64)
if(VLMQ_EMULATOR)
  set(CMAKE_CROSSCOMPILING_EMULATOR ${VLMQ_EMULATOR} ${vlmq_emulator_paths})
endif()
