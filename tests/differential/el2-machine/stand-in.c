// A program in place of a hypervisor with calls of Gunyah: it starts at EL2, runs the kernel that
// its devicetree names as its one VM, and knows hypervisor_identify by HVC and SMCCC. PSCI is its
// firmware's. Every other call gets the error of a call that there is not.

typedef unsigned long u64;
typedef unsigned int u32;
typedef unsigned char u8;

// X0 to X30 are stored around `answer`. An exception of EL2 itself stops here.
__asm__(
    ".section .text.start\n .globl _start\n_start: adrp x1, stack\n add x1, x1, :lo12:stack\n add x1, x1, #0x4000\n mov sp, x1\n b main\n"
    ".text\n .balign 2048\nvectors: .rept 8\n b .\n .balign 128\n .endr\n"
    " b left\n .balign 128\n .rept 7\n b .\n .balign 128\n .endr\n"
    "left: sub sp, sp, #256\n"
    " .irp n, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28\n str x\\n, [sp, #8 * \\n]\n .endr\n"
    " .irp n, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 30\n str x\\n, [sp, #8 * \\n]\n .endr\n"
    " mov x0, sp\n bl answer\n"
    " .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30\n"
    " ldr x\\n, [sp, #8 * \\n]\n .endr\n add sp, sp, #256\n eret\n");
extern char vectors[];
__attribute__((aligned(4096))) u8 stack[0x4000];

#define MSR(name, value) ({ __asm__ volatile("msr " #name ", %0; isb" ::"r"((u64)(value)) : "memory"); })
#define MRS(name) ({ u64 v; __asm__ volatile("mrs %0, " #name : "=r"(v)::"memory"); v; })

// ---- calls -------------------------------------------------------------------------------------

enum { EC_HVC = 0x16, EC_SMC = 0x17, IDENTIFY = 0x6000, LAST_CALL = 0x60ff };
/** Vendor-specific hypervisor calls of 64 bits, whose low byte is the number of a hypercall. */
enum { SMCCC_OWNER = 0xff00ff00, SMCCC_HYPERCALLS = 0xc6008000u & SMCCC_OWNER };
#define UNIMPLEMENTED (~0ul)
/** Version 1 of the interface, 64 bits; which groups of calls there are. */
#define API_INFO 0x5100000000008001ul
#define API_FLAGS 0x10000efful

static void hypercall(u32 number, u64 *x) {
  u64 identifies = number == IDENTIFY;
  for (u32 i = 0; i < 8; i++) x[i] = 0;
  x[0] = identifies ? API_INFO : UNIMPLEMENTED;
  if (identifies) x[1] = API_FLAGS;
}

static void firmware(u64 *x) {
  register u64 x0 __asm__("x0") = x[0], x1 __asm__("x1") = x[1], x2 __asm__("x2") = x[2], x3 __asm__("x3") = x[3];
  __asm__ volatile("smc #0" : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3)::"memory", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12",
                   "x13", "x14", "x15", "x16", "x17");
  x[0] = x0, x[1] = x1, x[2] = x2, x[3] = x3;
}

void answer(u64 *x) {
  u64 esr = MRS(esr_el2), class = esr >> 26 & 0x3f;
  u32 immediate = esr & 0xffff, function = (u32)x[0];
  if (class == EC_SMC) MSR(elr_el2, MRS(elr_el2) + 4);
  if (class != EC_HVC && class != EC_SMC) {
    for (;;) __asm__ volatile("wfi");
  }
  if (immediate >= IDENTIFY && immediate <= LAST_CALL) hypercall(immediate, x);
  else if (!immediate && (function & SMCCC_OWNER) == SMCCC_HYPERCALLS) hypercall(IDENTIFY + (function & 0xff), x);
  else firmware(x);
}

// ---- the VM ------------------------------------------------------------------------------------

static u32 cell(const u8 *at) { return (u32)at[0] << 24 | at[1] << 16 | at[2] << 8 | at[3]; }
static int same(const char *a, const char *b) {
  while (*a && *a == *b) a++, b++;
  return *a == *b;
}

enum { FDT_BEGIN = 1, FDT_END_NODE = 2, FDT_PROP = 3, FDT_NOP = 4 };

/** The address of the kernel: `reg` of the node whose `compatible` begins with multiboot,kernel. */
static u64 kernel(const u8 *dtb) {
  const u8 *at = dtb + cell(dtb + 8), *strings = dtb + cell(dtb + 12);
  u64 reg = 0, found = 0;
  for (;;) {
    u32 token = cell(at);
    at += 4;
    if (token == FDT_BEGIN) {
      reg = found = 0;
      while (*at) at++;
      at = (const u8 *)(((u64)at + 4) & ~3ul);
    } else if (token == FDT_PROP) {
      u32 size = cell(at);
      const char *name = (const char *)strings + cell(at + 4);
      at += 8;
      if (same(name, "reg")) reg = (u64)cell(at) << 32 | cell(at + 4);
      if (same(name, "compatible")) found = same((const char *)at, "multiboot,kernel");
      at += (size + 3) & ~3u;
      if (found && reg) return reg;
    } else if (token != FDT_END_NODE && token != FDT_NOP) {
      for (;;) __asm__ volatile("wfi");
    }
  }
}

/** Blocks of 1 GiB at their own addresses: devices, then memory. */
static __attribute__((aligned(4096))) u64 blocks[512];
enum { RW = 3 << 6, NORMAL = 0xf << 2 | 3 << 8, DEVICE = 1 << 2, AF = 1 << 10, BLOCK = 1 };

void main(u64 dtb) {
  blocks[0] = RW | DEVICE | AF | BLOCK;
  blocks[1] = 0x40000000ul | RW | NORMAL | AF | BLOCK;
  MSR(vbar_el2, vectors);
  MSR(vttbr_el2, (u64)blocks | 1ul << 48);
  MSR(vtcr_el2, 1ul << 31 | 1 << 16 | 0x3500 | 1 << 6 | (64 - 36));
  MSR(vmpidr_el2, MRS(mpidr_el1)), MSR(vpidr_el2, MRS(midr_el1));
  MSR(S3_4_C12_C9_5, 0xf);  // ICC_SRE_EL2: EL1 has the registers of its CPU interface
  MSR(cnthctl_el2, 3), MSR(cntvoff_el2, 0), MSR(cptr_el2, 0x33ff);
  MSR(hcr_el2, 1ul << 31 | 1 << 19 | 1);  // RW, TSC, VM
  MSR(sctlr_el1, 0x30d00800);
  __asm__ volatile("dsb sy; tlbi vmalls12e1is; dsb sy; isb" ::: "memory");
  MSR(elr_el2, kernel((const u8 *)dtb)), MSR(spsr_el2, 0x3c5);
  register u64 x0 __asm__("x0") = dtb;
  __asm__ volatile("mov x1, xzr; mov x2, xzr; mov x3, xzr; eret" ::"r"(x0) : "x1", "x2", "x3");
}
