// teletype: a driver of a virtio console (virtio 1.2 sections 2.7, 4.2 and 5.3), by polling its
// rings and sleeping until its interrupt. It says what it found, and gives back every line that is
// typed. Lines that it obeys: `reset` resets the device and begins anew, `off` powers off. Which of
// the VM's virtio-mmio devices it takes: the first console.
#include "../common/guest.h"

// Registers (section 4.2.2).
enum {
  MAGIC = 0x000,
  VERSION = 0x004,
  DEVICE_ID = 0x008,
  DEVICE_FEATURES = 0x010,
  DEVICE_FEATURES_SEL = 0x014,
  DRIVER_FEATURES = 0x020,
  DRIVER_FEATURES_SEL = 0x024,
  QUEUE_SEL = 0x030,
  QUEUE_NUM_MAX = 0x034,
  QUEUE_NUM = 0x038,
  QUEUE_READY = 0x044,
  QUEUE_NOTIFY = 0x050,
  INTERRUPT_STATUS = 0x060,
  INTERRUPT_ACK = 0x064,
  STATUS = 0x070,
  QUEUE_DESC = 0x080,
  QUEUE_DRIVER = 0x090,
  QUEUE_DEVICE = 0x0a0,
};
enum { ACKNOWLEDGE = 1, DRIVER = 2, DRIVER_OK = 4, FEATURES_OK = 8 };
enum { ID_CONSOLE = 3, MAGIC_VALUE = 0x74726976 };
// Bits of the second word of features.
enum { VERSION_1 = 1 << 0, ACCESS_PLATFORM = 1 << 1 };
enum { RECEIVE = 0, TRANSMIT = 1, QUEUES = 2, ENTRIES = 4, WRITABLE = 2 };
enum { LINE = 64 };

struct descriptor {
  uint64_t address;
  uint32_t length;
  uint16_t flags, next;
};
struct used_entry {
  uint32_t id, length;
};
// A split queue whose descriptor n has buffer n.
struct queue {
  struct descriptor descriptors[ENTRIES] __attribute__((aligned(16)));
  struct {
    uint16_t flags, index, ring[ENTRIES];
  } driver;
  struct {
    uint16_t flags, index;
    struct used_entry ring[ENTRIES];
  } device __attribute__((aligned(4)));
  char buffers[ENTRIES][LINE];
  // Entries of the used ring that were looked at.
  uint16_t seen;
};

static volatile struct queue queues[QUEUES];
static uint64_t device;

static uint32_t reg(uint32_t offset) { return mmio_read32(device + offset); }
static void set(uint32_t offset, uint32_t value) { mmio_write32(device + offset, value); }
static void barrier(void) { asm volatile("dmb sy" ::: "memory"); }

static void offer(uint32_t number, uint32_t entry, uint32_t length) {
  volatile struct queue *queue = &queues[number];
  queue->descriptors[entry].address = (uintptr_t)queue->buffers[entry];
  queue->descriptors[entry].length = length;
  queue->descriptors[entry].flags = number == RECEIVE ? WRITABLE : 0;
  queue->driver.ring[queue->driver.index % ENTRIES] = (uint16_t)entry;
  barrier();
  queue->driver.index++;
  barrier();
  set(QUEUE_NOTIFY, number);
}

// The next entry that the device has used; false where there is none.
static bool used(uint32_t number, struct used_entry *out) {
  volatile struct queue *queue = &queues[number];
  if (queue->device.index == queue->seen) return false;
  barrier();
  out->id = queue->device.ring[queue->seen % ENTRIES].id;
  out->length = queue->device.ring[queue->seen % ENTRIES].length;
  queue->seen++;
  return true;
}

// The device's interrupt ends a sleep; what it is about is in the rings.
static void acknowledge(uint32_t intid) {
  (void)intid;
  set(INTERRUPT_ACK, reg(INTERRUPT_STATUS));
}

static void wait_for_used(uint32_t number, struct used_entry *entry) {
  while (!used(number, entry)) {
    irq_disable();
    if (queues[number].device.index == queues[number].seen) wait_for_interrupt();
    irq_enable();
  }
}

