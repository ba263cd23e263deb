// A bare-metal guest that provokes the exceptions of the EL1&0 regime one after the other and
// prints what it finds in the registers. The same text on two machines is the same behaviour. Only
// what Armv8.0 with PAN defines is asked for; with SECURED, how keys and guarded pages take effect.

#include "../guest.h"

/** See start.S for the offsets. */
struct attempt {
  u64 code, pstate, sp_el0, x[4];
  u64 vector, esr, far, elr, spsr, result[2], handler;
};
int attempt(struct attempt *);

#define PAGE __attribute__((aligned(4096)))
static PAGE u64 root[512], high_root[512], middle[512], low[512], pages[512], blocks[512], own[512];
static PAGE u32 code[1024];
static PAGE u64 data[512];

enum {
  VALID = 1, TABLE = 3, LEAF = 3, BLOCK = 1, DEVICE = 0 << 2, NORMAL = 1 << 2, USER = 1 << 6, READ_ONLY = 1 << 7, SHARED = 3 << 8, AF = 1 << 10,
};
#define PXN (1ul << 53)
#define UXN (1ul << 54)
#define TCR_BASE (16ul | 16ul << 16 | 2ul << 30 | 1ul << 32 | 0x3500ul | 0x35000000ul)
#define SCTLR_BASE 0x30d0180dul

/** Test window: pages[0..] at these addresses of the two halves. */
#define WINDOW 0x0000700000000000ul
#define HIGH_WINDOW 0xffff700000000000ul
#define UNMAPPED 0x0000600000000000ul
#define CODE_PAGE 0
#define DATA_PAGE 1
#define NEXT_PAGE 2

static void flush(void) { __asm__ volatile("dsb sy; tlbi vmalle1; dsb sy; isb" ::: "memory"); }
static void map(int page, void *at, u64 attributes) { pages[page] = (u64)at | attributes; flush(); }

static void write_code(u32 word, u32 next) {
  code[0] = word, code[1] = next;
  __asm__ volatile("dc cvau, %0; dsb sy; ic ivau, %0; dsb sy; isb" ::"r"(code) : "memory");
}

static struct attempt a;
#define RET 0xd65f03c0
#define SVC_BACK 0xd4000fe1

/** Runs one instruction and prints what came of it. EL0 comes back by SVC #0x7f. */
static void try(const char *name, u64 pc, u32 word, u64 pstate, u64 x0, u64 x1) {
  u64 el0 = !(pstate & 0xc);
  write_code(word, el0 ? SVC_BACK : RET);
  a.code = pc, a.pstate = pstate, a.x[0] = x0, a.x[1] = x1, a.x[2] = 0x22, a.x[3] = 0x33, a.sp_el0 = WINDOW + DATA_PAGE * 4096 + 0x800;
  a.far = a.esr = a.elr = a.spsr = a.handler = 0;
  MSR(far_el1, 0);
  int exception = attempt(&a);
  text(name), put(' ');
  if (!exception) text("ok "), hex(a.result[0]), hex(a.result[1]);
  else if (a.esr == 0x5600007f) text("ok "), hex(a.result[0]), hex(a.result[1]);
  else text("! "), hex(a.vector), hex(a.esr), hex(a.far), hex(a.elr - pc), hex(a.spsr), hex(a.handler);
  put('\n');
}

enum { EL0 = 0x3c0, EL1T = 0x3c4, EL1H = 0x3c5, PAN = 1 << 22 };
#define BASE (WINDOW + CODE_PAGE * 4096)
#define DATA (WINDOW + DATA_PAGE * 4096)

