/* Private to vlm-inspect: a packed file. */
#ifndef VLM_FLOW_PACK_VIEW_H
#define VLM_FLOW_PACK_VIEW_H

#include "cli/inspect.h"
#include "pack/pack.h"
#include "runtime/base/json.h"

typedef struct vlm_pack_name {
  const void *data; /* of a constant */
  int32_t order;    /* in which the graphs name it */
  const char *role, *name;
} vlm_pack_name;

typedef struct vlm_pack_view {
  const char *path;
  vlm_pack *pack;
  vlm_bundle *stored;    /* the graphs as the file has them */
  vlm_bundle *bundle;    /* lowered: the operators that run */
  vlm_pack_name *names;  /* of constants, by address */
  int32_t n_names;
  vlm_model_view model;
} vlm_pack_view;

/* Reads the file. Free a zeroed view with vlm_pack_view_free whatever came out. */
vlm_status vlm_pack_view_open(vlm_pack_view *view, const vlm_cli *cli, const char *path, vlm_error *err);
void vlm_pack_view_free(vlm_pack_view *view);
/* "vision/conv1.weight" of a tensor of the table; "" when no graph reads it. */
const char *vlm_pack_tensor_name(const vlm_pack_view *view, const vlm_pack_tensor *tensor, char *text, size_t size);

vlm_status vlm_pack_view_print(const vlm_pack_view *view, bool verbose, vlm_error *err);
vlm_status vlm_pack_view_put(vlm_json_writer *w, const vlm_pack_view *view, vlm_error *err);

/* --verify: every hash and every golden case that names a graph. Prints what was checked, or fails with VLM_INTEGRITY. */
vlm_status vlm_pack_view_verify(const vlm_cli *cli, const char *path, vlm_error *err);
/* --diff */
vlm_status vlm_pack_view_diff(const vlm_cli *cli, const char *path, const char *other, vlm_error *err);
/* --unpack: texts, graphs as text, tensors and golden cases as .npy files. */
vlm_status vlm_pack_view_unpack(const vlm_pack_view *view, const char *folder, vlm_error *err);

#endif
