/* A packed file to look at: the graphs as stored and as they run, and the names of its tensors; unpacking it. */
#ifndef VLM_FLOW_PACK_VIEW_H
#define VLM_FLOW_PACK_VIEW_H

#include "flow/model_view.h"
#include "flow/open.h"
#include "pack/pack.h"

typedef struct vlm_pack_name {
  const void *data; /* of a constant */
  int32_t order;    /* in which the graphs name it */
  const char *role, *name;
} vlm_pack_name;

typedef struct vlm_pack_view {
  const char *path;
  vlm_pack *pack;
  vlm_bundle *stored;   /* the graphs as the file has them */
  vlm_bundle *bundle;   /* lowered: the operators that run */
  vlm_pack_name *names; /* of constants, by address */
  int32_t n_names;
  vlm_model_view model;
} vlm_pack_view;

/* Reads the file. opts may be NULL; shapes are bound in the graphs that run. Free a zeroed view with
 * vlm_pack_view_free whatever came out. */
vlm_status vlm_pack_view_open(vlm_pack_view *view, vlm_context *context, const char *path,
                              const vlm_flow_open_opts *opts, vlm_error *err);
void vlm_pack_view_free(vlm_pack_view *view);
/* "vision/conv1.weight" of a tensor of the table; "" when no graph reads it. */
const char *vlm_pack_tensor_name(const vlm_pack_view *view, const vlm_pack_tensor *tensor, char *text,
                                 size_t size);

/* Writes the parts as files that other tools read: texts, graphs (as stored) as text, tensors and golden cases as
 * .npy. Names inside the file never become paths: what is not a letter, digit, ".", "-" or "_" becomes "_", and
 * tensors carry their number. */
vlm_status vlm_pack_view_unpack(const vlm_pack_view *view, const char *folder, vlm_error *err);

#endif
