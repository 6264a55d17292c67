/* Loading one sample: pixels or arrays, and the digest of what a sample holds. */
#include <assert.h>
#include <string.h>

#include "calib/dataset_set.h"
#include "runtime/base/file.h"

/* ---- arrays ---- */

static int input_rank(const vlm_dataset *set, const char *name) {
  for (size_t i = 0; i < set->opts.input_count; i++)
    if (strcmp(set->opts.inputs[i].name, name) == 0) return set->opts.inputs[i].rank;
  return -1;
}

/* One element along the first axis. The axis stays with length 1 when the graph wants as many dimensions as the array has. */
static vlm_status slice(vlm_tensor *out, const vlm_tensor *t, size_t row, int rank, vlm_error *err) {
  bool keep = rank == t->rank;
  vlm_tensor part =
      vlm_tensor_make(t->dtype, keep ? t->rank : t->rank - 1, keep ? t->dims : t->dims + 1, NULL);
  if (keep) part.dims[0] = 1;
  size_t bytes = vlm_tensor_bytes(&part);
  vlm_status st = vlm_alloc(&part.data, bytes, 1, err);
  if (st != VLM_OK) return st;
  memcpy(part.data, (const char *)t->data + row * bytes, bytes);
  *out = part;
  return VLM_OK;
}

static vlm_status load_row(vlm_sample_arrays *out, const vlm_dataset *set, const vlm_sample *sample,
                           vlm_error *err) {
  assert(sample->source < set->whole_count);
  const vlm_sample_arrays *whole = &set->whole[sample->source];
  vlm_status st = VLM_OK;
  VLM_TRY(vlm_new(&out->names, whole->count, err));
  VLM_TRY(vlm_new(&out->tensors, whole->count, err));
  for (size_t i = 0; i < whole->count; i++) {
    char *name = NULL;
    VLM_TRY(vlm_strdup(&name, whole->names[i], err));
    out->names[i] = name;
    out->count++;
    VLM_TRY(slice(&out->tensors[i], &whole->tensors[i], sample->row, input_rank(set, whole->names[i]), err));
  }
out:
  return st;
}

vlm_status vlm_dataset_load_arrays(vlm_sample_arrays *out, const vlm_dataset *set, size_t i, vlm_error *err) {
  const vlm_sample *sample = vlm_dataset_get(set, i);
  *out = (vlm_sample_arrays){0};
  vlm_status st = set->opts.sample_axis ? load_row(out, set, sample, err)
                                        : vlm_dataset_read_source(out, set, sample->path, err);
  if (st != VLM_OK) vlm_sample_arrays_free(out);
  return st;
}

/* ---- pixels ---- */

/* Takes over `t` and makes it float32 [N,3,H,W]. */
static vlm_status to_float(vlm_tensor *out, vlm_tensor *t, const char *path, vlm_error *err) {
  vlm_status st = VLM_OK;
  char shape[128];
  int c = t->rank - 3;
  VLM_CHECK(vlm_dtype_is_float(t->dtype) && (c == 0 || c == 1) && t->dims[c] == 3 && vlm_tensor_count(t) > 0,
            err, VLM_INPUT,
            "%s: %s %s is no image; uint8 [height, width, 3] or float [1, 3, height, width] is wanted", path,
            vlm_dtype_name(t->dtype), vlm_tensor_shape_text(t, shape, sizeof shape));
  int64_t dims[4] = {c ? t->dims[0] : 1, 3, t->dims[c + 1], t->dims[c + 2]};
  vlm_tensor f = vlm_tensor_make(VLM_F32, 4, dims, t->data);
  int64_t count = vlm_tensor_count(&f);
  if (t->dtype != VLM_F32) VLM_TRY(vlm_alloc(&f.data, (size_t)count, sizeof(float), err));
  else t->data = NULL;
  for (int64_t i = 0; t->dtype != VLM_F32 && i < count; i++)
    ((float *)f.data)[i] = (float)vlm_tensor_get(t, i);
  *out = f;
out:
  return st;
}

static bool is_byte_image(const vlm_tensor *t) { return t->dtype == VLM_U8; }

/* Float arrays are values; uint8 arrays are images like any other file. */
static vlm_status load_npy(vlm_sample_pixels *out, const vlm_dataset *set, const vlm_file *file,
                           const char *path, vlm_error *err) {
  vlm_tensor t = {0};
  vlm_status st = vlm_npy_decode(&t, file->data, file->bytes, path, err);
  if (st == VLM_OK && !is_byte_image(&t)) st = to_float(&out->values, &t, path, err);
  else if (st == VLM_OK)
    st = vlm_image_decode(&out->image, file->data, file->bytes, path, &set->opts.image, err);
  vlm_free(t.data);
  return st;
}

