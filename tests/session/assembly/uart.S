// Output of guests on the UART, which the primary VM has where QEMU's board has it, and their end.

put:
    mov     x9, #0x09000000
    str     w0, [x9]
    ret

    // Prints the low half of X0, and a line end. Changes X0 to X2 and X9 to X12.
hex:
    mov     x10, x30
    mov     x11, x0
    mov     x12, #28
100:
    lsr     x0, x11, x12
    and     x0, x0, #15
    cmp     x0, #10
    add     x1, x0, #'0'
    add     x2, x0, #('a' - 10)
    csel    x0, x1, x2, lo
    bl      put
    subs    x12, x12, #4
    b.pl    100b
    mov     x0, #'\n'
    bl      put
    ret     x10

    // Prints a full stop, and turns the machine off.
end:
    mov     x0, #'.'
    bl      put
    mov     x0, #0x8                        // PSCI SYSTEM_OFF
    movk    x0, #0x8400, lsl #16
    hvc     #0
101:
    b       101b