static const struct { const char *name; u32 word; } accesses[] = {
  {"ldr", 0xf9400001}, {"str", 0xf9000001}, {"ldrb", 0x39400001}, {"ldtr", 0xf8400801}, {"sttr", 0xf8000801}, {"ldxr", 0xc85f7c01},
  {"ldar", 0xc8dffc01}, {"stlr", 0xc89ffc01}, {"ldadd", 0xf8210002}, {"cas", 0xc8a17c02}, {"swp", 0xf8218002}, {"ldp", 0xa9400801},
  {"stp", 0xa9000801}, {"ldr-post", 0xf8408401}, {"str-pre", 0xf8000c01}, {"ldr-q", 0x3dc00000}, {"str-q", 0x3d800000}, {"zva", 0xd50b7420},
};
#define COUNT(array) (sizeof(array) / sizeof(*array))
/** Structures: several in a row, interleaved, one lane, replicated. Alignment is an element's. */
static const struct { const char *name; u32 word; } structures[] = {
  {"ld1 {v0.16b}", 0x4c407000}, {"ld1 {v0.8b,v1.8b}", 0x0c40a000}, {"ld1 {v0.8h}", 0x4c407400}, {"ld1 {v0.4s-v2.4s}", 0x4c406800},
  {"ld1 {v0.2d-v3.2d}", 0x4c402c00}, {"ld1 {v0.1d}", 0x0c407c00}, {"ld2 {v0.16b,v1.16b}", 0x4c408000}, {"ld3 {v0.4h-v2.4h}", 0x0c404400},
  {"ld4 {v0.16b-v3.16b}", 0x4c400000}, {"ld4 {v0.2d-v3.2d}", 0x4c400c00}, {"st1 {v0.16b}", 0x4c007000}, {"st1 {v0.4s,v1.4s}", 0x4c00a800},
  {"st2 {v0.8h,v1.8h}", 0x4c008400}, {"st4 {v0.8b-v3.8b}", 0x0c000000}, {"ld1 {v0.b}[1]", 0x0d400400}, {"ld1 {v0.s}[1]", 0x0d409000},
  {"st2 {v0.h,v1.h}[1]", 0x0d204800}, {"ld1r {v0.8h}", 0x4d40c400},
};

static void attributes(void) {
  static const u64 sctlr[] = {SCTLR_BASE, SCTLR_BASE | 1 << 19};
  for (int wxn = 0; wxn < 2; wxn++) {
    MSR(sctlr_el1, sctlr[wxn] | 1 << 14);
    for (int bits = 0; bits < 32; bits++) {
      u64 leaf = LEAF | NORMAL | SHARED | (bits & 1 ? USER : 0) | (bits & 2 ? READ_ONLY : 0) | (bits & 4 ? PXN : 0) | (bits & 8 ? UXN : 0) |
                 (bits & 16 ? 0 : AF);
      text("attributes "), hex(wxn), hex(bits), put('\n');
      static const u64 states[] = {EL0, EL1H, EL1H | PAN};
      for (int s = 0; s < 3; s++) {
        // The code page is executable where it must be: EL0's is user read-only, EL1's kernel
        // read-only.
        map(CODE_PAGE, code, LEAF | NORMAL | SHARED | AF | READ_ONLY | (states[s] & 0xc ? UXN : USER | PXN));
        map(DATA_PAGE, data, leaf);
        for (u32 i = 0; i < COUNT(accesses); i++) try(accesses[i].name, BASE, accesses[i].word, states[s], DATA + 0x40, 0x11);
        try("zva", BASE, 0xd50b7420, states[s], DATA + 0x6d, 0);
        // Fetch: the code page has the attributes.
        map(CODE_PAGE, code, leaf);
        try("fetch", BASE, 0xd503201f, states[s], 0, 0);
        if (s) {
          static const u32 at[] = {0xd5087800, 0xd5087820, 0xd5087840, 0xd5087860};
          map(CODE_PAGE, code, LEAF | NORMAL | SHARED | AF | READ_ONLY | UXN);
          for (int i = 0; i < 4; i++) {
            try("at", BASE, at[i], states[s], DATA, 0);
            // Attributes of a translation that worked are the machine's own affair.
            u64 par = MRS(par_el1);
            text("par "), hex(par & 1 ? par & 0xfff : par & 0xfffffffff000), put('\n');
          }
        }
      }
    }
  }
  MSR(sctlr_el1, SCTLR_BASE);
  flush();
}

