/* Preloaded into a program: the Nth call of one kind fails, once. tests/faults/sweep.sh builds and drives it.
 *   FAULT_KIND  a word of `kinds` below        FAULT_AT   which call fails, from 1; 0 only counts
 *   FAULT_LOG   file that gets "calls COUNT" at the end, and "at OBJECT..." when the fault comes: the objects
 *               that the failing call came through, so that a fault inside a system library can be told. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char *const kinds[] = {"malloc", "open",   "read", "short-read", "write", "short",
                                    "fsync",  "rename", "mmap", "thread",     "close", "flip"};
enum kind { MALLOC, OPEN, READ, SHORT_READ, WRITE, SHORT, FSYNC, RENAME, MMAP, THREAD, CLOSE, FLIP, KINDS };

static int wanted = -1, log_fd = -1;
static long fault_at;
static atomic_long calls;
static __thread bool inside;

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);

static void say(const char *text) {
  if (syscall(SYS_write, log_fd, text, strlen(text)) < 0) abort();
}

static void say_where(void) {
  void *frames[64];
  Dl_info info;
  const char *last = "";
  const int n = backtrace(frames, 64);
  say("at");
  for (int i = 0; i < n; i++) {
    if (!dladdr(frames[i], &info) || !info.dli_fname) continue;
    const char *name = strrchr(info.dli_fname, '/');
    name = name ? name + 1 : info.dli_fname;
    if (!strcmp(name, last) || !strcmp(name, "shim.so")) continue;
    say(" ");
    say(last = name);
  }
  say("\n");
}

/* Whether this call is the one that fails. */
static bool fails(enum kind kind) {
  if ((int)kind != wanted || inside) return false;
  if (atomic_fetch_add(&calls, 1) + 1 != fault_at) return false;
  inside = true;
  say_where();
  inside = false;
  return true;
}

__attribute__((constructor)) static void start(void) {
  const char *kind = getenv("FAULT_KIND"), *at = getenv("FAULT_AT"), *path = getenv("FAULT_LOG");
  void *frame[1];
  if (!kind || !path) return;
  inside = true;
  backtrace(frame, 1); /* loads what it needs now, not inside of a failing call */
  inside = false;
  log_fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  fault_at = at ? atol(at) : 0;
  for (int i = 0; i < KINDS; i++)
    if (!strcmp(kind, kinds[i])) wanted = i;
}

__attribute__((destructor)) static void end(void) {
  char text[64];
  if (log_fd < 0) return;
  snprintf(text, sizeof text, "calls %ld\n", atomic_load(&calls));
  wanted = -1;
  say(text);
}

