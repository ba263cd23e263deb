// GICv3's virtual CPU interface: registers of EL2, traps of EL1's accesses, and random operations
// on list registers from both sides.

enum {
  ICH_AP0R0 = REG(3, 4, 12, 8, 0), ICH_AP1R0 = REG(3, 4, 12, 9, 0), ICH_HCR = REG(3, 4, 12, 11, 0), ICH_VTR = REG(3, 4, 12, 11, 1),
  ICH_MISR = REG(3, 4, 12, 11, 2), ICH_EISR = REG(3, 4, 12, 11, 3), ICH_ELRSR = REG(3, 4, 12, 11, 5), ICH_VMCR = REG(3, 4, 12, 11, 7),
  ICH_LR0 = REG(3, 4, 12, 12, 0), ICC_PMR = REG(3, 0, 4, 6, 0), ICC_IAR0 = REG(3, 0, 12, 8, 0), ICC_EOIR0 = REG(3, 0, 12, 8, 1),
  ICC_HPPIR0 = REG(3, 0, 12, 8, 2), ICC_BPR0 = REG(3, 0, 12, 8, 3), ICC_AP0R0 = REG(3, 0, 12, 8, 4), ICC_AP1R0 = REG(3, 0, 12, 9, 0),
  ICC_DIR = REG(3, 0, 12, 11, 1), ICC_RPR = REG(3, 0, 12, 11, 3), ICC_SGI1R = REG(3, 0, 12, 11, 5), ICC_ASGI1R = REG(3, 0, 12, 11, 6),
  ICC_SGI0R = REG(3, 0, 12, 11, 7), ICC_IAR1 = REG(3, 0, 12, 12, 0), ICC_EOIR1 = REG(3, 0, 12, 12, 1), ICC_HPPIR1 = REG(3, 0, 12, 12, 2),
  ICC_BPR1 = REG(3, 0, 12, 12, 3), ICC_CTLR = REG(3, 0, 12, 12, 4), ICC_IGRPEN0 = REG(3, 0, 12, 12, 6), ICC_IGRPEN1 = REG(3, 0, 12, 12, 7),
  ISR = REG(3, 0, 12, 1, 0),
};
enum { GROUP0 = 1, GROUP1 = 2, READS = 4, WRITES = 8 };
static const struct { const char *name; u32 reg, is; } interface[] = {
  {"pmr", ICC_PMR, GROUP0 | GROUP1 | READS | WRITES}, {"iar0", ICC_IAR0, GROUP0 | READS}, {"eoir0", ICC_EOIR0, GROUP0 | WRITES},
  {"hppir0", ICC_HPPIR0, GROUP0 | READS}, {"bpr0", ICC_BPR0, GROUP0 | READS | WRITES}, {"ap0r0", ICC_AP0R0, GROUP0 | READS | WRITES},
  {"ap1r0", ICC_AP1R0, GROUP1 | READS | WRITES}, {"dir", ICC_DIR, GROUP0 | GROUP1 | WRITES}, {"rpr", ICC_RPR, GROUP0 | GROUP1 | READS},
  {"iar1", ICC_IAR1, GROUP1 | READS}, {"eoir1", ICC_EOIR1, GROUP1 | WRITES}, {"hppir1", ICC_HPPIR1, GROUP1 | READS},
  {"bpr1", ICC_BPR1, GROUP1 | READS | WRITES}, {"ctlr", ICC_CTLR, GROUP0 | GROUP1 | READS | WRITES},
  {"igrpen0", ICC_IGRPEN0, GROUP0 | READS | WRITES}, {"igrpen1", ICC_IGRPEN1, GROUP1 | READS | WRITES},
};
static const struct { const char *name; u32 reg; } senders[] = {{"sgi1r", ICC_SGI1R}, {"asgi1r", ICC_ASGI1R}, {"sgi0r", ICC_SGI0R}};

#define ICH_REGISTER(name, reg) \
  static u64 name(u64 value, int writes) { if (writes) MSR_TEXT(reg, value); return MRS_TEXT(reg); }
ICH_REGISTER(ich_ap0r0, "S3_4_C12_C8_0") ICH_REGISTER(ich_ap1r0, "S3_4_C12_C9_0") ICH_REGISTER(ich_hcr, "S3_4_C12_C11_0")
ICH_REGISTER(ich_vmcr, "S3_4_C12_C11_7") ICH_REGISTER(ich_lr0, "S3_4_C12_C12_0") ICH_REGISTER(ich_lr1, "S3_4_C12_C12_1")
ICH_REGISTER(ich_lr2, "S3_4_C12_C12_2") ICH_REGISTER(ich_lr3, "S3_4_C12_C12_3")
static u64 (*const ich[])(u64, int) = {ich_ap0r0, ich_ap1r0, ich_hcr, ich_vmcr, ich_lr0, ich_lr1, ich_lr2, ich_lr3};
enum { LISTS = 4, FIRST_LIST = 4 };

