// What links two VMs of diagnoses: bell 2 rings the one that waits, bell 3 the other; messages both
// ways, and memory that both can write.
#pragma once
#include "quiet.h"

enum { NOWHERE = 0x70000000, WAITER_BELL = 2, PEER_BELL = 3 };

static inline fdt_node labelled_bell(const char *compatible, uint64_t label) {
  fdt_node node = NULL;
  while ((node = fdt_next_compatible(node, compatible)) && fdt_cell(node, "qcom,label", 0) != label) continue;
  if (!node) fail("no doorbell");
  return node;
}

static inline uint64_t bell_to_ring(uint64_t label) { return fdt_cells2(labelled_bell("qcom,gunyah-doorbell-source", label), "reg", 0); }

// The bell that rings this VM, whose interrupt is enabled.
static inline uint64_t bell_heard(uint64_t label) {
  struct fdt_interrupt rung;
  fdt_node node = labelled_bell("qcom,gunyah-doorbell", label);
  if (!fdt_interrupt(node, 0, &rung)) fail("no interrupt");
  irq_attach(rung.intid, rung.edge, ignore);
  return fdt_cells2(node, "reg", 0);
}

// The same as a level, which the flags that are enabled raise.
static inline uint64_t bell_of_level(uint64_t label) {
  struct fdt_interrupt rung;
  if (!fdt_interrupt(labelled_bell("qcom,gunyah-doorbell", label), 0, &rung)) fail("no interrupt");
  uint64_t bell = bell_heard(label);
  irq_attach(rung.intid, false, ignore);
  return bell;
}

// Interrupts are masked before and after, so that none comes between a look and the sleep.
static inline void rest(void) {
  wait_for_interrupt();
  irq_enable();
  isb();
  irq_disable();
}

static inline void hear(uint64_t bell) {
  while (!doorbell_receive(bell, ~0ull).x[1]) rest();
}

// The handler would leave a level high: flags are taken before it runs.
static inline void hear_level(uint64_t bell, uint64_t flags) {
  for (bool rung = false; !rung;) {
    wait_for_interrupt();
    rung = doorbell_receive(bell, flags).x[1] & flags;
    irq_enable();
    isb();
    irq_disable();
  }
}

static inline void ring(uint64_t bell) { doorbell_send(bell, 1); }

static inline void after_ms(uint64_t ms) {
  for (uint64_t until = now_ticks() + ticks_per_second() / 1000 * ms; now_ticks() < until;) continue;
}

static inline volatile uint32_t *board(void) {
  fdt_node buffer = fdt_named("buffer");
  if (!buffer) fail("no shared memory");
  return (volatile uint32_t *)fdt_cells2(buffer, "reg", 0);
}

static struct message_queue_pair messages;
static inline void hear_messages(void) { irq_attach(messages.not_empty.intid, messages.not_empty.edge, ignore); }
static inline void take_message(void) {
  struct ball ball;
  while (!ball_receive(&messages, &ball)) rest();
}
static inline void send_message(void) {
  struct ball ball = {0};
  msgqueue_send(messages.tx, &ball, sizeof ball, MSGQUEUE_SEND_PUSH);
}

static __attribute__((noinline)) void find_messages(void) {
  struct message_queue_pair pair = messages_find();
  messages.tx = pair.tx, messages.rx = pair.rx, messages.not_full = pair.not_full, messages.not_empty = pair.not_empty;
}

static inline void without_vectors(void) {
  write_sysreg(vbar_el1, NOWHERE);
  isb();
}
