// Programs for machines that are saved: what keeps devices busy.

/**
 * A guest of the native host: has virtio-rng in its first slot fill a buffer again and again, and
 * prints a letter of what came.
 */
export const ENTROPY_READER = [
  0x10000013, // adr x19, 0
  0xd2800014, // mov x20, #0x0
  0xf2a14014, // movk x20, #0xa00, lsl #16
  0xd2800015, // mov x21, #0x0
  0xf2a12015, // movk x21, #0x900, lsl #16
  0x91440276, // add x22, x19, #0x100, lsl #12
  0x52800060, // mov w0, #0x3
  0xb9007280, // str w0, [x20, #112]
  0x52800020, // mov w0, #0x1
  0xb9002680, // str w0, [x20, #36]
  0xb9002280, // str w0, [x20, #32]
  0x52800161, // mov w1, #0xb
  0xb9007281, // str w1, [x20, #112]
  0xb9003a80, // str w0, [x20, #56]
  0xb9008296, // str w22, [x20, #128]
  0x914006c2, // add x2, x22, #0x1, lsl #12
  0xb9009282, // str w2, [x20, #144]
  0x91400ac3, // add x3, x22, #0x2, lsl #12
  0xb900a283, // str w3, [x20, #160]
  0xb9004680, // str w0, [x20, #68]
  0x528001e1, // mov w1, #0xf
  0xb9007281, // str w1, [x20, #112]
  0x91400ec4, // add x4, x22, #0x3, lsl #12
  0xf90002c4, // str x4, [x22]
  0x52800101, // mov w1, #0x8
  0xb9000ac1, // str w1, [x22, #8]
  0x52800041, // mov w1, #0x2
  0xb9000ec1, // str w1, [x22, #12]
  0x52800005, // mov w5, #0x0
  0x110004a5, // add w5, w5, #0x1
  0x79000445, // strh w5, [x2, #2]
  0xb900529f, // str wzr, [x20, #80]
  0x79400466, // ldrh w6, [x3, #2]
  0x6b2520df, // cmp w6, w5, uxth
  0x54ffffc1, // b.ne 80
  0x39400087, // ldrb w7, [x4]
  0x12000ce7, // and w7, w7, #0xf
  0x110184e7, // add w7, w7, #0x61
  0xb90002a7, // str w7, [x21]
  0x17fffff6, // b 74
];

/**
 * Firmware: erases, programs and reads its variables, asks fw_cfg for the count of CPUs, and prints
 * a letter and a digit of what came.
 */
export const FLASH_WRITER = [
  0xd2a08014, // mov x20, #0x4000000
  0xd2a12015, // mov x21, #0x9000000
  0x914082b6, // add x22, x21, #0x20, lsl #12
  0x52800005, // mov w5, #0x0
  0x52800400, // mov w0, #0x20
  0xb9000280, // str w0, [x20]
  0x52801a03, // mov w3, #0xd0
  0xb9000283, // str w3, [x20]
  0xb9400281, // ldr w1, [x20]
  0x52800800, // mov w0, #0x40
  0xb9000280, // str w0, [x20]
  0xb9000685, // str w5, [x20, #4]
  0x52801d00, // mov w0, #0xe8
  0xb9000280, // str w0, [x20]
  0x52800020, // mov w0, #0x1
  0xb9000280, // str w0, [x20]
  0xb9000a85, // str w5, [x20, #8]
  0xb9000e85, // str w5, [x20, #12]
  0xb9000283, // str w3, [x20]
  0x52801fe0, // mov w0, #0xff
  0xb9000280, // str w0, [x20]
  0xb9400e81, // ldr w1, [x20, #12]
  0x12000c21, // and w1, w1, #0xf
  0x11018421, // add w1, w1, #0x61
  0xb90002a1, // str w1, [x21]
  0x5280a000, // mov w0, #0x500
  0x790012c0, // strh w0, [x22, #8]
  0x394002c1, // ldrb w1, [x22]
  0x1100c021, // add w1, w1, #0x30
  0xb90002a1, // str w1, [x21]
  0x110004a5, // add w5, w5, #0x1
  0x17ffffe5, // b 10
];
