/* NumPy's .npy arrays and .npz archives. Files are untrusted: every size is checked against the bytes that are there. */
#ifndef VLM_CALIB_NPY_H
#define VLM_CALIB_NPY_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/base/tensor.h"

/* Reads one array, format 1.0, 2.0 or 3.0, of either byte order: bool, int8 to int64, uint8 to uint64, float16, float32, float64. Fortran order is
 * transposed into row-major. Anything else (complex, text, objects, records) is refused by name.
 * out->data is new memory: free with vlm_free(out->data). */
vlm_status vlm_npy_read(vlm_tensor *out, const char *path, vlm_error *err);
/* The same from memory; `name` stands in messages. Bytes after the array are an error. */
vlm_status vlm_npy_decode(vlm_tensor *out, const void *data, size_t bytes, const char *name, vlm_error *err);
/* Writes format 1.0 through vlm_writer. bfloat16 and smaller floats become float32,
 * integers of 2 and 4 bits become int8 and uint8: NumPy does not have them. */
vlm_status vlm_npy_write(const vlm_tensor *tensor, const char *path, vlm_error *err);

/* An .npz archive: a zip file, entries stored or deflated, zip64 included. Reading different entries from several threads is fine. */
typedef struct vlm_npz vlm_npz;
vlm_status vlm_npz_open(vlm_npz **out, const char *path, vlm_error *err);
void vlm_npz_free(vlm_npz *npz);
/* Entries in the order of the archive; the name is without ".npy". */
size_t vlm_npz_count(const vlm_npz *npz);
const char *vlm_npz_name(const vlm_npz *npz, size_t index);
/* Archives hold other files too (README.txt, __MACOSX/): those have no ".npy". */
bool vlm_npz_is_array(const vlm_npz *npz, size_t index);
/* out->data is new memory: free with vlm_free(out->data). */
vlm_status vlm_npz_read(vlm_tensor *out, const vlm_npz *npz, size_t index, vlm_error *err);

#endif
