/* Data sets: which samples there are, in which order, and how to load each one.
 *
 * An image set is made from paths, one after the other:
 *   a folder        every image below it that is read (told by content or by suffix), sorted by the bytes of the relative path
 *   a .txt file     one path per line, relative to the file
 *   a .jsonl file   one object per line, paths relative to the file (dataset_rows.c): {"image": path, "prompt"?: text, "refs"?: text or
 *                   [text, …]}; "file_name" (Hugging Face's metadata.jsonl) and "text", "caption", "captions" are other names of these
 *   a .csv file     a header that names such columns, then one image per row; several rows of an image in a row are its captions
 *   anything else   one image
 * An input set, for graphs that are no vision-language pipeline, is made from
 *   a folder        of .npy files: one sample, the inputs are named by the file stems; folders below it are samples of their own
 *   an .npz file    one sample, the inputs are named by its keys
 *   an .npy file    one sample with one input
 * With `sample_axis` every array holds many samples along its first axis, all arrays of a folder or archive the same number; they are read
 * when the set is opened and stay in memory. Arrays that are no input of the graph are not read, whatever they hold; an input without an array is an error.
 *
 * After opening and checking, a set never changes: loading from several threads is fine. The order and the digests do not depend on the machine. */
#ifndef VLM_CALIB_DATASET_H
#define VLM_CALIB_DATASET_H

#include <stdbool.h>

#include "calib/caption_set.h"
#include "calib/image.h"
#include "runtime/base/hash.h"
#include "runtime/base/tensor.h"
#include "runtime/decode/answer.h"

typedef struct vlm_dataset vlm_dataset;

/* Input of the graph that an input set is for. */
typedef struct vlm_dataset_input {
  const char *name;
  int rank;        /* -1 = not known */
  vlm_dtype dtype; /* arrays of other types become it when no value changes; VLM_NONE = not known */
} vlm_dataset_input;

/* Zeroed = everything, unsharded. Shards are cut after the limit: their union is what one machine would run. */
typedef struct vlm_dataset_opts {
  size_t limit;         /* the first N samples; 0 = all */
  size_t shard, shards; /* samples whose index is shard modulo shards; shards 0 = 1 */
  const vlm_caption_set
      *refs; /* joined as caption_join.h says; an image without any is an error; must outlive the set */
  vlm_image_opts image;
  bool sample_axis; /* input sets only, as the two below */
  /* File names are matched with these ("/", ":" and their like written as "_"); with one input a file may have any name. */
  const vlm_dataset_input *inputs;
  size_t input_count; /* 0 = take names as they are */
} vlm_dataset_opts;

typedef struct vlm_sample {
  size_t index; /* in the whole set, before limit and shard */
  const char *
      key; /* name for reports: relative path, line of the list, or the manifest's "image"; with sample_axis "name#3" */
  const char *path;        /* file or folder */
  const char *prompt;      /* NULL = not stated */
  const char *const *refs; /* reference captions of the manifest or of opts.refs */
  size_t ref_count;
  size_t source, row; /* with sample_axis: which folder or file, and where along the axis */
  const void
      *kept; /* the bytes of the file, where there is no file (vlm_dataset_open_kept); NULL = read `path` */
  size_t kept_bytes;
} vlm_sample;

vlm_status vlm_dataset_open_images(vlm_dataset **out, const char *const *paths, size_t count,
                                   const vlm_dataset_opts *opts, vlm_error *err);
vlm_status vlm_dataset_open_inputs(vlm_dataset **out, const char *const *paths, size_t count,
                                   const vlm_dataset_opts *opts, vlm_error *err);
/* What statistics keep of a pipeline; the list must outlive the set. */
struct vlm_kept_list;
vlm_status vlm_dataset_open_kept(vlm_dataset **out, const struct vlm_kept_list *list,
                                 const vlm_dataset_opts *opts, vlm_error *err);
void vlm_dataset_free(vlm_dataset *set);

