/* Graphs by name: what they take, running them, what they gave. */
#include "face/arrays.h"
#include "face/runner.h"
#include "face/sized.h"

static bool has_graph(const vlm_runner *runner, int role) {
  return role >= 0 && role < VLM_ROLE_COUNT && runner->bundle->graphs[role];
}

const char *vlm_runner_graph(const vlm_runner *runner, int32_t index) {
  for (int r = 0; runner && index >= 0 && r < VLM_ROLE_COUNT; r++)
    if (has_graph(runner, r) && index-- == 0) return vlm_role_name((vlm_role)r);
  return NULL;
}

/* NULL: the only graph. */
static vlm_status find_role(vlm_role *out, const vlm_runner *runner, const char *graph, vlm_error *err) {
  vlm_status st = VLM_OK;
  VLM_GIVEN(runner);
  VLM_CHECK(graph || !runner->model, err, VLM_USAGE, "%s: has several graphs; name one, such as \"%s\"",
            runner->bundle->source, vlm_runner_graph(runner, 0));
  *out = VLM_ROLE_MODEL;
  const bool known = !graph || vlm_role_parse(out, graph);
  VLM_CHECK(known && has_graph(runner, (int)*out), err, VLM_USAGE, "%s: has no graph \"%s\"",
            runner->bundle->source, graph ? graph : "model");
out:
  return st;
}

/* Steps of a decoder append to caches that only the answer has. */
static vlm_status find_session(vlm_role *role, vlm_session **session, const vlm_runner *runner,
                               const char *graph, vlm_error *err) {
  vlm_status st = VLM_OK;
  VLM_TRY(find_role(role, runner, graph, err));
  VLM_CHECK(*role != VLM_ROLE_DECODER_FIRST && *role != VLM_ROLE_DECODER_STEP, err, VLM_UNSUPPORTED,
            "%s: the graph \"%s\" runs inside of vlm_runner_generate only", runner->bundle->source,
            vlm_role_name(*role));
  *session = vlm_runner_session(runner, *role);
  VLM_CHECK(*session, err, VLM_INTERNAL, "%s: the graph \"%s\" has no session", runner->bundle->source,
            vlm_role_name(*role));
out:
  return st;
}

/* ---- ports ---- */

static int32_t count_ports(const vlm_graph *g, vlm_side side) {
  return side == VLM_SIDE_INPUTS ? g->n_inputs : side == VLM_SIDE_OUTPUTS ? g->n_outputs : -1;
}

int32_t vlm_runner_ports(const vlm_runner *runner, const char *graph, vlm_side side) {
  vlm_role role;
  return find_role(&role, runner, graph, NULL) == VLM_OK ? count_ports(runner->bundle->graphs[role], side)
                                                         : -1;
}

static vlm_port port_of(const vlm_value *v) {
  vlm_port port = vlm_port_init();
  port.name = v->name;
  port.type = (vlm_type)vlm_dtype_onnx(v->tensor.dtype);
  port.rank = v->tensor.rank;
  for (int d = 0; d < v->tensor.rank; d++) {
    port.dims[d] = v->tensor.dims[d];
    port.dim_names[d] = v->dim_names[d];
  }
  return port;
}

vlm_status vlm_runner_port(const vlm_runner *runner, const char *graph, vlm_side side, int32_t index,
                           vlm_port *out, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_role role;
  VLM_TRY(find_role(&role, runner, graph, err));
  const vlm_graph *g = runner->bundle->graphs[role];
  const int32_t count = count_ports(g, side);
  VLM_CHECK(count >= 0, err, VLM_USAGE, "side %d is none of vlm_side", (int)side);
  VLM_CHECK(index >= 0 && index < count, err, VLM_USAGE, "%s: port %d, there are %d", g->source, index,
            count);
  const vlm_port port = port_of(&g->values[side == VLM_SIDE_INPUTS ? g->inputs[index] : g->outputs[index]]);
  VLM_TRY(VLM_GIVE(vlm_port, out, port, err));
out:
  return st;
}

/* ---- running ---- */

vlm_status vlm_runner_set(vlm_runner *runner, const char *graph, const vlm_array *array, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_role role;
  vlm_session *session;
  vlm_array own;
  vlm_tensor tensor;
  VLM_TRY(find_session(&role, &session, runner, graph, err));
  VLM_TRY(VLM_TAKE(vlm_array, own, array, err));
  const vlm_graph *g = runner->bundle->graphs[role];
  VLM_CHECK(own.name, err, VLM_USAGE, "array: name is NULL; it says which input is meant");
  const int32_t input = vlm_graph_find_input(g, own.name);
  VLM_CHECK(input >= 0, err, VLM_INPUT, "%s: has no input \"%s\"", g->source, own.name);
  VLM_TRY(vlm_array_tensor(&tensor, &own, err));
  const vlm_tensor *declared = &g->values[g->inputs[input]].tensor;
  VLM_CHECK(declared->dtype == VLM_NONE || declared->dtype == tensor.dtype, err, VLM_INPUT,
            "%s: input \"%s\" is %s, got %s", g->source, own.name, vlm_dtype_name(declared->dtype),
            vlm_dtype_name(tensor.dtype));
  runner->calls[role].inputs[input] = tensor;
out:
  return st;
}

static vlm_status check_inputs(const vlm_graph *g, const vlm_face_call *call, vlm_error *err) {
  for (int32_t i = 0; i < g->n_inputs; i++)
    if (!call->inputs[i].data)
      return vlm_fail(err, VLM_INPUT, "%s: input \"%s\" was not set", g->source,
                      g->values[g->inputs[i]].name);
  return VLM_OK;
}

vlm_status vlm_runner_run(vlm_runner *runner, const char *graph, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_role role;
  vlm_session *session;
  VLM_TRY(find_session(&role, &session, runner, graph, err));
  const vlm_graph *g = runner->bundle->graphs[role];
  vlm_face_call *call = &runner->calls[role];
  VLM_TRY(check_inputs(g, call, err));
  VLM_TRY(vlm_engine_enter(runner->engine, err));
  st = vlm_session_run(session, call->inputs, g->n_inputs, err);
  vlm_engine_leave(runner->engine);
  call->ran = st == VLM_OK;
  memset(call->inputs, 0, (size_t)g->n_inputs * sizeof *call->inputs);
out:
  return st;
}

vlm_status vlm_runner_get(const vlm_runner *runner, const char *graph, const char *name, vlm_array *out,
                          vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_role role;
  vlm_session *session;
  VLM_TRY(find_session(&role, &session, runner, graph, err));
  const vlm_graph *g = runner->bundle->graphs[role];
  VLM_CHECK(name || g->n_outputs == 1, err, VLM_USAGE, "%s: has %d outputs; name one", g->source,
            g->n_outputs);
  const int32_t index = name ? vlm_graph_find_output(g, name) : 0;
  VLM_CHECK(index >= 0, err, VLM_INPUT, "%s: has no output \"%s\"", g->source, name);
  VLM_CHECK(runner->calls[role].ran, err, VLM_USAGE, "%s: was not run, so it has no outputs", g->source);
  const vlm_array array = vlm_array_of(g->values[g->outputs[index]].name, vlm_session_output(session, index));
  VLM_TRY(VLM_GIVE(vlm_array, out, array, err));
out:
  return st;
}