static void addresses(void) {
  text("addresses\n");
  map(CODE_PAGE, code, LEAF | NORMAL | SHARED | AF | READ_ONLY | UXN);
  map(DATA_PAGE, data, LEAF | NORMAL | SHARED | AF);
  /** Nothing, TBI0, TBI1. */
  static const u64 tcr[] = {0, 1ul << 37, 1ul << 38};
  static const u64 probes[] = {
    DATA, HIGH_WINDOW + 4096, DATA | 0xa5ul << 56, (HIGH_WINDOW + 4096) & ~(0x5aul << 56), 1ul << 48, 0xfffeffffffffffff, 1ul << 55, 0x7fffffffffff,
    WINDOW + (1ul << 39), WINDOW + (1ul << 30), WINDOW + (2ul << 21), WINDOW + 5 * 4096, -8ul, DATA | 1ul << 63,
  };
  for (u32 t = 0; t < COUNT(tcr); t++) {
    MSR(tcr_el1, TCR_BASE | tcr[t]);
    flush();
    text("tcr "), hex(t), put('\n');
    for (u32 i = 0; i < COUNT(probes); i++) {
      try("ldr", BASE, 0xf9400001, EL1H, probes[i], 0);
      try("str", BASE, 0xf9000001, EL1H, probes[i], 0);
      try("br", BASE, 0xd61f0000, EL1H, probes[i] & ~3ul, 0);
    }
  }
  MSR(tcr_el1, TCR_BASE);
  flush();
  text("levels\n");
  u64 *tables[] = {&root[WINDOW >> 39 & 511], &middle[0], &low[0], &pages[DATA_PAGE]};
  for (int level = 0; level < 4; level++) {
    u64 kept = *tables[level];
    static const u64 changes[] = {0, 2, 1};
    for (u32 i = 0; i < COUNT(changes); i++) {
      // Level 1 and 2 with bits 01 are blocks, which is no fault; at level 0 QEMU 7.2 takes it for
      // a block too.
      if (changes[i] == 1 && level < 3) continue;
      *tables[level] = (kept & ~3ul) | changes[i];
      flush();
      u64 va = DATA;
      // The code page is under the same tables but for the last level.
      text("level "), hex(level), hex(i);
      if (level == 3) try("ldr", BASE, 0xf9400001, EL1H, va, 0), try("str", BASE, 0xf9000001, EL1H, va, 0);
      else try("br", BASE, RET, EL1H, va, 0);
    }
    *tables[level] = kept;
    flush();
  }
  text("hierarchical\n");
  map(CODE_PAGE, code, LEAF | NORMAL | SHARED | AF | READ_ONLY | USER);
  for (int bits = 0; bits < 16; bits++) {
    for (int level = 0; level < 3; level++) {
      u64 kept = *tables[level];
      *tables[level] = kept | (u64)bits << 59;
      for (int user = 0; user < 2; user++) {
        map(DATA_PAGE, data, LEAF | NORMAL | SHARED | AF | (user ? USER : 0));
        text("table "), hex(bits), hex(level), hex(user);
        try("ldr", BASE, 0xf9400001, EL0, DATA, 0);
        try("str", BASE, 0xf9000001, EL0, DATA, 0);
        try("ldr", BASE, 0xf9400001, EL1H, DATA, 0);
        try("str", BASE, 0xf9000001, EL1H, DATA, 0);
      }
      *tables[level] = kept;
      flush();
    }
  }
}

static void alignment(void) {
  static const u64 sctlr[] = {SCTLR_BASE & ~0x1aul, (SCTLR_BASE | 2) & ~0x18ul, SCTLR_BASE | 0x18};
  map(DATA_PAGE, data, LEAF | NORMAL | SHARED | AF | USER);
  map(NEXT_PAGE, data, LEAF | NORMAL | SHARED | AF | READ_ONLY);
  for (u32 s = 0; s < COUNT(sctlr); s++) {
    MSR(sctlr_el1, sctlr[s] | 1 << 14);
    flush();
    text("sctlr "), hex(s), put('\n');
    for (int el = 0; el < 2; el++) {
      map(CODE_PAGE, code, LEAF | NORMAL | SHARED | AF | READ_ONLY | (el ? UXN : USER | PXN));
      for (u32 i = 0; i < COUNT(accesses); i++)
        for (u64 offset = 1; offset < 16; offset += 3) {
          if (accesses[i].word == 0xd50b7420) continue;
          try(accesses[i].name, BASE, accesses[i].word, el ? EL1H : EL0, DATA + 0x40 + offset, 0x11);
        }
      for (u32 i = 0; i < COUNT(structures); i++)
        for (u64 offset = 1; offset < 16; offset += i & 1 ? 1 : 3)
          try(structures[i].name, BASE, structures[i].word, el ? EL1H : EL0, DATA + 0x40 + offset, 0x11);
      // Over the end of the page: the next one is read-only, and nothing for EL0.
      try("ldr", BASE, 0xf9400001, el ? EL1H : EL0, DATA + 4093, 0x11);
      try("str", BASE, 0xf9000001, el ? EL1H : EL0, DATA + 4093, 0x11);
      try("ldp", BASE, 0xa9400801, el ? EL1H : EL0, DATA + 4088, 0x11);
      try("stp", BASE, 0xa9000801, el ? EL1H : EL0, DATA + 4088, 0x11);
      try("ldr-q", BASE, 0x3dc00000, el ? EL1H : EL0, DATA + 4092, 0x11);
      try("str-q", BASE, 0x3d800000, el ? EL1H : EL0, DATA + 4092, 0x11);
    }
    map(CODE_PAGE, code, LEAF | NORMAL | SHARED | AF | READ_ONLY | UXN);
    try("pc", BASE, 0xd61f0000, EL1H, BASE + 2, 0);
    try("pc", BASE, 0xd61f0000, EL1H, BASE + 1, 0);
  }
  MSR(sctlr_el1, SCTLR_BASE);
}

