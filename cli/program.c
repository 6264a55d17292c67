#include "cli/program.h"

#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "cli/outputs.h"
#include "cli/terminal.h"
#include "runtime/base/clock.h"
#include "runtime/base/file.h"
#include "runtime/base/mapped.h"

static volatile sig_atomic_t may_finish, asked;

static void interrupted(int signal_number) {
  (void)signal_number;
  if (may_finish && !asked) {
    asked = 1;
    return;
  }
  vlm_writer_abort_all();
  _exit(130);
}

static void say_now(const char *text) {
  if (write(STDERR_FILENO, text, strlen(text)) < 0) return; /* nobody is left to be told */
}

/* Behind the end of a mapped file that was cut off while we read it. Any other cause is our own bug and ends the process as it would. */
static void cut_off(int signal_number, siginfo_t *info, void *context) {
  const char *path = vlm_mapped_path(info->si_addr);
  (void)context;
  vlm_writer_abort_all();
  if (!path) {
    signal(signal_number, SIG_DFL);
    raise(signal_number);
    return;
  }
  say_now(path);
  say_now(": became shorter while it was read; run again when nothing writes it\n");
  _exit(vlm_status_exit_code(VLM_INPUT));
}

static void catch_signals(void) {
  struct sigaction bus = {.sa_sigaction = cut_off, .sa_flags = SA_SIGINFO};
  sigaction(SIGBUS, &bus, NULL);
  struct sigaction action = {.sa_handler = interrupted, .sa_flags = SA_RESTART};
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
  if (signal(SIGHUP, SIG_IGN) != SIG_IGN) sigaction(SIGHUP, &action, NULL); /* nohup stays nohup */
  signal(SIGPIPE, SIG_IGN);
  signal(SIGXFSZ, SIG_IGN); /* over the file size limit: write fails and says so */
}

static bool is_asked(void *user) {
  (void)user;
  return asked;
}

void vlm_finish_when_asked(vlm_watch *watch) {
  watch->cancelled = is_asked;
  may_finish = 1;
}

static vlm_status run(vlm_cli *cli, int argc, char **argv, vlm_args *args, vlm_error *err) {
  vlm_status st = VLM_OK;
  VLM_TRY(vlm_args_parse(args, cli->program, argc, argv, err));
  cli->quiet = vlm_args_has(args, VLM_OPT_QUIET);
  cli->verbose = vlm_args_has(args, VLM_OPT_VERBOSE);
  VLM_TRY(vlm_outputs_check(args, err));
  if (vlm_args_has(args, VLM_OPT_HELP)) vlm_print_help(stdout, cli->program);
  else if (vlm_args_has(args, VLM_OPT_VERSION)) printf("%s %s\n", cli->program->name, VLM_VERSION);
  else VLM_TRY(cli->program->run(cli, err));
  VLM_CHECK(fflush(stdout) == 0 && !ferror(stdout), err, VLM_IO, "standard output cannot be written");
out:
  return st;
}

int vlm_program_main(const vlm_program *program, int argc, char **argv) {
  vlm_error err = {0};
  vlm_args args;
  vlm_cli cli = {.program = program, .args = &args};
  memset(&args, 0, sizeof args);
  catch_signals();
  vlm_clean_streams();
  vlm_status st = run(&cli, argc, argv, &args, &err);
  for (char *p = err.text; (p = strchr(p, '\n'));) *p = ' '; /* a message is one line, whatever a name holds */
  if (st != VLM_OK) fprintf(stderr, "%s: %s\n", program->name, err.text[0] ? err.text : vlm_status_text(st));
  vlm_args_free(&args);
  return vlm_status_exit_code(st);
}

void vlm_say(const vlm_cli *cli, const char *format, ...) {
  if (cli->quiet) return;
  va_list list;
  va_start(list, format);
  vfprintf(stderr, format, list);
  va_end(list);
  fputc('\n', stderr);
}

vlm_status vlm_write_text(const char *path, const char *text, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_writer *w = NULL;
  VLM_TRY(vlm_writer_open(&w, path, err));
  VLM_TRY(vlm_writer_write(w, text, strlen(text), err));
  VLM_TRY(vlm_writer_write(w, "\n", 1, err));
  VLM_TRY(vlm_writer_commit(w, err));
out:
  vlm_writer_free(w);
  return st;
}

vlm_status vlm_write_json(const vlm_cli *cli, const char *text, vlm_error *err) {
  const char *path = vlm_args_text(cli->args, VLM_OPT_JSON, NULL);
  if (path) return vlm_write_text(path, text, err);
  if (vlm_args_has(cli->args, VLM_OPT_JSON)) puts(text);
  return VLM_OK;
}

vlm_status vlm_cli_context(vlm_context **out, const vlm_cli *cli, vlm_error *err) {
  int64_t threads, loop_runs;
  vlm_status st = vlm_args_int(&threads, cli->args, VLM_OPT_THREADS, 0, 1, 256, err);
  if (st == VLM_OK) st = vlm_args_int(&loop_runs, cli->args, VLM_OPT_MAX_LOOP_RUNS, 0, 1, INT64_MAX, err);
  if (st != VLM_OK) return st;
  const vlm_context_opts opts = {
      .threads = (int)threads, .cpu_level = vlm_args_text(cli->args, VLM_OPT_CPU, NULL), .max_loop_runs = loop_runs};
  return vlm_context_create(out, &opts, err);
}

double vlm_now(void) { return vlm_clock_ms() * 1e-3; }

double vlm_peak_rss_mib(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return (double)usage.ru_maxrss / 1024.0;
}
