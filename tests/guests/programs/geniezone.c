// A bare-metal primary VM on the run-time system of our guests (assets/guests/common): the driver
// and VMM of a GenieZone VM (docs/spec/geniezone.md §2 to §6), and of a Gunyah VM beside it
// (docs/spec/resource-manager.md §3). The initial ramdisk says what they have: see struct bundle.
// Boot arguments: smc=1 makes GenieZone's calls by SMC; lazy=1 gives the GenieZone VM its pages
// when it misses them, one by one; blocks=1 as the driver of Linux 6.1 does: a region without
// constituents, and blocks of 2 MiB; protected=1 protects it.
#include "../../../assets/guests/common/guest.h"

// ---- the bundle ----

struct blob { uint64_t address, offset, size; };
struct call { uint64_t function, arguments[5]; };
struct bundle {
  // Number of blobs to copy, and of packets for the Resource Manager: both follow, blobs first.
  uint64_t blobs, packets;
  // Calls to make and report before anything else: their number, and offset in the bundle.
  uint64_t calls, calls_offset;
  // Memory of the GenieZone VM here and in the guest, its entry, devicetree and GIC.
  uint64_t memory, size, guest, entry, devicetree, distributor, redistributor;
  // Whether there is a Gunyah VM.
  uint64_t gunyah;
  struct blob entries[];
};

// ---- calls ----

enum { PAGE = 4096, BLOCK = 512 * PAGE, GZVM = 0xfb001000, EXITS = 0x92920000 };
enum {
  CREATE_VM = 0,
  DESTROY_VM = 1,
  CREATE_VCPU = 2,
  SET_MEMREGION = 4,
  RUN = 5,
  SET_ONE_REG = 9,
  IRQ_LINE = 10,
  CREATE_DEVICE = 11,
  PROBE = 12,
  ENABLE_CAP = 13,
  MEMREGION_PURPOSE = 15,
  SET_DTB_CONFIG = 16,
  MAP_GUEST = 17,
  MAP_GUEST_BLOCK = 18,
  GET_STATISTICS = 19,
};
enum { CAP_BLOCKS = 0x9201, CAP_DEMAND_PAGING = 0x9202, CAP_IDLE = 0x9203, CAP_PROTECTED = 0xffbadab1, SET_PROTECTED = 2 };
enum { EXIT_MMIO = 1, EXIT_IRQ = 3, EXIT_EXCEPTION = 4, EXIT_SYSTEM_EVENT = 8, EXIT_GZ = 10, EXIT_IDLE = 11, EXIT_IPI = 13 };

static bool by_smc, lazy, blocks;

// One instruction per conduit, with X0 to X5.
#define CALL(instruction)                                                                                                    \
  asm volatile(instruction                                                                                                   \
               : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3), "+r"(x4), "+r"(x5)                                                  \
               :                                                                                                             \
               : "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15", "x16", "x17", "memory")

static struct call_result gzvm(uint64_t function, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5) {
  register uint64_t x0 asm("x0") = GZVM + function;
  register uint64_t x1 asm("x1") = a1;
  register uint64_t x2 asm("x2") = a2;
  register uint64_t x3 asm("x3") = a3;
  register uint64_t x4 asm("x4") = a4;
  register uint64_t x5 asm("x5") = a5;
  if (by_smc) CALL("smc #0");
  else CALL("hvc #0");
  return (struct call_result){{x0, x1, x2, x3}};
}

static uint64_t must_map(uint32_t function, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5) {
  struct call_result result = gzvm(function, a1, a2, a3, a4, a5);
  if (result.x[0]) {
    print("GenieZone's call %u: error %x\n", (uint64_t)function, result.x[0]);
    fail("refused");
  }
  return result.x[1];
}

static uint64_t must(uint32_t function, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4) {
  return must_map(function, a1, a2, a3, a4, 0);
}

// ---- the serial port of a VM: a PL011 (Arm DDI 0183) ----

enum { UARTDR = 0x00, UARTFR = 0x18, UARTIMSC = 0x38, UARTRIS = 0x3c, UARTMIS = 0x40, UARTICR = 0x44, UARTPERIPHID = 0xfe0 };
enum { PL011 = 0x09000000, PL011_SPI = 1, FR_EMPTY = 0x80, FR_NOTHING = 0x10, RX = 0x10, LINE = 128 };

struct serial {
  uint32_t mask, length;
  int typed;
  // Output goes to our console as it is; else line by line.
  bool raw;
  char line[LINE];
};

