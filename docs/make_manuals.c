/* Writes the manual pages and the completion files of all programs: make_manuals FOLDER. The build runs it
 * (cmake/manuals.cmake). */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/help.h"

static const struct {
  const char *folder, *before, *after; /* of the program's name */
  void (*print)(FILE *file, const vlm_program *program);
} PAGES[] = {{"man1", "", ".1", vlm_print_manual},
             {"bash", "", "", vlm_print_bash_completion},
             {"zsh", "_", "", vlm_print_zsh_completion},
             {"fish", "", ".fish", vlm_print_fish_completion}};

static int write_page(const char *folder, int page, const vlm_program *program) {
  char path[1024];
  snprintf(path, sizeof path, "%s/%s", folder, PAGES[page].folder);
  mkdir(path, 0777);
  snprintf(path, sizeof path, "%s/%s/%s%s%s", folder, PAGES[page].folder, PAGES[page].before, program->name,
           PAGES[page].after);
  FILE *file = fopen(path, "w");
  if (!file) {
    perror(path);
    return 1;
  }
  PAGES[page].print(file, program);
  int failed = ferror(file);
  failed |= fclose(file);
  if (failed) perror(path);
  return failed != 0;
}

int main(int argc, char **argv) {
  int failed = 0;
  if (argc != 2) {
    fputs("usage: make_manuals FOLDER\n", stderr);
    return 1;
  }
  mkdir(argv[1], 0777);
  for (int page = 0; page < (int)(sizeof PAGES / sizeof PAGES[0]); page++)
    for (int i = 0; i < VLM_PROGRAM_COUNT; i++) failed |= write_page(argv[1], page, &vlm_programs[i]);
  return failed;
}
