/* Inside of an opened file: shared by open*.c, verify.c and diff.c. */
#ifndef VLM_PACK_OPENED_H
#define VLM_PACK_OPENED_H

#include <stdatomic.h>

#include "pack/graphs.h"
#include "pack/layout.h"
#include "pack/lazy_weights.h"
#include "pack/pack.h"
#include "runtime/base/file.h"

/* Mapping and weights, shared by the pack and the graphs made from it. */
typedef struct vlm_pack_storage {
  atomic_int owners;
  vlm_file file;
  unsigned char *weights; /* unpacked, in whole pages; NULL when they are mapped */
  size_t weight_bytes;
  vlm_lazy_weights *lazy; /* of those that wait in the file, or NULL */
} vlm_pack_storage;

struct vlm_pack {
  vlm_arena *arena;
  const char *path;
  vlm_pack_storage *storage;
  vlm_layout layout;
  vlm_tensor_table tensors;
  bool loaded; /* weights are in memory */
  vlm_pack_pair *meta;
  int32_t n_meta, n_golden;
  vlm_pack_golden *golden;
  const char *preprocess, *quantization, *provenance, *texts[VLM_TEXT_COUNT];
  vlm_pack_section *sections;
};

/* One owner less; frees when none is left. */
void vlm_pack_release_storage(void *storage);
/* Checks a section and reads what it says; *label for the listing. The weights are left alone. */
vlm_status vlm_pack_read_section(vlm_pack *pack, const vlm_section *s, const char **label, vlm_error *err);
/* The whole file as mapped. */
const unsigned char *vlm_pack_bytes(const vlm_pack *pack);
/* The hash of the stored bytes; the file's pages are not kept in memory. */
vlm_status vlm_pack_check_stored(const vlm_pack *pack, const vlm_section *s, vlm_error *err);
/* Checks hashes and gives the raw bytes: in the mapping, or in *own (free with vlm_free; NULL otherwise). Not for WGHT. */
vlm_status vlm_pack_unpack(vlm_pack *pack, const vlm_section *s, const unsigned char **data,
                           unsigned char **own, vlm_error *err);
/* The graph of a section GRPH, not resolved, with its roles (VLM_PACK_MAX_ROLES, texts of the pack). The graph keeps the weights alive. */
vlm_status vlm_pack_graph(vlm_graph **out, vlm_pack *pack, const vlm_section *s, const char **roles,
                          int32_t *n_roles, vlm_error *err);

#endif
