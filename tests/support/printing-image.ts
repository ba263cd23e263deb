// An arm64 Image that prints a text on the console of the primary VM, and powers it off.

const HEADER = 64;
/** After the header: x1 is the text, x0 the PL011, w2 the next byte. */
const CODE = [
  0x1000_0121, // adr x1, text
  0xd2a1_2000, // movz x0, #0x0900, lsl #16
  0x3840_1422, // ldrb w2, [x1], #1
  0x3400_0062, // cbz w2, off
  0x3900_0002, // strb w2, [x0]
  0x17ff_fffd, // b the load
  0x5280_0100, // off: movz w0, #0x0008
  0x72b0_8000, // movk w0, #0x8400, lsl #16: SYSTEM_OFF of PSCI
  0xd400_0002, // hvc #0
];

/** The image. @param text without a byte 0 */
export function printingImage(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new TextEncoder().encode(text), code = HEADER + 4 * CODE.length;
  const image = new Uint8Array(code + bytes.length + 1), view = new DataView(image.buffer);
  view.setUint32(0, 0x1400_0000 | HEADER / 4, true);
  view.setBigUint64(16, BigInt(image.length), true);
  view.setUint32(24, 0b1010, true);
  view.setUint32(56, 0x644d_5241, true);
  CODE.forEach((word, index) => view.setUint32(HEADER + 4 * index, word, true));
  image.set(bytes, code);
  return image;
}
