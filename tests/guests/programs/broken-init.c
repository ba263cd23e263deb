/* Process 1 of a Linux, which lives or ends in the way that a line on its console names; no C
 * library. */

#include "linux.h"

enum {
  SYS_MKDIRAT = 34,
  SYS_MOUNT = 40,
  SYS_OPENAT = 56,
  SYS_EXIT_GROUP = 94,
  SYS_NANOSLEEP = 101,
  SYS_REBOOT = 142,
  SYS_SYSINFO = 179,
  SYS_CLONE = 220,
  SYS_MMAP = 222,
};
enum { SIGCHLD = 17, VFORK = 0x4100 }; /* CLONE_VM | CLONE_VFORK */
enum { CWD = -100, WRITE_ONLY = 1 };

static int same(const char *a, const char *b) {
  while (*a && *a == *b) a++, b++;
  return *a == *b;
}

static void write_to(const char *path, const char *text) {
  long length = 0, file;
  while (text[length]) length++;
  file = call3(SYS_OPENAT, CWD, (long)path, WRITE_ONLY);
  call3(SYS_WRITE, file, (long)text, length);
}

static void sleep_seconds(long seconds) {
  long time[2] = {seconds, 0};
  call3(SYS_NANOSLEEP, (long)time, 0, 0);
}

static void reboot(unsigned how) { call3(SYS_REBOOT, 0xfee1deadL, 672274793, how); }

static void stay(void) {
  for (;;) sleep_seconds(1000);
}

static void mount_proc(void) {
  call3(SYS_MKDIRAT, CWD, (long)"/proc", 0755);
  call3(SYS_MOUNT, (long)"proc", (long)"/proc", (long)"proc");
}

static void take_memory(void) {
  for (;;) {
    char *piece = (char *)call(SYS_MMAP, 0, 1 << 20, 3, 0x22, -1, 0);
    if ((long)piece < 0) continue;
    for (long at = 0; at < 1 << 20; at += 4096) piece[at] = 1;
  }
}

static void start_child(void (*work)(void)) {
  if (call3(SYS_CLONE, SIGCHLD, 0, 0) == 0) work(), call3(SYS_EXIT, 0, 0, 0);
}

/* A parent that waits for ever for its child, and cannot be interrupted. */
static void wait_in_vfork(void) {
  static char stack[65536] __attribute__((aligned(16)));
  register long x8 __asm__("x8") = SYS_CLONE;
  register long x0 __asm__("x0") = VFORK | SIGCHLD;
  register long x1 __asm__("x1") = (long)(stack + sizeof stack);
  register long x2 __asm__("x2") = 0, x3 __asm__("x3") = 0, x4 __asm__("x4") = 0;
  __asm__ volatile("svc 0" : "+r"(x0) : "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x8) : "memory");
  if (x0 == 0) stay();
}

static void ask_system(void) {
  static char information[512];
  call3(SYS_SYSINFO, (long)information, 0, 0);
}

__attribute__((used)) static void work(void) {
  static char way[64];
  call3(SYS_WRITE, 1, (long)"how?\n", 5);
  way[call3(SYS_READ, 0, (long)way, sizeof way) - 1] = 0;
  if (same(way, "exit")) call3(SYS_EXIT, 7, 0, 0);
  if (same(way, "exit-group")) call3(SYS_EXIT_GROUP, 0, 0, 0);
  if (same(way, "undefined")) __asm__ volatile("udf 0");
  if (same(way, "sve")) __asm__ volatile(".inst 0x2518e3e0"); /* ptrue p0.b */
  if (same(way, "bf16")) __asm__ volatile(".inst 0x2e40fc00"); /* bfdot v0.2s, v0.4h, v0.4h */
  if (same(way, "null")) __asm__ volatile("str wzr, [%0]" ::"r"(8L) : "memory");
  if (same(way, "jump")) ((void (*)(void))0x1234567000)();
  if (same(way, "read-only")) __asm__ volatile("strb wzr, [%0]" ::"r"("text") : "memory");
  if (same(way, "stack")) __asm__ volatile("mov sp, %0; str x0, [sp]" ::"r"(0x1001L));
  if (same(way, "trap")) __asm__ volatile("brk 1");
  if (same(way, "privileged")) __asm__ volatile("msr vbar_el1, x0");
  if (same(way, "memory")) take_memory();
  if (same(way, "power-off")) reboot(0x4321fedc);
  if (same(way, "restart")) reboot(0x1234567);
  if (same(way, "halt")) reboot(0xcdef0123);
  if (same(way, "sysrq")) mount_proc(), write_to("/proc/sysrq-trigger", "c");
  if (same(way, "child-killed")) start_child(take_memory), stay();
  if (same(way, "child-dies")) start_child((void (*)(void))0x1234567000), stay();
  if (same(way, "vfork")) start_child(wait_in_vfork), stay();
  if (same(way, "sysinfo")) ask_system(), stay();
  if (same(way, "child-sysinfo")) start_child(ask_system), stay();
  stay();
}

__asm__(".global _start\n_start: bl work");
