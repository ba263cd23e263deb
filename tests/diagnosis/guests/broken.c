// Guests that break in one way each: the boot argument fault=N says in which (enum fault).
#include "quiet.h"

enum fault {
  HEALTHY_TIMER,
  UNDEFINED,
  LOAD_NOWHERE,
  STORE_NOWHERE,
  JUMP_NOWHERE,
  UNALIGNED,
  BREAK,
  ILLEGAL_STATE,
  MISALIGNED_STACK,
  HANDLED,
  VENDOR_RESET,
  SUPERVISOR_CALL,
  LOOP = 20,
  POLL,
  SLEEP,
  MASKED_PRIORITY,
  DISABLED_TIMER,
  LISTEN,
  LISTEN_BELL,
  TIMER_STORM,
  FAULT_IN_VECTORS,
  FILL_QUEUE,
  EXIT_STORM = 31,
  SHOUT,
  SHARE,
};

enum { NOWHERE_MAPPED = 0x70000000, VIRTUAL_TIMER = 27 };

static volatile uint32_t flag;

// No exception vectors where any instruction is.
static void without_vectors(void) {
  write_sysreg(vbar_el1, NOWHERE_MAPPED);
  isb();
}

static void start_timer(void) {
  write_sysreg(cntv_cval_el0, now_ticks() + ticks_per_second() / 100);
  write_sysreg(cntv_ctl_el0, 1);
  isb();
}

// Both ends wait for a message before they send one.
static void listen(void) {
  struct message_queue_pair messages = messages_find();
  irq_attach(messages.not_empty.intid, messages.not_empty.edge, ignore);
  struct ball ball;
  irq_disable();
  while (!ball_receive(&messages, &ball)) wait_for_interrupt();
  ball_send(&messages, &ball);
}

// Both ends send until their queue is full, and wait for room before they take anything.
static void fill_queue(void) {
  struct message_queue_pair messages = messages_find();
  irq_attach(messages.not_full.intid, messages.not_full.edge, ignore);
  struct ball ball = {0};
  irq_disable();
  while (msgqueue_send(messages.tx, &ball, sizeof ball, MSGQUEUE_SEND_PUSH).x[0] == GUNYAH_OK) continue;
  sleep_on();
}

// One end sends, and does not wait for an answer.
static void shout(void) {
  struct message_queue_pair messages = messages_find();
  struct ball ball = {0};
  ball_send(&messages, &ball);
  timer_every(ticks_per_second() / 10);
  irq_enable();
  sleep_on();
}

// Each is rung (label in=N) before it rings another (label out=N).
static void listen_bell(void) {
  struct fdt_interrupt rung;
  fdt_node bell = bell_find("qcom,gunyah-doorbell", "in"), other = bell_find("qcom,gunyah-doorbell-source", "out");
  if (!bell || !other || !fdt_interrupt(bell, 0, &rung)) fail("no doorbells");
  irq_attach(rung.intid, rung.edge, ignore);
  irq_disable();
  wait_for_interrupt();
  doorbell_send(fdt_cells2(other, "reg", 0), 1);
}

// Messages of the Resource Manager (docs/spec/resource-manager.md §2.2, §3.1, §3.2, §3.5).
enum { MEM_ACCEPT = 0x51000011, MEM_SHARE = 0x51000013, MEM_NOTIFY = 0x51000017, MEM_SHARED = 0x51100011, MEM_ACCEPTED = 0x51100013 };
enum { RM_REQUEST = 1, RM_REPLY = 2, RM_VERSION = 0x21, NOTIFY_SHARED = 1, ACCEPT_DONE = 128 << 16, READ_WRITE = 6 << 16 };

struct rm_packet {
  uint8_t version, type;
  uint16_t sequence;
  uint32_t id, words[58];
};

static struct message_queue_pair rm;
static uint32_t offered = -1;
static bool accepted;

static bool rm_receive(struct rm_packet *packet) {
  if (msgqueue_receive(rm.rx, packet, sizeof *packet).x[0] != GUNYAH_OK) return false;
  bool donated = (packet->words[1] >> 8 & 0xff) == 0;
  if (packet->id == MEM_SHARED && donated) offered = packet->words[0];
  if (packet->id == MEM_ACCEPTED) accepted = true;
  return true;
}

// Sleeps, and takes what it is woken by.
static void rm_wait(void) {
  wait_for_interrupt();
  irq_enable();
  isb();
  irq_disable();
}

// Sends a request of these words, and waits for its reply.
static void rm_ask(struct rm_packet *packet, uint32_t id, const uint32_t *words, size_t count) {
  static uint16_t sequence;
  packet->version = RM_VERSION;
  packet->type = RM_REQUEST;
  packet->sequence = ++sequence;
  packet->id = id;
  for (size_t i = 0; i < count; i++) packet->words[i] = words[i];
  msgqueue_send(rm.tx, packet, 8 + 4 * count, MSGQUEUE_SEND_PUSH);
  do {
    while (!rm_receive(packet)) rm_wait();
  } while (packet->type != RM_REPLY);
  if (packet->words[0]) print("message %x: error %u\n", (uint64_t)id, (uint64_t)packet->words[0]);
}

