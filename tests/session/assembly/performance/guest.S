// Writes registers of the performance monitors and prints how they read; then an increment by
// software overflows a counter, whose interrupt PPI 23 is taken after that instruction.

    .macro show register
    mrs     x0, \register
    bl      hex
    .endm
    // Writes a value and prints how it reads.
    .macro try register, value
    ldr     x1, =\value
    msr     \register, x1
    isb
    show    \register
    .endm

    .section .text.start
    .globl _start
_start:
    ldr     x1, =stack_top
    mov     sp, x1
    ldr     x1, =vectors
    msr     vbar_el1, x1
    isb

    // N, after the counters are reset; LC and DP are kept. IDCODE is the CPU's own.
    .irp    value, 0x46, 0x60
    mov     x1, #\value
    msr     pmcr_el0, x1
    isb
    mrs     x0, pmcr_el0
    and     x0, x0, #0xffff
    bl      hex
    .endr
    // Sets and clears of each counter there is; the registers of a pair read the same.
    try     pmcntenset_el0, 0xffffffff
    try     pmcntenclr_el0, 0x80000005
    show    pmcntenset_el0
    try     pmintenset_el1, 0xffffffff
    try     pmintenclr_el1, 0x3a
    show    pmintenset_el1
    try     pmovsset_el0, 0x8000003f
    try     pmovsclr_el0, 0x80000011
    show    pmovsset_el0
    try     pmuserenr_el0, 0xffffffff
    try     pmuserenr_el0, 0
    // A counter and its type by number and as selected; types keep the filters of levels.
    try     pmevtyper2_el0, 0xc0000011
    try     pmselr_el0, 2
    show    pmxevtyper_el0
    try     pmxevtyper_el0, 0x20000008
    show    pmevtyper2_el0
    try     pmevcntr2_el0, 0x12345678
    show    pmxevcntr_el0
    try     pmxevcntr_el0, 0x89abcdef
    show    pmevcntr2_el0
    try     pmccfiltr_el0, 0xc0000000
    mov     x1, #31
    msr     pmselr_el0, x1
    isb
    show    pmxevtyper_el0
    try     pmccfiltr_el0, 0
    // PMCR.P clears the event counters, and no other register.
    mov     x1, #2
    msr     pmcr_el0, x1
    isb
    show    pmevcntr2_el0
    show    pmevtyper2_el0

    bl      gic

    // Counter 1 counts SW_INCR, and is one before its overflow; counter 0 does not count it.
    mov     x1, #-1
    msr     pmovsclr_el0, x1
    msr     pmcntenclr_el0, x1
    msr     pmintenclr_el1, x1
    msr     pmevtyper1_el0, xzr
    mov     x1, #0x11
    msr     pmevtyper0_el0, x1
    msr     pmevcntr0_el0, xzr
    ldr     x1, =0xfffffffe
    msr     pmevcntr1_el0, x1
    mov     x1, #2
    msr     pmcntenset_el0, x1
    msr     pmintenset_el1, x1
    mov     x1, #1
    msr     pmcr_el0, x1
    isb
    mov     x20, #0
    mov     x1, #3
    msr     pmswinc_el0, x1
    isb
    show    pmevcntr1_el0
    mov     x1, #3
overflow:
    msr     pmswinc_el0, x1
    isb
    mov     x0, x20                         // interrupts so far
    bl      hex
    show    pmevcntr0_el0
    b       end

#include "../gic.S"
#include "../uart.S"

    .balign 2048
vectors:
    .skip   0x200
    mov     x0, #'!'                        // no other exception is expected
    bl      put
3:  b       3b
    .balign 128
    mrs     x21, S3_0_C12_C12_0             // ICC_IAR1_EL1
    mov     x0, x21
    bl      hex
    mrs     x0, elr_el1
    ldr     x1, =overflow
    sub     x0, x0, x1
    bl      hex
    show    pmovsset_el0
    mov     x1, #2
    msr     pmovsclr_el0, x1
    isb
    msr     S3_0_C12_C12_1, x21             // ICC_EOIR1_EL1
    add     x20, x20, #1
    eret
