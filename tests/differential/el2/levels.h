// Exceptions between the levels: where each goes, and returns.

static const struct { const char *name; u32 word; } instructions[] = {
  {"svc", 0xd4000021}, {"hvc", 0xd4000022}, {"brk", 0xd4200040}, {"udf", 0}, {"wfi", 0xd503207f}, {"hlt", 0xd4400000},
  {"mrs hcr_el2", READ(HCR_EL2, 0)}, {"msr tpidr_el2", WRITE(REG(3, 4, 13, 0, 2), 0)}, {"mrs tpidr_el2", READ(REG(3, 4, 13, 0, 2), 1)},
  {"mrs tpidr_el1", READ(TPIDR_EL1, 0)}, {"mrs sp_el0", READ(SP_EL0, 0)}, {"mrs currentel", READ(CURRENT_EL, 0)},
  {"mrs ttbr0_el1", READ(TTBR0_EL1, 1)}, {"msr contextidr_el1", WRITE(CONTEXTIDR_EL1, 0)}, {"mrs contextidr_el1", READ(CONTEXTIDR_EL1, 1)},
  {"mrs revidr_el1", READ(REG(3, 0, 0, 0, 6), 1)}, {"mrs clidr_el1", READ(REG(3, 1, 0, 0, 1), 2)}, {"mrs ctr_el0", READ(REG(3, 3, 0, 0, 1), 2)},
  {"msr csselr_el1", WRITE(REG(3, 2, 0, 0, 0), 31)}, {"mrs midr_el1", READ(REG(3, 0, 0, 0, 0), 2)}, {"mrs daif", READ(REG(3, 3, 4, 2, 1), 1)},
  {"tlbi vmalle1", 0xd508871f}, {"tlbi alle1", 0xd50c879f}, {"tlbi vmalls12e1is", 0xd50c83df}, {"tlbi ipas2e1is", 0xd50c8020},
  {"tlbi alle2", 0xd50c871f}, {"tlbi vae2is", 0xd50c8320}, {"at s1e2r", 0xd50c7800}, {"mrs mdccsr_el0", READ(REG(2, 3, 0, 1, 0), 1)}, {"dc cvau", 0xd50b7b20}, {"ic iallu", 0xd508751f},
  {"mrs lorid_el1", READ(REG(3, 0, 10, 4, 7), 1)}, {"msr lorc_el1", WRITE(REG(3, 0, 10, 4, 3), 31)},
  {"msr spsel", 0xd50041bf}, {"dc csw", 0xd5087a41}, {"dc civac", 0xd50b7e20}, {"ic ialluis", 0xd508711f}, {"tlbi vae1is", 0xd5088321},
};
static const u64 hcrs[] = {0, TSC, TWI | TWE, TVM, TRVM, TID1 | TID2 | TID3, TGE, IMO | FMO | AMO, TSW, TPCP, TPU, TTLB};

/** DC ZVA where it is trapped, and what DCZID_EL0 says of it. */
static void zeroing(void) {
  u64 ofEl1 = MRS1(sctlr, "1_C0_0"), ofEl2 = MRS(sctlr_el2);
  static const u64 bits[] = {0, TDZ, TGE, TGE | TDZ};
  for (u32 h = 0; h < COUNT(bits); h++)
    for (int allowed = 0; allowed < 2; allowed++)
      for (u32 l = 0; l < COUNT(levels); l++) {
        u64 level = levels[l] & 0xc;
        int tge = bits[h] & TGE, trapped = bits[h] & TDZ && level != 8 && !(tge && host);
        if (tge && level == 4) continue;
        MSR1(sctlr, "1_C0_0", ofEl1 | (u64)allowed << 14);
        MSR(sctlr_el2, ofEl2 | (u64)allowed << 14);
        control(bits[h]);
        text("zeroing "), hex(bits[h]), hex(allowed);
        one("mrs dczid_el0", READ(REG(3, 3, 0, 0, 7), 1), levels[l], 0, 0);
        // Memory is of a Device while stage 1 is off: only where it is refused.
        if (trapped || (!level && !allowed)) one("zva", 0xd50b7420, levels[l], (u64)data + 0x40, 0);
      }
  MSR1(sctlr, "1_C0_0", ofEl1);
  MSR(sctlr_el2, ofEl2);
}

