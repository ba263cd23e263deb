// Guests that wait for a source that nothing will start, and healthy ones that look like them: the
// boot argument case=N says which (enum guest). Devices are virtio-mmio, the first of their kind.
#include "quiet.h"

enum guest {
  // The driver leaves a step out.
  NOT_READY,
  NOT_NOTIFIED,
  NOT_NOTIFIED_NOR_ENABLED,
  QUEUE_OFF,
  BROKEN_CHAIN,
  NO_INTERRUPT,
  NO_ROOM,
  POLL_NOT_NOTIFIED,
  POLL_NOT_READY,
  POLL_QUEUE_OFF,
  POLL_LEGACY,
  POLL_LARGE_QUEUE,
  POLL_EXCHANGED_RINGS,
  POLL_USED_FLAGS,
  POLL_READ_ONLY_BUFFER,
  POLL_BEYOND_WRITTEN,
  POLL_AFTER_RESET,
  POLL_WIDE_WRITE,
  POLL_CIRCLE,
  POLL_NEXT_OUTSIDE,
  POLL_INDEX_AHEAD,
  POLL_FLAG_NOT_NOTIFIED,
  ALL_DONE,
  BELL_MASKED,
  HIGH_THRESHOLD,
  POLL_STATUS,
  POLL_INTERRUPT_STATUS,
  CALL_REFUSED,
  RECEIVE_REFUSED,
  // It does all of them.
  REQUESTS,
  REQUESTS_POLLED,
  REQUESTS_AFTER_RESET,
  REQUESTS_BY_FLAG,
  REQUESTS_BY_TIMER,
  LISTENS,
  BELL_RUNG,
  MESSAGES_RECEIVED,
  CALL_REFUSED_OFTEN,
  POLL_QUEUE,
  POLL_DEVICE,
  // A timer ticks beside what it waits for.
  MESSAGES_BESIDE_TICKS,
  MESSAGES_AT_TICKS,
  BELL_BESIDE_TICKS,
  // A sender that fills its queue.
  FILL_AND_SLEEP,
  FILL_BESIDE_TICKS,
  FILL_AT_TICKS,
  FILL_AND_FORGET,
  FILL_UNASKED,
  FILL_AND_DROP,
  FILL_TO_THE_END,
  // The other side.
  RING,
  SEND_TWO,
  SEND_MANY,
  TAKE_ALL,
  TAKE_AND_ANSWER,
  TAKE_FIVE,
  TAKE_ON,
  // Network cards.
  HEAR_FRAMES,
  SEND_FRAMES,
  ANSWER_FRAMES,
  POLL_FRAMES,
};

// Registers (virtio 1.2 section 4.2.2).
enum {
  DEVICE_ID = 0x008, DRIVER_FEATURES = 0x020, DRIVER_FEATURES_SEL = 0x024, QUEUE_SEL = 0x030, QUEUE_NUM = 0x038, QUEUE_READY = 0x044,
  GUEST_PAGE_SIZE = 0x028, QUEUE_ALIGN = 0x03c, QUEUE_PFN = 0x040, QUEUE_NOTIFY = 0x050, INTERRUPT_STATUS = 0x060, INTERRUPT_ACK = 0x064, STATUS = 0x070, QUEUE_DESC = 0x080, QUEUE_DRIVER = 0x090,
  QUEUE_DEVICE = 0x0a0,
};
enum { READY = 15, SET_UP = 11, DRIVER_OK = 4, CONSOLE = 3, NET = 1, ENTROPY = 4, ENTRIES = 4, WRITABLE = 2, VERSION_1 = 1, NO_INTERRUPT_FLAG = 1 };

struct descriptor {
  uint64_t address;
  uint32_t length;
  uint16_t flags, next;
};
static volatile struct rings {
  struct descriptor descriptors[ENTRIES] __attribute__((aligned(16)));
  struct {
    uint16_t flags, index, ring[ENTRIES];
  } driver;
  struct {
    uint16_t flags, index;
    uint32_t ring[2 * ENTRIES];
  } device __attribute__((aligned(4)));
  char buffer[64];
} queue, sent;
static uint64_t device;
static volatile uint64_t sink;

static uint32_t reg(uint32_t offset) { return mmio_read32(device + offset); }
static void set(uint32_t offset, uint32_t value) { mmio_write32(device + offset, value); }
static void barrier(void) { asm volatile("dmb sy" ::: "memory"); }

