/* Kept samples in the store: a row per sample in order, a row per input, and the bytes of each sample. */
#include <stdio.h>
#include <string.h>

#include "calib/store.h"
#include "runtime/base/memory.h"

typedef struct {
  int64_t samples, inputs;       /* rows */
  int64_t *held_out, *inputs_of; /* per sample */
  int64_t *rank, *dims;          /* per input; VLM_MAX_RANK each */
} kept_table;

static vlm_status make_table(kept_table *t, int64_t samples, int64_t inputs, vlm_error *err) {
  vlm_status st = VLM_OK;
  *t = (kept_table){.samples = samples, .inputs = inputs};
  VLM_TRY(vlm_new(&t->held_out, samples, err));
  VLM_TRY(vlm_new(&t->inputs_of, samples, err));
  VLM_TRY(vlm_new(&t->rank, inputs, err));
  VLM_TRY(vlm_new(&t->dims, inputs * VLM_MAX_RANK, err));
out:
  return st;
}

static void free_table(kept_table *t) {
  vlm_free(t->held_out);
  vlm_free(t->inputs_of);
  vlm_free(t->rank);
  vlm_free(t->dims);
}

static const char *data_name(char out[32], int64_t sample) {
  snprintf(out, 32, "/kept/data%d", (int)sample);
  return out;
}

/* ---- writing ---- */

/* Input k of all samples. */
static const char *input_at(const vlm_kept_list *list, int32_t k, const vlm_tensor **tensor) {
  int32_t s = 0;
  for (; k >= list->items[s]->count; s++) k -= list->items[s]->count;
  *tensor = &list->items[s]->tensors[k];
  return list->items[s]->names[k];
}

static const char *kept_digest(const void *o, int32_t i, char d[VLM_STORE_DIGEST_TEXT]) {
  return vlm_digest_text(((const vlm_kept_list *)o)->items[i]->digest, d);
}
static const char *input_name(const void *o, int32_t i, char d[VLM_STORE_DIGEST_TEXT]) {
  const vlm_tensor *t;
  return (void)d, input_at(o, i, &t);
}
static const char *input_type(const void *o, int32_t i, char d[VLM_STORE_DIGEST_TEXT]) {
  const vlm_tensor *t;
  (void)d;
  input_at(o, i, &t);
  return vlm_dtype_name(t->dtype);
}

static vlm_status put_data(const vlm_stats_file *s, const vlm_kept_list *list, int32_t i) {
  vlm_status st = VLM_OK;
  char name[32];
  uint8_t *all = NULL;
  size_t at = 0, bytes = vlm_kept_bytes(list->items[i]->tensors, list->items[i]->count);
  VLM_TRY(vlm_new(&all, bytes + 1, s->err));
  for (int32_t k = 0; k < list->items[i]->count; k++) {
    size_t n = vlm_tensor_bytes(&list->items[i]->tensors[k]);
    if (n) memcpy(all + at, list->items[i]->tensors[k].data, n);
    at += n;
  }
  st = vlm_store_put(s, data_name(name, i), H5T_STD_U8LE, H5T_NATIVE_UINT8, bytes, 1, all);
out:
  vlm_free(all);
  return st;
}

static void fill_table(kept_table *t, const vlm_kept_list *list) {
  int64_t k = 0;
  for (int32_t i = 0; i < list->count; i++) {
    t->held_out[i] = list->items[i]->held_out;
    t->inputs_of[i] = list->items[i]->count;
    for (int32_t n = 0; n < list->items[i]->count; n++, k++) {
      const vlm_tensor *tensor = &list->items[i]->tensors[n];
      t->rank[k] = tensor->rank;
      for (int d = 0; d < VLM_MAX_RANK; d++)
        t->dims[k * VLM_MAX_RANK + d] = d < tensor->rank ? tensor->dims[d] : 1;
    }
  }
}

