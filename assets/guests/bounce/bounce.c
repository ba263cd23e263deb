// bounce: reads the first sector of a disk by virtio over PCI (virtio 1.2 sections 2.7, 4.1 and
// 5.2) on crosvm's platform, by polling, shows its text and powers off. Where the device wants
// accesses by the platform's rules (ACCESS_PLATFORM) and there is a restricted-dma-pool, queue and
// buffers are in that pool, and the sector is copied out of it; `pool=0` ignores the pool, as
// kernels without CONFIG_DMA_RESTRICTED_POOL do.
#include "../common/guest.h"

// Configuration space (PCI 3.0 chapter 6).
enum { PCI_ID = 0x00, PCI_COMMAND = 0x04, PCI_BAR0 = 0x10, PCI_CAPABILITIES = 0x34, CAPABILITY_VENDOR = 9 };
enum { COMMAND_MEMORY = 2, COMMAND_MASTER = 4, DEVICES = 32, BLOCK_ID = 0x10421af4 };
// Structures that capabilities lead to (section 4.1.4), and fields of the common one.
enum { COMMON = 1, NOTIFY = 2, STRUCTURES = 6 };
enum {
  DEVICE_FEATURE_SELECT = 0x00,
  DEVICE_FEATURE = 0x04,
  DRIVER_FEATURE_SELECT = 0x08,
  DRIVER_FEATURE = 0x0c,
  DEVICE_STATUS = 0x14,
  QUEUE_SELECT = 0x16,
  QUEUE_SIZE = 0x18,
  QUEUE_ENABLE = 0x1c,
  QUEUE_NOTIFY_OFF = 0x1e,
  QUEUE_DESC = 0x20,
  QUEUE_DRIVER = 0x28,
  QUEUE_DEVICE = 0x30,
};
enum { ACKNOWLEDGE = 1, DRIVER = 2, DRIVER_OK = 4, FEATURES_OK = 8 };
// Bits of the second word of features.
enum { VERSION_1 = 1 << 0, ACCESS_PLATFORM = 1 << 1 };
enum { ENTRIES = 4, NEXT = 1, WRITABLE = 2, SECTOR = 512, LINE_STATUS = 5, TRANSMITTER_EMPTY = 0x20 };

struct memory {
  struct {
    uint64_t address;
    uint32_t length;
    uint16_t flags, next;
  } descriptors[ENTRIES] __attribute__((aligned(16)));
  struct {
    uint16_t flags, index, ring[ENTRIES];
  } driver;
  struct {
    uint16_t flags, index;
    struct { uint32_t id, length; } ring[ENTRIES];
  } device __attribute__((aligned(4)));
  struct { uint32_t type, reserved; uint64_t sector; } header __attribute__((aligned(8)));
  uint8_t data[SECTOR], status;
};

static volatile struct memory own;
static uint64_t serial, config, structures[STRUCTURES], notify_step;

static void say(const char *text) {
  for (; *text; text++) {
    while (!(*(volatile uint8_t *)(serial + LINE_STATUS) & TRANSMITTER_EMPTY)) continue;
    *(volatile uint8_t *)serial = (uint8_t)*text;
  }
}

_Noreturn static void refuse(const char *why) {
  say("bounce: ");
  say(why);
  say("\r\n");
  power_off();
}

static uint32_t read16(uint64_t address) { return *(volatile uint16_t *)address; }
static void write16(uint64_t address, uint32_t value) { *(volatile uint16_t *)address = (uint16_t)value; }
static uint32_t read8(uint64_t address) { return *(volatile uint8_t *)address; }
static void write8(uint64_t address, uint32_t value) { *(volatile uint8_t *)address = (uint8_t)value; }
static void barrier(void) { asm volatile("dmb sy" ::: "memory"); }

