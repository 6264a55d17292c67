#include <stdlib.h>
#include <string.h>

#include "pack/graphs.h"
#include "pack/packer.h"

#define DEFAULT_LEVEL 6

static vlm_status put_text_section(vlm_packer *p, vlm_section_kind kind, const char *text) {
  return text ? vlm_packer_put_section(p, kind, text, strlen(text)) : VLM_OK;
}

static int by_key(const void *a, const void *b) {
  return strcmp(((const vlm_pack_pair *)a)->key, ((const vlm_pack_pair *)b)->key);
}

static vlm_status put_meta(vlm_packer *p) {
  static const char *const families[] = {"graph", "encoder-decoder", "decoder-only"};
  vlm_status st = VLM_OK;
  vlm_encoder e = {.err = p->err};
  vlm_pack_pair *pairs = NULL;
  const int32_t n = p->content->n_meta + 1;
  VLM_TRY(vlm_new(&pairs, n, p->err));
  pairs[0] = (vlm_pack_pair){"family", families[p->content->bundle->family]};
  for (int32_t i = 1; i < n; i++) pairs[i] = p->content->meta[i - 1];
  qsort(pairs, (size_t)n, sizeof(*pairs), by_key);
  for (int32_t i = 1; i < n; i++) {
    VLM_CHECK(strcmp(pairs[i - 1].key, pairs[i].key) != 0, p->err, VLM_INPUT, "the key \"%s\" is given twice",
              pairs[i].key);
  }
  vlm_put_uint(&e, (uint64_t)n);
  for (int32_t i = 0; i < n; i++) {
    vlm_put_text(&e, pairs[i].key);
    vlm_put_text(&e, pairs[i].value);
  }
  VLM_TRY(vlm_packer_put_encoder(p, VLM_SECTION_META, &e));
out:
  vlm_text_free(&e.bytes);
  vlm_free(pairs);
  return st;
}

static vlm_status put_texts(vlm_packer *p) {
  vlm_status st = VLM_OK;
  const vlm_bundle *b = p->content->bundle;
  VLM_TRY(put_text_section(p, VLM_SECTION_PREP, b->preprocess));
  VLM_TRY(put_text_section(p, VLM_SECTION_TOKN, b->texts[VLM_TEXT_TOKENIZER]));
  for (int t = 0; t < VLM_TEXT_COUNT; t++) {
    vlm_encoder e = {.err = p->err};
    if (t == VLM_TEXT_TOKENIZER || !b->texts[t]) continue;
    vlm_put_text(&e, vlm_text_file((vlm_bundle_text)t));
    vlm_put_bytes(&e, b->texts[t], strlen(b->texts[t]));
    VLM_TRY(vlm_packer_put_encoder(p, VLM_SECTION_TEXT, &e));
  }
out:
  return st;
}

/* One section per graph; a graph with several roles comes at its first. */
static vlm_status put_graphs(vlm_packer *p) {
  vlm_status st = VLM_OK;
  const vlm_bundle *b = p->content->bundle;
  int graphs = 0;
  for (int r = 0; r < VLM_ROLE_COUNT; r++) {
    const char *roles[VLM_ROLE_COUNT];
    vlm_encoder e = {.err = p->err};
    int32_t n = 0;
    bool seen = !b->graphs[r];
    for (int k = 0; k < r; k++) seen |= b->graphs[k] == b->graphs[r];
    if (seen) continue;
    for (int k = r; k < VLM_ROLE_COUNT; k++) {
      if (b->graphs[k] == b->graphs[r]) roles[n++] = vlm_role_name((vlm_role)k);
    }
    vlm_graph_encode(&e, roles, n, b->graphs[r], &p->pool);
    st = vlm_packer_put_encoder(p, VLM_SECTION_GRPH, &e);
    if (st != VLM_OK) vlm_error_context(p->err, "graph %s", roles[0]);
    VLM_TRY(st);
    graphs++;
  }
  VLM_CHECK(graphs > 0, p->err, VLM_INPUT, "the model has no graph");
out:
  return st;
}

