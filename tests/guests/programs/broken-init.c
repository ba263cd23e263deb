/* Process 1 of a Linux, which lives or ends in the way that a line on its console names; no C
 * library. */

#include "linux.h"

enum {
  SYS_EPOLL_CREATE1 = 20,
  SYS_EPOLL_CTL = 21,
  SYS_EPOLL_PWAIT = 22,
  SYS_IOCTL = 29,
  SYS_FLOCK = 32,
  SYS_MKNODAT = 33,
  SYS_MKDIRAT = 34,
  SYS_MOUNT = 40,
  SYS_FTRUNCATE = 46,
  SYS_OPENAT = 56,
  SYS_CLOSE = 57,
  SYS_PIPE2 = 59,
  SYS_PSELECT6 = 72,
  SYS_PPOLL = 73,
  SYS_EXIT_GROUP = 94,
  SYS_SET_TID_ADDRESS = 96,
  SYS_FUTEX = 98,
  SYS_NANOSLEEP = 101,
  SYS_KILL = 129,
  SYS_REBOOT = 142,
  SYS_SETHOSTNAME = 161,
  SYS_PRCTL = 167,
  SYS_GETPID = 172,
  SYS_GETTID = 178,
  SYS_SYSINFO = 179,
  SYS_SOCKET = 198,
  SYS_SOCKETPAIR = 199,
  SYS_BIND = 200,
  SYS_LISTEN = 201,
  SYS_ACCEPT = 202,
  SYS_CONNECT = 203,
  SYS_CLONE = 220,
  SYS_MMAP = 222,
  SYS_WAIT4 = 260,
};
enum { SIGCHLD = 17, SIGSTOP = 19, VFORK = 0x4100 }; /* CLONE_VM | CLONE_VFORK */
enum { THREAD = 0x10f00 }; /* CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD */
enum { LOCK_EXCLUSIVE = 2 }; /* flock(2) */
enum { LOCK_PI = 6, PRIVATE = 128 }; /* futex(2) */
enum { WAITERS = (int)0x80000000 };
enum { CWD = -100, WRITE_ONLY = 1, FIFO = 0010644 };
enum { SET_SECCOMP = 22, STRICT = 1 }; /* prctl(2) */
/* reboot(2) */
enum { CAD_OFF = 0, POWER_OFF = 0x4321fedc, RESTART = 0x1234567, HALT = 0xcdef0123 };

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

static void power_off(void) { reboot(POWER_OFF); }

static void restart(void) { reboot(RESTART); }

static void set_name(void) { call3(SYS_SETHOSTNAME, (long)"name", 4, 0); }

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

/* Files in memory, then memory of a program; or structures of the kernel alone: names of files. */
/* Stores to the second page of a file of this size. */
static void map_file(long size) {
  long file = call(SYS_OPENAT, CWD, (long)"/short", 0102, 0600, 0, 0);
  call3(SYS_FTRUNCATE, file, size, 0);
  char *pages = (char *)call(SYS_MMAP, 0, 2 * 4096, 3, 1, file, 0);
  pages[4096] = 1;
}

enum { CREATE = 0101, REGULAR = 0100644 };
static void fill_with_files(void) {
  static char page[65536];
  long file = call(SYS_OPENAT, CWD, (long)"/large", CREATE, 0600, 0, 0);
  while (call3(SYS_WRITE, file, (long)page, sizeof page) > 0) continue;
  take_memory();
}