static volatile bool acknowledged;
static void acknowledge(uint32_t intid) {
  (void)intid;
  acknowledged = true;
  set(INTERRUPT_ACK, reg(INTERRUPT_STATUS));
}

static void find(uint32_t id) {
  struct fdt_interrupt interrupt;
  fdt_node node = NULL;
  while ((node = fdt_next_compatible(node, "virtio,mmio"))) {
    device = fdt_cells2(node, "reg", 0);
    if (reg(DEVICE_ID) != id) continue;
    if (!fdt_interrupt(node, 0, &interrupt)) fail("no interrupt");
    irq_attach(interrupt.intid, interrupt.edge, acknowledge);
    return;
  }
  fail("no device");
}

static void place(uint32_t registers, volatile void *address) {
  set(registers, (uint32_t)(uintptr_t)address);
  set(registers + 4, (uint32_t)((uintptr_t)address >> 32));
}

static void add_queue(uint32_t number, volatile struct rings *rings, bool ready) {
  set(QUEUE_SEL, number);
  set(QUEUE_NUM, ENTRIES);
  place(QUEUE_DESC, rings->descriptors);
  place(QUEUE_DRIVER, &rings->driver);
  place(QUEUE_DEVICE, &rings->device);
  if (ready) set(QUEUE_READY, 1);
}

// Sets up queue 0 of a device up to a value of Status.
static void set_up(uint32_t id, bool queue_ready, uint32_t status) {
  find(id);
  set(STATUS, 1);
  set(STATUS, 3);
  set(DRIVER_FEATURES_SEL, 1);
  set(DRIVER_FEATURES, VERSION_1 | (boot_argument("platform", 0) ? 2 : 0));
  set(STATUS, SET_UP);
  add_queue(0, &queue, queue_ready);
  if (status != SET_UP) set(STATUS, status);
}

static void offer(uint64_t address) {
  queue.descriptors[0] = (struct descriptor){.address = address, .length = sizeof queue.buffer, .flags = WRITABLE};
  queue.driver.ring[queue.driver.index % ENTRIES] = 0;
  barrier();
  queue.driver.index++;
  barrier();
}

static void request(void) {
  offer((uintptr_t)queue.buffer);
  set(QUEUE_NOTIFY, 0);
}

// A frame to all: the header of virtio, and the addresses of Ethernet.
static void send_frame(void) {
  enum { HEADER = 12, FRAME = 14, ADDRESS = 6, SEND = 1 };
  for (int at = 0; at < ADDRESS; at++) sent.buffer[HEADER + at] = (char)0xff;
  sent.descriptors[0] = (struct descriptor){.address = (uintptr_t)sent.buffer, .length = HEADER + FRAME};
  sent.driver.ring[sent.driver.index % ENTRIES] = 0;
  barrier();
  sent.driver.index++;
  barrier();
  set(QUEUE_NOTIFY, SEND);
}

// A card with a queue for each direction, and room for a frame.
static void join_network(void) {
  set_up(NET, true, SET_UP);
  add_queue(1, &sent, true);
  set(STATUS, READY);
  request();
}

static _Noreturn void poll_for(uint16_t index) {
  irq_disable();
  while (queue.device.index != index) continue;
  print("answered\n");
  sleep_on();
}

// Makes what is offered available, and reads a byte of its buffer.
static _Noreturn void poll_buffer(int at) {
  barrier();
  set(QUEUE_NOTIFY, 0);
  irq_disable();
  while (!*(volatile char *)&queue.buffer[at]) continue;
  print("filled\n");
  sleep_on();
}

// Version 1: a page for descriptors and the available ring, and one for the used ring.
static struct { char descriptors[4096], used[4096]; } legacy __attribute__((aligned(4096)));
static _Noreturn void poll_legacy(void) {
  find(ENTROPY);
  for (uint32_t status = 0; status < 4; status += status + 1) set(STATUS, status);
  set(GUEST_PAGE_SIZE, 4096);
  set(QUEUE_SEL, 0);
  set(QUEUE_NUM, ENTRIES);
  set(QUEUE_ALIGN, 4096);
  set(QUEUE_PFN, (uint32_t)((uintptr_t)&legacy / 4096));
  set(STATUS, 7);
  set(QUEUE_NOTIFY, 0);
  irq_disable();
  while (!*(volatile uint16_t *)(legacy.used + 2)) continue;
  sleep_on();
}

