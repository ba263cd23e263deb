// Entry of each CPU at EL2, its vectors, and the program of EL1.

    .section .text.start
    .globl _start
_start:
    ldr     x1, =stack_top
    mov     x2, #0
    b       begin
    .globl second
second:                                 // X0: the context of CPU_ON
    ldr     x1, =second_stack
    mov     x2, #1
begin:
    mov     sp, x1
    ldr     x1, =vectors
    msr     vbar_el2, x1
    isb
    mov     x1, x2
    bl      main
1:  wfi
    b       1b

// u64 enter_el1(u64 entry, u64 x0): runs EL1 until its first exception to EL2; X0 is its X0.
    .globl enter_el1
enter_el1:
    stp     x29, x30, [sp, #-96]!
    stp     x19, x20, [sp, #16]
    stp     x21, x22, [sp, #32]
    stp     x23, x24, [sp, #48]
    stp     x25, x26, [sp, #64]
    stp     x27, x28, [sp, #80]
    msr     elr_el2, x0
    mov     x2, #0x3c5                  // EL1h, all masked
    msr     spsr_el2, x2
    mov     x0, x1
    eret

left_el1:
    ldp     x19, x20, [sp, #16]
    ldp     x21, x22, [sp, #32]
    ldp     x23, x24, [sp, #48]
    ldp     x25, x26, [sp, #64]
    ldp     x27, x28, [sp, #80]
    ldp     x29, x30, [sp], #96
    ret

    .balign 2048
vectors:
    .rept   4                           // EL2 with SP_EL0: never
    b       .
    .balign 128
    .endr
    b       of_el2                      // EL2: synchronous
    .balign 128
    b       interrupt                   // IRQ
    .balign 128
    .rept   2
    b       .
    .balign 128
    .endr
    b       left_el1                    // a lower level: synchronous
    .balign 128
    b       left_el1                    // IRQ
    .balign 128
    .rept   6
    b       .
    .balign 128
    .endr

of_el2:
    stp     x0, x1, [sp, #-32]!
    mrs     x0, esr_el2
    ldr     x1, =last_esr
    str     x0, [x1]
    lsr     x0, x0, #26
    cmp     x0, #0x16                   // HVC returns to the instruction after it
    b.eq    1f
    mrs     x0, elr_el2
    add     x0, x0, #4
    msr     elr_el2, x0
1:  ldp     x0, x1, [sp], #32
    eret

interrupt:
    stp     x0, x1, [sp, #-32]!
    mrs     x0, S3_0_C12_C12_0          // ICC_IAR1_EL1
    ldr     x1, =last_interrupt
    str     x0, [x1]
    mrs     x1, cntp_ctl_el0
    orr     x1, x1, #2
    msr     cntp_ctl_el0, x1
    msr     S3_0_C12_C12_1, x0          // ICC_EOIR1_EL1
    isb
    ldp     x0, x1, [sp], #32
    eret

// The program of EL1, which runs at other addresses than these: X0 is an address to read.
    .balign 4096
    .globl program
program:
    mov     x9, x0
    mrs     x0, currentel
    hvc     #1
    ldr     x0, [x9]
    hvc     #2
    smc     #0
    mrs     x0, midr_el1
    hvc     #3
// It takes an interrupt by polling, and ends it.
    .globl interrupted
interrupted:
    mrs     x0, S3_0_C12_C12_0          // ICC_IAR1_EL1
    isb                                 // the maintenance interrupt comes here at the latest
    msr     S3_0_C12_C12_1, x0          // ICC_EOIR1_EL1
    isb
    hvc     #4
// Devices that its hypervisor has mapped: it prints by the UART at X0, and reads which interrupts
// the redistributor in the next page has enabled.
    .globl uses_devices
uses_devices:
    mov     x9, x0
    mov     w1, #'>'
    str     w1, [x9]
    add     x9, x9, #0x1000
    ldr     w0, [x9, #0x100]            // GICR_ISENABLER0
    hvc     #5