static void exceptions(void) {
  text("exceptions\n");
  control(TLOR | TERR);
  one("mrs lorid_el1", READ(REG(3, 0, 10, 4, 7), 1), EL1H, 0, 0);
  one("mrs erridr_el1", READ(REG(3, 0, 5, 3, 0), 1), EL1H, 0, 0);
  MSR(vpidr_el2, 0x410fd034);
  for (u32 h = 0; h < COUNT(hcrs); h++) {
    text("hcr "), hex(hcrs[h]), put('\n');
    control(hcrs[h]);
    for (u32 l = 0; l < COUNT(levels); l++) {
      // With TGE there is no EL1.
      if (hcrs[h] & TGE && (levels[l] & 0xc) == 4) continue;
      for (u32 i = 0; i < COUNT(instructions); i++) {
        // WFI that is not trapped waits.
        int trapped = (levels[l] & 0xc) != 8 && hcrs[h] & TWI;
        if (instructions[i].word == 0xd503207f && !trapped) continue;
        one(instructions[i].name, instructions[i].word, levels[l], (u64)data + 0x40, 0x11);
      }
      // EL1 has an SMC only through EL2.
      if ((levels[l] & 0xc) != 8 && (hcrs[h] & TSC || !(levels[l] & 0xc))) one("smc", 0xd4000023, levels[l], 0, 0);
    }
    if (hcrs[h] & TID3) one("mrs id_aa64pfr0_el1", READ(REG(3, 0, 0, 4, 0), 1), EL1H, 0, 0);
  }
  // Debug registers of EL0 count as trapped where debug exceptions go to EL2.
  for (u32 bit = 8; bit < 10; bit++)
    for (u32 l = 0; l < COUNT(levels); l++) {
      MSR(mdcr_el2, 1 << bit);
      one("brk", 0xd4200040, levels[l], 0, 0);
      one("mrs mdccsr_el0", READ(REG(2, 3, 0, 1, 0), 1), levels[l], 0, 0);
    }
  MSR(mdcr_el2, 0);
  zeroing();
  // PSTATE.PAN is set where a host asks for it.
  for (int tge = 0; tge < 2; tge++) {
    u64 sctlr = MRS(sctlr_el2);
    control(tge ? TGE : 0);
    MSR(sctlr_el2, sctlr & ~(1 << 23));
    one("svc", 0xd4000021, EL2H, 0, 0);
    one("hvc", 0xd4000022, tge ? EL0 : EL1H, 0, 0);
    MSR(sctlr_el2, sctlr);
  }
  control(0);
}

static void returns(void) {
  text("returns\n");
  static const u64 modes[] = {0x0, 0x1, 0x2, 0x4, 0x5, 0x6, 0x8, 0x9, 0xa, 0xc, 0xd, 0xf, 0x1f};
  for (int tge = 0; tge < 2; tge++) {
    control(tge ? TGE : 0);
    for (u32 m = 0; m < COUNT(modes); m++) {
      u64 spsr = modes[m] | 0x3c0 | 0x60000000;
      // From EL2: the code of the attempt sets ELR and SPSR itself.
      u32 words[] = {WRITE(ELR_EL2, 0), WRITE(SPSR_EL2, 1), ERET, NOP, NOP, NOP, NOP, NOP};
      u64 level = modes[m] & 0xc;
      words[4] = level == 8 ? RET : level == 4 ? HVC_BACK : SVC_BACK;
      run(tge ? "eret tge" : "eret", words, COUNT(words), EL2H, (u64)code + 16, spsr);
    }
  }
  control(0);
  for (u32 m = 0; m < COUNT(modes); m++) {
    u64 spsr = modes[m] | 0x3c0 | 0x60000000;
    u32 words[] = {WRITE(ELR_EL1, 0), WRITE(SPSR_EL1, 1), ERET, NOP, modes[m] & 0xc ? HVC_BACK : SVC_BACK, NOP};
    run("eret el1", words, COUNT(words), EL1H, (u64)code + 16, spsr);
  }
  // Each level has its own stack pointer.
  for (u32 l = 0; l < COUNT(levels); l++) {
    u32 words[] = {0x910003e0 /* mov x0, sp */};
    if (levels[l] == EL2H) continue;
    run("sp", words, 1, levels[l], 0, 0);
  }
}

static void floating_point(void) {
  text("floating point\n");
  static const u32 fadd = 0x1e622820;
  for (u32 cpacr = 0; cpacr < 4; cpacr++)
    for (u32 cptr = 0; cptr < 4; cptr++)
      for (int tge = 0; tge < 2; tge++) {
        MSR1(cpacr, "1_C0_2", cpacr << 20);
        MSR(cptr_el2, host ? cptr << 20 : 0x33fful | (cptr & 1) << 10 | (u64)(cptr >> 1) << 31);
        control(tge ? TGE : 0);
        text("fpen "), hex(cpacr), hex(cptr), hex(tge), put('\n');
        for (u32 l = 0; l < COUNT(levels); l++) {
          if (tge && (levels[l] & 0xc) == 4) continue;
          one("fadd", fadd, levels[l], 0, 0);
          one("mrs fpcr", READ(REG(3, 3, 4, 4, 0), 1), levels[l], 0, 0);
          if (levels[l] & 4) one("mrs cpacr_el1", READ(CPACR_EL1, 1), levels[l], 0, 0);
        }
      }
  control(0);
  MSR(cptr_el2, host ? 3 << 20 : 0x33ff);
}

static void interrupts(void) {
  text("interrupts\n");
  static const u64 pending[] = {VI, VF, VSE, VI | VF};
  for (u32 p = 0; p < COUNT(pending); p++)
    for (int routed = 0; routed < 2; routed++)
      for (u32 l = 0; l < COUNT(levels); l++)
        for (int masked = 0; masked < 2; masked++) {
          MSR(vsesr_el2, 0x123);
          control(pending[p] | (routed ? IMO | FMO | AMO : 0));
          text("virtual "), hex(pending[p]), hex(routed);
          one("nop", NOP, masked ? levels[l] : levels[l] & ~0x3c0ul, 0, 0);
          // A virtual SError that was taken is not pending any more.
          hex(MRS(hcr_el2) & (VI | VF | VSE)), put('\n');
          if (levels[l] == EL1H) {
            // MRS X1, ISR_EL1; MSR DAIFCLR, #2.
            u32 words[] = {READ(REG(3, 0, 12, 1, 0), 1), 0xd50342ff, NOP};
            run("isr, daifclr", words, COUNT(words), levels[l], 0, 0);
          }
        }
  control(0);
}