static vlm_status put_golden(vlm_packer *p) {
  vlm_status st = VLM_OK;
  vlm_encoder e = {.err = p->err};
  if (p->content->n_golden == 0) return VLM_OK;
  vlm_put_uint(&e, (uint64_t)p->content->n_golden);
  for (int32_t i = 0; i < p->content->n_golden; i++) {
    const vlm_pack_golden *g = &p->content->golden[i];
    vlm_put_text(&e, g->graph);
    vlm_put_uint(&e, (uint64_t)g->n_inputs);
    vlm_put_uint(&e, (uint64_t)g->n_outputs);
    for (int32_t k = 0; k < g->n_inputs + g->n_outputs; k++) {
      size_t bytes = 0;
      VLM_TRY(vlm_tensor_bytes_checked(&bytes, &g->tensors[k], p->err));
      vlm_put_text(&e, g->names[k]);
      vlm_put_shape(&e, &g->tensors[k]);
      vlm_put_bytes(&e, g->tensors[k].data, bytes);
    }
  }
  VLM_TRY(vlm_packer_put_encoder(p, VLM_SECTION_GOLD, &e));
out:
  vlm_text_free(&e.bytes);
  return st;
}

static vlm_status put_index(vlm_packer *p) {
  vlm_status st = VLM_OK;
  vlm_encoder index = {.err = p->err}, header = {.err = p->err};
  vlm_layout_encode_index(&index, &p->layout);
  VLM_TRY(index.status);
  p->layout.index_offset = p->at;
  VLM_TRY(vlm_packer_put(p, index.bytes.data, index.bytes.bytes));
  p->layout.file_bytes = p->at;
  vlm_layout_encode_header(&header, &p->layout, index.bytes.data, index.bytes.bytes);
  VLM_TRY(header.status);
  VLM_TRY(vlm_writer_seek(p->writer, 0, p->err));
  VLM_TRY(vlm_writer_write(p->writer, header.bytes.data, header.bytes.bytes, p->err));
out:
  vlm_text_free(&index.bytes);
  vlm_text_free(&header.bytes);
  return st;
}

/* The writer never leaves what the reader refuses. A device cannot be read back. */
static vlm_status read_back(const vlm_packer *p, const char *path, const vlm_pack_opts *opts) {
  const char *written = vlm_writer_path(p->writer);
  if (opts->unverified || !vlm_file_is_regular(written, NULL)) return VLM_OK;
  return vlm_pack_verify_written(written, path, p->threads, p->err);
}

vlm_status vlm_pack_write(const char *path, const vlm_pack_content *content, const vlm_pack_opts *opts,
                          size_t *bytes, vlm_error *err) {
  static const vlm_pack_opts defaults = {.level = 0};
  vlm_status st = VLM_OK;
  if (!opts) opts = &defaults;
  vlm_packer p = {.content = content,
                  .codec = opts->codec,
                  .level = opts->level ? opts->level : DEFAULT_LEVEL,
                  .threads = opts->threads,
                  .go_on = opts->go_on,
                  .user = opts->user,
                  .err = err};
  VLM_CHECK(p.level >= 1 && p.level <= 19, err, VLM_USAGE, "compression level %d, wanted 1 to 19",
            opts->level);
  VLM_TRY(vlm_arena_create(&p.arena, err));
  VLM_TRY(vlm_writer_open(&p.writer, path, err));
  VLM_TRY(vlm_packer_pad_to(&p, VLM_PACK_HEADER_BYTES));
  VLM_TRY(put_meta(&p));
  VLM_TRY(put_texts(&p));
  VLM_TRY(put_graphs(&p));
  VLM_TRY(vlm_packer_put_weights(&p));
  VLM_TRY(put_text_section(&p, VLM_SECTION_QPAR, content->quantization));
  VLM_TRY(put_text_section(&p, VLM_SECTION_CALB, content->provenance));
  VLM_TRY(put_golden(&p));
  VLM_TRY(put_index(&p));
  VLM_TRY(read_back(&p, path, opts));
  VLM_TRY(vlm_writer_commit(p.writer, err));
  if (bytes) *bytes = (size_t)p.layout.file_bytes;
out:
  vlm_writer_free(p.writer);
  vlm_arena_free(p.arena);
  vlm_tensor_pool_free(&p.pool);
  return st;
}
