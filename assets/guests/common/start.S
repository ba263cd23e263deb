// First instructions of a bare-metal guest: the arm64 Image header, position-independent entry at
// EL1 with the MMU off, and the exception vectors. Header: Linux
// Documentation/arch/arm64/booting.rst. Entry state: x0 is the address of the devicetree; x1 and x2
// mean something to firmware only. All three go on to guest_start().

	.file "start.S" // Else the symbol table names a temporary file.
	.section .head, "ax"
	.globl	_start
_start:
	b	entry			// code0
	.word	0			// code1
	.quad	0			// text_offset
	.quad	__image_size
	.quad	0xa			// flags: little endian, 4 KiB pages, anywhere in memory
	.quad	0, 0, 0
	.ascii	"ARM\x64"
	.word	0

entry:
	adrp	x9, __stack_top
	add	sp, x9, :lo12:__stack_top
	adr	x9, vectors
	msr	vbar_el1, x9
	isb
	adrp	x9, __bss_start		// an Image need not be loaded over zeros
	add	x9, x9, :lo12:__bss_start
	adrp	x10, __bss_end
	add	x10, x10, :lo12:__bss_end
1:	cmp	x9, x10
	b.hs	2f
	str	xzr, [x9], #8
	b	1b
2:	bl	guest_start
	b	.

	.macro	save
	sub	sp, sp, #176
	stp	x0, x1, [sp]
	stp	x2, x3, [sp, #16]
	stp	x4, x5, [sp, #32]
	stp	x6, x7, [sp, #48]
	stp	x8, x9, [sp, #64]
	stp	x10, x11, [sp, #80]
	stp	x12, x13, [sp, #96]
	stp	x14, x15, [sp, #112]
	stp	x16, x17, [sp, #128]
	stp	x18, x29, [sp, #144]
	str	x30, [sp, #160]
	.endm

	// Four groups of four entries, 128 bytes each; only EL1 with SP_EL1 is ever used.
	.macro	unexpected kind
	.balign	128
	mov	x0, #\kind
	b	unexpected_exception
	.endm

	.section .text.vectors, "ax"
	.balign	2048
vectors:
	.irp	kind, 0, 1, 2, 3, 4
	unexpected \kind
	.endr
	.balign	128
	b	irq_entry
	.irp	kind, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	unexpected \kind
	.endr

irq_entry:
	save
	bl	irq_dispatch
	ldp	x0, x1, [sp]
	ldp	x2, x3, [sp, #16]
	ldp	x4, x5, [sp, #32]
	ldp	x6, x7, [sp, #48]
	ldp	x8, x9, [sp, #64]
	ldp	x10, x11, [sp, #80]
	ldp	x12, x13, [sp, #96]
	ldp	x14, x15, [sp, #112]
	ldp	x16, x17, [sp, #128]
	ldp	x18, x29, [sp, #144]
	ldr	x30, [sp, #160]
	add	sp, sp, #176
	eret
