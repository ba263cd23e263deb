// Guests that are broken in one way each, and healthy ones that look like them: the boot argument
// case=N says which (enum guest). Each class of verdicts has its own part. A second and a third CPU
// are started with PSCI.
#include "quiet.h"

enum guest {
  // A loop that nothing ends.
  POLL_IN_FUNCTIONS,
  LOCK_TAKEN_TWICE,
  WAIT_FOR_EVENT_OF_NOBODY,
  ASK_FOR_EVER,
  CHECKSUM_FOR_EVER,
  // Work that looks like one.
  COMPUTE,
  FILL_MEMORY,
  POLL_WITH_LIMIT,
  WAIT_BY_COUNTER,
  WORK_IN_HANDLERS,
  // CPUs that wait for one another in vain.
  OPPOSITE_LOCKS,
  HOLDER_CRASHED,
  BARRIER_WITHOUT_ONE,
  WAIT_FOR_CPU_THAT_IS_OFF,
  // CPUs that wait for one another.
  TOKEN,
  STOP_ALL_CPUS,
  TICKET_LOCK,
  PARKED_CPU,
  // Interrupts that never end.
  TIMER_NOT_SET,
  BELL_NOT_CLEARED,
  QUEUE_NOT_READ,
  PHYSICAL_TIMER_NOT_SET,
  TIMER_SET_TO_NOW,
  TIMER_SET_TO_THE_PAST,
  // Interrupts that come often.
  FAST_TICKS,
  CATCH_UP_TICKS,
  TICKS_WITHOUT_DELAY,
  MANY_MESSAGES,
  // Handlers that fault, or never return.
  NO_VECTORS_BUT_ITSELF,
  RETURN_TO_THE_FAULT,
  HANDLER_STANDS_STILL,
  STACK_RUNS_DOWN,
  SECOND_CPU_FALLS,
  HANDLER_SLEEPS,
  // Handlers that do their work.
  PROBE_MEMORY,
  COUNT_BREAKPOINTS,
  CALL_SUPERVISOR,
  // What went wrong before.
  SGI_TO_NOBODY,
  CONSOLE_ELSEWHERE,
  SEND_WITH_WRONG_CAPABILITY,
  // Ends, and what looks like one.
  RESET_AFTER_HANDLED_FAULT,
  QUOTE_PANIC,
  REBOOT_OFTEN,
};

enum { NOWHERE = 0x70000000, VIRTUAL_TIMER = 27, PHYSICAL_TIMER = 30, CPUS = 4, STACK = 4096 };
enum { PSCI_CPU_ON = 0xc4000003, PSCI_AFFINITY_INFO = 0xc4000004, PSCI_CPU_OFF = 0x84000002 };

#define noinline __attribute__((noinline))
#define relax() asm volatile("yield" ::: "memory")
#define wait_for_event() asm volatile("wfe" ::: "memory")
#define send_event() asm volatile("sev" ::: "memory")

static volatile uint32_t flag, first_lock, second_lock, ready, phase, acknowledged, turn, taken_ticket, served_ticket;
static volatile uint64_t sink;
static volatile uint8_t block[65536];
static void (*second_main)(uint64_t);
static uint8_t stacks[CPUS][STACK] __attribute__((aligned(16)));

// ---- CPUs ----

void second_start(uint64_t index);
void second_start(uint64_t index) { second_main(index); for (;;) wait_for_interrupt(); }

// X0: the end of its stack, with its index and VBAR_EL1.
asm("\t.text\n"
    "second_entry:\n"
    "\tmov sp, x0\n"
    "\tldp x0, x1, [sp]\n"
    "\tmsr vbar_el1, x1\n"
    "\tisb\n"
    "\tb second_start\n");

#define ADDRESS_OF(name) ({ uint64_t at_; asm("adrp %0, " #name "\n\tadd %0, %0, :lo12:" #name : "=r"(at_)); at_; })

