// Entry at EL1 with the MMU off. Maps the first GiB as device memory and the second as normal
// memory, both to themselves, with 1 GiB blocks at level 1 (TCR_EL1.T0SZ = 25); turns caches and
// floating point on; ends with PSCI SYSTEM_OFF.

#define PSCI_SYSTEM_OFF 0x84000008

    .section .text.start, "ax"
    .global _start
_start:
    adrp    x0, page_table
    add     x0, x0, :lo12:page_table
    ldr     x1, =0x0060000000000401         // block, AF, attribute 0, UXN, PXN
    str     x1, [x0]
    ldr     x1, =0x0040000040000705         // block, AF, inner shareable, attribute 1, UXN
    str     x1, [x0, #8]
    dsb     sy
    // Attribute 0 device-nGnRnE, attribute 1 normal write-back.
    ldr     x1, =0x000000000000ff00
    msr     mair_el1, x1
    // 40-bit PA, EPD1, inner shareable, write-back walks, T0SZ 25.
    ldr     x1, =0x0000000200803519
    msr     tcr_el1, x1
    msr     ttbr0_el1, x0
    isb
    tlbi    vmalle1
    dsb     sy
    mrs     x1, sctlr_el1
    mov     x2, #0x1005                     // I, C, M
    orr     x1, x1, x2
    msr     sctlr_el1, x1
    mov     x1, #(3 << 20)                  // CPACR_EL1.FPEN: no traps
    msr     cpacr_el1, x1
    isb
    ldr     x1, =stack_top
    mov     sp, x1
    bl      main
    ldr     w0, =PSCI_SYSTEM_OFF
    hvc     #0
1:  wfi
    b       1b

    .bss
    .balign 4096
page_table:
    .skip   4096
