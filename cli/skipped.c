#include "cli/skipped.h"

#include "runtime/base/memory.h"

enum { SHOWN = 20 };

/* Out of memory, it is told at least. */
void vlm_skipped_add(void *user, const char *path, const char *reason) {
  vlm_skipped *list = user;
  vlm_skip skip = {0};
  vlm_status st = list->arena ? VLM_OK : vlm_arena_create(&list->arena, NULL);
  if (st == VLM_OK) st = vlm_arena_strdup(list->arena, &skip.path, path, NULL);
  if (st == VLM_OK) st = vlm_arena_strdup(list->arena, &skip.reason, reason, NULL);
  if (st == VLM_OK && list->count == list->capacity) {
    const size_t more = list->capacity ? 2 * list->capacity : 64;
    st = vlm_more(&list->items, list->capacity, more, NULL);
    if (st == VLM_OK) list->capacity = more;
  }
  if (st == VLM_OK) list->items[list->count++] = skip;
  else vlm_say(list->cli, "not used: %s: %s", path, reason);
}

void vlm_skipped_say(vlm_skipped *list) {
  const size_t n = list->count - list->told;
  if (n == 0) return;
  const size_t shown = list->cli->verbose || n <= SHOWN ? n : SHOWN;
  vlm_say(list->cli, "not used: %zu file%s", n, n == 1 ? "" : "s");
  for (size_t i = 0; i < shown; i++)
    vlm_say(list->cli, "  %s: %s", list->items[list->told + i].path, list->items[list->told + i].reason);
  if (shown < n) vlm_say(list->cli, "  and %zu more (-v names them all)", n - shown);
  list->told = list->count;
}

void vlm_put_skipped(vlm_json_writer *w, const vlm_skipped *list) {
  vlm_json_open_array(w, "skipped");
  for (size_t i = 0; i < list->count; i++) {
    vlm_json_open_object(w, NULL);
    vlm_json_put_text(w, "path", list->items[i].path);
    vlm_json_put_text(w, "reason", list->items[i].reason);
    vlm_json_close_object(w);
  }
  vlm_json_close_array(w);
}

void vlm_skipped_free(vlm_skipped *list) {
  vlm_arena_free(list->arena);
  vlm_free(list->items);
  *list = (vlm_skipped){0};
}
