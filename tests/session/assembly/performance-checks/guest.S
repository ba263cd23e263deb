// Checks of performance monitors as hypervisors' unit tests have them, with a letter for each: `k`
// if it holds, `-` for an event that the CPU does not have, `!` otherwise.

    .equ    SW_INCR, 0x00
    .equ    INST_RETIRED, 0x08
    .equ    CPU_CYCLES, 0x11
    .equ    CHAIN, 0x1e
    .equ    ENABLE, 0x41                    // E, LC
    .equ    NEAR, 0xfffffff0                // 16 before an overflow

    // Prints whether the condition holds.
    .macro  check condition
    mov     x1, #'k'
    mov     x2, #'!'
    csel    x0, x1, x2, \condition
    bl      put
    .endm
    // Skips to `label` if the CPU does not have an event.
    .macro  need event, label
    mov     x0, #'-'
    tbz     x19, #\event, \label
    .endm
    .macro  write register, value
    ldr     x1, =\value
    msr     \register, x1
    .endm
    // Nothing counts, and no flag is set; then two counters get a type and a value.
    .macro  counters type0, value0, type1, value1
    write   pmcr_el0, 0x46
    write   pmcntenclr_el0, 0xffffffff
    write   pmovsclr_el0, 0xffffffff
    write   pmintenclr_el1, 0xffffffff
    write   pmevtyper0_el0, \type0
    write   pmevtyper1_el0, \type1
    write   pmevcntr0_el0, \value0
    write   pmevcntr1_el0, \value1
    .endm
    .macro  start enabled, interrupts=0
    write   pmcntenset_el0, \enabled
    write   pmintenset_el1, \interrupts
    write   pmcr_el0, ENABLE
    isb
    .endm
    .macro  stop
    isb
    write   pmcr_el0, 0x40
    isb
    .endm
    .macro  increments count, mask
    mov     x2, #\count
    mov     x1, #\mask
1:  msr     pmswinc_el0, x1
    subs    x2, x2, #1
    b.ne    1b
    .endm
    .macro  work
    mov     x2, #1000
1:  subs    x2, x2, #1
    b.ne    1b
    .endm
    // Both counters, which have 32 bits or more, and the flags of their overflows.
    .macro  expect value0, value1, flags
    mrs     x3, pmevcntr0_el0
    ldr     w4, =\value0
    cmp     w3, w4
    mrs     x3, pmevcntr1_el0
    ldr     w4, =\value1
    ccmp    w3, w4, #0, eq
    mrs     x3, pmovsset_el0
    ldr     x4, =\flags
    ccmp    x3, x4, #0, eq
    check   eq
    .endm

    .section .text.start
    .globl _start
_start:
    ldr     x1, =stack_top
    mov     sp, x1
    ldr     x1, =vectors
    msr     vbar_el1, x1
    mov     x20, #0                         // interrupts
    bl      gic
    mrs     x19, pmceid0_el0

    // The cycle counter advances between reads, until it is stopped.
    counters CPU_CYCLES, 0, CPU_CYCLES, 0
    write   pmccfiltr_el0, 0
    start   0x80000000
    mov     x5, #10
    mrs     x3, pmccntr_el0
2:  isb
    mrs     x4, pmccntr_el0
    cmp     x4, x3
    b.ls    3f
    mov     x3, x4
    subs    x5, x5, #1
    b.ne    2b
3:  cmp     x5, #0
    check   eq
    stop
    mrs     x3, pmccntr_el0
    mrs     x4, pmccntr_el0
    cmp     x3, x4
    check   eq
    // Events that PMUv3p1 requires.
    ldr     x1, =1 << CPU_CYCLES | 1 << SW_INCR
    and     x2, x19, x1
    cmp     x1, x2
    mrs     x3, pmceid1_el0
    and     x3, x3, #3 << 3                 // STALL_FRONTEND, STALL_BACKEND
    mov     x4, #3 << 3
    ccmp    x3, x4, #0, eq
    check   eq
    // Types by number and as selected.
    write   pmselr_el0, 1
    isb
    write   pmxevtyper_el0, CPU_CYCLES
    isb
    mrs     x3, pmevtyper1_el0
    cmp     x3, #CPU_CYCLES
    check   eq
    // Cycles overflow, and instructions are counted one by one.
    counters CPU_CYCLES, NEAR, SW_INCR, 0
    start   1
    work
    stop
    mrs     x3, pmovsset_el0
    cmp     x3, #1
    check   eq
    need    INST_RETIRED, 4f
    counters INST_RETIRED, 0, INST_RETIRED, 0
    start   3
    work
    isb
    mrs     x3, pmevcntr0_el0
    mrs     x4, pmevcntr1_el0
    stop
    sub     x4, x4, x3                      // the first MRS
    ldr     x5, =2000 + 3                   // MOV, ISB and the ISB before
    sub     x3, x3, x5
    cmp     x3, #1
    ccmp    x4, #1, #0, ls
    check   eq
    b       5f
4:  bl      put
5:
    // Software increments: none while PMCR.E is clear, those of each bit else.
    counters SW_INCR, NEAR, SW_INCR, 0
    write   pmcntenset_el0, 3
    increments 100, 1
    expect  NEAR, 0, 0
    start   3
    increments 100, 3
    stop
    expect  84, 100, 1
    // Pairs: an overflow of the even counter is one event of the odd one, which may overflow, too.
    need    CHAIN, 6f
    counters SW_INCR, NEAR, CHAIN, 0
    start   3
    increments 100, 1
    stop
    expect  84, 1, 1
    counters SW_INCR, NEAR, CHAIN, 0xffffffff
    start   3
    increments 100, 1
    stop
    expect  84, 0, 3
    // The odd one counts while it is enabled, and only as long as it has that type.
    counters SW_INCR, NEAR, CHAIN, 0
    start   1
    increments 100, 1
    stop
    expect  84, 0, 1
    counters SW_INCR, NEAR, SW_INCR, 0
    start   3
    increments 16, 1
    write   pmevtyper1_el0, CHAIN
    write   pmevcntr0_el0, 0xffffffff
    isb
    increments 1, 1
    stop
    expect  0, 1, 1
    counters CPU_CYCLES, NEAR, CHAIN, 0
    start   3
    work
    stop
    mrs     x3, pmevcntr1_el0
    cmp     x3, #1
    check   eq
    b       7f
6:  .rept   5
    bl      put
    .endr
7:
    // Interrupts: none that is not enabled; one for a flag that was set before, and each overflow.
    counters SW_INCR, NEAR, SW_INCR, NEAR
    start   3
    increments 100, 3
    stop
    expect  84, 84, 3
    cmp     x20, #0
    check   eq
    write   pmcr_el0, ENABLE                // without E, there is no interrupt
    write   pmintenset_el1, 3
    isb
    cmp     x20, #1
    check   eq
    counters SW_INCR, NEAR, SW_INCR, NEAR
    start   3, 3
    increments 16, 1
    isb
    increments 16, 2
    isb
    stop
    cmp     x20, #3
    check   eq

    b       end

#include "../gic.S"
#include "../uart.S"

    .balign 2048
vectors:
    .skip   0x200
    mov     x0, #'E'                        // no other exception is expected
    bl      put
9:  b       9b
    .balign 128
    mrs     x21, S3_0_C12_C12_0             // ICC_IAR1_EL1
    mrs     x22, pmovsset_el0
    msr     pmovsclr_el0, x22
    isb
    msr     S3_0_C12_C12_1, x21             // ICC_EOIR1_EL1
    cmp     x21, #23
    cinc    x20, x20, eq
    eret
