/* A program that makes system calls which its test knows, one of each kind; no C library. */

#include "linux.h"

enum {
  SYS_DUP3 = 24,
  SYS_FCNTL = 25,
  SYS_MKDIRAT = 34,
  SYS_UNLINKAT = 35,
  SYS_OPENAT = 56,
  SYS_CLOSE = 57,
  SYS_EXIT_GROUP = 94,
  SYS_KILL = 129,
  SYS_GETPID = 172,
  SYS_SOCKET = 198,
  SYS_MUNMAP = 215,
  SYS_CLONE = 220,
  SYS_EXECVE = 221,
  SYS_MMAP = 222,
  SYS_WAIT4 = 260,
  SYS_NONE = 1000,
};
enum { CWD = -100, SIGCHLD = 17, SIGTERM = 15 };

/* Pages that nothing has touched before the call that reads them. */
static const char untouched[8192] __attribute__((aligned(4096))) = {[4096] = '/', [4097] = 'f', [4098] = 'a', [4099] = 'r'};

static const char *const arguments[] = {"file", 0};

void _start(void) {
  long file, child, memory;
  call3(SYS_MKDIRAT, CWD, (long)"/known", 0750);
  file = call(SYS_OPENAT, CWD, (long)"/known/file", 02 | 0100 | 0200, 0640, 0, 0);
  call3(SYS_DUP3, file, 9, 02000000);
  call3(SYS_FCNTL, 9, 3, 0);
  call3(SYS_CLOSE, 9, 0, 0);
  call3(SYS_READ, 77, 0, 0);
  call3(SYS_OPENAT, CWD, (long)untouched + 4096, 02000000 | 040000);
  call3(SYS_OPENAT, file, (long)"be\"low\n", 0);
  /* A page of the kernel's own. */
  call3(SYS_OPENAT, CWD, (long)0xffff800008848000, 0);
  call3(SYS_UNLINKAT, CWD, (long)"/known/nothing", 0x200);
  call3(SYS_SOCKET, 1, 2 | 02000000, 0);
  memory = call(SYS_MMAP, 0, 8192, 3, 0x22, -1, 0);
  call3(SYS_MUNMAP, memory, 8192, 0);
  call3(SYS_EXECVE, (long)"/known/file", (long)arguments, 0);
  call(SYS_NONE, 1, 2, 3, 4, 5, 0);
  child = call3(SYS_CLONE, SIGCHLD, 0, 0);
  if (child == 0) {
    call3(SYS_KILL, call3(SYS_GETPID, 0, 0, 0), SIGTERM, 0);
    for (;;) call3(SYS_EXIT_GROUP, 1, 0, 0);
  }
  call3(SYS_WAIT4, child, 0, 0);
  for (;;) call3(SYS_EXIT_GROUP, 42, 0, 0);
}
