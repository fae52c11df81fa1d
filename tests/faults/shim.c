/* Lets calls that change files below one directory fail, one after the other; for LD_PRELOAD.
 *
 * FAULT_DIRECTORY  what is below it is counted
 * FAULT_COUNTER    a file that holds the count: four bytes, in the order of the machine
 * FAULT_FIRST      number of the first call that fails, counted from 1; 0 for none
 * FAULT_LAST       number of the last one
 * FAULT_KIND       enospc, eio, or short: write half of what is asked
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
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char *directory;
static unsigned first, last;
static int kind; /* an errno, or 0 for a short write */
static atomic_uint *counter;

__attribute__((constructor)) static void begin(void) {
    const char *what = getenv("FAULT_KIND"), *path = getenv("FAULT_COUNTER");
    directory = getenv("FAULT_DIRECTORY");
    if (!directory || !what || !path)
        return;
    first = (unsigned)atoi(getenv("FAULT_FIRST"));
    last = (unsigned)atoi(getenv("FAULT_LAST"));
    kind = !strcmp(what, "enospc") ? ENOSPC : !strcmp(what, "eio") ? EIO : 0;
    int file = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CREAT, 0600);
    if (file < 0 || syscall(SYS_ftruncate, file, (long)sizeof *counter))
        _exit(99);
    counter = mmap(NULL, sizeof *counter, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (counter == MAP_FAILED)
        _exit(99);
}

static int below(const char *path) {
    return counter && !strncmp(path, directory, strlen(directory));
}

static int open_below(int file) {
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = counter ? readlink(link, path, sizeof path - 1) : -1;
    if (length < 0)
        return 0;
    path[length] = 0;
    return below(path);
}

/* Counts a call; whether it is one of those that fail. */
static int hit(void) {
    unsigned number = atomic_fetch_add(counter, 1) + 1;
    return number >= first && number <= last;
}

/* Whether a call that cannot be short fails. */
static int fails(int counted) {
    if (!counted || !hit() || !kind)
        return 0;
    errno = kind;
    return 1;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static ssize_t shortened(size_t length) {
    return (ssize_t)(length / 2 ? length / 2 : 1);
}

ssize_t write(int file, const void *bytes, size_t length) {
    if (open_below(file) && hit()) {
        if (kind)
            return errno = kind, -1;
        length = (size_t)shortened(length);
    }
    return REAL(write)(file, bytes, length);
}

ssize_t pwrite64(int file, const void *bytes, size_t length, off64_t at) {
    if (open_below(file) && hit()) {
        if (kind)
            return errno = kind, -1;
        length = (size_t)shortened(length);
    }
    return REAL(pwrite64)(file, bytes, length, at);
}

ssize_t pwrite(int file, const void *bytes, size_t length, off_t at) {
    return pwrite64(file, bytes, length, at);
}

int fsync(int file) { return fails(open_below(file)) ? -1 : REAL(fsync)(file); }

int fdatasync(int file) { return fails(open_below(file)) ? -1 : REAL(fdatasync)(file); }

int sync_file_range(int file, off64_t from, off64_t length, unsigned flags) {
    return fails(open_below(file)) ? -1 : REAL(sync_file_range)(file, from, length, flags);
}

int ftruncate64(int file, off64_t length) {
    return fails(open_below(file)) ? -1 : REAL(ftruncate64)(file, length);
}

int ftruncate(int file, off_t length) { return ftruncate64(file, length); }

int rename(const char *from, const char *to) {
    return fails(below(from) || below(to)) ? -1 : REAL(rename)(from, to);
}

int unlink(const char *path) { return fails(below(path)) ? -1 : REAL(unlink)(path); }

int mkdir(const char *path, mode_t mode) { return fails(below(path)) ? -1 : REAL(mkdir)(path, mode); }

int open64(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    int writes = (flags & O_ACCMODE) != O_RDONLY || flags & O_CREAT;
    return fails(writes && below(path)) ? -1 : REAL(open64)(path, flags, mode);
}
