/* The closing table of vlm-quantize, and what vlm-inspect foresees: how much of a model is in integers, and
 * what is not. */
#ifndef VLM_CLI_COVERAGE_TEXT_H
#define VLM_CLI_COVERAGE_TEXT_H

#include "cli/program.h"
#include "quant/coverage.h"

/* A line of text for people; `user` is handed on. */
typedef void vlm_put_line(void *user, const char *line);

/* Shares per graph and in all, then what stayed float, largest first; some of it and a sum, all with -v. */
void vlm_coverage_print(const vlm_coverage *coverage, const vlm_cli *cli, vlm_put_line *put, void *user);
/* Members "weights_int8_percent", "macs_int8_percent" (when measured), "coverage" and "left_float" of the
 * object that is open. */
void vlm_coverage_put(vlm_json_writer *w, const vlm_coverage *coverage);

#endif
