/* Reads a folder into a page that is not there, whose fault nobody handles: the read holds the
 * folder's lock for ever. No C library. */

enum { SYS_IOCTL = 29, SYS_OPENAT = 56, SYS_GETDENTS64 = 61, SYS_MMAP = 222, SYS_USERFAULTFD = 282, SYS_EXIT_GROUP = 94 };
enum { CWD = -100, DIRECTORY = 040000, PAGE = 4096 };

static long call(long number, long a, long b, long c, long d, long e) {
  register long x8 __asm__("x8") = number;
  register long x0 __asm__("x0") = a;
  register long x1 __asm__("x1") = b;
  register long x2 __asm__("x2") = c;
  register long x3 __asm__("x3") = d;
  register long x4 __asm__("x4") = e;
  register long x5 __asm__("x5") = 0;
  __asm__ volatile("svc 0" : "+r"(x0) : "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5), "r"(x8) : "memory");
  return x0;
}

void _start(void) {
  static unsigned long api[3] = {0xaa, 0, 0}, range[4];
  long folder = call(SYS_OPENAT, CWD, (long)"/held", DIRECTORY, 0, 0);
  long faults = call(SYS_USERFAULTFD, 0, 0, 0, 0, 0), page = call(SYS_MMAP, 0, PAGE, 3, 0x22, -1);
  range[0] = page, range[1] = PAGE, range[2] = 1;
  call(SYS_IOCTL, faults, 0xc018aa3f, (long)api, 0, 0);
  call(SYS_IOCTL, faults, 0xc020aa00, (long)range, 0, 0);
  call(SYS_GETDENTS64, folder, page, PAGE, 0, 0);
  for (;;) call(SYS_EXIT_GROUP, 1, 0, 0, 0, 0);
}