/* The bytes of a sample's file. Free with unmap. */
static vlm_status map(vlm_file *out, const vlm_sample *sample, vlm_error *err) {
  if (!sample->kept) return vlm_file_map(out, sample->path, err);
  *out = (vlm_file){.data = sample->kept, .bytes = sample->kept_bytes};
  return VLM_OK;
}

static void unmap(vlm_file *file, const vlm_sample *sample) {
  if (!sample->kept) vlm_file_unmap(file);
}

vlm_status vlm_dataset_load_pixels(vlm_sample_pixels *out, const vlm_dataset *set, size_t i, vlm_error *err) {
  vlm_file file;
  const vlm_sample *sample = vlm_dataset_get(set, i);
  const char *path = sample->path;
  *out = (vlm_sample_pixels){0};
  vlm_status st = map(&file, sample, err);
  if (st != VLM_OK) return st;
  if (file.bytes >= 6 && memcmp(file.data, "\x93NUMPY", 6) == 0) st = load_npy(out, set, &file, path, err);
  else st = vlm_image_decode(&out->image, file.data, file.bytes, path, &set->opts.image, err);
  unmap(&file, sample);
  return st;
}

vlm_status vlm_dataset_load_file(vlm_tensor *out, const vlm_dataset *set, size_t i, vlm_error *err) {
  vlm_file file;
  const vlm_sample *sample = vlm_dataset_get(set, i);
  vlm_status st = map(&file, sample, err);
  if (st != VLM_OK) return st;
  const int64_t bytes = (int64_t)file.bytes;
  *out = vlm_tensor_make(VLM_U8, 1, &bytes, NULL);
  st = vlm_alloc(&out->data, file.bytes + 1, 1, err);
  if (st == VLM_OK && bytes) memcpy(out->data, file.data, file.bytes);
  unmap(&file, sample);
  return st;
}

void vlm_sample_pixels_free(vlm_sample_pixels *pixels) {
  vlm_image_free(&pixels->image);
  vlm_free(pixels->values.data);
  *pixels = (vlm_sample_pixels){0};
}

vlm_status vlm_sample_answer(vlm_model *model, const vlm_sample_pixels *pixels, const char *prompt,
                             const vlm_answer_opts *opts, vlm_answer *out, vlm_error *err) {
  if (pixels->values.data) return vlm_model_answer_pixels(model, &pixels->values, prompt, opts, out, err);
  return vlm_model_answer(model, &pixels->image, prompt, opts, out, err);
}

/* ---- digests ---- */

static vlm_status file_digest(vlm_digest *out, const vlm_sample *sample, vlm_error *err) {
  vlm_file file;
  vlm_status st = map(&file, sample, err);
  if (st != VLM_OK) return st;
  *out = vlm_hash128(file.data, file.bytes);
  unmap(&file, sample);
  return VLM_OK;
}

static vlm_status arrays_digest(vlm_digest *out, const vlm_dataset *set, size_t i, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_hasher *hasher = NULL;
  vlm_sample_arrays arrays = {0};
  VLM_TRY(vlm_hasher_create(&hasher, err));
  VLM_TRY(vlm_dataset_load_arrays(&arrays, set, i, err));
  for (size_t k = 0; k < arrays.count; k++) {
    const vlm_tensor *t = &arrays.tensors[k];
    int64_t rank = t->rank;
    vlm_hasher_add_text(hasher, arrays.names[k]);
    vlm_hasher_add_text(hasher, vlm_dtype_name(t->dtype));
    vlm_hasher_add(hasher, &rank, sizeof rank);
    vlm_hasher_add(hasher, t->dims, (size_t)t->rank * sizeof t->dims[0]);
    vlm_hasher_add(hasher, t->data, vlm_tensor_bytes(t));
  }
  *out = vlm_hasher_digest(hasher);
out:
  vlm_sample_arrays_free(&arrays);
  vlm_hasher_free(hasher);
  return st;
}

vlm_status vlm_dataset_digest(vlm_digest *out, const vlm_dataset *set, size_t i, vlm_error *err) {
  return set->images ? file_digest(out, &set->samples[i], err) : arrays_digest(out, set, i, err);
}
