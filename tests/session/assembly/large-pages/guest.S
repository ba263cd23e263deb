// Runs with pages of 2^SHIFT bytes in both halves of the addresses: code, data and stack by its own
// tables, with addresses of BITS bits (TCR_EL1.T1SZ). It prints what loads, stores, fetches,
// unprivileged accesses, atomics and address translation find in pages, in blocks, at their
// borders, and at all levels without a descriptor. With WIDE, tables have addresses of 52 bits
// (TCR_EL1.DS): the shareability is TCR_EL1's, and there are blocks of one more level.

#if SHIFT == 12
#define TG0 0
#define TG1 (2 << 30)
#define BLOCK 21                        // level 2: 2 MiB
#define IDENTITY 30                     // level 1, where 36 bits start
#define VAST 39                         // level 0: 512 GiB
#elif SHIFT == 14
#define TG0 (2 << 14)
#define TG1 (1 << 30)
#define BLOCK 25                        // level 2: 32 MiB
#define VAST 36                         // level 1: 64 GiB
#else
#define TG0 (1 << 14)
#define TG1 (3 << 30)
#define BLOCK 29                        // level 2: 512 MiB
#endif
#ifndef IDENTITY
#define IDENTITY BLOCK
#endif
#define STEP (SHIFT - 3)                // bits of an index
#define BASE ((0x40400000 >> BLOCK) << BLOCK) // of the block with the data
#ifdef WIDE
#define DS (1 << 59)
#define SHARED 0
#else
#define DS 0
#define SHARED 0x300
#endif
#define PAGE (1 << SHIFT)
#if SHIFT == 12
#define CONTIGUOUS 0x10000
#else
#define CONTIGUOUS 0x200000
#endif
#define LAST ((1 << (SHIFT - 3)) - 1)   // mask of an index

    .section .text.start
    .globl _start
