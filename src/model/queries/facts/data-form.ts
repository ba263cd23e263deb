// Forms of data that a program executes by mistake: files that a loader puts into memory
// and that do not begin with an instruction, and code of AArch32. Sources: RFC 1952, Devicetree
// Specification 5.2, System V ABI (ELF), U-Boot's image.h, Arm ARM F2.3 (conditions of A32).

/** The forms, as texts name them. */
export const DATA_FORMS = {
  "gzip": "a gzip file",
  "devicetree": "a devicetree",
  "elf": "an ELF file",
  "u-boot": "a U-Boot image with its header",
  "aarch32": "AArch32 code",
} as const;
export type DataForm = keyof typeof DATA_FORMS;

/** First bytes of files. */
const MAGICS: readonly (readonly [form: DataForm, magic: readonly number[]])[] = [
  ["gzip", [0x1f, 0x8b, 0x08]],
  ["devicetree", [0xd0, 0x0d, 0xfe, 0xed]],
  ["elf", [0x7f, 0x45, 0x4c, 0x46]],
  ["u-boot", [0x27, 0x05, 0x19, 0x56]],
];

/** Bytes that tell a form. */
export const FORM_BYTES = 32;
const WORD = 4;
/** A32: bits 31:28 of an instruction that is always executed; most words of code have it. */
const ALWAYS = 0xe, MOST_OF = 3 / 4;

/** @param bytes FORM_BYTES from the place that was executed on */
export function dataFormOf(bytes: Uint8Array): DataForm | undefined {
  const [found] = MAGICS.find(([, magic]) => magic.every((byte, at) => bytes[at] === byte)) ?? [];
  if (found) return found;
  const conditions = bytes.filter((_, at) => at % WORD === WORD - 1).map((byte) => byte >> 4);
  const always = conditions.filter((condition) => condition === ALWAYS).length;
  return conditions[0] === ALWAYS && always >= conditions.length * MOST_OF ? "aarch32" : undefined;
}

/** The way out where such data is executed. */
export const FORM_WAYS_OUT: { readonly [F in DataForm]: string } = {
  "gzip": "unpack it first, and branch to the image that it has",
  "devicetree": "branch to the kernel, and give it the address of the devicetree in X0",
  "elf": "load its segments, and branch to its entry",
  "u-boot": "branch to the image after its header of 64 bytes",
  "aarch32": "build it for AArch64: EL1 here has no AArch32",
};
