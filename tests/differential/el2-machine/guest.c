// A small hypervisor that starts at EL2: it asks its firmware, enables its GIC and a timer, starts
// a second CPU, and runs a program of EL1 at other addresses. It prints what comes of it.

#include "../guest.h"

extern char program[], interrupted[], uses_devices[], second[];
u64 enter_el1(u64 entry, u64 x0);
volatile u64 last_esr, last_interrupt = 1023, second_says;

static volatile u32 *const gicd = (u32 *)0x08000000, *const gicr = (u32 *)0x080a0000;
static void say(const char *name, u64 v) { text(name), put(' '), hex(v), put('\n'); }

#define PAGE __attribute__((aligned(4096)))

static u64 smc(u64 function, u64 a, u64 b, u64 c) {
  register u64 x0 __asm__("x0") = function, x1 __asm__("x1") = a, x2 __asm__("x2") = b, x3 __asm__("x3") = c;
  __asm__ volatile("smc #0" : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3)::"memory", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12",
                   "x13", "x14", "x15", "x16", "x17");
  return x0;
}

enum {
  PSCI_VERSION = 0x84000000, CPU_OFF = 0x84000002, SYSTEM_OFF = 0x84000008, MIGRATE_INFO_TYPE = 0x84000006, PSCI_FEATURES = 0x8400000a,
};
#define CPU_ON 0xc4000003ul
#define AFFINITY_INFO 0xc4000004ul

static void firmware(void) {
  say("psci", smc(PSCI_VERSION, 0, 0, 0));
  say("migration", smc(MIGRATE_INFO_TYPE, 0, 0, 0));
  say("has cpu_on", smc(PSCI_FEATURES, CPU_ON, 0, 0));
  say("has migrate", (u32)smc(PSCI_FEATURES, 0x84000005, 0, 0));
  say("a hypervisor's call", smc(0x86000000, 0, 0, 0));
  // HVC is EL2's own: it does not reach the firmware.
  register u64 x0 __asm__("x0") = PSCI_VERSION;
  __asm__ volatile("hvc #0x41" : "+r"(x0)::"memory");
  u64 kept = x0;
  say("hvc", last_esr), say("x0", kept);
}

static volatile u32 *const private = (u32 *)0x080b0000;
enum { TIMER = 30, MAINTENANCE = 25, ACTIVE = 0xc0, ENABLED = 0x40 };

/** Waits until the timer has interrupted EL2. */
static void timer_interrupt(void) {
  last_interrupt = 1023;
  MSR(cntp_cval_el0, MRS(cntpct_el0) + 1000);
  MSR(cntp_ctl_el0, 1);
  __asm__ volatile("msr daifclr, #2");
  while (last_interrupt == 1023) __asm__ volatile("wfi");
  __asm__ volatile("msr daifset, #2");
  say("interrupt", last_interrupt);
}

static void interrupts(void) {
  gicd[0] = 1 << 4 | 2;                       // affinity routing, group 1
  gicr[5] &= ~2u;                             // wake
  private[0x20] = ~0u;                        // group 1
  private[ENABLED] = 1u << TIMER;
  MSR(S3_4_C12_C9_5, 0xf);                    // ICC_SRE_EL2
  say("icc_sre_el2", MRS(S3_4_C12_C9_5));
  MSR(S3_0_C4_C6_0, 0xf8);                    // ICC_PMR_EL1
  MSR(S3_0_C12_C12_7, 1);                     // ICC_IGRPEN1_EL1
  MSR(hcr_el2, 1ul << 31 | 1 << 4);           // IMO: to EL2
  timer_interrupt();
}

/** Stage 2: pages from 0x80000000: code, data, the UART, the redistributor's private interrupts. */
static PAGE u64 root[512], middle[512], pages[512], data[512];
#define IPA 0x80000000ul
#define S2_ALL (0x3ul << 6 | 0xf << 2 | 3 << 8 | 1 << 10)
#define S2_DEVICE (1ul << 54 | 0x3 << 6 | 1 << 2 | 1 << 10)

static void report(const char *what, u64 x0) {
  text(what), put('\n');
  say("  esr", MRS(esr_el2)), say("  x0", x0);
  if (MRS(esr_el2) >> 26 == 0x24) say("  far", MRS(far_el2)), say("  hpfar", MRS(hpfar_el2));
  say("  elr", MRS(elr_el2));
}

