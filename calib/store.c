/* The HDF5 store of docs/statistics.md; the one user of HDF5. */
#include <hdf5.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "calib/accumulate_parts.h"
#include "calib/stats.h"
#include "runtime/base/file.h"
#include "runtime/base/memory.h"

enum { VERSION = 1, DIGEST_TEXT = 33, MAX_TEXT = 4096, MAX_ROWS = 1 << 20 };
static const char FORMAT[] = "vlmq-statistics";
static const char TOOL[] = "0.1.0";

/* Every scalar and small-vector field of a tensor: X(dataset, HDF5 file type, HDF5 memory type, member, values per row). */
#define FIELDS(X)                                                             \
  X("runs", H5T_STD_I64LE, H5T_NATIVE_INT64, runs, 1)                         \
  X("count", H5T_STD_I64LE, H5T_NATIVE_INT64, count, 1)                       \
  X("not_finite", H5T_STD_I64LE, H5T_NATIVE_INT64, not_finite, 1)             \
  X("min", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, min, 1)                          \
  X("max", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, max, 1)                          \
  X("exponent", H5T_STD_I64LE, H5T_NATIVE_INT32, histogram.exponent, 1)       \
  X("channel_axis", H5T_STD_I64LE, H5T_NATIVE_INT32, channel_axis, 1)         \
  X("channels", H5T_STD_I64LE, H5T_NATIVE_INT32, channels, 1)                 \
  X("channel_count", H5T_STD_I64LE, H5T_NATIVE_INT64, channel_count, 1)       \
  X("kind_min", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, kind_min, VLM_TOKEN_KINDS)  \
  X("kind_max", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, kind_max, VLM_TOKEN_KINDS)  \
  X("kind_count", H5T_STD_I64LE, H5T_NATIVE_INT64, kind_count, VLM_TOKEN_KINDS)

typedef struct {
  hid_t file;
  const char *path;
  vlm_error *err;
} store;

static vlm_status broken(const store *s, const char *what) {
  return vlm_fail(s->err, VLM_INPUT, "%s: is no readable statistics file: %s; write it anew with vlm-calibrate", s->path, what);
}

static vlm_status not_written(const store *s, const char *what) {
  return vlm_fail(s->err, VLM_IO, "%s: %s cannot be written (is the disk full?)", s->path, what);
}

/* ---- writing ---- */

static hid_t text_type(size_t bytes) {
  hid_t type = H5Tcopy(H5T_C_S1);
  H5Tset_size(type, bytes);
  H5Tset_strpad(type, H5T_STR_NULLPAD);
  return type;
}

static vlm_status put_attribute(const store *s, const char *name, hid_t file_type, hid_t memory_type, const void *data) {
  hid_t space = H5Screate(H5S_SCALAR);
  hid_t attribute = H5Acreate2(s->file, name, file_type, space, H5P_DEFAULT, H5P_DEFAULT);
  bool fine = attribute >= 0 && H5Awrite(attribute, memory_type, data) >= 0;
  if (attribute >= 0) fine &= H5Aclose(attribute) >= 0;
  H5Sclose(space);
  return fine ? VLM_OK : not_written(s, name);
}

static vlm_status put_text_attribute(const store *s, const char *name, const char *text) {
  hid_t type = text_type(strlen(text) + 1);
  vlm_status st = put_attribute(s, name, type, type, text);
  H5Tclose(type);
  return st;
}

static vlm_status put(const store *s, const char *name, hid_t file_type, hid_t memory_type, hsize_t rows, hsize_t width, const void *data) {
  hsize_t dims[2] = {rows, width};
  hid_t space = H5Screate_simple(width > 1 ? 2 : 1, dims, NULL), options = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_obj_track_times(options, false);
  hid_t set = H5Dcreate2(s->file, name, file_type, space, H5P_DEFAULT, options, H5P_DEFAULT);
  bool fine = set >= 0 && (rows == 0 || H5Dwrite(set, memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) >= 0);
  if (set >= 0) fine &= H5Dclose(set) >= 0;
  H5Pclose(options);
  H5Sclose(space);
  return fine ? VLM_OK : not_written(s, name);
}

