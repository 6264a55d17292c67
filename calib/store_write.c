/* Statistics to their HDF5 store. */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "calib/accumulate_parts.h"
#include "calib/shapes.h"
#include "calib/stats.h"
#include "calib/store.h"
#include "runtime/base/file.h"
#include "runtime/base/memory.h"

static vlm_status not_written(const vlm_stats_file *s, const char *what) {
  return vlm_fail(s->err, VLM_IO, "%s: %s cannot be written (is the disk full?)", s->path, what);
}

static vlm_status put_attribute(const vlm_stats_file *s, const char *name, hid_t file_type, hid_t memory_type,
                                const void *data) {
  hid_t space = H5Screate(H5S_SCALAR);
  hid_t attribute = H5Acreate2(s->file, name, file_type, space, H5P_DEFAULT, H5P_DEFAULT);
  bool fine = attribute >= 0 && H5Awrite(attribute, memory_type, data) >= 0;
  if (attribute >= 0) fine &= H5Aclose(attribute) >= 0;
  H5Sclose(space);
  return fine ? VLM_OK : not_written(s, name);
}

vlm_status vlm_store_put_text_attribute(const vlm_stats_file *s, const char *name, const char *text) {
  hid_t type = vlm_store_text_type(strlen(text) + 1);
  vlm_status st = put_attribute(s, name, type, type, text);
  H5Tclose(type);
  return st;
}

vlm_status vlm_store_put(const vlm_stats_file *s, const char *name, hid_t file_type, hid_t memory_type,
                         hsize_t rows, hsize_t width, const void *data) {
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
static vlm_status put_histograms(const vlm_stats_file *s, const vlm_stats *stats) {
  hsize_t rows = (hsize_t)vlm_stats_count(stats), dims[2] = {rows, VLM_HISTOGRAM_BINS},
          one[2] = {1, VLM_HISTOGRAM_BINS};
  hid_t space = H5Screate_simple(2, dims, NULL), row_space = H5Screate_simple(2, one, NULL),
        options = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_obj_track_times(options, false);
  if (rows) { /* filters need chunks, and chunks a row */
    H5Pset_chunk(options, 2, one);
    H5Pset_shuffle(options);
    H5Pset_deflate(options, 4);
  }
  hid_t set =
      H5Dcreate2(s->file, "/tensors/histogram", H5T_STD_I64LE, space, H5P_DEFAULT, options, H5P_DEFAULT);
  bool fine = set >= 0;
  for (hsize_t i = 0; fine && i < rows; i++) {
    const hsize_t start[2] = {i, 0};
    fine = H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, one, NULL) >= 0 &&
           H5Dwrite(set, H5T_NATIVE_INT64, row_space, space, H5P_DEFAULT,
                    vlm_stats_at(stats, (int32_t)i)->histogram.bins) >= 0;
  }
  if (set >= 0) fine &= H5Dclose(set) >= 0;
  H5Pclose(options);
  H5Sclose(row_space);
  H5Sclose(space);
  return fine ? VLM_OK : not_written(s, "/tensors/histogram");
}

vlm_status vlm_store_put_group(const vlm_stats_file *s, const char *name) {
  hid_t options = H5Pcreate(H5P_GROUP_CREATE);
  H5Pset_obj_track_times(options, false);
  hid_t group = H5Gcreate2(s->file, name, H5P_DEFAULT, options, H5P_DEFAULT);
  H5Pclose(options);
  if (group < 0) return not_written(s, name);
  H5Gclose(group);
  return VLM_OK;
}

static const char *tensor_graph(const void *o, int32_t i, char d[VLM_STORE_DIGEST_TEXT]) {
  return (void)d, vlm_stats_at(o, i)->graph;
}
static const char *tensor_name(const void *o, int32_t i, char d[VLM_STORE_DIGEST_TEXT]) {
  return (void)d, vlm_stats_at(o, i)->name;
}
static const char *tensor_low(const void *o, int32_t i, char d[VLM_STORE_DIGEST_TEXT]) {
  return vlm_digest_text(vlm_stats_at(o, i)->widest_low, d);
}
static const char *tensor_high(const void *o, int32_t i, char d[VLM_STORE_DIGEST_TEXT]) {
  return vlm_digest_text(vlm_stats_at(o, i)->widest_high, d);
}
static const char *sample_digest(const void *o, int32_t i, char d[VLM_STORE_DIGEST_TEXT]) {
  return vlm_digest_text(vlm_stats_sample(o, i, NULL), d);
}
static const char *sample_name(const void *o, int32_t i, char d[VLM_STORE_DIGEST_TEXT]) {
  const char *name;
  (void)d;
  vlm_stats_sample(o, i, &name);
  return name;
}

