#include "onnx/import.h"

#include <string.h>

#include "onnx/importer.h"
#include "onnx/proto.h"
#include "runtime/base/foreign.h"
#include "runtime/ops/resolve.h"

enum { KNOWN_IR = 14, MAX_NODES = 1000000, MAX_NESTING = 64 };
/* A level of subgraphs is a graph in an attribute in a node; types and tensors add a few levels. */
enum { MESSAGES_PER_LEVEL = 3, MESSAGES_EXTRA = 24 };

static vlm_onnx_opts with_defaults(const vlm_onnx_opts *given) {
  vlm_onnx_opts opts = given != NULL ? *given : (vlm_onnx_opts){0};
  if (opts.max_nodes <= 0) opts.max_nodes = MAX_NODES;
  if (opts.max_nesting <= 0 || opts.max_nesting > MAX_NESTING) opts.max_nesting = MAX_NESTING;
  return opts;
}

/* A message of protobuf says nothing to somebody who gave the wrong file. */
static vlm_status refuse_foreign(const vlm_file *file, const char *path, vlm_error *err) {
  const vlm_foreign *f = vlm_foreign_find(file->data, file->bytes);
  if (!f) return VLM_OK;
  return vlm_fail(err, VLM_INPUT, "%s: is %s, no ONNX model: %s", path, f->name, f->advice);
}

/* A newer IR version is read as long as the file uses nothing that it brought. */
static vlm_status check_versions(vlm_importer *im, const vlm_proto_news *news) {
  vlm_status st = VLM_OK;
  const Onnx__ModelProto *model = im->model;
  VLM_CHECK(model->ir_version <= KNOWN_IR || news->message == NULL, im->err, VLM_UNSUPPORTED,
            "%s: IR version is %lld and field %u of %s is not one of version %d, the newest that is known; "
            "export the model again with an older version",
            im->source, (long long)model->ir_version, news->field, news->message, KNOWN_IR);
  VLM_TRY(vlm_import_check_opsets(im, model->opset_import, model->n_opset_import, NULL));
  VLM_CHECK(model->graph != NULL, im->err, VLM_INPUT, "%s: holds no graph; is it an ONNX model?", im->source);
out:
  return st;
}

/* Before IR 3 there was one operator set and no field for it. */
static vlm_status import_root(vlm_importer *im) {
  vlm_status st = VLM_OK;
  Onnx__OperatorSetIdProto first = {.domain = NULL, .has_version = 1, .version = 1};
  Onnx__OperatorSetIdProto *only_first[] = {&first};
  vlm_scope scope = {.graph = im->root,
                     .prefix = "",
                     .opsets = im->model->opset_import,
                     .n_opsets = im->model->n_opset_import};
  if (scope.n_opsets == 0) {
    scope.opsets = only_first;
    scope.n_opsets = 1;
  }
  VLM_TRY(vlm_import_functions(im));
  VLM_TRY(vlm_import_graph(im, &scope, im->model->graph));
  VLM_TRY(vlm_graph_resolve(im->root, im->err));
out:
  return st;
}

vlm_status vlm_onnx_import_memory(vlm_graph **out, const void *data, size_t bytes, const char *source,
                                  const vlm_onnx_opts *opts, vlm_error *err) {
  vlm_status st = VLM_OK;
  ProtobufCMessage *message = NULL;
  vlm_proto_news news = {0};
  vlm_importer im = {.opts = with_defaults(opts), .source = source, .err = err};
  *out = NULL;
  VLM_TRY(vlm_proto_unpack(
      &message, &onnx__model_proto__descriptor, data, bytes,
      (vlm_proto_limits){im.opts.max_nesting * MESSAGES_PER_LEVEL + MESSAGES_EXTRA, im.opts.max_nodes},
      source, &news, err));
  im.model = (Onnx__ModelProto *)message;
  VLM_TRY(check_versions(&im, &news));
  VLM_TRY(vlm_graph_create(&im.root, im.model->graph->name, source, err));
  VLM_TRY(import_root(&im));
  vlm_import_release_taken(&im);
  vlm_proto_free(message);
  message = NULL;
  if (!im.opts.keep_as_written) VLM_TRY(vlm_graph_clean(im.root, &im.opts.clean, err));
  *out = im.root;
out:
  vlm_import_release_taken(&im);
  if (st != VLM_OK) vlm_graph_free(im.root);
  vlm_import_free_functions(&im);
  vlm_free(im.externals);
  vlm_proto_free(message);
  return st;
}

vlm_status vlm_onnx_import(vlm_graph **out, const char *path, const vlm_onnx_opts *opts, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_file file = {0};
  char *folder = NULL;
  vlm_onnx_opts mine = opts != NULL ? *opts : (vlm_onnx_opts){0};
  *out = NULL;
  VLM_TRY(vlm_file_map(&file, path, err));
  VLM_TRY(refuse_foreign(&file, path, err));
  if (mine.folder == NULL) {
    VLM_TRY(vlm_strdup(&folder, path, err));
    char *slash = strrchr(folder, '/');
    if (slash != NULL) slash[slash == folder] = '\0';
    mine.folder = slash != NULL ? folder : "";
  }
  VLM_TRY(vlm_onnx_import_memory(out, file.data, file.bytes, path, &mine, err));
out:
  vlm_file_unmap(&file);
  vlm_free(folder);
  return st;
}
