/* Which file lies where in memory: for whoever is told, by a signal, that a file became shorter than it was when it was mapped. */
#ifndef VLM_BASE_MAPPED_H
#define VLM_BASE_MAPPED_H

#include <stddef.h>

/* Private to file.c. What does not fit is not listed. */
void vlm_mapped_add(const void *data, size_t bytes, const char *path);
void vlm_mapped_remove(const void *data);
/* The path, or NULL. Async-signal-safe. */
const char *vlm_mapped_path(const void *address);

#endif
