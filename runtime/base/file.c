#include "runtime/base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/mapped.h"
#include "runtime/base/memory.h"
#include "runtime/base/pages.h"
#include "runtime/base/unconst.h"

vlm_status vlm_file_copy(vlm_file *out, const void *data, size_t bytes, vlm_error *err) {
  void *copy = NULL;
  *out = (vlm_file){.data = (const unsigned char *)""};
  if (bytes == 0) return VLM_OK;
  vlm_status st = vlm_pages_take(&copy, bytes, err);
  if (st != VLM_OK) return st;
  memcpy(copy, data, bytes);
  *out = (vlm_file){.data = copy, .bytes = bytes};
  return VLM_OK;
}

/* Where the file cannot be mapped: the pages around the part are, and it is copied. */
static vlm_status copy_part(vlm_file *out, int fd, uint64_t offset, uint64_t bytes, const char *name,
                            vlm_error *err) {
  vlm_file around;
  const uint64_t inside = offset % (uint64_t)sysconf(_SC_PAGESIZE);
  vlm_status st = vlm_file_map_fd(&around, fd, offset - inside, inside + bytes, name, err);
  if (st != VLM_OK) return st;
  st = vlm_file_copy(out, around.data + inside, (size_t)bytes, err);
  vlm_file_unmap(&around);
  return st;
}

vlm_status vlm_file_map_fd(vlm_file *out, int fd, uint64_t offset, uint64_t bytes, const char *name,
                           vlm_error *err) {
  vlm_status st = VLM_OK;
  struct stat info;
  *out = (vlm_file){.data = (const unsigned char *)""};
  VLM_CHECK(fstat(fd, &info) == 0, err, VLM_IO, "%s: %s", name, strerror(errno));
  VLM_CHECK(S_ISREG(info.st_mode), err, VLM_INPUT, "%s: is not a file", name);
  const uint64_t size = (uint64_t)info.st_size;
  VLM_CHECK(offset <= size && bytes <= size - offset, err, VLM_INPUT,
            "%s: has %llu bytes, wanted %llu from %llu on", name, (unsigned long long)size,
            (unsigned long long)bytes, (unsigned long long)offset);
  if (bytes == 0) bytes = size - offset;
  if (bytes == 0) goto out;
  if (offset % (uint64_t)sysconf(_SC_PAGESIZE)) {
    VLM_TRY(copy_part(out, fd, offset, bytes, name, err));
    goto out;
  }
  void *data = mmap(NULL, (size_t)bytes, PROT_READ, MAP_PRIVATE, fd, (off_t)offset);
  VLM_CHECK(data != MAP_FAILED, err, vlm_errno_status(VLM_IO), "%s: cannot be mapped: %s", name,
            strerror(errno));
  *out = (vlm_file){.data = data, .bytes = (size_t)bytes, .mapped = true};
  vlm_mapped_add(data, out->bytes, name);
out:
  return st;
}

vlm_status vlm_file_map(vlm_file *out, const char *path, vlm_error *err) {
  *out = (vlm_file){.data = (const unsigned char *)""};
  int fd = open(
      path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY); /* a pipe must not make us wait for its writer */
  if (fd < 0) return vlm_fail(err, VLM_INPUT, "%s: cannot be opened: %s", path, strerror(errno));
  const vlm_status st = vlm_file_map_fd(out, fd, 0, 0, path, err);
  close(fd);
  return st;
}

void vlm_file_unmap(vlm_file *file) {
  if (file->bytes) {
    vlm_mapped_remove(file->data);
    munmap(vlm_unconst(file->data), file->bytes);
  }
  *file = (vlm_file){.data = (const unsigned char *)""};
}

void vlm_file_drop(const vlm_file *file, const void *data, size_t bytes) {
  if (file->mapped) vlm_pages_drop(data, bytes);
}

vlm_status vlm_file_read_text(char **out, const char *path, vlm_error *err) {
  vlm_file file;
  *out = NULL;
  vlm_status st = vlm_file_map(&file, path, err);
  if (st != VLM_OK) return st;
  VLM_TRY(vlm_new(out, file.bytes + 1, err));
  memcpy(*out, file.data, file.bytes);
out:
  vlm_file_unmap(&file);
  return st;
}

size_t vlm_file_begin(const char *path, void *start, size_t bytes) {
  struct stat info;
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0) return 0;
  ssize_t n = fstat(fd, &info) == 0 && S_ISREG(info.st_mode) ? read(fd, start, bytes) : 0;
  close(fd);
  return n > 0 ? (size_t)n : 0;
}