/** MRS and MSR words without Rt. */
static const struct { const char *name; u32 read; } registers[] = {
  {"sctlr_el1", 0xd5381000}, {"cpacr_el1", 0xd5381040}, {"ttbr0_el1", 0xd5382000}, {"tcr_el1", 0xd5382040}, {"spsr_el1", 0xd5384000},
  {"elr_el1", 0xd5384020}, {"sp_el0", 0xd5384100}, {"spsel", 0xd5384200}, {"currentel", 0xd5384240}, {"pan", 0xd5384260}, {"nzcv", 0xd53b4200},
  {"daif", 0xd53b4220}, {"fpcr", 0xd53b4400}, {"fpsr", 0xd53b4420}, {"afsr0_el1", 0xd5385100}, {"esr_el1", 0xd5385200}, {"far_el1", 0xd5386000},
  {"par_el1", 0xd5387400}, {"mair_el1", 0xd538a200}, {"vbar_el1", 0xd538c000}, {"contextidr_el1", 0xd538d020}, {"tpidr_el0", 0xd53bd040},
  {"tpidrro_el0", 0xd53bd060}, {"tpidr_el1", 0xd538d080}, {"cntkctl_el1", 0xd538e100}, {"cntfrq_el0", 0xd53be000}, {"cntvct_el0", 0xd53be040},
  {"cntpct_el0", 0xd53be020}, {"cntv_ctl_el0", 0xd53be320}, {"cntv_cval_el0", 0xd53be340}, {"cntp_ctl_el0", 0xd53be220},
  {"cntp_cval_el0", 0xd53be240}, {"ctr_el0", 0xd53b0020}, {"dczid_el0", 0xd53b00e0}, {"csselr_el1", 0xd53a0000}, {"isr_el1", 0xd538c100},
};

static const struct { const char *name; u32 word; } system[] = {
  {"svc", 0xd4000041}, {"brk", 0xd4200020}, {"hlt", 0xd4400000}, {"udf", 0}, {"eret", 0xd69f03e0}, {"daifset", 0xd50342df}, {"daifclr", 0xd50340ff},
  {"spsel", 0xd50040bf}, {"pan", 0xd500419f}, {"ic iallu", 0xd508751f}, {"ic ivau", 0xd50b7520}, {"dc civac", 0xd50b7e20}, {"dc cvac", 0xd50b7a20},
  {"dc cvau", 0xd50b7b20}, {"dc ivac", 0xd5087620}, {"dc cisw", 0xd5087e40}, {"dc zva", 0xd50b7420}, {"tlbi vmalle1", 0xd508871f},
  {"tlbi vae1is", 0xd5088320}, {"at s1e1r", 0xd5087800}, {"wfe", 0xd503205f}, {"fmov", 0x9e660000}, {"ldr-q", 0x3dc00000}, {"isb", 0xd5033fdf},
};

static void traps(void) {
  static const u64 sctlr[] = {SCTLR_BASE, SCTLR_BASE | 1 << 9 | 1 << 14 | 1 << 15 | 1 << 16 | 1 << 18 | 1 << 26};
  static const u64 cntkctl[] = {0, 1, 2, 1 << 8, 1 << 9, 0x303};
  map(DATA_PAGE, data, LEAF | NORMAL | SHARED | AF | USER);
  for (int el = 0; el < 3; el++) {
    u64 pstate = el == 0 ? EL0 : el == 1 ? EL1H : EL1T;
    map(CODE_PAGE, code, LEAF | NORMAL | SHARED | AF | READ_ONLY | (el ? UXN : USER | PXN));
    for (u32 s = 0; s < COUNT(sctlr); s++) {
      MSR(sctlr_el1, sctlr[s]);
      for (u32 k = 0; k < COUNT(cntkctl); k++) {
        MSR(cntkctl_el1, cntkctl[k]);
        text("traps "), hex(el), hex(s), hex(k), put('\n');
        for (u32 i = 0; i < COUNT(registers); i++) {
          try(registers[i].name, BASE, registers[i].read | 2, pstate, 0, 0);
          // What EL1 may write would change the test.
          if (el == 0) try(registers[i].name, BASE, (registers[i].read & ~(1u << 21)) | 3, pstate, 0, 0);
        }
      }
      for (u32 fpen = 0; fpen < 4; fpen++) {
        MSR(cpacr_el1, fpen << 20);
        for (u32 i = 0; i < COUNT(system); i++) {
          if (el && (system[i].word == 0xd69f03e0 || system[i].word == 0xd50340ff)) continue;
          // For MSR (immediate) QEMU 7.2 swaps op1 and op2 in the syndrome.
          if (!el && !s && (system[i].word & 0xfffff01f) == 0xd503401f) continue;
          // SP selection changes what the return needs, IVAC would drop data.
          if (el && (system[i].word == 0xd50040bf || system[i].word == 0xd5087620 || system[i].word == 0xd5087e40)) continue;
          hex(fpen), try(system[i].name, BASE, system[i].word, pstate, DATA, 0);
        }
      }
      MSR(cpacr_el1, 3 << 20);
    }
  }
  MSR(sctlr_el1, SCTLR_BASE);
  MSR(cntkctl_el1, 0);
}

