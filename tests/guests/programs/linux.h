/* Linux programs without a C library: calls of the kernel, and lines on the standard output. */

enum { SYS_READ = 63, SYS_WRITE = 64, SYS_EXIT = 93 };

static inline long call(long number, long a, long b, long c, long d, long e, long f) {
  register long x8 __asm__("x8") = number;
  register long x0 __asm__("x0") = a;
  register long x1 __asm__("x1") = b;
  register long x2 __asm__("x2") = c;
  register long x3 __asm__("x3") = d;
  register long x4 __asm__("x4") = e;
  register long x5 __asm__("x5") = f;
  __asm__ volatile("svc 0" : "+r"(x0) : "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5), "r"(x8) : "memory");
  return x0;
}

/* A call whose further arguments are zero. */
static inline long call3(long number, long a, long b, long c) { return call(number, a, b, c, 0, 0, 0); }

static inline void say(const char *text) {
  long length = 0;
  while (text[length]) length++;
  call3(SYS_WRITE, 1, (long)text, length);
}

static inline void say_number(unsigned long number) {
  char digits[24], *first = digits + sizeof digits;
  *--first = 0;
  do *--first = '0' + number % 10;
  while (number /= 10);
  say(first);
}

static inline void fail(const char *what) {
  say("FAILED ");
  say(what);
  say("\n");
  call3(SYS_EXIT, 1, 0, 0);
}

/* The result of a call that has to succeed. */
static inline long must(const char *what, long result) {
  if (result < 0) fail(what);
  return result;
}

/* Of decimal digits. */
static inline unsigned long number(const char *text) {
  unsigned long value = 0;
  for (; *text; text++) value = 10 * value + (unsigned long)(*text - '0');
  return value;
}
