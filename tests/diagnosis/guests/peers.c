// Two VMs of which one waits for the other: what the other does instead, and healthy ones that look
// like them. The boot argument case=N says which (enum guest). Bell 2 rings the one that waits,
// bell 3 the other.
#include "links.h"

enum guest {
  // The one that waits.
  LISTEN,
  ASK_BY_BELL,
  ASK_BY_MESSAGE,
  ASK_TWICE,
  LISTEN_TO_ANOTHER_FLAG,
  LISTEN_AND_WRITE,
  WRITE_AT_TICKS,
  FILL_AND_LISTEN,
  SEND_NOTHING,
  RING_NOTHING,
  SEND_HALF_A_PACKET,
  SEND_HALF_AND_WHOLE,
  SEND_SOMETHING,
  SEND_TOO_MUCH,
  SEND_THE_WRONG_WAY,
  SEND_MUCH,
  POLL_MESSAGES,
  POLL_BELL,
  POLL_ROOM,
  // The other.
  POLL_OWN_MEMORY,
  POLL_BOARD,
  FAULT_FOR_EVER,
  LOOP,
  SLEEP_DEAF,
  END,
  RESET,
  CRASH,
  TICK,
  ANSWER_BELL,
  ANSWER_MESSAGE,
  ANSWER_ONCE,
  ANSWER_LATE,
  WRITE_AND_RING,
  RING,
  RING_ONCE,
  HEAR_ONE_FLAG,
  RING_TWO_FLAGS,
  SEND_AT_TICKS,
  TAKE_AT_TICKS,
};

static volatile uint32_t flag;
static volatile uint64_t sink;
static uint64_t big_message[16];

// A request of the VM's own VMID (docs/spec/resource-manager.md §2.2, §3.9), or its first bytes.
enum { RM_REQUEST = 1, RM_VERSION = 0x21, VM_GET_VMID = 0x56000024, RM_HEADER = 8 };
static void ask_manager(size_t bytes) {
  struct {
    uint8_t version, type;
    uint16_t sequence;
    uint32_t id;
  } request = {.version = RM_VERSION, .type = RM_REQUEST, .sequence = 1, .id = VM_GET_VMID};
  msgqueue_send(messages.tx, &request, bytes, MSGQUEUE_SEND_PUSH);
}

static void find_manager(void) {
  fdt_node node = fdt_next_compatible(NULL, "gunyah-resource-manager");
  messages.tx = fdt_cells2(node, "reg", 0);
  messages.rx = fdt_cells2(node, "reg", 1);
  if (!node || !fdt_interrupt(node, 1, &messages.not_empty)) fail("no Resource Manager");
  hear_messages();
}

static _Noreturn void take_answers(void) {
  static uint8_t packet[240];
  for (;;) {
    while (msgqueue_receive(messages.rx, packet, sizeof packet).x[0] == GUNYAH_OK) sink++;
    rest();
  }
}

