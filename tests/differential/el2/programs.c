// Random programs of EL2, each by its seed: steps that change controls of EL1 and EL0, tables of
// both stages, list registers and VMs, and run random instructions at a random level. What comes of
// each run is printed, and after each some steps what the registers and the memory are then. State
// stays from step to step. FIRST is the first seed, PROGRAMS how many there are. With DIGESTS, each
// is a line with its seed and a digest of what it would print, but for the seed SHOWN.

#include "attempt.h"
#include "stage1.h"
#include "stage2.h"

#define STEPS 150

static u64 state;
/** SplitMix64. */
static u64 any(void) {
  u64 z = state += 0x9e3779b97f4a7c15;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
  z = (z ^ z >> 27) * 0x94d049bb133111eb;
  return z ^ z >> 31;
}
static u64 below(u64 limit) { return (any() >> 8) % limit; }
static int one_of(u64 count) { return below(count) == 0; }

enum { SMC = 0xd4000003, PTW = 1 << 2, FB = 1 << 9 };
static u64 hcr, stage1_on, current_vm;

/** Registers that are written from X2, whose value is small; those that are read into X1. */
static const u32 written[] = {
  AFSR0_EL1, AFSR1_EL1, ESR_EL1, FAR_EL1, CONTEXTIDR_EL1, PAR_EL1, TPIDR_EL1, REG(3, 3, 13, 0, 2), REG(3, 3, 13, 0, 3), ELR_EL1, SPSR_EL1,
  REG(3, 2, 0, 0, 0), AMAIR_EL1,
};
static const u32 seen[] = {
  ESR_EL1, FAR_EL1, CONTEXTIDR_EL1, TPIDR_EL1, REG(3, 3, 13, 0, 2), REG(3, 3, 13, 0, 3), ELR_EL1, SPSR_EL1, SCTLR_EL1, TTBR0_EL1,
  TCR_EL1, MAIR_EL1, CPACR_EL1, CURRENT_EL, REG(3, 0, 0, 0, 6), REG(3, 0, 0, 0, 5), REG(3, 3, 0, 0, 7), REG(3, 0, 10, 4, 7),
  HCR_EL2, VBAR_EL2, REG(3, 4, 2, 1, 0), REG(3, 0, 4, 2, 3), SP_EL0,
};
/** Of the virtual CPU interface. */
static const u32 interface[] = {
  READ(REG(3, 0, 12, 12, 0), 1), WRITE(REG(3, 0, 12, 12, 1), 1), READ(REG(3, 0, 12, 12, 2), 1), WRITE(REG(3, 0, 12, 11, 1), 1),
  READ(REG(3, 0, 12, 11, 3), 1), WRITE(REG(3, 0, 4, 6, 0), 0), READ(REG(3, 0, 4, 6, 0), 1), READ(REG(3, 0, 12, 12, 4), 1),
};
/** SVC, HVC, BRK, UDF, SMC; TLBI, IC and DC; AT; DAIF and PAN; barriers; MRS of CLIDR_EL1. */
static const u32 others[] = {
  0xd4000021, 0xd4000022, 0xd4200040, 0x00000000, SMC, 0xd508871f, 0xd5088722, 0xd50883a2, 0xd508751f, 0xd50b7522, READ(REG(3, 1, 0, 0, 1), 31),
  0xd5087a42, 0xd5087e42, 0xd5087800, 0xd5087820, 0xd5087840, 0xd5087860, 0xd50342ff, 0xd50342df, 0xd500419f, 0xd500409f, ISB, 0xd5033f9f,
  0xd50c871f, 0xd50c8020, 0xd50c7880, 0xd50c78c0,
};
static const u32 loads[] = {
  0xf9400001, 0xf9000002, 0x39400001, 0x79800001, 0xb9800001, 0xb9000002, 0xc8dffc01, 0x889ffc02, 0xf8408401, 0xc85f7c01, 0xf8210001,
  0xf8218001, 0xa9407c01, 0xa9000801, 0xf8400801, 0xf8000802, 0x3c000000 /* stur b0 */,
};

static int is_at(u32 word) { return (word & 0xfff8f000) == 0xd5087000 && (word & 0xf00) == 0x800; }

static u32 instruction(int level, u64 virtual) {
  switch (below(virtual && level == 4 ? 8 : 7)) {
    case 0: return WRITE(written[below(COUNT(written))], 2);
    case 1: return READ(seen[below(COUNT(seen))], 1);
    // SMC of EL2 is the machine's.
    case 2: { u32 word = others[below(COUNT(others))]; return word == SMC && level == 8 ? NOP : word; }
    case 3: return 0x8b030042; // add x2, x2, x3
    case 4: return 0x1e622820; // fadd
    case 5: case 6: return loads[below(COUNT(loads))];
    default: return interface[below(COUNT(interface))];
  }
}

