// Values of registers: what is kept of what is written, by each name.

static const struct { const char *name; u32 reg; u64 kept; } el2_registers[] = {
  {"vpidr", REG(3, 4, 0, 0, 0), 0xffffffff}, {"vmpidr", REG(3, 4, 0, 0, 5), -1ul}, {"hstr", REG(3, 4, 1, 1, 3), 0xffff},
  {"ttbr0", REG(3, 4, 2, 0, 0), -1ul}, {"mair", REG(3, 4, 10, 2, 0), -1ul}, {"spsr", SPSR_EL2, 0xffffffff}, {"elr", ELR_EL2, -1ul},
  {"sp_el1", REG(3, 4, 4, 1, 0), -1ul}, {"esr", REG(3, 4, 5, 2, 0), 0xffffffff}, {"far", REG(3, 4, 6, 0, 0), -1ul},
  {"hpfar", REG(3, 4, 6, 0, 4), 0xfffffffff0}, {"tpidr", REG(3, 4, 13, 0, 2), -1ul}, {"vttbr", REG(3, 4, 2, 1, 0), -1ul},
  {"vtcr", REG(3, 4, 2, 1, 2), 0xfffff}, {"cnthctl", REG(3, 4, 14, 1, 0), 0x3}, {"contextidr", REG(3, 4, 13, 0, 1), 0xffffffff},
  {"ttbr1", REG(3, 4, 2, 0, 1), -1ul}, {"vsesr", REG(3, 4, 5, 2, 3), 0x1ffffff},
};
static const struct { const char *name; u32 reg; } el1_registers[] = {
  {"ttbr0", TTBR0_EL1}, {"ttbr1", TTBR1_EL1}, {"spsr", SPSR_EL1}, {"elr", ELR_EL1}, {"esr", ESR_EL1}, {"far", FAR_EL1}, {"mair", MAIR_EL1},
  {"contextidr", CONTEXTIDR_EL1}, {"vbar", VBAR_EL1}, {"tcr", TCR_EL1},
};
static const u64 patterns[] = {0, -1ul, 0x5555555555555555, 0x0123456789abcdef};

/** Writes X0 to a register, reads X1 from another, and restores the first. */
static void write_read(const char *name, u32 to, u32 from, u64 value, u64 mask) {
  u32 words[] = {READ(to, 2), WRITE(to, 0), ISB, READ(from, 1), WRITE(to, 2), ISB};
  for (u32 i = 0; i < COUNT(words); i++) code[i] = words[i];
  code[COUNT(words)] = RET;
  __asm__ volatile("dsb sy; ic iallu; dsb sy; isb" ::: "memory");
  a.code = (u64)code, a.pstate = EL2H, a.x[0] = value, a.x[1] = 0;
  int exception = attempt(&a);
  a.code = 0;
  text(name), put(' '), hex(value);
  if (exception) text("! "), hex(a.vector), hex(a.esr), hex(a.elr - (u64)code);
  else hex(a.result[1] & mask);
  put('\n');
}

static void registers(void) {
  text("registers\n");
  MSR(esr_el2, 0);
  for (u32 i = 0; i < COUNT(el2_registers); i++)
    for (u32 p = 0; p < COUNT(patterns); p++) write_read(el2_registers[i].name, el2_registers[i].reg, el2_registers[i].reg, patterns[p], el2_registers[i].kept);
  // HCR_EL2: bits whose effect cannot be seen by this code.
  static const u64 controls[] = {0, FMO | IMO | AMO, VI, VF, TWI | TWE, TID1 | TID2 | TID3, TSC | TIDCP | TACR, TVM | TRVM, TGE, 3ul << 32, 1ul << 38};
  for (u32 i = 0; i < COUNT(controls); i++) write_read("hcr", HCR_EL2, HCR_EL2, RW | host | controls[i], -1ul);
  text("names\n");
  for (u32 i = 0; i < COUNT(el1_registers); i++) {
    u32 reg = el1_registers[i].reg, el2 = reg | 4 << 16;
    const char *name = el1_registers[i].name;
    // The EL1 name at EL2 is EL2's register for a host, or EL1's.
    if (reg != VBAR_EL1 && reg != TCR_EL1) {
      write_read(name, reg, reg, 0x12345000, -1ul);
      write_read(name, reg, el2, 0x12345000, -1ul);
      write_read(name, el2, reg, 0x6789a000, -1ul);
    }
    // Its alias is EL1's. Without E2H it is UNDEFINED, which not every QEMU knows.
    if (!host) continue;
    write_read(name, EL12(reg), EL12(reg), 0x54321000, -1ul);
    write_read(name, EL12(reg), reg, 0x54321000, -1ul);
  }
  if (host) {
  write_read("sctlr_el12", EL12(SCTLR_EL1), EL12(SCTLR_EL1), 0x30d00800, -1ul);
  write_read("cpacr_el12", EL12(CPACR_EL1), EL12(CPACR_EL1), 3 << 20, -1ul);
  write_read("cntkctl_el12", EL12(CNTKCTL_EL1), EL12(CNTKCTL_EL1), 0x303, -1ul);
  write_read("cntp_cval_el02", CNTP_CVAL_EL02, CNTP_CVAL_EL02, 0x123456789a, -1ul);
  write_read("cntv_ctl_el02", CNTV_CTL_EL02, CNTV_CTL_EL02, 2, -1ul);
  }
  write_read("cptr", CPTR_EL2, CPTR_EL2, host ? 3 << 20 : 0x33ff, -1ul);
  write_read("cptr", CPTR_EL2, CPTR_EL2, (host ? 1 << 20 : 0x37ff) | 1ul << 31, -1ul);
  write_read("cpacr", CPACR_EL1, host ? CPTR_EL2 : CPACR_EL1, 3 << 20, -1ul);
}
