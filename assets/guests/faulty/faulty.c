// faulty: a guest with one of five defects that drivers have, for the tutorials. Boot arguments:
//   masked=1   starts the timer, and never enables its interrupt
//   spin=1     waits for a lock that nobody releases
//   listen=1   waits for a message before it sends one; with a partner that does the same, forever
//   storm=1    handles its timer without setting the next time, so that it fires again at once
//   quiet=1    ticks like hello, with the priority mask set so that no interrupt comes through
// Console input does not interrupt: what sleeps is woken by nothing else.
#include "../common/channel.h"

enum { TIMER_IRQ = 27, TICKS_PER_SECOND = 100, LOWEST_PRIORITY_PASSED = 0x80 };

// Not static: debuggers and el2 find these by name.
volatile uint32_t lock = 1;

static void ignore(uint32_t intid) { (void)intid; }

static void timer_start(void) {
  write_sysreg(cntv_cval_el0, now_ticks() + ticks_per_second() / TICKS_PER_SECOND);
  write_sysreg(cntv_ctl_el0, 1);
  isb();
}

__attribute__((noinline)) void wait_for_timer(void) {
  for (;;) wait_for_interrupt();
}

__attribute__((noinline)) void take_lock(void) {
  while (lock) continue;
}

__attribute__((noinline)) void wait_for_partner(void) {
  struct message_queue_pair messages = messages_find();
  irq_attach(messages.not_empty.intid, messages.not_empty.edge, ignore);
  struct ball ball;
  irq_disable();
  while (!ball_receive(&messages, &ball)) wait_for_interrupt();
  ball_send(&messages, &ball);
}

void guest_main(void) {
  if (boot_argument("masked", 0)) {
    print("starting the timer\n");
    timer_start();
    wait_for_timer();
  }
  if (boot_argument("spin", 0)) {
    print("taking the lock\n");
    take_lock();
    print("the lock is released\n");
    return;
  }
  if (boot_argument("listen", 0)) {
    print("waiting for the partner\n");
    wait_for_partner();
    print("the partner has answered\n");
    return;
  }
  if (boot_argument("storm", 0)) {
    print("starting the timer\n");
    irq_attach(TIMER_IRQ, false, ignore);
    timer_start();
    irq_enable();
    wait_for_timer();
  }
  if (boot_argument("quiet", 0)) {
    print("masking all interrupts of priority 0x80 and lower\n");
    timer_every(ticks_per_second() / TICKS_PER_SECOND);
    write_icc(ICC_PMR_EL1, LOWEST_PRIORITY_PASSED);
    isb();
    wait_for_timer();
  }
  fail("none of its boot arguments is set: masked, spin, listen, storm, quiet");
}

// As the common one, but without interrupts of the console.
void guest_start(const void *devicetree) {
  fdt_use(devicetree);
  interrupts_init();
  console_begin();
  guest_main();
  power_off();
}