/* Histograms, one compressed chunk per tensor, written row by row: the file does not need to be in memory. */
static vlm_status put_histograms(const store *s, const vlm_stats *stats) {
  hsize_t rows = (hsize_t)vlm_stats_count(stats), dims[2] = {rows, VLM_HISTOGRAM_BINS}, one[2] = {1, VLM_HISTOGRAM_BINS};
  hid_t space = H5Screate_simple(2, dims, NULL), row_space = H5Screate_simple(2, one, NULL), options = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_obj_track_times(options, false);
  if (rows) { /* filters need chunks, and chunks a row */
    H5Pset_chunk(options, 2, one);
    H5Pset_shuffle(options);
    H5Pset_deflate(options, 4);
  }
  hid_t set = H5Dcreate2(s->file, "/tensors/histogram", H5T_STD_I64LE, space, H5P_DEFAULT, options, H5P_DEFAULT);
  bool fine = set >= 0;
  for (hsize_t i = 0; fine && i < rows; i++) {
    const hsize_t start[2] = {i, 0};
    fine = H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, one, NULL) >= 0 &&
           H5Dwrite(set, H5T_NATIVE_INT64, row_space, space, H5P_DEFAULT, vlm_stats_at(stats, (int32_t)i)->histogram.bins) >= 0;
  }
  if (set >= 0) fine &= H5Dclose(set) >= 0;
  H5Pclose(options);
  H5Sclose(row_space);
  H5Sclose(space);
  return fine ? VLM_OK : not_written(s, "/tensors/histogram");
}

static vlm_status put_group(const store *s, const char *name) {
  hid_t options = H5Pcreate(H5P_GROUP_CREATE);
  H5Pset_obj_track_times(options, false);
  hid_t group = H5Gcreate2(s->file, name, H5P_DEFAULT, options, H5P_DEFAULT);
  H5Pclose(options);
  if (group < 0) return not_written(s, name);
  H5Gclose(group);
  return VLM_OK;
}

typedef const char *text_at(const void *owner, int32_t row, char digest[DIGEST_TEXT]);

static const char *tensor_graph(const void *o, int32_t i, char d[DIGEST_TEXT]) { return (void)d, vlm_stats_at(o, i)->graph; }
static const char *tensor_name(const void *o, int32_t i, char d[DIGEST_TEXT]) { return (void)d, vlm_stats_at(o, i)->name; }
static const char *tensor_low(const void *o, int32_t i, char d[DIGEST_TEXT]) { return vlm_digest_text(vlm_stats_at(o, i)->widest_low, d); }
static const char *tensor_high(const void *o, int32_t i, char d[DIGEST_TEXT]) { return vlm_digest_text(vlm_stats_at(o, i)->widest_high, d); }
static const char *sample_digest(const void *o, int32_t i, char d[DIGEST_TEXT]) { return vlm_digest_text(vlm_stats_sample(o, i, NULL), d); }
static const char *sample_name(const void *o, int32_t i, char d[DIGEST_TEXT]) {
  const char *name;
  (void)d;
  vlm_stats_sample(o, i, &name);
  return name;
}

static vlm_status put_texts(const store *s, const char *name, text_at *get, const void *owner, int32_t rows) {
  vlm_status st = VLM_OK;
  char digest[DIGEST_TEXT];
  void *block = NULL;
  size_t width = 1;
  for (int32_t i = 0; i < rows; i++) {
    size_t n = strlen(get(owner, i, digest)) + 1;
    width = n > width ? n : width;
  }
  VLM_TRY(vlm_alloc(&block, (size_t)rows, width, s->err));
  for (int32_t i = 0; i < rows; i++) strcpy((char *)block + (size_t)i * width, get(owner, i, digest));
  hid_t type = text_type(width);
  st = put(s, name, type, type, (hsize_t)rows, 1, block);
  H5Tclose(type);
out:
  vlm_free(block);
  return st;
}

/* One member of every tensor, gathered into a column. */
static vlm_status put_field(const store *s, const vlm_stats *stats, const char *name, hid_t file_type, hid_t memory_type, size_t offset, size_t bytes, hsize_t width) {
  vlm_status st = VLM_OK;
  char path[64];
  void *column = NULL;
  int32_t rows = vlm_stats_count(stats);
  snprintf(path, sizeof path, "/tensors/%s", name);
  VLM_TRY(vlm_alloc(&column, (size_t)rows, bytes, s->err));
  for (int32_t i = 0; i < rows; i++) memcpy((char *)column + (size_t)i * bytes, (const char *)vlm_stats_at(stats, i) + offset, bytes);
  VLM_TRY(put(s, path, file_type, memory_type, (hsize_t)rows, width, column));
out:
  vlm_free(column);
  return st;
}

