/* Header and index of docs/format.md section 1: plain data, encoded and checked. */
#ifndef VLM_PACK_LAYOUT_H
#define VLM_PACK_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pack/encode.h"

enum {
  VLM_PACK_HEADER_BYTES = 72,
  VLM_PACK_RECORD_BYTES = 56,
  VLM_PACK_ALIGN = 64,
  VLM_PACK_MAP_ALIGN = 65536, /* raw weights that are worth mapping: */
  VLM_PACK_MAPPED_BYTES = 1 << 20,
  VLM_PACK_INSIDE_BYTES = 65536,      /* sections up to here lie in the index */
  VLM_PACK_MAX_INDEX_BYTES = 8 << 20, /* unpacked */
  VLM_PACK_MAX_SECTIONS = 64,
  VLM_PACK_MAX_TENSORS = 1 << 24,
  VLM_PACK_MAX_ITEMS = 1 << 24, /* values, nodes, strings of a graph */
  VLM_PACK_MAX_NESTING = 32,
  VLM_PACK_MAJOR = 1,
  VLM_PACK_MINOR = 1
};
#define VLM_PACK_MAX_SECTION_BYTES ((uint64_t)256 << 20)
#define VLM_PACK_FEATURE_ZSTD ((uint64_t)1)
#define VLM_PACK_FEATURE_COMPACT ((uint64_t)2)
#define VLM_PACK_FEATURES \
  (VLM_PACK_FEATURE_ZSTD | VLM_PACK_FEATURE_COMPACT) /* incompatible ones that are known here */

typedef enum vlm_section_codec {
  VLM_SECTION_RAW,
  VLM_SECTION_ZSTD,
  VLM_SECTION_FRAMES,
  VLM_SECTION_INSIDE, /* the bytes lie in the index (compact files) */
  VLM_SECTION_CODECS
} vlm_section_codec;
enum { VLM_SECTION_OPTIONAL = 1 };

typedef enum vlm_section_kind {
#define X(name, least, most, what) VLM_SECTION_##name,
#include "pack/sections.def"
#undef X
  VLM_SECTION_KINDS /* unknown */
} vlm_section_kind;

typedef struct vlm_section {
  char name[5];
  vlm_section_kind kind;
  uint32_t flags;
  vlm_section_codec codec;
  uint64_t offset, stored, raw;
  uint64_t stored_hash, raw_hash;
  bool raw_hashed;           /* wide files only */
  const unsigned char *data; /* codec INSIDE: its bytes */
} vlm_section;

/* Files are compact (feature bit 1; what is written) or wide (format 1.0; read only). */
typedef struct vlm_layout {
  uint64_t file_bytes, features;
  uint64_t header_bytes, index_offset, index_bytes, index_hash;
  vlm_section sections[VLM_PACK_MAX_SECTIONS];
  int32_t count;
  unsigned char *index; /* unpacked, of a compact file that was read; sections lie in it */
} vlm_layout;

const char *vlm_section_name(vlm_section_kind kind);
const char *vlm_section_what(vlm_section_kind kind);
const char *vlm_section_codec_name(vlm_section_codec codec);
/* Whether a section may unpack from `stored` to `raw` bytes: writer and reader ask here. Small sections may unpack to any multiple. */
bool vlm_section_unpacks(vlm_section_kind kind, uint64_t stored, uint64_t raw);
/* Where a section of a compact file begins when the one before it ends at `end`; kind, codec and stored size are set. */
uint64_t vlm_section_begin(uint64_t end, const vlm_section *section);

/* The index of a compact file as stored, and the header that goes with it. */
void vlm_layout_encode_index(vlm_encoder *e, const vlm_layout *layout);
void vlm_layout_encode_header(vlm_encoder *e, const vlm_layout *layout, const void *index,
                              size_t index_bytes);
/* Reads and checks header and index (rules 1 and 2 of section 5) of a whole file. */
vlm_status vlm_layout_decode(vlm_layout *out, const unsigned char *data, size_t bytes, const char *file,
                             vlm_error *err);
void vlm_layout_free(vlm_layout *layout);

#endif
