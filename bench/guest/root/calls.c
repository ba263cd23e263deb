// The cost of calls: each kind CALLS times, 1,000,000 unless the build says otherwise, and an empty
// loop of the same length. The host stamps the marks.

#include "root.h"

#ifndef CALLS
#define CALLS 1000000
#endif

enum { COUNT = CALLS, ROUNDS = 3 };
enum { QUEUE_DEPTH = 8, MESSAGE_SIZE = 64 };
enum { GUEST_VMID = 5, GUEST_IPA = 0x40000000, DEVICE_IPA = 0x10000000, PAGE = 0x1000 };
enum { RWX_NORMAL = 0xf0077, NO_SYNC = 0x80000000, RWX_EXTENT = 7, VCPU_RUN_SCHEDULED = 0x200 };
enum { STATE_VMMIO_READ = 4 };

static void mark(const char *word, const char *name) {
  print(word);
  print(name);
  print("\n");
}

#define MEASURE(name, body) do { \
  mark("begin ", name); \
  for (int i = 0; i < COUNT; i++) { body; } \
  mark("end ", name); \
} while (0)

// The guest: loads from a page that nobody has, for ever.
__asm__(
  "\t.section .rodata\n"
  "guest_code:\n"
  "\tmov\tx1, #0x10000000\n"
  "1:\tldr\tw0, [x1]\n"
  "\tb\t1b\n"
  "guest_code_end:\n"
  "\t.previous\n");
extern const uint8_t guest_code[] __attribute__((visibility("hidden"))), guest_code_end[] __attribute__((visibility("hidden")));

static uint64_t create_queue(void) {
  uint64_t queue = CREATE(CREATE_MSGQUEUE);
  MUST(MSGQUEUE_CONFIGURE, queue, QUEUE_DEPTH | MESSAGE_SIZE << 16, 0, 0, 0, 0, 0);
  ACTIVATE(queue);
  return queue;
}

// A VM whose one vCPU runs only inside vcpu_run.
static uint64_t create_guest(void) {
  uint64_t offset = root.memory_size - PAGE;
  uint8_t *page = (uint8_t *)(root.memory_ipa + offset);
  // Two symbols are two objects for the compiler: it may not compare their addresses.
  uintptr_t size = (uintptr_t)guest_code_end - (uintptr_t)guest_code;
  for (uintptr_t i = 0; i < size; i++) page[i] = guest_code[i];

  uint64_t code = CREATE(CREATE_MEMEXTENT);
  MUST(MEMEXTENT_CONFIGURE_DERIVE, code, root.memory, offset, PAGE, RWX_EXTENT, 0, 0);
  ACTIVATE(code);
  uint64_t addrspace = CREATE(CREATE_ADDRSPACE);
  MUST(ADDRSPACE_CONFIGURE, addrspace, GUEST_VMID, 0, 0, 0, 0, 0);
  MUST(ADDRSPACE_CONFIGURE_VMMIO, addrspace, DEVICE_IPA, PAGE, 0, 0, 0, 0);
  ACTIVATE(addrspace);
  MUST(ADDRSPACE_MAP, addrspace, code, GUEST_IPA, RWX_NORMAL, NO_SYNC, 0, 0);
  uint64_t cspace = CREATE(CREATE_CSPACE);
  MUST(CSPACE_CONFIGURE, cspace, 16, 0, 0, 0, 0, 0);
  ACTIVATE(cspace);
  uint64_t vic = CREATE(CREATE_VIC);
  MUST(VIC_CONFIGURE, vic, 1, 32, 0, 0, 0, 0);
  ACTIVATE(vic);
  uint64_t vcpu = CREATE(CREATE_THREAD);
  MUST(CSPACE_ATTACH_THREAD, cspace, vcpu, 0, 0, 0, 0, 0);
  MUST(ADDRSPACE_ATTACH_THREAD, addrspace, vcpu, 0, 0, 0, 0, 0);
  MUST(VIC_ATTACH_VCPU, vic, vcpu, 0, 0, 0, 0, 0);
  MUST(VCPU_CONFIGURE, vcpu, VCPU_RUN_SCHEDULED, 0, 0, 0, 0, 0);
  ACTIVATE(vcpu);
  MUST(VCPU_POWERON, vcpu, GUEST_IPA, 0, 0, 0, 0, 0);
  return vcpu;
}

// Has no arguments, and sets X0..X7 and X9..X17.
static void identify(void) {
  __asm__ volatile("hvc %0" ::"i"(HYPERVISOR_IDENTIFY)
    : "x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15", "x16", "x17", "memory");
}

// Runs the guest to its next load, which gets a value.
static void run_to_load(uint64_t vcpu) {
  struct result result;
  do result = CALL(VCPU_RUN, vcpu, 42, 0, 0, 0, 0, 0);
  while (!result.error && result.x1 == 0);
  if (result.error || result.x1 != STATE_VMMIO_READ || result.x2 != DEVICE_IPA) fail("vcpu_run", result.error << 8 | result.x1);
}

void app_main(void) {
  static uint8_t buffer[MESSAGE_SIZE];
  uint64_t queue = create_queue(), vcpu = create_guest();
  volatile uint32_t *gicd = (volatile uint32_t *)environment("gicd_base");
  struct result empty = CALL(MSGQUEUE_RECEIVE, queue, (uintptr_t)buffer, sizeof buffer, 0, 0, 0, 0);
  if (empty.error != 60) fail("the queue is not empty", empty.error);
  run_to_load(vcpu);
  for (int round = 0; round < ROUNDS; round++) {
    MEASURE("loop", __asm__ volatile("" ::: "memory"));
    MEASURE("identify", identify());
    MEASURE("receive", CALL(MSGQUEUE_RECEIVE, queue, (uintptr_t)buffer, sizeof buffer, 0, 0, 0, 0));
    MEASURE("gicd", *gicd);
    MEASURE("vmmio", run_to_load(vcpu));
  }
  // A machine with nothing left to do would end before the host has read how much memory it took.
  print("finished\n");
  for (;;) __asm__ volatile("yield");
}
