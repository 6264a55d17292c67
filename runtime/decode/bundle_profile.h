/* What each graph of a pipeline costs at the shapes that the pipeline gives it: batch 1, one image of the preprocessing's size, a prompt,
 * one decode step. Each graph's shapes follow from the graphs before it, so nothing is computed and no tokenizer is needed. */
#ifndef VLM_DECODE_BUNDLE_PROFILE_H
#define VLM_DECODE_BUNDLE_PROFILE_H

#include "runtime/exec/profile.h"
#include "runtime/bundle/bundle.h"

typedef struct vlm_bundle_profile_opts {
  int64_t prompt_tokens; /* 0 = 12 */
  int64_t past_tokens;   /* generated tokens in the cache of decoder_step; 0 = 20 */
} vlm_bundle_profile_opts;

typedef struct vlm_role_profile {
  bool made;
  vlm_profile profile; /* when made */
  vlm_error error;     /* when not made and the bundle has the graph: why */
} vlm_role_profile;

typedef struct vlm_bundle_profile {
  vlm_role_profile roles[VLM_ROLE_COUNT];
  int64_t image_width, image_height;   /* 0 = not fixed by the preprocessing */
  int64_t image_tokens, prompt_tokens; /* 0 = the model has no such part */
  int64_t context_tokens; /* encoder output, or what a decoder-only model reads before it answers */
  int64_t past_tokens;
} vlm_bundle_profile;

/* For pipelines (not VLM_FAMILY_GRAPH). A graph that cannot be profiled has an error of its own; the call fails only when memory or the
 * bundle's JSON does. opts may be NULL. Free with vlm_bundle_profile_free. */
vlm_status vlm_bundle_profile_make(vlm_bundle_profile *out, vlm_context *context, const vlm_bundle *bundle,
                                   const vlm_bundle_profile_opts *opts, vlm_error *err);
void vlm_bundle_profile_free(vlm_bundle_profile *profile);

/* What a graph that must run to be profiled finds in an input, by the input's name: masks are ones and positions count up from `past`, as
 * the pipeline would give them. t has type and shape; data is made in the arena, or stays as it is where the name says nothing. */
vlm_status vlm_profile_input_data(vlm_tensor *t, const char *name, int64_t past, vlm_arena *arena,
                                  vlm_error *err);

#endif