static void start_cpu(uint64_t index, void (*main)(uint64_t)) {
  uint64_t *end = (uint64_t *)(stacks[index] + STACK - 16);
  end[0] = index;
  end[1] = read_sysreg(vbar_el1);
  second_main = main;
  asm volatile("dsb sy" ::: "memory");
  struct call_result result = HVC(0, PSCI_CPU_ON, index, ADDRESS_OF(second_entry), (uintptr_t)end, 0);
  if (result.x[0]) print("CPU_ON %u: %x\n", index, result.x[0]);
}

// What the compiler calls to copy a structure.
void *memcpy(void *to, const void *from, size_t size);
void *memcpy(void *to, const void *from, size_t size) {
  for (size_t i = 0; i < size; i++) ((uint8_t *)to)[i] = ((const uint8_t *)from)[i];
  return to;
}

// ---- locks ----

static noinline void lock(volatile uint32_t *word) {
  uint32_t old, status;
  do {
    asm volatile("ldaxr %w0, [%2]\n\tcbnz %w0, 1f\n\tstxr %w1, %w3, [%2]\n\tb 2f\n1:\tmov %w1, #1\n2:"
                 : "=&r"(old), "=&r"(status)
                 : "r"(word), "r"(1)
                 : "memory");
    if (status) relax();
  } while (status);
}

static uint32_t add(volatile uint32_t *word, uint32_t by) {
  uint32_t old, sum, status;
  do {
    asm volatile("ldaxr %w0, [%3]\n\tadd %w1, %w0, %w4\n\tstlxr %w2, %w1, [%3]" : "=&r"(old), "=&r"(sum), "=&r"(status) : "r"(word), "r"(by) : "memory");
  } while (status);
  return old;
}

// ---- a loop that nothing ends, and work ----

static noinline uint32_t read_flag(volatile uint32_t *word) { return *word; }
static noinline bool is_set(volatile uint32_t *word) { return read_flag(word) != 0; }
static void poll_in_functions(void) { while (!is_set(&flag)) continue; }

static void lock_taken_twice(void) {
  lock(&first_lock);
  lock(&first_lock);
}

static void wait_for_event_of_nobody(void) { while (!flag) wait_for_event(); }

static void ask_for_ever(void) {
  while (HVC(0, PSCI_AFFINITY_INFO, 0, 0, 0, 0).x[0] != 1) continue;
}

// The same sum again and again: memory is written, and does not change.
static void checksum_for_ever(void) {
  for (;;) {
    uint32_t sum = 0;
    for (uint32_t i = 0; i < 64; i++) sum += block[i];
    sink = sum;
    if (sum == 1) break;
  }
}

static noinline uint64_t compute(uint64_t rounds) {
  uint64_t x = 88172645463325252ull;
  for (uint64_t i = 0; i < rounds; i++) { x ^= x << 13; x ^= x >> 7; x ^= x << 17; }
  return x;
}

static void fill_memory(uint32_t times) {
  for (uint32_t i = 0; i < times; i++) {
    for (uint32_t at = 0; at < sizeof block; at++) block[at] = (uint8_t)i;
  }
}

static noinline bool poll_with_limit(uint64_t limit) {
  while (limit-- > 0) if (flag) return true;
  return false;
}

static void wait_by_counter(uint64_t ms) {
  uint64_t end = now_ticks() + ticks_per_second() / 1000 * ms;
  while (now_ticks() < end) continue;
}

// ---- CPUs ----

static void arrive(void) {
  add(&ready, 1);
}

static void second_takes_other_first(uint64_t index) {
  (void)index;
  lock(&second_lock);
  arrive();
  while (ready < 2) relax();
  lock(&first_lock);
}
static void opposite_locks(void) {
  start_cpu(1, second_takes_other_first);
  lock(&first_lock);
  arrive();
  while (ready < 2) relax();
  lock(&second_lock);
}

static void use_vectors(uint64_t at) {
  write_sysreg(vbar_el1, at);
  isb();
}