static vlm_status put_tensors(const store *s, const vlm_stats *stats) {
  vlm_status st = VLM_OK;
  int32_t rows = vlm_stats_count(stats);
  VLM_TRY(put_group(s, "/tensors"));
  VLM_TRY(put_texts(s, "/tensors/graph", tensor_graph, stats, rows));
  VLM_TRY(put_texts(s, "/tensors/name", tensor_name, stats, rows));
#define X(name, file_type, memory_type, member, width)                                                                                       \
  VLM_TRY(put_field(s, stats, name, file_type, memory_type, offsetof(vlm_tensor_stats, member), sizeof(((vlm_tensor_stats *)0)->member), width));
  FIELDS(X)
#undef X
  VLM_TRY(put_texts(s, "/tensors/widest_low", tensor_low, stats, rows));
  VLM_TRY(put_texts(s, "/tensors/widest_high", tensor_high, stats, rows));
  VLM_TRY(put_histograms(s, stats));
out:
  return st;
}

static size_t all_channels(const vlm_stats *stats) {
  size_t n = 0;
  for (int32_t i = 0; i < vlm_stats_count(stats); i++)
    if (vlm_stats_at(stats, i)->channels > 0) n += (size_t)vlm_stats_at(stats, i)->channels;
  return n;
}

static vlm_status put_channels(const store *s, const vlm_stats *stats) {
  vlm_status st = VLM_OK;
  size_t n = all_channels(stats), at = 0;
  float *low = NULL, *high = NULL;
  vlm_sum128 *sum = NULL;
  VLM_TRY(put_group(s, "/channels"));
  VLM_TRY(vlm_new(&low, n, s->err));
  VLM_TRY(vlm_new(&high, n, s->err));
  VLM_TRY(vlm_new(&sum, n, s->err));
  for (int32_t i = 0; i < vlm_stats_count(stats); i++) {
    const vlm_tensor_stats *t = vlm_stats_at(stats, i);
    size_t c = t->channels > 0 ? (size_t)t->channels : 0;
    if (c) {
      memcpy(low + at, t->channel_min, c * sizeof *low);
      memcpy(high + at, t->channel_max, c * sizeof *high);
      memcpy(sum + at, t->channel_sum, c * sizeof *sum);
    }
    at += c;
  }
  VLM_TRY(put(s, "/channels/min", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, n, 1, low));
  VLM_TRY(put(s, "/channels/max", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, n, 1, high));
  VLM_TRY(put(s, "/channels/sum", H5T_STD_I64LE, H5T_NATIVE_INT64, n, 2, sum));
out:
  vlm_free(low);
  vlm_free(high);
  vlm_free(sum);
  return st;
}

static vlm_status put_all(const store *s, const vlm_stats *stats) {
  vlm_status st = VLM_OK;
  char text[DIGEST_TEXT];
  const int64_t version = VERSION;
  VLM_TRY(put_text_attribute(s, "format", FORMAT));
  VLM_TRY(put_attribute(s, "version", H5T_STD_I64LE, H5T_NATIVE_INT64, &version));
  VLM_TRY(put_text_attribute(s, "model", vlm_digest_text(vlm_stats_model(stats), text)));
  VLM_TRY(put_text_attribute(s, "preprocess", vlm_stats_preprocess(stats)));
  VLM_TRY(put_text_attribute(s, "tool", TOOL));
  VLM_TRY(put_text_attribute(s, "digest", vlm_digest_text(vlm_stats_digest(stats), text)));
  VLM_TRY(put_group(s, "/samples"));
  VLM_TRY(put_texts(s, "/samples/digest", sample_digest, stats, vlm_stats_samples(stats)));
  VLM_TRY(put_texts(s, "/samples/name", sample_name, stats, vlm_stats_samples(stats)));
  VLM_TRY(put_tensors(s, stats));
  VLM_TRY(put_channels(s, stats));
out:
  return st;
}

/* HDF5 crashes in its exit handler after a write failed (full disk); every file is closed here, so the handler has nothing to do. */
static void start_library(void) {
  H5dont_atexit();
  H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
}