static void guest_of_guest(void) {
  root[IPA >> 30] = (u64)middle | 3;
  middle[0] = (u64)pages | 3;
  pages[0] = (u64)program | S2_ALL | 3;
  MSR(vttbr_el2, (u64)root | 1ul << 48);
  MSR(vtcr_el2, 1ul << 31 | 1ul << 16 | 0x3500ul | 1 << 6 | (64 - 36));
  MSR(vpidr_el2, 0x1234);
  MSR(hcr_el2, 1ul << 31 | 1 << 19 | 1);      // RW, TSC, VM
  __asm__ volatile("dsb sy; tlbi vmalls12e1is; dsb sy; isb" ::: "memory");
  MSR(sctlr_el1, 0x30d00800);
  data[0] = 0xfeed;
  u64 x0 = enter_el1(IPA, IPA + 0x1000);
  report("call", x0);
  x0 = enter_el1(MRS(elr_el2), x0);
  report("access", x0);
  pages[1] = (u64)data | S2_ALL | 3;
  __asm__ volatile("dsb sy; tlbi vmalls12e1is; dsb sy; isb" ::: "memory");
  x0 = enter_el1(MRS(elr_el2), x0);
  report("again", x0);
  x0 = enter_el1(MRS(elr_el2), x0);
  report("smc", x0);
  x0 = enter_el1(MRS(elr_el2) + 4, x0);
  report("midr", x0);
  pages[2] = (u64)uart | S2_DEVICE | 3;
  pages[3] = (u64)private | S2_DEVICE | 3;
  x0 = enter_el1(IPA + (uses_devices - program), IPA + 0x2000);
  report("devices", x0);
  MSR(hcr_el2, 1ul << 31);
}

/** EL1 takes the timer's interrupt from a list register, whose end is that of the physical one. */
static void virtual_interrupts(void) {
  MSR(S3_0_C12_C12_4, 2);                     // ICC_CTLR_EL1.EOImode: EOIR drops the priority
  MSR(hcr_el2, 1ul << 31 | 1 << 4 | 1);       // RW, IMO, VM
  timer_interrupt();
  say("active", private[ACTIVE] >> TIMER & 1);
  private[ENABLED] = 1u << MAINTENANCE;
  MSR(S3_4_C12_C11_7, 0xf84c0002);            // ICH_VMCR_EL2: group 1
  MSR(S3_4_C12_C12_0, 7ul << 60 | 0x80ul << 48 | (u64)TIMER << 32 | 27);
  MSR(S3_4_C12_C11_0, 1 | 8);                 // ICH_HCR_EL2: En, NPIE
  // Nothing is pending after it is acknowledged, which is a maintenance interrupt.
  u64 x0 = enter_el1(IPA + (interrupted - program), 0);
  say("acknowledged", x0), say("  misr", MRS(S3_4_C12_C11_2));
  u64 physical = MRS(S3_0_C12_C12_0);
  MSR(S3_4_C12_C11_0, 1);
  MSR(S3_0_C12_C12_1, physical), MSR(S3_0_C12_C11_1, physical);
  say("  interrupt", physical), say("  lr", MRS(S3_4_C12_C12_0)), say("  active", private[ACTIVE]);
  x0 = enter_el1(MRS(elr_el2), x0);
  report("ended", x0);
  say("  lr", MRS(S3_4_C12_C12_0)), say("  active", private[ACTIVE]);
  MSR(S3_4_C12_C11_0, 0);
  MSR(hcr_el2, 1ul << 31);
}

static void second_cpu(void) {
  say("on?", smc(AFFINITY_INFO, 1, 0, 0));
  say("cpu_on", smc(CPU_ON, 1, (u64)second, 0xbeef));
  while (!second_says) __asm__ volatile("wfe");
  say("second", second_says);
  while (smc(AFFINITY_INFO, 1, 0, 0) != 1) __asm__ volatile("yield");
  say("cpu 5", smc(CPU_ON, 5, (u64)second, 0));
}

void main(u64 x0, int cpu) {
  if (cpu) {
    second_says = x0 | MRS(currentel) << 16 | (MRS(mpidr_el1) & 0xff) << 24;
    __asm__ volatile("dsb sy; sev");
    smc(CPU_OFF, 0, 0, 0);
  }
  say("level", MRS(currentel));
  say("daif", MRS(daif));
  say("mmu", MRS(sctlr_el2) & 1);
  firmware();
  interrupts();
  guest_of_guest();
  virtual_interrupts();
  second_cpu();
  text("end\n");
  smc(SYSTEM_OFF, 0, 0, 0);
}