// A request whose descriptor is followed by another one.
static _Noreturn void poll_chain(uint16_t next) {
  set_up(ENTROPY, true, READY);
  offer((uintptr_t)queue.buffer);
  queue.descriptors[0].flags |= 1;
  queue.descriptors[0].next = next;
  barrier();
  set(QUEUE_NOTIFY, 0);
  poll_for(1);
}

// Sleeps until the device has given back as many chains.
static void wait_for(uint16_t index) {
  while (queue.device.index != index) {
    irq_disable();
    if (queue.device.index != index) wait_for_interrupt();
    irq_enable();
    isb();
  }
}

static void doorbell_mask(uint64_t cap, uint64_t enabled) { HVC(0x6015, cap, enabled, 0, 0, 0); }
static void msgqueue_wake_receiver_at(uint64_t cap, uint64_t count) { HVC(0x6020, cap, count, -1, -1, 0); }

static void listen_to_bell(uint64_t mask) {
  struct fdt_interrupt rung;
  fdt_node node = doorbell_find("qcom,gunyah-doorbell");
  uint64_t cap = fdt_cells2(node, "reg", 0);
  if (!fdt_interrupt(node, 0, &rung)) fail("no bell");
  irq_attach(rung.intid, false, ignore);
  doorbell_mask(cap, mask);
  irq_disable();
  for (;;) {
    wait_for_interrupt();
    doorbell_receive(cap, ~0ull);
    irq_enable();
    isb();
    irq_disable();
  }
}

static void receive_messages(uint64_t threshold) {
  struct message_queue_pair messages = messages_find();
  irq_attach(messages.not_empty.intid, messages.not_empty.edge, ignore);
  msgqueue_wake_receiver_at(messages.rx, threshold);
  struct ball ball;
  irq_disable();
  for (;;) {
    wait_for_interrupt();
    while (ball_receive(&messages, &ball)) sink++;
    irq_enable();
    isb();
    irq_disable();
  }
}

static volatile bool arrived;

static void has_arrived(uint32_t intid) {
  (void)intid;
  arrived = true;
}

// Takes what has come when an interrupt says so, or at each tick, whatever interrupts it besides.
static _Noreturn void take_beside_ticks(struct fdt_interrupt line, bool (*take)(void), bool at_ticks) {
  irq_attach(line.intid, line.edge, has_arrived);
  timer_every(ticks_per_second() / 1000 * boot_argument("ms", 20));
  for (uint64_t ticks = 0;;) {
    irq_disable();
    if (!arrived && timer_ticks() == ticks) wait_for_interrupt();
    bool look = at_ticks ? timer_ticks() != ticks : arrived;
    ticks = timer_ticks();
    arrived = false;
    irq_enable();
    isb();
    while (look && take()) sink++;
  }
}

static void msgqueue_wake_sender_at(uint64_t cap, uint64_t count) { HVC(0x601f, cap, count, -1, -1, 0); }

static struct message_queue_pair link;
static __attribute__((noinline)) void find_link(void) {
  struct message_queue_pair pair = messages_find();
  link.tx = pair.tx, link.rx = pair.rx, link.not_full = pair.not_full, link.not_empty = pair.not_empty;
}

// Sends until the queue refuses a message. False: it has nothing left to do then.
static bool fill(void) {
  struct ball ball = {0};
  while (msgqueue_send(link.tx, &ball, sizeof ball, MSGQUEUE_SEND_PUSH).x[0] == GUNYAH_OK) sink++;
  return false;
}

static void listen_for_room(irq_handler handler) { irq_attach(link.not_full.intid, link.not_full.edge, handler); }

// The interrupt is masked from the refusal to the sleep.
static _Noreturn void fill_and_sleep(void) {
  irq_disable();
  for (listen_for_room(ignore);; irq_disable()) {
    fill();
    wait_for_interrupt();
    irq_enable();
    isb();
  }
}

// It has come between the refusal and the sleep, which does not look for it.
static _Noreturn void fill_and_forget(void) {
  listen_for_room(has_arrived);
  for (;;) {
    arrived = false;
    fill();
    while (!arrived) continue;
    wait_for_interrupt();
  }
}