_start:
    ldr     x1, =stack_top
    mov     sp, x1
    ldr     x1, =vectors
    msr     vbar_el1, x1
    // Half 0, 36 bits: RAM and the UART by blocks of level 2, the same addresses.
    ldr     x1, =identity
    ldr     x2, =(0x09000000 >> IDENTITY)
    ldr     x3, =((0x09000000 >> IDENTITY) << IDENTITY) + 0x0060000000000405
    str     x3, [x1, x2, lsl #3]
    ldr     x2, =(0x40000000 >> IDENTITY)
    ldr     x3, =0x0000000040000401 + SHARED
    str     x3, [x1, x2, lsl #3]
    msr     ttbr0_el1, x1
    // Half 1: tables of the levels from the one where BITS bits start; a page table at the end.
    ldr     x1, =top
    ldr     x2, =level3
    orr     x2, x2, #3
#if BITS > BLOCK + 3 * STEP
    ldr     x3, =level0
    orr     x4, x3, #3
    str     x4, [x1]
    mov     x1, x3
#ifdef WIDE
    ldr     x3, =0x0060000000000401      // a block of level 0, and no more of level 1
    str     x3, [x1, #8]
#endif
#endif
#if BITS > BLOCK + 2 * STEP
    ldr     x3, =level1
    orr     x4, x3, #3
    str     x4, [x1]
    mov     x1, x3
#if defined(WIDE) && SHIFT != 12
    ldr     x3, =0x0060000000000401
    str     x3, [x1, #8]
#endif
#endif
#if BITS > BLOCK + STEP
    ldr     x3, =level2
    orr     x4, x3, #3
    str     x4, [x1]
    mov     x1, x3
#endif
    str     x2, [x1]
    ldr     x5, =BASE + 0x401 + SHARED  // a block after the page table
    str     x5, [x1, #8]
    ldr     x5, =BASE + 0x481 + SHARED  // a block that is read-only
    str     x5, [x1, #16]
    ldr     x1, =top
    msr     ttbr1_el1, x1
    ldr     x1, =level3
    ldr     x2, =data
    ldr     x3, =0x0060000000000403 + SHARED // page 0: data, no execution
    orr     x3, x3, x2
    str     x3, [x1]
    ldr     x3, =0x0060000000000483 + SHARED // page 1: its neighbor, read-only
    ldr     x4, =data + PAGE
    orr     x3, x3, x4
    str     x3, [x1, #8]
    ldr     x3, =0x0060000000000003 + SHARED // page 2: without its access flag
    orr     x3, x3, x2
    str     x3, [x1, #16]
    ldr     x3, =code + 0x0040000000000483 + SHARED
    str     x3, [x1, #24]               // page 3: code
    ldr     x3, =0x00600000000004c3 + SHARED // page 4: EL0 reads
    orr     x3, x3, x2
    str     x3, [x1, #32]
    ldr     x3, =0x00600001000004c3 + SHARED // page 6: an address of 33 bits, where nothing is
    str     x3, [x1, #48]
    ldr     x3, =0x0070000000000403 + SHARED // from page 128: contiguous, 2 MiB
    orr     x3, x3, x2
    add     x5, x1, #128 * 8
    mov     x6, #0
1:  str     x3, [x5, x6, lsl #3]
    add     x3, x3, #PAGE
    add     x6, x6, #1
    cmp     x6, #CONTIGUOUS / PAGE
    b.ne    1b
    ldr     x1, =0x00ff
    msr     mair_el1, x1
    ldr     x1, =((64 - 36) | (64 - BITS) << 16 | TG0 | TG1 | 1 << 32 | DS | 2 << 12 | 3 << 28)
    msr     tcr_el1, x1
    isb
    tlbi    vmalle1
    dsb     sy
    mrs     x1, sctlr_el1
    orr     x1, x1, #1
    bic     x1, x1, #(1 << 1)
    msr     sctlr_el1, x1
    isb

    mov     x20, #-1
    lsl     x20, x20, #BITS             // the first address of half 1
    // Data, and over the border of two pages.
    ldr     x1, =0x1122334455667788
    str     x1, [x20]
    ldr     x2, =data
    ldr     x0, [x2]
    bl      both
    ldr     x3, =data + PAGE
    ldr     x1, =0xaabbccdd
    str     w1, [x3]
    add     x4, x20, #PAGE
    sub     x4, x4, #4
    ldr     x1, =0x99887766
    str     w1, [x4]
    ldr     x0, [x4]
    bl      both
    // A store over the border faults, and changes neither page.
    str     x20, [x4]
    ldr     x0, [x4]
    bl      both
    // Each rule of a page.
    add     x4, x20, #PAGE
    str     w1, [x4]                    // read-only
    add     x4, x20, #2 * PAGE
    ldr     w1, [x4]                    // access flag
    add     x4, x20, #5 * PAGE
    ldr     w1, [x4]                    // no descriptor
    add     x4, x20, #6 * PAGE
    ldr     w1, [x4]                    // nothing there
    add     x4, x20, #4 * PAGE
    ldtr    x0, [x4]                    // EL0 reads
    bl      both
    sttr    x0, [x4]                    // EL0 may not write
    ldtr    x0, [x20]                   // EL0 may not read
    blr     x20                         // no execution
    add     x4, x20, #3 * PAGE
    blr     x4
    bl      both
    // Atomics and exclusives in a page.
    mov     x1, #5
    ldxr    x0, [x20]
    stxr    w2, x1, [x20]
    mov     w0, w2
    bl      hex
    ldr     x0, [x20]
    bl      both
    // Contiguous pages are what their entries say.
    ldr     x4, =129 * PAGE
    add     x4, x20, x4
    ldr     x0, [x4]
    bl      both
    // Blocks: the end of one, read-only, and the border between them.
    mov     x4, #1
    lsl     x4, x4, #BLOCK
    add     x21, x20, x4
    ldr     x23, =data - BASE
    ldr     x0, [x21, x23]
    bl      both
    add     x22, x21, x4
    ldr     x0, [x22, x23]
    bl      both
    str     x0, [x22, x23]
    // The last address, and one outside of both halves.
    mov     x4, #-8
    ldr     x0, [x4]
    sub     x4, x20, #8
    ldr     x0, [x4]
    mov     x4, #1
    lsl     x4, x4, #36
    ldr     x0, [x4]
    // AT has the same answers.
    .irp    index, 0, 1, 2, 3, 4, 5, 6, 129
    ldr     x24, =\index * PAGE + 8
    add     x24, x20, x24
    at      s1e1w, x24
    isb
    bl      par
    at      s1e0r, x24
    isb
    bl      par
    .endr
    // Invalidation of one page, of its last level, and of all ASIDs.
    ldr     x3, =level3
    ldr     x6, [x3]                    // of data
    add     x5, x6, #PAGE               // of the page after it
    ldr     x0, [x20]
    .irp    op, vae1, vale1, vaae1is
    str     x5, [x3]
    dsb     sy
    ubfx    x4, x20, #12, #44
    tlbi    \op, x4
    dsb     sy
    isb
    ldr     x0, [x20]
    bl      both
    mov     x4, x5
    mov     x5, x6
    mov     x6, x4
    .endr
#ifdef WIDE
    // Of a range, whose address is in units of 64 KiB.
    str     x5, [x3]
    dsb     sy
    ubfx    x4, x20, #16, #37
    mov     x7, #(SHIFT - 10) / 2
    orr     x4, x4, x7, lsl #46
    mov     x7, #7                      // 16 pages
    orr     x4, x4, x7, lsl #39
    sys     #0, c8, c6, #1, x4          // TLBI RVAE1
    dsb     sy
    isb
    ldr     x0, [x20]
    bl      both
    // A block of the largest size: in it, translated, and invalidated by another of its addresses.
    mov     x4, #1
    lsl     x4, x4, #VAST
    add     x21, x20, x4
    ldr     x23, =data
    ldr     x0, [x21, x23]
    bl      both
    add     x22, x21, x23
    at      s1e1r, x22
    isb
    bl      par
#if SHIFT == 12
    ldr     x3, =level0
#else
    ldr     x3, =level1
#endif
    str     xzr, [x3, #8]
    dsb     sy
    ldr     x4, =0x300000000
    add     x4, x21, x4
    ubfx    x4, x4, #12, #44
    tlbi    vae1, x4
    dsb     sy
    isb
    ldr     x0, [x21, x23]
    at      s1e1r, x22
    isb
    bl      par
    // Nothing at the first level; more bits than there are, and none.
    mov     x4, #-8
    at      s1e1r, x4
    isb
    bl      par
    mrs     x1, tcr_el1
    .irp    size, 11, 0
    bic     x2, x1, #0x3f << 16
    mov     x4, #\size
    orr     x2, x2, x4, lsl #16
    msr     tcr_el1, x2
    isb
    at      s1e1r, x20
    isb
    msr     tcr_el1, x1
    isb
    bl      par
    mrs     x1, tcr_el1
    .endr
#endif
    b       end

    // Prints PAR_EL1 without NS, which is UNKNOWN outside of Secure state.
par:
    mrs     x0, par_el1
    tst     x0, #1
    bic     x1, x0, #1 << 9
    csel    x0, x1, x0, eq
    // Prints X0 in two lines. Changes X0 to X2 and X9 to X13.
both:
    mov     x13, x30
    mov     x14, x0
    lsr     x0, x0, #32
    bl      hex
    mov     x0, x14
    bl      hex
    ret     x13

#include "../uart.S"

    // Prints the syndrome and the low half of the address, and continues after the instruction, or
    // where a fetch came from.
    .balign 2048
vectors:
    .skip   0x200
    mov     x15, x30
    stp     x0, x1, [sp, #-32]!
    str     x2, [sp, #16]
    mrs     x0, esr_el1
    lsr     x16, x0, #26
    bl      hex
    mrs     x0, far_el1
    bl      hex
    mrs     x1, elr_el1
    add     x1, x1, #4
    cmp     x16, #0x21
    csel    x1, x15, x1, eq
    msr     elr_el1, x1
    mov     x30, x15
    ldr     x2, [sp, #16]
    ldp     x0, x1, [sp], #32
    eret

    .data
    .balign PAGE
data:
    .skip   2 * PAGE
code:
    mrs     x0, currentel
    ret
    .balign PAGE

    .bss
    .balign PAGE
identity:
    .skip   PAGE
top:
    .skip   PAGE
level0:
    .skip   PAGE
level1:
    .skip   PAGE
level2:
    .skip   PAGE
level3:
    .skip   PAGE
