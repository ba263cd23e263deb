// TLBI of ranges and of the Outer Shareable domain, at each level: which exist, which HCR_EL2.TTLB
// sends to EL2, and that translations inside of what they are for are read anew.

#include "attempt.h"
#include "stage1.h"
#include "stage2.h"

/** TLBI with X0. */
#define TLBI(op1, crm, op2) (0xd5088000 | (op1) << 16 | (crm) << 8 | (op2) << 5)
/** The operand of a range: pages of 4 KiB. */
#define RANGE(va, scale, num) (1ul << 46 | (u64)(scale) << 44 | (u64)(num) << 39 | ((va) >> 12 & 0x1fffffffff))

static PAGE u64 other[512];

static void all_forms(void) {
  static const u64 controls[] = {0, TTLB, TGE};
  for (u32 c = 0; c < COUNT(controls); c++) {
    control(controls[c]);
    text("hcr "), hex(controls[c]), put('\n');
    for (u32 l = 0; l < COUNT(levels); l++) {
      if (controls[c] & TGE && (levels[l] & 0xc) == 4) continue;
      for (u32 op1 = 0; op1 < 5; op1 += 4)
        for (u32 crm = 0; crm < 8; crm++)
          for (u32 op2 = 0; op2 < 8; op2++) one("tlbi", TLBI(op1, crm, op2), levels[l], RANGE(0x40000000ul, 0, 0), 0);
    }
  }
  control(0);
}

/**
 * The value at an address, after its page has become another and `word` has run at EL2 or EL1, and
 * after it `next`, unless that is 0.
 */
static void changed_by(u64 *entry, u64 leaf, u64 level, u64 base, u64 va, u32 word, u64 operand, u32 next) {
  *entry = (u64)data | leaf;
  flush_s2();
  flush_el2();
  a.code = base;
  one("before", 0xf9400001, level, va, 0);
  *entry = (u64)other | leaf;
  __asm__ volatile("dsb sy" ::: "memory");
  // EL2's own forms are for EL1's translations as well.
  one("tlbi", word, level == EL1H && (word >> 16 & 7) == 0 ? EL1H : EL2H, operand, 0);
  if (next) one("tlbi", next, EL2H, 0, 0);
  a.code = base;
  one("after", 0xf9400001, level, va, 0);
}

static void changed(u64 *entry, u64 leaf, u64 level, u64 base, u64 va, u32 word, u64 operand) {
  changed_by(entry, leaf, level, base, va, word, operand, 0);
}