vlm_status vlm_stats_save(const vlm_stats *stats, const char *path, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_writer *w = NULL;
  store s = {.file = -1, .path = path, .err = err};
  start_library();
  VLM_TRY(vlm_writer_open(&w, path, err));
  hid_t creation = H5Pcreate(H5P_FILE_CREATE), access = H5Pcreate(H5P_FILE_ACCESS);
  H5Pset_obj_track_times(creation, false);
  H5Pset_libver_bounds(access, H5F_LIBVER_V18, H5F_LIBVER_V18);
  s.file = H5Fcreate(vlm_writer_path(w), H5F_ACC_TRUNC, creation, access);
  H5Pclose(creation);
  H5Pclose(access);
  VLM_CHECK(s.file >= 0, err, VLM_IO, "%s: cannot be written", path);
  VLM_TRY(put_all(&s, stats));
  herr_t closed = H5Fclose(s.file);
  s.file = -1;
  VLM_CHECK(closed >= 0, err, VLM_IO, "%s: cannot be written (is the disk full?)", path);
  VLM_TRY(vlm_writer_commit(w, err));
out:
  if (s.file >= 0) H5Fclose(s.file);
  vlm_writer_free(w);
  return st;
}

/* ---- reading ---- */

static vlm_status get_text_attribute(const store *s, const char *name, char **out) {
  vlm_status st = VLM_OK;
  hid_t attribute = H5Aopen(s->file, name, H5P_DEFAULT), type = attribute >= 0 ? H5Aget_type(attribute) : -1;
  *out = NULL;
  bool fine = type >= 0 && H5Tget_class(type) == H5T_STRING && !H5Tis_variable_str(type) && H5Tget_size(type) <= (1u << 20);
  if (fine) st = vlm_new(out, H5Tget_size(type) + 1, s->err);
  if (fine && st == VLM_OK) fine = H5Aread(attribute, type, *out) >= 0;
  if (type >= 0) H5Tclose(type);
  if (attribute >= 0) H5Aclose(attribute);
  return st != VLM_OK ? st : fine ? VLM_OK : broken(s, name);
}

/* Reads a dataset whose shape must be rows x width exactly. */
static vlm_status get(const store *s, const char *name, hid_t memory_type, hsize_t rows, hsize_t width, void *data) {
  hsize_t dims[2] = {0, 1};
  hid_t set = H5Dopen2(s->file, name, H5P_DEFAULT), space = set >= 0 ? H5Dget_space(set) : -1;
  int rank = space >= 0 ? H5Sget_simple_extent_ndims(space) : 0;
  bool fine = (rank == 1 || rank == 2) && H5Sget_simple_extent_dims(space, dims, NULL) == rank && dims[0] == rows && dims[1] == width;
  if (fine && rows) fine = H5Dread(set, memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) >= 0;
  if (space >= 0) H5Sclose(space);
  if (set >= 0) H5Dclose(set);
  return fine ? VLM_OK : broken(s, name);
}

static vlm_status count_rows(const store *s, const char *name, int32_t *rows) {
  hsize_t dims[1] = {0};
  hid_t set = H5Dopen2(s->file, name, H5P_DEFAULT), space = set >= 0 ? H5Dget_space(set) : -1;
  bool fine = space >= 0 && H5Sget_simple_extent_ndims(space) == 1 && H5Sget_simple_extent_dims(space, dims, NULL) == 1 && dims[0] <= MAX_ROWS;
  if (space >= 0) H5Sclose(space);
  if (set >= 0) H5Dclose(set);
  *rows = (int32_t)dims[0];
  return fine ? VLM_OK : broken(s, name);
}

typedef struct {
  char *block;
  size_t width;
} texts;

static vlm_status get_texts(const store *s, const char *name, int32_t rows, texts *out) {
  vlm_status st = VLM_OK;
  hid_t set = H5Dopen2(s->file, name, H5P_DEFAULT), stored = set >= 0 ? H5Dget_type(set) : -1, type = -1;
  *out = (texts){0};
  bool fine = stored >= 0 && H5Tget_class(stored) == H5T_STRING && !H5Tis_variable_str(stored) && H5Tget_size(stored) <= MAX_TEXT;
  if (fine) {
    out->width = H5Tget_size(stored) + 1;
    type = text_type(out->width);
    void *block = NULL;
    st = vlm_alloc(&block, (size_t)rows + 1, out->width, s->err);
    out->block = block;
    if (st == VLM_OK) st = get(s, name, type, (hsize_t)rows, 1, out->block);
    for (int32_t i = 0; st == VLM_OK && i < rows; i++) out->block[(size_t)i * out->width + out->width - 1] = 0;
  }
  if (type >= 0) H5Tclose(type);
  if (stored >= 0) H5Tclose(stored);
  if (set >= 0) H5Dclose(set);
  return st != VLM_OK ? st : fine ? VLM_OK : broken(s, name);
}

static const char *text_row(const texts *t, int32_t i) { return t->block + (size_t)i * t->width; }