void guest_main(void) {
  uint64_t bell, other;
  irq_disable();
  switch (boot_argument("case", ~0ull)) {
  case LISTEN:
    for (bell = bell_heard(WAITER_BELL);; sink++) hear(bell);
  case ASK_BY_BELL:
    for (bell = bell_heard(WAITER_BELL), other = bell_to_ring(PEER_BELL);; sink++) {
      ring(other);
      hear(bell);
    }
  case ASK_BY_MESSAGE:
    for (find_messages(), hear_messages();; sink++) {
      send_message();
      take_message();
    }
  case ASK_TWICE:
    for (bell = bell_heard(WAITER_BELL), other = bell_to_ring(PEER_BELL);; sink++) {
      ring(other);
      ring(other);
      hear(bell);
    }
  case LISTEN_TO_ANOTHER_FLAG:
    bell = bell_of_level(WAITER_BELL);
    HVC(0x6015, bell, 2, 0, 0, 0);
    for (;; sink++) hear_level(bell, 2);
  case LISTEN_AND_WRITE:
    for (bell = bell_heard(WAITER_BELL);; sink++) {
      hear(bell);
      board()[0]++;
    }
  case WRITE_AT_TICKS:
    bell_heard(WAITER_BELL);
    for (timer_every(ticks_per_second() / 50);; board()[0]++) rest();
  case FILL_AND_LISTEN:
    find_messages();
    irq_attach(messages.not_full.intid, messages.not_full.edge, ignore);
    for (struct ball ball = {0};;) {
      while (msgqueue_send(messages.tx, &ball, sizeof ball, MSGQUEUE_SEND_PUSH).x[0] == GUNYAH_OK) sink++;
      rest();
    }
  case SEND_NOTHING:
    find_messages();
    hear_messages();
    msgqueue_send(messages.tx, NULL, 0, MSGQUEUE_SEND_PUSH);
    take_message();
    break;
  case SEND_SOMETHING:
    find_messages();
    hear_messages();
    msgqueue_send(messages.tx, NULL, 0, MSGQUEUE_SEND_PUSH);
    for (;;) {
      send_message();
      take_message();
    }
  case SEND_HALF_A_PACKET:
    find_manager();
    ask_manager(RM_HEADER / 2);
    take_answers();
  case SEND_HALF_AND_WHOLE:
    find_manager();
    ask_manager(RM_HEADER / 2);
    ask_manager(RM_HEADER);
    take_answers();
  case RING_NOTHING:
    bell = bell_heard(WAITER_BELL);
    doorbell_send(bell_to_ring(PEER_BELL), 0);
    hear(bell);
    break;
  // Their results are not looked at.
  case SEND_TOO_MUCH:
    find_messages();
    hear_messages();
    msgqueue_send(messages.tx, (const void *)big_message, 65, MSGQUEUE_SEND_PUSH);
    take_message();
    break;
  case SEND_THE_WRONG_WAY:
    find_messages();
    hear_messages();
    msgqueue_send(messages.rx, (const void *)big_message, sizeof(struct ball), MSGQUEUE_SEND_PUSH);
    take_message();
    break;
  case SEND_MUCH:
    for (find_messages(), hear_messages();;) {
      msgqueue_send(messages.tx, (const void *)big_message, 65, MSGQUEUE_SEND_PUSH);
      send_message();
      take_message();
    }
  // No interrupt is asked for: the calls alone tell.
  case POLL_MESSAGES:
    find_messages();
    for (struct ball ball;; send_message())
      while (!ball_receive(&messages, &ball)) continue;
  case POLL_BELL:
    bell = fdt_cells2(labelled_bell("qcom,gunyah-doorbell", WAITER_BELL), "reg", 0), other = bell_to_ring(PEER_BELL);
    for (;; ring(other))
      while (!doorbell_receive(bell, ~0ull).x[1]) continue;
  case POLL_ROOM:
    find_messages();
    for (struct ball ball = {0};; sink++)
      while (msgqueue_send(messages.tx, &ball, sizeof ball, MSGQUEUE_SEND_PUSH).x[0] == GUNYAH_MSGQUEUE_FULL) continue;
  case POLL_OWN_MEMORY:
    while (!flag) continue;
    ring(bell_to_ring(WAITER_BELL));
    break;
  case POLL_BOARD:
    for (volatile uint32_t *word = board(), seen = 0;; seen++) {
      while (*word == seen) continue;
      ring(bell_to_ring(WAITER_BELL));
    }
  case FAULT_FOR_EVER: asm volatile("mov x9, #0x70000000\n\tmov sp, x9\n\tldr x9, [sp]" ::: "x9", "memory"); break;
  case LOOP:
    for (;;) asm volatile("");
  case SLEEP_DEAF: sleep_on();
  case END: after_ms(boot_argument("ms", 20)); break;
  case RESET:
    after_ms(boot_argument("ms", 20));
    psci_system_reset();
    break;
  case CRASH:
    without_vectors();
    after_ms(boot_argument("ms", 20));
    asm volatile("udf #0");
    break;
  case TICK:
    timer_every(ticks_per_second() / 50);
    irq_enable();
    sleep_on();
  case ANSWER_BELL:
    for (bell = bell_heard(PEER_BELL), other = bell_to_ring(WAITER_BELL);;) {
      hear(bell);
      after_ms(boot_argument("ms", 1));
      ring(other);
    }
  case ANSWER_MESSAGE:
    for (find_messages(), hear_messages();;) {
      take_message();
      after_ms(boot_argument("ms", 1));
      send_message();
    }
  // For every two rings.
  case ANSWER_ONCE:
    for (bell = bell_heard(PEER_BELL), other = bell_to_ring(WAITER_BELL), after_ms(5);;) {
      hear(bell);
      hear(bell);
      ring(other);
    }
  // Looks at each tick, and wants to hear of nothing.
  case ANSWER_LATE:
    bell = fdt_cells2(labelled_bell("qcom,gunyah-doorbell", PEER_BELL), "reg", 0), other = bell_to_ring(WAITER_BELL);
    timer_every(ticks_per_second() / 50);
    for (;;) {
      rest();
      if (doorbell_receive(bell, ~0ull).x[1]) ring(other);
    }
  case RING:
    timer_every(ticks_per_second() / 50);
    for (other = bell_to_ring(WAITER_BELL);; ring(other)) rest();
  case RING_ONCE:
    bell = bell_heard(PEER_BELL);
    ring(bell_to_ring(WAITER_BELL));
    hear(bell);
    break;
  case RING_TWO_FLAGS:
    timer_every(ticks_per_second() / 50);
    for (other = bell_to_ring(WAITER_BELL);; doorbell_send(other, 2)) {
      rest();
      ring(other);
    }
  case HEAR_ONE_FLAG:
    bell = bell_of_level(PEER_BELL), other = bell_to_ring(WAITER_BELL);
    HVC(0x6015, bell, 1, 0, 0, 0);
    for (;;) {
      hear_level(bell, 1);
      ring(other);
      after_ms(1);
    }
  case SEND_AT_TICKS:
    find_messages();
    for (timer_every(ticks_per_second() / 50);; send_message()) rest();
  case TAKE_AT_TICKS:
    find_messages();
    timer_every(ticks_per_second() / 50);
    for (struct ball ball;; rest())
      while (ball_receive(&messages, &ball)) continue;
  case WRITE_AND_RING:
    timer_every(ticks_per_second() / 50);
    for (other = bell_to_ring(WAITER_BELL);;) {
      rest();
      board()[0]++;
      ring(other);
    }
  }
}