// Sends once, and then takes what comes. Room is not asked for: what does not fit is dropped.
static _Noreturn void fill_and_take(bool takes) {
  struct ball ball;
  irq_disable();
  if (takes) irq_attach(link.not_empty.intid, link.not_empty.edge, ignore);
  fill();
  for (uint64_t until = now_ticks() + ticks_per_second() / 20; !takes && now_ticks() < until;) continue;
  for (;;) {
    wait_for_interrupt();
    while (takes && ball_receive(&link, &ball)) fill();
    irq_enable();
    isb();
    irq_disable();
  }
}

// Sends as many as fit, and has nothing else to send. It takes what comes.
static _Noreturn void fill_to_the_end(void) {
  struct ball ball = {0};
  irq_disable();
  listen_for_room(ignore);
  irq_attach(link.not_empty.intid, link.not_empty.edge, ignore);
  while (msgqueue_send(link.tx, &ball, sizeof ball, MSGQUEUE_SEND_PUSH).x[1]) sink++;
  for (;;) {
    wait_for_interrupt();
    while (ball_receive(&link, &ball)) sink++;
    irq_enable();
    isb();
    irq_disable();
  }
}

// Takes what has come at each tick, and may answer then.
static _Noreturn void take_all(bool answers) {
  struct ball ball;
  timer_every(ticks_per_second() / 50);
  for (;;) {
    wait_for_interrupt();
    while (ball_receive(&link, &ball)) sink++;
    if (answers) msgqueue_send(link.tx, &ball, sizeof ball, MSGQUEUE_SEND_PUSH);
  }
}

// Takes some messages, and waits until there are enough again.
static _Noreturn void take_some(int most, uint64_t enough) {
  struct ball ball;
  irq_disable();
  irq_attach(link.not_empty.intid, link.not_empty.edge, ignore);
  msgqueue_wake_receiver_at(link.rx, enough);
  for (;;) {
    for (int left = most; left && ball_receive(&link, &ball); left--) sink++;
    wait_for_interrupt();
    irq_enable();
    isb();
    irq_disable();
  }
}

static struct message_queue_pair taken_from;
static bool take_message(void) {
  struct ball ball;
  return ball_receive(&taken_from, &ball);
}

static _Noreturn void take_messages(bool at_ticks) {
  taken_from = messages_find();
  take_beside_ticks(taken_from.not_empty, take_message, at_ticks);
}

static uint64_t bell;
static bool take_flags(void) { return doorbell_receive(bell, ~0ull).x[1]; }

static _Noreturn void take_rings(void) {
  struct fdt_interrupt rung;
  fdt_node node = doorbell_find("qcom,gunyah-doorbell");
  bell = fdt_cells2(node, "reg", 0);
  if (!fdt_interrupt(node, 0, &rung)) fail("no bell");
  take_beside_ticks(rung, take_flags, false);
}

// Sends without a push: the receiver is woken at its threshold alone.
static void send(struct message_queue_pair messages) {
  struct ball ball = {0};
  msgqueue_send(messages.tx, &ball, sizeof ball, 0);
}

static _Noreturn void send_two(void) {
  struct message_queue_pair messages = messages_find();
  send(messages);
  send(messages);
  irq_attach(messages.not_empty.intid, messages.not_empty.edge, ignore);
  sleep_on();
}

static _Noreturn void send_many(void) {
  struct message_queue_pair messages = messages_find();
  timer_every(ticks_per_second() / 50);
  for (;;) {
    send(messages);
    wait_for_interrupt();
  }
}

