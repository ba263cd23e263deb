// Fine-grained traps: for each access and instruction of EL1 and EL0, which fields of FEAT_FGT's
// registers send it to EL2, each field alone, and with which syndrome. It does so with and without
// HCR_EL2.E2H, and for an EL0 with HCR_EL2.TGE.

#include "attempt.h"

enum { HFGRTR, HFGWTR, HFGITR, HDFGRTR, HDFGWTR, REGISTERS };
static void set_traps(int reg, u64 value) {
  if (reg == HFGRTR) MSR(S3_4_C1_C1_4, value);
  if (reg == HFGWTR) MSR(S3_4_C1_C1_5, value);
  if (reg == HFGITR) MSR(S3_4_C1_C1_6, value);
  if (reg == HDFGRTR) MSR(S3_4_C3_C1_4, value);
  if (reg == HDFGWTR) MSR(S3_4_C3_C1_5, value);
}
static u64 traps_of(int reg) {
  if (reg == HFGRTR) return MRS(S3_4_C1_C1_4);
  if (reg == HFGWTR) return MRS(S3_4_C1_C1_5);
  if (reg == HFGITR) return MRS(S3_4_C1_C1_6);
  if (reg == HDFGRTR) return MRS(S3_4_C3_C1_4);
  return MRS(S3_4_C3_C1_5);
}
/** The bits of a register whose fields are for what both machines have. */
static const u64 compared[] = {
  0x3ff3fffffff, 0x2ff29db39fb, 0x78fffffffffdff, 0xeff, 0xdbf,
};

/** HCR_EL2.APK and API: the keys of pointer authentication do not trap for another reason. */
#define KEYS (3ul << 40)

enum { READS = 1, WRITES = 2, OF_EL0 = 4 };
static const struct { u32 reg, ways; } moves[] = {
  {AFSR0_EL1, 3}, {AFSR1_EL1, 3}, {REG(3, 1, 0, 0, 7), 1}, {AMAIR_EL1, 3}, {REG(3, 1, 0, 0, 0), 1}, {REG(3, 1, 0, 0, 1), 1},
  {CONTEXTIDR_EL1, 3}, {CPACR_EL1, 3}, {REG(3, 2, 0, 0, 0), 3}, {REG(3, 3, 0, 0, 1), 5}, {REG(3, 3, 0, 0, 7), 5}, {ESR_EL1, 3},
  {FAR_EL1, 3}, {REG(3, 0, 12, 1, 0), 1}, {REG(3, 0, 10, 4, 3), 3}, {REG(3, 0, 10, 4, 1), 3}, {REG(3, 0, 10, 4, 7), 1},
  {REG(3, 0, 10, 4, 2), 3}, {REG(3, 0, 10, 4, 0), 3}, {MAIR_EL1, 3}, {REG(3, 0, 0, 0, 0), 1}, {REG(3, 0, 0, 0, 5), 1}, {PAR_EL1, 3},
  {REG(3, 0, 0, 0, 6), 1}, {SCTLR_EL1, 3}, {TCR_EL1, 3}, {TPIDR_EL1, 3}, {REG(3, 3, 13, 0, 3), 7}, {REG(3, 3, 13, 0, 2), 7},
  {TTBR0_EL1, 3}, {TTBR1_EL1, 3}, {VBAR_EL1, 3}, {REG(3, 0, 12, 12, 6), 3}, {REG(3, 0, 12, 12, 7), 3},
  {SPSR_EL1, 3}, {ELR_EL1, 3}, {SP_EL0, 3}, {CNTKCTL_EL1, 3}, {CURRENT_EL, 1}, {REG(3, 3, 4, 4, 0), 7}, {REG(3, 3, 4, 2, 0), 7},
  {REG(3, 0, 5, 3, 0), 1},
  {REG(3, 0, 2, 1, 0), 3}, {REG(3, 0, 2, 1, 1), 3}, {REG(3, 0, 2, 1, 2), 3}, {REG(3, 0, 2, 1, 3), 3}, {REG(3, 0, 2, 2, 0), 3},
  {REG(3, 0, 2, 2, 1), 3}, {REG(3, 0, 2, 2, 2), 3}, {REG(3, 0, 2, 2, 3), 3}, {REG(3, 0, 2, 3, 0), 3}, {REG(3, 0, 2, 3, 1), 3},
  {REG(2, 0, 0, 0, 5), 3}, {REG(2, 0, 0, 1, 5), 3}, {REG(2, 0, 0, 0, 4), 3}, {REG(2, 0, 0, 1, 6), 3}, {REG(2, 0, 0, 0, 7), 3},
  {REG(2, 0, 0, 2, 2), 3}, {REG(2, 0, 7, 8, 6), 3}, {REG(2, 0, 7, 9, 6), 3},
  {REG(2, 0, 1, 0, 4), 2}, {REG(2, 0, 1, 1, 4), 1}, {REG(2, 0, 0, 6, 2), 3}, {REG(2, 0, 1, 3, 4), 3},
};
/** SYS instructions with X2, ERET and SVC. */
static const u32 instructions[] = {
  0xd508711f, 0xd508751f, 0xd50b7522, 0xd5087622, 0xd5087642, 0xd5087a42, 0xd5087e42, 0xd50b7b22, 0xd50b7c22, 0xd50b7e22, 0xd50b7422,
  0xd5087802, 0xd5087822, 0xd5087842, 0xd5087862, 0xd5087902, 0xd5087922,
  0xd508831f, 0xd5088322, 0xd5088342, 0xd5088362, 0xd50883a2, 0xd50883e2,
  0xd508811f, 0xd5088122, 0xd5088142, 0xd5088162, 0xd50881a2, 0xd50881e2,
  0xd5088222, 0xd5088262, 0xd50882a2, 0xd50882e2, 0xd5088522, 0xd5088562, 0xd50885a2, 0xd50885e2,
  0xd5088622, 0xd5088662, 0xd50886a2, 0xd50886e2,
  0xd508871f, 0xd5088722, 0xd5088742, 0xd5088762, 0xd50887a2, 0xd50887e2,
  0xd50b7a22, ERET, 0xd69f0bff, 0xd69f0fff, 0xd4000021, 0xd4000022, 0xd4200020, NOP,
};