/** Everything, but VGrp0D of ICH_MISR_EL2, which QEMU 7.2 finds by VENG1 (Arm IHI 0069H 12.4.8). */
static void show_lists(void) {
  for (u32 i = 0; i < COUNT(ich); i++) hex(ich[i](0, 0));
  hex(MRS_TEXT("S3_4_C12_C11_2") & ~(1ul << 5)), hex(MRS_TEXT("S3_4_C12_C11_3")), hex(MRS_TEXT("S3_4_C12_C11_5")), put('\n');
}
static void clear_lists(void) {
  for (u32 i = 0; i < COUNT(ich); i++) ich[i](0, 1);
}

static void list_registers(void) {
  static const struct { const char *name; u32 reg; u64 kept; } registers[] = {
    {"ap0r0", ICH_AP0R0, -1ul}, {"ap1r0", ICH_AP1R0, -1ul}, {"hcr", ICH_HCR, 0xf8005cff}, {"vmcr", ICH_VMCR, 0xf8fc021b},
    {"lr0", ICH_LR0, 0xf0f81fff00ffffff},
  };
  for (u32 r = 0; r < COUNT(registers); r++)
    for (u32 p = 0; p < COUNT(patterns); p++) {
      write_read(registers[r].name, registers[r].reg, registers[r].reg, patterns[p], registers[r].kept);
    }
  one("mrs vtr", READ(ICH_VTR, 1), EL2H, 0, 0);
  clear_lists();
}

/** Accesses of each level where they are virtual or trapped: others are the machine's. */
static void list_accesses(void) {
  static const u64 routes[] = {FMO, IMO, FMO | IMO}, traps[] = {0, 1 << 10, 1 << 11, 1 << 12, 1 << 14};
  for (u32 r = 0; r < COUNT(routes); r++)
    for (u32 t = 0; t < COUNT(traps); t++) {
      control(routes[r]);
      ich_hcr(traps[t], 1);
      text("lists "), hex(routes[r]), hex(traps[t]), put('\n');
      u32 groups = (routes[r] & FMO ? GROUP0 : 0) | (routes[r] & IMO ? GROUP1 : 0);
      for (u32 l = 0; l < 3; l += 2)
        for (u32 i = 0; i < COUNT(interface); i++) {
          if (!(interface[i].is & groups) && levels[l] != EL0) continue;
          if (interface[i].is & READS) one(interface[i].name, READ(interface[i].reg, 1), levels[l], 0, 0);
          if (interface[i].is & WRITES) one("write", WRITE(interface[i].reg, 31), levels[l], 0, 0);
        }
      for (u32 i = 0; i < COUNT(senders); i++) one(senders[i].name, WRITE(senders[i].reg, 31), EL1H, 0, 0);
    }
  clear_lists();
}

/** A list register with few INTIDs and priorities, so that they meet. */
static u64 random_list(void) {
  static const u64 intids[] = {3, 33, 34, 35, 1000, 8195, 1020, 1023};
  u64 state = random() & 3, group = random() & 1, priority = (random() & 7) << 5 | (random() & 3) << 3, hw = random() & 1;
  return state << 62 | hw << 61 | group << 60 | priority << 48 | (hw ? 40 + (random() & 7) : (random() & 1) << 9) << 32 | intids[random() % 8];
}

/** One random operation of EL2. */
static void random_of_el2(void) {
  u64 kind = random() % 8;
  if (kind < 4) ich[FIRST_LIST + random() % LISTS](random_list(), 1);
  else if (kind == 4) ich_hcr((random() & 7 ? 1 : 0) | (random() & 0xfe) | (random() & 1) << 27, 1);
  else if (kind == 5) ich_vmcr((random() & 0x213) | (random() & 1 ? 3 : 0) | (random() & 0x3f) << 18 | (random() & 3 ? 0xf8 : random() & 0xf8) << 24, 1);
  else if (kind == 6) ich[random() & 1](random() & 1 ? 0 : 1u << (random() & 31), 1);
  else ich_vmcr(0xf8000003, 1);
}

/** One random operation of EL1, and what interrupts it then sees. */
static void random_of_el1(void) {
  static const u64 ends[] = {3, 33, 34, 35, 1000, 8195, 1023};
  u32 i = random() % COUNT(interface), reads = !(interface[i].is & WRITES) || (interface[i].is & READS && random() & 1);
  u64 value = interface[i].reg == ICC_AP0R0 || interface[i].reg == ICC_AP1R0 ? 0 : random();
  // Other bits are reserved.
  if (interface[i].reg == ICC_BPR0 || interface[i].reg == ICC_BPR1) value &= 7;
  if (interface[i].reg == ICC_DIR || interface[i].reg == ICC_EOIR0 || interface[i].reg == ICC_EOIR1) value = ends[random() % COUNT(ends)];
  u32 words[] = {reads ? READ(interface[i].reg, 0) : WRITE(interface[i].reg, 0), ISB, READ(ISR, 1)};
  u64 daif = random() & 3 ? EL1H : EL1H & ~0xc0ul;
  text(reads ? "read " : "write "), hex(value);
  run(interface[i].name, words, COUNT(words), daif, value, 0);
}

static void random_lists(void) {
  control(IMO | FMO);
  clear_lists();
  for (int step = 0; step < 2500; step++) {
    if (random() % 3 == 0) random_of_el2(), text("EL2 ");
    else random_of_el1();
    show_lists();
  }
  clear_lists();
  control(0);
}

static void lists(void) {
  text("lists\n");
  list_registers();
  list_accesses();
  random_lists();
}
