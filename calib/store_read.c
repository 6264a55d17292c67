/* Statistics from their HDF5 store. Files are checked: whatever they hold, reading ends with statistics or an error. */
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "calib/accumulate_parts.h"
#include "calib/shapes.h"
#include "calib/stats.h"
#include "calib/store.h"
#include "runtime/base/file.h"
#include "runtime/base/foreign.h"
#include "runtime/base/memory.h"

vlm_status vlm_store_broken(const vlm_stats_file *s, const char *what) {
  return vlm_fail(s->err, VLM_INPUT,
                  "%s: is no readable statistics file: %s; write it anew with vlm-calibrate", s->path, what);
}

static vlm_status no_hdf5(const vlm_stats_file *s) {
  unsigned char start[64];
  size_t n = vlm_file_begin(s->path, start, sizeof start);
  const vlm_foreign *f = vlm_foreign_find(start, n);
  if (!f || n == 0 || !f->stands_in) return vlm_store_broken(s, "not HDF5");
  return vlm_fail(s->err, VLM_INPUT, "%s: is %s: %s", s->path, f->name, f->advice);
}

vlm_status vlm_store_get_text_attribute(const vlm_stats_file *s, const char *name, char **out) {
  vlm_status st = VLM_OK;
  hid_t attribute = H5Aopen(s->file, name, H5P_DEFAULT), type = attribute >= 0 ? H5Aget_type(attribute) : -1;
  *out = NULL;
  bool fine = type >= 0 && H5Tget_class(type) == H5T_STRING && !H5Tis_variable_str(type) &&
              H5Tget_size(type) <= (1u << 20);
  if (fine) st = vlm_new(out, H5Tget_size(type) + 1, s->err);
  if (fine && st == VLM_OK) fine = H5Aread(attribute, type, *out) >= 0;
  if (type >= 0) H5Tclose(type);
  if (attribute >= 0) H5Aclose(attribute);
  return st != VLM_OK ? st : fine ? VLM_OK : vlm_store_broken(s, name);
}

/* Memory follows the size of the file: compressed rows of nothing must not fill it. */
vlm_status vlm_store_affordable(const vlm_stats_file *s, size_t rows, size_t bytes, const char *what) {
  enum { FREE_MIB = 64, MOST_TIMES = 256 };
  size_t all, limit = ((size_t)FREE_MIB << 20) + MOST_TIMES * s->bytes;
  if (vlm_size_mul(rows, bytes, &all) && all <= limit) return VLM_OK;
  return vlm_fail(s->err, VLM_LIMIT,
                  "%s: %s of %zu rows need more than %zu MiB, the limit for a file of %zu KiB", s->path, what,
                  rows, limit >> 20, s->bytes >> 10);
}

/* The elements lie in this file: not in others that it names. */
static bool is_own(hid_t set) {
  hid_t options = H5Dget_create_plist(set);
  bool own = options >= 0 && H5Pget_external_count(options) == 0 && H5Pget_layout(options) != H5D_VIRTUAL;
  if (options >= 0) H5Pclose(options);
  return own;
}

/* Reads a dataset whose shape must be rows x width exactly. */
vlm_status vlm_store_get(const vlm_stats_file *s, const char *name, hid_t memory_type, hsize_t rows,
                         hsize_t width, void *data) {
  hsize_t dims[2] = {0, 1};
  hid_t set = H5Dopen2(s->file, name, H5P_DEFAULT), space = set >= 0 ? H5Dget_space(set) : -1;
  int rank = space >= 0 ? H5Sget_simple_extent_ndims(space) : 0;
  bool fine = (rank == 1 || rank == 2) && H5Sget_simple_extent_dims(space, dims, NULL) == rank &&
              dims[0] == rows && dims[1] == width;
  fine = fine && is_own(set);
  if (fine && rows) fine = H5Dread(set, memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) >= 0;
  if (space >= 0) H5Sclose(space);
  if (set >= 0) H5Dclose(set);
  return fine ? VLM_OK : vlm_store_broken(s, name);
}

