// Two VMs that pass a turn to and fro, ROUND_TRIPS times by doorbells and as often by messages, and
// count what does not come as it must. Each waits with WFI, with interrupts masked, and
// acknowledges what woke it. The counts lie in a page that the host reads.

#include "root.h"

#ifndef ROUND_TRIPS
#define ROUND_TRIPS 1000
#endif

enum { VMS = 2, PAGE = 0x1000, CODE_PAGES = 4 };
enum { CODE_IPA = 0x40000000, DATA_IPA = 0x40010000 };
enum { RWX_NORMAL = 0xf0077, NO_SYNC = 0x80000000, RWX_EXTENT = 7 };
enum { DOORBELL_VIRQ = 40, QUEUE_VIRQ = 41, SPURIOUS = 1020 };
enum { QUEUE_DEPTH = 8, MESSAGE_SIZE = 16, BURST = 5, EMPTY = 60 };
enum { RIGHTS_ALL = 0xffffffff };

// What a VM is told and what it tells, at the beginning of its data page.
struct data {
  uint64_t first;                 // whether it begins
  uint64_t doorbell_out, doorbell_in, queue_out, queue_in;
  uint64_t doorbells, messages;   // that arrived
  uint64_t wrong;                 // flags, messages or interrupts other than expected
  uint64_t woken;                 // returns from WFI with an interrupt
  uint64_t ended;
};

#define GUEST __attribute__((section(".guest"), noinline, used))
#define GUEST_INLINE static inline __attribute__((always_inline))

#define SYSREG_WRITE(name, value) __asm__ volatile("msr " name ", %0\n\tisb" ::"r"((uint64_t)(value)))
#define SYSREG_READ(name) ({ uint64_t read; __asm__ volatile("mrs %0, " name : "=r"(read)); read; })

GUEST_INLINE void enable(uint32_t intid, bool edge) {
  volatile uint8_t *gicd = (volatile uint8_t *)0x8000000;
  *(volatile uint32_t *)(gicd + 0x80 + intid / 32 * 4) |= 1u << intid % 32;
  *(volatile uint8_t *)(gicd + 0x400 + intid) = 0xa0;
  volatile uint32_t *configuration = (volatile uint32_t *)(gicd + 0xc00 + intid / 16 * 4);
  *configuration = (*configuration & ~(2u << intid % 16 * 2)) | (edge ? 2u : 0u) << intid % 16 * 2;
  *(volatile uint64_t *)(gicd + 0x6000 + 8 * intid) = 0;
  *(volatile uint32_t *)(gicd + 0x100 + intid / 32 * 4) = 1u << intid % 32;
}

// Sleeps until an interrupt, and acknowledges it.
GUEST_INLINE uint64_t wait_for(struct data *data, uint64_t expected) {
  uint64_t intid;
  do {
    __asm__ volatile("wfi" ::: "memory");
    intid = SYSREG_READ("s3_0_c12_c12_0");
  } while (intid >= SPURIOUS);
  data->woken++;
  if (intid != expected) data->wrong++;
  return intid;
}

GUEST_INLINE void end_of(uint64_t intid) { SYSREG_WRITE("s3_0_c12_c12_1", intid); }

GUEST_INLINE void ring(struct data *data, uint64_t flags) {
  if (CALL(DOORBELL_SEND, data->doorbell_out, flags, 0, 0, 0, 0, 0).error) data->wrong++;
}

GUEST_INLINE void await_ring(struct data *data, uint64_t flags) {
  uint64_t intid = wait_for(data, DOORBELL_VIRQ);
  struct result result = CALL(DOORBELL_RECEIVE, data->doorbell_in, ~0ul, 0, 0, 0, 0, 0);
  if (result.error || result.x1 != flags) data->wrong++;
  data->doorbells++;
  end_of(intid);
}

// `count` messages with running numbers; the last one pushes.
GUEST_INLINE void send(struct data *data, uint64_t number, uint64_t count) {
  uint64_t message[2];
  for (uint64_t i = 0; i < count; i++) {
    message[0] = number + i;
    message[1] = ~(number + i);
    if (CALL(MSGQUEUE_SEND, data->queue_out, sizeof message, (uintptr_t)message, 0, 0, 0, 0).error) data->wrong++;
  }
}

// Takes messages until there are `count`: a level interrupt stays as long as the queue is not
// empty.
GUEST_INLINE void receive(struct data *data, uint64_t number, uint64_t count) {
  uint64_t message[2];
  for (uint64_t i = 0; i < count;) {
    uint64_t intid = wait_for(data, QUEUE_VIRQ);
    for (;;) {
      struct result result = CALL(MSGQUEUE_RECEIVE, data->queue_in, (uintptr_t)message, sizeof message, 0, 0, 0, 0);
      if (result.error == EMPTY) break;
      if (result.error || result.x1 != sizeof message || message[0] != number + i || message[1] != ~message[0]) data->wrong++;
      data->messages++;
      i++;
    }
    if (i > count) data->wrong++;
    end_of(intid);
  }
}

// Entry of a VM: x0 is its data page, whose end is its stack. What is from here to guest_code_end
// goes into the VMs.
__asm__(
  "\t.section .guest, \"ax\"\n"
  "guest_code:\n"
  "\tadd\tx1, x0, #0x1000\n"
  "\tmov\tsp, x1\n"
  "\tb\tguest_main\n"
  "\t.previous\n");