static void change_stage1(void) {
  u64 leaf = LEAF | NORMAL | SHARED | (any() & (USER | READ_ONLY | NG)) | below(4) << 53 | (one_of(4) ? 0 : AF);
  // Where stage 2 is off, tables and pages are at the addresses that they have for EL2.
  u64 second = hcr & VM;
  s1_low[WINDOW >> 21 & 511] = (second ? S2_WINDOW + TABLE_PAGE * 4096 : (u64)s1_pages) | TABLE;
  s1_pages[CODE_PAGE] = (second ? S2_CODE : (u64)code) | (one_of(4) ? leaf : LEAF | NORMAL | SHARED | AF | READ_ONLY);
  s1_pages[DATA_PAGE] = (second ? S2_DATA : (u64)data) | (one_of(2) ? leaf : LEAF | NORMAL | SHARED | AF | USER);
  stage1_on = one_of(2);
  MSR1(sctlr, "1_C0_0", stage1_on ? 0x30d0180dul | (any() & (1 << 14 | 1 << 26 | 1 << 9)) : 0x30d00800ul | (any() & (1 << 14 | 1 << 26 | 1 << 15)));
  flush_el2();
}

static void change_controls(void) {
  static const u64 bits[] = {TVM, TRVM, TID1, TID2, TID3, TSW, TPCP, TPU, TTLB, TDZ, TACR, TIDCP, VSE, VI, VF, PTW, FB};
  // SMC is another's, and a wait has no end.
  u64 before = hcr;
  hcr = TSC | TWI | TWE;
  for (u32 i = 0; i < COUNT(bits); i++) hcr |= one_of(6) ? bits[i] : 0;
  hcr |= one_of(2) ? IMO | FMO | AMO : 0;
  hcr |= one_of(2) ? VM : 0;
  hcr |= one_of(8) ? DC : 0;
  hcr |= one_of(8) ? TGE : 0;
  // QEMU 7.2 has the effect of PTW also where stage 2 is off.
  if (!(hcr & VM)) hcr &= ~PTW;
  // Tables are for the stages that there are.
  if ((hcr ^ before) & VM) change_stage1();
  MSR(vsesr_el2, any() & 0x1ffffff);
  MSR1(cpacr, "1_C0_2", below(4) << 20);
  MSR(cptr_el2, host ? below(4) << 20 | (u64)one_of(6) << 31 : 0x33fful | below(2) << 10 | (u64)one_of(6) << 31);
  MSR(mdcr_el2, one_of(4) ? 0xf00 & any() : 0);
  MSR(vpidr_el2, any() & 0xffffffff);
  MSR(vmpidr_el2, 1ul << 31 | below(256));
}

static void change_stage2(void) {
  u64 leaf = LEAF | S2_NORMAL | SHARED | below(4) << 6 | below(4) << 53 | (one_of(4) ? 0 : AF);
  u64 whole = LEAF | S2_ALL;
  map_s2(CODE_PAGE, code, one_of(4) ? leaf : whole);
  map_s2(DATA_PAGE, data, one_of(2) ? leaf : whole);
  map_s2(TABLE_PAGE, s1_pages, one_of(4) ? leaf : whole);
  current_vm = below(3);
  MSR(vttbr_el2, (u64)s2_root | current_vm << 48);
}

static void change_lists(void) {
  MSR(S3_4_C12_C11_0, 1 | (any() & 0x1c00 & (one_of(4) ? -1ul : 0)));
  MSR(S3_4_C12_C11_7, 0xf0000003 | below(2) << 9);
  u64 lr = 1ul << 62 | 1ul << 60 | below(32) << 51 | below(8);
  MSR(S3_4_C12_C12_0, one_of(3) ? 0 : lr);
}

/** What registers and memory are. */
static void show(void) {
  u64 par = MRS(par_el1), sum = 0;
  u64 values[] = {par & 1 ? par & 0xfff : par & 0xfffffffff000, MRS1(esr, "5_C2_0"), MRS1(far, "6_C0_0"), MRS1(contextidr, "13_C0_1"),
    MRS1(cpacr, "1_C0_2"), MRS(tpidr_el1), MRS(tpidr_el0), MRS(tpidrro_el0), MRS(S3_4_C12_C12_0), MRS(S3_4_C12_C9_0), MRS(hcr_el2)};
  text("state ");
  for (u32 i = 0; i < COUNT(values); i++) hex(values[i]);
  for (u32 i = 0; i < COUNT(data); i++) sum = (sum ^ data[i]) * 0x100000001b3;
  hex(sum), put('\n');
}

