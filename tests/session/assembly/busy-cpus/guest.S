// All CPUs of the machine at work, without end: each counts in a word of its own, and with the
// others by an atomic, by exclusives, by a copy and by a set of memory. Now and then it makes a
// call, accesses a device, or waits for the counter, so that its turns end early.

    .equ    PSCI_CPU_ON, 0xc4000003
    .equ    PSCI_AFFINITY_INFO, 0xc4000004
    .equ    UART_FLAGS, 0x09000018

    .section .text.start
    .globl _start
_start:
    mov     x19, #1
1:  ldr     x0, =PSCI_CPU_ON
    mov     x1, x19
    adr     x2, work
    mov     x3, x19
    hvc     #0
    cbnz    x0, 2f
    add     x19, x19, #1
    b       1b
2:  mov     x0, #0

work:                                   // X0: the number of the CPU
    ldr     x20, =own
    add     x20, x20, x0, lsl #3
    ldr     x21, =atomic
    ldr     x22, =exclusive
    ldr     x23, =block
    ldr     x24, =source
    add     x24, x24, x0, lsl #9
    add     x25, x0, #1                 // of its random numbers
    mov     x26, #0                     // rounds
round:
    add     x26, x26, #1
    str     x26, [x20]
    mov     x1, #1
    ldadd   x1, x2, [x21]
1:  ldxr    x1, [x22]
    add     x1, x1, #1
    stxr    w2, x1, [x22]
    cbnz    w2, 1b
    bl      step
    tst     x26, #7
    b.ne    2f
    str     x26, [x24]
    mov     x3, x23                     // over the border of two pages
    mov     x4, x24
    mov     x5, #400
    cpyfp   [x3]!, [x4]!, x5!
    cpyfm   [x3]!, [x4]!, x5!
    cpyfe   [x3]!, [x4]!, x5!
    add     x3, x23, #400
    mov     x5, #200
    setp    [x3]!, x5!, x26
    setm    [x3]!, x5!, x26
    sete    [x3]!, x5!, x26
2:  tst     x26, #31
    b.ne    3f
    ldr     x0, =PSCI_AFFINITY_INFO
    mov     x1, #0
    mov     x2, #0
    hvc     #0
    ldr     x0, =UART_FLAGS
    ldr     w1, [x0]
3:  tst     x26, #127
    b.ne    4f
    mrs     x0, cntvct_el0
    add     x0, x0, #100
    wfit    x0
4:  and     x1, x25, #0xff
5:  subs    x1, x1, #1
    b.pl    5b
    b       round

step:
    mov     x1, #0x4e6d
    movk    x1, #0x41c6, lsl #16
    mov     x2, #12345
    madd    x25, x25, x1, x2
    ror     x25, x25, #11
    ret

    .data
    .balign 4096
own:
    .skip   64
atomic:
    .quad   0
exclusive:
    .quad   0
source:
    .skip   8 * 512
    .balign 4096
    .skip   4096 - 200
block:
    .skip   8192
