// The stage 2 of EL1 and EL0: its rights, its sizes, its faults alone and on walks of stage 1.

/** Tables: of level 1 for 36 bits; of level 2 for the window; of its pages. Four in a row. */
static PAGE u64 s2_root[512], s2_middle[512], s2_pages[512];
static __attribute__((aligned(16384))) u64 s2_row[2048];
/** Tables of EL1: the last is where the window of stage 2 is, too. */
static PAGE u64 s1_root[512], s1_middle[512], s1_low[512], s1_pages[512], s1_identity[512];
#define S2_WINDOW 0x800000000ul
#define S2_READ (1 << 6)
#define S2_WRITE (2 << 6)
#define S2_NORMAL (0xf << 2)
#define S2_ALL (S2_READ | S2_WRITE | S2_NORMAL | SHARED | AF)
#define S2_CODE (S2_WINDOW + CODE_PAGE * 4096)
#define S2_DATA (S2_WINDOW + DATA_PAGE * 4096)
#define TABLE_PAGE 2
/** VTCR_EL2: T0SZ, SL0, PS, and memory of tables. */
#define VTCR(size, start, ps) (1ul << 31 | (ps) << 16 | 0x3500ul | (start) << 6 | (64 - (size)))

static void flush_s2(void) { __asm__ volatile("dsb sy; tlbi ipas2e1is, xzr; dsb sy; tlbi vmalls12e1is; dsb sy; isb" ::: "memory"); }
static void map_s2(int page, void *at, u64 attributes) { s2_pages[page] = (u64)at | attributes; flush_s2(); }

static const struct { const char *name; u32 word; } s2_accesses[] = {
  {"ldr", 0xf9400001}, {"str", 0xf9000001}, {"ldrb", 0x39400001}, {"ldrsh", 0x79800001}, {"ldrsw", 0xb9800001}, {"str w", 0xb9000002},
  {"ldar", 0xc8dffc01}, {"stlr w", 0x889ffc01}, {"ldr xzr", 0xf940001f}, {"ldr reg", 0xf8626800}, {"ldp", 0xa9400801}, {"stp", 0xa9000801},
  {"ldr post", 0xf8408401}, {"ldxr", 0xc85f7c01}, {"ldadd", 0xf8210002}, {"swp", 0xf8218002},
};
static const struct { const char *name; u32 word; } s2_at[] = {
  {"at s12e1r", 0xd50c7880}, {"at s12e1w", 0xd50c78a0}, {"at s12e0r", 0xd50c78c0}, {"at s12e0w", 0xd50c78e0}, {"at s1e1r", 0xd5087800},
};

/** Accesses of EL1 and EL0 to `data`, a fetch from `fetch`, and translations of both. */
static void access_s2(u64 pstate, u64 base, u64 at, u64 fetch) {
  for (u32 i = 0; i < COUNT(s2_accesses); i++) {
    a.code = base;
    one(s2_accesses[i].name, s2_accesses[i].word, pstate, at, 0);
  }
  a.code = fetch;
  one("fetch", NOP, pstate, 0, 0);
}
static void translate_s2(u64 at) {
  for (u32 i = 0; i < COUNT(s2_at); i++) {
    one(s2_at[i].name, s2_at[i].word, EL2H, at, 0);
    u64 par = MRS(par_el1);
    text("par "), hex(par & 1 ? par & 0xfff : par & 0xfffffffff000), put('\n');
  }
}

static void stage2_rights(void) {
  static const u64 states[] = {EL1H, EL0};
  for (int bits = 0; bits < 32; bits++) {
    u64 leaf = LEAF | S2_NORMAL | SHARED | (bits & 1 ? S2_READ : 0) | (bits & 2 ? S2_WRITE : 0) | (u64)(bits >> 2 & 3) << 53 | (bits & 16 ? 0 : AF);
    text("stage 2 "), hex(bits), put('\n');
    for (int s = 0; s < 2; s++) {
      map_s2(CODE_PAGE, code, LEAF | S2_ALL);
      map_s2(DATA_PAGE, data, leaf);
      map_s2(TABLE_PAGE, code, leaf);
      access_s2(states[s], S2_CODE, S2_DATA + 0x40, S2_WINDOW + TABLE_PAGE * 4096);
    }
    translate_s2(S2_DATA + 0x40);
  }
}

