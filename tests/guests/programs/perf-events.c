/* A Linux program without a C library, for tests of the performance monitors.
 *   perf-events TYPE CONFIG ROUNDS          counts an event (decimal, perf_event_attr's type and
 *                                           config) at EL0 while ROUNDS of a loop run
 *   perf-events TYPE CONFIG ROUNDS PERIOD   samples it, and prints a hash of the samples' places
 * A round is a load, a store and two instructions that end in a branch. */

#include "linux.h"

enum { SYS_MMAP = 222, SYS_PERF_EVENT_OPEN = 241 };
enum { ENABLE = 0x2400, DISABLE = 0x2401 };
enum { PERF_SAMPLE_IP = 1, PERF_RECORD_SAMPLE = 9 };
/* Bits of perf_event_attr: disabled, exclude_kernel, exclude_hv. */
enum { AT_EL0 = 1 << 0 | 1 << 5 | 1 << 6 };
enum { PAGE = 4096, PAGES = 64 };

/* struct perf_event_attr, PERF_ATTR_SIZE_VER0. */
struct attributes {
  unsigned int type, size;
  unsigned long config, period, sample_type, read_format, flags;
  unsigned int wakeup_events, bp_type;
  unsigned long config1;
};

/* Between the two calls of ioctl: 4 instructions for each round, and 3 with the second call. */
void counted(long descriptor, unsigned long rounds, volatile unsigned long *place);
__asm__(
    ".globl counted\n"
    "counted:\n"
    "  mov x9, x0\n"
    "  mov x10, x1\n"
    "  mov x11, x2\n"
    "  mov x1, #0x2400\n"
    "  mov x2, #0\n"
    "  mov x8, #29\n"
    "  svc #0\n"
    "round:\n"
    "  ldr x12, [x11]\n"
    "  str x12, [x11, #8]\n"
    "  subs x10, x10, #1\n"
    "  b.ne round\n"
    "  mov x0, x9\n"
    "  mov x1, #0x2401\n"
    "  svc #0\n"
    "  ret\n");
extern const char round[];

/* Places of the samples as 0 to 6, in the order of the instructions above. */
static void say_samples(volatile unsigned char *ring) {
  unsigned long head = *(volatile unsigned long *)(ring + 1024), samples = 0, hash = 0;
  for (unsigned long at = 0; at < head;) {
    volatile unsigned char *record = ring + PAGE + at % (PAGE * PAGES);
    unsigned int type = *(volatile unsigned int *)record;
    unsigned short size = *(volatile unsigned short *)(record + 6);
    if (type == PERF_RECORD_SAMPLE) {
      unsigned long place = (*(volatile unsigned long *)(record + 8) - (unsigned long)round) / 4;
      samples++;
      hash = hash * 31 + place;
    }
    if (!size) fail("an empty record");
    at += size;
  }
  say(" samples ");
  say_number(samples);
  say(" hash ");
  say_number(hash);
}

void run(long *stack) {
  long count = stack[0];
  char **arguments = (char **)(stack + 1);
  /* Written before: an instruction that faults counts as well. */
  static volatile unsigned long memory[2];
  memory[0] = memory[1] = 1;
  if (count < 4) fail("arguments");
  struct attributes attributes = {0};
  attributes.type = number(arguments[1]);
  attributes.size = 64;
  attributes.config = number(arguments[2]);
  attributes.flags = AT_EL0;
  if (count > 4) {
    attributes.period = number(arguments[4]);
    attributes.sample_type = PERF_SAMPLE_IP;
  }
  long descriptor = must("perf_event_open", call(SYS_PERF_EVENT_OPEN, (long)&attributes, 0, -1, -1, 0, 0));
  volatile unsigned char *ring = 0;
  if (count > 4) ring = (volatile unsigned char *)must("mmap", call(SYS_MMAP, 0, PAGE * (PAGES + 1), 3, 1, descriptor, 0));
  counted(descriptor, number(arguments[3]), memory);
  unsigned long value = 0;
  must("read", call3(SYS_READ, descriptor, (long)&value, 8));
  say("COUNT ");
  say_number(value);
  if (ring) say_samples(ring);
  say("\n");
  call3(SYS_EXIT, 0, 0, 0);
}

__asm__(".globl _start\n_start:\n  mov x0, sp\n  b run\n");
