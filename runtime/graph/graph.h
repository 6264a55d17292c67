/* The graph: the only thing that crosses folders.
 *
 * Values and nodes live in arrays and are named by integer ids. A graph owns one arena that holds every string, attribute
 * and array below (constants may point into mappings that the graph keeps alive through vlm_graph_keep).
 * A subgraph (If, Loop, Scan body) is a vlm_graph of its own, in the arena of its root; what it reads from outside is listed as captures.
 * */
#ifndef VLM_GRAPH_GRAPH_H
#define VLM_GRAPH_GRAPH_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/lazy.h"
#include "runtime/base/memory.h"
#include "runtime/base/status.h"
#include "runtime/base/tensor.h"

typedef int32_t vlm_value_id; /* index into graph->values; -1 = absent optional input or output */
#define VLM_NO_VALUE (-1)

typedef struct vlm_graph vlm_graph;

typedef enum vlm_value_kind {
  VLM_VALUE_NODE,  /* produced by a node */
  VLM_VALUE_INPUT, /* graph input */
  VLM_VALUE_CONSTANT, /* initializer; tensor.data is set (constant inputs that a caller may override stay CONSTANT) */
  VLM_VALUE_CAPTURE /* read from the parent graph: parent_value */
} vlm_value_kind;

typedef struct vlm_value {
  const char *name; /* unique within one graph; never NULL, never "" */
  vlm_value_kind kind;
  vlm_tensor
      tensor; /* declared type and shape: dtype NONE = unknown, rank -1 = unknown, dim -1 = symbolic; data only for constants */
  const char *dim_names[VLM_MAX_RANK]; /* name of a symbolic dim, or NULL */
  vlm_value_id parent_value;           /* CAPTURE: id in graph->parent */
  int32_t producer;                    /* node index, or -1 */
  bool
      released; /* CONSTANT whose bytes are gone: sessions hold its packed forms, nobody else can read it (exec/release.h) */
} vlm_value;

typedef enum vlm_attr_kind {
  VLM_ATTR_NONE,
  VLM_ATTR_INT,
  VLM_ATTR_FLOAT,
  VLM_ATTR_STRING,
  VLM_ATTR_TENSOR,
  VLM_ATTR_GRAPH,
  VLM_ATTR_INTS,
  VLM_ATTR_FLOATS,
  VLM_ATTR_STRINGS
} vlm_attr_kind;

typedef struct vlm_attr {
  const char *name;
  vlm_attr_kind kind;
  int32_t count; /* of ints / floats / strings */
  union {
    int64_t i;
    float f;
    const char *s; /* zero-terminated */
    const vlm_tensor *t;
    vlm_graph *g;
    const int64_t *ints;
    const float *floats;
    const char *const *strings;
  } u;
} vlm_attr;

struct vlm_op;     /* runtime/ops/op.h */
struct vlm_traits; /* runtime/ops/traits.h */

typedef struct vlm_node {
  const char *name;   /* as in the file; made up ("Conv_12") when the file has none */
  const char *domain; /* "" for ai.onnx; "com.microsoft"; "vlm" for our own */
  const char *op_type;
  const struct vlm_op *op;         /* bound by vlm_graph_resolve; NULL before */
  const struct vlm_traits *traits; /* likewise; never NULL afterwards */
  int32_t opset;                   /* version of the node's domain in force */
  int32_t n_inputs, n_outputs, n_attrs;
  vlm_value_id *inputs, *outputs;
  vlm_attr *attrs; /* as in the file, any order */
  const vlm_attr **
      args; /* after resolve: one per attribute of the op's table row, in the row's order; kind NONE when absent without
  default */
} vlm_node;

struct vlm_graph {
  vlm_arena *arena;  /* shared by the root and its subgraphs */
  vlm_graph *parent; /* NULL for a root */
  const char *name;
  const char *source; /* file name for messages */
  int32_t opset;      /* of the default domain */
  int32_t n_values, n_nodes, n_inputs, n_outputs;
  int32_t cap_values, cap_nodes, cap_inputs, cap_outputs;
  vlm_value *values;    /* growable: hold ids, not pointers, across vlm_graph_add_* */
  vlm_node *nodes;      /* topologically sorted after resolve */
  vlm_value_id *inputs; /* runtime inputs only (initializers that shadow an input are CONSTANT) */
  vlm_value_id *outputs;
  vlm_lazy *
      lazy; /* constants whose bytes are there between take and give only; kept alive with the graph, or NULL; of all bodies too */
  void *keep;  /* root only: list of things freed with the graph */
  void *names; /* name -> id index, internal */
};

