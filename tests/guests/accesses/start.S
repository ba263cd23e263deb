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