void guest_main(void) {
  uint64_t which = boot_argument("case", ~0ull);
  uint16_t index = 0;
  irq_enable();
  switch (which) {
  case NOT_READY:
    set_up(ENTROPY, true, SET_UP);
    request();
    sleep_on();
  case NOT_NOTIFIED:
    set_up(ENTROPY, true, READY);
    offer((uintptr_t)queue.buffer);
    wait_for(1);
    break;
  case NOT_NOTIFIED_NOR_ENABLED:
    set_up(ENTROPY, true, READY);
    // GICD_ICENABLER of all SPIs.
    for (uint64_t word = 1; word < 4; word++) mmio_write32(0x8000180 + 4 * word, ~0u);
    offer((uintptr_t)queue.buffer);
    wait_for(1);
    break;
  case QUEUE_OFF:
    set_up(ENTROPY, false, READY);
    request();
    wait_for(1);
    break;
  case BROKEN_CHAIN:
    set_up(ENTROPY, true, READY);
    offer(0x70000000);
    set(QUEUE_NOTIFY, 0);
    wait_for(1);
    break;
  case NO_INTERRUPT:
    set_up(ENTROPY, true, READY);
    queue.driver.flags = NO_INTERRUPT_FLAG;
    request();
    sleep_on();
  case NO_ROOM:
    set_up(CONSOLE, true, READY);
    sleep_on();
  case POLL_NOT_NOTIFIED:
    set_up(ENTROPY, true, READY);
    offer((uintptr_t)queue.buffer);
    irq_disable();
    while (queue.device.index != 1) continue;
    break;
  case ALL_DONE:
    set_up(ENTROPY, true, READY);
    request();
    wait_for(1);
    sleep_on();
  case POLL_NOT_READY:
    set_up(ENTROPY, true, SET_UP);
    request();
    poll_for(1);
  case POLL_QUEUE_OFF:
    set_up(ENTROPY, false, READY);
    request();
    poll_for(1);
  case POLL_LEGACY: poll_legacy();
  case POLL_LARGE_QUEUE:
    set_up(ENTROPY, false, SET_UP);
    set(QUEUE_NUM, 2048);
    set(QUEUE_READY, 1);
    set(STATUS, READY);
    request();
    poll_for(1);
  case POLL_EXCHANGED_RINGS:
    set_up(ENTROPY, false, SET_UP);
    place(QUEUE_DRIVER, &queue.device);
    place(QUEUE_DEVICE, &queue.driver);
    set(QUEUE_READY, 1);
    set(STATUS, READY);
    request();
    poll_for(1);
  case POLL_USED_FLAGS:
    set_up(ENTROPY, true, READY);
    request();
    irq_disable();
    while (queue.device.flags != 1) continue;
    break;
  case POLL_READ_ONLY_BUFFER:
    set_up(ENTROPY, true, READY);
    offer((uintptr_t)queue.buffer);
    queue.descriptors[0].flags = 0;
    poll_buffer(0);
  case POLL_BEYOND_WRITTEN:
    set_up(ENTROPY, true, READY);
    offer((uintptr_t)queue.buffer);
    queue.descriptors[0].length = 0;
    poll_buffer(0);
  case POLL_AFTER_RESET:
    set_up(ENTROPY, true, READY);
    set(STATUS, 0);
    request();
    poll_for(1);
  case POLL_WIDE_WRITE:
    set_up(ENTROPY, false, SET_UP);
    place(QUEUE_DESC, NULL);
    mmio_write64(device + QUEUE_DESC, (uintptr_t)queue.descriptors);
    set(QUEUE_READY, 1);
    set(STATUS, READY);
    request();
    poll_for(1);
  case POLL_CIRCLE: poll_chain(0);
  case POLL_NEXT_OUTSIDE: poll_chain(99);
  case POLL_INDEX_AHEAD:
    set_up(ENTROPY, true, READY);
    queue.driver.index = 10;
    request();
    poll_for(1);
  case POLL_FLAG_NOT_NOTIFIED:
    set_up(ENTROPY, true, READY);
    offer((uintptr_t)queue.buffer);
    while (!acknowledged) continue;
    break;
  case REQUESTS_BY_FLAG:
    for (set_up(ENTROPY, true, READY);; sink++) {
      acknowledged = false;
      request();
      while (!acknowledged) continue;
    }
  case POLL_STATUS:
    find(ENTROPY);
    set(STATUS, 1);
    while (!(reg(STATUS) & DRIVER_OK)) continue;
    break;
  case POLL_INTERRUPT_STATUS:
    set_up(ENTROPY, true, READY);
    offer((uintptr_t)queue.buffer);
    irq_disable();
    while (!reg(INTERRUPT_STATUS)) continue;
    break;
  case POLL_DEVICE:
    set_up(ENTROPY, true, READY);
    irq_disable();
    for (;;) {
      request();
      while (!reg(INTERRUPT_STATUS)) continue;
      set(INTERRUPT_ACK, 1);
    }
  case CALL_REFUSED:
    while (doorbell_send(0x1234, 1).x[0]) continue;
    break;
  case RECEIVE_REFUSED:
    for (struct message_queue_pair messages = messages_find();;) {
      if (!msgqueue_receive(messages.rx, (void *)0x70000000, sizeof(struct ball)).x[0]) break;
    }
    break;
  case CALL_REFUSED_OFTEN:
    for (uint64_t left = 1u << 16; left && doorbell_send(0x1234, 1).x[0]; left--) continue;
    timer_every(ticks_per_second() / 50);
    sleep_on();
  case POLL_QUEUE:
    for (struct message_queue_pair messages = messages_find();;) {
      struct ball ball;
      if (ball_receive(&messages, &ball)) sink++;
    }
  case BELL_MASKED: listen_to_bell(0); break;
  case BELL_RUNG: listen_to_bell(1); break;
  case HIGH_THRESHOLD: receive_messages(8); break;
  case MESSAGES_RECEIVED: receive_messages(2); break;
  case MESSAGES_BESIDE_TICKS: take_messages(false);
  case MESSAGES_AT_TICKS: take_messages(true);
  case BELL_BESIDE_TICKS: take_rings();
  case REQUESTS:
    set_up(ENTROPY, true, READY);
    for (;;) {
      request();
      wait_for(++index);
      sink += queue.buffer[0];
    }
  case REQUESTS_AFTER_RESET:
    // What was wrong at first does no harm after it.
    set_up(ENTROPY, true, READY);
    mmio_write64(device + QUEUE_DESC, 0);
    set(STATUS, 0);
    set_up(ENTROPY, true, READY);
    mmio_write64(device + QUEUE_DRIVER, 0);
    for (;; sink++) {
      request();
      wait_for(++index);
    }
  case REQUESTS_POLLED:
    set_up(ENTROPY, true, READY);
    queue.driver.flags = NO_INTERRUPT_FLAG;
    for (;;) {
      request();
      index++;
      while (queue.device.index != index) continue;
    }
  case REQUESTS_BY_TIMER:
    set_up(ENTROPY, true, READY);
    queue.driver.flags = NO_INTERRUPT_FLAG;
    timer_every(ticks_per_second() / 100);
    for (;;) {
      request();
      wait_for(++index);
    }
  case LISTENS:
    set_up(CONSOLE, true, READY);
    request();
    sleep_on();
  case HEAR_FRAMES:
    join_network();
    for (;; request()) wait_for(++index), sink++;
  case POLL_FRAMES:
    join_network();
    irq_disable();
    for (;; request()) {
      index++;
      while (queue.device.index != index) continue;
    }
  case ANSWER_FRAMES:
    join_network();
    for (;; request()) wait_for(++index), send_frame();
  case SEND_FRAMES:
    join_network();
    timer_every(ticks_per_second() / 50);
    for (;;) send_frame(), wait_for_interrupt();
  case FILL_AND_SLEEP:
    find_link();
    if (boot_argument("empty", 0)) msgqueue_wake_sender_at(link.tx, 0);
    fill_and_sleep();
  case FILL_BESIDE_TICKS:
    find_link();
    fill();
    take_beside_ticks(link.not_full, fill, false);
  case FILL_AT_TICKS:
    find_link();
    fill();
    take_beside_ticks(link.not_full, fill, true);
  case FILL_AND_FORGET:
    find_link();
    fill_and_forget();
  case FILL_UNASKED:
    find_link();
    fill_and_take(false);
  case FILL_AND_DROP:
    find_link();
    fill_and_take(true);
  case FILL_TO_THE_END:
    find_link();
    fill_to_the_end();
  case TAKE_ALL:
    find_link();
    take_all(false);
  case TAKE_AND_ANSWER:
    find_link();
    take_all(true);
  case TAKE_FIVE:
    find_link();
    take_some(5, 8);
  case TAKE_ON:
    find_link();
    take_some(8, 1);
  case RING:
    timer_every(ticks_per_second() / 50);
    do {
      doorbell_send(fdt_cells2(doorbell_find("qcom,gunyah-doorbell-source"), "reg", 0), 1);
      wait_for_interrupt();
    } while (!boot_argument("once", 0));
    sleep_on();
  case SEND_TWO: send_two();
  case SEND_MANY: send_many();
  }
  print("case %u has no effect\n", which);
  sleep_on();
}
