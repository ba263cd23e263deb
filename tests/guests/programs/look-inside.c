/* Reads what its kernel shows of itself, at random instants, ahead of every other task. Before and
 * after each part it makes a call that no kernel has, at which its test lets the machine stand.
 * As process 1 it looks while the system boots. No C library. */

#include "linux.h"

enum {
  SYS_MKNODAT = 33,
  SYS_MKDIRAT = 34,
  SYS_MOUNT = 40,
  SYS_OPENAT = 56,
  SYS_CLOSE = 57,
  SYS_GETDENTS64 = 61,
  SYS_NANOSLEEP = 101,
  SYS_SCHED_SETSCHEDULER = 119,
  SYS_GETPID = 172,
  SYS_CLONE = 220,
  SYS_EXECVE = 221,
  SYS_MLOCKALL = 230,
  SYS_BEGIN = 1000,
  SYS_END = 1001,
};
enum { CWD = -100, NONBLOCK = 04000, DIRECTORY = 040000, CHAR_DEVICE = 020000, KMSG = 1 << 8 | 11, EAGAIN = 11, SIGCHLD = 17 };
enum { SCHED_FIFO = 1, MOST_URGENT = 99, ALL_PAGES = 3 };
enum { PIDS_MAX = 1024, NUMBER_MAX = 12, PATH_MAX = 64, TEXT_MAX = 2 << 20, ENTRIES = 32768 };
/* Looks while the system boots, and microseconds between them at most. */
enum { BOOT_ROUNDS = 30, BOOT_SLEEP = 6000 };

static char text[TEXT_MAX], entries[ENTRIES], pids[PIDS_MAX][NUMBER_MAX];
static long length, pid_count;
static unsigned long seed;

/* Of a generator with the constants of MMIX. */
static unsigned long below(unsigned long most) {
  seed = seed * 6364136223846793005ul + 1442695040888963407ul;
  return (seed >> 33) % most;
}

static void put(const char *words) {
  while (*words && length < TEXT_MAX) text[length++] = *words++;
}

/* Adds a file's content below its name, or nothing if there is no such file. */
static void add(const char *path) {
  long file = call3(SYS_OPENAT, CWD, (long)path, 0), before = length, got;
  if (file < 0) return;
  put("\001");
  put(path);
  put("\n");
  while ((got = call3(SYS_READ, file, (long)(text + length), TEXT_MAX - length)) > 0) length += got;
  if (got < 0) length = before;
  call3(SYS_CLOSE, file, 0, 0);
}

static void add_log(void) {
  long file = must("kmsg", call3(SYS_OPENAT, CWD, (long)"/look/kmsg", NONBLOCK)), got;
  while ((got = call3(SYS_READ, file, (long)(text + length), TEXT_MAX - length)) != -EAGAIN) {
    if (got > 0) length += got;
  }
  call3(SYS_CLOSE, file, 0, 0);
}

static void find_pids(void) {
  long folder = must("proc", call3(SYS_OPENAT, CWD, (long)"/look/proc", DIRECTORY)), got;
  pid_count = 0;
  while ((got = call3(SYS_GETDENTS64, folder, (long)entries, ENTRIES)) > 0) {
    for (long at = 0; at < got; at += *(unsigned short *)(entries + at + 16)) {
      const char *name = entries + at + 19;
      if (*name < '0' || *name > '9' || pid_count == PIDS_MAX) continue;
      for (int i = 0; i < NUMBER_MAX && (pids[pid_count][i] = name[i]); i++) continue;
      pid_count++;
    }
  }
  call3(SYS_CLOSE, folder, 0, 0);
}

/* Adds a file of each process. */
static void add_each(const char *name) {
  for (long i = 0; i < pid_count; i++) {
    char path[PATH_MAX], *end = path;
    for (const char *from = "/look/proc/"; *from;) *end++ = *from++;
    for (const char *from = pids[i]; *from;) *end++ = *from++;
    for (const char *from = name; *from;) *end++ = *from++;
    *end = 0;
    add(path);
  }
}

static void tasks(void) {
  find_pids();
  add_each("/stat");
  add_each("/status");
  add_each("/wchan");
  add_each("/cmdline");
  add_each("/schedstat");
}
static void maps(void) { add_each("/maps"); }
static void modules(void) { add("/look/proc/modules"); }
static void mounts(void) { add("/look/proc/1/mountinfo"); }
static void irqs(void) { add("/look/proc/interrupts"); }
static void stacks(void) { add_each("/stack"); }

static void (*const parts[])(void) = {add_log, tasks, maps, modules, mounts, irqs, stacks};

static void look(void) {
  for (unsigned long part = 0; part < sizeof parts / sizeof *parts; part++) {
    length = 0;
    call3(SYS_BEGIN, part, 0, 0);
    parts[part]();
    call3(SYS_END, part, (long)text, length);
  }
}

static void look_often(long rounds, unsigned long sleep_us) {
  int urgent = MOST_URGENT;
  must("mlockall", call3(SYS_MLOCKALL, ALL_PAGES, 0, 0));
  /* An open folder cannot be unmounted. */
  must("proc", call3(SYS_OPENAT, CWD, (long)"/look/proc", DIRECTORY));
  must("scheduler", call3(SYS_SCHED_SETSCHEDULER, 0, SCHED_FIFO, (long)&urgent));
  while (rounds-- > 0) {
    long pause[2] = {0, 1000 * (long)below(sleep_us)};
    call3(SYS_NANOSLEEP, (long)pause, 0, 0);
    look();
  }
}

static void boot(void) {
  static const char *const arguments[] = {"/init", 0}, *const environment[] = {"HOME=/", "TERM=linux", 0};
  must("mkdir", call3(SYS_MKDIRAT, CWD, (long)"/look", 0755));
  must("mkdir", call3(SYS_MKDIRAT, CWD, (long)"/look/proc", 0755));
  must("mknod", call(SYS_MKNODAT, CWD, (long)"/look/kmsg", CHAR_DEVICE | 0600, KMSG, 0, 0));
  must("mount", call(SYS_MOUNT, (long)"look", (long)"/look/proc", (long)"proc", 0, 0, 0));
  if (must("clone", call3(SYS_CLONE, SIGCHLD, 0, 0))) {
    call3(SYS_EXECVE, (long)"/init", (long)arguments, (long)environment);
    fail("/init");
  }
  look_often(BOOT_ROUNDS, BOOT_SLEEP);
}

/* By the words that the kernel has put on the stack: the number of arguments, then these. */
void run(const long *stack) {
  char *const *arguments = (char *const *)(stack + 1);
  seed = 54;
  if (call3(SYS_GETPID, 0, 0, 0) == 1) boot();
  else if (*stack == 4) {
    seed = number(arguments[3]);
    look_often((long)number(arguments[1]), number(arguments[2]));
  } else fail("look-inside ROUNDS MICROSECONDS SEED");
  call3(SYS_EXIT, 0, 0, 0);
}

__asm__(".globl _start\n_start:\n  mov x0, sp\n  b run\n");
