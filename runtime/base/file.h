/* Whole files: mapped reading, and writing that a kill or a full disk cannot leave half done. */
#ifndef VLM_BASE_FILE_H
#define VLM_BASE_FILE_H

#include <stddef.h>
#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/status.h"

/* A read-only mapping of a file, as long as the file is when it is opened. bytes may be 0 (data is then a valid pointer to nothing). A file
 * that somebody cuts off afterwards cannot be read behind its new end: the system sends SIGBUS, and vlm_mapped_path (mapped.h) names it. */
typedef struct vlm_file {
  const unsigned char *data;
  size_t bytes;
  bool mapped; /* the bytes come from the file whenever they are read; else they are a copy */
} vlm_file;

vlm_status vlm_file_map(vlm_file *out, const char *path, vlm_error *err);
/* The same of an open descriptor, which stays open: `bytes` bytes (0 = to the end) from `offset` on. Mapped when the offset is a multiple
 * of the page size, else copied. */
vlm_status vlm_file_map_fd(vlm_file *out, int fd, uint64_t offset, uint64_t bytes, const char *name,
                           vlm_error *err);
/* A copy of memory as if it were a mapped file. */
vlm_status vlm_file_copy(vlm_file *out, const void *data, size_t bytes, vlm_error *err);
void vlm_file_unmap(vlm_file *file);
/* Gives the whole pages of a part back to the system; a copy keeps its own. */
void vlm_file_drop(const vlm_file *file, const void *data, size_t bytes);
/* Reads a text file into zero-terminated memory; free with vlm_free. */
vlm_status vlm_file_read_text(char **out, const char *path, vlm_error *err);
/* The first bytes of a regular file; returns how many were read, 0 when it is none or cannot be read. */
size_t vlm_file_begin(const char *path, void *start, size_t bytes);
/* bytes: the size, or NULL. */
bool vlm_file_is_regular(const char *path, size_t *bytes);
/* A regular file that is no link and has no second name. */
bool vlm_file_is_plain(const char *path);
/* Whether `path`, named by the file `owner` in `folder`, may be read for it: its real place is in the folder, or beside the real place of the owner (a
 * folder whose files all are links into one store), and it has no second name (hard link) unless the owner has one too. */
bool vlm_file_belongs(const char *path, const char *folder, const char *owner);
bool vlm_file_exists(const char *path);
bool vlm_file_is_folder(const char *path);
/* Makes a folder unless it is there already; its parent must be there. */
vlm_status vlm_folder_make(const char *path, vlm_error *err);

/* Writes to PATH.tmp-PID in the same folder; commit fsyncs and renames, free without commit removes it.
 * A PATH.tmp-PID of a process that is gone from this machine (it was killed) is removed by the next writer of the same path.
 * A path that is there and is no regular file (a device, a pipe) is written in place.
 * A process that is interrupted removes pending files through vlm_writer_abort_all (async-signal-safe). */
typedef struct vlm_writer vlm_writer;
vlm_status vlm_writer_open(vlm_writer **out, const char *path, vlm_error *err);
/* Path of the temporary file, for libraries that open files themselves (HDF5). */
const char *vlm_writer_path(const vlm_writer *writer);
vlm_status vlm_writer_write(vlm_writer *writer, const void *data, size_t bytes, vlm_error *err);
vlm_status vlm_writer_seek(vlm_writer *writer, size_t offset, vlm_error *err);
vlm_status vlm_writer_commit(vlm_writer *writer, vlm_error *err);
void vlm_writer_free(vlm_writer *writer);
void vlm_writer_abort_all(void);
/* A file of these bytes, whole or not at all. */
vlm_status vlm_file_write(const char *path, const void *data, size_t bytes, vlm_error *err);

/* folder + "/" + name in new memory (name alone when it is absolute); free with vlm_free. */
vlm_status vlm_path_join(char **out, const char *folder, const char *name, vlm_error *err);

#endif
