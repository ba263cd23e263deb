// Pointer authentication and branch targets at each level: codes under the controls of each regime,
// what fails, what HCR_EL2.API and APK send to EL2, and where guarded pages refuse a branch.

#include "attempt.h"
#include "stage1.h"

#define APK (1ul << 40)
#define API (1ul << 41)
#define KEYS (1ul << 31 | 1ul << 30 | 1ul << 27 | 1ul << 13)
#define GUARDED (1ul << 50)
/** SCTLR_ELx.BT0 and BT1. */
#define BT (3ul << 35)

/** PAC or AUT of X0 with X1, or with zero. */
#define SOURCE(opcode) (0xdac10020 | (opcode) << 10)
#define ZERO_SOURCE(opcode) (0xdac103e0 | (opcode) << 10)
enum { PACIA, PACIB, PACDA, PACDB, AUTIA, AUTIB, AUTDA, AUTDB, XPACI = 16, XPACD };

enum {
  MOV_X30_X0 = 0xaa0003fe, MOV_X0_X30 = 0xaa1e03e0, MOV_X17_X0 = 0xaa0003f1, MOV_X16_X1 = 0xaa0103f0, MOV_X0_X17 = 0xaa1103e0,
  MOV_X1_SP = 0x910003e1, BR_X0 = 0xd61f0000, BR_X16 = 0xd61f0200, BLR_X0 = 0xd63f0000,
};

static void set_keys(void) {
  u64 k = 0x9e3779b97f4a7c15;
#define KEY(number) MSR(S3_0_C2_C##number, k *= 0xbf58476d1ce4e5b9)
  KEY(1_0); KEY(1_1); KEY(1_2); KEY(1_3); KEY(2_0); KEY(2_1); KEY(2_2); KEY(2_3); KEY(3_0); KEY(3_1);
}

static const u64 pointers[] = {
  0x40412340, 0x0000800040412340, 0xffff800012345678, 0xa500000040412340, 0x5aff800012345678, 0x0080000012345678, 0x123456789abcdef0,
};

/** What is the same for all pointers: instructions that use a key, and those that only look. */
static void uses(u64 level, u64 pointer) {
  for (u32 opcode = 0; opcode < 8; opcode++) {
    one("source", SOURCE(opcode), level, pointer, 0x1234);
    // The code that it was given, another key's, and one that was changed.
    u32 back[] = {SOURCE(opcode & 3), SOURCE(4 | opcode)};
    run("back", back, COUNT(back), level, pointer, 0x5678);
  }
  u32 zeros[] = {ZERO_SOURCE(8 | PACIB), ZERO_SOURCE(8 | AUTIB)};
  run("zero", zeros, COUNT(zeros), level, pointer, 0);
  one("generic", 0x9ac03000 | 1 << 16, level, pointer, 0x77);
  one("strip i", ZERO_SOURCE(XPACI), level, pointer, 0);
  one("strip d", ZERO_SOURCE(XPACD), level, pointer, 0);
}

/** TCR of each regime with the same sizes: TBI, TBID and TxSZ of both halves. */
static void set_tcr(u64 tbi, u64 tbid, u64 size) {
  u64 both = size | size << 16 | 2ul << 30 | 1ul << 23 | 1ul << 32 | (tbi & 3) << 37 | (tbid & 3) << 51;
  MSR1(tcr, "2_C0_2", both);
  MSR(tcr_el2, host ? both : 1ul << 31 | 1ul << 23 | size | 1ul << 16 | (tbi & 1) << 20 | (tbid & 1) << 29);
}

static void codes(void) {
  static const u64 sizes[] = {16, 25, 39};
  for (u32 s = 0; s < COUNT(sizes); s++)
    for (u64 tbi = 0; tbi < 4; tbi++)
      for (u64 tbid = 0; tbid < 4; tbid += 3) {
        set_tcr(tbi, tbid, sizes[s]);
        text("tcr "), hex(sizes[s]), hex(tbi), hex(tbid), put('\n');
        for (int tge = 0; tge < 2; tge++)
          for (u32 l = 0; l < COUNT(levels); l++) {
            if (tge && (levels[l] & 0xc)) continue;
            control(APK | API | (tge ? TGE : 0));
            // Where the halves differ in TBI, bit 55 chooses the half, which QEMU does not know.
            int mixed = (tbi == 1 || tbi == 2) && (host || !(levels[l] & 8));
            for (u32 p = 0; p < COUNT(pointers); p++)
              if (!mixed || (pointers[p] >> 55 & 1) == pointers[p] >> 63) uses(levels[l], pointers[p]);
          }
      }
  set_tcr(0, 0, 16);
}