static bool parse_digest(vlm_digest *out, const char *text) {
  unsigned long long high, low;
  int used = 0;
  if (strlen(text) != 32 || sscanf(text, "%16llx%16llx%n", &high, &low, &used) != 2 || used != 32) return false;
  *out = (vlm_digest){.high = high, .low = low};
  return true;
}

static vlm_status get_field(const store *s, vlm_tensor_stats **tensors, int32_t rows, const char *name, hid_t memory_type, size_t offset, size_t bytes, hsize_t width) {
  vlm_status st = VLM_OK;
  char path[64];
  void *column = NULL;
  snprintf(path, sizeof path, "/tensors/%s", name);
  VLM_TRY(vlm_alloc(&column, (size_t)rows, bytes, s->err));
  VLM_TRY(get(s, path, memory_type, (hsize_t)rows, width, column));
  for (int32_t i = 0; i < rows; i++) memcpy((char *)tensors[i] + offset, (char *)column + (size_t)i * bytes, bytes);
out:
  vlm_free(column);
  return st;
}

static vlm_status get_samples(const store *s, vlm_stats *stats) {
  vlm_status st = VLM_OK;
  texts digests = {0}, names = {0};
  int32_t rows;
  VLM_TRY(count_rows(s, "/samples/digest", &rows));
  VLM_TRY(get_texts(s, "/samples/digest", rows, &digests));
  VLM_TRY(get_texts(s, "/samples/name", rows, &names));
  for (int32_t i = 0; i < rows; i++) {
    vlm_digest d;
    if (!parse_digest(&d, text_row(&digests, i))) VLM_TRY(broken(s, "/samples/digest"));
    VLM_TRY(vlm_stats_add_sample(stats, d, text_row(&names, i), s->err));
  }
out:
  vlm_free(digests.block);
  vlm_free(names.block);
  return st;
}

/* A range or count that no calibration writes would mislead the quantizer silently. */
static bool plausible(const vlm_tensor_stats *t) {
  int64_t sum = 0;
  for (int i = 0; i < VLM_HISTOGRAM_BINS; i++) {
    if (t->histogram.bins[i] < 0 || sum > INT64_MAX - t->histogram.bins[i]) return false;
    sum += t->histogram.bins[i];
  }
  return t->count >= 0 && sum == t->count && isfinite(t->min) && isfinite(t->max) && t->min <= t->max && t->histogram.exponent >= -200 &&
         t->histogram.exponent <= 200 && t->channels >= -1 && t->channels <= (1 << 16);
}

static vlm_status get_channels(const store *s, vlm_tensor_stats **tensors, int32_t rows) {
  vlm_status st = VLM_OK;
  float *low = NULL, *high = NULL;
  vlm_sum128 *sum = NULL;
  size_t n = 0, at = 0;
  for (int32_t i = 0; i < rows; i++) n += tensors[i]->channels > 0 ? (size_t)tensors[i]->channels : 0;
  VLM_TRY(vlm_new(&low, n, s->err));
  VLM_TRY(vlm_new(&high, n, s->err));
  VLM_TRY(vlm_new(&sum, n, s->err));
  VLM_TRY(get(s, "/channels/min", H5T_NATIVE_FLOAT, n, 1, low));
  VLM_TRY(get(s, "/channels/max", H5T_NATIVE_FLOAT, n, 1, high));
  VLM_TRY(get(s, "/channels/sum", H5T_NATIVE_INT64, n, 2, sum));
  for (int32_t i = 0; i < rows; i++) {
    vlm_tensor_stats *t = tensors[i];
    if (t->channels <= 0) continue;
    VLM_TRY(vlm_tensor_stats_start_channels(t, t->channels, s->err));
    for (int32_t c = 0; c < t->channels; c++, at++) {
      t->channel_min[c] = low[at];
      t->channel_max[c] = high[at];
      t->channel_absmax[c] = fmaxf(fabsf(low[at]), fabsf(high[at]));
      t->channel_sum[c] = sum[at];
    }
  }
out:
  vlm_free(low);
  vlm_free(high);
  vlm_free(sum);
  return st;
}

static vlm_status get_histograms(const store *s, vlm_tensor_stats **tensors, int32_t rows) {
  vlm_status st = VLM_OK;
  int64_t *bins = NULL;
  VLM_TRY(vlm_new(&bins, (size_t)rows * VLM_HISTOGRAM_BINS, s->err));
  VLM_TRY(get(s, "/tensors/histogram", H5T_NATIVE_INT64, (hsize_t)rows, VLM_HISTOGRAM_BINS, bins));
  for (int32_t i = 0; i < rows; i++) {
    memcpy(tensors[i]->histogram.bins, bins + (size_t)i * VLM_HISTOGRAM_BINS, sizeof tensors[i]->histogram.bins);
    if (!plausible(tensors[i])) VLM_TRY(broken(s, tensors[i]->name));
  }
out:
  vlm_free(bins);
  return st;
}

