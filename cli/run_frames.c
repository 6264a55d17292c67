/* vlm-run --yuv: raw camera frames, plane by plane to what the model takes. */
#include <stdio.h>

#include "cli/data.h"
#include "cli/run_answers.h"
#include "flow/frames.h"

static vlm_status answer(const vlm_cli *cli, vlm_model *model, const vlm_frame_file *file,
                         const vlm_pixels *pixels, const char *prompt, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_args *args = cli->args;
  const bool several = args->yuv.count > 1;
  const vlm_answer_opts opts = {.max_new_tokens = args->max_new_tokens, .beams = args->beams};
  vlm_answer a = {0};
  VLM_TRY(vlm_model_answer_prepared(model, pixels, prompt, &opts, &a, err));
  printf("%s%s%s\n", several ? file->path : "", several ? ": " : "", vlm_text_get(&a.text));
  if (cli->verbose) vlm_say(cli, "%s: %.1f ms, %zu tokens", file->path, a.total_ms, a.ids.count);
out:
  vlm_answer_free(&a);
  return st;
}

static vlm_status answer_frame(const vlm_cli *cli, vlm_model *model, const char *text,
                               const vlm_prompts *prompts, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_frame_file file;
  vlm_pixels pixels = {0};
  VLM_TRY(vlm_frame_file_open(&file, text, err));
  VLM_TRY(vlm_model_prepare_frame(&pixels, model, &file.frame, err));
  for (int32_t p = 0; p < prompts->count; p++)
    VLM_TRY(answer(cli, model, &file, &pixels, prompts->items[p], err));
out:
  vlm_pixels_free(&pixels);
  vlm_frame_file_free(&file);
  return st;
}

vlm_status vlm_run_frames(const vlm_cli *cli, vlm_context *context, const vlm_bundle *bundle,
                          vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_dataset *none = NULL;
  vlm_model *model = NULL;
  vlm_prompts prompts = {.items = NULL};
  const vlm_option_values *given = &cli->args->yuv;
  VLM_CHECK(cli->args->positional.count == 1, err, VLM_USAGE,
            "--yuv takes the place of images, got %s as well", cli->args->positional.items[1]);
  VLM_TRY(vlm_cli_prompts(&prompts, cli, bundle, none, err));
  VLM_TRY(
      vlm_model_create(&model, context, bundle, &(vlm_model_opts){.session = {.owns_constants = true}}, err));
  for (int i = 0; i < given->count; i++) VLM_TRY(answer_frame(cli, model, given->items[i], &prompts, err));
out:
  vlm_model_free(model);
  vlm_free(prompts.own);
  return st;
}
