/* vlm-run: so far only --check. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/check_report.h"

static const char usage[] =
    "usage: vlm-run --check DIR... [--rtol R] [--atol A] [--threads N] [--cpu LEVEL] [--json[=FILE]] [--quiet] [-v]\n"
    "Runs folders in the ONNX backend-test layout (nested folders allowed) and compares the outputs.\n";

enum { CHECK = 256, RTOL, ATOL, THREADS, CPU, JSON, QUIET, HELP };
static const struct option options[] = {
    {"check", no_argument, NULL, CHECK},          {"rtol", required_argument, NULL, RTOL}, {"atol", required_argument, NULL, ATOL},
    {"threads", required_argument, NULL, THREADS}, {"cpu", required_argument, NULL, CPU},   {"json", optional_argument, NULL, JSON},
    {"quiet", no_argument, NULL, QUIET},          {"help", no_argument, NULL, HELP},       {NULL, 0, NULL, 0},
};

int main(int argc, char **argv) {
  vlm_check_opts opts = {.rtol = -1, .atol = -1};
  vlm_check_output output = {0};
  vlm_error err = {0};
  int check = 0;
  for (int c; (c = getopt_long(argc, argv, "v", options, NULL)) != -1;) {
    switch (c) {
      case CHECK: check = 1; break;
      case RTOL: opts.rtol = atof(optarg); break;
      case ATOL: opts.atol = atof(optarg); break;
      case THREADS: opts.threads = atoi(optarg); break;
      case CPU: opts.cpu = optarg; break;
      case JSON: output.json = true; output.json_path = optarg; break;
      case QUIET: output.quiet = true; break;
      case 'v': output.verbose = true; break;
      case HELP: fputs(usage, stdout); return 0;
      default: fputs(usage, stderr); return vlm_status_exit_code(VLM_USAGE);
    }
  }
  if (!check || optind == argc) {
    fputs(usage, stderr);
    return vlm_status_exit_code(VLM_USAGE);
  }
  vlm_status st = vlm_check_report((const char *const *)&argv[optind], argc - optind, &opts, &output, &err);
  if (st != VLM_OK) fprintf(stderr, "vlm-run: %s\n", err.text);
  return vlm_status_exit_code(st);
}