static void second_hangs_with_lock(uint64_t index) {
  (void)index;
  lock(&first_lock);
  flag = 1;
  use_vectors(ADDRESS_OF(still_vectors));
  asm volatile("udf #0");
}
static void holder_crashed(void) {
  start_cpu(1, second_hangs_with_lock);
  while (!flag) relax();
  lock(&first_lock);
}

static void barrier(uint32_t of) {
  add(&ready, 1);
  while (ready < of) relax();
}
static void second_barrier(uint64_t index) { (void)index; barrier(3); }
static void barrier_without_one(void) {
  start_cpu(1, second_barrier);
  barrier(3);
}

static void wait_for_cpu_that_is_off(void) { while (!phase) wait_for_event(); }

static void pass_token(uint64_t index) {
  for (uint32_t round = 0;; round++) {
    while (turn != index) wait_for_event();
    sink = compute(20);
    turn = index == 0 ? 1 : 0;
    asm volatile("dsb sy" ::: "memory");
    send_event();
  }
}
static void token(void) {
  start_cpu(1, pass_token);
  pass_token(0);
}

// As Linux stops all CPUs: each acknowledges a phase, and the last one begins the next.
static void stopped(uint64_t index) {
  uint32_t seen = 0, of = (uint32_t)boot_argument("cpus", 3);
  (void)index;
  irq_disable();
  for (;;) {
    relax();
    if (phase == seen) continue;
    seen = phase;
    sink = compute(seen % 64);
    if (add(&acknowledged, 1) + 1 == of) {
      acknowledged = 0;
      phase = phase + 1;
    }
  }
}
static void stop_all_cpus(void) {
  for (uint64_t index = 1; index < boot_argument("cpus", 3); index++) start_cpu(index, stopped);
  phase = 1;
  stopped(0);
}

static void queue_for_lock(uint64_t index) {
  (void)index;
  for (;;) {
    uint32_t ticket = add(&taken_ticket, 1);
    while (served_ticket != ticket) wait_for_event();
    sink = compute(500);
    served_ticket = ticket + 1;
    send_event();
  }
}
static void ticket_lock(void) {
  for (uint64_t index = 1; index < boot_argument("cpus", 3); index++) start_cpu(index, queue_for_lock);
  queue_for_lock(0);
}

static void park(uint64_t index) {
  (void)index;
  for (;;) wait_for_event();
}

// ---- interrupts ----

static void timer_not_set(void) {
  irq_attach(VIRTUAL_TIMER, false, ignore);
  write_sysreg(cntv_cval_el0, now_ticks() + ticks_per_second() / 100);
  write_sysreg(cntv_ctl_el0, 1);
  isb();
  irq_enable();
  sink = compute(1ull << 40);
}

static uint64_t delay;
static void set_timer_to(uint32_t intid) {
  (void)intid;
  asm volatile("msr cntv_tval_el0, %0" ::"r"(delay));
}
// Computes, with a timer whose handler sets it to this many ticks from now.
static _Noreturn void compute_with_timer(int64_t ticks) {
  delay = (uint64_t)ticks;
  irq_attach(VIRTUAL_TIMER, false, set_timer_to);
  write_sysreg(cntv_cval_el0, now_ticks() + ticks_per_second() / 100);
  write_sysreg(cntv_ctl_el0, 1);
  isb();
  irq_enable();
  for (;;) sink = compute(1 << 20);
}

static void physical_timer_not_set(void) {
  irq_attach(PHYSICAL_TIMER, false, ignore);
  write_sysreg(cntp_cval_el0, now_ticks() + ticks_per_second() / 100);
  write_sysreg(cntp_ctl_el0, 1);
  isb();
  irq_enable();
  sleep_on();
}

static void bell_not_cleared(void) {
  struct fdt_interrupt rung;
  fdt_node bell = bell_find("qcom,gunyah-doorbell", "in");
  if (!bell || !fdt_interrupt(bell, 0, &rung)) fail("no doorbell");
  irq_attach(rung.intid, false, ignore);
  irq_enable();
  sleep_on();
}

