/* vlm-run on images. */
#ifndef VLM_CLI_RUN_ANSWERS_H
#define VLM_CLI_RUN_ANSWERS_H

#include "cli/program.h"

/* The arguments behind the model are images: files, folders, lists, manifests, tables. */
vlm_status vlm_run_answers(const vlm_cli *cli, vlm_context *context, const vlm_bundle *bundle,
                           vlm_error *err);

/* --yuv (flow/frames.h): an answer per frame and prompt. */
vlm_status vlm_run_frames(const vlm_cli *cli, vlm_context *context, const vlm_bundle *bundle, vlm_error *err);

#endif
