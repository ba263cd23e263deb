// Guests that break in one way each: the boot argument fault=N says in which (enum fault). Console
// input does not interrupt, so that a guest that sleeps is woken by nothing that it did not ask
// for.
#include "common/channel.h"

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
  PANIC,
  EXIT_STORM,
  SHOUT,
};

enum { NOWHERE_MAPPED = 0x70000000, VIRTUAL_TIMER = 27 };

static volatile uint32_t flag;

// No exception vectors where any instruction is.
static void without_vectors(void) {
  write_sysreg(vbar_el1, NOWHERE_MAPPED);
  isb();
}

static void ignore(uint32_t intid) { (void)intid; }

static _Noreturn void sleep_on(void) {
  for (;;) wait_for_interrupt();
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

static fdt_node bell_find(const char *compatible, const char *argument) {
  fdt_node node = NULL;
  uint64_t label = boot_argument(argument, 0);
  while ((node = fdt_next_compatible(node, compatible)) && fdt_cell(node, "qcom,label", 0) != label) continue;
  return node;
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
  case PANIC:
    print("---[ end Kernel panic - not syncing: no init found ]---\n");
    for (;;) asm volatile("");
  case EXIT_STORM:
    irq_disable();
    for (;;) HVC(0, 0x84000000, 0, 0, 0, 0);
  case SHOUT: shout(); break;
  }
  print("fault %u has no effect\n", fault);
}

// As the common one, but without interrupts of the console.
void guest_start(const void *devicetree) {
  fdt_use(devicetree);
  interrupts_init();
  console_begin();
  guest_main();
  power_off();
}