vlm_status vlm_store_count_rows(const vlm_stats_file *s, const char *name, int32_t *rows) {
  hsize_t dims[1] = {0};
  hid_t set = H5Dopen2(s->file, name, H5P_DEFAULT), space = set >= 0 ? H5Dget_space(set) : -1;
  bool fine = space >= 0 && H5Sget_simple_extent_ndims(space) == 1 &&
              H5Sget_simple_extent_dims(space, dims, NULL) == 1 && dims[0] <= VLM_STORE_MAX_ROWS;
  if (space >= 0) H5Sclose(space);
  if (set >= 0) H5Dclose(set);
  *rows = (int32_t)dims[0];
  return fine ? VLM_OK : vlm_store_broken(s, name);
}

vlm_status vlm_store_get_texts(const vlm_stats_file *s, const char *name, int32_t rows,
                               vlm_store_texts *out) {
  vlm_status st = VLM_OK;
  hid_t set = H5Dopen2(s->file, name, H5P_DEFAULT), stored = set >= 0 ? H5Dget_type(set) : -1, type = -1;
  *out = (vlm_store_texts){0};
  bool fine = stored >= 0 && H5Tget_class(stored) == H5T_STRING && !H5Tis_variable_str(stored) &&
              H5Tget_size(stored) <= VLM_STORE_MAX_TEXT;
  if (fine) {
    out->width = H5Tget_size(stored) + 1;
    type = vlm_store_text_type(out->width);
    void *block = NULL;
    st = vlm_store_affordable(s, (size_t)rows, out->width, name);
    if (st == VLM_OK) st = vlm_alloc(&block, (size_t)rows + 1, out->width, s->err);
    out->block = block;
    if (st == VLM_OK) st = vlm_store_get(s, name, type, (hsize_t)rows, 1, out->block);
    for (int32_t i = 0; st == VLM_OK && i < rows; i++)
      out->block[(size_t)i * out->width + out->width - 1] = 0;
  }
  if (type >= 0) H5Tclose(type);
  if (stored >= 0) H5Tclose(stored);
  if (set >= 0) H5Dclose(set);
  return st != VLM_OK ? st : fine ? VLM_OK : vlm_store_broken(s, name);
}

const char *vlm_store_text_row(const vlm_store_texts *t, int32_t i) {
  return t->block + (size_t)i * t->width;
}

bool vlm_store_parse_digest(vlm_digest *out, const char *text) {
  unsigned long long high, low;
  int used = 0;
  if (strlen(text) != 32 || sscanf(text, "%16llx%16llx%n", &high, &low, &used) != 2 || used != 32)
    return false;
  *out = (vlm_digest){.high = high, .low = low};
  return true;
}

static vlm_status get_field(const vlm_stats_file *s, vlm_tensor_stats **tensors, int32_t rows,
                            const char *name, hid_t memory_type, size_t offset, size_t bytes, hsize_t width) {
  vlm_status st = VLM_OK;
  char path[64];
  void *column = NULL;
  snprintf(path, sizeof path, "/tensors/%s", name);
  VLM_TRY(vlm_alloc(&column, (size_t)rows, bytes, s->err));
  VLM_TRY(vlm_store_get(s, path, memory_type, (hsize_t)rows, width, column));
  for (int32_t i = 0; i < rows; i++)
    memcpy((char *)tensors[i] + offset, (char *)column + (size_t)i * bytes, bytes);
out:
  vlm_free(column);
  return st;
}

static vlm_status get_samples(const vlm_stats_file *s, vlm_stats *stats) {
  vlm_status st = VLM_OK;
  vlm_store_texts digests = {0}, names = {0};
  int32_t rows;
  VLM_TRY(vlm_store_count_rows(s, "/samples/digest", &rows));
  VLM_TRY(vlm_store_get_texts(s, "/samples/digest", rows, &digests));
  VLM_TRY(vlm_store_get_texts(s, "/samples/name", rows, &names));
  for (int32_t i = 0; i < rows; i++) {
    vlm_digest d;
    if (!vlm_store_parse_digest(&d, vlm_store_text_row(&digests, i)))
      VLM_TRY(vlm_store_broken(s, "/samples/digest"));
    VLM_TRY(vlm_stats_add_sample(stats, d, vlm_store_text_row(&names, i), s->err));
  }
out:
  vlm_free(digests.block);
  vlm_free(names.block);
  return st;
}