static void returns(void) {
  text("returns\n");
  map(CODE_PAGE, code, LEAF | NORMAL | SHARED | AF | READ_ONLY | USER);
  // ERET of `attempt` itself, to every M, with flags and masks: legal ones execute BRK, illegal
  // ones do not.
  for (u64 mode = 0; mode < 32; mode++)
    for (u64 bits = 0; bits < 4; bits++) {
      u64 pstate = mode | (bits & 1 ? 0xa00003c0 : 0x50000200) | (bits & 2 ? PAN : 0);
      if (mode & 16) continue;
      // After an illegal return QEMU 7.2 keeps PSTATE.PAN, where SetPSTATEFromSPSR() takes it from
      // SPSR.
      if (bits & 2 && mode != 0 && mode != 4 && mode != 5) continue;
      hex(mode), hex(bits);
      try("brk", BASE, 0xd4200020, pstate | 0xc0, 0, 0);
    }
  text("il\n");
  try("il", BASE, 0xd503201f, EL1H | 1 << 20, 0, 0);
  try("il", BASE, 0xd503201f, EL0 | 1 << 20, 0, 0);
  static const u64 span[] = {SCTLR_BASE, SCTLR_BASE & ~(1ul << 23)};
  for (int i = 0; i < 2; i++) {
    MSR(sctlr_el1, span[i]);
    try("span", BASE, 0xd4200020, EL1H, 0, 0);
    try("span", BASE, 0xd4200020, EL0, 0, 0);
    try("span", BASE, 0xd4200020, EL1T | PAN, 0, 0);
  }
  MSR(sctlr_el1, SCTLR_BASE);
}

/**
 * A change of the context that code is fetched in, and what is executed after the ISB or ERET that
 * ends `words`: three additions to X1. The exception may come before that instruction, too, so its
 * address counts from there on alone.
 */
static struct { u64 pc, x0, x2, x3, sctlr; } change;
static void synchronize(const char *name, const u32 *words, int count) {
  int end = count;
  for (int i = 0; i < count; i++) code[i] = words[i];
  for (int i = 0; i < 3; i++) code[end++] = 0x91000421;
  write_code(code[0], code[1]);
  code[end] = RET;
  a.code = change.pc, a.pstate = EL1H, a.x[0] = change.x0, a.x[1] = 0, a.x[2] = change.x2, a.x[3] = change.x3;
  a.sp_el0 = 0, a.far = a.esr = a.elr = a.spsr = a.handler = 0;
  MSR(far_el1, 0);
  if (change.sctlr) MSR(sctlr_el1, change.sctlr);
  int exception = attempt(&a);
  MSR(sctlr_el1, SCTLR_BASE), MSR(tcr_el1, TCR_BASE), MSR(mair_el1, 0xff00), MSR(cpacr_el1, 3 << 20);
  MSR(ttbr1_el1, high_root), MSR(ttbr0_el1, root);
  flush();
  text(name), put(' ');
  if (!exception) text("ok "), hex(a.result[1]);
  else {
    u64 past = a.elr - change.pc - 4 * count;
    text("! "), hex(a.vector), hex(a.esr), hex(a.result[1]), hex((long)past < 0 ? 0 : past), hex(a.far == a.elr ? 0 : a.far);
  }
  put('\n');
}
/** An exception return to the instruction after it, with the state in X3. */
#define TO_LOWER 0xd5184003, 0x10000083, 0xd5184023, 0xd503201f, 0xd69f03e0
#define SYNCHRONIZE(name, ...) ({ static const u32 words[] = {__VA_ARGS__}; synchronize(name, words, COUNT(words)); })

