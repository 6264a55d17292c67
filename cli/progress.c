#include <stdio.h>
#include <unistd.h>

#include "cli/program.h"

enum { WIDTH = 28 };

void vlm_progress_begin(vlm_progress *p, const vlm_cli *cli, const char *what, int64_t total) {
  *p = (vlm_progress){.cli = cli, .what = what, .total = total, .start = vlm_now()};
  p->shown = p->start;
}

static void draw_bar(const vlm_progress *p, double rate, double left) {
  char bar[WIDTH * 3 + 1];
  int at = 0, filled = p->total ? (int)(p->done * WIDTH / p->total) : 0;
  for (int i = 0; i < WIDTH; i++)
    at += snprintf(bar + at, sizeof bar - (size_t)at, "%s", i < filled ? "█" : "░");
  /* Past the cleaned stream: these sequences are ours. */
  fflush(stderr);
  dprintf(STDERR_FILENO, "\r%s %s %lld/%lld  %.1f/s  %.0f s left \033[K", p->what, bar, (long long)p->done,
          (long long)p->total, rate, left);
  if (p->done == p->total) fputc('\n', stderr);
}

/* Ten lines a second on a terminal; elsewhere one every ten seconds and one at the end. */
void vlm_progress_step(vlm_progress *p, int64_t done) {
  p->done = done;
  if (p->cli->quiet) return;
  bool terminal = isatty(STDERR_FILENO), last = done == p->total;
  double now = vlm_now();
  if (!last && now - p->shown < (terminal ? 0.1 : 10)) return;
  p->shown = now;
  double rate = now > p->start ? (double)done / (now - p->start) : 0,
         left = rate > 0 ? (double)(p->total - done) / rate : 0;
  if (terminal) draw_bar(p, rate, left);
  else
    fprintf(stderr, "%s %lld of %lld, %.1f per second\n", p->what, (long long)done, (long long)p->total,
            rate);
}

void vlm_progress_end(vlm_progress *p) {
  if (!p->cli->quiet && p->done != p->total && isatty(STDERR_FILENO)) fputc('\n', stderr);
}

static void show(void *user, int64_t done, int64_t total) {
  vlm_progress *p = user;
  p->total = total;
  vlm_progress_step(p, done);
}

vlm_watch vlm_progress_watch(vlm_progress *p) { return (vlm_watch){.progress = show, .user = p}; }
