// Timers of EL1 and EL2: who may access which, what CNTVOFF_EL2 changes, and when each condition
// holds.

enum {
  CNTPCT = REG(3, 3, 14, 0, 1), CNTVCT = REG(3, 3, 14, 0, 2), CNTP_TVAL = REG(3, 3, 14, 2, 0), CNTP_CTL = REG(3, 3, 14, 2, 1),
  CNTP_CVAL = REG(3, 3, 14, 2, 2), CNTV_TVAL = REG(3, 3, 14, 3, 0), CNTV_CTL = REG(3, 3, 14, 3, 1), CNTV_CVAL = REG(3, 3, 14, 3, 2),
  CNTHP_CTL = REG(3, 4, 14, 2, 1), CNTHP_CVAL = REG(3, 4, 14, 2, 2), CNTHV_CTL = REG(3, 4, 14, 3, 1), CNTHV_CVAL = REG(3, 4, 14, 3, 2),
  CNTVOFF = REG(3, 4, 14, 0, 3), CNTHCTL = REG(3, 4, 14, 1, 0),
};
static const struct { const char *name; u32 reg; } timer_registers[] = {
  {"cntpct", CNTPCT}, {"cntvct", CNTVCT}, {"cntp_tval", CNTP_TVAL}, {"cntp_ctl", CNTP_CTL}, {"cntp_cval", CNTP_CVAL},
  {"cntv_tval", CNTV_TVAL}, {"cntv_ctl", CNTV_CTL}, {"cntv_cval", CNTV_CVAL}, {"cnthp_ctl", CNTHP_CTL}, {"cnthp_cval", CNTHP_CVAL},
  {"cnthv_ctl", CNTHV_CTL}, {"cnthv_cval", CNTHV_CVAL}, {"cntvoff", CNTVOFF}, {"cnthctl", CNTHCTL}, {"cntkctl", CNTKCTL_EL1},
};
#define MSR_TEXT(name, value) __asm__ volatile("msr " name ", %0; isb" ::"r"(value) : "memory")
#define MRS_TEXT(name) ({ u64 v; __asm__ volatile("mrs %0, " name : "=r"(v)::"memory"); v; })
/** EL1's timers, whatever E2H makes of their names. */
#define TIMER_OF_EL1(name, reg) \
  static u64 name(u64 value, int writes) { \
    if (writes && host) MSR_TEXT("S3_5_C" reg, value); \
    else if (writes) MSR_TEXT("S3_3_C" reg, value); \
    return host ? MRS_TEXT("S3_5_C" reg) : MRS_TEXT("S3_3_C" reg); \
  }
#define TIMER_OF_EL2(name, reg) \
  static u64 name(u64 value, int writes) { if (writes) MSR(reg, value); return MRS(reg); }
TIMER_OF_EL1(cntp_ctl, "14_C2_1") TIMER_OF_EL1(cntp_cval, "14_C2_2") TIMER_OF_EL1(cntp_tval, "14_C2_0")
TIMER_OF_EL1(cntv_ctl, "14_C3_1") TIMER_OF_EL1(cntv_cval, "14_C3_2") TIMER_OF_EL1(cntv_tval, "14_C3_0")
TIMER_OF_EL2(cnthp_ctl, cnthp_ctl_el2) TIMER_OF_EL2(cnthp_cval, cnthp_cval_el2) TIMER_OF_EL2(cnthp_tval, cnthp_tval_el2)
TIMER_OF_EL2(cnthv_ctl, S3_4_C14_C3_1) TIMER_OF_EL2(cnthv_cval, S3_4_C14_C3_2) TIMER_OF_EL2(cnthv_tval, S3_4_C14_C3_0)
typedef u64 timer_register(u64, int);
static timer_register *const timers[][3] = {
  {cntp_ctl, cntp_cval, cntp_tval}, {cntv_ctl, cntv_cval, cntv_tval}, {cnthp_ctl, cnthp_cval, cnthp_tval}, {cnthv_ctl, cnthv_cval, cnthv_tval},
};
/**
 * QEMU 7.2 has another offset for TVAL: none for CNTV_TVAL_EL02, CNTVOFF_EL2 for CNTHV_TVAL_EL2.
 * Arm ARM D11.2.4.
 */
#define IS_VIRTUAL(timer) ((timer) & 1)

static void timers_off(void) {
  for (u32 t = 0; t < COUNT(timers); t++) timers[t][0](0, 1), timers[t][1](-1, 1);
  MSR(cntvoff_el2, 0);
}

