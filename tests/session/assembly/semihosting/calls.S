// A program that makes each semihosting call, and ends with the number of the first answer that is
// wrong, or with the code of its command line's first letter.

.macro call number
  mov x0, \number
  hlt #0xf000
.endm
.macro expect value, check
  mov x19, \check
  mov x2, \value
  cmp x0, x2
  b.ne wrong
.endm

.section .text.start, "ax"
.global _start
_start:
  adrp x20, data
  add x20, x20, :lo12:data

  // Lengths and addresses that no buffer has, first of all while nothing is open.
  mov x1, #-8
  call #0x05
  expect #-1, #1
  add x1, x20, #(far - data)
  call #0x01
  expect #-1, #2
  call #0x13
  expect #22, #3
  mov x1, #0
  call #0x18
  expect #-1, #4
  mov x1, #0
  call #0x12
  expect #-1, #5
  call #0x1ff
  expect #-1, #6

  add x1, x20, #(console - data)
  call #0x01
  expect #1, #7
  str x0, [x20, #(write - data)]
  add x1, x20, #(write - data)
  call #0x05
  expect #0, #8
  add x1, x20, #(write - data)
  call #0x09
  expect #1, #9
  add x1, x20, #(file - data)
  call #0x01
  expect #-1, #10
  add x1, x20, #(letter - data)
  call #0x03
  // More than there is: what could be read of it is written.
  mov x2, #(1 << 63)
  str x2, [x20, #(write - data + 16)]
  mov x2, #0
  str x2, [x20, #(write - data + 8)]
  add x1, x20, #(write - data)
  call #0x05
  expect #(1 << 63), #11

  add x1, x20, #(features - data)
  call #0x01
  expect #2, #12
  add x1, x20, #(number - data)
  call #0x0c
  expect #5, #13
  add x1, x20, #(number - data)
  call #0x0a
  expect #0, #14
  add x1, x20, #(read - data)
  call #0x06
  expect #5, #15
  ldrb w0, [x20, #(bytes - data)]
  expect #0x46, #16
  add x1, x20, #(number - data)
  call #0x02
  expect #0, #17
  add x1, x20, #(number - data)
  call #0x02
  expect #-1, #18

  mov x1, #0
  call #0x31
  mov x3, x0
  add x1, x20, #(ticks - data)
  call #0x30
  expect #0, #19
  mov x1, #0
  call #0x10
  expect #0, #20

  add x1, x20, #(command - data)
  call #0x15
  expect #0, #21
  add x1, x20, #(bytes - data)
  call #0x04
  ldrb w2, [x20, #(bytes - data)]
  sub x19, x2, #'0'
wrong:
  str x19, [x20, #(end - data + 8)]
  add x1, x20, #(end - data)
  call #0x20
1: wfi
  b 1b

.data
.balign 8
data:
far: .quad text, 4, 1 << 63
console: .quad tt, 4, 3
file: .quad path, 0, 11
features: .quad names, 0, 21
write: .quad 0, text, text_end - text
read: .quad 2, bytes, 8
number: .quad 2, 2
ticks: .quad 0
command: .quad bytes, 80
end: .quad 0x20026, 0
bytes: .space 80
letter: .ascii "!"
tt: .asciz ":tt"
path: .asciz "/etc/passwd"
names: .asciz ":semihosting-features"
text: .ascii "written"
text_end:
