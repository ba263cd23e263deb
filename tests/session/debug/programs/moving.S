// A kernel as far as a debugger sees it: it maps itself elsewhere than it was linked, sets its
// vectors there, and continues there. RAM is at 0xffffff80c0000000, one GiB.
  .section .text.start, "ax"
  .globl _start
_start:
  adrp x0, low
  adrp x3, high
  // A table of level 1 for each half of the addresses: blocks of 1 GiB, normal memory.
  movz x2, #0x4000, lsl #16
  movk x2, #0x0705
  str x2, [x0, #8]
  str x2, [x3, #24]
  mov x2, #0xff
  msr mair_el1, x2
  ldr x2, =0x00000005b5193519
  msr tcr_el1, x2
  msr ttbr0_el1, x0
  msr ttbr1_el1, x3
  dsb sy
  isb
  mrs x2, sctlr_el1
  mov x4, #0x1005
  orr x2, x2, x4
  msr sctlr_el1, x2
  isb
  // From the first half to the second.
  ldr x5, =0xffffff8080000000
  adr x4, vectors
  add x4, x4, x5
  msr vbar_el1, x4
  adr x4, loop
  add x4, x4, x5
  br x4
loop:
  mov x19, #0
1:
  mov x0, x19
  bl work
  add x19, x19, #1
  b 1b
  .ltorg

  .globl work
  .type work, %function
work:
  add x0, x0, #1
  ret
  .size work, . - work

  .balign 2048
  .globl vectors
vectors:
  .rept 512
  b .
  .endr

  .bss
  .balign 4096
low:
  .skip 4096
high:
  .skip 4096
