// Entry at EL2, vectors of EL1 and EL2, and `attempt`: code that is entered at any level and comes
// back to EL2 by returning, by HVC, or by an exception.

    .arch armv8-a
    .section .text.start
    .globl _start
_start:
    ldr     x1, =stack_top
    mov     sp, x1
    ldr     x1, =vectors_el2
    msr     vbar_el2, x1
    ldr     x1, =vectors_el1
    msr     vbar_el1, x1
    isb
    bl      main
    mov     x0, #0x8                    // PSCI SYSTEM_OFF
    movk    x0, #0x8400, lsl #16
    smc     #0
1:  b       1b

// int attempt(struct attempt *a): runs a->code with X0..X3 = a->x at the PSTATE a->pstate. 1 when
// it ended in an exception.
    .globl attempt
attempt:
    stp     x29, x30, [sp, #-96]!
    stp     x19, x20, [sp, #16]
    stp     x21, x22, [sp, #32]
    stp     x23, x24, [sp, #48]
    stp     x25, x26, [sp, #64]
    stp     x27, x28, [sp, #80]
    ldr     x1, =saved
    mov     x2, sp
    stp     x2, x0, [x1]
    mov     x19, x0
    ldr     x1, [x19, #0]               // code
    msr     elr_el2, x1
    ldr     x1, [x19, #8]               // pstate
    msr     spsr_el2, x1
    ldr     x1, [x19, #16]              // SP_EL0
    msr     sp_el0, x1
    ldr     x1, [x19, #112]             // SP_EL1
    msr     sp_el1, x1
    ldp     x0, x1, [x19, #24]
    ldp     x2, x3, [x19, #40]
    adr     x30, returned
    eret

returned:
    ldr     x4, =saved
    ldp     x5, x6, [x4]
    msr     spsel, #1
    mov     sp, x5
    msr     daifset, #15
    mov     x7, #-1
    str     x7, [x6, #56]
    stp     x0, x1, [x6, #96]
    mov     x0, #0
    b       leave

// X9: number of the vector. X8 to X11 of the interrupted code are lost.
taken:
    ldr     x10, =saved
    ldp     x10, x11, [x10]
    str     x9, [x11, #56]
    mrs     x9, esr_el2
    str     x9, [x11, #64]
    mrs     x9, far_el2
    str     x9, [x11, #72]
    mrs     x9, elr_el2
    str     x9, [x11, #80]
    mrs     x9, spsr_el2
    str     x9, [x11, #88]
    stp     x0, x1, [x11, #96]
    mrs     x9, hpfar_el2
    stp     x9, x8, [x11, #128]
    mrs     x9, daif
    mrs     x0, currentel
    orr     x9, x9, x0
    mrs     x0, spsel
    orr     x9, x9, x0
    .inst   0xd5384260                  // mrs x0, pan
    orr     x9, x9, x0
    str     x9, [x11, #120]
    .inst   0xd500409f                  // msr pan, #0
    msr     spsel, #1
    mov     sp, x10
    msr     daifset, #15
    mov     x0, #1
leave:
    ldp     x19, x20, [sp, #16]
    ldp     x21, x22, [sp, #32]
    ldp     x23, x24, [sp, #48]
    ldp     x25, x26, [sp, #64]
    ldp     x27, x28, [sp, #80]
    ldp     x29, x30, [sp], #96
    ret

    .balign 2048
vectors_el2:
    .set    number, 16
    .rept   16
    .balign 128
    mov     x9, #number
    b       taken
    .set    number, number + 1
    .endr

// An exception of EL1 shows itself to EL2: X8 is its vector.
    .balign 2048
vectors_el1:
    .set    number, 0
    .rept   16
    .balign 128
    mov     x8, #number
    hvc     #0x7e
    .set    number, number + 1
    .endr

    .bss
    .balign 16
saved:
    .skip   16
