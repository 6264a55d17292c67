/* The HDF5 store of docs/statistics.md: what its writer and its reader share. Only store*.[ch] use HDF5. */
#ifndef VLM_CALIB_STORE_H
#define VLM_CALIB_STORE_H

#include <hdf5.h>

#include "calib/kept.h"
#include "runtime/base/status.h"

#define VLM_STORE_FORMAT "vlmq-statistics"
enum {
  VLM_STORE_VERSION = 1,
  VLM_STORE_DIGEST_TEXT = 33,
  VLM_STORE_MAX_TEXT = 4096,
  VLM_STORE_MAX_ROWS = 1 << 20
};

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

/* ---- store_write.c ---- */

vlm_status vlm_store_put(const vlm_stats_file *s, const char *name, hid_t file_type, hid_t memory_type,
                         hsize_t rows, hsize_t width, const void *data);
vlm_status vlm_store_put_group(const vlm_stats_file *s, const char *name);
vlm_status vlm_store_put_text_attribute(const vlm_stats_file *s, const char *name, const char *text);
typedef const char *vlm_store_text_at(const void *owner, int32_t row, char digest[VLM_STORE_DIGEST_TEXT]);
vlm_status vlm_store_put_texts(const vlm_stats_file *s, const char *name, vlm_store_text_at *get,
                               const void *owner, int32_t rows);

/* ---- store_read.c ---- */

typedef struct vlm_store_texts {
  char *block;
  size_t width;
} vlm_store_texts;

/* VLM_INPUT: the file is not what calibration writes. */
vlm_status vlm_store_broken(const vlm_stats_file *s, const char *what);
/* Memory follows the size of the file: compressed rows of nothing must not fill it. */
vlm_status vlm_store_affordable(const vlm_stats_file *s, size_t rows, size_t bytes, const char *what);
/* Reads a dataset whose shape must be rows x width exactly. */
vlm_status vlm_store_get(const vlm_stats_file *s, const char *name, hid_t memory_type, hsize_t rows,
                         hsize_t width, void *data);
vlm_status vlm_store_count_rows(const vlm_stats_file *s, const char *name, int32_t *rows);
/* Free the block with vlm_free. */
vlm_status vlm_store_get_texts(const vlm_stats_file *s, const char *name, int32_t rows, vlm_store_texts *out);
const char *vlm_store_text_row(const vlm_store_texts *texts, int32_t row);
vlm_status vlm_store_get_text_attribute(const vlm_stats_file *s, const char *name, char **out);
bool vlm_store_parse_digest(vlm_digest *out, const char *text);

/* ---- store_kept.c ---- */

vlm_status vlm_store_put_kept(const vlm_stats_file *s, const vlm_kept_list *list);
vlm_status vlm_store_get_kept(const vlm_stats_file *s, vlm_kept_list *list);

/* ---- store.c ---- */

/* HDF5 crashes in its exit handler after a write failed (full disk); every file is closed here, so the handler has nothing to do. */
void vlm_store_start(void);
/* The type of a text of that many bytes, filled with zeros. Close with H5Tclose. */
hid_t vlm_store_text_type(size_t bytes);

#endif