// Shows a text and waits until the device has taken it. A number is appended where it is not
// negative.
static void say(const char *text, int64_t number) {
  volatile char *buffer = queues[TRANSMIT].buffers[0];
  uint32_t length = 0;
  // The last place is the end of the line's.
  while (*text && length < LINE - 1) buffer[length++] = *text++;
  if (number >= 0) {
    char digits[20];
    uint32_t count = 0;
    do digits[count++] = (char)('0' + number % 10);
    while (number /= 10);
    while (count && length < LINE - 1) buffer[length++] = digits[--count];
  }
  buffer[length++] = '\n';
  offer(TRANSMIT, 0, length);
  struct used_entry entry;
  wait_for_used(TRANSMIT, &entry);
}

static void place(uint32_t registers, volatile void *address) {
  set(registers, (uint32_t)(uintptr_t)address);
  set(registers + 4, (uint32_t)((uintptr_t)address >> 32));
}

static void begin(void) {
  set(STATUS, ACKNOWLEDGE);
  set(STATUS, ACKNOWLEDGE | DRIVER);
  set(DEVICE_FEATURES_SEL, 1);
  uint32_t offered = reg(DEVICE_FEATURES);
  if (!(offered & VERSION_1)) fail("the device has no VERSION_1");
  set(DRIVER_FEATURES_SEL, 0);
  set(DRIVER_FEATURES, 0);
  set(DRIVER_FEATURES_SEL, 1);
  set(DRIVER_FEATURES, offered & (VERSION_1 | ACCESS_PLATFORM));
  set(STATUS, ACKNOWLEDGE | DRIVER | FEATURES_OK);
  if (!(reg(STATUS) & FEATURES_OK)) fail("the device refuses its own features");
  for (uint32_t number = 0; number < QUEUES; number++) {
    volatile struct queue *queue = &queues[number];
    set(QUEUE_SEL, number);
    if (reg(QUEUE_READY) || reg(QUEUE_NUM_MAX) < ENTRIES) fail("a queue is in use already, or too small");
    queue->driver.index = queue->device.index = queue->seen = 0;
    set(QUEUE_NUM, ENTRIES);
    place(QUEUE_DESC, queue->descriptors);
    place(QUEUE_DRIVER, &queue->driver);
    place(QUEUE_DEVICE, &queue->device);
    set(QUEUE_READY, 1);
  }
  set(STATUS, ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK);
  for (uint32_t entry = 0; entry < ENTRIES; entry++) offer(RECEIVE, entry, LINE);
}

// A device that needs time keeps its status until the reset is done (section 2.1.2).
static void reset(void) {
  set(STATUS, 0);
  while (reg(STATUS)) asm volatile("yield");
  begin();
  say("reset", -1);
}

static bool is(const char *line, const char *word) {
  while (*word && *line == *word) line++, word++;
  return *line == *word;
}

static void obey(const char *line) {
  if (is(line, "reset")) reset();
  else if (is(line, "off")) say("bye", -1), power_off();
  else say(line, -1);
}

// Finds the console, with its interrupt.
static fdt_node find(void) {
  for (fdt_node node = NULL; (node = fdt_next_compatible(node, "virtio,mmio"));) {
    device = fdt_cells2(node, "reg", 0);
    if (reg(MAGIC) == MAGIC_VALUE && reg(VERSION) == 2 && reg(DEVICE_ID) == ID_CONSOLE) return node;
  }
  return NULL;
}

void guest_main(void) {
  fdt_node node = find();
  struct fdt_interrupt interrupt;
  if (!node || !fdt_interrupt(node, 0, &interrupt)) fail("no virtio console");
  irq_attach(interrupt.intid, interrupt.edge, acknowledge);
  begin();
  say("teletype, interrupt ", interrupt.intid);
  char text[LINE], line[LINE + 1];
  for (uint32_t length = 0;;) {
    struct used_entry entry;
    wait_for_used(RECEIVE, &entry);
    if (entry.id >= ENTRIES || entry.length > LINE) fail("the device uses what was not offered");
    for (uint32_t at = 0; at < entry.length; at++) text[at] = queues[RECEIVE].buffers[entry.id][at];
    offer(RECEIVE, entry.id, LINE);
    for (uint32_t at = 0; at < entry.length; at++) {
      if (text[at] != '\n' && length < LINE) line[length++] = text[at];
      if (text[at] != '\n') continue;
      line[length] = 0;
      length = 0;
      obey(line);
    }
  }
}