static void stage2_sizes(void) {
  text("sizes\n");
  static const u64 probes[] = {S2_DATA, S2_WINDOW + UNMAPPED * 4096, S2_WINDOW + (1 << 21), S2_WINDOW + (1 << 30), 1ul << 36, 1ul << 40, 0x40000000ul + 0x1000};
  map_s2(DATA_PAGE, data, LEAF | S2_ALL);
  u64 program = 0x40000000ul | BLOCK | S2_ALL;
  for (u32 i = 0; i < 2048; i++) s2_row[i] = 0;
  // Level 2 first: 32 bits in four tables, blocks of 2 MiB; then 34 bits would be too many.
  for (u32 i = 0; i < 8; i++) s2_row[512 + i] = program + ((u64)i << 21);
  s2_row[1024] = (u64)s2_pages | TABLE;
  static const u64 row[] = {0x80001000, 0x80005000, 0x40000000 + (8 << 21), 0xc0000000, 1ul << 32};
  for (u32 i = 0; i < COUNT(row); i++) {
    MSR(vttbr_el2, s2_row);
    MSR(vtcr_el2, VTCR(32, 0ul, 1ul));
    flush_s2();
    one("ldr row", 0xf9400001, EL1H, row[i] + 8, 0);
  }
  MSR(vttbr_el2, s2_root);
  static const u64 controls[] = {VTCR(36, 1ul, 1ul), VTCR(33, 1ul, 1ul), VTCR(32, 1ul, 0ul), VTCR(36, 0ul, 1ul), VTCR(36, 3ul, 1ul), VTCR(30, 1ul, 1ul)};
  for (u32 c = 0; c < COUNT(controls); c++) {
    MSR(vtcr_el2, controls[c]);
    flush_s2();
    text("vtcr "), hex(controls[c]), put('\n');
    for (u32 i = 0; i < COUNT(probes); i++) one("at", 0xd50c7880, EL2H, probes[i], 0), hex(MRS(par_el1) & 1 ? MRS(par_el1) & 0xfff : 0), put('\n');
  }
  MSR(vtcr_el2, VTCR(36, 1ul, 1ul));
  flush_s2();
}

/** Stage 1 of EL1 in addresses of stage 2. */
static void both_stages(void) {
  text("both stages\n");
  s1_root[0] = (u64)s1_identity | TABLE;
  s1_identity[1] = 0x40000000 | BLOCK | NORMAL | SHARED | AF;
  s1_root[WINDOW >> 39 & 511] = (u64)s1_middle | TABLE;
  s1_middle[WINDOW >> 30 & 511] = (u64)s1_low | TABLE;
  s1_low[WINDOW >> 21 & 511] = (S2_WINDOW + TABLE_PAGE * 4096) | TABLE;
  s1_pages[CODE_PAGE] = S2_CODE | LEAF | NORMAL | SHARED | AF | READ_ONLY;
  s1_pages[DATA_PAGE] = S2_DATA | LEAF | NORMAL | SHARED | AF;
  MSR1(mair, "10_C2_0", 0xff00);
  MSR1(ttbr0, "2_C0_0", s1_root);
  MSR1(tcr, "2_C0_2", 16ul | 16ul << 16 | 2ul << 30 | 1ul << 23 | 1ul << 32 | 0x3500ul);
  MSR1(sctlr, "1_C0_0", 0x30d0180dul);
  static const u64 tables[] = {LEAF | S2_ALL, LEAF | (S2_ALL & ~S2_READ), LEAF | (S2_ALL & ~S2_WRITE), LEAF | (S2_ALL & ~AF), 0, LEAF | (S2_ALL & ~S2_NORMAL)};
  for (int protect = 0; protect < 2; protect++)
    for (u32 t = 0; t < COUNT(tables); t++) {
      control(VM | (protect ? 1 << 2 : 0));
      text("table "), hex(tables[t]), hex(protect), put('\n');
      map_s2(CODE_PAGE, code, LEAF | S2_ALL);
      map_s2(DATA_PAGE, data, LEAF | S2_ALL);
      map_s2(TABLE_PAGE, s1_pages, tables[t]);
      write_code(&(u32){NOP}, 1, HVC_BACK);
      a.code = BASE;
      one("fetch", NOP, EL1H, 0, 0);
      // Accesses of code that needs no walk.
      one("ldr", 0xf9400001, EL1H, DATA + 0x40, 0);
      one("str", 0xf9000001, EL1H, DATA + 0x40, 0);
      one("ldadd", 0xf8210002, EL1H, DATA + 0x40, 0);
      one("at s1e1r el1", 0xd5087800, EL1H, DATA + 0x40, 0);
      translate_s2(DATA + 0x40);
    }
  control(VM);
  map_s2(TABLE_PAGE, s1_pages, LEAF | S2_ALL);
  // A write of EL1 that stage 2 refuses; then another VM at the same addresses.
  map_s2(DATA_PAGE, data, LEAF | (S2_ALL & ~S2_WRITE));
  one("str", 0xf9000001, EL1H, DATA + 0x40, 0);
  one("ldr", 0xf9400001, EL1H, DATA + 0x40, 0);
  data[8] = 0x1234, data[0x48] = 0;
  s2_row[0] = 0;
  for (u32 i = 0; i < 512; i++) s2_row[512 + i] = s2_root[i], s2_row[1024 + i] = s2_middle[i], s2_row[1536 + i] = s2_pages[i];
  s2_row[512 + (S2_WINDOW >> 30)] = (u64)&s2_row[1024] | TABLE;
  s2_row[1024] = (u64)&s2_row[1536] | TABLE;
  s2_row[1536 + DATA_PAGE] = (u64)s1_identity | LEAF | S2_ALL;
  for (int vm = 0; vm < 4; vm++) {
    MSR(vttbr_el2, (vm & 1 ? (u64)&s2_row[512] : (u64)s2_root) | (u64)(vm & 1) << 48);
    one("ldr", 0xf9400001, EL1H, DATA + 0x40, 0);
    one("ldr", 0xf9400001, EL1H, DATA + 8, 0);
  }
  MSR(vttbr_el2, s2_root);
  MSR1(sctlr, "1_C0_0", 0x30d00800);
  flush_s2();
}