vlm_status vlm_store_put_texts(const vlm_stats_file *s, const char *name, vlm_store_text_at *get,
                               const void *owner, int32_t rows) {
  vlm_status st = VLM_OK;
  char digest[VLM_STORE_DIGEST_TEXT];
  void *block = NULL;
  size_t width = 1;
  for (int32_t i = 0; i < rows; i++) {
    size_t n = strlen(get(owner, i, digest)) + 1;
    width = n > width ? n : width;
  }
  VLM_TRY(vlm_alloc(&block, (size_t)rows, width, s->err));
  for (int32_t i = 0; i < rows; i++) strcpy((char *)block + (size_t)i * width, get(owner, i, digest));
  hid_t type = vlm_store_text_type(width);
  st = vlm_store_put(s, name, type, type, (hsize_t)rows, 1, block);
  H5Tclose(type);
out:
  vlm_free(block);
  return st;
}

/* One member of every tensor, gathered into a column. */
static vlm_status put_field(const vlm_stats_file *s, const vlm_stats *stats, const char *name,
                            hid_t file_type, hid_t memory_type, size_t offset, size_t bytes, hsize_t width) {
  vlm_status st = VLM_OK;
  char path[64];
  void *column = NULL;
  int32_t rows = vlm_stats_count(stats);
  snprintf(path, sizeof path, "/tensors/%s", name);
  VLM_TRY(vlm_alloc(&column, (size_t)rows, bytes, s->err));
  for (int32_t i = 0; i < rows; i++)
    memcpy((char *)column + (size_t)i * bytes, (const char *)vlm_stats_at(stats, i) + offset, bytes);
  VLM_TRY(vlm_store_put(s, path, file_type, memory_type, (hsize_t)rows, width, column));
out:
  vlm_free(column);
  return st;
}

