// The start of a program in C without an operating system: a stack, main, and PSCI's SYSTEM_OFF.
  .section .text.start, "ax"
  .globl _start
  .type _start, %function
_start:
  .cfi_startproc
  .cfi_undefined x30
  adrp x1, stack_end
  add x1, x1, :lo12:stack_end
  mov sp, x1
  mov x29, xzr
  mov x30, xzr
  bl main
  // PSCI_VERSION.
  mov w0, #0x84000000
  hvc #0
  mov w0, #0x0008
  movk w0, #0x8400, lsl #16
  hvc #0
1:
  wfi
  b 1b
  .cfi_endproc
  .size _start, . - _start

  .bss
  .balign 16
  .skip 16384
stack_end:
