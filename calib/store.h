/* The HDF5 store of docs/statistics.md: what its writer and its reader share. Only store*.[ch] use HDF5. */
#ifndef VLM_CALIB_STORE_H
#define VLM_CALIB_STORE_H

#include <hdf5.h>

#include "runtime/base/status.h"

#define VLM_STORE_FORMAT "vlmq-statistics"
enum { VLM_STORE_VERSION = 1, VLM_STORE_DIGEST_TEXT = 33, VLM_STORE_MAX_TEXT = 4096, VLM_STORE_MAX_ROWS = 1 << 20 };

/* Every scalar and small-vector field of a tensor: X(dataset, HDF5 file type, HDF5 memory type, member, values per row). */
#define VLM_STORE_FIELDS(X)                                                  \
  X("runs", H5T_STD_I64LE, H5T_NATIVE_INT64, runs, 1)                        \
  X("count", H5T_STD_I64LE, H5T_NATIVE_INT64, count, 1)                      \
  X("not_finite", H5T_STD_I64LE, H5T_NATIVE_INT64, not_finite, 1)            \
  X("min", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, min, 1)                         \
  X("max", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, max, 1)                         \
  X("exponent", H5T_STD_I64LE, H5T_NATIVE_INT32, histogram.exponent, 1)      \
  X("channel_axis", H5T_STD_I64LE, H5T_NATIVE_INT32, channel_axis, 1)        \
  X("channels", H5T_STD_I64LE, H5T_NATIVE_INT32, channels, 1)                \
  X("channel_count", H5T_STD_I64LE, H5T_NATIVE_INT64, channel_count, 1)      \
  X("kind_min", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, kind_min, VLM_TOKEN_KINDS) \
  X("kind_max", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, kind_max, VLM_TOKEN_KINDS) \
  X("kind_count", H5T_STD_I64LE, H5T_NATIVE_INT64, kind_count, VLM_TOKEN_KINDS)

/* Fields that files of before lack; they are zero then. */
#define VLM_STORE_LATER_FIELDS(X) X("rows", H5T_STD_I64LE, H5T_NATIVE_INT64, rows, VLM_ROW_BINS)

typedef struct vlm_stats_file {
  hid_t file;
  const char *path;
  size_t bytes; /* of the file, when reading */
  vlm_error *err;
} vlm_stats_file;

/* HDF5 crashes in its exit handler after a write failed (full disk); every file is closed here, so the handler has nothing to do. */
void vlm_store_start(void);
/* The type of a text of that many bytes, filled with zeros. Close with H5Tclose. */
hid_t vlm_store_text_type(size_t bytes);

#endif
