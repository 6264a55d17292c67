/* Checked sizes, allocation and the arena. All memory of vlmq is taken here, so that a fault-injection test has one place to hook. */
#ifndef VLM_BASE_MEMORY_H
#define VLM_BASE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/status.h"

#define VLM_ALIGN 64 /* every tensor buffer starts on a cache line */

/* Overflow-checked arithmetic on sizes: false when the result does not fit. */
bool vlm_size_mul(size_t a, size_t b, size_t *out);
bool vlm_size_add(size_t a, size_t b, size_t *out);
static inline size_t vlm_size_align(size_t n) { return (n + (VLM_ALIGN - 1)) & ~(size_t)(VLM_ALIGN - 1); }

/* Zeroed memory of count * size bytes, 64-byte aligned; never NULL on VLM_OK (count 0 gives a valid pointer). Free with vlm_free. */
vlm_status vlm_alloc(void **out, size_t count, size_t size, vlm_error *err);
/* Grows *data (or allocates it when NULL), keeps old_count elements, zeroes the rest. On failure *data is unchanged. */
vlm_status vlm_grow(void **data, size_t old_count, size_t new_count, size_t size, vlm_error *err);
/* Frees a block of vlm_alloc, vlm_grow, vlm_strdup or one of the macros below; NULL is fine. */
void vlm_free(void *data);
vlm_status vlm_strdup(char **out, const char *text, vlm_error *err);

/* Fault injection: the Nth allocation from now on fails (0 = off). For tests only. */
void vlm_memory_fail_after(long n);
/* Asked by whoever takes memory: true when this allocation is the one that fails. */
bool vlm_memory_fails(void);

/* Bump allocator: everything is freed at once. Memory is zeroed, 64-byte aligned when size >= 64, else 16. Never moves. */
typedef struct vlm_arena vlm_arena;
vlm_status vlm_arena_create(vlm_arena **out, vlm_error *err);
void vlm_arena_free(vlm_arena *arena);
/* From now on at most this many bytes are handed out in all (VLM_LIMIT); 0 = no limit. */
void vlm_arena_limit(vlm_arena *arena, size_t most);
vlm_status vlm_arena_alloc(vlm_arena *arena, void **out, size_t count, size_t size, vlm_error *err);
vlm_status vlm_arena_strdup(vlm_arena *arena, const char **out, const char *text, vlm_error *err);
vlm_status vlm_arena_format(vlm_arena *arena, const char **out, vlm_error *err, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
size_t vlm_arena_used(const vlm_arena *arena);

/* The same, typed: `out` is the address of a pointer and the elements have the type that it points to. The block travels through a
 * `void *` of its own, so no pointer is ever written under another type. On failure *out is NULL; vlm_more leaves it unchanged. */
#define vlm_new(out, count, err) \
  VLM_TYPED(out, vlm_alloc(&vlm_block_, (size_t)(count), sizeof **vlm_out_, (err)))
#define vlm_arena_new(arena, out, count, err) \
  VLM_TYPED(out, vlm_arena_alloc((arena), &vlm_block_, (size_t)(count), sizeof **vlm_out_, (err)))
/* For whoever has such a function of his own: `take` fills vlm_block_ for elements of **vlm_out_. */
#define VLM_TYPED(out, take)            \
  __extension__({                       \
    void *vlm_block_ = NULL;            \
    __typeof__(out) vlm_out_ = (out);   \
    const vlm_status vlm_got_ = (take); \
    *vlm_out_ = vlm_block_;             \
    vlm_got_;                           \
  })
#define vlm_more(data, old_count, new_count, err)                                                  \
  __extension__({                                                                                  \
    __typeof__(data) vlm_out_ = (data);                                                            \
    void *vlm_block_ = (void *)*vlm_out_;                                                          \
    const vlm_status vlm_got_ =                                                                    \
        vlm_grow(&vlm_block_, (size_t)(old_count), (size_t)(new_count), sizeof **vlm_out_, (err)); \
    *vlm_out_ = vlm_block_;                                                                        \
    vlm_got_;                                                                                      \
  })

#endif
