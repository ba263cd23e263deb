// What guests at EL2 share: the console, registers by their encodings, and attempts, which run code
// at a level and print what comes of it.

#include "../guest.h"

/** See start.S for the offsets. */
struct attempt {
  u64 code, pstate, sp_el0, x[4];
  u64 vector, esr, far, elr, spsr, result[2], sp_el1, handler, hpfar, vector_el1;
};
int attempt(struct attempt *);

#define PAGE __attribute__((aligned(4096)))
static PAGE u32 code[1024];
static PAGE u64 data[512];
#define COUNT(array) (sizeof(array) / sizeof(*array))

/** System registers as op0, op1, CRn, CRm, op2. */
#define REG(op0, op1, crn, crm, op2) ((op0) << 19 | (op1) << 16 | (crn) << 12 | (crm) << 8 | (op2) << 5)
#define READ(reg, rt) (0xd5200000 | (reg) | (rt))
#define WRITE(reg, rt) (0xd5000000 | (reg) | (rt))
#define EL12(reg) ((reg) | 5 << 16)
enum {
  SCTLR_EL1 = REG(3, 0, 1, 0, 0), CPACR_EL1 = REG(3, 0, 1, 0, 2), TTBR0_EL1 = REG(3, 0, 2, 0, 0), TTBR1_EL1 = REG(3, 0, 2, 0, 1),
  TCR_EL1 = REG(3, 0, 2, 0, 2), SPSR_EL1 = REG(3, 0, 4, 0, 0), ELR_EL1 = REG(3, 0, 4, 0, 1), AFSR0_EL1 = REG(3, 0, 5, 1, 0),
  AFSR1_EL1 = REG(3, 0, 5, 1, 1), ESR_EL1 = REG(3, 0, 5, 2, 0), FAR_EL1 = REG(3, 0, 6, 0, 0), MAIR_EL1 = REG(3, 0, 10, 2, 0),
  AMAIR_EL1 = REG(3, 0, 10, 3, 0), VBAR_EL1 = REG(3, 0, 12, 0, 0), CONTEXTIDR_EL1 = REG(3, 0, 13, 0, 1), CNTKCTL_EL1 = REG(3, 0, 14, 1, 0),
  PAR_EL1 = REG(3, 0, 7, 4, 0), TPIDR_EL1 = REG(3, 0, 13, 0, 4), SP_EL0 = REG(3, 0, 4, 1, 0), CURRENT_EL = REG(3, 0, 4, 2, 2),
  HCR_EL2 = REG(3, 4, 1, 1, 0), CPTR_EL2 = REG(3, 4, 1, 1, 2), VBAR_EL2 = REG(3, 4, 12, 0, 0), ELR_EL2 = REG(3, 4, 4, 0, 1),
  SPSR_EL2 = REG(3, 4, 4, 0, 0), CNTV_CTL_EL02 = REG(3, 5, 14, 3, 1), CNTP_CVAL_EL02 = REG(3, 5, 14, 2, 2),
};
enum { ISB = 0xd5033fdf, RET = 0xd65f03c0, NOP = 0xd503201f, ERET = 0xd69f03e0, SVC_BACK = 0xd4000fe1, HVC_BACK = 0xd4000fe2 };

/** HCR_EL2. */
#define VM (1ul << 0)
#define FMO (1ul << 3)
#define IMO (1ul << 4)
#define AMO (1ul << 5)
#define VF (1ul << 6)
#define VI (1ul << 7)
#define VSE (1ul << 8)
#define DC (1ul << 12)
#define TWI (1ul << 13)
#define TWE (1ul << 14)
#define TID1 (1ul << 16)
#define TID2 (1ul << 17)
#define TID3 (1ul << 18)
#define TSC (1ul << 19)
#define TIDCP (1ul << 20)
#define TACR (1ul << 21)
#define TSW (1ul << 22)
#define TPCP (1ul << 23)
#define TPU (1ul << 24)
#define TTLB (1ul << 25)
#define TLOR (1ul << 35)
#define TERR (1ul << 36)
#define TVM (1ul << 26)
#define TGE (1ul << 27)
#define TDZ (1ul << 28)
#define TRVM (1ul << 30)
#define RW (1ul << 31)
#define E2H (1ul << 34)

