#include <stdio.h>
#include <string.h>

#include "calib/npy.h"
#include "flow/file_names.h"
#include "flow/pack_view.h"
#include "pack/describe.h"
#include "runtime/base/file.h"

static vlm_status make_folder(char **out, const char *folder, const char *name, vlm_error *err) {
  vlm_status st = VLM_OK;
  if (name) VLM_TRY(vlm_path_join(out, folder, name, err));
  else VLM_TRY(vlm_strdup(out, folder, err));
  VLM_TRY(vlm_folder_make(*out, err));
out:
  return st;
}

static vlm_status write_text(const char *folder, const char *name, const char *content, vlm_error *err) {
  vlm_status st = VLM_OK;
  char *path = NULL;
  if (!content) return VLM_OK;
  VLM_TRY(vlm_path_join(&path, folder, name, err));
  VLM_TRY(vlm_file_write(path, content, strlen(content), err));
out:
  vlm_free(path);
  return st;
}

static vlm_status write_array(const char *folder, const char *name, const vlm_tensor *t, vlm_error *err) {
  vlm_status st = VLM_OK;
  char *path = NULL;
  VLM_TRY(vlm_path_join(&path, folder, name, err));
  VLM_TRY(vlm_npy_write(t, path, err));
out:
  vlm_free(path);
  return st;
}

static vlm_status write_texts(const vlm_pack *pack, const char *folder, vlm_error *err) {
  vlm_status st = VLM_OK;
  VLM_TRY(write_text(folder, "preprocess.json", vlm_pack_preprocess(pack), err));
  VLM_TRY(write_text(folder, "quantization.json", vlm_pack_quantization(pack), err));
  VLM_TRY(write_text(folder, "provenance.json", vlm_pack_provenance(pack), err));
  for (int t = 0; t < VLM_TEXT_COUNT; t++)
    VLM_TRY(
        write_text(folder, vlm_text_file((vlm_bundle_text)t), vlm_pack_text(pack, (vlm_bundle_text)t), err));
out:
  return st;
}

static vlm_status write_graphs(const vlm_bundle *bundle, const char *folder, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_text text = {0};
  char name[160];
  for (int r = 0; r < VLM_ROLE_COUNT; r++) {
    const vlm_graph *g = vlm_bundle_graph_once(bundle, r);
    if (!g) continue;
    vlm_text_clear(&text);
    for (int32_t n = 0; n < g->n_nodes; n++) {
      VLM_TRY(vlm_text_print(&text, err, "%s = ", g->nodes[n].name));
      VLM_TRY(vlm_describe_node(&text, g, &g->nodes[n], err));
      VLM_TRY(vlm_text_append(&text, "\n", 1, err));
    }
    vlm_file_name_plain(name, sizeof name, "", vlm_role_name((vlm_role)r), ".txt");
    VLM_TRY(write_text(folder, name, vlm_text_get(&text), err));
  }
out:
  vlm_text_free(&text);
  return st;
}

static vlm_status write_tensors(const vlm_pack_view *v, const char *folder, vlm_error *err) {
  vlm_status st = VLM_OK;
  int32_t n;
  char name[512], number[16], file[200], *inside = NULL;
  const vlm_pack_tensor *t = vlm_pack_tensors(v->pack, &n);
  VLM_TRY(make_folder(&inside, folder, "tensors", err));
  for (int32_t i = 0; i < n; i++) {
    snprintf(number, sizeof number, "%05d_", i);
    vlm_file_name_plain(file, sizeof file, number, vlm_pack_tensor_name(v, &t[i], name, sizeof name), ".npy");
    VLM_TRY(write_array(inside, file, &t[i].tensor, err));
  }
out:
  vlm_free(inside);
  return st;
}

static vlm_status write_golden(const vlm_pack *pack, const char *folder, vlm_error *err) {
  vlm_status st = VLM_OK;
  int32_t n;
  char *top = NULL, *inside = NULL, file[200], prefix[32];
  const vlm_pack_golden *g = vlm_pack_golden_all(pack, &n);
  if (n) VLM_TRY(make_folder(&top, folder, "golden", err));
  for (int32_t i = 0; i < n; i++) {
    snprintf(prefix, sizeof prefix, "%05d_", i);
    vlm_file_name_plain(file, sizeof file, prefix, g[i].graph, "");
    VLM_TRY(make_folder(&inside, top, file, err));
    for (int32_t k = 0; k < g[i].n_inputs + g[i].n_outputs; k++) {
      snprintf(prefix, sizeof prefix, "%s_%d_", k < g[i].n_inputs ? "in" : "out",
               k < g[i].n_inputs ? k : k - g[i].n_inputs);
      vlm_file_name_plain(file, sizeof file, prefix, g[i].names[k], ".npy");
      VLM_TRY(write_array(inside, file, &g[i].tensors[k], err));
    }
    vlm_free(inside);
    inside = NULL;
  }
out:
  vlm_free(inside);
  vlm_free(top);
  return st;
}

vlm_status vlm_pack_view_unpack(const vlm_pack_view *v, const char *folder, vlm_error *err) {
  vlm_status st = VLM_OK;
  char *top = NULL;
  VLM_TRY(make_folder(&top, folder, NULL, err));
  VLM_TRY(write_texts(v->pack, top, err));
  VLM_TRY(write_graphs(v->stored, top, err));
  VLM_TRY(write_tensors(v, top, err));
  VLM_TRY(write_golden(v->pack, top, err));
out:
  vlm_free(top);
  return st;
}