static void serial_put(struct serial *serial, char c) {
  if (serial->raw) {
    print_char(c);
    return;
  }
  if (c == '\r') return;
  if (c != '\n' && serial->length < LINE - 1) {
    serial->line[serial->length++] = c;
    return;
  }
  serial->line[serial->length] = 0;
  serial->length = 0;
  print("gunyah: %s\n", serial->line);
}

static uint64_t serial_access(struct serial *serial, uint64_t address, uint64_t value, bool write) {
  static const uint8_t identity[8] = {0x11, 0x10, 0x14, 0x00, 0x0d, 0xf0, 0x05, 0xb1};
  uint64_t offset = address - PL011;
  if (write) {
    if (offset == UARTDR) serial_put(serial, (char)value);
    if (offset == UARTIMSC) serial->mask = (uint32_t)value;
    return 0;
  }
  uint32_t pending = serial->typed >= 0 ? RX : 0;
  if (offset >= UARTPERIPHID && offset < UARTPERIPHID + 32) return identity[(offset - UARTPERIPHID) / 4];
  switch (offset) {
  case UARTFR: return FR_EMPTY | (pending ? 0 : FR_NOTHING);
  case UARTIMSC: return serial->mask;
  case UARTRIS: return pending;
  case UARTMIS: return pending & serial->mask;
  case UARTDR: {
    int c = serial->typed;
    serial->typed = -1;
    return c < 0 ? 0 : (uint64_t)c;
  }
  default: return 0;
  }
}

// ---- the GenieZone VM ----

static struct {
  uint32_t slot, constituents;
  uint64_t pages, address;
  struct { uint64_t address; uint32_t pages, reserved; } parts[1];
} region __attribute__((aligned(PAGE)));
// Frames of a block's pages.
static uint64_t frames[BLOCK / PAGE] __attribute__((aligned(PAGE)));
static struct { uint32_t type, id; uint64_t flags, address, size, attributes, attribute_size; } device __attribute__((aligned(64)));
static volatile struct {
  uint32_t reason;
  uint32_t padding;
  uint64_t address, data, size;
  uint32_t reg;
  uint8_t is_write;
  uint8_t rest[2 * PAGE - 37];
} shared __attribute__((aligned(PAGE)));
static uint64_t vm, exits[16];
static struct serial gz_serial = {.typed = -1, .raw = true};

static uint64_t core_register(uint64_t index) { return 0x6030000000100000 | index; }

static void add_device(uint32_t type, uint64_t address, uint64_t size) {
  device.type = type;
  device.address = address;
  device.size = size;
  must(CREATE_DEVICE, vm, (uintptr_t)&device, 0, 0);
}

static void geniezone_start(const struct bundle *bundle) {
  print("GenieZone %u by %s\n", must(PROBE, 16, 0, 0, 0), by_smc ? "SMC" : "HVC");
  vm = must(CREATE_VM, 0, 0, 0, 0);
  if (blocks) must(ENABLE_CAP, vm, CAP_BLOCKS, BLOCK, (uintptr_t)frames);
  must(MEMREGION_PURPOSE, vm, bundle->guest, bundle->size, blocks ? 0 : 1);
  region.constituents = blocks ? 0 : 1;
  region.pages = bundle->size / PAGE;
  region.address = bundle->guest;
  region.parts[0].address = bundle->memory;
  region.parts[0].pages = (uint32_t)region.pages;
  if (lazy) must(ENABLE_CAP, vm, CAP_DEMAND_PAGING, 0, 0);
  else must(SET_MEMREGION, vm, PAGE, (uintptr_t)&region, 0);
  add_device(0, bundle->distributor, 0x10000);
  add_device(1, bundle->redistributor, 0x20000);
  must(CREATE_VCPU, vm << 16, (uintptr_t)&shared, 0, 0);
  must(SET_DTB_CONFIG, vm, bundle->devicetree, 0x1000, 0);
  must(SET_ONE_REG, vm << 16, core_register(64), bundle->entry, 0);
  must(SET_ONE_REG, vm << 16, core_register(0), bundle->devicetree, 0);
  must(ENABLE_CAP, vm, CAP_IDLE, 0, 0);
  if (boot_argument("protected", 0)) must(ENABLE_CAP, vm, CAP_PROTECTED, SET_PROTECTED, 0);
}

