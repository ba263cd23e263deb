// A VM that waits for another one, in each way, and that one, in each state. The boot argument
// case=N says which (enum guest).
#include "links.h"

enum guest {
  // The one that waits.
  HEAR_BELL,
  HEAR_MESSAGE,
  HEAR_ROOM,
  POLL_BELL,
  POLL_MESSAGE,
  POLL_ROOM,
  POLL_WORD,
  WAIT_WORD,
  TAKE_LOCK,
  // The other: in vain.
  DEAF,
  TIMER_MASKED,
  LOOP,
  POLL_OWN,
  POLL_BACK,
  FAULT,
  CALL,
  OWN_LOCK,
  STORM,
  END,
  RESET,
  CRASH,
  HEAR_BACK,
  TAKE_BACK,
  FILL_BACK,
  POLL_BELL_BACK,
  TURN_OFF,
  // The other: it serves, or may serve.
  SERVE,
  TICK,
};

enum word { COUNT, LOCK, TAKEN, BACK };

static volatile uint32_t flag;
static volatile uint64_t sink;
static uint32_t own_lock = 1;

static bool try_lock(volatile uint32_t *lock) {
  uint32_t before;
  asm volatile(".arch_extension lse\n\tswpa %w1, %w0, [%2]" : "=r"(before) : "r"(1), "r"(lock) : "memory");
  return before == 0;
}
static void unlock(volatile uint32_t *lock) { __atomic_store_n(lock, 0, __ATOMIC_RELEASE); }

static bool full(void) {
  struct ball ball = {0};
  return msgqueue_send(messages.tx, &ball, sizeof ball, MSGQUEUE_SEND_PUSH).x[0] == GUNYAH_MSGQUEUE_FULL;
}
static bool empty(void) {
  struct ball ball;
  return !ball_receive(&messages, &ball);
}
static uint64_t bell_silent(uint64_t label) { return fdt_cells2(labelled_bell("qcom,gunyah-doorbell", label), "reg", 0); }

static void keep_line(uint32_t intid) { (void)intid; }

static void serve(volatile uint32_t *word) {
  uint64_t bell = bell_to_ring(WAITER_BELL);
  for (find_messages(), timer_every(ticks_per_second() / 50);; rest()) {
    ring(bell);
    send_message();
    while (!empty()) continue;
    unlock(&word[LOCK]);
    after_ms(1);
    while (!try_lock(&word[LOCK])) continue;
    word[COUNT]++;
    asm volatile("sev");
  }
}

void guest_main(void) {
  uint64_t bell;
  irq_disable();
  volatile uint32_t *word = board();
  uint64_t guest = boot_argument("case", ~0ull);
  if (guest >= DEAF) {
    while (!try_lock(&word[LOCK])) continue;
    word[TAKEN] = 1;
    find_messages();
    after_ms(boot_argument("ms", 5));
  } else {
    for (uint64_t until = now_ticks() + ticks_per_second() / 100; !word[TAKEN] && now_ticks() < until;) continue;
    find_messages();
  }
  switch (guest) {
  case HEAR_BELL:
    for (bell = bell_heard(WAITER_BELL);; sink++) hear(bell);
  case HEAR_MESSAGE:
    for (hear_messages();; sink++) take_message();
  case HEAR_ROOM:
    irq_attach(messages.not_full.intid, messages.not_full.edge, ignore);
    for (;; sink++)
      while (full()) rest();
  case POLL_BELL:
    for (bell = bell_silent(WAITER_BELL);; sink++)
      while (!doorbell_receive(bell, ~0ull).x[1]) continue;
  case POLL_MESSAGE:
    for (;; sink++)
      while (empty()) continue;
  case POLL_ROOM:
    for (;; sink++)
      while (full()) continue;
  case POLL_WORD:
    for (uint32_t seen = 0;; sink++) {
      seen = word[COUNT];
      while (word[COUNT] == seen) continue;
    }
  case WAIT_WORD:
    for (uint32_t seen = 0;; sink++) {
      seen = word[COUNT];
      while (word[COUNT] == seen) asm volatile("wfe");
    }
  case TAKE_LOCK:
    for (;; sink++) {
      while (!try_lock(&word[LOCK])) continue;
      unlock(&word[LOCK]);
    }
  case DEAF: sleep_on();
  case TIMER_MASKED:
    timer_every(ticks_per_second() / 50);
    write_sysreg(cntv_ctl_el0, 3);
    sleep_on();
  case LOOP:
    for (;;) asm volatile("");
  case POLL_OWN:
    while (!flag) continue;
    break;
  case POLL_BACK:
    while (!word[BACK]) continue;
    break;
  case FAULT: asm volatile("mov x9, #0x70000000\n\tmov sp, x9\n\tldr x9, [sp]" ::: "x9", "memory"); break;
  case CALL:
    while (HVC(0x6013, messages.rx, 1, 0, 0, 0).x[0] != GUNYAH_OK) continue;
    break;
  case OWN_LOCK:
    while (!try_lock(&own_lock)) continue;
    break;
  case STORM:
    timer_every(ticks_per_second() / 50);
    irq_attach(27, false, keep_line);
    irq_enable();
    sleep_on();
  case END: break;
  case RESET: psci_system_reset(); break;
  case CRASH:
    without_vectors();
    asm volatile("udf #0");
    break;
  case HEAR_BACK: hear(bell_heard(PEER_BELL)); break;
  case TAKE_BACK:
    hear_messages();
    take_message();
    sleep_on();
  case FILL_BACK:
    irq_attach(messages.not_full.intid, messages.not_full.edge, ignore);
    while (!full()) continue;
    while (full()) rest();
    sleep_on();
  case POLL_BELL_BACK:
    for (bell = bell_silent(PEER_BELL); !doorbell_receive(bell, ~0ull).x[1];) continue;
    break;
  case TURN_OFF: HVC(0, 0x84000002, 0, 0, 0, 0); break;
  case SERVE: serve(word); break;
  case TICK:
    timer_every(ticks_per_second() / 50);
    irq_enable();
    sleep_on();
  }
}
