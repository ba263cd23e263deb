/* A child holds a lock that gives its priority away, and the parent waits for it for ever. No C
 * library. */

#include "linux.h"

enum { SYS_FUTEX = 98, SYS_NANOSLEEP = 101, SYS_CLONE = 220, SYS_MMAP = 222 };
enum { SIGCHLD = 17, LOCK_PI = 6, PAGE = 4096, READ_WRITE = 3, SHARED = 0x21 };

static void sleep_ms(long ms) {
  long time[2] = {ms / 1000, ms % 1000 * 1000000};
  call3(SYS_NANOSLEEP, (long)time, 0, 0);
}

void _start(void) {
  volatile int *lock = (volatile int *)call(SYS_MMAP, 0, PAGE, READ_WRITE, SHARED, -1, 0);
  if (call3(SYS_CLONE, SIGCHLD, 0, 0) == 0) {
    call3(SYS_FUTEX, (long)lock, LOCK_PI, 0);
    for (;;) sleep_ms(1000000);
  }
  while (*lock == 0) sleep_ms(1);
  for (;;) call(SYS_FUTEX, (long)lock, LOCK_PI, 0, 0, 0, 0);
}