// Gives the VM the page that it misses, or all of its block.
static void geniezone_give(const struct bundle *bundle, uint64_t missing) {
  if (!blocks) {
    must_map(MAP_GUEST, vm, 0, missing - bundle->guest / PAGE + bundle->memory / PAGE, missing, 1);
    return;
  }
  uint64_t first = (missing - bundle->guest / PAGE) / (BLOCK / PAGE) * (BLOCK / PAGE);
  for (uint64_t page = 0; page < BLOCK / PAGE; page++) frames[page] = bundle->memory / PAGE + first + page;
  must(MAP_GUEST_BLOCK, vm, 0, bundle->guest / PAGE + first, BLOCK / PAGE);
}

// Whether it continues; `idle` is set if it waits for an interrupt.
static bool geniezone_run(const struct bundle *bundle, bool *idle) {
  if (gz_serial.typed < 0 && (gz_serial.mask & RX) && (gz_serial.typed = console_read()) >= 0) must(IRQ_LINE, vm << 16, PL011_SPI, 1, 0);
  uint64_t reason = must(RUN, vm << 16, 0, 0, 0) - EXITS;
  if (reason < 16) exits[reason]++;
  *idle = reason == EXIT_IDLE;
  switch (reason) {
  case EXIT_MMIO: {
    uint64_t value = serial_access(&gz_serial, shared.address, shared.data, shared.is_write);
    if (!shared.is_write) shared.data = value;
    return true;
  }
  case EXIT_IRQ:
  case EXIT_GZ:
  case EXIT_IDLE:
  case EXIT_IPI: return true;
  case EXIT_EXCEPTION: {
    // The address of a page fault follows its kind and code.
    uint64_t missing = shared.data / PAGE;
    if (!(lazy || blocks) || (shared.address & 0xffffffff) != 1) fail("an exception that is not a page fault");
    geniezone_give(bundle, missing);
    return true;
  }
  case EXIT_SYSTEM_EVENT: print("GenieZone VM: system event %u\n", shared.address & 0xffffffff); break;
  default: print("GenieZone VM: exit %u\n", reason);
  }
  struct call_result statistics = gzvm(GET_STATISTICS, vm, 0, 0, 0, 0);
  print("GenieZone VM: %u private, %u shared; %u MMIO, %u idle\n", statistics.x[1], statistics.x[2], exits[EXIT_MMIO], exits[EXIT_IDLE]);
  must(DESTROY_VM, vm, 0, 0, 0);
  return false;
}

// ---- the Gunyah VM ----

enum { PACKET = 240, HEADER = 8, REPLY = 2, VCPU_RUN = 0x6065, RESOURCE_VCPU = 4, RESOURCE_SIZE = 44 };
enum { MEM_SHARE = 0x51000013, VM_CONFIG_IMAGE = 0x56000009, VM_GET_HYP_RESOURCES = 0x56000020 };
enum { STATE_POWERED_OFF = 2, STATE_READ = 4, STATE_WRITE = 5, STATE_EXPECTS_WAKEUP = 1, STATE_FAULT = 6 };

static uint8_t packet[PACKET] __attribute__((aligned(8))), reply[16 * PACKET] __attribute__((aligned(8)));
static uint64_t tx, rx, vcpu;
static struct serial gunyah_serial = {.typed = -1};

static uint32_t word(const uint8_t *at) { return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24; }

static void copy(uint8_t *to, const uint8_t *from, uint64_t size) {
  for (; size >= 8; size -= 8, to += 8, from += 8) *(uint64_t *)to = *(const uint64_t *)from;
  while (size--) *to++ = *from++;
}

// Sends a request and waits for its reply, whose payload is at `reply`; gives its size.
static uint64_t request(uint64_t size) {
  static uint16_t sequence;
  sequence++;
  packet[2] = (uint8_t)sequence;
  packet[3] = (uint8_t)(sequence >> 8);
  if (msgqueue_send(tx, packet, size, MSGQUEUE_SEND_PUSH).x[0]) fail("the request is not sent");
  static uint8_t received[PACKET] __attribute__((aligned(8)));
  uint64_t filled = 0, more = 1;
  while (more) {
    struct call_result result = msgqueue_receive(rx, received, PACKET);
    if (result.x[0] == GUNYAH_MSGQUEUE_EMPTY) continue;
    if (result.x[0]) fail("no reply is received");
    bool ours = received[2] == packet[2] && received[3] == packet[3];
    uint32_t type = received[1] & 3;
    if (!ours || (type != REPLY && type != 0)) continue;
    if (type == REPLY) more = (uint64_t)(received[1] >> 2) + 1;
    copy(reply + filled, received + HEADER, result.x[1] - HEADER);
    filled += result.x[1] - HEADER;
    more--;
  }
  if (word(reply)) {
    print("request %x: error %u\n", (uint64_t)word(packet + 4), (uint64_t)word(reply));
    fail("refused");
  }
  return filled;
}

