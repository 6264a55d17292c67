/* The segments of a JPEG file, walked without libjpeg: cheap, and before anything is allocated. */
#define _GNU_SOURCE /* memrchr, memmem */
#include <string.h>

#include "calib/image_codec.h"

enum {
  SOF0 = 0xc0,
  SOF2 = 0xc2,
  SOF9 = 0xc9,
  SOF15 = 0xcf,
  DHT = 0xc4,
  JPG = 0xc8,
  DAC = 0xcc,
  RST0 = 0xd0,
  EOI = 0xd9,
  SOS = 0xda,
  APP1 = 0xe1
};
enum { MAX_COMPONENTS = 4 };

typedef struct jpeg_walk {
  const unsigned char *data;
  size_t bytes, at;
  int exif, xmp; /* orientations */
  unsigned kind; /* the marker that starts the frame; 0 = none yet */
  uint64_t width, height, components;
  unsigned id[MAX_COMPONENTS], h[MAX_COMPONENTS], v[MAX_COMPONENTS], h_max, v_max;
} jpeg_walk;

static unsigned two(const unsigned char *p) { return (unsigned)p[0] << 8 | p[1]; }

static bool starts_frame(unsigned marker) {
  return marker >= SOF0 && marker <= SOF15 && marker != DHT && marker != JPG && marker != DAC;
}

/* p: behind the length. */
static void see_frame(jpeg_walk *w, unsigned marker, const unsigned char *p, size_t bytes) {
  if (bytes < 6 || p[5] > MAX_COMPONENTS || bytes < 6 + 3u * p[5]) return;
  w->kind = marker;
  w->height = two(p + 1);
  w->width = two(p + 3);
  w->components = p[5];
  w->h_max = w->v_max = 1;
  for (size_t i = 0; i < w->components; i++) {
    const unsigned char *c = p + 6 + 3 * i;
    w->id[i] = c[0];
    w->h[i] = c[1] >> 4;
    w->v[i] = c[1] & 15;
    if (w->h[i] > w->h_max) w->h_max = w->h[i];
    if (w->v[i] > w->v_max) w->v_max = w->v[i];
  }
}

/* EXIF wins over XMP; of several blocks the first. */
static void see_app1(jpeg_walk *w, const unsigned char *p, size_t bytes) {
  static const char XMP[29] = "http://ns.adobe.com/xap/1.0/";
  if (bytes >= 6 && memcmp(p, "Exif\0", 6) == 0 && !w->exif) w->exif = vlm_exif_orientation(p, bytes);
  else if (bytes >= sizeof XMP && memcmp(p, XMP, sizeof XMP) == 0)
    w->xmp = vlm_xmp_orientation(p + sizeof XMP, bytes - sizeof XMP);
}

/* Up to the first scan: true when there is one; `at` is then at its header. */
static bool find_scan(jpeg_walk *w) {
  for (w->at = 2; w->at + 4 <= w->bytes;) {
    const unsigned char *p = w->data + w->at;
    if (p[0] != 0xff || p[1] == 0xff || p[1] == 0 || (p[1] >= RST0 && p[1] < EOI)) {
      w->at++; /* fill bytes, rubbish between segments */
      continue;
    }
    size_t length = two(p + 2);
    if (p[1] == SOS) return true;
    if (p[1] == EOI || length < 2 || w->at + 2 + length > w->bytes) return false;
    if (starts_frame(p[1]) && !w->kind) see_frame(w, p[1], p + 4, length - 2);
    else if (p[1] == APP1) see_app1(w, p + 4, length - 2);
    w->at += 2 + length;
  }
  return false;
}

static uint64_t up(uint64_t a, uint64_t b) { return b ? (a + b - 1) / b : 0; }

/* Blocks of 8 x 8 in the scan whose header is at p. */
static uint64_t blocks_of(const jpeg_walk *w, const unsigned char *p, unsigned n) {
  uint64_t sum = 0, across = up(w->width, 8u * w->h_max), down = up(w->height, 8u * w->v_max);
  for (unsigned k = 0; k < n; k++)
    for (size_t i = 0; i < w->components; i++) {
      if (w->id[i] != p[2 * k]) continue;
      if (n > 1) sum += across * down * w->h[i] * w->v[i];
      else sum += up(up(w->width * w->h[i], w->h_max), 8) * up(up(w->height * w->v[i], w->v_max), 8);
    }
  return sum;
}

/* The bytes of the scan, up to the next marker or to `enough`. */
static uint64_t scan_bytes(const unsigned char *p, size_t bytes, uint64_t enough) {
  for (size_t at = 0; at < bytes && at < enough;) {
    const unsigned char *mark = memchr(p + at, 0xff, bytes - at);
    if (!mark || mark + 1 == p + bytes) return bytes;
    at = (size_t)(mark - p);
    if (mark[1] != 0 && mark[1] != 0xff && !(mark[1] >= RST0 && mark[1] < RST0 + 8)) return at;
    at += 2;
  }
  return bytes < enough ? bytes : enough;
}

/* A block takes two codes in a baseline scan (DC, and the end of the rest), in the first of a progressive picture one. */
static void measure_scan(vlm_jpeg_parts *out, const jpeg_walk *w) {
  const unsigned char *p = w->data + w->at + 2;
  size_t left = w->bytes - w->at - 2, length = two(p);
  unsigned n = left > 2 ? p[2] : 0;
  if (length < 6 + 2u * n || length > left || n < 1 || n > MAX_COMPONENTS) return;
  bool progressive = w->kind == SOF2, first = p[3 + 2 * n] == 0;
  if (w->kind < SOF0 || w->kind > SOF2 || (progressive && !first))
    return; /* arithmetic codes have no least */
  out->least = blocks_of(w, p + 3, n) * (progressive ? 1 : 2) / 8;
  out->there = scan_bytes(p + length, left - length, out->least);
}

/* Entropy-coded data holds no marker, so one behind the first scan's header is an end: the picture's, or one in what follows it. */
static bool has_end(const unsigned char *p, size_t bytes) {
  while (bytes >= 2) {
    const unsigned char *mark = memrchr(p, EOI, bytes);
    if (!mark || mark == p) return false;
    if (mark[-1] == 0xff) return true;
    bytes = (size_t)(mark - p);
  }
  return false;
}

void vlm_jpeg_look(vlm_jpeg_parts *out, const unsigned char *data, size_t bytes) {
  jpeg_walk w = {.data = data, .bytes = bytes};
  *out = (vlm_jpeg_parts){.ended = true};
  if (bytes >= 2 && find_scan(&w)) {
    out->ended = has_end(data + w.at, bytes - w.at);
    measure_scan(out, &w);
  }
  out->orientation = w.exif ? w.exif : w.xmp;
}
