/* Prints docs/operators.md; target operators_md keeps the file. */
#include <stdio.h>

#include "cli/operators_text.h"

int main(void) {
  vlm_text text = {0};
  vlm_error err = {0};
  vlm_status st = vlm_operators_text(&text, &err);
  if (st != VLM_OK) fprintf(stderr, "make_operators: %s\n", err.text);
  else if (fputs(vlm_text_get(&text), stdout) < 0) st = VLM_INPUT;
  vlm_text_free(&text);
  return st != VLM_OK;
}
