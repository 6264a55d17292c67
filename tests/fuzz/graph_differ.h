/* Ways of running that must give the same bits, and the smallest bytes that still show a difference. */
#ifndef VLM_TESTS_FUZZ_GRAPH_DIFFER_H
#define VLM_TESTS_FUZZ_GRAPH_DIFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The graph of these bytes, as it is and lowered: every CPU level, one thread and three, packed and opened again. NULL, or what is wrong. */
const char *fuzz_graph_differ(const uint8_t *data, size_t size);

typedef const char *fuzz_problem(const uint8_t *data, size_t size);
/* Takes bytes away and makes them 0 as long as there is a problem; returns the new size. */
size_t fuzz_smallest(uint8_t *data, size_t size, fuzz_problem *problem);

#endif
