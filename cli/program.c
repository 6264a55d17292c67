#include "cli/program.h"

#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "cli/config.h"
#include "cli/help.h"
#include "cli/paths.h"
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

const vlm_program vlm_programs[VLM_PROGRAM_COUNT] = {
#define X(...) {__VA_ARGS__},
#include "cli/programs.def"
#undef X
};

static const vlm_program *program_of(char letter) {
  const vlm_program *program = vlm_programs;
  while (program->letter != letter) program++;
  return program;
}

static vlm_status print_config(const vlm_args *args, vlm_error *err) {
  vlm_text text = {0};
  vlm_status st = vlm_config_write(&text, args, err);
  if (st == VLM_OK) puts(text.data);
  vlm_text_free(&text);
  return st;
}

static vlm_status run_program(vlm_cli *cli, vlm_run_program *run, vlm_error *err) {
  vlm_status st = VLM_OK;
  cli->quiet = cli->args->quiet;
  cli->verbose = cli->args->verbose;
  if (cli->args->help) vlm_print_help(stdout, cli->program, vlm_terminal_width());
  else if (cli->args->version) printf("%s %s\n", cli->program->name, VLM_VERSION);
  else if (cli->args->print_config) VLM_TRY(print_config(cli->args, err));
  else {
    VLM_TRY(vlm_paths_check(cli->args, err));
    VLM_TRY(run(cli, err));
  }
  VLM_CHECK(fflush(stdout) == 0 && !ferror(stdout), err, VLM_IO, "standard output cannot be written");
out:
  return st;
}

int vlm_program_main(char letter, vlm_run_program *run, int argc, char **argv) {
  vlm_error err = {0};
  vlm_args args;
  vlm_cli cli = {.program = program_of(letter), .args = &args};
  catch_signals();
  vlm_clean_streams();
  vlm_status st = vlm_args_parse(&args, cli.program, argc, argv, &err);
  if (st == VLM_OK) st = run_program(&cli, run, &err);
  for (char *p = err.text; (p = strchr(p, '\n'));)
    *p = ' '; /* a message is one line, whatever a name holds */
  const char *why = err.text[0] ? err.text : vlm_status_text(st);
  if (st != VLM_OK) fprintf(stderr, "%s: %s\n", cli.program->name, why);
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
  if (cli->args->json) return vlm_write_text(cli->args->json, text, err);
  if (VLM_OPTION_GIVEN(cli->args, json)) puts(text);
  return VLM_OK;
}

vlm_status vlm_cli_context(vlm_context **out, const vlm_cli *cli, vlm_error *err) {
  const vlm_args *args = cli->args;
  const vlm_context_opts opts = {
      .threads = (int)args->threads, .cpu_level = args->cpu, .max_loop_runs = args->max_loop_runs};
  return vlm_context_create(out, &opts, err);
}

double vlm_now(void) { return vlm_clock_ms() * 1e-3; }

double vlm_peak_rss_mib(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return (double)usage.ru_maxrss / 1024.0;
}
