/* Makes one write of a process fail, to see what it leaves behind.
 *
 * Loaded with LD_PRELOAD. It counts the calls that write, make durable, rename, cut or open for
 * writing a file under a folder, and makes one of them fail without doing anything.
 *
 *   FAULT_UNDER   the folder; calls on other files are neither counted nor harmed
 *   FAULT_PLAN    a file of three native longs, mapped, so that a test can read and change it:
 *                 how many calls there were; the number of the call that fails, from 1, 0 for
 *                 none; and 1 when all calls after it fail too, as on a disk that stays full
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static const char *under;
static _Atomic long *plan;

__attribute__((constructor)) static void prepare(void) {
  const char *file = getenv("FAULT_PLAN");
  under = getenv("FAULT_UNDER");
  int handle = file ? open(file, O_RDWR) : -1;
  if (handle < 0) return;
  void *place = mmap(NULL, 3 * sizeof(long), PROT_READ | PROT_WRITE, MAP_SHARED, handle, 0);
  if (place != MAP_FAILED) plan = place;
  close(handle);
}

/* Whether this call is to fail; only calls on the folder are counted. */
static int fails(const char *path) {
  if (!plan || !under || strncmp(path, under, strlen(under)) != 0) return 0;
  long number = atomic_fetch_add(&plan[0], 1) + 1, at = plan[1];
  if (at == 0 || number < at || (number > at && !plan[2])) return 0;
  errno = ENOSPC;
  return 1;
}

static int fails_handle(int handle) {
  char link[64], path[PATH_MAX];
  snprintf(link, sizeof link, "/proc/self/fd/%d", handle);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return 0;
  path[length] = 0;
  return fails(path);
}

#define ON_HANDLE(result, name, parameters, ...)                  \
  result name parameters {                                        \
    static result(*real) parameters;                              \
    if (!real) real = (result(*) parameters)dlsym(RTLD_NEXT, #name); \
    return fails_handle(handle) ? -1 : real(__VA_ARGS__);         \
  }

ON_HANDLE(ssize_t, write, (int handle, const void *data, size_t size), handle, data, size)
ON_HANDLE(ssize_t, pwrite, (int handle, const void *data, size_t size, off_t place), handle, data,
          size, place)
ON_HANDLE(ssize_t, pwrite64, (int handle, const void *data, size_t size, off64_t place), handle,
          data, size, place)
ON_HANDLE(ssize_t, writev, (int handle, const struct iovec *parts, int number), handle, parts,
          number)
ON_HANDLE(ssize_t, pwritev, (int handle, const struct iovec *parts, int number, off_t place),
          handle, parts, number, place)
ON_HANDLE(ssize_t, pwritev64, (int handle, const struct iovec *parts, int number, off64_t place),
          handle, parts, number, place)
ON_HANDLE(int, fsync, (int handle), handle)
ON_HANDLE(int, fdatasync, (int handle), handle)
ON_HANDLE(int, ftruncate, (int handle, off_t size), handle, size)
ON_HANDLE(int, ftruncate64, (int handle, off64_t size), handle, size)

#define ON_PATH(result, name, parameters, path, ...)              \
  result name parameters {                                        \
    static result(*real) parameters;                              \
    if (!real) real = (result(*) parameters)dlsym(RTLD_NEXT, #name); \
    return fails(path) ? -1 : real(__VA_ARGS__);                  \
  }

ON_PATH(int, rename, (const char *from, const char *to), to, from, to)
ON_PATH(int, renameat, (int a, const char *from, int b, const char *to), to, a, from, b, to)
ON_PATH(int, mkdir, (const char *path, mode_t mode), path, path, mode)

#define ON_OPEN(name)                                                   \
  int name(const char *path, int flags, ...) {                          \
    static int (*real)(const char *, int, ...);                         \
    va_list rest;                                                       \
    va_start(rest, flags);                                              \
    mode_t mode = (flags & (O_CREAT | __O_TMPFILE)) ? va_arg(rest, mode_t) : 0; \
    va_end(rest);                                                       \
    if (!real) real = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, #name); \
    int writes = (flags & O_ACCMODE) != O_RDONLY;                       \
    return writes && fails(path) ? -1 : real(path, flags, mode);        \
  }

ON_OPEN(open)
ON_OPEN(open64)
