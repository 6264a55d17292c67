/* Texts that come from the tables of programs and options: help, manual pages, completion. */
#ifndef VLM_CLI_HELP_H
#define VLM_CLI_HELP_H

#include <stdio.h>

#include "cli/program.h"

/* --help, in lines of at most `width` columns. */
void vlm_print_help(FILE *file, const vlm_program *program, int width);

/* A page for man(1): the same bytes for the same version. */
void vlm_print_manual(FILE *file, const vlm_program *program);

/* Completion, one function per shell. */
void vlm_print_bash_completion(FILE *file, const vlm_program *program);
void vlm_print_zsh_completion(FILE *file, const vlm_program *program);
void vlm_print_fish_completion(FILE *file, const vlm_program *program);

#endif