/** What is fetched after each kind of context synchronization event. */
static void contexts(void) {
  enum { DSB = 0xd5033f9f, ISB = 0xd5033fdf, STORE = 0xf9000002, TLBI = 0xd508871f, READ = 0xf9400063 };
  static PAGE u64 empty[512], other[512];
  const u64 kernel = LEAF | NORMAL | SHARED | AF | READ_ONLY | UXN, nG = 1 << 11, high = HIGH_WINDOW + CODE_PAGE * 4096;
  const u64 page = (u64)code | kernel;
  const u64 changed[] = {
    page, 0, page | PXN, (u64)code | LEAF | NORMAL | SHARED | AF | USER, page & ~(u64)AF, (page & ~(u64)READ_ONLY), page | nG, (u64)data | kernel,
  };
  other[0] = root[0];
  for (int i = 0; i < 1024; i++) ((u32 *)data)[i] = 0xd4200100;
  text("contexts\n");
  for (u32 i = 0; i < COUNT(changed); i++)
    for (int half = 0; half < 2; half++) {
      change.pc = half ? high : BASE, change.x0 = (u64)&pages[CODE_PAGE], change.x2 = changed[i], change.x3 = (change.pc >> 12) << 20 >> 20;
      change.sctlr = 0;
      hex(i), hex(half), put('\n');
#define CHANGED(name, ...) map(CODE_PAGE, code, kernel), SYNCHRONIZE(name, STORE, DSB, __VA_ARGS__)
      CHANGED("vmalle1", TLBI, DSB, ISB);
      CHANGED("vmalle1is", 0xd508831f, DSB, ISB);
      CHANGED("vae1", 0xd5088723, DSB, ISB);
      CHANGED("vale1", 0xd50887a3, DSB, ISB);
      CHANGED("vaae1is", 0xd5088363, DSB, ISB);
      CHANGED("vaale1is", 0xd50883e3, DSB, ISB);
      CHANGED("twice", TLBI, DSB, ISB, 0xd503201f, 0xd503201f, ISB);
      // An exception return to the same page.
      change.x3 = EL1H;
      CHANGED("eret", TLBI, DSB, TO_LOWER);
    }
  // EL0 begins with an exception return. EL1 may execute the page up to that in each of these
  // forms. EL0 ends at a page that it may not execute.
  const u64 user = (u64)code | LEAF | NORMAL | SHARED | AF | READ_ONLY | USER, lower[] = {user, user | UXN, page & ~UXN, user | nG};
  for (u32 i = 0; i < COUNT(lower); i++) {
    change.pc = BASE, change.x0 = (u64)&pages[CODE_PAGE], change.x2 = lower[i], change.x3 = EL0, hex(i), put('\n');
    map(CODE_PAGE, code, user), SYNCHRONIZE("el0", STORE, DSB, TLBI, DSB, TO_LOWER);
    map(CODE_PAGE, code, user), SYNCHRONIZE("el0 isb", STORE, DSB, TLBI, DSB, TO_LOWER, ISB);
    change.x2 = user, map(CODE_PAGE, code, lower[i]), SYNCHRONIZE("el0 again", STORE, DSB, TLBI, DSB, TO_LOWER, ISB);
  }
  // Attribute 2 was Device. QEMU lets unaligned accesses to Device pass: the reverse is not here.
  change.pc = BASE, map(CODE_PAGE, code, kernel), map(DATA_PAGE, data, LEAF | 2 << 2 | SHARED | AF);
  change.x0 = 0xffff00, change.x2 = DATA + 1, SYNCHRONIZE("mair normal", 0xd518a200, TLBI, DSB, ISB, 0xf9400043);
  map(DATA_PAGE, data, LEAF | NORMAL | SHARED | AF | USER);
  for (int half = 0; half < 2; half++) {
    change.pc = half ? high : BASE;
    map(CODE_PAGE, code, (kernel | nG) & ~(u64)READ_ONLY);
    change.x0 = SCTLR_BASE | 1 << 19, SYNCHRONIZE("wxn", 0xd5181000, ISB);
    change.x0 = (u64)(half ? empty : other), change.x2 = (u64)other | 5ul << 48;
    if (half) SYNCHRONIZE("ttbr1", 0xd5182020, 0xd5182002, ISB);
    else SYNCHRONIZE("ttbr0", 0xd5182002, ISB);
    change.x0 = TCR_BASE | 1 << 23, SYNCHRONIZE("tcr", 0xd5182040, ISB);
    change.x0 = MRS(ttbr0_el1) | 6ul << 48, change.x2 = (u64)&pages[CODE_PAGE], change.x3 = 0;
    SYNCHRONIZE("asid", 0xf9000043, 0xd5182000, DSB, ISB);
    map(CODE_PAGE, code, kernel | nG);
    change.x0 = (u64)high_root | 7ul << 48, change.x2 = TCR_BASE | 1 << 22, change.x3 = (u64)&pages[CODE_PAGE];
    SYNCHRONIZE("a1", 0xf900007f, 0xd5182020, 0xd5182042, DSB, ISB);
    map(CODE_PAGE, code, kernel);
    change.x0 = 0, change.x2 = DATA + 1, SYNCHRONIZE("cpacr", 0xd5181040, ISB, 0x9e660000);
    change.x0 = DATA, SYNCHRONIZE("pan", 0xd500419f, ISB, 0xf9400003);
    change.x0 = DATA, SYNCHRONIZE("pan off", 0xd500419f, 0xd500409f, ISB, 0xf9400003);
    change.x0 = SCTLR_BASE | 2, SYNCHRONIZE("a", 0xd5181000, ISB, 0xf9400043);
    change.x0 = SCTLR_BASE & ~1ul;
    if (half) SYNCHRONIZE("off", 0xd5181000, ISB);
  }
  // The translation that is turned on gives the running code no right of execution.
  change.pc = (u64)code, change.x0 = SCTLR_BASE, change.sctlr = SCTLR_BASE & ~1ul;
  SYNCHRONIZE("on", 0xd5181000, ISB);
  change.sctlr = 0;
}

