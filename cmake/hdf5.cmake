# HDF5, the serial C library.
pkg_search_module(HDF5 REQUIRED IMPORTED_TARGET hdf5 hdf5-serial)
add_library(vlmq-hdf5 INTERFACE)
target_link_libraries(vlmq-hdf5 INTERFACE PkgConfig::HDF5)
