/* Prints docs/coverage.md; target coverage_md keeps the file.
 *   make_coverage SOURCE MODELS     MODELS: folder with trained models, NAME/model.onnx */
#include <stdio.h>

#include "cli/coverage_page.h"
#include "runtime/exec/session.h"

int main(int argc, char **argv) {
  vlm_text text = {0};
  vlm_error err = {0};
  vlm_context *context = NULL;
  if (argc != 3) return 1;
  vlm_status st = vlm_context_create(&context, NULL, &err);
  if (st == VLM_OK) st = vlm_coverage_page(&text, context, argv[1], &err);
  if (st == VLM_OK) st = vlm_coverage_page_models(&text, context, argv[2], &err);
  if (st != VLM_OK) fprintf(stderr, "make_coverage: %s\n", err.text);
  else if (fputs(vlm_text_get(&text), stdout) < 0) st = VLM_INPUT;
  vlm_text_free(&text);
  vlm_context_free(context);
  return st != VLM_OK;
}