/* The prompt number p of those that every sample is run with: a sample's own takes the place of the first. */
static inline const char *vlm_sample_prompt(const vlm_sample *sample, const char *const *prompts, int64_t p) {
  return sample->prompt && p == 0 ? sample->prompt : prompts[p];
}

/* Samples of this shard; owned by the set. */
size_t vlm_dataset_count(const vlm_dataset *set);
/* Keeps the samples at these places, in this order: for whoever owns the set, before anybody reads it. */
vlm_status vlm_dataset_pick(vlm_dataset *set, const size_t *places, size_t count, vlm_error *err);
/* Samples of all shards. */
size_t vlm_dataset_of_all(const vlm_dataset *set);
const vlm_sample *vlm_dataset_get(const vlm_dataset *set, size_t i);
bool vlm_dataset_is_images(const vlm_dataset *set);
/* What was given and is not used: files of the folders that are no images, bad samples. Owned by the set. */
typedef struct vlm_skip {
  const char *path, *reason;
} vlm_skip;
const vlm_skip *vlm_dataset_skips(const vlm_dataset *set, size_t *count);

/* Looks at every sample before any is run: at the headers of images (types, sizes, files that end early), at the values of arrays
 * (missing inputs, NaN and infinities, samples without elements). Bad ones join the skips. skip: the good ones are what is left, none is
 * VLM_INPUT; else any bad one is, and the message tells them all. Once, before samples are loaded. */
vlm_status vlm_dataset_check(vlm_dataset *set, bool skip, vlm_error *err);
/* What the check saw of images that are fine. */
typedef struct vlm_dataset_seen {
  size_t turned;             /* stated to be mirrored or turned */
  size_t endless;            /* complete, but without an end marker ... */
  const char *first_endless; /* ... the first of them */
} vlm_dataset_seen;
vlm_dataset_seen vlm_dataset_what_was_seen(const vlm_dataset *set);

/* Content of a sample: hash of the image file's bytes, or of names, types, shapes and values of its arrays. Prompt and refs are not
 * part. */
vlm_status vlm_dataset_digest(vlm_digest *out, const vlm_dataset *set, size_t i, vlm_error *err);

/* An image sample: either `image`, or for a float .npy ([3,H,W] or [N,3,H,W]) `values`, float32 with the leading axis, to be fed as it is.
 * Free with vlm_sample_pixels_free. */
typedef struct vlm_sample_pixels {
  vlm_image image;
  vlm_tensor values;
} vlm_sample_pixels;
vlm_status vlm_dataset_load_pixels(vlm_sample_pixels *out, const vlm_dataset *set, size_t i, vlm_error *err);
void vlm_sample_pixels_free(vlm_sample_pixels *pixels);
/* The model's answer to either of them, as runtime/decode/answer.h says. */
vlm_status vlm_sample_answer(vlm_model *model, const vlm_sample_pixels *pixels, const char *prompt,
                             const vlm_answer_opts *opts, vlm_answer *out, vlm_error *err);
/* The bytes of an image sample's file, as uint8 [N]. Free out->data with vlm_free. */
vlm_status vlm_dataset_load_file(vlm_tensor *out, const vlm_dataset *set, size_t i, vlm_error *err);

/* The arrays of an input sample, sorted by name. Free with vlm_sample_arrays_free. */
typedef struct vlm_sample_arrays {
  size_t count;
  const char **names;  /* owned, one block per name */
  vlm_tensor *tensors; /* data owned */
  char ignored[200];   /* "label, meta": arrays that are no input; "" = none */
  char renamed[200];   /* "a_b is read as input a/b": the last array whose name was changed; "" = none */
} vlm_sample_arrays;
vlm_status vlm_dataset_load_arrays(vlm_sample_arrays *out, const vlm_dataset *set, size_t i, vlm_error *err);
void vlm_sample_arrays_free(vlm_sample_arrays *arrays);

#endif
