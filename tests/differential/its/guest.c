// A bare-metal guest that gives an ITS each command of the GIC architecture, right and wrong, and
// prints which LPIs its two CPUs then acknowledge. The same text on two machines is the same
// behaviour. Fields that are implementation defined are not printed.

#include "../guest.h"

typedef unsigned char u8;

#define PMR S3_0_C4_C6_0
#define IAR1 S3_0_C12_C12_0
#define EOIR1 S3_0_C12_C12_1
#define HPPIR1 S3_0_C12_C12_2
#define CTLR S3_0_C12_C12_4
#define IGRPEN1 S3_0_C12_C12_7
#define RPR S3_0_C12_C11_3
#define READ(name) MRS(name)
#define WRITE(name, value) MSR(name, value)

#define GICD 0x08000000ul
#define GITS 0x08080000ul
#define GICR(cpu) (0x080a0000ul + (cpu) * 0x20000ul)
static volatile u32 *word(u64 at) { return (volatile u32 *)at; }
static volatile u64 *wide(u64 at) { return (volatile u64 *)at; }
/** Without write-back of the address, which no hypervisor emulates. */
static __attribute__((noinline)) u64 load(u64 at) { return *wide(at); }

// Memory of the tables.
#define QUEUE 0x41000000ul
#define DEVICES 0x41010000ul
#define COLLECTIONS 0x41090000ul
#define PROPERTIES 0x410a0000ul
#define PENDING(cpu) (0x410c0000ul + (cpu) * 0x10000ul)
#define ITT(device) (0x41100000ul + (device) * 0x100000ul)
#define LEVEL2 0x41800000ul
#define NOWHERE 0x60000000ul
enum { QUEUE_SIZE = 4096, COMMAND = 32 };
#define VALID (1ul << 63)

enum { MOVI = 1, INT = 3, CLEAR = 4, SYNC = 5, MAPD = 8, MAPC = 9, MAPTI = 10, MAPI = 11, INV = 12, INVALL = 13, MOVALL = 14, DISCARD = 15 };

// The second CPU: acknowledges when it is asked.
static volatile u64 request, answer, seen;
long cpu_on(long cpu, void *entry);
void second(void);
static void on(void) {
  WRITE(PMR, 0xff);
  WRITE(IGRPEN1, 1);
}
void serve(void) {
  on();
  for (u64 served = 0;;) {
    while (request == served) ;
    served = request;
    answer = READ(IAR1);
    if (answer != 1023) WRITE(EOIR1, answer);
    seen = served;
  }
}

/** LPIs that each CPU acknowledges, until there are no more. */
static void taken(void) {
  text("0:");
  for (u64 id; (id = READ(IAR1)) != 1023;) {
    hex(id), put('@'), hex(READ(RPR));
    WRITE(EOIR1, id);
  }
  text("1:");
  do {
    request++;
    while (seen != request) ;
    if (answer != 1023) hex(answer);
  } while (answer != 1023);
}

static u64 next;
static void command(u64 a, u64 b, u64 c, u64 d) {
  volatile u64 *to = wide(QUEUE + next);
  to[0] = a, to[1] = b, to[2] = c, to[3] = d;
  next = (next + COMMAND) % QUEUE_SIZE;
  __asm__ volatile("dsb sy" ::: "memory");
  *wide(GITS + 0x88) = next;
}

/** Whether the queue is empty, and stalled. */
static void queue(const char *name) {
  text(name), put(' ');
  for (int i = 0; i < 1000 && (*wide(GITS + 0x90) & ~1ul) != next && !(*wide(GITS + 0x90) & 1); i++) ;
  u64 read = *wide(GITS + 0x90);
  text((read & ~1ul) == next ? "done " : "left ");
  if (read & 1) text("stalled ");
}
static void result(const char *name) { queue(name), taken(), put('\n'); }

static void mapd(u64 device, u64 bits, u64 itt, u64 valid) { command(MAPD | device << 32, bits - 1, itt | (valid ? VALID : 0), 0); }
static void mapc(u64 collection, u64 cpu, u64 valid) { command(MAPC, 0, collection | cpu << 16 | (valid ? VALID : 0), 0); }
static void mapti(u64 device, u64 event, u64 id, u64 collection) { command(MAPTI | device << 32, event | id << 32, collection, 0); }
static void mapi(u64 device, u64 event, u64 collection) { command(MAPI | device << 32, event, collection, 0); }
static void movi(u64 device, u64 event, u64 collection) { command(MOVI | device << 32, event, collection, 0); }
static void simple(u64 what, u64 device, u64 event) { command(what | device << 32, event, 0, 0); }
static void sync(u64 cpu) { command(SYNC, 0, cpu << 16, 0); }
static void property(u64 id, u8 value) { *(volatile u8 *)(PROPERTIES + id - 8192) = value; }

