/* A packed file behind its checksums. First byte even: the bytes of a file, whose hashes of index and header are made right. Odd: sections,
 * each two bytes length, one byte name (from the table), one byte flags; they become a compact file with all of them in the index. */
#include <stdlib.h>
#include <string.h>

#include "pack/layout.h"
#include "pack/pack.h"
#include "runtime/base/hash.h"
#include "tests/fuzz/graph_run.h"
#include "tests/fuzz/target.h"

fuzz_run fuzz_on_pack;

static uint64_t number(const uint8_t *at, int bytes) {
  uint64_t n = 0;
  for (int i = bytes - 1; i >= 0; i--) n = n << 8 | at[i];
  return n;
}

static void put(uint8_t *at, uint64_t n) {
  for (int i = 0; i < 8; i++) at[i] = (uint8_t)(n >> 8 * i);
}

static void make_right(uint8_t *file, size_t size) {
  if (size < VLM_PACK_HEADER_BYTES) return;
  const uint64_t at = number(file + 40, 8), bytes = number(file + 48, 4);
  put(file + 16, size);
  if (at < size && bytes <= size - at) put(file + 56, vlm_xxh64(file + at, (size_t)bytes));
  put(file + 64, vlm_xxh64(file, 64));
}

/* Weights lie in the file. As frames they begin with two bytes, their unpacked size. */
static void place_weights(vlm_layout *layout, vlm_section *s, bool frames) {
  s->codec = VLM_SECTION_RAW;
  if (frames && s->stored >= 2) {
    s->codec = VLM_SECTION_FRAMES;
    s->raw = number(s->data, 2);
    s->data += 2;
    s->stored -= 2;
  }
  s->stored_hash = vlm_xxh64(s->data, s->stored);
  s->offset = vlm_section_begin(layout->index_offset, s);
  layout->index_offset = s->offset + s->stored;
}

/* All else lies in the index. */
static void add_sections(vlm_layout *layout, const uint8_t *data, size_t size) {
  while (size >= 4 && layout->count < VLM_PACK_MAX_SECTIONS) {
    vlm_section *s = &layout->sections[layout->count++];
    size_t bytes = number(data, 2);
    if (bytes > size - 4) bytes = size - 4;
    *s = (vlm_section){.kind = (vlm_section_kind)(data[2] % VLM_SECTION_KINDS),
                       .flags = data[3] & 1,
                       .codec = VLM_SECTION_INSIDE,
                       .stored = bytes,
                       .raw = bytes,
                       .data = data + 4};
    memcpy(s->name, vlm_section_name(s->kind), 5);
    if (s->kind == VLM_SECTION_WGHT) place_weights(layout, s, data[3] & 2);
    data += 4 + bytes;
    size -= 4 + bytes;
  }
}

/* A file in a block of its own size. */
static uint8_t *file_of_sections(const uint8_t *data, size_t size, size_t *bytes) {
  static vlm_layout layout; /* large */
  vlm_error err;
  vlm_encoder index = {.err = &err}, header = {.err = &err};
  layout = (vlm_layout){.features = VLM_PACK_FEATURE_COMPACT,
                        .header_bytes = VLM_PACK_HEADER_BYTES,
                        .index_offset = VLM_PACK_HEADER_BYTES};
  add_sections(&layout, data, size);
  vlm_layout_encode_index(&index, &layout);
  layout.features |= VLM_PACK_FEATURE_ZSTD; /* of the weights; the index is as it is */
  layout.index_bytes = index.bytes.bytes;
  layout.file_bytes = *bytes = layout.index_offset + index.bytes.bytes;
  vlm_layout_encode_header(&header, &layout, vlm_text_get(&index.bytes), index.bytes.bytes);
  uint8_t *file = calloc(1, *bytes);
  memcpy(file, header.bytes.data, header.bytes.bytes);
  for (int32_t i = 0; i < layout.count; i++)
    if (layout.sections[i].offset)
      memcpy(file + layout.sections[i].offset, layout.sections[i].data, layout.sections[i].stored);
  memcpy(file + layout.index_offset, vlm_text_get(&index.bytes), index.bytes.bytes);
  vlm_text_free(&index.bytes);
  vlm_text_free(&header.bytes);
  return file;
}

/* Every graph of the bundle runs; it is compared with itself, too. */
static void use(vlm_pack *pack) {
  static fuzz_graph g; /* large */
  vlm_error err = {0};
  vlm_bundle *bundle = NULL;
  int64_t differences;
  vlm_status st = vlm_pack_diff(pack, pack, NULL, NULL, &differences, &err);
  if (st == VLM_OK && differences) fuzz_found("a file differs from itself");
  if (st == VLM_OK) st = vlm_pack_bundle(&bundle, pack, &err);
  for (int role = 0; st == VLM_OK && role < VLM_ROLE_COUNT; role++) {
    if (!vlm_bundle_graph_once(bundle, role)) continue;
    if (getenv("VLMQ_FUZZ_PRINT")) fuzz_graph_print(stderr, bundle->graphs[role]);
    const bool fits = fuzz_graph_adopt(&g, bundle->graphs[role]);
    const char *what = fits ? fuzz_graph_check(&g, NULL) : NULL;
    if (what) fuzz_found(what);
    g.graph = NULL; /* the bundle's */
    fuzz_graph_free(&g);
  }
  vlm_bundle_free(bundle);
}

void fuzz_on_pack(const uint8_t *data, size_t size) {
  vlm_error err = {0};
  vlm_file file = {0};
  vlm_pack *pack = NULL;
  if (size == 0 || (data[0] & 1 && size < 5)) return; /* no section: no file that could be written */
  size_t bytes = size - 1;
  uint8_t *copy = data[0] & 1 ? file_of_sections(data + 1, size - 1, &bytes) : malloc(size);
  if (!(data[0] & 1)) {
    memcpy(copy, data + 1, bytes);
    make_right(copy, bytes);
  }
  vlm_status st = vlm_file_copy(&file, copy, bytes, &err);
  const vlm_pack_open_opts opts = {.max_weight_bytes = 1 << 26, .lazy = data[0] & 2};
  if (st == VLM_OK) st = vlm_pack_open_file(&pack, &file, "fuzz.vlmq", &opts, &err);
  if (!fuzz_is_outcome(st) && st != VLM_INTEGRITY) fuzz_found(err.text);
  if (getenv("VLMQ_FUZZ_PRINT")) fprintf(stderr, "%s %s\n", vlm_status_name(st), err.text);
  if (st == VLM_OK) use(pack);
  vlm_pack_close(pack);
  vlm_file_unmap(&file);
  free(copy);
}
