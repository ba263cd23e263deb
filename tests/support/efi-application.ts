// An EFI application for AArch64 as bytes (Microsoft's PE format, UEFI specification 2.10): it adds
// up the words behind its code, says whether the sum is right, and turns the machine off.

/** The line of an application that was read whole. */
export const APPLICATION_RIGHT = "EFI-APP-RIGHT";
const APPLICATION_WRONG = "WRONG";

/** Each with what it means; X1 is the system table at the start. */
const CODE: readonly (readonly [string, number])[] = [
  ["mov x19, x1", 0xaa0103f3],
  ["adr x2, data", 0x100005e2],
  ["ldr x3, size", 0x580003c3],
  ["ldr x6, sum", 0x580003e6],
  ["mov x4, xzr", 0xaa1f03e4],
  ["next: ldr x5, [x2], #8", 0xf8408445],
  ["add x4, x4, x5", 0x8b050084],
  ["subs x3, x3, #8", 0xf1002063],
  ["b.ne next", 0x54ffffa1],
  ["cmp x4, x6", 0xeb06009f],
  ["adr x1, wrong", 0x10000341],
  ["adr x7, right", 0x100003a7],
  ["csel x1, x7, x1, eq", 0x9a8100e1],
  // ConOut->OutputString(ConOut, text).
  ["ldr x0, [x19, #64]", 0xf9402260],
  ["ldr x8, [x0, #8]", 0xf9400408],
  ["blr x8", 0xd63f0100],
  // RuntimeServices->ResetSystem(EfiResetShutdown, 0, 0, NULL).
  ["ldr x9, [x19, #88]", 0xf9402e69],
  ["ldr x9, [x9, #104]", 0xf9403529],
  ["mov x0, #2", 0xd2800040],
  ["mov x1, xzr", 0xaa1f03e1],
  ["mov x2, xzr", 0xaa1f03e2],
  ["mov x3, xzr", 0xaa1f03e3],
  ["blr x9", 0xd63f0120],
  ["b .", 0x14000000],
];
/** Offsets in the section of what the code names. */
const SIZE = 0x80, SUM = 0x88, WRONG = 0x90, RIGHT = 0xa0, DATA = 0xc0;

const PE = 0x40, OPTIONAL = PE + 24, OPTIONAL_SIZE = 160, SECTION = OPTIONAL + OPTIONAL_SIZE;
/** Where the only section is, in the file and in memory. */
const TEXT = 0x1000;
const Machine = { AArch64: 0xaa64 } as const;
const PE32_PLUS = 0x20b, EFI_APPLICATION = 10;
/** EXECUTABLE_IMAGE and LARGE_ADDRESS_AWARE; CNT_CODE, MEM_EXECUTE and MEM_READ. */
const IMAGE_FLAGS = 0x22, SECTION_FLAGS = 0x6000_0020;

/** An application of `length` bytes, a multiple of 4 KiB. */
export function efiApplication(length: number): Uint8Array {
  const file = new Uint8Array(length), view = new DataView(file.buffer);
  const text = length - TEXT;
  const put16 = (at: number, ...values: number[]) => values.forEach((value, index) => view.setUint16(at + 2 * index, value, true));
  const put32 = (at: number, ...values: number[]) => values.forEach((value, index) => view.setUint32(at + 4 * index, value, true));
  put16(0, 0x5a4d);
  put32(0x3c, PE);
  put32(PE, 0x4550);
  put16(PE + 4, Machine.AArch64, 1);
  put16(PE + 20, OPTIONAL_SIZE, IMAGE_FLAGS);
  put16(OPTIONAL, PE32_PLUS);
  // Code's size, the entry, and where the code begins.
  put32(OPTIONAL + 4, text);
  put32(OPTIONAL + 16, TEXT, TEXT);
  // Alignment in memory and in the file.
  put32(OPTIONAL + 32, TEXT, TEXT);
  // Sizes of the image and of the headers.
  put32(OPTIONAL + 56, length, TEXT);
  put16(OPTIONAL + 68, EFI_APPLICATION);
  // Directories, which are all empty.
  put32(OPTIONAL + 108, 6);
  file.set(new TextEncoder().encode(".text"), SECTION);
  put32(SECTION + 8, text, TEXT, text, TEXT);
  put32(SECTION + 36, SECTION_FLAGS);

  CODE.forEach(([, word], index) => put32(TEXT + 4 * index, word));
  const string = (at: number, line: string) => put16(at, ...[...`${line}\r\n`].map((character) => character.charCodeAt(0)));
  string(TEXT + WRONG, APPLICATION_WRONG);
  string(TEXT + RIGHT, APPLICATION_RIGHT);
  const words = new BigUint64Array(file.buffer, TEXT + DATA);
  let sum = 0n;
  // Nothing repeats, so that a part in another place's stead is seen.
  for (let index = 0; index < words.length; index++) sum += words[index] = BigInt(index) * 0x9e37_79b9n;
  view.setBigUint64(TEXT + SIZE, BigInt(words.byteLength), true);
  view.setBigUint64(TEXT + SUM, BigInt.asUintN(64, sum), true);
  return file;
}
