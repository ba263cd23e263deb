// A bare-metal guest that performs the steps of a table behind its image: loads, stores, calls,
// and waits. It prints what each load and call gave, once all are done: its own console is among
// the devices whose registers it accesses.

typedef unsigned long u64;
typedef unsigned int u32;
typedef unsigned short u16;
typedef unsigned char u8;

/** The table begins with addresses of the platform. */
struct platform {
  u64 uart, gicd, gicr, count;
};
struct step {
  u64 kind, a, b, c;
};
enum { LOAD, STORE, SMC, HVC, WAIT, SPIN, IRQ, FLUSH, SKIP };
extern char skip_faults[];
enum { SPURIOUS = 1023 };
enum { RESULTS = 4 };

static u64 load(u64 at, u64 size) {
  u64 value = 0;
  switch (size) {
  case 1: __asm__ volatile("ldrb %w0, [%1]" : "=r"(value) : "r"(at) : "memory"); break;
  case 2: __asm__ volatile("ldrh %w0, [%1]" : "=r"(value) : "r"(at) : "memory"); break;
  case 4: __asm__ volatile("ldr %w0, [%1]" : "=r"(value) : "r"(at) : "memory"); break;
  default: __asm__ volatile("ldr %0, [%1]" : "=r"(value) : "r"(at) : "memory");
  }
  return value;
}

static void store(u64 at, u64 size, u64 value) {
  switch (size) {
  case 1: __asm__ volatile("strb %w0, [%1]" ::"r"(value), "r"(at) : "memory"); break;
  case 2: __asm__ volatile("strh %w0, [%1]" ::"r"(value), "r"(at) : "memory"); break;
  case 4: __asm__ volatile("str %w0, [%1]" ::"r"(value), "r"(at) : "memory"); break;
  default: __asm__ volatile("str %0, [%1]" ::"r"(value), "r"(at) : "memory");
  }
}

#define CALL(conduit)                                                                         \
  do {                                                                                        \
    register u64 x0 __asm__("x0") = step->a, x1 __asm__("x1") = step->b;                      \
    register u64 x2 __asm__("x2") = step->c, x3 __asm__("x3") = 0;                            \
    __asm__ volatile(conduit " #0" : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3)                   \
                     :: "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13",       \
                        "x14", "x15", "x16", "x17", "memory");                                \
    results[0] = x0, results[1] = x1, results[2] = x2, results[3] = x3;                       \
  } while (0)

#define PMR S3_0_C4_C6_0
#define IAR1 S3_0_C12_C12_0
#define EOIR1 S3_0_C12_C12_1
#define IGRPEN1 S3_0_C12_C12_7
#define READ(name) MRS(name)
#define WRITE(name, value) MSR(name, value)
#define MRS(name) ({ u64 v; __asm__ volatile("isb; mrs %0, " #name : "=r"(v)::"memory"); v; })
#define MSR(name, value) __asm__ volatile("msr " #name ", %0; isb" ::"r"((u64)(value)) : "memory")

static u64 later(u64 ns) { return MRS(CNTVCT_EL0) + ns / 1000 * MRS(CNTFRQ_EL0) / 1000000; }

/** Lets interrupts reach the CPU interface, the virtual timer's among them. They stay masked. */
static void receive(const struct platform *platform) {
  const u32 timer = 1u << 27;
  u64 sgi = platform->gicr + 0x10000;
  store(platform->gicr + 0x14, 4, 0);
  while (load(platform->gicr + 0x14, 4) & 4) ;
  store(platform->gicd, 4, 2);
  store(sgi + 0x80, 4, timer);
  store(sgi + 0x100, 4, timer);
  WRITE(PMR, 0xff);
  WRITE(IGRPEN1, 1);
}

/** Sleeps: the virtual timer's interrupt ends it. */
static void wait(u64 ns) {
  u64 until = later(ns);
  MSR(CNTV_CVAL_EL0, until);
  MSR(CNTV_CTL_EL0, 1);
  while (MRS(CNTVCT_EL0) < until) __asm__ volatile("wfi" ::: "memory");
  MSR(CNTV_CTL_EL0, 0);
}

/** Acknowledges an interrupt and ends it. */
static u64 interrupt(void) {
  u64 intid = READ(IAR1);
  if (intid != SPURIOUS) WRITE(EOIR1, intid);
  return intid;
}

static void spin(u64 ns) {
  for (u64 until = later(ns); MRS(CNTVCT_EL0) < until;) ;
}

static void put(u64 uart, char c) { store(uart, 1, c); }
static void hex(u64 uart, u64 value) {
  int shift = 60;
  while (shift && !(value >> shift)) shift -= 4;
  for (; shift >= 0; shift -= 4) {
    u64 digit = value >> shift & 15;
    put(uart, digit < 10 ? '0' + digit : 'a' + digit - 10);
  }
}

/** A line for each load and call: its number, and what it gave. */
static void print(u64 uart, const struct step *steps, const u64 *results, u64 from, u64 end) {
  for (u64 i = from; i < end; i++) {
    u64 kind = steps[i].kind;
    if (kind != LOAD && kind != IRQ && kind != SMC && kind != HVC) continue;
    hex(uart, i);
    for (int each = 0; each < (kind == LOAD || kind == IRQ ? 1 : RESULTS); each++) put(uart, ' '), hex(uart, results[i * RESULTS + each]);
    put(uart, '\n');
  }
}

void main(u64 *memory, const struct platform *platform) {
  const struct step *steps = (const struct step *)(platform + 1);
  u64 printed = 0;
  receive(platform);
  for (u64 i = 0; i < platform->count; i++) {
    const struct step *step = &steps[i];
    u64 *results = memory + i * RESULTS;
    switch (step->kind) {
    case LOAD: results[0] = load(step->a, step->b); break;
    case STORE: store(step->a, step->b, step->c); break;
    case SMC: CALL("smc"); break;
    case HVC: CALL("hvc"); break;
    case WAIT: wait(step->a); break;
    case SPIN: spin(step->a); break;
    case IRQ: results[0] = interrupt(); break;
    case SKIP: MSR(VBAR_EL1, skip_faults); break;
    case FLUSH: print(platform->uart, steps, memory, printed, i), printed = i; break;
    }
  }
  print(platform->uart, steps, memory, printed, platform->count);
}
