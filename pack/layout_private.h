/* Private to layout*.c: a file whose header is read and whose index is not. */
#ifndef VLM_PACK_LAYOUT_PRIVATE_H
#define VLM_PACK_LAYOUT_PRIVATE_H

#include "pack/layout.h"

typedef struct vlm_layout_reader {
  vlm_layout *out; /* header fields and count are set */
  const unsigned char *data;
  size_t bytes;
  const char *file;
  vlm_error *err;
} vlm_layout_reader;

/* The sections, each checked. The hash of the index was right. */
vlm_status vlm_layout_read_wide(vlm_layout_reader *r);
vlm_status vlm_layout_read_compact(vlm_layout_reader *r);

/* Sets the name and the kind; VLM_INTEGRITY for a name that is none, VLM_UNSUPPORTED for one that is unknown and not optional. */
vlm_status vlm_layout_set_name(const vlm_layout_reader *r, vlm_section *s, const unsigned char name[4]);
/* Codec, place and sizes of a section that begins at `begin`, *end being the end of the one before it; moves *end. */
vlm_status vlm_layout_check_section(const vlm_layout_reader *r, const vlm_section *s, uint64_t begin,
                                    uint64_t *end);
/* The bytes of the file between two sections. */
vlm_status vlm_layout_check_gap(const vlm_layout_reader *r, uint64_t from, uint64_t to, const char *name);

#endif