/** Keys of pointer authentication (FEAT_PAuth) and guarded pages (FEAT_BTI). */
static void secured(void) {
  enum { DSB = 0xd5033f9f, ISB = 0xd5033fdf, STORE = 0xf9000002, TLBI = 0xd508871f, SCTLR = 0xd5181000, BRANCH = 0xd61f0060, NEXT = 0x10000043 };
  enum { PACIA_X1 = 0xdac10041, PACIA_X3 = 0xdac10043, KEY = 0xd5182100, DIFFER = 0xeb03003f, X1_IF = 0x9a9f07e1 };
  const u64 kernel = LEAF | NORMAL | SHARED | AF | READ_ONLY | UXN, user = LEAF | NORMAL | SHARED | AF | READ_ONLY | USER, guarded = 1ul << 50;
  const u64 enIA = SCTLR_BASE | 1ul << 31, bt1 = SCTLR_BASE | 1ul << 36, bt0 = SCTLR_BASE | 1ul << 35;
  text("secured\n");
  change.pc = BASE, change.x2 = 0x22, change.x3 = 0, change.sctlr = enIA;
  map(CODE_PAGE, code, kernel);
  change.x0 = 0x123456789, SYNCHRONIZE("key", PACIA_X1, KEY, ISB, PACIA_X3, DIFFER, X1_IF);
  change.x0 = SCTLR_BASE, SYNCHRONIZE("no key", SCTLR, ISB, PACIA_X1);
  map(CODE_PAGE, code, user), change.x0 = 0x987654321, change.x3 = EL0;
  SYNCHRONIZE("key of el0", PACIA_X1, KEY, TO_LOWER, 0xd2800003, PACIA_X3, DIFFER, X1_IF);
  for (int on = 0; on < 2; on++) {
    map(CODE_PAGE, code, kernel | guarded);
    change.sctlr = on ? SCTLR_BASE : bt1, change.x0 = on ? bt1 : SCTLR_BASE, SYNCHRONIZE("bti", SCTLR, ISB, NEXT, BRANCH);
    map(CODE_PAGE, code, on ? kernel : kernel | guarded);
    change.sctlr = bt1, change.x0 = (u64)&pages[CODE_PAGE], change.x2 = (u64)code | (on ? kernel | guarded : kernel);
    SYNCHRONIZE("guarded", STORE, DSB, TLBI, DSB, ISB, NEXT, BRANCH);
    // EL0 begins as after an indirect branch.
    map(CODE_PAGE, code, user | guarded), change.x3 = EL0 | 2 << 10;
    change.sctlr = on ? SCTLR_BASE : bt0, change.x0 = on ? bt0 : SCTLR_BASE, SYNCHRONIZE("bti of el0", SCTLR, TO_LOWER);
  }
  change.sctlr = 0;
}

