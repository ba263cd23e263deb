// A guest that reads, writes, zeroes and discards random sectors of its disk for ever. Its writes
// depend on what it has read, and on typed bytes; now and then it prints a digest.
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long u64;

#define UART 0x09000000ul
#define SLOT 0x0a000000ul
enum { DEVICE_ID = 0x08, DRIVER_FEATURES = 0x20, DRIVER_FEATURES_SEL = 0x24, QUEUE_NUM = 0x38, QUEUE_READY = 0x44, NOTIFY = 0x50, STATUS = 0x70 };
enum { QUEUE_DESC = 0x80, QUEUE_DRIVER = 0x90, QUEUE_DEVICE = 0xa0, CAPACITY = 0x100 };
enum { READ = 0, WRITE = 1, FLUSH = 4, DISCARD = 11, WRITE_ZEROES = 13 };
enum { NEXT = 1, DEVICE_WRITES = 2 };
enum { SECTOR = 512, SECTORS_MAX = 64, QUEUE = 8 };

struct descriptor { u64 address; u32 length; u16 flags, next; };
static struct {
  struct descriptor table[QUEUE];
  u16 available_flags, available, ring[QUEUE], event;
  u8 pad[4096 - 16 * QUEUE - 6 - 2 * QUEUE];
  u16 used_flags;
  volatile u16 used;
  struct { u32 id, length; } used_ring[QUEUE];
} queue __attribute__((aligned(4096)));
static struct { u32 type, reserved; u64 sector; } header __attribute__((aligned(16)));
static struct { u64 sector; u32 sectors, flags; } range __attribute__((aligned(16)));
static u64 data[SECTORS_MAX * SECTOR / 8] __attribute__((aligned(4096)));
static volatile u8 status;

static void out(u64 at, u32 value) { asm volatile("str %w0, [%1]" ::"r"(value), "r"(at) : "memory"); }
static u32 in(u64 at) { u32 value; asm volatile("ldr %w0, [%1]" : "=r"(value) : "r"(at) : "memory"); return value; }
static void barrier(void) { asm volatile("dsb sy" ::: "memory"); }

static u64 state = 1;
static u64 draw(u64 below) {
  state = state * 6364136223846793005ul + 1442695040888963407ul;
  return (state >> 33) % below;
}

static void request(u32 type, u64 sector, void *bytes, u32 length) {
  header.type = type, header.sector = sector, status = 0xff;
  queue.table[0] = (struct descriptor){ (u64)&header, sizeof header, NEXT, length ? 1 : 2 };
  queue.table[1] = (struct descriptor){ (u64)bytes, length, type == READ ? NEXT | DEVICE_WRITES : NEXT, 2 };
  queue.table[2] = (struct descriptor){ (u64)&status, 1, DEVICE_WRITES, 0 };
  queue.ring[queue.available % QUEUE] = 0;
  barrier();
  u16 done = ++queue.available;
  barrier();
  out(SLOT + NOTIFY, 0);
  while (queue.used != done) ;
  barrier();
  state ^= status;
}

static void print(u64 value) {
  for (int at = 60; at >= 0; at -= 4) out(UART, "0123456789abcdef"[value >> at & 15]);
  out(UART, '\n');
}

static void begin(void) {
  out(SLOT + STATUS, 0), out(SLOT + STATUS, 3);
  out(SLOT + DRIVER_FEATURES_SEL, 1), out(SLOT + DRIVER_FEATURES, 1);
  out(SLOT + DRIVER_FEATURES_SEL, 0), out(SLOT + DRIVER_FEATURES, 1 << 9 | 1 << 13 | 1 << 14);
  out(SLOT + STATUS, 11), out(SLOT + QUEUE_NUM, QUEUE);
  u64 places[] = { (u64)queue.table, (u64)&queue.available_flags, (u64)&queue.used_flags };
  for (int part = 0; part < 3; part++) {
    out(SLOT + QUEUE_DESC + 0x10 * part, (u32)places[part]), out(SLOT + QUEUE_DESC + 0x10 * part + 4, places[part] >> 32);
  }
  out(SLOT + QUEUE_READY, 1), out(SLOT + STATUS, 15);
}

void guest(void) {
  begin();
  u64 capacity = in(SLOT + CAPACITY);
  for (u64 count = 0;; count++) {
    u64 kind = draw(16), sectors = draw(SECTORS_MAX) + 1, sector = draw(capacity - sectors + 1);
    if (!(in(UART + 0x18) & 1 << 4)) state ^= in(UART);
    if (kind < 7) {
      for (u64 word = 0; word < sectors * SECTOR / 8; word += 8) data[word] = kind == 0 ? 0 : state + word;
      request(WRITE, sector, data, sectors * SECTOR);
    } else if (kind < 13) {
      request(READ, sector, data, sectors * SECTOR);
      for (u64 word = 0; word < sectors * SECTOR / 8; word++) state = state * 31 + data[word];
    } else if (kind < 15) {
      range.sector = sector, range.sectors = sectors, range.flags = 0;
      request(kind == 13 ? WRITE_ZEROES : DISCARD, 0, &range, sizeof range);
    } else request(FLUSH, 0, 0, 0);
    if (count % 64 == 0) print(state);
  }
}

asm(".section .head, \"ax\"\n.global _start\n_start: adrp x1, stack\n add x1, x1, :lo12:stack\n mov sp, x1\n bl guest\n b .\n"
    ".bss\n.balign 16\n.space 8192\nstack:\n.text");
