// The stage 1 of EL2: its rights, its addresses, and who uses it.

static PAGE u64 root[512], middle[512], low[512], pages[512], identity[512], devices[512];
enum { VALID = 1, TABLE = 3, LEAF = 3, BLOCK = 1, DEVICE = 0 << 2, NORMAL = 1 << 2, USER = 1 << 6, READ_ONLY = 1 << 7, SHARED = 3 << 8, AF = 1 << 10, NG = 1 << 11 };
#define PXN (1ul << 53)
#define UXN (1ul << 54)
/** Pages of the window: code, data, and one without a mapping. */
#define WINDOW 0x0000700000000000ul
#define CODE_PAGE 0
#define DATA_PAGE 1
#define UNMAPPED 5
#define BASE (WINDOW + CODE_PAGE * 4096)
#define DATA (WINDOW + DATA_PAGE * 4096)

static void flush_el2(void) { __asm__ volatile("dsb sy; tlbi alle2; tlbi alle1; dsb sy; isb" ::: "memory"); }
static void map(int page, void *at, u64 attributes) { pages[page] = (u64)at | attributes; flush_el2(); }

/** Tables of 48 bits: this program, the UART, and the window. */
static void make_tables(void) {
  u64 user = host ? 0 : USER;
  root[0] = (u64)identity | TABLE;
  identity[0] = (u64)devices | TABLE;
  devices[0x09000000 >> 21] = 0x08000000ul + 0x1000000 | BLOCK | DEVICE | AF | UXN | PXN | user;
  identity[1] = 0x40000000 | BLOCK | NORMAL | SHARED | AF | user;
  root[WINDOW >> 39 & 511] = (u64)middle | TABLE;
  middle[WINDOW >> 30 & 511] = (u64)low | TABLE;
  low[WINDOW >> 21 & 511] = (u64)pages | TABLE;
}

static const struct { const char *name; u32 word; } accesses[] = {
  {"ldr", 0xf9400001}, {"str", 0xf9000001}, {"ldtr", 0xf8400801}, {"sttr", 0xf8000801}, {"ldxr", 0xc85f7c01}, {"ldadd", 0xf8210002},
  {"stp", 0xa9000801}, {"zva", 0xd50b7420}, {"at s1e2r", 0xd50c7800}, {"at s1e2w", 0xd50c7820}, {"at s1e1r", 0xd5087800},
  {"at s1e0r", 0xd5087840}, {"at s1e0w", 0xd5087860},
};

static void access_all(u64 pstate) {
  map(CODE_PAGE, code, LEAF | NORMAL | SHARED | AF | READ_ONLY | (pstate & 0xc ? (host ? UXN : USER) : USER | PXN));
  for (u32 i = 0; i < COUNT(accesses); i++) {
    int is_at = i >= 8 && i < 13;
    // Those of EL1 are of its regime, which is off, unless EL2 is a host.
    if (is_at && (!(pstate & 0xc))) continue;
    a.code = BASE;
    one(accesses[i].name, accesses[i].word, pstate, DATA + 0x40, 0x11);
    u64 par = MRS(par_el1);
    if (is_at) text("par "), hex(par & 1 ? par & 0xfff : par & 0xfffffffff000), put('\n');
  }
}

static void stage1(void) {
  text("stage 1\n");
  // The access in the syndrome is for aborts of stage 2, but old QEMUs show it for all to EL2.
  unshown = 0x1ffc000;
  make_tables();
  MSR(mair_el2, 0xff00);
  MSR(ttbr0_el2, root);
  if (host) MSR(tcr_el2, 16ul | 16ul << 16 | 2ul << 30 | 1ul << 23 | 1ul << 32 | 0x3500ul);
  else MSR(tcr_el2, 1ul << 31 | 1ul << 23 | 16ul | 0x3500ul | 1ul << 16);
  flush_el2();
  u64 off = MRS(sctlr_el2), on = (host ? 0x30d0180dul : 0x30c5183dul) | 1 << 14 | 1 << 26;
  for (int wxn = 0; wxn < 2; wxn++) {
    MSR(sctlr_el2, on);
    for (int bits = 0; bits < 32; bits++) {
      u64 leaf = LEAF | NORMAL | SHARED | (bits & 1 ? USER : 0) | (bits & 2 ? READ_ONLY : 0) | (bits & 4 ? PXN : 0) | (bits & 8 ? UXN : 0) | (bits & 16 ? 0 : AF);
      // The program itself is writable.
      if (wxn) continue;
      text("attributes "), hex(bits), put('\n');
      for (int tge = 0; tge <= (host ? 1 : 0); tge++) {
        control(tge ? TGE : 0);
        static const u64 states[] = {EL2H, EL2H | PAN, EL0};
        for (int s = 0; s < (tge ? 3 : 2); s++) {
          map(DATA_PAGE, data, leaf);
          access_all(states[s]);
          map(CODE_PAGE, code, leaf);
          a.code = BASE;
          one("fetch", NOP, states[s], 0, 0);
        }
      }
      control(0);
    }
  }
  text("addresses\n");
  map(CODE_PAGE, code, LEAF | NORMAL | SHARED | AF | READ_ONLY | (host ? UXN : USER));
  map(DATA_PAGE, data, LEAF | NORMAL | SHARED | AF | (host ? 0 : USER));
  static const u64 probes[] = {DATA, DATA | 0xa5ul << 56, 1ul << 48, -8ul, 1ul << 55, 0x7ffffffffffc, WINDOW + (1ul << 39), WINDOW + (1ul << 30),
                               WINDOW + (2ul << 21), WINDOW + UNMAPPED * 4096, DATA | 1ul << 63, DATA + 1, DATA + 4092};
  u64 tcr = MRS(tcr_el2);
  for (int tbi = 0; tbi < 2; tbi++) {
    MSR(tcr_el2, tbi ? tcr | 1ul << (host ? 37 : 20) : tcr);
    flush_el2();
    for (u32 i = 0; i < COUNT(probes); i++) {
      a.code = BASE;
      one("ldr", 0xf9400001, EL2H, probes[i], 0x11);
      a.code = probes[i];
      one("fetch", NOP, EL2H, 0, 0);
    }
  }
  MSR(tcr_el2, tcr);
  // Alignment, where SCTLR_EL2 asks for it.
  MSR(sctlr_el2, on | 2);
  a.code = BASE;
  one("ldr unaligned", 0xf9400001, EL2H, DATA + 1, 0);
  MSR(sctlr_el2, on);
  // Another ASID of a host has other entries of what is not global.
  if (host) {
    map(DATA_PAGE, data, LEAF | NORMAL | SHARED | AF | NG);
    data[8] = 0x1111;
    for (int asid = 1; asid < 4; asid++) {
      MSR(ttbr0_el2, (u64)root | (u64)asid << 48);
      a.code = BASE;
      one("ldr", 0xf9400001, EL2H, DATA + 0x40, 0);
      if (asid == 2) pages[DATA_PAGE] = 0, flush_el2();
    }
  }
  MSR(sctlr_el2, off);
  flush_el2();
  unshown = 0;
}
