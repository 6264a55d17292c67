#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "onnx/importer.h"
#include "onnx/tensor_proto.h"
#include "runtime/base/unconst.h"

/* What the external_data entries of a tensor say. */
typedef struct place {
  const char *location;
  uint64_t offset, length;
  bool has_length;
} place;

static vlm_status parse_size(vlm_importer *im, const char *key, const char *text, const char *label,
                             uint64_t *out) {
  vlm_status st = VLM_OK;
  char *end = NULL;
  errno = 0;
  *out = strtoull(text, &end, 10);
  VLM_CHECK(text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0, im->err, VLM_INPUT,
            "%s: tensor \"%s\": %s \"%.40s\" of its external data is not a number", im->source, label, key,
            text);
out:
  return st;
}

static vlm_status parse_place(vlm_importer *im, const Onnx__TensorProto *proto, const char *label,
                              place *out) {
  vlm_status st = VLM_OK;
  *out = (place){0};
  for (size_t k = 0; k < proto->n_external_data; k++) {
    const Onnx__StringStringEntryProto *entry = proto->external_data[k];
    if (entry->key == NULL || entry->value == NULL) continue;
    if (strcmp(entry->key, "location") == 0) out->location = entry->value;
    if (strcmp(entry->key, "offset") == 0)
      VLM_TRY(parse_size(im, "offset", entry->value, label, &out->offset));
    if (strcmp(entry->key, "length") == 0) {
      VLM_TRY(parse_size(im, "length", entry->value, label, &out->length));
      out->has_length = true;
    }
  }
  VLM_CHECK(out->location != NULL && out->location[0] != '\0', im->err, VLM_INPUT,
            "%s: tensor \"%s\": its external data has no location", im->source, label);
out:
  return st;
}

/* Only paths below the model's folder: a model must not read other files of the machine. */
static bool stays_inside(const char *path) {
  if (path[0] == '/' || path[0] == '\\' || (path[0] != '\0' && path[1] == ':')) return false;
  while (*path != '\0') {
    size_t size = strcspn(path, "/\\");
    if (size == 2 && path[0] == '.' && path[1] == '.') return false;
    path += size;
    path += strspn(path, "/\\");
  }
  return true;
}

static void release_mapping(void *thing) {
  vlm_file *file = thing;
  vlm_file_unmap(file);
  vlm_free(file);
}

/* Bundles may share the weights of a model through a linked folder: what lies there under the name of a model's file is read, nothing else. */
static bool is_shared_model(const char *path) {
  const char *slash = strrchr(path, '/');
  return strstr(slash != NULL ? slash : path, ".onnx") != NULL && vlm_file_is_plain(path);
}

static vlm_status map_new(vlm_importer *im, const char *location, const char *label, const vlm_file **out) {
  vlm_status st = VLM_OK;
  char *path = NULL;
  void *memory = NULL;
  VLM_CHECK(im->opts.folder != NULL, im->err, VLM_INPUT,
            "%s: tensor \"%s\" lies in the file \"%s\", but the model comes from memory", im->source, label,
            location);
  VLM_TRY(vlm_path_join(&path, im->opts.folder, location, im->err));
  VLM_CHECK(vlm_file_exists(path), im->err, VLM_INPUT,
            "%s: tensor \"%s\" lies in the file %s, which is missing; put it beside the model, where the "
            "exporter wrote it",
            im->source, label, path);
  VLM_CHECK(vlm_file_is_regular(path, NULL), im->err, VLM_INPUT,
            "%s: tensor \"%s\" lies in %s, which is not a file", im->source, label, path);
  VLM_CHECK(vlm_file_belongs(path, im->opts.folder, im->source) || is_shared_model(path), im->err, VLM_INPUT,
            "%s: tensor \"%s\" lies in %s, which is a link out of the folder of the model; put the data "
            "there itself",
            im->source, label, path);
  VLM_TRY(vlm_more(&im->externals, im->n_externals, im->n_externals + 1, im->err));
  VLM_TRY(vlm_alloc(&memory, 1, sizeof(vlm_file), im->err));
  st = vlm_file_map(memory, path, im->err);
  if (st != VLM_OK) vlm_error_context(im->err, "%s: tensor \"%s\"", im->source, label);
  if (st != VLM_OK) goto out;
  vlm_file *file = memory;
  memory = NULL;
  VLM_TRY(vlm_graph_keep(im->root, file, release_mapping, im->err));
  im->externals[im->n_externals++] = (vlm_onnx_external){location, file};
  *out = file;
out:
  vlm_free(memory);
  vlm_free(path);
  return st;
}

static vlm_status map_once(vlm_importer *im, const char *location, const char *label, const vlm_file **out) {
  vlm_status st = VLM_OK;
  VLM_CHECK(stays_inside(location), im->err, VLM_INPUT,
            "%s: tensor \"%s\": the external data path \"%s\" leaves the folder of the model; only relative "
            "paths without \"..\" are read",
            im->source, label, location);
  for (size_t k = 0; k < im->n_externals; k++) {
    if (strcmp(im->externals[k].location, location) != 0) continue;
    *out = im->externals[k].file;
    goto out;
  }
  VLM_TRY(map_new(im, location, label, out));
out:
  return st;
}

static vlm_status check_place(vlm_importer *im, const place *p, const vlm_file *file, size_t wanted,
                              const char *label) {
  vlm_status st = VLM_OK;
  VLM_CHECK(!p->has_length || p->length == wanted, im->err, VLM_INPUT,
            "%s: tensor \"%s\": its external data has length %llu, but its shape needs %zu", im->source,
            label, (unsigned long long)p->length, wanted);
  VLM_CHECK(p->offset <= file->bytes && wanted <= file->bytes - p->offset, im->err, VLM_INPUT,
            "%s: tensor \"%s\" needs bytes %llu to %llu of %s, which has only %zu; get the file again",
            im->source, label, (unsigned long long)p->offset, (unsigned long long)p->offset + wanted,
            p->location, file->bytes);
out:
  return st;
}

vlm_status vlm_import_external(vlm_importer *im, const Onnx__TensorProto *proto, const char *label,
                               vlm_tensor *tensor) {
  vlm_status st = VLM_OK;
  place p;
  const vlm_file *file = NULL;
  size_t bytes = vlm_tensor_bytes(tensor), width = ((size_t)vlm_dtype_bits(tensor->dtype) + 7) / 8;
  VLM_TRY(parse_place(im, proto, label, &p));
  VLM_TRY(map_once(im, p.location, label, &file));
  VLM_TRY(check_place(im, &p, file, bytes, label));
  const unsigned char *data = file->data + p.offset;
  if ((uintptr_t)data % width == 0 && tensor->dtype != VLM_BOOL) {
    tensor->data = vlm_unconst(data);
    goto out;
  }
  VLM_TRY(vlm_arena_alloc(im->root->arena, &tensor->data, bytes > 0 ? bytes : 1, 1, im->err));
  memcpy(tensor->data, data, bytes);
  if (tensor->dtype == VLM_BOOL) vlm_onnx_normalize_bools(tensor->data, bytes);
out:
  return st;
}
