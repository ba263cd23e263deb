// Entry, behind the header of an arm64 Image: the program is placed as a kernel is, wherever RAM
// begins.

    .section .text.start
    .globl _start
_start:
    b       begin
    .word   0
    .quad   0                           // text_offset
    .quad   0x400000                    // bytes of RAM
    .quad   0xa                         // pages of 4 KiB, anywhere
    .quad   0, 0, 0
    .ascii  "ARM\x64"
    .word   0
begin:
    adr     x0, _start
    add     sp, x0, #0x100, lsl #12     // results lie above the stack
    mov     x0, sp
    adr     x1, steps
    bl      main
    mov     x0, #0x8                    // PSCI SYSTEM_OFF
    movk    x0, #0x8400, lsl #16
    hvc     #0
1:  b       1b

// The vectors of a guest that passes over accesses that fault: it continues after them.
    .balign 0x800
    .globl skip_faults
skip_faults:
    .org    skip_faults + 0x200         // synchronous, from this EL with SP_EL1
    stp     x0, x1, [sp, #-16]!
    mrs     x0, ELR_EL1
    add     x0, x0, #4
    msr     ELR_EL1, x0
    ldp     x0, x1, [sp], #16
    eret
    .org    skip_faults + 0x380         // SError
    eret
    .org    skip_faults + 0x800
