/* Counts the calls that make a file durable, for the benchmark. It is loaded with LD_PRELOAD into a
 * server or a program with SQLite. SPEED_FSYNCS names a file of eight bytes that holds the count. All
 * processes add to the same count. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static unsigned long *count;

__attribute__((constructor)) static void open_count(void) {
    const char *name = getenv("SPEED_FSYNCS");
    int file = name ? open(name, O_RDWR | O_CLOEXEC) : -1;
    if (file < 0)
        return;
    void *memory = mmap(NULL, sizeof *count, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (memory != MAP_FAILED)
        count = memory;
}

static int counted(const char *name, int file) {
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    if (count)
        __atomic_add_fetch(count, 1, __ATOMIC_SEQ_CST);
    return real(file);
}

int fsync(int file) { return counted("fsync", file); }
int fdatasync(int file) { return counted("fdatasync", file); }