static void ranges(void) {
  static const u32 crms[] = {6, 2, 5};
  make_tables();
  MSR(mair_el2, 0xff00);
  MSR(ttbr0_el2, root);
  if (host) MSR(tcr_el2, 16ul | 16ul << 16 | 2ul << 30 | 1ul << 23 | 1ul << 32 | 0x3500ul);
  else MSR(tcr_el2, 1ul << 31 | 1ul << 23 | 16ul | 0x3500ul | 1ul << 16);
  u64 off = MRS(sctlr_el2), ofEl1 = MRS1(sctlr, "1_C0_0");
  MSR(sctlr_el2, (host ? 0x30d0180dul : 0x30c5183dul) | 1 << 14 | 1 << 26);
  u64 leaf = LEAF | NORMAL | SHARED | AF | (host ? 0 : USER);
  map(CODE_PAGE, code, LEAF | NORMAL | SHARED | AF | READ_ONLY | (host ? UXN : USER));
  text("el2\n");
  for (u32 c = 0; c < COUNT(crms); c++)
    for (u32 op2 = 1; op2 < 8; op2 += 4)
      for (int num = 0; num < 3; num++)
        for (int scale = 0; scale < 2; scale++) {
          u64 first = DATA - (num ? 0x1000 : 0);
          changed(&pages[DATA_PAGE], leaf, EL2H, BASE, DATA + 8, TLBI(4, crms[c], op2), RANGE(first, scale, num));
        }
  changed(&pages[DATA_PAGE], leaf, EL2H, BASE, DATA + 8, TLBI(4, 1, 1), DATA >> 12);
  changed(&pages[DATA_PAGE], leaf, EL2H, BASE, DATA + 8, TLBI(4, 1, 0), 0);
  // A host's are those of EL1's names.
  if (host) {
    control(TGE);
    changed(&pages[DATA_PAGE], leaf, EL2H, BASE, DATA + 8, TLBI(0, 6, 1), RANGE(DATA, 0, 0));
    control(0);
  }
  MSR(sctlr_el2, off);

  text("el1\n");
  s1_root[0] = (u64)s1_identity | TABLE;
  s1_identity[1] = 0x40000000 | BLOCK | NORMAL | SHARED | AF;
  s1_root[WINDOW >> 39 & 511] = (u64)s1_middle | TABLE;
  s1_middle[WINDOW >> 30 & 511] = (u64)s1_low | TABLE;
  s1_low[WINDOW >> 21 & 511] = (u64)s1_pages | TABLE;
  MSR1(mair, "10_C2_0", 0xff00);
  MSR1(ttbr0, "2_C0_0", s1_root);
  MSR1(tcr, "2_C0_2", 16ul | 16ul << 16 | 2ul << 30 | 1ul << 23 | 1ul << 32 | 0x3500ul);
  MSR1(sctlr, "1_C0_0", 0x30d0180dul);
  for (u32 c = 0; c < COUNT(crms); c++)
    for (u32 op2 = 1; op2 < 8; op2 += 2)
      changed(&s1_pages[DATA_PAGE], LEAF | NORMAL | SHARED | AF, EL1H, (u64)code, DATA + 8, TLBI(0, crms[c], op2), RANGE(DATA, 0, 1));
  for (u32 op2 = 0; op2 < 8; op2++)
    if (op2 != 4 && op2 != 6) changed(&s1_pages[DATA_PAGE], LEAF | NORMAL | SHARED | AF | (op2 == 2 ? NG : 0), EL1H, (u64)code, DATA + 8, TLBI(0, 1, op2), op2 == 2 ? 0 : DATA >> 12);

  text("stage 2\n");
  MSR1(sctlr, "1_C0_0", ofEl1);
  s2_root[1] = 0x40000000 | BLOCK | S2_ALL;
  s2_root[S2_WINDOW >> 30] = (u64)s2_middle | TABLE;
  s2_middle[0] = (u64)s2_pages | TABLE;
  MSR(vttbr_el2, s2_root);
  MSR(vtcr_el2, VTCR(36, 1ul, 1ul));
  control(VM);
  static const u32 forms[][2] = {{0, 2}, {0, 6}, {4, 2}, {4, 6}, {4, 3}, {4, 7}, {4, 0}, {4, 4}, {1, 6}, {1, 4}};
  for (u32 i = 0; i < COUNT(forms); i++) {
    int isRange = forms[i][1] & 2 && forms[i][0] != 1;
    u64 operand = isRange ? RANGE(S2_DATA, 0, 0) : S2_DATA >> 12;
    // What is cached of both stages goes by VMALLE1 or one that is more.
    u32 next = forms[i][0] == 1 ? 0 : TLBI(4, 3, 6);
    changed_by(&s2_pages[DATA_PAGE], LEAF | S2_ALL, EL1H, (u64)code, S2_DATA + 8, TLBI(4, forms[i][0], forms[i][1]), operand, next);
  }
  control(0);
}

int main(void) {
  for (u32 i = 0; i < COUNT(data); i++) data[i] = 0x1111, other[i] = 0x2222;
  for (int i = 0; i < 2; i++) {
    MSR(sctlr_el1, 0x30d00800);
    MSR(sctlr_el2, 0x30c50830);
    host = i ? E2H : 0;
    control(0);
    text("E2H "), hex(i), put('\n');
    all_forms();
    ranges();
    MSR1(sctlr, "1_C0_0", 0x30d00800);
  }
  text("end\n");
  return 0;
}
