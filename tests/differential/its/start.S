// Entry of both CPUs. The second one serves requests of the first (guest.c).

    .section .text.start
    .globl _start
_start:
    ldr     x1, =stack_top
    mov     sp, x1
    bl      main
    mov     x0, #0x8                    // PSCI SYSTEM_OFF
    movk    x0, #0x8400, lsl #16
    hvc     #0
1:  b       1b

    .globl second
second:
    ldr     x1, =second_stack_top
    mov     sp, x1
    bl      serve
1:  b       1b

// long cpu_on(long cpu, void *entry)
    .globl cpu_on
cpu_on:
    mov     x2, x1
    mov     x1, x0
    mov     x3, #0
    mov     x0, #0x3
    movk    x0, #0xc400, lsl #16
    hvc     #0
    ret