// Finds the first disk, and where its structures are.
static bool find(uint64_t space) {
  for (uint32_t slot = 0; slot < DEVICES; slot++) {
    config = space + (slot << 11);
    if (mmio_read32(config + PCI_ID) != BLOCK_ID) continue;
    uint64_t bar = (uint64_t)mmio_read32(config + PCI_BAR0 + 4) << 32 | (mmio_read32(config + PCI_BAR0) & ~15u);
    write16(config + PCI_COMMAND, COMMAND_MEMORY | COMMAND_MASTER);
    for (uint32_t at = read8(config + PCI_CAPABILITIES); at; at = read8(config + at + 1)) {
      uint32_t type = read8(config + at + 3);
      if (read8(config + at) != CAPABILITY_VENDOR || type >= STRUCTURES) continue;
      structures[type] = bar + mmio_read32(config + at + 8);
      if (type == NOTIFY) notify_step = mmio_read32(config + at + 16);
    }
    return true;
  }
  return false;
}

static uint32_t features(void) {
  uint64_t common = structures[COMMON];
  write8(common + DEVICE_STATUS, ACKNOWLEDGE | DRIVER);
  mmio_write32(common + DEVICE_FEATURE_SELECT, 1);
  uint32_t taken = mmio_read32(common + DEVICE_FEATURE) & (VERSION_1 | ACCESS_PLATFORM);
  mmio_write32(common + DRIVER_FEATURE_SELECT, 1);
  mmio_write32(common + DRIVER_FEATURE, taken);
  write8(common + DEVICE_STATUS, ACKNOWLEDGE | DRIVER | FEATURES_OK);
  if (!(read8(common + DEVICE_STATUS) & FEATURES_OK)) refuse("the device refuses its own features");
  return taken;
}

static void place(uint32_t field, volatile void *address) {
  mmio_write32(structures[COMMON] + field, (uint32_t)(uintptr_t)address);
  mmio_write32(structures[COMMON] + field + 4, (uint32_t)((uintptr_t)address >> 32));
}

static void describe(volatile struct memory *memory, uint32_t index, volatile void *at, uint32_t length, uint32_t flags) {
  memory->descriptors[index].address = (uintptr_t)at;
  memory->descriptors[index].length = length;
  memory->descriptors[index].flags = (uint16_t)flags;
  memory->descriptors[index].next = (uint16_t)(index + 1);
}

static void read_sector(volatile struct memory *memory) {
  uint64_t common = structures[COMMON];
  write16(common + QUEUE_SELECT, 0);
  write16(common + QUEUE_SIZE, ENTRIES);
  place(QUEUE_DESC, memory->descriptors);
  place(QUEUE_DRIVER, &memory->driver);
  place(QUEUE_DEVICE, &memory->device);
  write16(common + QUEUE_ENABLE, 1);
  write8(common + DEVICE_STATUS, ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK);
  memory->header.type = 0;
  memory->header.sector = 0;
  memory->driver.flags = memory->driver.index = memory->driver.ring[0] = 0;
  memory->device.index = 0;
  describe(memory, 0, &memory->header, sizeof memory->header, NEXT);
  describe(memory, 1, memory->data, SECTOR, NEXT | WRITABLE);
  describe(memory, 2, &memory->status, 1, WRITABLE);
  memory->status = 0xff;
  barrier();
  memory->driver.index = 1;
  barrier();
  write16(structures[NOTIFY] + notify_step * read16(common + QUEUE_NOTIFY_OFF), 0);
  while (memory->device.index != 1) barrier();
  if (memory->status != 0) refuse("the disk refuses the read");
}

void guest_main(void) {
  fdt_node uart = fdt_next_compatible(NULL, "ns16550a"), host = fdt_next_compatible(NULL, "pci-host-cam-generic");
  if (!uart || !host) power_off();
  serial = fdt_cells2(uart, "reg", 0);
  if (!find(fdt_cells2(host, "reg", 0))) refuse("no disk");
  fdt_node pool = fdt_next_compatible(NULL, "restricted-dma-pool");
  bool bounces = (features() & ACCESS_PLATFORM) && pool && boot_argument("pool", 1);
  volatile struct memory *memory = bounces ? (volatile struct memory *)fdt_cells2(pool, "reg", 0) : &own;
  read_sector(memory);
  char text[33];
  uint32_t length = 0;
  while (length < sizeof text - 1 && memory->data[length] >= ' ' && memory->data[length] < 127) {
    text[length] = (char)memory->data[length];
    length++;
  }
  text[length] = 0;
  say(bounces ? "bounce: by the pool: " : "bounce: by its own memory: ");
  say(text);
  say("\r\n");
  power_off();
}