/* Files of before hold nothing out. */
static vlm_status get_held_out(const vlm_stats_file *s, vlm_stats *stats) {
  vlm_status st = VLM_OK;
  int64_t *held = NULL;
  int32_t rows = vlm_stats_samples(stats);
  if (H5Lexists(s->file, "/samples/held_out", H5P_DEFAULT) <= 0) return VLM_OK;
  VLM_TRY(vlm_new(&held, rows, s->err));
  VLM_TRY(vlm_store_get(s, "/samples/held_out", H5T_NATIVE_INT64, (hsize_t)rows, 1, held));
  for (int32_t i = 0; i < rows; i++)
    if (held[i]) vlm_stats_hold_out(stats, vlm_stats_sample(stats, i, NULL));
out:
  vlm_free(held);
  return st;
}

/* A range or count that no calibration writes would mislead the quantizer silently. */
static bool plausible(const vlm_tensor_stats *t) {
  int64_t sum = 0;
  for (int i = 0; i < VLM_HISTOGRAM_BINS; i++) {
    if (t->histogram.bins[i] < 0 || sum > INT64_MAX - t->histogram.bins[i]) return false;
    sum += t->histogram.bins[i];
  }
  for (int i = 0; i < VLM_ROW_BINS; i++)
    if (t->rows[i] < 0 || t->rows[i] > t->count) return false;
  return t->count >= 0 && sum == t->count && isfinite(t->min) && isfinite(t->max) && t->min <= t->max &&
         t->histogram.exponent >= -200 && t->histogram.exponent <= 200 && t->channels >= -1 &&
         t->channels <= (1 << 16);
}

static vlm_status get_channels(const vlm_stats_file *s, vlm_tensor_stats **tensors, int32_t rows) {
  vlm_status st = VLM_OK;
  float *low = NULL, *high = NULL;
  vlm_sum128 *sum = NULL;
  size_t n = 0, at = 0;
  for (int32_t i = 0; i < rows; i++) n += tensors[i]->channels > 0 ? (size_t)tensors[i]->channels : 0;
  VLM_TRY(vlm_store_affordable(s, n, 2 * sizeof *low + sizeof *sum, "/channels"));
  VLM_TRY(vlm_new(&low, n, s->err));
  VLM_TRY(vlm_new(&high, n, s->err));
  VLM_TRY(vlm_new(&sum, n, s->err));
  VLM_TRY(vlm_store_get(s, "/channels/min", H5T_NATIVE_FLOAT, n, 1, low));
  VLM_TRY(vlm_store_get(s, "/channels/max", H5T_NATIVE_FLOAT, n, 1, high));
  VLM_TRY(vlm_store_get(s, "/channels/sum", H5T_NATIVE_INT64, n, 2, sum));
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

/* Row by row into place: there is no second copy. */
static vlm_status get_histograms(const vlm_stats_file *s, vlm_tensor_stats **tensors, int32_t rows) {
  vlm_status st = VLM_OK;
  const hsize_t one[2] = {1, VLM_HISTOGRAM_BINS};
  hsize_t dims[2] = {0};
  hid_t set = H5Dopen2(s->file, "/tensors/histogram", H5P_DEFAULT), space = set >= 0 ? H5Dget_space(set) : -1,
        row = H5Screate_simple(2, one, NULL);
  bool fine = space >= 0 && H5Sget_simple_extent_ndims(space) == 2 &&
              H5Sget_simple_extent_dims(space, dims, NULL) == 2 && is_own(set);
  fine = fine && dims[0] == (hsize_t)rows && dims[1] == VLM_HISTOGRAM_BINS;
  for (int32_t i = 0; fine && i < rows; i++) {
    const hsize_t start[2] = {(hsize_t)i, 0};
    fine = H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, one, NULL) >= 0 &&
           H5Dread(set, H5T_NATIVE_INT64, row, space, H5P_DEFAULT, tensors[i]->histogram.bins) >= 0;
    if (fine && !plausible(tensors[i])) VLM_TRY(vlm_store_broken(s, tensors[i]->name));
  }
  if (!fine) st = vlm_store_broken(s, "/tensors/histogram");
out:
  if (row >= 0) H5Sclose(row);
  if (space >= 0) H5Sclose(space);
  if (set >= 0) H5Dclose(set);
  return st;
}

