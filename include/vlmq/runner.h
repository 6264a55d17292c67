/* A runner: one model, opened and ready to run. */
#ifndef VLMQ_RUNNER_H
#define VLMQ_RUNNER_H

#include <vlmq/engine.h>

VLM_BEGIN_DECLS

typedef struct vlm_runner vlm_runner;

typedef struct vlm_open_opts {
  size_t size;        /* sizeof(vlm_open_opts) */
  vlm_engine *engine; /* shared with other models; NULL = one of its own, with default options */
  const char *name;   /* stands for the model in messages; NULL = the path, "memory" or "descriptor N" */
  uint64_t max_weight_bytes; /* of weights in memory; more is VLM_LIMIT; 0 = 64 GiB */
  int32_t trust_weights;     /* 1: hashes of weights are not checked: for files that were checked before */
  /* 1: memory goes back to the system after each run, and graphs plan again at each answer: for answers
   * that come one at a time, not for frames in a row. */
  int32_t low_memory;
} vlm_open_opts;

static inline vlm_open_opts vlm_open_opts_init(void) {
  vlm_open_opts opts;
  memset(&opts, 0, sizeof opts);
  opts.size = sizeof opts;
  return opts;
}

/* Opens a model. libvlmq-runtime reads packed files (.vlmq); libvlmq reads them, ONNX files and, by path,
 * folders of ONNX and JSON files (docs/bundles.md). opts NULL = defaults. Files are untrusted: every
 * number in them is checked. VLM_INPUT: no such file, or none of these. VLM_INTEGRITY: truncated or
 * altered. VLM_UNSUPPORTED: a newer format, or an operator that is not there. VLM_LIMIT, VLM_MEMORY. Free
 * with vlm_runner_free. */
VLM_API vlm_status vlm_runner_open(vlm_runner **out, const char *path, const vlm_open_opts *opts,
                                   vlm_error *err);
/* The same from `bytes` bytes of memory, which may be changed and freed when the call returns. An ONNX
 * file in memory has its weights inside. */
VLM_API vlm_status vlm_runner_open_memory(vlm_runner **out, const void *data, size_t bytes,
                                          const vlm_open_opts *opts, vlm_error *err);
/* The same from `bytes` bytes (0 = up to the end) of a regular file that is open for reading, from
 * `offset` on: an asset inside of an application's archive. The descriptor is not closed and its position
 * not moved; it may be closed when the call returns. At an offset that is a multiple of the page size the
 * file is mapped, else copied. */
VLM_API vlm_status vlm_runner_open_fd(vlm_runner **out, int fd, uint64_t offset, uint64_t bytes,
                                      const vlm_open_opts *opts, vlm_error *err);
/* Not while a call on the runner is under way. What came from the runner (prepared pictures, texts,
 * arrays) goes with it, but for replies. */
VLM_API void vlm_runner_free(vlm_runner *runner);

typedef struct vlm_model_info {
  size_t size;         /* sizeof(vlm_model_info) */
  const char *source;  /* path or name; lives as long as the runner */
  int32_t generates;   /* 1: pictures and prompts in, text out (generate.h); 0: a single graph (graph.h) */
  int32_t graphs;      /* how many (graph.h) */
  int32_t image_width; /* of what the preprocessing makes; 0 = depends on the picture, or not stated */
  int32_t image_height;
} vlm_model_info;

static inline vlm_model_info vlm_model_info_init(void) {
  vlm_model_info info;
  memset(&info, 0, sizeof info);
  info.size = sizeof info;
  return info;
}

VLM_API vlm_status vlm_runner_info(const vlm_runner *runner, vlm_model_info *out, vlm_error *err);

/* Bytes in memory on behalf of one runner, as of its last run. */
typedef struct vlm_memory_info {
  size_t size;             /* sizeof(vlm_memory_info) */
  uint64_t arena_bytes;    /* activations whose place is planned */
  uint64_t heap_bytes;     /* activations whose size only the run knows, most so far */
  uint64_t released_bytes; /* constants that were packed for the kernels and given back to the system */
  int64_t plans;           /* how often a graph was planned: once per set of shapes */
} vlm_memory_info;

static inline vlm_memory_info vlm_memory_info_init(void) {
  vlm_memory_info info;
  memset(&info, 0, sizeof info);
  info.size = sizeof info;
  return info;
}

VLM_API vlm_status vlm_runner_memory(const vlm_runner *runner, vlm_memory_info *out, vlm_error *err);

VLM_END_DECLS

#endif