GUEST void guest_main(struct data *data) {
  *(volatile uint32_t *)0x8000000 = 2;
  enable(DOORBELL_VIRQ, true);
  enable(QUEUE_VIRQ, false);
  SYSREG_WRITE("s3_0_c4_c6_0", 0xff);
  SYSREG_WRITE("s3_0_c12_c12_7", 1);
  for (uint64_t i = 0; i < ROUND_TRIPS; i++) {
    uint64_t flags = 1ul << (i % 64);
    if (data->first) ring(data, flags);
    await_ring(data, flags);
    if (!data->first) ring(data, flags);
  }
  uint64_t number = 0;
  for (uint64_t i = 0; i < ROUND_TRIPS; i++) {
    uint64_t count = 1 + i % BURST;
    if (data->first) send(data, number, count);
    receive(data, number, count);
    if (!data->first) send(data, number, count);
    number += count;
  }
  data->ended = 1;
  for (;;) __asm__ volatile("wfi");
}

__asm__("\t.section .guest, \"ax\"\nguest_code_end:\n\t.previous\n");
extern const uint8_t guest_code[] __attribute__((visibility("hidden"))), guest_code_end[] __attribute__((visibility("hidden")));

static uint64_t derive(uint64_t offset, uint64_t pages) {
  uint64_t extent = CREATE(CREATE_MEMEXTENT);
  MUST(MEMEXTENT_CONFIGURE_DERIVE, extent, root.memory, offset, pages * PAGE, RWX_EXTENT, 0, 0);
  ACTIVATE(extent);
  return extent;
}

static uint64_t copy(uint64_t cap, uint64_t cspace) { return MUST(CSPACE_COPY_CAP_FROM, root.cspace, cap, cspace, RIGHTS_ALL, 0, 0, 0); }

void app_main(void) {
  uint64_t code_offset = root.memory_size - CODE_PAGES * PAGE;
  uint8_t *to = (uint8_t *)(root.memory_ipa + code_offset);
  uintptr_t size = (uintptr_t)guest_code_end - (uintptr_t)guest_code;
  if (size > CODE_PAGES * PAGE) fail("the guest's code is too long", size);
  for (uintptr_t i = 0; i < size; i++) to[i] = guest_code[i];
  uint64_t code = derive(code_offset, CODE_PAGES);

  uint64_t doorbells[VMS], queues[VMS], vcpus[VMS];
  for (int i = 0; i < VMS; i++) {
    doorbells[i] = CREATE(CREATE_DOORBELL);
    ACTIVATE(doorbells[i]);
    queues[i] = CREATE(CREATE_MSGQUEUE);
    MUST(MSGQUEUE_CONFIGURE, queues[i], QUEUE_DEPTH | MESSAGE_SIZE << 16, 0, 0, 0, 0, 0);
    ACTIVATE(queues[i]);
  }
  uint64_t cores = environment("usable_cores");
  for (int i = 0; i < VMS; i++) {
    uint64_t cspace = CREATE(CREATE_CSPACE);
    MUST(CSPACE_CONFIGURE, cspace, 16, 0, 0, 0, 0, 0);
    ACTIVATE(cspace);
    uint64_t data_offset = code_offset - (uint64_t)(i + 1) * PAGE;
    struct data *data = (struct data *)(root.memory_ipa + data_offset);
    data->first = i == 0;
    data->doorbell_out = copy(doorbells[i], cspace);
    data->doorbell_in = copy(doorbells[1 - i], cspace);
    data->queue_out = copy(queues[i], cspace);
    data->queue_in = copy(queues[1 - i], cspace);
    print("data 0x");
    print_number((uintptr_t)data);
    print("\n");
    uint64_t memory = derive(data_offset, 1);
    uint64_t addrspace = CREATE(CREATE_ADDRSPACE);
    MUST(ADDRSPACE_CONFIGURE, addrspace, (uint64_t)(i + 5), 0, 0, 0, 0, 0);
    ACTIVATE(addrspace);
    MUST(ADDRSPACE_MAP, addrspace, code, CODE_IPA, RWX_NORMAL, NO_SYNC, 0, 0);
    MUST(ADDRSPACE_MAP, addrspace, memory, DATA_IPA, RWX_NORMAL, NO_SYNC, 0, 0);
    uint64_t vic = CREATE(CREATE_VIC);
    MUST(VIC_CONFIGURE, vic, 1, 32, 0, 0, 0, 0);
    ACTIVATE(vic);
    MUST(DOORBELL_BIND_VIRQ, doorbells[1 - i], vic, DOORBELL_VIRQ, 0, 0, 0, 0);
    MUST(MSGQUEUE_BIND_RECEIVE_VIRQ, queues[1 - i], vic, QUEUE_VIRQ, 0, 0, 0, 0);
    uint64_t vcpu = vcpus[i] = CREATE(CREATE_THREAD);
    MUST(CSPACE_ATTACH_THREAD, cspace, vcpu, 0, 0, 0, 0, 0);
    MUST(ADDRSPACE_ATTACH_THREAD, addrspace, vcpu, 0, 0, 0, 0, 0);
    MUST(VIC_ATTACH_VCPU, vic, vcpu, 0, 0, 0, 0, 0);
    MUST(VCPU_SET_AFFINITY, vcpu, cores >> 1 & 1 ? (uint64_t)i : 0, ~0ul, 0, 0, 0, 0);
    ACTIVATE(vcpu);
  }
  // The one that begins comes last: the other one may sleep already, or not.
  for (int i = VMS - 1; i >= 0; i--) MUST(VCPU_POWERON, vcpus[i], CODE_IPA, DATA_IPA, 0, 0, 0, 0);
}
