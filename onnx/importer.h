/* Private to the importer: the state of one import, scopes, and the pieces that the import_*.c files give one another. */
#ifndef VLM_ONNX_IMPORTER_H
#define VLM_ONNX_IMPORTER_H

#include <onnx.pb-c.h>

#include "onnx/import.h"
#include "runtime/base/file.h"

/* A mapped external data file; the mapping belongs to the graph. */
typedef struct vlm_onnx_external {
  const char *location;
  vlm_file *file;
} vlm_onnx_external;

/* A model-local function. `defaults` are its attributes with a default value. */
typedef struct vlm_onnx_function {
  const Onnx__FunctionProto *proto;
  const unsigned char *overload;
  size_t overload_size;
  Onnx__AttributeProto **defaults;
  size_t n_defaults;
} vlm_onnx_function;

typedef struct vlm_importer {
  vlm_onnx_opts opts; /* every 0 replaced by its default */
  Onnx__ModelProto *model;
  const char *source;
  vlm_graph *root;
  vlm_onnx_external *externals;
  size_t n_externals;
  vlm_onnx_function *functions;
  size_t n_functions;
  int64_t n_nodes;              /* seen so far, calls counted each time */
  int64_t n_inlined;            /* of these in bodies of functions */
  struct vlm_onnx_taken *taken; /* tensors whose raw_data belongs to the graph now */
  vlm_error *err;
} vlm_importer;

/* Where names of a list of nodes are looked up: a graph, or the body of a function that is being inlined into `graph`. */
typedef struct vlm_scope vlm_scope;
struct vlm_scope {
  vlm_graph *graph;
  vlm_scope *parent;  /* the enclosing scope of a subgraph; NULL for the root and for functions */
  const char *prefix; /* of names and nodes that are made here; "" outside functions */
  Onnx__OperatorSetIdProto **opsets;
  size_t n_opsets;
  Onnx__NodeProto **nodes;
  size_t n_nodes;
  int depth; /* nesting of subgraphs and calls */
  const vlm_onnx_function *function;
  const Onnx__NodeProto *call; /* function: the node that calls, as written in ... */
  vlm_scope *caller;           /* ... this scope */
  vlm_value_id *formals; /* function: value of each input, then of each output; VLM_NO_VALUE = not given */
};

/* ---- import_scope.c ---- */
/* The value that `name` means here, or VLM_NO_VALUE; a name of an enclosing graph becomes a capture in this graph. */
vlm_status vlm_scope_find(vlm_importer *im, vlm_scope *scope, const char *name, vlm_value_id *out);
/* A new value for a name that is defined in this scope. */
vlm_status vlm_scope_define(vlm_importer *im, vlm_scope *scope, const char *name, vlm_value_id *out);
/* Name of a value of this scope as it is in the graph, with the prefix. */
vlm_status vlm_scope_name(vlm_importer *im, const vlm_scope *scope, const char *name, const char **out);
/* Version of a domain here; 0 = not imported. */
int32_t vlm_scope_opset(const vlm_scope *scope, const char *domain);
/* The versions of ai.onnx in a list must be versions and agree; `function` NULL = the list of the model. */
vlm_status vlm_import_check_opsets(vlm_importer *im, Onnx__OperatorSetIdProto **sets, size_t count,
                                   const char *function);
/* Follows ref_attr_name through calls. *out NULL = the caller does not give the attribute and it has no default. */
vlm_status vlm_scope_attribute(vlm_importer *im, const vlm_scope *scope, const Onnx__AttributeProto *attr,
                               const Onnx__AttributeProto **out);
/* The operator that reads (or makes) a value, for messages; "?" when there is none. */
const char *vlm_scope_operator_of(const vlm_scope *scope, const char *value);
/* "ai.onnx" is "". */
const char *vlm_onnx_domain(const char *domain);

/* ---- import_tensor.c ---- */
/* `label` names the tensor in messages. Elements end up in memory that lives as long as the graph. */
vlm_status vlm_import_tensor(vlm_importer *im, const vlm_scope *scope, Onnx__TensorProto *proto,
                             const char *label, vlm_tensor *out);
vlm_status vlm_import_sparse(vlm_importer *im, const vlm_scope *scope, Onnx__SparseTensorProto *proto,
                             const char *label, vlm_tensor *out);
/* Gives the parser back no block that the graph has taken over: before the model is freed. */
void vlm_import_release_taken(vlm_importer *im);
/* import_external.c: data points into the mapping, or to an aligned copy. */
vlm_status vlm_import_external(vlm_importer *im, const Onnx__TensorProto *proto, const char *label,
                               vlm_tensor *tensor);

/* ---- import_type.c ---- */
/* Declared type and shape of a value. strict (graph inputs and outputs): a type that is not supported is refused. */
vlm_status vlm_import_type(vlm_importer *im, vlm_scope *scope, vlm_value_id id,
                           const Onnx__ValueInfoProto *info, bool strict);

/* ---- import_attr.c ---- */
vlm_status vlm_import_attrs(vlm_importer *im, vlm_scope *scope, int32_t node, Onnx__NodeProto *proto);
/* The value of a Constant node. */
vlm_status vlm_import_constant(vlm_importer *im, vlm_scope *scope, Onnx__NodeProto *proto, vlm_tensor *out);
static inline bool vlm_onnx_is_constant(const Onnx__NodeProto *node, const char *domain) {
  return domain[0] == '\0' && node->op_type[0] == 'C' && __builtin_strcmp(node->op_type, "Constant") == 0;
}

/* ---- import_node.c ---- */
vlm_status vlm_import_declare_nodes(vlm_importer *im, vlm_scope *scope);
vlm_status vlm_import_connect_nodes(vlm_importer *im, vlm_scope *scope);
/* A node "Identity" from one value of the graph to another. */
vlm_status vlm_import_identity(vlm_importer *im, vlm_scope *scope, vlm_value_id from, vlm_value_id to);

/* ---- import_function.c ---- */
vlm_status vlm_import_functions(vlm_importer *im);
void vlm_import_free_functions(vlm_importer *im);
const vlm_onnx_function *vlm_import_find_function(const vlm_importer *im, const Onnx__NodeProto *node);
vlm_status vlm_import_call(vlm_importer *im, vlm_scope *scope, const vlm_onnx_function *function,
                           Onnx__NodeProto *node);

/* ---- import_graph.c ---- */
vlm_status vlm_import_graph(vlm_importer *im, vlm_scope *scope, Onnx__GraphProto *proto);
vlm_status vlm_import_subgraph(vlm_importer *im, vlm_scope *outer, Onnx__GraphProto *proto, vlm_graph **out);

#endif
