// The GIC of the primary VM, and interrupt PPI 23 of performance monitors: group 1, unmasked.
// Changes X1 and X2.

gic:
    ldr     x2, =0x08000000                 // distributor
    mov     w1, #0x12
    str     w1, [x2]
    ldr     x2, =0x080a0000                 // redistributor
    str     wzr, [x2, #0x14]
200:
    ldr     w1, [x2, #0x14]
    tbnz    w1, #2, 200b
    add     x2, x2, #0x10000
    mov     w1, #-1
    str     w1, [x2, #0x80]
    mov     w1, #(1 << 23)
    str     w1, [x2, #0x100]
    mov     x1, #7
    msr     S3_0_C12_C12_5, x1              // ICC_SRE_EL1
    isb
    mov     x1, #0xff
    msr     S3_0_C4_C6_0, x1                // ICC_PMR_EL1
    mov     x1, #1
    msr     S3_0_C12_C12_7, x1              // ICC_IGRPEN1_EL1
    isb
    msr     daifclr, #2
    ret
