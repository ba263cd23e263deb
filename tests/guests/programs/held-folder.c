/* Reads a folder into memory that is not there, whose fault nobody handles: the read holds the
 * folder's lock for ever. No C library. */

#include "linux.h"

enum { SYS_IOCTL = 29, SYS_OPENAT = 56, SYS_GETDENTS64 = 61, SYS_MMAP = 222, SYS_USERFAULTFD = 282, SYS_EXIT_GROUP = 94 };
/* SIZE is whole pages of every size. */
enum { CWD = -100, DIRECTORY = 040000, SIZE = 65536 };

void _start(void) {
  static unsigned long api[3] = {0xaa, 0, 0}, range[4];
  long folder = call3(SYS_OPENAT, CWD, (long)"/held", DIRECTORY);
  long faults = call3(SYS_USERFAULTFD, 0, 0, 0), page = call(SYS_MMAP, 0, SIZE, 3, 0x22, -1, 0);
  range[0] = page, range[1] = SIZE, range[2] = 1;
  call3(SYS_IOCTL, faults, 0xc018aa3f, (long)api);
  call3(SYS_IOCTL, faults, 0xc020aa00, (long)range);
  call3(SYS_GETDENTS64, folder, page, SIZE);
  for (;;) call3(SYS_EXIT_GROUP, 1, 0, 0);
}