#define NEXT(name)                        \
  static union {                          \
    void *found;                          \
    __typeof__(name) *call;               \
  } next;                                 \
  if (!next.found) {                      \
    inside = true;                        \
    next.found = dlsym(RTLD_NEXT, #name); \
    inside = false;                       \
  }

#define REFUSE(kind, number, answer) \
  if (fails(kind)) {                 \
    errno = (number);                \
    return answer;                   \
  }

void *malloc(size_t bytes) {
  REFUSE(MALLOC, ENOMEM, NULL)
  return __libc_malloc(bytes);
}
void *calloc(size_t n, size_t bytes) {
  REFUSE(MALLOC, ENOMEM, NULL)
  return __libc_calloc(n, bytes);
}
void *realloc(void *old, size_t bytes) {
  REFUSE(MALLOC, ENOMEM, NULL)
  return __libc_realloc(old, bytes);
}
void *aligned_alloc(size_t align, size_t bytes) {
  REFUSE(MALLOC, ENOMEM, NULL)
  return __libc_memalign(align, bytes);
}

#define OPEN_MODE                     \
  mode_t mode = 0;                    \
  if (flags & O_CREAT) {              \
    va_list list;                     \
    va_start(list, flags);            \
    mode = (mode_t)va_arg(list, int); \
    va_end(list);                     \
  }
int open(const char *path, int flags, ...) {
  OPEN_MODE
  REFUSE(OPEN, EMFILE, -1)
  NEXT(open)
  return next.call(path, flags, mode);
}
int open64(const char *path, int flags, ...) {
  OPEN_MODE
  REFUSE(OPEN, EMFILE, -1)
  NEXT(open64)
  return next.call(path, flags, mode);
}
FILE *fopen(const char *path, const char *mode) {
  REFUSE(OPEN, EMFILE, NULL)
  NEXT(fopen)
  return next.call(path, mode);
}
FILE *fopen64(const char *path, const char *mode) {
  REFUSE(OPEN, EMFILE, NULL)
  NEXT(fopen64)
  return next.call(path, mode);
}

ssize_t read(int fd, void *data, size_t bytes) {
  REFUSE(READ, EIO, -1)
  NEXT(read)
  return next.call(fd, data, fails(SHORT_READ) && bytes > 1 ? bytes / 2 : bytes);
}
ssize_t __read_chk(int fd, void *data, size_t bytes, size_t room) {
  return (void)room, read(fd, data, bytes);
}
ssize_t pread64(int fd, void *data, size_t bytes, off64_t at) {
  REFUSE(READ, EIO, -1)
  NEXT(pread64)
  return next.call(fd, data, fails(SHORT_READ) && bytes > 1 ? bytes / 2 : bytes, at);
}
ssize_t pread(int fd, void *data, size_t bytes, off_t at) { return pread64(fd, data, bytes, at); }

/* A disk that keeps other bytes than it was given, and does not say so. */
static void *flipped(const void *data, size_t bytes) {
  char *copy = __libc_malloc(bytes);
  if (!copy) abort();
  memcpy(copy, data, bytes);
  copy[bytes / 2] ^= 1;
  return copy;
}

ssize_t write(int fd, const void *data, size_t bytes) {
  if (fd == log_fd) return syscall(SYS_write, fd, data, bytes);
  REFUSE(WRITE, ENOSPC, -1)
  NEXT(write)
  if (fd > 2 && bytes && fails(FLIP)) {
    void *other = flipped(data, bytes);
    const ssize_t n = next.call(fd, other, bytes);
    free(other);
    return n;
  }
  return next.call(fd, data, fails(SHORT) && bytes > 1 ? bytes / 2 : bytes);
}
ssize_t pwrite64(int fd, const void *data, size_t bytes, off64_t at) {
  REFUSE(WRITE, ENOSPC, -1)
  NEXT(pwrite64)
  return next.call(fd, data, fails(SHORT) && bytes > 1 ? bytes / 2 : bytes, at);
}
ssize_t pwrite(int fd, const void *data, size_t bytes, off_t at) { return pwrite64(fd, data, bytes, at); }

int fsync(int fd) {
  REFUSE(FSYNC, EIO, -1)
  NEXT(fsync)
  return next.call(fd);
}
int rename(const char *from, const char *to) {
  REFUSE(RENAME, EACCES, -1)
  NEXT(rename)
  return next.call(from, to);
}
int close(int fd) {
  NEXT(close)
  if (!fails(CLOSE)) return next.call(fd);
  next.call(fd);
  errno = EIO;
  return -1;
}
void *mmap64(void *at, size_t bytes, int guard, int flags, int fd, off64_t offset) {
  REFUSE(MMAP, ENOMEM, MAP_FAILED)
  NEXT(mmap64)
  return next.call(at, bytes, guard, flags, fd, offset);
}
void *mmap(void *at, size_t bytes, int guard, int flags, int fd, off_t offset) {
  return mmap64(at, bytes, guard, flags, fd, offset);
}
int pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *), void *user) {
  REFUSE(THREAD, EAGAIN, EAGAIN)
  NEXT(pthread_create)
  return next.call(thread, attr, run, user);
}
