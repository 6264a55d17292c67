#include "flow/frames.h"

#include <stdio.h>
#include <string.h>

/* Places of U and V: of the plane, or of the byte in a pair. */
static const struct {
  const char *name;
  int u, v;
  bool interleaved;
} KINDS[] = {{"i420", 0, 1, false}, {"nv12", 0, 1, true}, {"nv21", 1, 0, true}};

static vlm_status wrong(const char *text, vlm_error *err) {
  return vlm_fail(err, VLM_USAGE,
                  "--yuv %s: wanted FILE:WxH:KIND, KIND i420, nv12 or nv21, then any of :90 :180 :270 "
                  ":mirror :bt709 :limited",
                  text);
}

static size_t chroma_bytes(const vlm_yuv *f) {
  return (size_t)((f->width + 1) / 2) * (size_t)((f->height + 1) / 2);
}

/* Where planes begin; kind: row of KINDS. */
static void lay(vlm_yuv *f, size_t kind, const uint8_t *data) {
  const int64_t w = (f->width + 1) / 2;
  const size_t luma = (size_t)f->width * (size_t)f->height, chroma = chroma_bytes(f);
  f->planes[0] = (vlm_yuv_plane){data, luma, f->width, 1};
  for (int k = 1; k < 3; k++) {
    const size_t place = (size_t)(k == 1 ? KINDS[kind].u : KINDS[kind].v);
    const bool both = KINDS[kind].interleaved;
    f->planes[k] = (vlm_yuv_plane){data + luma + (both ? place : place * chroma),
                                   both ? 2 * chroma - place : chroma, both ? 2 * w : w, both ? 2 : 1};
  }
}

static bool take_word(vlm_yuv *f, const char *word, size_t n) {
  static const struct {
    const char *word;
    int turns;
    bool mirror, bt709, limited;
  } WORDS[] = {{"0", 0, false, false, false},     {"90", 1, false, false, false},
               {"180", 2, false, false, false},   {"270", 3, false, false, false},
               {"mirror", 0, true, false, false}, {"bt709", 0, false, true, false},
               {"limited", 0, false, false, true}};
  for (size_t i = 0; i < sizeof WORDS / sizeof WORDS[0]; i++) {
    if (strlen(WORDS[i].word) != n || strncmp(WORDS[i].word, word, n) != 0) continue;
    if (WORDS[i].turns) f->turns = WORDS[i].turns;
    f->mirror |= WORDS[i].mirror;
    f->limited |= WORDS[i].limited;
    if (WORDS[i].bt709) f->colors = VLM_YUV_COLORS_BT709;
    return true;
  }
  return false;
}

/* ":WxH:KIND" anywhere in the text; names of files may have colons. */
static const char *find_size(const char *text, vlm_yuv *f, const char **rest) {
  for (const char *at = strchr(text, ':'); at; at = strchr(at + 1, ':')) {
    int used = 0;
    if (at > text && sscanf(at, ":%9dx%9d:%n", &f->width, &f->height, &used) == 2 && used && f->width > 0 &&
        f->height > 0) {
      *rest = at + used;
      return at;
    }
  }
  return NULL;
}

vlm_status vlm_frame_file_parse(vlm_frame_file *out, const char *text, vlm_error *err) {
  vlm_status st = VLM_OK;
  const char *rest, *end = find_size(text, &out->frame, &rest);
  size_t kind = 0, n;
  if (!end) return wrong(text, err);
  n = strcspn(rest, ":");
  while (kind < sizeof KINDS / sizeof KINDS[0] &&
         (strlen(KINDS[kind].name) != n || strncmp(KINDS[kind].name, rest, n) != 0))
    kind++;
  if (kind == sizeof KINDS / sizeof KINDS[0]) return wrong(text, err);
  for (rest += n; *rest; rest += n) {
    n = strcspn(++rest, ":");
    if (!take_word(&out->frame, rest, n)) return wrong(text, err);
  }
  VLM_TRY(vlm_new(&out->path, (size_t)(end - text) + 1, err));
  memcpy(out->path, text, (size_t)(end - text));
  out->frame.crop = (vlm_image_rect){0, 0, out->frame.width, out->frame.height};
  out->kind = (int)kind;
out:
  return st;
}

vlm_status vlm_frame_file_open(vlm_frame_file *out, const char *text, vlm_error *err) {
  vlm_status st = VLM_OK;
  *out = (vlm_frame_file){.path = NULL};
  VLM_TRY(vlm_frame_file_parse(out, text, err));
  const vlm_yuv *f = &out->frame;
  const size_t wanted = (size_t)f->width * (size_t)f->height + 2 * chroma_bytes(f);
  VLM_TRY(vlm_file_map(&out->file, out->path, err));
  VLM_CHECK(out->file.bytes == wanted, err, VLM_INPUT, "%s: %zu bytes, a frame of %d x %d has %zu", out->path,
            out->file.bytes, f->width, f->height, wanted);
  lay(&out->frame, (size_t)out->kind, out->file.data);
out:
  return st;
}

void vlm_frame_file_free(vlm_frame_file *file) {
  vlm_file_unmap(&file->file);
  vlm_free(file->path);
  *file = (vlm_frame_file){.path = NULL};
}