vlm_status vlm_graph_create(vlm_graph **out, const char *name, const char *source, vlm_error *err);
/* A subgraph of `parent`, sharing its arena. */
vlm_status vlm_graph_create_sub(vlm_graph **out, vlm_graph *parent, const char *name, vlm_error *err);
void vlm_graph_free(vlm_graph *graph); /* roots only */
/* `release(thing)` is called when the graph is freed. On failure release is called at once. */
vlm_status vlm_graph_keep(vlm_graph *graph, void *thing, void (*release)(void *), vlm_error *err);
/* Frees the blocks of vlm_alloc that are kept and that no constant and no attribute below the root of `graph` points to any more. */
vlm_status vlm_graph_collect(vlm_graph *graph, vlm_error *err);

/* A new value; the name must be new in this graph ("" or NULL makes one up). The string is copied. */
vlm_status vlm_graph_add_value(vlm_graph *graph, vlm_value_id *out, const char *name, vlm_value_kind kind,
                               vlm_error *err);
/* A constant whose bytes are copied into the arena (copy true) or borrowed (false: the caller keeps them alive). */
vlm_status vlm_graph_add_constant(vlm_graph *graph, vlm_value_id *out, const char *name,
                                  const vlm_tensor *tensor, bool copy, vlm_error *err);
vlm_status vlm_graph_add_input(vlm_graph *graph, vlm_value_id value, vlm_error *err);
vlm_status vlm_graph_add_output(vlm_graph *graph, vlm_value_id value, vlm_error *err);
/* A node of this name, operator and size with uninitialised (-1) inputs and outputs and no attributes; *out is its index. Strings are
 * copied; missing ones are made up (name) or empty. */
vlm_status vlm_graph_add_node(vlm_graph *graph, int32_t *out, const vlm_node *like, vlm_error *err);
/* Sets output k of a node and the value's producer. */
void vlm_node_set_output(vlm_graph *graph, int32_t node, int32_t k, vlm_value_id value);

/* Id of a name in this graph only, or VLM_NO_VALUE. */
vlm_value_id vlm_graph_find(const vlm_graph *graph, const char *name);
int32_t vlm_graph_find_input(const vlm_graph *graph, const char *name); /* index into inputs, or -1 */
int32_t vlm_graph_find_output(const vlm_graph *graph, const char *name);
/* Attribute by name as in the file, or NULL. */
const vlm_attr *vlm_node_attr(const vlm_node *node, const char *name);
/* The same as a number; `fallback` when it is absent or of another kind. */
int64_t vlm_node_int(const vlm_node *node, const char *name, int64_t fallback);
float vlm_node_float(const vlm_node *node, const char *name, float fallback);
/* Input k, or VLM_NO_VALUE when the node has no such input. */
vlm_value_id vlm_node_input(const vlm_node *node, int32_t k);
/* Whether the node is `op_type` of ai.onnx. */
bool vlm_node_is(const vlm_node *node, const char *op_type);
/* The node of that type that makes a value; NULL when none or another makes it. */
vlm_node *vlm_graph_producer(const vlm_graph *graph, vlm_value_id id, const char *op_type);
/* Puts `FILE: node "NAME" (OP)` in front of the message of a failure; returns `status` (VLM_OK: nothing is touched). */
vlm_status vlm_node_blame(const vlm_graph *graph, const vlm_node *node, vlm_status status, vlm_error *err);
/* The constant behind a value, following captures into parents; NULL when it is not constant. */
const vlm_tensor *vlm_graph_constant(const vlm_graph *graph, vlm_value_id id);

/* Removes nodes and values that no output needs, and renumbers. Subgraph captures count as uses. */
vlm_status vlm_graph_sweep(vlm_graph *graph, vlm_error *err);
/* Replaces every use of `from` (inputs, graph outputs, captures of subgraphs) by `to`. */
void vlm_graph_replace_uses(vlm_graph *graph, vlm_value_id from, vlm_value_id to);
/* A name that no value of the graph has: BASESUFFIX, or that with _1, _2, ... behind it. Whoever makes values up names them so. */
vlm_status vlm_graph_free_name(vlm_graph *graph, const char **out, const char *base, const char *suffix,
                               vlm_error *err);
/* Gives a value another name (copied). A value that has the name already gets a made-up one. */
vlm_status vlm_graph_rename(vlm_graph *graph, vlm_value_id id, const char *name, vlm_error *err);

#endif
