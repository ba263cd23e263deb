// Copies and sets memory by FEAT_MOPS, over borders of pages and with overlaps, signs pointers, and
// draws random numbers, without end.

    .section .text.start
    .globl _start
_start:
    ldr     x1, =0x300000               // CPACR_EL1.FPEN
    msr     cpacr_el1, x1
    ldr     x1, =0x30d00800 | 1 << 31   // SCTLR_EL1: EnIA
    msr     sctlr_el1, x1
    msr     apiakeylo_el1, x1
    isb
    ldr     x20, =buffer
    ldr     x19, =3 * 4096
    mov     x21, #0
1:  mrs     x3, rndr
    add     x21, x21, #1
    stp     x3, x21, [x20]
    add     x0, x20, #0x41
    mov     x2, x19
    setp    [x0]!, x2!, x3
    setm    [x0]!, x2!, x3
    sete    [x0]!, x2!, x3
    str     x21, [x20, #0x800]
    add     x0, x20, #0x123             // overlaps: backward
    mov     x1, x20
    mov     x2, x19
    cpyp    [x0]!, [x1]!, x2!
    cpym    [x0]!, [x1]!, x2!
    cpye    [x0]!, [x1]!, x2!
    add     x1, x20, #0x77              // forward
    mov     x0, x20
    sub     x2, x19, x21, lsl #3
    cpyfp   [x0]!, [x1]!, x2!
    cpyfm   [x0]!, [x1]!, x2!
    cpyfe   [x0]!, [x1]!, x2!
    mov     x4, x20
    pacia   x4, x21
    str     x4, [x20, #0x1000]
    autia   x4, x21
    eor     x4, x4, x20
    cbnz    x4, .
    and     x21, x21, #0xff
    b       1b

    .bss
    .balign 4096
buffer:
    .skip   8 * 4096