bool vlm_file_is_regular(const char *path, size_t *bytes) {
  struct stat info;
  if (stat(path, &info) != 0 || !S_ISREG(info.st_mode)) return false;
  if (bytes) *bytes = (size_t)info.st_size;
  return true;
}

bool vlm_file_is_plain(const char *path) {
  struct stat info;
  return lstat(path, &info) == 0 && S_ISREG(info.st_mode) && info.st_nlink == 1;
}

/* path is folder or lies below it; both without links. */
static bool lies_in(const char *path, const char *folder) {
  size_t n = strlen(folder);
  while (n > 1 && folder[n - 1] == '/') n--;
  return strncmp(path, folder, n) == 0 && (n == 1 || path[n] == '/' || !path[n]);
}

static bool has_other_names(const char *path) {
  struct stat info;
  return stat(path, &info) == 0 && info.st_nlink > 1;
}

bool vlm_file_belongs(const char *path, const char *folder, const char *owner) {
  char *real = realpath(path, NULL), *home = realpath(*folder ? folder : ".", NULL),
       *store = realpath(owner, NULL);
  char *slash = store ? strrchr(store, '/') : NULL;
  if (slash) slash[slash == store] = 0;
  bool inside = real && ((home && lies_in(real, home)) || (store && lies_in(real, store)));
  bool linked = has_other_names(path) && !has_other_names(owner);
  free(real);
  free(home);
  free(store);
  return inside && !linked;
}

bool vlm_file_exists(const char *path) { return access(path, F_OK) == 0; }

bool vlm_file_is_folder(const char *path) {
  struct stat info;
  return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

vlm_status vlm_folder_make(const char *path, vlm_error *err) {
  if (mkdir(path, 0777) == 0 || vlm_file_is_folder(path)) return VLM_OK;
  return vlm_fail(err, VLM_IO, "%s: cannot be made a folder: %s", path, strerror(errno));
}

vlm_status vlm_path_join(char **out, const char *folder, const char *name, vlm_error *err) {
  size_t bytes = strlen(folder) + strlen(name) + 2;
  vlm_status st = vlm_new(out, bytes, err);
  if (st != VLM_OK) return st;
  size_t n = strlen(folder);
  bool bare = name[0] == '/' || n == 0;
  snprintf(*out, bytes, "%s%s%s", bare ? "" : folder, bare || folder[n - 1] == '/' ? "" : "/", name);
  return VLM_OK;
}

/* ---- writer ---- */

struct vlm_writer {
  char *path, *temporary;
  bool in_place; /* a device or pipe: renaming would replace it by a file */
  int fd;
  int slot;
};

/* Temporary names that a signal handler has to remove; fixed slots because a handler may not allocate or lock. */
enum { SLOTS = 16, NAME_BYTES = 4096 };
static char pending_names[SLOTS][NAME_BYTES];
static volatile sig_atomic_t pending_used[SLOTS];

static int remember(const char *name) {
  for (int i = 0; i < SLOTS; i++) {
    if (pending_used[i] || strlen(name) >= NAME_BYTES) continue;
    strcpy(pending_names[i], name);
    pending_used[i] = 1;
    return i;
  }
  return -1;
}

static void forget(int slot) {
  if (slot >= 0) pending_used[slot] = 0;
}

void vlm_writer_abort_all(void) {
  for (int i = 0; i < SLOTS; i++)
    if (pending_used[i]) unlink(pending_names[i]);
}

static vlm_status folder_of(char **out, const char *path, vlm_error *err) {
  vlm_status st = vlm_strdup(out, path, err);
  if (st != VLM_OK) return st;
  char *slash = strrchr(*out, '/');
  if (!slash) strcpy(*out, *path ? "." : "");
  else slash[slash == *out] = 0;
  return VLM_OK;
}

/* True for "BASE.tmp-PID" of a process that is gone. */
static bool is_stale(const char *name, const char *base, size_t base_length) {
  char *end;
  if (strncmp(name, base, base_length) || strncmp(name + base_length, ".tmp-", 5)) return false;
  long pid = strtol(name + base_length + 5, &end, 10);
  return pid > 0 && !*end && kill((pid_t)pid, 0) != 0 && errno == ESRCH;
}

/* Entries of a folder that are looked at: many files into one folder would cost their number squared. */
enum { STALE_LOOKS = 4096 };

/* What a killed writer of the same file left behind; best effort. */
static void remove_stale(const char *path) {
  char *folder = NULL;
  const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
  if (folder_of(&folder, path, NULL) != VLM_OK) return;
  DIR *entries = opendir(folder);
  int looks = 0;
  for (struct dirent *e; entries && looks < STALE_LOOKS && (e = readdir(entries)); looks++)
    if (is_stale(e->d_name, base, strlen(base))) unlinkat(dirfd(entries), e->d_name, 0);
  if (entries) closedir(entries);
  vlm_free(folder);
}

/* A file that was not there: whatever has the name is neither followed nor written, but replaced. */
static int create_new(const char *path) {
  const int flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  int fd = open(path, flags, 0666);
  if (fd >= 0 || errno != EEXIST) return fd;
  if (unlink(path) != 0) return -1;
  return open(path, flags, 0666);
}

vlm_status vlm_writer_open(vlm_writer **out, const char *path, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_writer *w = NULL;
  struct stat there;
  *out = NULL;
  VLM_CHECK(*path, err, VLM_USAGE, "the output name is empty");
  VLM_CHECK(!vlm_file_is_folder(path), err, VLM_INPUT, "%s: is a folder, a file name is wanted", path);
  VLM_TRY(vlm_new(&w, 1, err));
  w->fd = w->slot = -1;
  VLM_TRY(vlm_strdup(&w->path, path, err));
  size_t bytes = strlen(path) + 32;
  VLM_TRY(vlm_new(&w->temporary, bytes, err));
  w->in_place = stat(path, &there) == 0 && !S_ISREG(there.st_mode);
  if (w->in_place) strcpy(w->temporary, path);
  else snprintf(w->temporary, bytes, "%s.tmp-%ld", path, (long)getpid());
  if (w->in_place) w->fd = open(path, O_WRONLY | O_CLOEXEC);
  else w->fd = create_new(w->temporary);
  VLM_CHECK(w->fd >= 0, err, VLM_IO, "%s: cannot be written: %s", path, strerror(errno));
  if (!w->in_place) {
    w->slot = remember(w->temporary);
    remove_stale(path);
    if (stat(path, &there) == 0) fchmod(w->fd, there.st_mode & 07777); /* a file that was private stays so */
  }
out:
  if (st != VLM_OK) {
    vlm_writer_free(w);
    w = NULL;
  }
  *out = w;
  return st;
}

const char *vlm_writer_path(const vlm_writer *w) { return w->temporary; }

vlm_status vlm_writer_write(vlm_writer *w, const void *data, size_t bytes, vlm_error *err) {
  for (const char *at = data; bytes;) {
    const ssize_t n = write(w->fd, at, bytes > (1u << 30) ? 1u << 30 : bytes);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return vlm_fail(err, VLM_IO, "%s: writing failed: %s", w->path, strerror(errno));
    at += n;
    bytes -= (size_t)n;
  }
  return VLM_OK;
}

vlm_status vlm_writer_seek(vlm_writer *w, size_t offset, vlm_error *err) {
  if (lseek(w->fd, (off_t)offset, SEEK_SET) >= 0) return VLM_OK;
  return vlm_fail(err, VLM_IO, "%s: cannot seek to %zu: %s", w->path, offset, strerror(errno));
}

/* Best effort: the file is in place already, and some file systems refuse it. */
static void sync_folder(const char *path) {
  char *folder = NULL;
  if (folder_of(&folder, path, NULL) != VLM_OK) return;
  int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd >= 0) {
    fsync(fd);
    close(fd);
  }
  vlm_free(folder);
}