static vlm_status get_tensors(const store *s, vlm_stats *stats) {
  vlm_status st = VLM_OK;
  texts graphs = {0}, names = {0}, low = {0}, high = {0};
  vlm_tensor_stats **tensors = NULL;
  int32_t rows;
  VLM_TRY(count_rows(s, "/tensors/graph", &rows));
  VLM_TRY(get_texts(s, "/tensors/graph", rows, &graphs));
  VLM_TRY(get_texts(s, "/tensors/name", rows, &names));
  VLM_TRY(get_texts(s, "/tensors/widest_low", rows, &low));
  VLM_TRY(get_texts(s, "/tensors/widest_high", rows, &high));
  VLM_TRY(vlm_new(&tensors, rows, s->err));
  for (int32_t i = 0; i < rows; i++) {
    VLM_TRY(vlm_stats_entry(&tensors[i], stats, text_row(&graphs, i), text_row(&names, i), s->err));
    if (vlm_stats_count(stats) != i + 1 || !parse_digest(&tensors[i]->widest_low, text_row(&low, i)) ||
        !parse_digest(&tensors[i]->widest_high, text_row(&high, i)))
      VLM_TRY(broken(s, "/tensors"));
  }
#define X(name, file_type, memory_type, member, width)                                                                                           \
  VLM_TRY(get_field(s, tensors, rows, name, memory_type, offsetof(vlm_tensor_stats, member), sizeof(((vlm_tensor_stats *)0)->member), width));
  FIELDS(X)
#undef X
  VLM_TRY(get_histograms(s, tensors, rows));
  VLM_TRY(get_channels(s, tensors, rows));
out:
  for (int32_t i = 0; st != VLM_OK && tensors && i < rows; i++)
    if (tensors[i] && !tensors[i]->channel_min) tensors[i]->channels = 0;
  vlm_free(tensors);
  vlm_free(graphs.block);
  vlm_free(names.block);
  vlm_free(low.block);
  vlm_free(high.block);
  return st;
}

static vlm_status check_digest(const store *s, const vlm_stats *stats) {
  char *stored, actual[DIGEST_TEXT];
  vlm_status st = get_text_attribute(s, "digest", &stored);
  if (st == VLM_OK && strcmp(stored, vlm_digest_text(vlm_stats_digest(stats), actual)))
    st = vlm_fail(s->err, VLM_INTEGRITY, "%s: content does not match its digest: got %s, wanted %s", s->path, actual, stored);
  vlm_free(stored);
  return st;
}

static vlm_status get_all(const store *s, vlm_stats **out) {
  vlm_status st = VLM_OK;
  char *format = NULL, *model = NULL, *preprocess = NULL;
  vlm_digest digest;
  VLM_TRY(get_text_attribute(s, "format", &format));
  if (strcmp(format, FORMAT)) VLM_TRY(broken(s, "another format"));
  VLM_TRY(get_text_attribute(s, "model", &model));
  if (!parse_digest(&digest, model)) VLM_TRY(broken(s, "model"));
  VLM_TRY(get_text_attribute(s, "preprocess", &preprocess));
  VLM_TRY(vlm_stats_create(out, digest, preprocess, s->err));
  VLM_TRY(get_samples(s, *out));
  VLM_TRY(get_tensors(s, *out));
  VLM_TRY(check_digest(s, *out));
out:
  vlm_free(format);
  vlm_free(model);
  vlm_free(preprocess);
  return st;
}

vlm_status vlm_stats_open(vlm_stats **out, const char *path, vlm_error *err) {
  vlm_status st = VLM_OK;
  store s = {.file = -1, .path = path, .err = err};
  *out = NULL;
  start_library();
  VLM_CHECK(vlm_file_exists(path), err, VLM_INPUT, "%s: no such file", path);
  s.file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
  if (s.file < 0) VLM_TRY(broken(&s, "not HDF5"));
  VLM_TRY(get_all(&s, out));
out:
  if (s.file >= 0) H5Fclose(s.file);
  if (st != VLM_OK) {
    vlm_stats_free(*out);
    *out = NULL;
  }
  return st;
}
