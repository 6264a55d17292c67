/* Arrays by name, put into the order of a graph's inputs. */
#ifndef VLM_CALIB_GRAPH_INPUTS_H
#define VLM_CALIB_GRAPH_INPUTS_H

#include "runtime/graph/graph.h"

/* Whether an array or file of that name can be meant for the input: file names cannot hold some characters, which
 * are written as "_". */
bool vlm_input_is_called(const char *input, const char *file);

/* inputs[i] = the tensor named like graph input i. VLM_INPUT names inputs that are missing and names that fit none. */
vlm_status vlm_match_inputs(vlm_tensor *inputs, const vlm_graph *graph, const char *const *names,
                            const vlm_tensor *tensors, size_t count, vlm_error *err);

#endif