vlm_status vlm_writer_commit(vlm_writer *w, vlm_error *err) {
  if (!w->in_place && fsync(w->fd) != 0)
    return vlm_fail(err, VLM_IO, "%s: cannot be flushed to disk: %s", w->path, strerror(errno));
  int closed = close(w->fd);
  w->fd = -1;
  if (closed != 0) return vlm_fail(err, VLM_IO, "%s: closing failed: %s", w->path, strerror(errno));
  if (w->in_place) return VLM_OK;
  if (rename(w->temporary, w->path) != 0)
    return vlm_fail(err, VLM_IO, "%s: cannot be renamed into place: %s", w->path, strerror(errno));
  forget(w->slot);
  w->slot = -1;
  w->temporary[0] = 0;
  sync_folder(w->path);
  return VLM_OK;
}

void vlm_writer_free(vlm_writer *w) {
  if (!w) return;
  if (w->fd >= 0) close(w->fd);
  if (w->temporary && w->temporary[0] && !w->in_place) unlink(w->temporary);
  forget(w->slot);
  vlm_free(w->path);
  vlm_free(w->temporary);
  vlm_free(w);
}

vlm_status vlm_file_write(const char *path, const void *data, size_t bytes, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_writer *w = NULL;
  VLM_TRY(vlm_writer_open(&w, path, err));
  VLM_TRY(vlm_writer_write(w, data, bytes, err));
  VLM_TRY(vlm_writer_commit(w, err));
out:
  vlm_writer_free(w);
  return st;
}