/** Branches and returns whose address is authenticated, and a load: of code that signs it first. */
static void branches(u64 level) {
  u64 base = (u64)code;
  u32 back = (level & 0xc) == 8 ? RET : (level & 0xc) == 4 ? HVC_BACK : SVC_BACK;
  u32 jump[] = {SOURCE(PACIA), 0xd71f0801, NOP, NOP, back};
  run("braa", jump, COUNT(jump), level, base + 16, 0x55);
  u32 zero[] = {ZERO_SOURCE(8 | PACIB), 0xd61f0c1f, NOP, NOP, back};
  run("brabz", zero, COUNT(zero), level, base + 16, 0);
  u32 wrong[] = {SOURCE(PACIB), 0xd71f0801, NOP, NOP, back};
  run("braa of b", wrong, COUNT(wrong), level, base + 16, 0x55);
  u32 load[] = {ZERO_SOURCE(8 | PACDA), 0xf8200401};
  run("ldraa", load, COUNT(load), level, (u64)data + 0x40, 0);
  u32 frame[] = {MOV_X30_X0, 0xd503233f, 0xd50323bf, MOV_X0_X30, back};
  run("paciasp, autiasp", frame, COUNT(frame), level, base + 24, 0);
  u32 hints[] = {MOV_X17_X0, MOV_X16_X1, 0xd503215f, MOV_X0_X17};
  run("pacib1716", hints, COUNT(hints), level, base, 0x99);
}

static void returns(void) {
  // ELR of each level, signed with its stack pointer; ERETAA, ERETAB.
  for (u32 key = 0; key < 2; key++) {
    u32 ofEl2[] = {MOV_X1_SP, SOURCE(PACIA + key), WRITE(ELR_EL2, 0), WRITE(SPSR_EL2, 2), 0xd69f0bff | key << 10, NOP, RET};
    u32 ofEl1[] = {MOV_X1_SP, SOURCE(PACIA + key), WRITE(ELR_EL1, 0), WRITE(SPSR_EL1, 2), 0xd69f0bff | key << 10, NOP, HVC_BACK};
    u32 unsigned1[] = {WRITE(ELR_EL1, 0), WRITE(SPSR_EL1, 2), 0xd69f0bff | key << 10, NOP, NOP, NOP, HVC_BACK};
    for (int api = 0; api < 2; api++) {
      control(api ? API | APK : 0);
      text("eret "), hex(key), hex(api), put('\n');
      run("eret el2", ofEl2, COUNT(ofEl2), EL2H, (u64)code + 24, 0);
      run("eret el1", ofEl1, COUNT(ofEl1), EL1H, (u64)code + 24, 0);
      run("eret el1, not signed", unsigned1, COUNT(unsigned1), EL1H, (u64)code + 24, 0);
    }
  }
}

static void traps(void) {
  static const u64 controls[] = {0, API, APK, API | APK, TGE, TGE | API};
  static const u64 enables[] = {0, KEYS, 1ul << 31};
  u64 ofEl1 = MRS1(sctlr, "1_C0_0"), ofEl2 = MRS(sctlr_el2);
  for (u32 c = 0; c < COUNT(controls); c++)
    for (u32 e = 0; e < COUNT(enables); e++) {
      MSR1(sctlr, "1_C0_0", (ofEl1 & ~KEYS) | enables[e]);
      MSR(sctlr_el2, (ofEl2 & ~KEYS) | enables[e]);
      control(controls[c]);
      text("hcr "), hex(controls[c]), hex(enables[e]), put('\n');
      for (u32 l = 0; l < COUNT(levels); l++) {
        if (controls[c] & TGE && (levels[l] & 0xc) == 4) continue;
        uses(levels[l], pointers[2]);
        branches(levels[l]);
        for (u32 number = 0; number < 10; number++) {
          u32 key = REG(3, 0, 2, 1 + number / 4, number % 4);
          one("read key", READ(key, 1), levels[l], 0, 0);
          // The value that it has.
          u32 write[] = {READ(key, 1), WRITE(key, 1)};
          run("write key", write, COUNT(write), levels[l], 0, 0);
        }
      }
    }
  MSR1(sctlr, "1_C0_0", ofEl1);
  MSR(sctlr_el2, ofEl2);
}

