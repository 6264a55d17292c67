/* Status codes and the error text that travels with them.
 *
 * Every function that can fail returns vlm_status and takes a `vlm_error *` as its last argument (NULL is allowed).
 * The innermost failure describes itself with vlm_fail(); callers may add context in front with vlm_error_context().
 * Convention inside a function: `vlm_status st = VLM_OK;`, VLM_TRY / VLM_CHECK jump to the label `out`, the one exit. */
#ifndef VLM_BASE_STATUS_H
#define VLM_BASE_STATUS_H

#include <vlmq/status.h> /* vlm_status, vlm_error, names and texts */

/* Writes the message. err may be NULL. */
void vlm_error_set(vlm_error *err, vlm_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static inline vlm_status vlm_same_status(vlm_status status) { return status; }

/* Writes the message and is `status`, so that `return vlm_fail(...)` reads well. A macro, because the compiler then sees
 * that a failure is never VLM_OK, and what is set only on success is not taken for used without a value. */
#define vlm_fail(err, status, ...) (vlm_error_set((err), (status), __VA_ARGS__), vlm_same_status(status))

/* Puts "context: " in front of the message. Returns err->status (VLM_INTERNAL when err is NULL). */
vlm_status vlm_error_context(vlm_error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

int vlm_status_exit_code(vlm_status status);
/* Of a call of the system that just failed: VLM_MEMORY when errno says so, else `otherwise`. */
vlm_status vlm_errno_status(vlm_status otherwise);

#define VLM_TRY(expression)     \
  do {                          \
    st = (expression);          \
    if (st != VLM_OK) goto out; \
  } while (0)

#define VLM_CHECK(condition, err, status, ...)     \
  do {                                             \
    if (!(condition)) {                            \
      st = vlm_fail((err), (status), __VA_ARGS__); \
      goto out;                                    \
    }                                              \
  } while (0)

#endif