static vlm_status put_table(const vlm_stats_file *s, const kept_table *t) {
  vlm_status st = VLM_OK;
  const hsize_t n = (hsize_t)t->samples, m = (hsize_t)t->inputs;
  VLM_TRY(vlm_store_put(s, "/kept/held_out", H5T_STD_I64LE, H5T_NATIVE_INT64, n, 1, t->held_out));
  VLM_TRY(vlm_store_put(s, "/kept/inputs", H5T_STD_I64LE, H5T_NATIVE_INT64, n, 1, t->inputs_of));
  VLM_TRY(vlm_store_put(s, "/kept/rank", H5T_STD_I64LE, H5T_NATIVE_INT64, m, 1, t->rank));
  VLM_TRY(vlm_store_put(s, "/kept/dims", H5T_STD_I64LE, H5T_NATIVE_INT64, m, VLM_MAX_RANK, t->dims));
out:
  return st;
}

vlm_status vlm_store_put_kept(const vlm_stats_file *s, const vlm_kept_list *list) {
  vlm_status st = VLM_OK;
  char text[VLM_STORE_DIGEST_TEXT];
  vlm_digest digest;
  kept_table t = {0};
  int32_t inputs = 0;
  if (list->count == 0) return VLM_OK;
  for (int32_t i = 0; i < list->count; i++) inputs += list->items[i]->count;
  VLM_TRY(vlm_kept_digest(&digest, list, s->err));
  VLM_TRY(make_table(&t, list->count, inputs, s->err));
  fill_table(&t, list);
  VLM_TRY(vlm_store_put_text_attribute(s, "kept_digest", vlm_digest_text(digest, text)));
  VLM_TRY(vlm_store_put_group(s, "/kept"));
  VLM_TRY(vlm_store_put_texts(s, "/kept/digest", kept_digest, list, list->count));
  VLM_TRY(put_table(s, &t));
  VLM_TRY(vlm_store_put_texts(s, "/kept/name", input_name, list, inputs));
  VLM_TRY(vlm_store_put_texts(s, "/kept/type", input_type, list, inputs));
  for (int32_t i = 0; i < list->count; i++) VLM_TRY(put_data(s, list, i));
out:
  free_table(&t);
  return st;
}

/* ---- reading ---- */

static vlm_dtype type_of(const char *text) {
  for (int d = VLM_NONE + 1; d < VLM_DTYPE_COUNT; d++)
    if (!strcmp(vlm_dtype_name((vlm_dtype)d), text)) return (vlm_dtype)d;
  return VLM_NONE;
}

/* A tensor whose bytes are known to be few; its data are set later. */
static bool read_tensor(vlm_tensor *out, const kept_table *t, int64_t k, const char *type) {
  int64_t n = 1;
  vlm_dtype dtype = type_of(type);
  if (dtype == VLM_NONE || t->rank[k] < 0 || t->rank[k] > VLM_MAX_RANK) return false;
  for (int d = 0; d < t->rank[k]; d++) {
    int64_t dim = t->dims[k * VLM_MAX_RANK + d];
    if (dim < 0 || dim > VLM_KEPT_BYTES || (n *= dim) > VLM_KEPT_BYTES) return false;
  }
  *out = vlm_tensor_make(dtype, (int)t->rank[k], t->dims + k * VLM_MAX_RANK, NULL);
  return vlm_tensor_bytes(out) <= VLM_KEPT_BYTES;
}

typedef struct {
  vlm_store_texts digests, names, types;
} kept_texts;

static vlm_status get_sample(const vlm_stats_file *s, vlm_kept_list *list, const kept_table *t,
                             const kept_texts *texts, int64_t i, int64_t first) {
  vlm_status st = VLM_OK;
  char name[32];
  const char *names[VLM_KEPT_INPUTS];
  vlm_tensor tensors[VLM_KEPT_INPUTS];
  vlm_kept_sample *sample;
  vlm_digest digest;
  uint8_t *data = NULL;
  int32_t count = (int32_t)t->inputs_of[i];
  bool fine = vlm_store_parse_digest(&digest, vlm_store_text_row(&texts->digests, (int32_t)i));
  for (int32_t k = 0; fine && k < count; k++) {
    names[k] = vlm_store_text_row(&texts->names, (int32_t)first + k);
    fine = read_tensor(&tensors[k], t, first + k, vlm_store_text_row(&texts->types, (int32_t)first + k));
  }
  size_t at = 0, bytes = fine ? vlm_kept_bytes(tensors, count) : 0;
  if (!fine || bytes > VLM_KEPT_BYTES) VLM_TRY(vlm_store_broken(s, "/kept"));
  VLM_TRY(vlm_new(&data, bytes + 1, s->err));
  VLM_TRY(vlm_store_get(s, data_name(name, i), H5T_NATIVE_UINT8, bytes, 1, data));
  for (int32_t k = 0; k < count; at += vlm_tensor_bytes(&tensors[k]), k++) tensors[k].data = data + at;
  VLM_TRY(vlm_kept_sample_make(&sample, digest, t->held_out[i] != 0, names, tensors, count, s->err));
  list->images |= count > 0 && !strcmp(names[0], VLM_KEPT_IMAGE);
  vlm_kept_add(list, sample);
out:
  vlm_free(data);
  return st;
}