// Shares the page that the host gives to this VM, own=N, with the VM peer=N, and waits until that
// one accepts it.
static void share(void) {
  struct rm_packet packet;
  uint32_t own = (uint32_t)boot_argument("own", 0), peer = (uint32_t)boot_argument("peer", 0);
  fdt_node node = fdt_next_compatible(NULL, "gunyah-resource-manager");
  rm.tx = fdt_cells2(node, "reg", 0);
  rm.rx = fdt_cells2(node, "reg", 1);
  if (!node || !fdt_interrupt(node, 1, &rm.not_empty)) fail("no Resource Manager");
  irq_attach(rm.not_empty.intid, rm.not_empty.edge, ignore);
  irq_disable();
  while (offered == (uint32_t)-1) {
    if (!rm_receive(&packet)) rm_wait();
  }
  const uint32_t accept[] = {offered, ACCEPT_DONE, 0, 0, 0, 0};
  rm_ask(&packet, MEM_ACCEPT, accept, 6);
  const uint32_t page[] = {0, 9, 2, peer | READ_WRITE, own | READ_WRITE, 1, packet.words[2], packet.words[3], 0x1000, 0, 0};
  rm_ask(&packet, MEM_SHARE, page, 11);
  const uint32_t notice[] = {packet.words[1], NOTIFY_SHARED, 0, 1, peer};
  rm_ask(&packet, MEM_NOTIFY, notice, 5);
  print("shared\n");
  while (!accepted) {
    if (!rm_receive(&packet)) rm_wait();
  }
}

static void misaligned_stack(void) {
  asm volatile("mrs x9, sctlr_el1\n\torr x9, x9, #8\n\tmsr sctlr_el1, x9\n\tisb\n\tmov x9, sp\n\tadd x9, x9, #4\n\tmov sp, x9\n\tldr x9, [sp]" ::: "x9", "memory");
}

static void illegal_state(void) {
  // SPSR_EL1.M 0b0111 is no mode.
  asm volatile("mov x9, #0x3c7\n\tmsr spsr_el1, x9\n\tadr x9, 1f\n\tmsr elr_el1, x9\n\teret\n1:\tnop" ::: "x9", "memory");
}

// A stack that is nowhere: the handler's first store is as wrong as what it should handle.
static void fault_in_vectors(void) {
  asm volatile("mov x9, #0x70000000\n\tmov sp, x9\n\tldr x9, [sp]" ::: "x9", "memory");
}

void guest_main(void) {
  uint64_t fault = boot_argument("fault", HEALTHY_TIMER);
  print("fault %u\n", fault);
  if (fault != HEALTHY_TIMER && fault < HANDLED) without_vectors();
  switch (fault) {
  case HEALTHY_TIMER:
    timer_every(ticks_per_second() / 10);
    irq_enable();
    sleep_on();
  case UNDEFINED: asm volatile("udf #0"); break;
  case LOAD_NOWHERE: mmio_read32(NOWHERE_MAPPED); break;
  case STORE_NOWHERE: mmio_write32(NOWHERE_MAPPED, 1); break;
  case JUMP_NOWHERE: ((void (*)(void))0)(); break;
  case UNALIGNED: mmio_read32((uintptr_t)&flag + 1); break;
  case BREAK: asm volatile("brk #7"); break;
  case ILLEGAL_STATE: illegal_state(); break;
  case MISALIGNED_STACK: misaligned_stack(); break;
  case HANDLED: mmio_read32(NOWHERE_MAPPED); break;
  case VENDOR_RESET: psci_system_reset2(0x80000007, 0); break;
  case SUPERVISOR_CALL: asm volatile("svc #1"); break;
  case LOOP:
    irq_disable();
    for (;;) asm volatile("");
  case POLL:
    while (!flag) continue;
    break;
  case SLEEP: sleep_on();
  case MASKED_PRIORITY:
    timer_every(ticks_per_second() / 100);
    write_icc(ICC_PMR_EL1, 0x80);
    isb();
    sleep_on();
  case DISABLED_TIMER: start_timer(); sleep_on();
  case LISTEN: listen(); break;
  case LISTEN_BELL: listen_bell(); break;
  case TIMER_STORM:
    irq_attach(VIRTUAL_TIMER, false, ignore);
    start_timer();
    irq_enable();
    sleep_on();
  case FAULT_IN_VECTORS: fault_in_vectors(); break;
  case FILL_QUEUE: fill_queue(); break;
  case EXIT_STORM:
    irq_disable();
    for (;;) HVC(0, 0x84000000, 0, 0, 0, 0);
  case SHOUT: shout(); break;
  case SHARE: share(); break;
  }
  print("fault %u has no effect\n", fault);
}