static vlm_status put_tensors(const vlm_stats_file *s, const vlm_stats *stats) {
  vlm_status st = VLM_OK;
  int32_t rows = vlm_stats_count(stats);
  VLM_TRY(vlm_store_put_group(s, "/tensors"));
  VLM_TRY(vlm_store_put_texts(s, "/tensors/graph", tensor_graph, stats, rows));
  VLM_TRY(vlm_store_put_texts(s, "/tensors/name", tensor_name, stats, rows));
#define X(name, file_type, memory_type, member, width)                                          \
  VLM_TRY(put_field(s, stats, name, file_type, memory_type, offsetof(vlm_tensor_stats, member), \
                    sizeof(((vlm_tensor_stats *)0)->member), width));
  VLM_STORE_FIELDS(X)
  VLM_STORE_LATER_FIELDS(X)
#undef X
  VLM_TRY(vlm_store_put_texts(s, "/tensors/widest_low", tensor_low, stats, rows));
  VLM_TRY(vlm_store_put_texts(s, "/tensors/widest_high", tensor_high, stats, rows));
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

static vlm_status put_channels(const vlm_stats_file *s, const vlm_stats *stats) {
  vlm_status st = VLM_OK;
  size_t n = all_channels(stats), at = 0;
  float *low = NULL, *high = NULL;
  vlm_sum128 *sum = NULL;
  VLM_TRY(vlm_store_put_group(s, "/channels"));
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
  VLM_TRY(vlm_store_put(s, "/channels/min", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, n, 1, low));
  VLM_TRY(vlm_store_put(s, "/channels/max", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, n, 1, high));
  VLM_TRY(vlm_store_put(s, "/channels/sum", H5T_STD_I64LE, H5T_NATIVE_INT64, n, 2, sum));
out:
  vlm_free(low);
  vlm_free(high);
  vlm_free(sum);
  return st;
}

static const char *shape_graph(const void *o, int32_t i, char d[VLM_STORE_DIGEST_TEXT]) {
  return (void)d, ((const vlm_shape_list *)o)->items[i].graph;
}
static const char *shape_name(const void *o, int32_t i, char d[VLM_STORE_DIGEST_TEXT]) {
  return (void)d, ((const vlm_shape_list *)o)->items[i].name;
}

/* Dims one shape after the other. */
static vlm_status put_dims(const vlm_stats_file *s, const vlm_shape_list *list) {
  vlm_status st = VLM_OK;
  int64_t *ranks = NULL, *dims = NULL;
  hsize_t n = 0;
  VLM_TRY(vlm_new(&ranks, list->count, s->err));
  VLM_TRY(vlm_new(&dims, (size_t)list->count * VLM_MAX_RANK, s->err));
  for (int32_t i = 0; i < list->count; i++) {
    ranks[i] = list->items[i].rank;
    for (int32_t d = 0; d < list->items[i].rank; d++) dims[n++] = list->items[i].dims[d];
  }
  VLM_TRY(vlm_store_put(s, "/shapes/rank", H5T_STD_I64LE, H5T_NATIVE_INT64, (hsize_t)list->count, 1, ranks));
  VLM_TRY(vlm_store_put(s, "/shapes/dims", H5T_STD_I64LE, H5T_NATIVE_INT64, n, 1, dims));
out:
  vlm_free(ranks);
  vlm_free(dims);
  return st;
}

/* Pipelines have none: their shapes follow from images and prompts. */
static vlm_status put_shapes(const vlm_stats_file *s, const vlm_shape_list *list) {
  vlm_status st = VLM_OK;
  char text[VLM_STORE_DIGEST_TEXT];
  vlm_digest digest;
  if (list->count == 0) return VLM_OK;
  VLM_TRY(vlm_shape_list_digest(&digest, list, s->err));
  VLM_TRY(vlm_store_put_text_attribute(s, "shapes_digest", vlm_digest_text(digest, text)));
  VLM_TRY(vlm_store_put_group(s, "/shapes"));
  VLM_TRY(vlm_store_put_texts(s, "/shapes/graph", shape_graph, list, list->count));
  VLM_TRY(vlm_store_put_texts(s, "/shapes/name", shape_name, list, list->count));
  VLM_TRY(put_dims(s, list));
out:
  return st;
}

static vlm_status put_held_out(const vlm_stats_file *s, const vlm_stats *stats) {
  vlm_status st = VLM_OK;
  int64_t *held = NULL;
  int32_t rows = vlm_stats_samples(stats);
  if (!vlm_stats_held_out(stats)) return VLM_OK;
  VLM_TRY(vlm_new(&held, rows, s->err));
  for (int32_t i = 0; i < rows; i++) held[i] = vlm_stats_is_held_out(stats, vlm_stats_sample(stats, i, NULL));
  VLM_TRY(vlm_store_put(s, "/samples/held_out", H5T_STD_I64LE, H5T_NATIVE_INT64, (hsize_t)rows, 1, held));
out:
  vlm_free(held);
  return st;
}

static vlm_status put_all(const vlm_stats_file *s, const vlm_stats *stats) {
  vlm_status st = VLM_OK;
  char text[VLM_STORE_DIGEST_TEXT];
  const int64_t version = VLM_STORE_VERSION, yes = 1;
  vlm_digest digest;
  VLM_TRY(vlm_stats_digest(&digest, stats, VLM_STATS_WHOLE, s->err));
  VLM_TRY(vlm_store_put_text_attribute(s, "format", VLM_STORE_FORMAT));
  VLM_TRY(put_attribute(s, "version", H5T_STD_I64LE, H5T_NATIVE_INT64, &version));
  VLM_TRY(vlm_store_put_text_attribute(s, "model", vlm_digest_text(vlm_stats_model(stats), text)));
  VLM_TRY(vlm_store_put_text_attribute(s, "preprocess", vlm_stats_preprocess(stats)));
  VLM_TRY(vlm_store_put_text_attribute(s, "tool", VLM_VERSION));
  VLM_TRY(vlm_store_put_text_attribute(s, "digest", vlm_digest_text(digest, text)));
  if (*vlm_stats_settings(stats))
    VLM_TRY(vlm_store_put_text_attribute(s, "settings", vlm_stats_settings(stats)));
  if (vlm_stats_is_partial(stats))
    VLM_TRY(put_attribute(s, "partial", H5T_STD_I64LE, H5T_NATIVE_INT64, &yes));
  VLM_TRY(vlm_store_put_group(s, "/samples"));
  VLM_TRY(vlm_store_put_texts(s, "/samples/digest", sample_digest, stats, vlm_stats_samples(stats)));
  VLM_TRY(vlm_store_put_texts(s, "/samples/name", sample_name, stats, vlm_stats_samples(stats)));
  VLM_TRY(put_held_out(s, stats));
  VLM_TRY(put_tensors(s, stats));
  VLM_TRY(put_channels(s, stats));
  VLM_TRY(put_shapes(s, vlm_stats_seen_shapes(stats)));
  VLM_TRY(vlm_store_put_kept(s, vlm_stats_kept_samples(stats)));
out:
  return st;
}

vlm_status vlm_stats_save(const vlm_stats *stats, const char *path, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_writer *w = NULL;
  vlm_stats_file s = {.file = -1, .path = path, .err = err};
  vlm_store_start();
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
