/* Log what a process writes to regular files and what it syncs, so that a test can take away what a power cut would take.

   Preloaded; appends to $SYNC_LOG.<pid>, a line a call: "W inode offset length", "S inode size" (synced), "T inode size" (cut to),
   "D path" with "N name inode" for each name in a folder that was synced. Writes that are mapped into memory are not seen. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static void say(const char *line, int length) {
    static int to = -1;
    static pid_t of = 0;
    if (of != getpid()) {
        char path[4096];
        const char *base = getenv("SYNC_LOG");
        if (!base) return;
        snprintf(path, sizeof path, "%s.%d", base, getpid());
        to = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        of = getpid();
    }
    if (to >= 0) syscall(SYS_write, to, line, length);
}

static int regular(int fd, struct stat *found) { return fstat(fd, found) == 0 && S_ISREG(found->st_mode); }

static void wrote(int fd, off_t at, ssize_t length) {
    struct stat found;
    char line[96];
    if (length <= 0 || !regular(fd, &found)) return;
    if (at < 0) at = (fcntl(fd, F_GETFL) & O_APPEND ? found.st_size : lseek(fd, 0, SEEK_CUR)) - length;
    say(line, snprintf(line, sizeof line, "W %lu %ld %ld\n", found.st_ino, (long)at, (long)length));
}

static void synced(int fd) {
    struct stat found;
    char line[96], path[4096], link[64];
    if (fstat(fd, &found) != 0) return;
    if (S_ISREG(found.st_mode)) {
        say(line, snprintf(line, sizeof line, "S %lu %ld\n", found.st_ino, (long)found.st_size));
    } else if (S_ISDIR(found.st_mode)) {
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        ssize_t length = readlink(link, path, sizeof path - 1);
        if (length < 0) return;
        path[length] = 0;
        DIR *folder = opendir(path);
        if (!folder) return;
        /* One write: other threads log meanwhile. */
        char *all = NULL;
        size_t size = 0;
        FILE *lines = open_memstream(&all, &size);
        fprintf(lines, "D %s\n", path);
        for (struct dirent *entry; (entry = readdir(folder));) fprintf(lines, "N %s %lu\n", entry->d_name, entry->d_ino);
        closedir(folder);
        fclose(lines);
        say(all, (int)size);
        free(all);
    }
}

#define REAL(result, name, ...)                                              \
    static result (*real)(__VA_ARGS__);                                      \
    if (!real) real = (result (*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

ssize_t write(int fd, const void *data, size_t size) {
    REAL(ssize_t, "write", int, const void *, size_t);
    ssize_t done = real(fd, data, size);
    wrote(fd, -1, done);
    return done;
}
ssize_t writev(int fd, const struct iovec *parts, int count) {
    REAL(ssize_t, "writev", int, const struct iovec *, int);
    ssize_t done = real(fd, parts, count);
    wrote(fd, -1, done);
    return done;
}
ssize_t pwrite(int fd, const void *data, size_t size, off_t at) {
    REAL(ssize_t, "pwrite", int, const void *, size_t, off_t);
    ssize_t done = real(fd, data, size, at);
    wrote(fd, at, done);
    return done;
}
ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) { return pwrite(fd, data, size, at); }
int fsync(int fd) {
    REAL(int, "fsync", int);
    int failed = real(fd);
    if (!failed) synced(fd);
    return failed;
}
int fdatasync(int fd) {
    REAL(int, "fdatasync", int);
    int failed = real(fd);
    if (!failed) synced(fd);
    return failed;
}
int ftruncate(int fd, off_t size) {
    REAL(int, "ftruncate", int, off_t);
    struct stat found;
    char line[64];
    int failed = real(fd, size);
    if (!failed && regular(fd, &found)) say(line, snprintf(line, sizeof line, "T %lu %ld\n", found.st_ino, (long)size));
    return failed;
}
int ftruncate64(int fd, off64_t size) { return ftruncate(fd, size); }