/** Branches to X0 by registers that give each type, to each of some landings. */
static void landings(u64 level, u64 base) {
  static const u32 jumps[] = {BR_X0, BR_X16, BLR_X0};
  static const u32 places[] = {NOP, 0xd503241f, 0xd503245f, 0xd503249f, 0xd50324df, 0xd503233f, 0xd503237f, RET};
  u32 back = (level & 0xc) == 8 ? RET : (level & 0xc) == 4 ? HVC_BACK : SVC_BACK;
  for (u32 j = 0; j < COUNT(jumps); j++)
    for (u32 p = 0; p < COUNT(places); p++) {
      // X30 is kept in X4: a return from the code of EL2 needs it.
      u32 words[] = {0xaa1e03e4, 0xaa0003f0, jumps[j], NOP, places[p] == RET ? 0xaa0403fe : places[p], 0xaa0403fe, back};
      a.code = base;
      hex(jumps[j]), hex(places[p]);
      run("branch", words, COUNT(words), level, base + 16, 0);
    }
}

static void guarded(void) {
  make_tables();
  MSR(mair_el2, 0xff00);
  MSR(ttbr0_el2, root);
  MSR1(mair, "10_C2_0", 0xff00);
  MSR1(ttbr0, "2_C0_0", root);
  set_tcr(0, 0, 16);
  flush_el2();
  u64 on = (host ? 0x30d0180dul : 0x30c5183dul) | 1 << 14 | 1 << 26, ofEl1 = MRS1(sctlr, "1_C0_0"), ofEl2 = MRS(sctlr_el2);
  for (u64 bt = 0; bt < 4; bt++)
    for (int tge = 0; tge < (host ? 2 : 1); tge++)
      for (u32 l = 0; l < COUNT(levels); l++) {
        u64 level = levels[l], el = level & 0xc;
        // The tables of EL2 without a host are not those of EL1.
        if (tge ? el == 4 : host ? el != 8 : el != 8) continue;
        control(API | APK | (tge ? TGE : 0));
        for (int guards = 0; guards < 2; guards++) {
          MSR(sctlr_el2, on | bt << 35);
          map(CODE_PAGE, code, LEAF | NORMAL | SHARED | AF | READ_ONLY | (guards ? GUARDED : 0) | (el ? (host ? UXN : USER) : USER | PXN));
          text("guarded "), hex(bt), hex(tge), hex(level), hex(guards), put('\n');
          landings(level, BASE);
          MSR(sctlr_el2, ofEl2);
        }
      }
  // EL1 and EL0 have tables of their own, in which this program is EL1's or EL0's.
  for (u64 bt = 0; bt < 4; bt++)
    for (u32 l = 0; l < 3; l++) {
      u64 user = levels[l] & 0xc ? 0 : USER;
      control(API | APK);
      identity[1] = 0x40000000 | BLOCK | NORMAL | SHARED | AF | user | (user ? PXN : 0) | GUARDED;
      flush_el2();
      MSR1(sctlr, "1_C0_0", 0x30d0180dul | 1 << 14 | 1 << 26 | bt << 35);
      text("guarded el1 "), hex(bt), hex(levels[l]), put('\n');
      if (levels[l] & 0xc) landings(levels[l], (u64)code);
      else {
        // Its exceptions go to EL1, whose vectors it cannot execute: only what EL0 does is shown.
        map(CODE_PAGE, code, LEAF | NORMAL | SHARED | AF | READ_ONLY | GUARDED | USER | PXN);
        identity[1] = 0x40000000 | BLOCK | NORMAL | SHARED | AF | GUARDED;
        flush_el2();
        landings(levels[l], BASE);
      }
      MSR1(sctlr, "1_C0_0", ofEl1);
    }
  identity[1] = 0x40000000 | BLOCK | NORMAL | SHARED | AF | (host ? 0 : USER);
  flush_el2();
}

int main(void) {
  for (int i = 0; i < 2; i++) {
    MSR(sctlr_el2, 0x30c50830);
    host = i ? E2H : 0;
    control(API | APK);
    MSR1(sctlr, "1_C0_0", 0x30d00800 | KEYS);
    MSR(sctlr_el2, 0x30c50830 | KEYS);
    text("E2H "), hex(i), put('\n');
    set_keys();
    set_tcr(0, 0, 16);
    codes();
    returns();
    traps();
    guarded();
  }
  text("end\n");
  return 0;
}