/** HCR_EL2.DC: stage 1 is off whatever SCTLR_EL1.M is, its memory is Normal, and stage 2 is on. */
static void default_cacheable(void) {
  text("default cacheable\n");
  map_s2(CODE_PAGE, code, LEAF | S2_ALL);
  map_s2(DATA_PAGE, data, LEAF | S2_ALL);
  map_s2(TABLE_PAGE, code, LEAF | (S2_ALL & ~S2_READ));
  for (int on = 0; on < 2; on++) {
    MSR1(ttbr0, "2_C0_0", 0x123000);
    MSR1(sctlr, "1_C0_0", on ? 0x30d0580dul : 0x30d04800ul);
    static const u64 states[] = {EL1H, EL0};
    for (int s = 0; s < 2; s++) {
      control(DC | (on ? VM : 0));
      access_s2(states[s], S2_CODE, S2_DATA + 0x40, S2_WINDOW + TABLE_PAGE * 4096);
      a.code = S2_CODE;
      one("ldr unaligned", 0xf9400001, states[s], S2_DATA + 0x41, 0);
      a.code = S2_CODE;
      one("zva", 0xd50b7420, states[s], S2_DATA + 0x40, 0);
      a.code = S2_CODE;
      one("ldr unmapped", 0xf9400001, states[s], S2_WINDOW + UNMAPPED * 4096, 0);
    }
    translate_s2(S2_DATA + 0x40);
    text("attributes "), hex(MRS(par_el1) & 0xff00000000000d81), put('\n');
    // EL0 of an EL2 that is not a host is the only one with TGE.
    control(DC | TGE);
    a.code = host ? (u64)code : S2_CODE;
    one("ldr", 0xf9400001, EL0, host ? (u64)data + 0x40 : S2_DATA + 0x40, 0);
    // What the tables of EL1 say is in force again.
    MSR1(ttbr0, "2_C0_0", s1_root);
    control(VM);
    a.code = on ? BASE : S2_CODE;
    one("ldr", 0xf9400001, EL1H, on ? DATA + 0x40 : S2_DATA + 0x40, 0);
  }
  MSR1(sctlr, "1_C0_0", 0x30d00800);
  flush_s2();
}

static void stage2(void) {
  text("stage 2\n");
  s2_root[1] = 0x40000000 | BLOCK | S2_ALL;
  s2_root[S2_WINDOW >> 30] = (u64)s2_middle | TABLE;
  s2_middle[0] = (u64)s2_pages | TABLE;
  MSR(vttbr_el2, s2_root);
  MSR(vtcr_el2, VTCR(36, 1ul, 1ul));
  flush_s2();
  control(VM);
  stage2_rights();
  stage2_sizes();
  both_stages();
  default_cacheable();
  control(0);
}
