// Starts at EL2 and waits for each timer in turn, with interrupts masked: which interrupt is
// pending then, and whether the timer's count had come to its value. QEMU 7.2 does not connect
// CNTHV.

typedef unsigned long u64;
typedef unsigned int u32;

__asm__(".section .text.start\n .globl _start\n_start: ldr x1, =stack_top\n mov sp, x1\n b main\n .text\n");

static volatile u32 *const uart = (u32 *)0x09000000, *const gicd = (u32 *)0x08000000, *const gicr = (u32 *)0x080a0000;
static void put(char c) { *uart = c; }
static void text(const char *s) { while (*s) put(*s++); }
static void number(const char *name, u64 v) {
  text(name), put(' ');
  for (int shift = 8; shift >= 0; shift -= 4) put("0123456789abcdef"[v >> shift & 15]);
  put('\n');
}

#define MSR(name, value) MSR_(name, value)
#define MRS(name) MRS_(name)
#define MSR_(name, value) ({ __asm__ volatile("msr " #name ", %0; isb" ::"r"((u64)(value)) : "memory"); })
#define MRS_(name) ({ u64 v; __asm__ volatile("isb; mrs %0, " #name : "=r"(v)::"memory"); v; })
#define HPPIR1 S3_0_C12_C12_2
#define IAR1 S3_0_C12_C12_0
#define EOIR1 S3_0_C12_C12_1

/** Ticks that a timer is set ahead of its count. */
#define AHEAD 20000

#define WAIT(what, count, control, compare)                                   \
  ({                                                                          \
    text(what), put('\n');                                                    \
    u64 due = MRS(count) + AHEAD;                                             \
    MSR(compare, due);                                                        \
    MSR(control, 1);                                                          \
    number("  before", MRS(control) & 4 ? 0 : MRS(HPPIR1));                   \
    while (MRS(HPPIR1) == 1023) __asm__ volatile("wfi");                      \
    u64 intid = MRS(IAR1);                                                    \
    number("  interrupt", intid);                                             \
    number("  is due", MRS(count) >= due);                                    \
    number("  condition", MRS(control));                                      \
    MSR(control, 0);                                                          \
    MSR(EOIR1, intid);                                                        \
    number("  after", MRS(HPPIR1));                                           \
  })

void main(void) {
  gicd[0] = 1 << 4 | 2;
  gicr[5] &= ~2u;
  volatile u32 *private = gicr + 0x4000;
  private[0x20] = ~0u;
  private[0x40] = 1u << 26 | 1u << 27 | 1u << 30;
  MSR(S3_4_C12_C9_5, 0xf);
  MSR(S3_0_C4_C6_0, 0xf8);
  MSR(S3_0_C12_C12_7, 1);
  MSR(hcr_el2, 1ul << 31 | 1 << 4);
  WAIT("CNTP", cntpct_el0, cntp_ctl_el0, cntp_cval_el0);
  WAIT("CNTHP", cntpct_el0, cnthp_ctl_el2, cnthp_cval_el2);
  WAIT("CNTV", cntvct_el0, cntv_ctl_el0, cntv_cval_el0);
  MSR(cntvoff_el2, MRS(cntpct_el0));
  WAIT("CNTV, behind", cntvct_el0, cntv_ctl_el0, cntv_cval_el0);
  MSR(cntvoff_el2, -1000000000l);
  WAIT("CNTV, ahead", cntvct_el0, cntv_ctl_el0, cntv_cval_el0);
  // An offset that is written while the timer is on moves its deadline.
  MSR(cntvoff_el2, 0);
  MSR(cntv_cval_el0, MRS(cntvct_el0) + 0x100000000000ul);
  MSR(cntv_ctl_el0, 1);
  number("far", MRS(HPPIR1));
  MSR(cntvoff_el2, -0x100000000000l);
  while (MRS(HPPIR1) == 1023) __asm__ volatile("wfi");
  number("near", MRS(HPPIR1));
  text("end\n");
  __asm__ volatile("mov w0, #8; movk w0, #0x8400, lsl #16; smc #0");
  for (;;) {}
}