/** PSTATE.ALLINT, which QEMU's `max` has (FEAT_NMI). */
#define ALLINT (1ul << 13)

static u64 host;
/** Bits of ESR_EL2 that are not printed. */
static u64 unshown;
/** EL1's registers, whatever E2H makes of their names. */
#define MSR1(name, reg, value) \
  ({ if (host) __asm__ volatile("msr S3_5_C" reg ", %0; isb" ::"r"((u64)(value)) : "memory"); else MSR(name##_el1, value); })
#define MRS1(name, reg) ({ u64 v; if (host) __asm__ volatile("mrs %0, S3_5_C" reg : "=r"(v)::"memory"); else v = MRS(name##_el1); v; })

enum { EL0 = 0x3c0, EL1T = 0x3c4, EL1H = 0x3c5, EL2T = 0x3c8, EL2H = 0x3c9, PAN = 1 << 22 };
static const u64 levels[] = {EL0, EL1T, EL1H, EL2T, EL2H};
static struct attempt a;

static void write_code(const u32 *words, int count, u32 back) {
  for (int i = 0; i < count; i++) code[i] = words[i];
  code[count] = back;
  __asm__ volatile("dc cvau, %0; dsb sy; ic ivau, %0; dsb sy; isb" ::"r"(code) : "memory");
}

/** Runs instructions and prints what came of it. */
static void run(const char *name, const u32 *words, int count, u64 pstate, u64 x0, u64 x1) {
  u64 level = pstate & 0xc;
  write_code(words, count, level == 8 ? RET : level == 4 ? HVC_BACK : SVC_BACK);
  a.pstate = pstate, a.x[0] = x0, a.x[1] = x1, a.x[2] = 0x20, a.x[3] = 0x33;
  a.sp_el0 = (u64)data + 0x800, a.sp_el1 = (u64)data + 0xc00;
  a.code = a.code ? a.code : (u64)code;
  MSR(far_el2, 0);
  MSR(hpfar_el2, 0);
  MSR1(far, "6_C0_0", 0);
  a.vector_el1 = -1;
  int exception = attempt(&a);
  text(name), put(' '), hex(pstate);
  u64 esr = a.esr, start = a.code, is_abort = esr >> 26 == 0x24;
  // A walk of stage 1 (S1PTW) only reads, whatever the access is, which not every QEMU knows: WnR.
  if (is_abort && esr & 1 << 7) esr &= ~(1ul << 6);
  a.code = 0;
  int shows = exception && a.vector == 24 && esr == 0x5a00007e;
  if (!exception || (exception && (esr == 0x5a00007f || esr == 0x5600007f)) || (shows && MRS1(esr, "5_C2_0") == 0x5600007f)) {
    text("ok "), hex(a.result[0]), hex(a.result[1]), put('\n');
    return;
  }
  if (shows) {
    text("EL1 "), hex(a.vector_el1), hex(MRS1(esr, "5_C2_0")), hex(MRS1(far, "6_C0_0")), hex(MRS1(elr, "4_C0_1") - start);
    // Flags stay as they are, which not every QEMU knows.
    hex(MRS1(spsr, "4_C0_0")), hex(a.spsr & 0x0fffffff & ~ALLINT), put('\n');
    return;
  }
  text("EL2 "), hex(a.vector), hex(esr & ~unshown), hex(a.far), hex(a.elr - start), hex(a.spsr & ~ALLINT), hex(a.handler);
  // Other exceptions leave it as it was.
  if (is_abort || esr >> 26 == 0x20) hex(a.hpfar);
  put('\n');
}
static void one(const char *name, u32 word, u64 pstate, u64 x0, u64 x1) { run(name, &word, 1, pstate, x0, x1); }

/** Sets HCR_EL2 beside E2H. */
static void control(u64 bits) { MSR(hcr_el2, RW | host | bits); }