/** Breakpoints, watchpoints and software step of EL1's own. */
static void debug(void) {
  static const u64 states[] = {EL0, EL1H, EL1H & ~0x200};
  enum { SS = 1 << 21, STEP = 1 << 0, KDE = 1 << 13, MDE = 1 << 15, NOP = 0xd503201f };
  text("debug\n");
  MSR(oslar_el1, 0);
  map(DATA_PAGE, data, LEAF | NORMAL | SHARED | AF | USER);
  for (int s = 0; s < 3; s++) {
    u64 state = states[s];
    map(CODE_PAGE, code, LEAF | NORMAL | SHARED | AF | READ_ONLY | (state & 0xc ? UXN : USER | PXN));
    for (int kde = 0; kde < 2; kde++) {
      hex(s), hex(kde), text("breakpoints\n");
      MSR(mdscr_el1, MDE | (kde ? KDE : 0));
      for (u64 privilege = 0; privilege < 4; privilege++)
        for (u64 at = 0; at < 3; at++) {
          MSR(dbgbvr3_el1, BASE + 4 * at);
          MSR(dbgbcr3_el1, 0x1e1 | privilege << 1);
          try("breakpoint", BASE, NOP, state, 0, 0);
          MSR(dbgbcr3_el1, 0x1e0 | privilege << 1);
          try("disabled", BASE, NOP, state, 0, 0);
        }
      MSR(dbgbcr3_el1, 0);
      text("watchpoints\n");
      static const u32 bytes[] = {0xff, 0x0f, 0xf0, 0x01, 0x3c, 0x80};
      for (u64 privilege = 1; privilege < 4; privilege++)
        for (u64 kind = 1; kind < 4; kind++)
          for (u32 b = 0; b < COUNT(bytes); b++)
            for (u32 i = 0; i < COUNT(accesses); i++) {
              MSR(dbgwvr1_el1, DATA + 0x40);
              MSR(dbgwcr1_el1, 1 | privilege << 1 | kind << 3 | (u64)bytes[b] << 5);
              try(accesses[i].name, BASE, accesses[i].word, state, DATA + 0x40, 0x11);
            }
      MSR(dbgwvr1_el1, DATA);
      MSR(dbgwcr1_el1, 0x1fff | 12 << 24);
      try("masked", BASE, 0xf9400001, state, DATA + 0x7f8, 0x11);
      MSR(dbgwcr1_el1, 0);
      text("steps\n");
      MSR(mdscr_el1, STEP | (kde ? KDE : 0));
      static const u32 words[] = {NOP, 0xc85f7c01, 0xf9400001, 0xf9400021, 0xd4200020, 0xd4000001, 0xd53bd042, 0};
      for (u32 i = 0; i < COUNT(words); i++) {
        try("step", BASE, words[i], state | SS, DATA + 0x40, UNMAPPED);
        try("pending", BASE, words[i], state, DATA + 0x40, UNMAPPED);
      }
      MSR(mdscr_el1, 0);
    }
  }
}

int main(void) {
  // The guest itself, flat: devices; RAM in blocks of 2 MiB, of which the second holds the text and
  // stays executable under WXN.
  blocks[0] = BLOCK | DEVICE | AF | PXN | UXN;
  blocks[1] = (u64)own | TABLE;
  for (u64 i = 0; i < 4; i++)
    own[i] = (0x40000000 + (i << 21)) | BLOCK | NORMAL | SHARED | AF | UXN | (i == 1 ? READ_ONLY : PXN);
  root[0] = (u64)blocks | TABLE;
  root[WINDOW >> 39 & 511] = (u64)middle | TABLE;
  high_root[HIGH_WINDOW >> 39 & 511] = (u64)middle | TABLE;
  middle[0] = (u64)low | TABLE;
  low[0] = (u64)pages | TABLE;
  MSR(mair_el1, 0xff00);
  MSR(tcr_el1, TCR_BASE);
  MSR(ttbr0_el1, root);
  MSR(ttbr1_el1, high_root);
  flush();
  MSR(sctlr_el1, SCTLR_BASE);
  MSR(tpidr_el0, 0), MSR(tpidr_el1, 0), MSR(tpidrro_el0, 0), MSR(cntkctl_el1, 0), MSR(contextidr_el1, 0), MSR(par_el1, 0);
#ifdef SECURED
  contexts();
  secured();
#else
  attributes();
  addresses();
  alignment();
  traps();
  returns();
  debug();
  contexts();
#endif
  text("end\n");
  return 0;
}