static void ring(void) {
  fdt_node bell = bell_find("qcom,gunyah-doorbell-source", "out");
  if (!bell) fail("no doorbell");
  doorbell_send(fdt_cells2(bell, "reg", 0), 1);
  sleep_on();
}

static struct message_queue_pair messages;
static void queue_not_read(void) {
  messages = messages_find();
  irq_attach(messages.not_empty.intid, false, ignore);
  irq_enable();
  sleep_on();
}

static void ticks(uint64_t us, bool late) {
  timer_every(ticks_per_second() / 1000000 * us);
  // The handler adds a period to the time that was set: all that were missed come at once.
  if (late) wait_by_counter(500);
  irq_enable();
  sleep_on();
}

static void take_message(uint32_t intid) {
  (void)intid;
  struct ball ball;
  if (ball_receive(&messages, &ball)) sink = ball.sequence;
}
// Takes one message per interrupt, and sends as fast as the other end does.
static void many_messages(void) {
  messages = messages_find();
  irq_attach(messages.not_empty.intid, false, take_message);
  irq_enable();
  struct ball ball = {0};
  for (;; ball.sequence++) {
    msgqueue_send(messages.tx, &ball, sizeof ball, MSGQUEUE_SEND_PUSH);
    sink = compute(3000);
  }
}

// ---- handlers ----