static vlm_status get_tensors(const vlm_stats_file *s, vlm_stats *stats) {
  vlm_status st = VLM_OK;
  vlm_store_texts graphs = {0}, names = {0}, low = {0}, high = {0};
  vlm_tensor_stats **tensors = NULL;
  int32_t rows;
  VLM_TRY(vlm_store_count_rows(s, "/tensors/graph", &rows));
  VLM_TRY(vlm_store_affordable(s, (size_t)rows, sizeof(vlm_tensor_stats), "/tensors"));
  VLM_TRY(vlm_store_get_texts(s, "/tensors/graph", rows, &graphs));
  VLM_TRY(vlm_store_get_texts(s, "/tensors/name", rows, &names));
  VLM_TRY(vlm_store_get_texts(s, "/tensors/widest_low", rows, &low));
  VLM_TRY(vlm_store_get_texts(s, "/tensors/widest_high", rows, &high));
  VLM_TRY(vlm_new(&tensors, rows, s->err));
  for (int32_t i = 0; i < rows; i++) {
    VLM_TRY(vlm_stats_entry(&tensors[i], stats, vlm_store_text_row(&graphs, i), vlm_store_text_row(&names, i),
                            s->err));
    if (vlm_stats_count(stats) != i + 1 ||
        !vlm_store_parse_digest(&tensors[i]->widest_low, vlm_store_text_row(&low, i)) ||
        !vlm_store_parse_digest(&tensors[i]->widest_high, vlm_store_text_row(&high, i)))
      VLM_TRY(vlm_store_broken(s, "/tensors"));
  }
#define X(name, file_type, memory_type, member, width)                                       \
  VLM_TRY(get_field(s, tensors, rows, name, memory_type, offsetof(vlm_tensor_stats, member), \
                    sizeof(((vlm_tensor_stats *)0)->member), width));
  VLM_STORE_FIELDS(X)
#undef X
#define X(name, file_type, memory_type, member, width)                                         \
  if (H5Lexists(s->file, "/tensors/" name, H5P_DEFAULT) > 0)                                   \
    VLM_TRY(get_field(s, tensors, rows, name, memory_type, offsetof(vlm_tensor_stats, member), \
                      sizeof(((vlm_tensor_stats *)0)->member), width));
  VLM_STORE_LATER_FIELDS(X)
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

/* Sizes that inputs can have in memory. */
static bool is_shape(const vlm_input_shape *shape) {
  const int64_t most = INT64_C(1) << 32;
  int64_t n = 1;
  for (int32_t d = 0; d < shape->rank; d++) {
    if (shape->dims[d] < 0 || shape->dims[d] > most) return false;
    n = shape->dims[d] ? n * shape->dims[d] : n;
    if (n > most) return false;
  }
  return true;
}

static vlm_status get_dims(const vlm_stats_file *s, vlm_input_shape *shapes, int32_t rows) {
  vlm_status st = VLM_OK;
  int64_t *ranks = NULL, *dims = NULL;
  int32_t n = 0, at = 0;
  VLM_TRY(vlm_store_count_rows(s, "/shapes/dims", &n));
  VLM_TRY(vlm_new(&ranks, rows, s->err));
  VLM_TRY(vlm_new(&dims, n, s->err));
  VLM_TRY(vlm_store_get(s, "/shapes/rank", H5T_NATIVE_INT64, (hsize_t)rows, 1, ranks));
  VLM_TRY(vlm_store_get(s, "/shapes/dims", H5T_NATIVE_INT64, (hsize_t)n, 1, dims));
  for (int32_t i = 0; i < rows; i++) {
    if (ranks[i] < 0 || ranks[i] > VLM_MAX_RANK || ranks[i] > n - at)
      VLM_TRY(vlm_store_broken(s, "/shapes/rank"));
    shapes[i].rank = (int32_t)ranks[i];
    memcpy(shapes[i].dims, dims + at, (size_t)ranks[i] * sizeof *dims);
    at += shapes[i].rank;
    if (!is_shape(&shapes[i])) VLM_TRY(vlm_store_broken(s, "/shapes/dims"));
  }
out:
  vlm_free(ranks);
  vlm_free(dims);
  return st;
}

static vlm_status check_shapes(const vlm_stats_file *s, const vlm_shape_list *list) {
  vlm_status st = VLM_OK;
  char *stored = NULL, actual[VLM_STORE_DIGEST_TEXT];
  vlm_digest digest;
  VLM_TRY(vlm_store_get_text_attribute(s, "shapes_digest", &stored));
  VLM_TRY(vlm_shape_list_digest(&digest, list, s->err));
  VLM_CHECK(!strcmp(stored, vlm_digest_text(digest, actual)), s->err, VLM_INTEGRITY,
            "%s: the shapes do not match their digest: got %s, wanted %s", s->path, actual, stored);
out:
  vlm_free(stored);
  return st;
}

/* Files of before have none. */
static vlm_status get_shapes(const vlm_stats_file *s, vlm_stats *stats) {
  vlm_status st = VLM_OK;
  vlm_store_texts graphs = {0}, names = {0};
  vlm_input_shape *shapes = NULL;
  vlm_shape_list read = {0};
  int32_t rows;
  if (H5Lexists(s->file, "/shapes", H5P_DEFAULT) <= 0) return VLM_OK;
  VLM_TRY(vlm_store_count_rows(s, "/shapes/graph", &rows));
  VLM_TRY(vlm_store_affordable(s, (size_t)rows, sizeof *shapes, "/shapes"));
  VLM_TRY(vlm_store_get_texts(s, "/shapes/graph", rows, &graphs));
  VLM_TRY(vlm_store_get_texts(s, "/shapes/name", rows, &names));
  VLM_TRY(vlm_new(&shapes, rows, s->err));
  VLM_TRY(get_dims(s, shapes, rows));
  for (int32_t i = 0; i < rows; i++) {
    shapes[i].graph = vlm_store_text_row(&graphs, i);
    shapes[i].name = vlm_store_text_row(&names, i);
  }
  read = (vlm_shape_list){shapes, rows};
  VLM_TRY(check_shapes(s, &read));
  VLM_TRY(vlm_shape_list_merge(vlm_stats_shapes(stats), &read, s->err));
out:
  vlm_free(shapes);
  vlm_free(graphs.block);
  vlm_free(names.block);
  return st;
}

static vlm_status check_digest(const vlm_stats_file *s, const vlm_stats *stats) {
  vlm_status st = VLM_OK;
  char *stored = NULL, actual[VLM_STORE_DIGEST_TEXT];
  bool same = false;
  vlm_digest digest;
  VLM_TRY(vlm_store_get_text_attribute(s, "digest", &stored));
  for (int form = VLM_STATS_UNNAMED; form <= VLM_STATS_WHOLE; form++) {
    VLM_TRY(vlm_stats_digest(&digest, stats, (vlm_stats_form)form, s->err));
    same |= !strcmp(stored, vlm_digest_text(digest, actual));
  }
  VLM_CHECK(same, s->err, VLM_INTEGRITY, "%s: content does not match its digest: got %s, wanted %s", s->path,
            actual, stored);
out:
  vlm_free(stored);
  return st;
}

static vlm_status check_version(const vlm_stats_file *s) {
  int64_t version = 0;
  hid_t attribute = H5Aopen(s->file, "version", H5P_DEFAULT),
        space = attribute >= 0 ? H5Aget_space(attribute) : -1;
  bool fine = space >= 0 && H5Sget_simple_extent_npoints(space) == 1 &&
              H5Aread(attribute, H5T_NATIVE_INT64, &version) >= 0;
  if (space >= 0) H5Sclose(space);
  if (attribute >= 0) H5Aclose(attribute);
  if (!fine) return vlm_store_broken(s, "version");
  if (version == VLM_STORE_VERSION) return VLM_OK;
  return vlm_fail(s->err, VLM_UNSUPPORTED, "%s: statistics of version %lld; this program reads version %d",
                  s->path, (long long)version, VLM_STORE_VERSION);
}

/* Left out where there is nothing to say; files of before have neither. */
static vlm_status get_circumstances(const vlm_stats_file *s, vlm_stats *stats) {
  vlm_status st = VLM_OK;
  char *settings = NULL;
  vlm_stats_set_partial(stats, H5Aexists(s->file, "partial") > 0);
  if (H5Aexists(s->file, "settings") <= 0) return VLM_OK;
  VLM_TRY(vlm_store_get_text_attribute(s, "settings", &settings));
  VLM_TRY(vlm_stats_set_settings(stats, settings, s->err));
out:
  vlm_free(settings);
  return st;
}

static vlm_status get_measured(const vlm_stats_file *s, vlm_stats *out) {
  vlm_status st = VLM_OK;
  VLM_TRY(get_tensors(s, out));
  VLM_TRY(get_shapes(s, out));
  VLM_TRY(vlm_store_get_kept(s, vlm_stats_kept(out)));
  VLM_TRY(check_digest(s, out));
out:
  return st;
}

static vlm_status get_samples_of(const vlm_stats_file *s, vlm_stats **out) {
  vlm_status st = VLM_OK;
  char *format = NULL, *model = NULL, *preprocess = NULL;
  vlm_digest digest;
  VLM_TRY(vlm_store_get_text_attribute(s, "format", &format));
  if (strcmp(format, VLM_STORE_FORMAT)) VLM_TRY(vlm_store_broken(s, "another format"));
  VLM_TRY(check_version(s));
  VLM_TRY(vlm_store_get_text_attribute(s, "model", &model));
  if (!vlm_store_parse_digest(&digest, model)) VLM_TRY(vlm_store_broken(s, "model"));
  VLM_TRY(vlm_store_get_text_attribute(s, "preprocess", &preprocess));
  VLM_TRY(vlm_stats_create(out, digest, preprocess, s->err));
  VLM_TRY(get_circumstances(s, *out));
  VLM_TRY(get_samples(s, *out));
  VLM_TRY(get_held_out(s, *out));
out:
  vlm_free(format);
  vlm_free(model);
  vlm_free(preprocess);
  return st;
}

static vlm_status open_file(vlm_stats **out, const char *path, bool measured, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_stats_file s = {.file = -1, .path = path, .err = err};
  *out = NULL;
  vlm_store_start();
  VLM_CHECK(vlm_file_exists(path), err, VLM_INPUT, "%s: no such file", path);
  VLM_CHECK(vlm_file_is_regular(path, &s.bytes), err, VLM_INPUT, "%s: is not a file", path);
  s.file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
  if (s.file < 0) VLM_TRY(no_hdf5(&s));
  VLM_TRY(get_samples_of(&s, out));
  if (measured) VLM_TRY(get_measured(&s, *out));
out:
  if (s.file >= 0) H5Fclose(s.file);
  if (st != VLM_OK) {
    vlm_stats_free(*out);
    *out = NULL;
  }
  return st;
}

vlm_status vlm_stats_open(vlm_stats **out, const char *path, vlm_error *err) {
  return open_file(out, path, true, err);
}

vlm_status vlm_stats_open_samples(vlm_stats **out, const char *path, vlm_error *err) {
  return open_file(out, path, false, err);
}
