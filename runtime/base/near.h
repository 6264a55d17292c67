/* How near a name is to another: for "did you mean". */
#ifndef VLM_BASE_NEAR_H
#define VLM_BASE_NEAR_H

#include <stddef.h>

#define VLM_NEAR_LONGEST 32 /* bytes of a name that are compared */

/* How many letters are wrong, missing, too many or swapped with their neighbour. */
int vlm_name_distance(const char *a, size_t n, const char *b, size_t m);
/* How many of these may be in a name of so many letters. */
int vlm_name_tolerance(size_t letters);
/* The nearest of the names, NULL when none is near. */
const char *vlm_name_near(const char *name, const char *const *names, size_t count);

#endif