static void gunyah_start(const struct bundle *bundle) {
  fdt_node link = fdt_next_compatible(NULL, "gunyah-resource-manager");
  if (!link) fail("no Resource Manager");
  tx = fdt_cells2(link, "reg", 0);
  rx = fdt_cells2(link, "reg", 1);
  uint32_t handle = 0;
  for (uint64_t index = 0; index < bundle->packets; index++) {
    const struct blob *blob = &bundle->entries[bundle->blobs + index];
    copy(packet, (const uint8_t *)bundle + blob->offset, blob->size);
    uint32_t id = word(packet + 4);
    if (id == VM_CONFIG_IMAGE) copy(packet + HEADER + 4, (const uint8_t *)&handle, 4);
    request(blob->size);
    if (id == MEM_SHARE) handle = word(reply + 4);
    if (id != VM_GET_HYP_RESOURCES) continue;
    for (uint32_t entry = 0; entry < word(reply + 4); entry++) {
      const uint8_t *at = reply + 8 + entry * RESOURCE_SIZE;
      if (at[0] == RESOURCE_VCPU) vcpu = word(at + 12) | (uint64_t)word(at + 16) << 32;
    }
  }
  if (!vcpu) fail("the Gunyah VM has no vCPU");
}

static bool gunyah_run(bool *idle) {
  static uint64_t resume;
  register uint64_t x0 asm("x0") = vcpu;
  register uint64_t x1 asm("x1") = resume;
  register uint64_t x2 asm("x2") = 0;
  register uint64_t x3 asm("x3") = 0;
  register uint64_t x4 asm("x4") = 0;
  asm volatile("hvc %5"
               : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3), "+r"(x4)
               : "i"(VCPU_RUN)
               : "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15", "x16", "x17", "memory");
  uint64_t error = x0, state = x1, address = x2, value = x4;
  if (error) {
    print("vcpu_run: error %u\n", error);
    fail("refused");
  }
  resume = 0;
  *idle = state == STATE_EXPECTS_WAKEUP;
  if (state == STATE_READ || state == STATE_WRITE) resume = serial_access(&gunyah_serial, address, value, state == STATE_WRITE);
  if (state != STATE_POWERED_OFF && state != STATE_FAULT) return true;
  print("Gunyah VM: state %u\n", state);
  return false;
}

// ---- both ----

void guest_main(void) {
  if (!fdt_next_compatible(NULL, "mediatek,geniezone-hyp")) fail("no GenieZone");
  by_smc = boot_argument("smc", 0);
  const struct bundle *bundle = (const struct bundle *)fdt_cells2(fdt_named("chosen"), "linux,initrd-start", 0);
  for (uint64_t index = 0; index < bundle->blobs; index++) {
    const struct blob *blob = &bundle->entries[index];
    copy((uint8_t *)blob->address, (const uint8_t *)bundle + blob->offset, blob->size);
  }
  lazy = boot_argument("lazy", 0);
  blocks = boot_argument("blocks", 0);
  const struct call *calls = (const struct call *)((const uint8_t *)bundle + bundle->calls_offset);
  for (uint64_t index = 0; index < bundle->calls; index++) {
    const uint64_t *a = calls[index].arguments;
    struct call_result result = gzvm(calls[index].function, a[0], a[1], a[2], a[3], a[4]);
    print("call %u: %x %x %x\n", calls[index].function, result.x[0], result.x[1], result.x[2]);
  }
  timer_every(ticks_per_second() / 1000);
  bool gunyah = bundle->gunyah, geniezone = true;
  if (gunyah) gunyah_start(bundle);
  geniezone_start(bundle);
  while (geniezone || gunyah) {
    bool waits[2] = {true, true};
    irq_disable();
    if (geniezone) geniezone = geniezone_run(bundle, &waits[0]);
    if (gunyah) gunyah = gunyah_run(&waits[1]);
    if (waits[0] && waits[1]) wait_for_interrupt();
    irq_enable();
  }
  print("both have ended\n");
}
