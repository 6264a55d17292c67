/* The one user of libwebp, which is not there in every build. Of an animation the first picture is read. */
#ifdef VLMQ_WEBP
#include <string.h>

#include <webp/decode.h>
#include <webp/demux.h>

#include "calib/image_codec.h"
#include "runtime/base/memory.h"

/* A lossless picture of one colour takes a few bytes whatever its size. */
#define MOST_PIXELS ((uint64_t)1 << 40)

static int orientation_of(const WebPDemuxer *demuxer) {
  WebPChunkIterator chunk;
  int found = 0;
  if (WebPDemuxGetChunk(demuxer, "EXIF", 1, &chunk))
    found = vlm_exif_orientation(chunk.chunk.bytes, chunk.chunk.size);
  WebPDemuxReleaseChunkIterator(&chunk);
  if (found) return found;
  if (WebPDemuxGetChunk(demuxer, "XMP ", 1, &chunk))
    found = vlm_xmp_orientation(chunk.chunk.bytes, chunk.chunk.size);
  WebPDemuxReleaseChunkIterator(&chunk);
  return found;
}

static vlm_status damaged(const vlm_image_source *s, const char *what, vlm_error *err) {
  return vlm_fail(err, VLM_INPUT, "%s: damaged WebP: %s; copy or convert the file again", s->name, what);
}

/* RGBA when transparency is blended, else the colours as they are stored. */
static vlm_status read_pixels(vlm_image *out, const vlm_image_source *s, const WebPIterator *frame,
                              vlm_error *err) {
  vlm_status st = VLM_OK;
  const size_t pixels = (size_t)out->width * (size_t)out->height, row = (size_t)out->width * 4;
  uint8_t *rgba = NULL;
  VLM_TRY(vlm_new(&rgba, pixels * 4, err));
  for (int y = 0; y < out->height && frame->has_alpha; y++)
    memset(rgba + (size_t)y * row, 0, row); /* what the frame does not cover */
  uint8_t *to = rgba + (size_t)frame->y_offset * row + (size_t)frame->x_offset * 4;
  const size_t room = pixels * 4 - (size_t)(to - rgba);
  if (!WebPDecodeRGBAInto(frame->fragment.bytes, frame->fragment.size, to, room, (int)row)) {
    st = damaged(s, "its pixels cannot be decoded", err);
    goto out;
  }
  for (size_t i = 0; i < pixels; i++)
    if (s->opts.on_white && frame->has_alpha) vlm_image_blend_white(out->data + i * 3, rgba + i * 4);
    else memcpy(out->data + i * 3, rgba + i * 4, 3);
out:
  vlm_free(rgba);
  return st;
}

vlm_status vlm_image_decode_webp(vlm_image *out, const vlm_image_source *s, vlm_error *err) {
  vlm_status st = VLM_OK;
  const WebPData data = {s->data, s->bytes};
  WebPDemuxState state = WEBP_DEMUX_PARSE_ERROR;
  WebPIterator frame = {0};
  WebPDemuxer *demuxer = WebPDemuxPartial(&data, &state);
  if (!demuxer || state < WEBP_DEMUX_DONE) {
    st = damaged(
        s, state == WEBP_DEMUX_PARSE_ERROR ? "its chunks cannot be told apart" : "the file is truncated",
        err);
    goto out;
  }
  s->info->orientation = orientation_of(demuxer);
  VLM_TRY(vlm_image_start(out, s, WebPDemuxGetI(demuxer, WEBP_FF_CANVAS_WIDTH),
                          WebPDemuxGetI(demuxer, WEBP_FF_CANVAS_HEIGHT), MOST_PIXELS, err));
  if (!WebPDemuxGetFrame(demuxer, 1, &frame)) st = damaged(s, "it has no picture", err);
  else if (!s->look) st = read_pixels(out, s, &frame, err);
out:
  WebPDemuxReleaseIterator(&frame);
  WebPDemuxDelete(demuxer);
  return st;
}
#else
typedef int vlm_no_webp; /* a file of C holds something */
#endif
