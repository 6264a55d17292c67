/* What every program shares: start-up, messages, exit code, JSON output, progress, opening a model. */
#ifndef VLM_CLI_PROGRAM_H
#define VLM_CLI_PROGRAM_H

#include <stdbool.h>
#include <stdio.h>

#include "cli/options.h"
#include "flow/open.h"
#include "flow/watch.h"
#include "runtime/base/json_writer.h"
#include "runtime/exec/session.h"

typedef struct vlm_cli {
  const struct vlm_program *program;
  const vlm_args *args;
  bool quiet, verbose;
} vlm_cli;

/* A row of programs.def. */
typedef struct vlm_program {
  char letter;
  const char *name, *summary, *arguments;
  int least, most;
  const char *wanted, *about, *usage, *examples;
} vlm_program;

enum {
  VLM_PROGRAM_COUNT = 0
#define X(...) +1
#include "cli/programs.def"
#undef X
};
extern const vlm_program vlm_programs[VLM_PROGRAM_COUNT];

typedef vlm_status vlm_run_program(const vlm_cli *cli, vlm_error *err);
/* The body of main of the program with that letter: parses, checks, runs, prints the error, gives the exit
 * code. SIGINT, SIGTERM and SIGHUP remove half-written files. */
int vlm_program_main(char letter, vlm_run_program *run, int argc, char **argv);

/* A line on standard error unless --quiet. */
void vlm_say(const vlm_cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A text file with a final newline, whole or not at all. */
vlm_status vlm_write_text(const char *path, const char *text, vlm_error *err);
/* Writes finished JSON text to standard output or the file of --json=FILE; nothing when --json was not given. */
vlm_status vlm_write_json(const vlm_cli *cli, const char *text, vlm_error *err);

/* Threads and CPU level from the command line. */
vlm_status vlm_cli_context(vlm_context **out, const vlm_cli *cli, vlm_error *err);
/* How a model is opened: as it is; with its integer operators lowered; to be run and nothing else, so that weights may wait in the file. */
typedef enum vlm_open_use { VLM_OPEN_AS_IT_IS, VLM_OPEN_LOWERED, VLM_OPEN_TO_RUN } vlm_open_use;
/* --decoder and --shape. Free with vlm_cli_open_free in any case. */
typedef struct vlm_cli_open_opts {
  vlm_flow_open_opts flow;
  vlm_shape_binding *shapes; /* with their names */
} vlm_cli_open_opts;
vlm_status vlm_cli_open_read(vlm_cli_open_opts *out, const vlm_cli *cli, vlm_open_use use, vlm_error *err);
/* DIM=N; the name is the caller's, for vlm_free. */
vlm_status vlm_cli_read_shape(vlm_shape_binding *out, const char *text, vlm_error *err);
void vlm_cli_open_free(vlm_cli_open_opts *opts);
/* Bundle folder, .onnx or .vlmq. The caller frees it with vlm_bundle_free. */
vlm_status vlm_cli_open(vlm_bundle **out, const vlm_cli *cli, const char *path, vlm_open_use use,
                        vlm_error *err);
/* VLM_USAGE when an option was given that does not go with such a model: it would be ignored. */
vlm_status vlm_cli_fit(const vlm_cli *cli, const vlm_bundle *bundle, vlm_error *err);

/* Seconds on a monotonic clock; peak resident memory of the process in MiB. */
double vlm_now(void);
double vlm_peak_rss_mib(void);

/* A bar with rate and time left on a terminal, a plain line now and then otherwise. total 0 = not known. */
typedef struct vlm_progress {
  const vlm_cli *cli;
  const char *what;
  int64_t total, done;
  double start, shown;
} vlm_progress;
void vlm_progress_begin(vlm_progress *p, const vlm_cli *cli, const char *what, int64_t total);
void vlm_progress_step(vlm_progress *p, int64_t done);
void vlm_progress_end(vlm_progress *p);
/* From now on the first SIGINT, SIGTERM or SIGHUP cancels the use case that has the watch, which may finish what it
 * is at; the second ends the program at once. */
void vlm_finish_when_asked(vlm_watch *watch);
/* Shows what a use case tells of its progress. */
vlm_watch vlm_progress_watch(vlm_progress *p);

#endif
