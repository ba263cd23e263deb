// Reads through tables of TTBR1_EL1 that end, at each level, at an address that the caller has put
// into X0, and prints ESR_EL1 of each read.

    .section .text.start
    .globl _start
_start:
    ldr     x19, =address
    ldr     x19, [x19]
    ldr     x1, =stack_top
    mov     sp, x1
    ldr     x1, =vectors
    msr     vbar_el1, x1
    // TTBR0: identity, by blocks of 1 GiB: devices, then RAM.
    ldr     x1, =identity
    ldr     x2, =identity_blocks + 3
    str     x2, [x1]
    ldr     x2, =identity_blocks
    ldr     x3, =0x0060000000000405
    str     x3, [x2]
    ldr     x3, =0x0000000040000701
    str     x3, [x2, #8]
    msr     ttbr0_el1, x1
    ldr     x1, =0x00ff
    msr     mair_el1, x1
    ldr     x1, =0x0000000280100010         // 48 bits each, 40-bit outputs
    msr     tcr_el1, x1
    ldr     x1, =tables
    msr     ttbr1_el1, x1
    isb
    tlbi    vmalle1
    dsb     sy
    mrs     x1, sctlr_el1
    orr     x1, x1, #1
    msr     sctlr_el1, x1
    isb

    mov     x20, #0                         // level of the table that is out of reach
next:
    ldr     x1, =tables
    mov     x2, #0
1:  cmp     x2, x20
    b.eq    2f
    add     x3, x1, #4096
    orr     x4, x3, #3
    str     x4, [x1]
    mov     x1, x3
    add     x2, x2, #1
    b       1b
2:  orr     x4, x19, #3                     // for the table before X1
    cbnz    x20, 3f
    msr     ttbr1_el1, x19
    b       4f
3:  sub     x1, x1, #4096
    str     x4, [x1]
    ldr     x4, =tables
    msr     ttbr1_el1, x4
4:  dsb     sy
    tlbi    vmalle1
    dsb     sy
    isb
    mov     x5, #0xffff000000000000
    ldr     x6, [x5]
    mov     x0, #'-'                        // no fault
    bl      put
    mov     x0, #'\n'
    bl      put
back:
    add     x20, x20, #1
    cmp     x20, #4
    b.ne    next
    b       end

#include "../uart.S"

    .balign 2048
vectors:
    .skip   0x200
    mrs     x0, esr_el1
    bl      hex
    adr     x1, back
    msr     elr_el1, x1
    eret

    .data
    .globl address
address:
    .quad   ADDRESS

    .bss
    .balign 4096
identity:
    .skip   4096
identity_blocks:
    .skip   4096
tables:
    .skip   4 * 4096
