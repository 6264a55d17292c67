/* Failures, and the rules that hold for every function of vlmq.
 *
 * Rules
 *  - Functions that can fail return vlm_status and take a vlm_error of the caller's as their last argument
 *    (NULL: the text is not wanted). Nothing is printed, nothing ends the process, nothing is kept in global
 *    variables.
 *  - A NULL handle, a NULL result pointer or a value out of range is VLM_USAGE, never a crash. Functions that
 *    return text or arrays answer NULL then, counts are 0. Freeing NULL does nothing.
 *  - `out` pointers of functions that make a handle are NULL after a failure.
 *  - Structs begin with `size`, the caller's sizeof, which the *_init functions set; so a program and a
 *    library of different age understand each other. Fields that are zero mean the default. A field that the
 *    library is too old to know is VLM_UNSUPPORTED unless it is zero.
 *  - Texts are UTF-8 and zero-terminated.
 *  - Handles may go from thread to thread; docs/api.md says what may run at the same time. */
#ifndef VLMQ_STATUS_H
#define VLMQ_STATUS_H

#if defined(__GNUC__)
#define VLM_API __attribute__((visibility("default")))
#else
#define VLM_API
#endif

#ifdef __cplusplus
#define VLM_BEGIN_DECLS extern "C" {
#define VLM_END_DECLS }
#else
#define VLM_BEGIN_DECLS
#define VLM_END_DECLS
#endif

VLM_BEGIN_DECLS

/* Causes of failure: X(NAME, process exit code of the programs, text). Values count up from 0 and stay:
 * new causes go to the end. */
#define VLM_STATUSES(X)                                                                                      \
  X(OK, 0, "ok")                                                                                             \
  X(USAGE, 1, "wrong usage") /* an argument that cannot be right: a mistake of the calling program */        \
  X(INPUT, 2, "bad input")   /* a file, picture or tensor that is not what it should be */                   \
  X(UNSUPPORTED, 2, "not supported")         /* valid, but more than this library can do */                  \
  X(IO, 2, "input or output failed")         /* the system refused */                                        \
  X(LIMIT, 2, "limit exceeded")              /* more than an option allows */                                \
  X(QUALITY, 3, "quality below budget")      /* of the programs */                                           \
  X(SLOWER, 4, "slower than FP32")           /* of the programs */                                           \
  X(INTEGRITY, 5, "integrity check failed")  /* a packed file that is truncated or altered */                \
  X(MEMORY, 6, "out of memory")              /* or no thread could be started; a smaller request may work */ \
  X(INTERNAL, 70, "internal error")          /* a mistake of ours: please report it */                       \
  X(INTERRUPTED, 130, "interrupted")         /* of the programs */                                           \
  X(UNKNOWN, 70, "not known before the run") /* inside of the library */

typedef enum vlm_status {
#define VLM_STATUS_ENTRY(name, exit_code, text) VLM_##name,
  VLM_STATUSES(VLM_STATUS_ENTRY)
#undef VLM_STATUS_ENTRY
} vlm_status;

/* Filled by the function that fails, left alone by one that succeeds. */
typedef struct vlm_error {
  vlm_status status;
  char text[768]; /* which file, node or argument; what it is, what was wanted, what to do */
} vlm_error;

/* "INPUT" and "bad input"; a number that is no status reads as INTERNAL. Static texts. */
VLM_API const char *vlm_status_name(vlm_status status);
VLM_API const char *vlm_status_text(vlm_status status);

VLM_END_DECLS

#endif
