/* Files that are given in place of another, told by how they begin: for messages that say what to do. */
#ifndef VLM_BASE_FOREIGN_H
#define VLM_BASE_FOREIGN_H

#include <stdbool.h>
#include <stddef.h>

typedef struct vlm_foreign {
  const char *name;   /* "a PNG image" */
  const char *advice; /* what to do when a model was wanted */
  bool stands_in;     /* lies in the place of the real file, whatever was wanted */
} vlm_foreign;

/* NULL when it is none that is known. */
const vlm_foreign *vlm_foreign_find(const void *data, size_t bytes);

#endif