static void zero(u64 from, u64 end) { for (; from < end; from += 8) *wide(from) = 0; }

/** BASER and CBASER, with the ITS off meanwhile. */
static void tables(u64 devices, u64 flags) {
  *word(GITS) = 0;
  *wide(GITS + 0x100) = VALID | flags | devices | 7;
  *wide(GITS + 0x108) = VALID | COLLECTIONS | 0;
  *wide(GITS + 0x80) = VALID | QUEUE | 0;
  next = 0;
  *wide(GITS + 0x88) = 0;
  *word(GITS) = 1;
}

static void registers(void) {
  text("GICD_TYPER.LPIS "), hex(*word(GICD + 4) >> 17 & 1);
  text("GICR_TYPER.PLPIS "), hex(*wide(GICR(0) + 8) & 1);
  text("GITS_TYPER "), hex(*wide(GITS + 8) & 1), hex(*wide(GITS + 8) >> 8 & 0x1f), hex(*wide(GITS + 8) >> 13 & 0x1f);
  hex(*wide(GITS + 8) >> 19 & 1), hex(*wide(GITS + 8) >> 24 & 0xff), hex(*wide(GITS + 8) >> 32 & 0x1f);
  text("halves "), hex(*word(GITS + 8) == (u32)*wide(GITS + 8)), hex(*word(GITS + 12) == *wide(GITS + 8) >> 32);
  text("GITS_CTLR "), hex(*word(GITS));
  text("PIDR2 "), hex(*word(GITS + 0xffe8) >> 4 & 15);
  text("types");
  for (int i = 0; i < 8; i++) hex(load(GITS + 0x100 + 8 * i) >> 56 & 7);
  put('\n');
}

