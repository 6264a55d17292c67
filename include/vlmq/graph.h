/* Single graphs: named arrays in, named arrays out.
 *
 * A model that generates has graphs by role ("vision", "embed", "encoder", "decoder_first", "decoder_step");
 * those before the decoder can be run by themselves. Any other model has one graph, "model". A graph's name
 * may be NULL where there is just one. */
#ifndef VLMQ_GRAPH_H
#define VLMQ_GRAPH_H

#include <vlmq/runner.h>

VLM_BEGIN_DECLS

typedef enum vlm_side { VLM_SIDE_INPUTS = 0, VLM_SIDE_OUTPUTS = 1 } vlm_side;

/* An input or output as the model declares it. Texts live as long as the runner. */
typedef struct vlm_port {
  size_t size; /* sizeof(vlm_port) */
  const char *name;
  vlm_type type;                         /* VLM_TYPE_NONE = not declared (outputs) */
  int32_t rank;                          /* -1 = not declared */
  int64_t dims[VLM_ARRAY_RANK];          /* -1 = any size */
  const char *dim_names[VLM_ARRAY_RANK]; /* "batch"; NULL = none */
} vlm_port;

static inline vlm_port vlm_port_init(void) {
  vlm_port port;
  memset(&port, 0, sizeof port);
  port.size = sizeof port;
  return port;
}

/* Name of graph `index`; NULL past the last, and for NULL. */
VLM_API const char *vlm_runner_graph(const vlm_runner *runner, int32_t index);
/* How many inputs or outputs; -1 for wrong arguments. */
VLM_API int32_t vlm_runner_ports(const vlm_runner *runner, const char *graph, vlm_side side);
VLM_API vlm_status vlm_runner_port(const vlm_runner *runner, const char *graph, vlm_side side, int32_t index,
                                   vlm_port *out, vlm_error *err);

/* Gives the input named array->name its data, which must stay until the next vlm_runner_run returns; then
 * it is forgotten. VLM_INPUT: no such input, another type, a dim that the model fixes. */
VLM_API vlm_status vlm_runner_set(vlm_runner *runner, const char *graph, const vlm_array *array,
                                  vlm_error *err);
/* Runs on the inputs that were set: all of them. VLM_INPUT names the first that is missing. */
VLM_API vlm_status vlm_runner_run(vlm_runner *runner, const char *graph, vlm_error *err);
/* An output of the last run by its name; NULL = the only one. The data lives until the graph runs again. */
VLM_API vlm_status vlm_runner_get(const vlm_runner *runner, const char *graph, const char *name,
                                  vlm_array *out, vlm_error *err);

VLM_END_DECLS

#endif