static vlm_status get_table(const vlm_stats_file *s, kept_table *t) {
  vlm_status st = VLM_OK;
  int32_t samples, inputs;
  VLM_TRY(vlm_store_count_rows(s, "/kept/inputs", &samples));
  VLM_TRY(vlm_store_count_rows(s, "/kept/rank", &inputs));
  if (samples > VLM_KEPT_MOST + VLM_KEPT_IMAGES || inputs > samples * VLM_KEPT_INPUTS)
    VLM_TRY(vlm_store_broken(s, "/kept"));
  VLM_TRY(make_table(t, samples, inputs, s->err));
  VLM_TRY(vlm_store_get(s, "/kept/held_out", H5T_NATIVE_INT64, (hsize_t)samples, 1, t->held_out));
  VLM_TRY(vlm_store_get(s, "/kept/inputs", H5T_NATIVE_INT64, (hsize_t)samples, 1, t->inputs_of));
  VLM_TRY(vlm_store_get(s, "/kept/rank", H5T_NATIVE_INT64, (hsize_t)inputs, 1, t->rank));
  VLM_TRY(vlm_store_get(s, "/kept/dims", H5T_NATIVE_INT64, (hsize_t)inputs, VLM_MAX_RANK, t->dims));
out:
  return st;
}

static vlm_status check_kept(const vlm_stats_file *s, const vlm_kept_list *list) {
  vlm_status st = VLM_OK;
  char *stored = NULL, actual[VLM_STORE_DIGEST_TEXT];
  vlm_digest digest;
  VLM_TRY(vlm_store_get_text_attribute(s, "kept_digest", &stored));
  VLM_TRY(vlm_kept_digest(&digest, list, s->err));
  VLM_CHECK(!strcmp(stored, vlm_digest_text(digest, actual)), s->err, VLM_INTEGRITY,
            "%s: the kept samples do not match their digest: got %s, wanted %s", s->path, actual, stored);
out:
  vlm_free(stored);
  return st;
}

/* Files of before have none. */
vlm_status vlm_store_get_kept(const vlm_stats_file *s, vlm_kept_list *list) {
  vlm_status st = VLM_OK;
  kept_table t = {0};
  kept_texts texts = {{0}, {0}, {0}};
  int64_t first = 0;
  if (H5Lexists(s->file, "/kept", H5P_DEFAULT) <= 0) return VLM_OK;
  VLM_TRY(get_table(s, &t));
  VLM_TRY(vlm_store_get_texts(s, "/kept/digest", (int32_t)t.samples, &texts.digests));
  VLM_TRY(vlm_store_get_texts(s, "/kept/name", (int32_t)t.inputs, &texts.names));
  VLM_TRY(vlm_store_get_texts(s, "/kept/type", (int32_t)t.inputs, &texts.types));
  for (int64_t i = 0; i < t.samples; first += t.inputs_of[i], i++) {
    bool fine =
        t.inputs_of[i] >= 0 && t.inputs_of[i] <= VLM_KEPT_INPUTS && t.inputs_of[i] <= t.inputs - first;
    if (!fine) VLM_TRY(vlm_store_broken(s, "/kept/inputs"));
    VLM_TRY(get_sample(s, list, &t, &texts, i, first));
  }
  VLM_TRY(check_kept(s, list));
out:
  free_table(&t);
  vlm_free(texts.digests.block);
  vlm_free(texts.names.block);
  vlm_free(texts.types.block);
  return st;
}
