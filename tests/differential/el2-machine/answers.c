// A small hypervisor that answers each exit of its guest in another way: it maps the page, permits
// the access, executes the instruction for it, injects an exception, and at last does not enter it
// again.

typedef unsigned long u64;
typedef unsigned int u32;

extern char guest_vectors[];
/** `enter_el1` with the guest's own X9 and X10. */
u64 enter_guest(u64 entry, u64 x0);
u64 kept[2];
volatile u64 last_esr, last_interrupt;

#define PAGE __attribute__((aligned(4096)))
#define MSR(name, value) ({ __asm__ volatile("msr " #name ", %0; isb" ::"r"((u64)(value)) : "memory"); })
#define MRS(name) ({ u64 v; __asm__ volatile("mrs %0, " #name : "=r"(v)::"memory"); v; })

__asm__(
    ".text\n .globl enter_guest\nenter_guest: stp x29, x30, [sp, #-16]!\n adrp x2, kept\n add x2, x2, :lo12:kept\n ldp x9, x10, [x2]\n"
    " bl enter_el1\n adrp x2, kept\n add x2, x2, :lo12:kept\n stp x9, x10, [x2]\n ldp x29, x30, [sp], #16\n ret\n"
    " .balign 4096\n .globl asks\n"
    // The guest's vectors: after an exception it goes on at the address in X10.
    "asks: mov x9, x0\n b 1f\n .balign 2048\n .globl guest_vectors\nguest_vectors: .skip 0x200\n br x10\n .balign 2048\n"
    "1: ldr x0, [x9]\n"                         // no entry, then AF 0
    " str x0, [x9]\n"                           // read-only
    " mrs x1, ttbr0_el1\n"                      // HCR_EL2.TRVM
    " msr ttbr0_el1, x1\n"                      // HCR_EL2.TVM, which is off: it does not leave
    " adr x10, 2f\n"
    " smc #0\n"                                 // HCR_EL2.TSC: EL2 makes an exception of it
    "2: movk x9, #0x70, lsl #32\n ldr x0, [x9]\n"  // more bits than T0SZ
    " b .\n");
extern char asks[];

static PAGE u64 root[512], middle[512], pages[512], data[512];
#define IPA 0x80000000ul
#define VALID (0xf << 2 | 3 << 8 | 3)
enum { AF = 1 << 10, READ = 1 << 6, WRITE = 1 << 7 };

static u64 go_on(u64 at, u64 x0) {
  __asm__ volatile("dsb sy; tlbi vmalls12e1is; dsb sy; isb" ::: "memory");
  return enter_guest(at, x0);
}

void main(u64 x0, int cpu) {
  (void)cpu, (void)x0;
  root[IPA >> 30] = (u64)middle | 3;
  middle[0] = (u64)pages | 3;
  for (u64 page = 0; page < 2; page++) pages[page] = ((u64)asks + page * 4096) | VALID | AF | READ;
  MSR(vttbr_el2, (u64)root | 7ul << 48);
  MSR(vtcr_el2, 1ul << 31 | 1ul << 16 | 0x3500ul | 1 << 6 | (64 - 36));
  MSR(vmpidr_el2, 1ul << 31 | 0x102);
  MSR(hcr_el2, 1ul << 31 | 1ul << 30 | 1 << 19 | 1);  // RW, TRVM, TSC, VM
  MSR(sctlr_el1, 0x30d00800);
  MSR(vbar_el1, IPA + (guest_vectors - asks));
  data[0] = 0xfeed;
  x0 = go_on(IPA, IPA + 0x3000);
  pages[3] = (u64)data | VALID | READ;
  x0 = go_on(MRS(elr_el2), x0);
  pages[3] |= AF;
  x0 = go_on(MRS(elr_el2), x0);
  pages[3] |= WRITE;
  x0 = go_on(MRS(elr_el2), x0);
  x0 = go_on(MRS(elr_el2) + 4, x0);
  MSR(esr_el1, 1 << 25);
  MSR(elr_el1, MRS(elr_el2)), MSR(spsr_el1, 0x3c5);
  x0 = go_on(MRS(vbar_el1) + 0x200, x0);
  register u64 off __asm__("x0") = 0x84000008;
  __asm__ volatile("smc #0" ::"r"(off));
}
