// A program that reads three bytes from the console by semihosting, shows them, and ends.

.section .text.start, "ax"
.global _start
_start:
  adrp x20, data
  add x20, x20, :lo12:data
  add x1, x20, #(console - data)
  mov x0, #0x01
  hlt #0xf000
  str x0, [x20, #(read - data)]
again:
  add x1, x20, #(read - data)
  mov x0, #0x06
  hlt #0xf000
  // What is left, and where it goes.
  ldp x2, x3, [x20, #(read - data + 8)]
  sub x3, x3, x0
  add x2, x2, x3
  stp x2, x0, [x20, #(read - data + 8)]
  cbnz x0, again
  add x1, x20, #(bytes - data)
  mov x0, #0x04
  hlt #0xf000
  add x1, x20, #(end - data)
  mov x0, #0x18
  hlt #0xf000

.data
.balign 8
data:
console: .quad tt, 0, 3
read: .quad 0, bytes, 3
end: .quad 0x20026, 0
bytes: .space 8
tt: .asciz ":tt"
