/* Preloaded into the server: counts its syncs, and lets them fail on demand. The panel is a file that the
   test reads and writes: 64-bit numbers, laid out as in sync_shim.rs. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define FOLDER "/data/photos"

enum place { ANYWHERE, BELOW_PHOTOS, PHOTOS };

struct panel {
    _Atomic uint64_t asked;
    _Atomic uint64_t done;
    _Atomic uint64_t fail_every;
    /* An enum place: where syncs fail. */
    _Atomic uint64_t fail_in;
    _Atomic uint64_t done_below_photos;
};

static struct panel *panel;
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);

__attribute__((constructor)) static void open_panel(void) {
    const char *path = getenv("SYNC_PANEL");
    int file = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    void *memory = file < 0 ? MAP_FAILED : mmap(NULL, sizeof *panel, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (memory == MAP_FAILED) abort();
    panel = memory;
    real_fsync = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    real_fdatasync = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
}

/* Whether this is the folder of photos, something below it, or anything else. */
static enum place place_of(int file) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return ANYWHERE;
    path[length] = 0;
    const char *found = strstr(path, FOLDER);
    if (!found) return ANYWHERE;
    return found[strlen(FOLDER)] ? BELOW_PHOTOS : PHOTOS;
}

static int count(int (*sync)(int), int file) {
    uint64_t fail_every = atomic_load(&panel->fail_every), fail_in = atomic_load(&panel->fail_in);
    enum place place = place_of(file);
    if (fail_in == ANYWHERE || fail_in == place) {
        uint64_t nth = atomic_fetch_add(&panel->asked, 1) + 1;
        if (fail_every && nth % fail_every == 0) {
            errno = EIO;
            return -1;
        }
    }
    int result = sync(file);
    if (result == 0) atomic_fetch_add(&panel->done, 1);
    if (result == 0 && place == BELOW_PHOTOS) atomic_fetch_add(&panel->done_below_photos, 1);
    return result;
}

int fsync(int file) { return count(real_fsync, file); }

int fdatasync(int file) { return count(real_fdatasync, file); }