#define VECTORS(name, synchronous) \
  asm("\t.balign 2048\n" #name ":\n\t.rept 4\n\tb .\n\t.balign 128\n\t.endr\n" synchronous "\n\t.balign 128\n\t.rept 11\n\tb .\n\t.balign 128\n\t.endr\n")
asm("\t.text\n");
VECTORS(still_vectors, "\tb .");
VECTORS(asleep_vectors, "1:\twfi\n\tb 1b");
VECTORS(undefined_vectors, "\tudf #3");
VECTORS(retry_vectors, "\teret");
VECTORS(deep_vectors, "\tsub sp, sp, #256\n\tstr x0, [sp]\n\teret");
// Steps over the instruction.
VECTORS(skip_vectors, "\tstp x0, x1, [sp, #-16]!\n\tmrs x0, elr_el1\n\tadd x0, x0, #4\n\tmsr elr_el1, x0\n\tldp x0, x1, [sp], #16\n\teret");
VECTORS(call_vectors, "\teret");

static noinline void touch_nowhere(void) { mmio_read32(NOWHERE); }

static void second_falls(uint64_t index) {
  (void)index;
  use_vectors(ADDRESS_OF(still_vectors));
  touch_nowhere();
  flag = 1;
}

// The mishap before is why the flag never comes, or nothing follows from it.
static void rest_or_wait(void) {
  while (!boot_argument("well", 0) && !flag) continue;
  for (;;) wait_by_counter(100);
}

void guest_main(void) {
  uint64_t which = boot_argument("case", 0);
  print("case %u\n", which);
  irq_disable();
  switch (which) {
  case POLL_IN_FUNCTIONS: poll_in_functions(); break;
  case LOCK_TAKEN_TWICE: lock_taken_twice(); break;
  case WAIT_FOR_EVENT_OF_NOBODY: wait_for_event_of_nobody(); break;
  case ASK_FOR_EVER: ask_for_ever(); break;
  case CHECKSUM_FOR_EVER: checksum_for_ever(); break;
  case COMPUTE: sink = compute(1ull << 40); break;
  case FILL_MEMORY: fill_memory(1u << 30); break;
  case POLL_WITH_LIMIT: for (;;) poll_with_limit(1ull << 28);
  case WAIT_BY_COUNTER: for (;;) wait_by_counter(300);
  case WORK_IN_HANDLERS:
    timer_every(ticks_per_second() / 20);
    irq_enable();
    for (;;) asm volatile("");
  case OPPOSITE_LOCKS: opposite_locks(); break;
  case HOLDER_CRASHED:
    holder_crashed();
    break;
  case BARRIER_WITHOUT_ONE: barrier_without_one(); break;
  case WAIT_FOR_CPU_THAT_IS_OFF: wait_for_cpu_that_is_off(); break;
  case TOKEN: token(); break;
  case STOP_ALL_CPUS: stop_all_cpus(); break;
  case TICKET_LOCK: ticket_lock(); break;
  case PARKED_CPU:
    start_cpu(1, park);
    timer_every(ticks_per_second() / 20);
    irq_enable();
    sleep_on();
  case TIMER_NOT_SET: timer_not_set(); break;
  case BELL_NOT_CLEARED:
    if (boot_argument("in", 0)) bell_not_cleared();
    else ring();
    break;
  case QUEUE_NOT_READ: queue_not_read(); break;
  case PHYSICAL_TIMER_NOT_SET: physical_timer_not_set(); break;
  case TIMER_SET_TO_NOW: compute_with_timer(0);
  case TIMER_SET_TO_THE_PAST: compute_with_timer(-1000);
  case TICKS_WITHOUT_DELAY: compute_with_timer(ticks_per_second() / 200000);
  case FAST_TICKS: ticks(40, false); break;
  case CATCH_UP_TICKS: ticks(40, true); break;
  case MANY_MESSAGES: many_messages(); break;
  case NO_VECTORS_BUT_ITSELF:
    use_vectors(ADDRESS_OF(undefined_vectors));
    asm volatile("udf #7");
    break;
  case RETURN_TO_THE_FAULT:
    use_vectors(ADDRESS_OF(retry_vectors));
    touch_nowhere();
    break;
  case HANDLER_STANDS_STILL:
    use_vectors(ADDRESS_OF(still_vectors));
    touch_nowhere();
    break;
  case STACK_RUNS_DOWN:
    use_vectors(ADDRESS_OF(deep_vectors));
    asm volatile("mov x9, #0x70000000\n\tmov sp, x9\n\tldr x9, [sp]" ::: "x9", "memory");
    break;
  case SECOND_CPU_FALLS:
    start_cpu(1, second_falls);
    while (!flag) relax();
    break;
  case HANDLER_SLEEPS:
    use_vectors(ADDRESS_OF(asleep_vectors));
    touch_nowhere();
    break;
  case PROBE_MEMORY:
    use_vectors(ADDRESS_OF(skip_vectors));
    for (;; sink++) touch_nowhere();
  case COUNT_BREAKPOINTS:
    use_vectors(ADDRESS_OF(skip_vectors));
    for (;;) {
      asm volatile("brk #1");
      sink++;
    }
  case SGI_TO_NOBODY:
    asm volatile("msr S3_0_C12_C11_5, %0" ::"r"(3ull << 24 | 1 << 9));
    rest_or_wait();
    break;
  case CONSOLE_ELSEWHERE:
    use_vectors(ADDRESS_OF(skip_vectors));
    touch_nowhere();
    use_vectors(ADDRESS_OF(still_vectors));
    rest_or_wait();
    break;
  case SEND_WITH_WRONG_CAPABILITY:
    doorbell_send(0x1234, 1);
    rest_or_wait();
    break;
  case RESET_AFTER_HANDLED_FAULT:
    use_vectors(ADDRESS_OF(skip_vectors));
    touch_nowhere();
    wait_by_counter(200);
    psci_system_reset();
    break;
  case QUOTE_PANIC:
    timer_every(ticks_per_second() / 20);
    irq_enable();
    print("[    1.000000] Kernel panic - not syncing: no init found\n[    1.000001] ---[ end Kernel panic - not syncing: no init found ]---\n");
    sleep_on();
  case REBOOT_OFTEN:
    wait_by_counter(20);
    psci_system_reset();
    break;
  case CALL_SUPERVISOR:
    use_vectors(ADDRESS_OF(call_vectors));
    for (;;) {
      asm volatile("svc #1");
      sink++;
    }
  }
  print("case %u has no effect\n", which);
  sleep_on();
}
