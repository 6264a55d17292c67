/* Prints docs/targets.md; target targets_md keeps the file. */
#include <stdio.h>

#include "cli/targets_page.h"

int main(void) {
  vlm_text text = {0};
  vlm_error err = {0};
  vlm_status st = vlm_targets_page(&text, &err);
  if (st != VLM_OK) fprintf(stderr, "make_targets: %s\n", err.text);
  else if (fputs(vlm_text_get(&text), stdout) < 0) st = VLM_INPUT;
  vlm_text_free(&text);
  return st != VLM_OK;
}
