/* Preloaded into `cloakroom migrate`: sends SIGKILL to its own process in place of the KILL_AT-th write to, or sync of,
   a file of the database. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static _Atomic long left;

__attribute__((constructor)) static void read_kill_at(void) {
    const char *kill_at = getenv("KILL_AT");
    if (!kill_at) abort();
    atomic_store(&left, atol(kill_at));
}

static void count(int file) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return;
    path[length] = 0;
    if (strstr(path, ".db") && atomic_fetch_sub(&left, 1) == 1) kill(getpid(), SIGKILL);
}

ssize_t pwrite64(int file, const void *bytes, size_t length, off64_t at) {
    count(file);
    return ((ssize_t (*)(int, const void *, size_t, off64_t))dlsym(RTLD_NEXT, "pwrite64"))(file, bytes, length, at);
}

ssize_t pwrite(int file, const void *bytes, size_t length, off_t at) { return pwrite64(file, bytes, length, at); }

int fsync(int file) {
    count(file);
    return ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(file);
}

int fdatasync(int file) {
    count(file);
    return ((int (*)(int))dlsym(RTLD_NEXT, "fdatasync"))(file);
}

int ftruncate64(int file, off64_t length) {
    count(file);
    return ((int (*)(int, off64_t))dlsym(RTLD_NEXT, "ftruncate64"))(file, length);
}

int ftruncate(int file, off_t length) { return ftruncate64(file, length); }
