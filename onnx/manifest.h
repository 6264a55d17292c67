/* vlm.json while a bundle is opened: which file plays which role, and what its inputs and outputs are called.
 *
 *   "graphs": {"vision": "enc.onnx", "decoder_merged": null, ...}     null = there is none; left out = looked for by its usual name
 *   "tensors": {"decoder_step": {"input_ids": "ids", "past": "past_{layer}_{kind}_{what}", "present": "new_{layer}_{kind}_{what}"}}
 *
 * A pattern names every cache tensor of a graph: {layer} is a number, {kind} is self or cross (left out: a decoder with one kind), {what} is
 * key or value. Each key of the file must be known: an error names the one that is not. */
#ifndef VLM_ONNX_MANIFEST_H
#define VLM_ONNX_MANIFEST_H

#include "runtime/graph/graph.h"
#include "runtime/bundle/bundle.h"
#include "runtime/base/json.h"

/* Every function accepts an absent manifest: then nothing is stated. */
vlm_status vlm_manifest_check(vlm_json manifest, vlm_error *err);

/* graphs.ROLE. *stated tells whether the key is there; *file is NULL for null. Names that leave the folder are refused. */
vlm_status vlm_manifest_graph(const char **file, bool *stated, vlm_json manifest, const char *role,
                              vlm_error *err);
/* "tokenizer", under the same rules. */
vlm_status vlm_manifest_tokenizer(const char **file, bool *stated, vlm_json manifest, vlm_error *err);
vlm_status vlm_manifest_family(vlm_family *out, bool *stated, vlm_json manifest, vlm_error *err);

/* Gives the graph's inputs and outputs our names, as tensors.ROLE says. */
vlm_status vlm_manifest_rename(vlm_graph *graph, vlm_json manifest, const char *role, vlm_error *err);

#endif
