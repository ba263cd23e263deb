// Starts at EL2 and has code of each level stepped, stopped by a breakpoint, by a watchpoint and by
// BRK, with debug exceptions for EL1 and for EL2: which level takes each, and what it is told.

#include "../guest.h"

/** Vectors of both levels, `enter`, and the code that is debugged. */
__asm__(
    ".section .text.start\n .globl _start\n_start: ldr x1, =stack_top\n mov sp, x1\n b main\n .text\n"
    ".macro slots level, to\n"
    " .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15\n .balign 128\n msr tpidr_\\level, x0\n mov x0, #\\n\n b \\to\n .endr\n"
    ".endm\n"
    " .balign 2048\nvectors_el2: slots el2, at_el2\n"
    " .balign 2048\nvectors_el1: slots el1, at_el1\n"
    "at_el1: adrp x9, vector1\n str x0, [x9, :lo12:vector1]\n hvc #0x7f\n"
    "at_el2: adrp x9, vector2\n str x0, [x9, :lo12:vector2]\n adrp x9, saved_sp\n ldr x9, [x9, :lo12:saved_sp]\n"
    " msr spsel, #1\n mov sp, x9\n ldp x19, x20, [sp], #16\n ldp x29, x30, [sp], #16\n ret\n"
    // void enter(u64 pc, u64 spsr, u64 x1): until EL2 takes an exception.
    " .globl enter\nenter: stp x29, x30, [sp, #-16]!\n stp x19, x20, [sp, #-16]!\n mov x9, sp\n adrp x10, saved_sp\n"
    " str x9, [x10, :lo12:saved_sp]\n msr elr_el2, x0\n msr spsr_el2, x1\n mov x1, x2\n eret\n"
    " .globl code\n .balign 4096\ncode: nop\n ldr x2, [x1]\n str x2, [x1]\n nop\n svc #5\n hvc #6\n smc #7\n"
    " .globl breaks\nbreaks: brk #0x123\n");

extern char code[], breaks[], vectors_el1[], vectors_el2[];
void enter(u64 pc, u64 spsr, u64 x1);
u64 vector1, vector2, saved_sp, data[8];


#define RW (1ul << 31)
#define TGE (1ul << 27)
#define TDE (1ul << 8)
enum { SS = 1, KDE = 1 << 13, MDE = 1 << 15, D = 1 << 9, SPSR_SS = 1 << 21, HMC = 1 << 13 };

/** Runs code at a level with MDSCR_EL1 as given, and prints the exception that ended it. */
static void attempt(const char *what, char *pc, u64 mdscr, u64 spsr) {
  vector1 = vector2 = 0x99;
  MSR(far_el1, 0), MSR(far_el2, 0);
  MSR(mdscr_el1, mdscr);
  enter((u64)pc, spsr | (mdscr & SS ? SPSR_SS : 0), (u64)data);
  MSR(mdscr_el1, 0);
  text(what), hex(mdscr), hex(spsr);
  u64 esr = MRS(esr_el2);
  if (vector1 != 0x99 && esr == 0x5a00007f)
    text("EL1 "), hex(vector1), hex(MRS(esr_el1)), hex(MRS(elr_el1) - (u64)code), hex(MRS(spsr_el1)), hex(MRS(esr_el1) >> 27 == 0x34 >> 1 ? MRS(far_el1) == (u64)data : 0);
  else text("EL2 "), hex(vector2), hex(esr), hex(MRS(elr_el2) - (u64)code), hex(MRS(spsr_el2)), hex(esr >> 27 == 0x34 >> 1 ? MRS(far_el2) == (u64)data : 0);
  put('\n');
}

static void debug_at(u64 spsr, u64 kernel) {
  attempt("step ", code, SS | kernel, spsr);
  attempt("step over nop, svc, hvc, smc ", code + 12, SS | kernel, spsr);
  attempt("brk ", breaks, kernel, spsr);
  for (u64 hmc = 0; hmc <= HMC; hmc += HMC) {
    MSR(dbgbcr0_el1, 1 | 3 << 1 | 0xf << 5 | hmc);
    attempt(hmc ? "breakpoint with HMC " : "breakpoint ", code, MDE | kernel, spsr);
    MSR(dbgbcr0_el1, 0);
    for (u64 kind = 1; kind < 4; kind++) {
      MSR(dbgwcr0_el1, 1 | 3 << 1 | kind << 3 | 0xff << 5 | hmc);
      attempt(hmc ? "watchpoint with HMC " : "watchpoint ", code, MDE | kernel, spsr);
    }
    MSR(dbgwcr0_el1, 0);
  }
}

void main(void) {
  MSR(vbar_el2, vectors_el2), MSR(vbar_el1, vectors_el1);
  MSR(sctlr_el1, 0x30d00800);
  MSR(oslar_el1, 0);
  MSR(dbgbvr0_el1, code + 12), MSR(dbgwvr0_el1, data);
  static const u64 levels[] = {0, 4, 5, 9};
  for (u32 to = 0; to < 4; to++) {
    MSR(mdcr_el2, to & 1 ? TDE : 0), MSR(hcr_el2, RW | (to & 2 ? TGE : 0));
    text("mdcr_el2, hcr_el2 "), hex(MRS(mdcr_el2) & TDE), hex(MRS(hcr_el2)), put('\n');
    for (u32 l = 0; l < 4; l++) {
      if (to & 2 && (levels[l] & 12) == 4) continue;
      for (u64 kernel = 0; kernel <= KDE; kernel += KDE)
        for (u64 masked = 0; masked <= D; masked += D) debug_at(levels[l] | 0x1c0 | masked, kernel);
    }
  }
  text("end\n");
  register u64 x0 __asm__("x0") = 0x84000008;
  __asm__ volatile("smc #0" ::"r"(x0));
}
