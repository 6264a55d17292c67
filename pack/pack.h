/* The packed file: writing, opening, verifying and comparing. Byte layout and rules: docs/format.md. */
#ifndef VLM_PACK_PACK_H
#define VLM_PACK_PACK_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/file.h"
#include "runtime/base/threads.h"
#include "runtime/bundle/bundle.h"

typedef struct vlm_pack_pair {
  const char *key, *value;
} vlm_pack_pair;

/* Inputs and outputs of one graph (or of anything the caller can run again), to prove that another machine computes the same. */
typedef struct vlm_pack_golden {
  const char *graph; /* role, or a name of the caller's */
  int32_t n_inputs, n_outputs;
  const char *const *names;  /* inputs, then outputs */
  const vlm_tensor *tensors; /* in the same order; data set */
} vlm_pack_golden;

/* ---- writing ---- */

typedef struct vlm_pack_content {
  const vlm_bundle *
      bundle; /* graphs (a graph that plays two roles is stored once), texts and family; `merged` is not stored */
  const char *quantization;  /* JSON, or NULL */
  const char *provenance;    /* JSON, or NULL: no time, no path in it, please */
  const vlm_pack_pair *meta; /* any order; the key "family" is the library's */
  int32_t n_meta;
  const vlm_pack_golden *golden;
  int32_t n_golden;
} vlm_pack_content;

typedef enum vlm_pack_codec { VLM_PACK_ZSTD, VLM_PACK_RAW } vlm_pack_codec;

typedef struct vlm_pack_opts {
  vlm_pack_codec codec; /* RAW: weights can be mapped without a copy */
  int level;            /* zstd, 1 to 19; 0 = 6 */
  vlm_threads *threads; /* NULL = this thread; the bytes do not depend on it */
  bool unverified;      /* do not read the file back before it gets its name */
  /* Asked between batches of tensors; its error ends the writing, and there is no file. NULL = not. */
  vlm_status (*go_on)(void *user, vlm_error *err);
  void *user;
} vlm_pack_opts;

/* Writes a complete file or none. Equal tensors of all graphs are stored once. *bytes (may be NULL) = its size. */
vlm_status vlm_pack_write(const char *path, const vlm_pack_content *content, const vlm_pack_opts *opts,
                          size_t *bytes, vlm_error *err);

/* ---- opening ---- */

typedef struct vlm_pack vlm_pack;

typedef struct vlm_pack_open_opts {
  vlm_threads *threads;    /* weights are unpacked and hashed in parallel */
  size_t max_weight_bytes; /* 0 = 64 GiB; more is VLM_LIMIT */
  bool trust_weights;      /* do not hash the weights: mapped ones are then not even read */
  bool no_weights;         /* tables only: shapes are there, data is NULL, no bundle can be made */
  bool
      lazy; /* large compressed weights of 8 bits are unpacked when a session wants them (vlm_graph.lazy): for bundles that are
                              run, and neither written nor compared */
} vlm_pack_open_opts;

/* True when the file, or these bytes, begin like a packed file. */
bool vlm_pack_is_pack(const char *path);
bool vlm_pack_begins(const void *data, size_t bytes);
/* VLM_INPUT: not a packed file. VLM_INTEGRITY: truncated, altered or malformed; the message names the section and the numbers.
 * VLM_UNSUPPORTED: another version, or a feature this library does not know. Free with vlm_pack_close. */
vlm_status vlm_pack_open(vlm_pack **out, const char *path, const vlm_pack_open_opts *opts, vlm_error *err);
/* The same of bytes that are there already: takes `file` over (it is empty afterwards, on failure too); `name` stands in messages. */
vlm_status vlm_pack_open_file(vlm_pack **out, vlm_file *file, const char *name,
                              const vlm_pack_open_opts *opts, vlm_error *err);
void vlm_pack_close(vlm_pack *pack);

/* The model: resolved graphs whose constants lie in the pack's memory, which lives until the pack is closed and every graph is freed.
 * A new bundle at each call; free with vlm_bundle_free. */
vlm_status vlm_pack_bundle(vlm_bundle **out, vlm_pack *pack, vlm_error *err);

/* Texts are zero-terminated and owned by the pack; NULL when the file has none. */
const char *vlm_pack_preprocess(const vlm_pack *pack);
const char *vlm_pack_quantization(const vlm_pack *pack);
const char *vlm_pack_provenance(const vlm_pack *pack);
const char *vlm_pack_text(const vlm_pack *pack, vlm_bundle_text text);
const char *vlm_pack_meta(const vlm_pack *pack, const char *key);
/* All pairs, ascending by key. */
const vlm_pack_pair *vlm_pack_meta_all(const vlm_pack *pack, int32_t *count);
const vlm_pack_golden *vlm_pack_golden_all(const vlm_pack *pack, int32_t *count);

/* What the file is made of. */
typedef struct vlm_pack_section {
  char name[5];
  const char *what;  /* "weights"; "unknown" for an optional section that this library skipped */
  const char *label; /* file name of a text, first role of a graph, else "" */
  const char *codec; /* "raw", "zstd", "frames" */
  uint64_t offset, stored_bytes, raw_bytes;
} vlm_pack_section;
const vlm_pack_section *vlm_pack_sections(const vlm_pack *pack, int32_t *count);

typedef struct vlm_pack_tensor {
  vlm_tensor tensor;
  size_t bytes, stored_bytes;
  uint64_t hash;
} vlm_pack_tensor;
const vlm_pack_tensor *vlm_pack_tensors(const vlm_pack *pack, int32_t *count);
size_t vlm_pack_file_bytes(const vlm_pack *pack);

/* ---- checking and comparing ---- */

/* Runs a golden case: outputs must be what `golden` says. NULL-safe user data; a mismatch is VLM_INTEGRITY. */
typedef vlm_status vlm_pack_check(void *user, const vlm_bundle *bundle, const vlm_pack_golden *golden,
                                  vlm_error *err);

typedef struct vlm_pack_verify_opts {
  vlm_threads *threads;
  vlm_pack_check *check; /* NULL = hashes and structure only */
  void *user;
} vlm_pack_verify_opts;

typedef struct vlm_pack_report {
  int32_t sections, tensors, graphs, golden;
  size_t file_bytes, weight_bytes;
} vlm_pack_report;

/* The file at `path`, which messages call `name`: every hash and every graph. */
vlm_status vlm_pack_verify_written(const char *path, const char *name, vlm_threads *threads, vlm_error *err);
/* Every hash of the file, every graph, every golden case. *report (may be NULL) = what was checked. */
vlm_status vlm_pack_verify(const char *path, const vlm_pack_verify_opts *opts, vlm_pack_report *report,
                           vlm_error *err);

/* One difference: `where` ("meta", "text", "graph vision", "tensor vision/conv1.weight", ...), then what it is in a and in b ("" = absent). */
typedef void vlm_pack_difference(void *user, const char *where, const char *a, const char *b);
/* Calls `report` for each difference, in file order; *count (may be NULL) = how many. Two packs of the same content with other codecs do not differ. */
vlm_status vlm_pack_diff(vlm_pack *a, vlm_pack *b, vlm_pack_difference *report, void *user, int64_t *count,
                         vlm_error *err);

#endif