static void step(void) {
  u32 words[4];
  u64 level = levels[below(COUNT(levels))];
  if (hcr & TGE && (level & 0xc) == 4) level = EL0;
  // Stage 1 is off then, which QEMU 7.2 does not always know.
  int unknown = hcr & TGE && !host && stage1_on;
  if (unknown && !(level & 0xc)) level = EL2H;
  int el = level & 0xc, is_guest = el == 4 || (el == 0 && !(hcr & TGE && host));
  // The window of EL1 is where it is for stage 1, or for stage 2 alone.
  u64 on = is_guest && stage1_on && !(hcr & DC) && !(hcr & TGE), second = is_guest && hcr & (VM | DC);
  u64 ofHost = el == 0 && !is_guest, windowed = on || ofHost;
  u64 base = windowed ? BASE : second ? S2_CODE : (u64)code, at = windowed ? DATA : second ? S2_DATA : (u64)data;
  u64 none = windowed ? WINDOW + UNMAPPED * 4096 : second ? S2_WINDOW + UNMAPPED * 4096 : at;
  u64 places[] = {at + 0x40, at + 0x40, at + 8 * below(256), none, (u64)data + 0x80};
  int count = 1 + below(COUNT(words));
  for (int i = 0; i < count; i++) words[i] = instruction(el, hcr & IMO);
  for (int i = 0; i < count; i++) if (unknown && is_at(words[i])) words[i] = NOP;
  // An atomic that stage 1 does not let write, and stage 2 not read, is a read first for QEMU.
  int atomics = !(on && second && s1_pages[DATA_PAGE] & READ_ONLY && (s2_pages[DATA_PAGE] & (S2_READ | AF)) != (S2_READ | AF));
  for (int i = 0; i < count; i++) if (!atomics && (words[i] == 0xf8210001 || words[i] == 0xf8218001)) words[i] = NOP;
  // QEMU 7.2 has op1 and op2 of MSR (immediate) in each other's place in the syndrome.
  for (int i = 0; i < count; i++) if (!el && (words[i] == 0xd50342ff || words[i] == 0xd50342df)) words[i] = NOP;
  if (el != 8 && one_of(3)) level &= ~0x3c0ul;
  if (one_of(6)) level |= PAN;
  // The access in the syndrome is for aborts of stage 2, but old QEMUs show it for all to EL2.
  unshown = is_guest ? 0 : 0x1ffc000;
  a.code = base;
  hex(hcr), hex(stage1_on), hex(s1_pages[DATA_PAGE]), hex(s2_pages[DATA_PAGE]);
  for (int i = 0; i < count; i++) hex(words[i]);
  run("run", words, count, level, places[below(COUNT(places))], any());
}

/** The regime of EL2: this program, and the window for a host's EL0. */
static void make_regime(void) {
  MSR(sctlr_el2, 0x30c50830);
  control(0);
  make_tables();
  MSR(mair_el2, 0xff00);
  MSR(ttbr0_el2, root);
  if (host) MSR(tcr_el2, 16ul | 16ul << 16 | 2ul << 30 | 1ul << 23 | 1ul << 32 | 0x3500ul);
  else MSR(tcr_el2, 1ul << 31 | 1ul << 23 | 16ul | 0x3500ul | 1ul << 16);
  map(CODE_PAGE, code, LEAF | NORMAL | SHARED | AF | USER | READ_ONLY);
  map(DATA_PAGE, data, LEAF | NORMAL | SHARED | AF | USER);
  MSR(sctlr_el2, (host ? 0x30d0180dul : 0x30c5183dul) | 1 << 14 | 1 << 26);
}

static void program(u64 seed) {
  state = seed;
  host = seed & 1 ? E2H : 0;
  hcr = TSC | TWI | TWE, stage1_on = 0;
  make_regime();
  for (u32 i = 0; i < COUNT(data); i++) data[i] = any();
  s1_root[0] = (u64)s1_identity | TABLE;
  s1_identity[1] = 0x40000000 | BLOCK | NORMAL | SHARED | AF;
  s1_root[WINDOW >> 39 & 511] = (u64)s1_middle | TABLE;
  s1_middle[WINDOW >> 30 & 511] = (u64)s1_low | TABLE;
  s2_root[1] = 0x40000000 | BLOCK | S2_ALL;
  s2_root[S2_WINDOW >> 30] = (u64)s2_middle | TABLE;
  s2_middle[0] = (u64)s2_pages | TABLE;
  MSR1(sctlr, "1_C0_0", 0x30d00800);
  MSR1(mair, "10_C2_0", 0xff00);
  MSR1(ttbr0, "2_C0_0", s1_root);
  MSR1(tcr, "2_C0_2", 16ul | 16ul << 16 | 2ul << 30 | 1ul << 23 | 1ul << 32 | 0x3500ul);
  MSR(vtcr_el2, VTCR(36, 1ul, 1ul));
  text("program "), hex(seed), put('\n');
  for (int i = 0; i < STEPS; i++) {
    if (one_of(3)) change_controls();
    if (one_of(4)) change_stage2();
    if (one_of(4)) change_stage1();
    if (one_of(6)) change_lists();
    control(hcr);
    step();
    control(0);
    if (i % 8 == 7) show();
  }
}

int main(void) {
  MSR(sctlr_el1, 0x30d00800);
  MSR(sctlr_el2, 0x30c50830);
  for (u64 seed = FIRST; seed < FIRST + PROGRAMS; seed++) {
#ifdef DIGESTS
    is_digested = seed != SHOWN, digest = 0xcbf29ce484222325;
    program(seed);
    u64 last = digest;
    is_digested = 0;
    if (seed != SHOWN) hex(seed), hex(last), put('\n');
#else
    program(seed);
#endif
  }
  text("end\n");
  return 0;
}
