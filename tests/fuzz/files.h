/* Bytes as a file, for readers that take a path. */
#ifndef VLM_TESTS_FUZZ_FILES_H
#define VLM_TESTS_FUZZ_FILES_H

#include <stddef.h>
#include <stdint.h>

/* The path of a file of these bytes, the same each time; NULL when it cannot be written. */
const char *fuzz_file(const char *suffix, const uint8_t *data, size_t size);
/* The next text of the input: up to a zero byte, zero-terminated here (free it). *data and *size move on. */
char *fuzz_text(const uint8_t **data, size_t *size);

#endif
