/* Lets calls that change files below one directory fail, one call site after the other; for LD_PRELOAD.
 *
 * A site is where a call comes from: the function that is called and the return addresses above it, each as the
 * distance from the beginning of its program or library, so that it is the same in every process and every run.
 *
 * FAULT_DIRECTORY  calls that change what is below it count
 * FAULT_RECORD     a file that all processes share: struct record
 * FAULT_SITE       the site that fails, in hex; 0 for none
 * FAULT_NTH        which of its calls fails, counted from 1
 * FAULT_FOREVER    1 if from then on every call fails, wherever it comes from
 * FAULT_KIND       enospc, eio, or short: write half of what is asked
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char *directory;
#define CALLS 8192
#define FRAMES 24

struct record {
    atomic_uint calls;   /* how many there were, in all processes */
    atomic_uint reached; /* how many of them came from the site that fails */
    atomic_uint broken;  /* whether the disk has failed for good */
    unsigned unused;
    uint64_t sites[CALLS]; /* where each came from */
};

static uint64_t wanted;
static unsigned nth, forever;
static int kind; /* an errno, or 0 for a short write */
static struct record *record;

__attribute__((constructor)) static void begin(void) {
    const char *what = getenv("FAULT_KIND"), *path = getenv("FAULT_RECORD");
    directory = getenv("FAULT_DIRECTORY");
    if (!directory || !what || !path)
        return;
    wanted = strtoull(getenv("FAULT_SITE"), NULL, 16);
    nth = (unsigned)atoi(getenv("FAULT_NTH"));
    forever = (unsigned)atoi(getenv("FAULT_FOREVER"));
    kind = !strcmp(what, "enospc") ? ENOSPC : !strcmp(what, "eio") ? EIO : 0;
    void *frames[1];
    backtrace(frames, 1); /* loads what it needs now, not within a call */
    int file = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CREAT, 0600);
    if (file < 0 || syscall(SYS_ftruncate, file, (long)sizeof *record))
        _exit(99);
    void *map = mmap(NULL, sizeof *record, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (map == MAP_FAILED)
        _exit(99);
    record = map;
}

static int below(const char *path) {
    return record && !strncmp(path, directory, strlen(directory));
}

static int open_below(int file) {
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = record ? readlink(link, path, sizeof path - 1) : -1;
    if (length < 0)
        return 0;
    path[length] = 0;
    return below(path);
}

static uint64_t site(void) {
    void *frames[FRAMES];
    int count = backtrace(frames, FRAMES);
    uint64_t hash = 14695981039346656037u;
    for (int i = 0; i < count; i++) {
        Dl_info info;
        uintptr_t base = dladdr(frames[i], &info) ? (uintptr_t)info.dli_fbase : 0;
        hash = (hash ^ ((uintptr_t)frames[i] - base)) * 1099511628211u;
    }
    return hash ? hash : 1;
}

/* Counts a call; whether it is one of those that fail. */
static int hit(void) {
    uint64_t here = site();
    unsigned number = atomic_fetch_add(&record->calls, 1);
    if (number < CALLS)
        record->sites[number] = here;
    if (here == wanted && atomic_fetch_add(&record->reached, 1) + 1 == nth) {
        atomic_store(&record->broken, forever);
        return 1;
    }
    return (int)atomic_load(&record->broken);
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
