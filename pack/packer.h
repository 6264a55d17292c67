/* A packed file that is being written: what write.c and write_weights.c are made from. */
#ifndef VLM_PACK_PACKER_H
#define VLM_PACK_PACKER_H

#include "pack/layout.h"
#include "pack/pack.h"
#include "pack/tensors.h"
#include "runtime/base/file.h"

typedef struct vlm_packer {
  const vlm_pack_content *content;
  vlm_pack_codec codec;
  int level;
  vlm_threads *threads;
  vlm_status (*go_on)(void *user, vlm_error *err);
  void *user;
  vlm_writer *writer;
  vlm_layout layout;
  uint64_t at;      /* bytes written */
  vlm_arena *arena; /* of sections that lie in the index */
  vlm_tensor_pool pool;
  vlm_error *err;
} vlm_packer;

vlm_status vlm_packer_put(vlm_packer *p, const void *data, size_t bytes);
/* Zeros up to `offset`. */
vlm_status vlm_packer_pad_to(vlm_packer *p, uint64_t offset);
/* Starts the next section, of that many stored bytes, at its place. */
vlm_status vlm_packer_begin(vlm_packer *p, vlm_section **out, vlm_section_kind kind, vlm_section_codec codec,
                            uint64_t stored);
/* A section from memory: in the index when it is small, else compressed when that makes it smaller. */
vlm_status vlm_packer_put_section(vlm_packer *p, vlm_section_kind kind, const void *data, size_t bytes);
/* Ends an encoder: its bytes become a section. */
vlm_status vlm_packer_put_encoder(vlm_packer *p, vlm_section_kind kind, vlm_encoder *e);
/* Sections WGHT and TENS of the pool. */
vlm_status vlm_packer_put_weights(vlm_packer *p);

#endif