/** Whether an instruction goes to EL2 by a trap; the syndrome is that of `a`. */
static int is_trapped(u32 word, u64 pstate, u64 value) {
  write_code(&word, 1, pstate & 0xc ? HVC_BACK : SVC_BACK);
  a.code = (u64)code, a.pstate = pstate, a.x[0] = value, a.x[1] = 0, a.x[2] = (u64)data + 0x40, a.x[3] = 0;
  a.sp_el0 = (u64)data + 0x800, a.sp_el1 = (u64)data + 0xc00;
  MSR1(elr, "4_C0_1", code + 1);
  MSR1(spsr, "4_C0_0", EL1H);
  int exception = attempt(&a);
  u32 class = a.esr >> 26;
  // By HVC, SVC, or its own exception the code has come to its end.
  return exception && a.elr == (u64)code && (class == 0x18 || class == 0x1a || class == 0x15);
}

static void probe(u32 word, u64 pstate, u64 value) {
  for (int reg = 0; reg < REGISTERS; reg++) {
    u64 found = 0, esr = 0;
    for (int bit = 0; bit < 64; bit++) {
      if (!(compared[reg] >> bit & 1)) continue;
      set_traps(reg, 1ul << bit);
      if (is_trapped(word, pstate, value)) found |= 1ul << bit, esr = a.esr;
    }
    set_traps(reg, 0);
    // Without any field: another control traps it.
    if (found) hex(word), hex(pstate), hex(reg), hex(found), hex(esr), hex(is_trapped(word, pstate, value)), put('\n');
  }
}

static void probe_all(u64 pstate) {
  u32 ofEl0 = (pstate & 0xc) == 0;
  for (u32 i = 0; i < COUNT(moves); i++) {
    if (ofEl0 && !(moves[i].ways & OF_EL0)) continue;
    u64 value = 0;
    if (moves[i].ways & READS) {
      is_trapped(READ(moves[i].reg, 0), EL1H, 0);
      value = a.result[0];
      probe(READ(moves[i].reg, 0), pstate, 0);
    }
    if (moves[i].ways & WRITES) probe(WRITE(moves[i].reg, 0), pstate, value);
  }
  for (u32 i = 0; i < COUNT(instructions); i++) probe(instructions[i], pstate, 0);
}

int main(void) {
  MSR(sctlr_el1, 0x30d00800);
  MSR(sctlr_el2, 0x30c50830);
  for (int i = 0; i < 2; i++) {
    host = i ? E2H : 0;
    control(KEYS);
    text("E2H "), hex(i), put('\n');
    // EL0 may do what SCTLR_EL1 gives it.
    MSR1(sctlr, "1_C0_0", 0x30d00800 | 1 << 26 | 1 << 15 | 1 << 14);
    for (int reg = 0; reg < REGISTERS; reg++) {
      set_traps(reg, -1ul);
      hex(traps_of(reg) & compared[reg]), put('\n');
      set_traps(reg, 0);
    }
    probe_all(EL1H);
    probe_all(EL0);
    MSR(sctlr_el2, 0x30c50830 | 1 << 26 | 1 << 15 | 1 << 14);
    control(TGE | KEYS);
    text("TGE\n");
    probe_all(EL0);
    MSR(sctlr_el2, 0x30c50830);
  }
  text("end\n");
  return 0;
}