int main(void) {
  zero(QUEUE, 0x41900000);
  registers();
  *word(GICD) = 0x12;
  for (int cpu = 0; cpu < 2; cpu++) {
    *word(GICR(cpu) + 0x14) = 0;
    while (*word(GICR(cpu) + 0x14) & 4) ;
    *wide(GICR(cpu) + 0x70) = PROPERTIES | 13;
    *wide(GICR(cpu) + 0x78) = PENDING(cpu) | 1ul << 62;
    *word(GICR(cpu)) = 1;
  }
  text("GICR "), hex(*word(GICR(0)) & 1), hex(*wide(GICR(0) + 0x70)), hex(*wide(GICR(0) + 0x78) & ~(1ul << 62)), put('\n');
  on();
  cpu_on(1, second);
  for (u64 id = 8192; id < 8192 + 64; id++) property(id, 0xa0 | 1);
  tables(DEVICES, 0);
  text("on "), hex(*word(GITS)), hex(*wide(GITS + 0x80)), hex(*wide(GITS + 0x90)), put('\n');

  for (u64 cpu = 0; cpu < 2; cpu++) mapc(cpu, cpu, 1);
  result("MAPC");
  mapd(0, 4, ITT(0), 1), mapd(1, 14, ITT(1), 1);
  result("MAPD");
  for (u64 event = 0; event < 8; event++) mapti(0, event, 8192 + event, event & 1);
  result("MAPTI");
  sync(0), sync(1);
  result("SYNC");
  for (u64 event = 0; event < 8; event++) simple(INT, 0, event);
  result("INT");
  simple(INT, 0, 2), simple(INT, 0, 2), simple(INT, 0, 2);
  result("INT three times");
  mapi(1, 8192 + 20, 0), simple(INT, 1, 8192 + 20);
  result("MAPI");
  *word(GITS + 0x10040) = 4;
  result("GITS_TRANSLATER");
  *word(GITS + 0x10040) = 7;
  result("GITS_TRANSLATER of the second CPU's");
  *word(GITS + 0x10040) = 9;
  result("GITS_TRANSLATER without a translation");
  simple(INT, 0, 2), simple(CLEAR, 0, 2);
  result("CLEAR");
  simple(CLEAR, 0, 2);
  result("CLEAR of what is not pending");
  simple(INT, 0, 2), movi(0, 2, 1);
  result("MOVI of a pending one");
  simple(INT, 0, 2);
  result("INT after MOVI");
  movi(0, 2, 0), simple(INT, 0, 2);
  result("MOVI back");
  for (u64 event = 0; event < 8; event++) simple(INT, 0, event);
  command(MOVALL, 0, 0 << 16, 1 << 16);
  result("MOVALL to the second");
  for (u64 event = 0; event < 8; event++) simple(INT, 0, event);
  command(MOVALL, 0, 1 << 16, 0 << 16);
  result("MOVALL to the first");
  simple(INT, 0, 0), command(MOVALL, 0, 0, 0);
  result("MOVALL to itself");

  property(8192 + 2, 0xa0), simple(INV, 0, 2), simple(INT, 0, 2);
  result("INV disables");
  property(8192 + 2, 0xa1), simple(INV, 0, 2);
  result("INV enables what is pending");
  property(8192 + 4, 0x40 | 1), simple(INV, 0, 4), simple(INT, 0, 2), simple(INT, 0, 4), simple(INT, 0, 0);
  result("INV of a priority");
  property(8192 + 4, 0xa0), property(8192 + 2, 0xa0), command(INVALL, 0, 0, 0), simple(INT, 0, 4), simple(INT, 0, 2);
  result("INVALL disables");
  property(8192 + 4, 0xa1), property(8192 + 2, 0x81), command(INVALL, 0, 0, 0);
  result("INVALL enables what is pending");
  property(8192 + 4, 0xa1), property(8192 + 2, 0xa1), command(INVALL, 0, 0, 0);

  simple(INT, 0, 6), simple(DISCARD, 0, 6);
  result("DISCARD of a pending one");
  simple(INT, 0, 6);
  result("INT after DISCARD");
  mapti(0, 6, 8192 + 30, 0), simple(INT, 0, 6);
  result("MAPTI again");
  mapti(0, 6, 8192 + 31, 1), simple(INT, 0, 6);
  result("MAPTI over a mapping");

  simple(INT, 5, 0), simple(INT, 0, 16), simple(INT, 0, 15);
  result("INT of what is not mapped");
  mapti(5, 0, 8192, 0), mapti(0, 16, 8192, 0), mapti(0, 9, 100, 0), simple(INT, 0, 9);
  result("MAPTI of what cannot be");
  mapc(3, 77, 1), mapti(0, 9, 8192 + 9, 3), simple(INT, 0, 9);
  result("MAPC to no redistributor");
  command(0x55, 0, 0, 0);
  result("no command");
  sync(77), command(MOVALL, 0, 77 << 16, 0), command(INVALL, 0, 3, 0);
  result("no redistributor");
  mapc(1, 0, 0), simple(INT, 0, 1), simple(INT, 0, 0);
  result("MAPC ends a collection");
  movi(0, 0, 1), simple(INT, 0, 0);
  result("MOVI to no collection");
  mapc(1, 1, 1), simple(INT, 0, 1);
  result("MAPC again");
  mapd(0, 4, 0, 0), simple(INT, 0, 0), simple(INT, 0, 1);
  result("MAPD ends a device");
  mapd(0, 4, ITT(0), 1), simple(INT, 0, 0), simple(INT, 0, 1);
  result("MAPD again");

  for (int i = 0; i < 300; i++) sync(0);
  result("a queue that wraps");

  // Pending bits lie in memory while LPIs are disabled.
  WRITE(PMR, 0x10);
  simple(INT, 0, 0), simple(INT, 0, 4);
  queue("masked"), hex(READ(HPPIR1)), hex(READ(IAR1)), put('\n');
  *word(GICR(0)) = 0;
  text("disabled "), hex(*word(GICR(0)) & 1), hex(*(volatile u8 *)(PENDING(0) + 1024));
  WRITE(PMR, 0xff);
  hex(READ(IAR1)), put('\n');
  simple(INT, 0, 2);
  result("INT while disabled");
  *word(GICR(0)) = 1;
  result("enabled again");

  // Two levels.
  zero(DEVICES, COLLECTIONS);
  for (u64 i = 0; i < 2; i++) *wide(DEVICES + i * 8) = VALID | (LEVEL2 + i * 0x10000);
  tables(DEVICES, 1ul << 62 | 2 << 8);
  mapd(3, 4, ITT(2), 1), mapti(3, 3, 8192 + 40, 0), simple(INT, 3, 3);
  result("two levels");
  mapd(0x2003, 4, ITT(3), 1), mapti(0x2003, 3, 8192 + 41, 0), simple(INT, 0x2003, 3);
  result("two levels, second page");
  mapd(0x4003, 4, ITT(3), 1), mapti(0x4003, 3, 8192 + 42, 0), simple(INT, 0x4003, 3);
  result("two levels, no page");

  // Off: nothing is translated, and commands wait.
  *word(GITS) = 0;
  text("off "), hex(*word(GITS)), put('\n');
  simple(INT, 3, 3);
  queue("INT while off"), taken(), put('\n');
  *word(GITS) = 1;
  *wide(GITS + 0x88) = next;
  result("on again");

  // Tables where there is no memory.
  mapd(4, 4, NOWHERE, 1), mapti(4, 0, 8192 + 50, 0), simple(INT, 3, 3);
  result("a table outside of memory");
  text("end\n");
  return 0;
}