static void fill_with_names(void) {
  static char path[] = "/lib/00000000";
  call3(SYS_MOUNT, (long)"none", (long)"/lib", (long)"ramfs");
  for (unsigned number = 0;; number++) {
    for (unsigned at = 0; at < 8; at++) path[12 - at] = (char)('a' + (number >> 4 * at & 15));
    call3(SYS_MKNODAT, CWD, (long)path, REGULAR);
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

/* Two threads of a process, with mutexes as those of C libraries: the lock, and its holder. */
static int mutexes[2][4], circle, owned, robust[4], thread_id;
/* What the second thread does after it has taken its locks. */
static void (*second)(void);

static void take(int which) { mutexes[which][0] = 2, mutexes[which][2] = call3(SYS_GETTID, 0, 0, 0); }

static void wait_for(int which) {
  for (;;) call(SYS_FUTEX, (long)mutexes[which], 0, 2, 0, 0, 0);
}

__attribute__((used)) static void second_thread(void) {
  thread_id = call3(SYS_SET_TID_ADDRESS, (long)&thread_id, 0, 0);
  robust[0] = thread_id | WAITERS;
  take(1);
  call(SYS_FUTEX, (long)&owned, LOCK_PI, 0, 0, 0, 0);
  sleep_seconds(1);
  if (circle) wait_for(0);
  if (second) second();
  stay();
}

static void start_thread(void) {
  static char stack[65536] __attribute__((aligned(16)));
  register long x8 __asm__("x8") = SYS_CLONE;
  register long x0 __asm__("x0") = THREAD;
  register long x1 __asm__("x1") = (long)(stack + sizeof stack);
  register long x2 __asm__("x2") = 0, x3 __asm__("x3") = 0, x4 __asm__("x4") = 0;
  __asm__ volatile("svc 0; cbnz x0, 1f; bl second_thread; 1:"
                   : "+r"(x0)
                   : "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x8)
                   : "memory", "x30");
}

static void lock_in_circle(void) {
  circle = 1;
  take(0);
  start_thread();
  sleep_seconds(1);
  wait_for(1);
}

/* A mutex that is taken twice: for ever, and each time for some seconds. */
static void take_twice(void) { take(0), wait_for(0); }

static void try_twice(void) {
  long time[2] = {3, 0};
  for (take(0);;) call(SYS_FUTEX, (long)mutexes[0], 0, 2, (long)time, 0, 0);
}

/* The second thread holds a lock that gives its priority away. */
static void wait_for_owner(void) {
  start_thread();
  sleep_seconds(1);
  call(SYS_FUTEX, (long)&owned, LOCK_PI, 0, 0, 0, 0);
}

/* The second thread holds its mutex while it sleeps. */
static void wait_for_sleeper(void) {
  start_thread();
  sleep_seconds(1);
  wait_for(1);
}

/* Both threads wait at a word that has no holder. */
static void wait_at_word(void) {
  static int word;
  for (;;) call(SYS_FUTEX, (long)&word, PRIVATE, 0, 0, 0, 0);
}

static void wait_together(void) {
  second = wait_at_word;
  start_thread();
  wait_at_word();
}

/* The first thread waits for the end of the second one, which may wait for its mutex. */
static void join(void) {
  start_thread();
  sleep_seconds(1);
  for (;;) call(SYS_FUTEX, (long)&thread_id, 0, thread_id, 0, 0, 0);
}

static void join_in_circle(void) {
  circle = 1;
  take(0);
  join();
}

/* A mutex that survives its holder, the second thread. */
static void wait_for_robust(void) {
  start_thread();
  sleep_seconds(1);
  for (;;) call(SYS_FUTEX, (long)robust, 0, robust[0], 0, 0, 0);
}

/* Reads a pipe whose other end its parent has, too. */
static int pipe_ends[2];

static void read_pipe(void) {
  char byte;
  call3(SYS_READ, pipe_ends[0], (long)&byte, 1);
}

/* Two pipes that two children read, and that nobody else can write. */
static int other_ends[2];

static void read_other_pipe(void) {
  char byte;
  call3(SYS_READ, other_ends[0], (long)&byte, 1);
}

static void close_both(int *ends) { call3(SYS_CLOSE, ends[0], 0, 0), call3(SYS_CLOSE, ends[1], 0, 0); }

static void read_pipes(void) {
  call3(SYS_PIPE2, (long)pipe_ends, 0, 0);
  call3(SYS_PIPE2, (long)other_ends, 0, 0);
  start_child(read_pipe);
  start_child(read_other_pipe);
}

/* A child that fills a pipe, and its parent, which waits for its end before it reads. */
static void fill_pipe(void) {
  static char page[4096];
  for (;;) call3(SYS_WRITE, pipe_ends[1], (long)page, sizeof page);
}

static void wait_for_child(void) {
  call3(SYS_PIPE2, (long)pipe_ends, 0, 0);
  start_child(fill_pipe);
  call3(SYS_WAIT4, -1, 0, 0);
}

/* The same child, of which the parent reads later. */
static void read_later(void) {
  static char page[4096];
  call3(SYS_PIPE2, (long)pipe_ends, 0, 0);
  start_child(fill_pipe);
  for (;;) sleep_seconds(1), call3(SYS_READ, pipe_ends[0], (long)page, sizeof page);
}

/* A FIFO that nobody opens for writing; a pipe that is waited for by select(2). */
static void open_fifo(void) {
  call3(SYS_MKNODAT, CWD, (long)"/fifo", FIFO);
  call3(SYS_OPENAT, CWD, (long)"/fifo", 0);
}

static void select_pipe(void) {
  static unsigned long read;
  read = 1ul << pipe_ends[0];
  call(SYS_PSELECT6, pipe_ends[0] + 1, (long)&read, 0, 0, 0, 0);
}

/* Two sockets of a pair, of which a child reads one. */
static void read_pair(void) {
  int ends[2];
  call(SYS_SOCKETPAIR, 1, 1, 0, (long)ends, 0, 0);
  pipe_ends[0] = ends[0], pipe_ends[1] = ends[1];
  start_child(read_pipe);
}

/* The two ends of a connection to itself, or an answer that nobody sends. */
static void up(void) {
  static char request[40] = "lo";
  long file = call3(SYS_SOCKET, 2, 2, 0);
  request[16] = 0x41; /* IFF_UP | IFF_RUNNING */
  call3(SYS_IOCTL, file, 0x8914, (long)request); /* SIOCSIFFLAGS */
}

static long at_port(int type, unsigned char address[16]) {
  long file = call3(SYS_SOCKET, 2, type, 0);
  address[0] = 2, address[2] = 0x12, address[3] = 0x34, address[4] = 127, address[7] = 1;
  return file;
}

static void read_connection(void) {
  static unsigned char address[16];
  up();
  long listener = at_port(1, address);
  call3(SYS_BIND, listener, (long)address, 16);
  call3(SYS_LISTEN, listener, 1, 0);
  pipe_ends[1] = call3(SYS_SOCKET, 2, 1, 0);
  call3(SYS_CONNECT, pipe_ends[1], (long)address, 16);
  pipe_ends[0] = call3(SYS_ACCEPT, listener, 0, 0);
  start_child(read_pipe);
}

static void poll_answer(void) {
  static unsigned char address[16];
  struct { int file; short events, found; } polled = {0, 1, 0};
  up();
  polled.file = at_port(2, address);
  call3(SYS_CONNECT, polled.file, (long)address, 16);
  call(SYS_PPOLL, (long)&polled, 1, 0, 0, 0, 0);
}

/* Events of files that it watches: of a pipe, and of a socket that listens; or of a pipe alone. */
static void watch(long poll, long file) {
  struct { unsigned events; unsigned long data; } event = {1, 0};
  call(SYS_EPOLL_CTL, poll, 1, file, (long)&event, 0, 0);
}

static void wait_for_events(long poll) {
  static char events[16];
  call(SYS_EPOLL_PWAIT, poll, (long)events, 1, -1, 0, 0);
}

static void watch_pipe(void) {
  long poll = call3(SYS_EPOLL_CREATE1, 0, 0, 0);
  watch(poll, pipe_ends[0]);
  wait_for_events(poll);
}

static void watch_both(void) {
  static unsigned char address[16];
  long poll = call3(SYS_EPOLL_CREATE1, 0, 0, 0), listener = at_port(1, address);
  call3(SYS_BIND, listener, (long)address, 16);
  call3(SYS_LISTEN, listener, 1, 0);
  watch(poll, pipe_ends[0]);
  watch(poll, listener);
  wait_for_events(poll);
}

static void lock_file(void) { call3(SYS_FLOCK, call3(SYS_OPENAT, CWD, (long)"/init", 0), LOCK_EXCLUSIVE, 0); }

static void stop_itself(void) { call3(SYS_KILL, call3(SYS_GETPID, 0, 0, 0), SIGSTOP, 0); }

/* Two readers of the kernel's log: the second waits for the file's lock, which the first holds. */
static long log_file;

static void read_log(void) {
  static char text[8192];
  for (;;) call3(SYS_READ, log_file, (long)text, sizeof text);
}

static void read_log_twice(void) {
  mount_proc();
  log_file = call3(SYS_OPENAT, CWD, (long)"/proc/kmsg", 0);
  start_child(read_log);
  sleep_seconds(1);
  start_child(read_log);
}

/* Takes the lock of reboot(2), and waits for that of the name. */
static void name_after_reboot(void) {
  reboot(CAD_OFF);
  sleep_seconds(2);
  set_name();
}

/* The other way round. */
static void reboot_after_name(void) {
  set_name();
  sleep_seconds(2);
  reboot(CAD_OFF);
}

static void ask_system(void) {
  static char information[512];
  call3(SYS_SYSINFO, (long)information, 0, 0);
}

/* RCU has to wait for all CPUs before it frees a file. */
static void free_file(void) { call3(SYS_CLOSE, call3(SYS_OPENAT, CWD, (long)"/init", 0), 0, 0); }

/* Writes the lines of its console to the kernel's log. */
static void write_log(void) {
  static char line[512];
  long file = call3(SYS_OPENAT, CWD, (long)"/dev/kmsg", WRITE_ONLY);
  for (;;) call3(SYS_WRITE, file, (long)line, call3(SYS_READ, 0, (long)line, sizeof line));
}

/* The kernel reports, and does not panic. */
static void report_only(void) {
  mount_proc();
  write_to("/proc/sys/kernel/softlockup_panic", "0");
  write_to("/proc/sys/kernel/hung_task_timeout_secs", "3");
}

/* No task has to give up its CPU in time, but for RCU. */
static void report_stalls_only(void) {
  mount_proc();
  write_to("/proc/sys/kernel/soft_watchdog", "0");
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
  if (same(way, "short-file")) map_file(4096);
  if (same(way, "long-file")) map_file(4097), stay();
  if (same(way, "trap")) __asm__ volatile("brk 1");
  if (same(way, "privileged")) __asm__ volatile("msr vbar_el1, x0");
  if (same(way, "memory")) take_memory();
  if (same(way, "files-memory")) fill_with_files();
  if (same(way, "names-memory")) fill_with_names();
  if (same(way, "power-off")) power_off();
  if (same(way, "restart")) restart();
  if (same(way, "halt")) reboot(HALT);
  if (same(way, "child-power-off")) start_child(power_off), stay();
  if (same(way, "child-restart")) start_child(restart), stay();
  if (same(way, "exit-missing")) call3(SYS_EXIT, 127, 0, 0);
  if (same(way, "strict")) call3(SYS_PRCTL, SET_SECCOMP, STRICT, 0), stay();
  if (same(way, "sysrq")) mount_proc(), write_to("/proc/sysrq-trigger", "c");
  if (same(way, "sysrq-restart")) mount_proc(), write_to("/proc/sysrq-trigger", "b");
  if (same(way, "sysrq-off")) mount_proc(), write_to("/proc/sysrq-trigger", "o"), stay();
  if (same(way, "mutexes")) start_child(lock_in_circle), stay();
  if (same(way, "own-mutex")) start_child(take_twice), stay();
  if (same(way, "own-mutex-time")) start_child(try_twice), stay();
  if (same(way, "mutex")) start_child(wait_for_sleeper), stay();
  if (same(way, "stopped")) start_child(stop_itself), stay();
  if (same(way, "pipe")) call3(SYS_PIPE2, (long)pipe_ends, 0, 0), start_child(read_pipe), stay();
  if (same(way, "select")) call3(SYS_PIPE2, (long)pipe_ends, 0, 0), start_child(select_pipe), stay();
  if (same(way, "fifo")) start_child(open_fifo), stay();
  if (same(way, "pipes")) read_pipes(), close_both(pipe_ends), close_both(other_ends), stay();
  if (same(way, "pipes-open")) read_pipes(), stay();
  if (same(way, "full-pipe")) start_child(wait_for_child), stay();
  if (same(way, "full-pipe-read")) start_child(read_later), stay();
  if (same(way, "pi")) start_child(wait_for_owner), stay();
  if (same(way, "pair")) read_pair(), stay();
  if (same(way, "connection")) read_connection(), stay();
  if (same(way, "poll")) start_child(poll_answer), stay();
  if (same(way, "futex")) start_child(wait_together), stay();
  if (same(way, "join")) start_child(join), stay();
  if (same(way, "join-circle")) start_child(join_in_circle), stay();
  if (same(way, "robust")) start_child(wait_for_robust), stay();
  if (same(way, "epoll-pipe")) call3(SYS_PIPE2, (long)pipe_ends, 0, 0), start_child(watch_pipe), stay();
  if (same(way, "epoll")) up(), call3(SYS_PIPE2, (long)pipe_ends, 0, 0), start_child(watch_both), stay();
  if (same(way, "flock")) lock_file(), start_child(lock_file), stay();
  if (same(way, "kmsg")) write_log();
  if (same(way, "report-child-sysinfo")) report_only(), start_child(ask_system), stay();
  if (same(way, "stall-child-sysinfo")) report_stalls_only(), start_child(ask_system), sleep_seconds(1), free_file(), stay();
  if (same(way, "log-twice")) read_log_twice(), stay();
  if (same(way, "log-twice-panic")) read_log_twice(), write_to("/proc/sys/kernel/hung_task_panic", "1"), stay();
  if (same(way, "warn-panic")) mount_proc(), write_to("/proc/sys/kernel/panic_on_warn", "1"), ask_system(), stay();
  if (same(way, "memory-panic")) mount_proc(), write_to("/proc/sys/vm/panic_on_oom", "1"), take_memory();
  if (same(way, "name-twice")) set_name(), set_name(), stay();
  if (same(way, "name-after-child")) start_child(set_name), sleep_seconds(1), set_name(), stay();
  if (same(way, "names")) start_child(name_after_reboot), start_child(reboot_after_name), stay();
  if (same(way, "child-killed")) start_child(take_memory), stay();
  if (same(way, "child-dies")) start_child((void (*)(void))0x1234567000), stay();
  if (same(way, "vfork")) start_child(wait_in_vfork), stay();
  if (same(way, "sysinfo")) ask_system(), stay();
  if (same(way, "child-sysinfo")) start_child(ask_system), stay();
  if (same(way, "child-sysinfo-kmsg")) start_child(ask_system), write_log();
  stay();
}

__asm__(".global _start\n_start: bl work");