/** Accesses of each level under CNTHCTL_EL2 and CNTKCTL_EL1. */
static void timer_accesses(void) {
  static const u64 enables[] = {0, 3, 0x300, 0xc00};
  for (u32 h = 0; h < COUNT(enables); h++)
    for (u32 k = 0; k < COUNT(enables); k++)
      for (int tge = 0; tge < 2; tge++) {
        MSR(cnthctl_el2, enables[h]);
        MSR1(cntkctl, "14_C1_0", enables[k]);
        control(tge ? TGE : 0);
        text("timers "), hex(enables[h]), hex(enables[k]), hex(tge), put('\n');
        for (u32 l = 0; l < COUNT(levels); l++) {
          if (tge && (levels[l] & 0xc) == 4) continue;
          for (u32 r = 0; r < COUNT(timer_registers); r++) {
            one(timer_registers[r].name, READ(timer_registers[r].reg, 2), levels[l], 0, 0);
            // Writes that change nothing: of controls and comparators.
            if (timer_registers[r].reg != CNTPCT && timer_registers[r].reg != CNTVCT && (levels[l] & 0xc) != 8)
              one("write", WRITE(timer_registers[r].reg, 31), levels[l], 0, 0);
          }
        }
        timers_off();
      }
}

/** CNTPCT_EL0 - CNTVCT_EL0 as each level reads them, in units of 2^32. */
static void virtual_counts(void) {
  static const u32 difference[] = {READ(CNTVCT, 0), ISB, READ(CNTPCT, 1), 0xcb000020, 0xd360fc00, 0xd2800001};
  MSR(cnthctl_el2, 0xf03);
  MSR1(cntkctl, "14_C1_0", 0x303);
  for (int tge = 0; tge < 2; tge++)
    for (u64 offset = 0; offset < 5; offset += 4) {
      control(tge ? TGE : 0);
      MSR(cntvoff_el2, offset << 32);
      for (u32 l = 0; l < COUNT(levels); l++) {
        if (tge && (levels[l] & 0xc) == 4) continue;
        text("offset "), hex(offset), hex(tge);
        run("counts", difference, COUNT(difference), levels[l], 0, 0);
      }
    }
  control(0);
  MSR(cntvoff_el2, 0);
}

static u64 seed = 77;
static u64 random(void) { return seed = seed * 6364136223846793005ul + 1442695040888963407ul, seed >> 24; }
static u64 random64(void) { u64 high = random(); return high << 32 ^ random(); }

/** A random sequence of writes; after each, all conditions. Nothing is near to its time. */
static void timer_conditions(void) {
  u64 written[COUNT(timers)] = {0}, offset = 0;
  timers_off();
  for (int step = 0; step < 300; step++) {
    u32 t = random() % COUNT(timers), kind = random() % 5;
    if (kind == 0) timers[t][0](random(), 1);
    else if (kind == 1) timers[t][0](1, 1);
    else if (kind == 2) timers[t][1](random() & 1 ? random64() : 0, 1), written[t] = 0;
    else if (kind == 3) {
      u64 wait = random() & 1 ? 0x7fffffff : -0x1000u;
      if (IS_VIRTUAL(t)) MSR(cntvoff_el2, offset = 0);
      timers[t][2](wait, 1), written[t] = 1;
    } else {
      MSR(cntvoff_el2, offset = (random() & 1) * (random64() << 32));
    }
    text("step "), hex(step);
    for (u32 i = 0; i < COUNT(timers); i++) {
      u64 compare = timers[i][1](0, 0), view = timers[i][2](0, 0);
      u64 count = MRS(cntpct_el0);
      hex(timers[i][0](0, 0)), hex(written[i] ? 0 : compare);
      // What is left is what TVAL says.
      if (!IS_VIRTUAL(i) || !offset) hex((u32)(view - (u32)(compare - count)) < 1 << 28);
    }
    put('\n');
  }
  timers_off();
}

static void timers_of_el2(void) {
  text("timers\n");
  timers_off();
  for (u32 p = 0; p < COUNT(patterns); p++) {
    write_read("cnthp_cval", CNTHP_CVAL, CNTHP_CVAL, patterns[p], -1ul);
    write_read("cnthv_cval", CNTHV_CVAL, CNTHV_CVAL, patterns[p], -1ul);
    write_read("cntvoff", CNTVOFF, CNTVOFF, patterns[p], -1ul);
    write_read("cntp_cval", CNTP_CVAL, host ? CNTHP_CVAL : CNTP_CVAL, patterns[p], -1ul);
    write_read("cntv_cval", CNTV_CVAL, host ? CNTHV_CVAL : CNTV_CVAL, patterns[p], -1ul);
  }
  timer_accesses();
  virtual_counts();
  timer_conditions();
}
