/* A bundle: the graphs of one model by role, and the JSON files that say how to use them. Made by onnx/bundle.h or pack/, used by
 * pipeline/model.h.
 *
 * Decoders are always two graphs: DECODER_FIRST takes the whole start sequence without a cache, DECODER_STEP one token with a cache.
 * A merged decoder is split into these two. A decoder-only graph that accepts an empty cache is both: DECODER_STEP is a copy that shares its constants
 * and appends to the cache in place, or the same pointer where that is not possible. */
#ifndef VLM_BUNDLE_BUNDLE_H
#define VLM_BUNDLE_BUNDLE_H

#include "runtime/base/hash.h"
#include "runtime/graph/graph.h"

typedef enum vlm_role {
#define X(name, text) VLM_ROLE_##name,
#include "runtime/bundle/roles.def"
#undef X
  VLM_ROLE_COUNT
} vlm_role;

typedef enum vlm_bundle_text {
#define X(name, file) VLM_TEXT_##name,
#include "runtime/bundle/texts.def"
#undef X
  VLM_TEXT_COUNT
} vlm_bundle_text;

typedef enum vlm_family { VLM_FAMILY_GRAPH, VLM_FAMILY_ENCODER_DECODER, VLM_FAMILY_DECODER_ONLY } vlm_family;

typedef struct vlm_bundle {
  vlm_family family;
  char *source;                      /* folder or file, for messages */
  vlm_graph *graphs[VLM_ROLE_COUNT]; /* NULL = the model has no such graph */
  vlm_graph *merged;           /* owns the weights of split decoders; NULL when they were separate files */
  char *texts[VLM_TEXT_COUNT]; /* zero-terminated; NULL = no such file */
  char *
      preprocess; /* the list of image/preprocess.h as JSON; NULL = no file states how images become pixel_values */
  /* Why a file that states it is of no use; asked for the list, this is said. text[0] 0 = no reason. */
  vlm_status preprocess_status;
  vlm_error preprocess_error;
} vlm_bundle;

const char *vlm_role_name(vlm_role role);
bool vlm_role_parse(vlm_role *out, const char *name);
const char *vlm_text_file(vlm_bundle_text text);

/* For loops that meet every graph once: the graph of the role, NULL where there is none and for one that plays an
 * earlier role too. */
vlm_graph *vlm_bundle_graph_once(const vlm_bundle *bundle, int role);

vlm_status vlm_bundle_create(vlm_bundle **out, const char *source, vlm_error *err);
void vlm_bundle_free(vlm_bundle *bundle);
/* All but the graphs: family, texts, preprocessing. */
vlm_status vlm_bundle_copy_texts(vlm_bundle *to, const vlm_bundle *from, vlm_error *err);

/* Digest of all graphs: operators, wiring, names, constants. Two bundles with the same digest compute the same. */
vlm_status vlm_bundle_digest(vlm_digest *out, const vlm_bundle *bundle, vlm_error *err);
/* Bytes of all constants of two or more elements, equal ones (same bytes and type, a matrix and its transpose too) counted once over all
 * graphs. */
vlm_status vlm_bundle_weight_bytes(size_t *out, const vlm_bundle *bundle, vlm_error *err);
/* The same as if what is stored in 8 bits or less were float32: what sizes are told in percent of, whoever quantized the model. */
vlm_status vlm_bundle_float_bytes(size_t *out, const vlm_bundle *bundle, vlm_error *err);

/* Content of a constant, the same for a matrix and its transpose: exporters store tied weights both ways. */
vlm_status vlm_weight_digest(vlm_digest *out, const vlm_tensor *weight, vlm_error *err);

/* The same with elements, for each graph by itself (zero where there is none) and over all graphs; a weight of several graphs is in each of
 * them and once in the total. */
typedef struct vlm_weight_count {
  int64_t elements;
  size_t bytes, float_bytes;
} vlm_weight_count;
vlm_status vlm_bundle_count_weights(vlm_weight_count roles[VLM_ROLE_COUNT], vlm_weight_count *total,
                                    const vlm_bundle *bundle, vlm_error *err);

#endif
