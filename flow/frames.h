/* Raw camera frames in files: FILE:WxH:KIND, KIND i420, nv12 or nv21, then any of :90 :180 :270 :mirror :bt709 :limited. */
#ifndef VLM_FLOW_FRAMES_H
#define VLM_FLOW_FRAMES_H

#include "flow/data.h"
#include "runtime/base/file.h"
#include "runtime/decode/answer.h"

typedef struct vlm_frame_file {
  char *path;
  vlm_file file;
  int kind;      /* of the planes: a row of the table in frames.c */
  vlm_yuv frame; /* planes in the mapped file */
} vlm_frame_file;

/* The words alone; path and frame without planes. VLM_USAGE says what was wanted. Free with vlm_frame_file_free in any case. */
vlm_status vlm_frame_file_parse(vlm_frame_file *out, const char *text, vlm_error *err);
/* Also maps the file, whose size must be that of the frame. */
vlm_status vlm_frame_file_open(vlm_frame_file *out, const char *text, vlm_error *err);
void vlm_frame_file_free(vlm_frame_file *file);

#endif
