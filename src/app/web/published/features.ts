// Features of a browser that a published page and its worker need, and that not every browser has.

/** A WebAssembly module with a function of these bytes, and a memory. */
const moduleOf = (code: readonly number[]) => {
  const header = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0], type = [1, 4, 1, 0x60, 0, 0], func = [3, 2, 1, 0], memory = [5, 3, 1, 0, 1];
  return new Uint8Array([...header, ...type, ...func, ...memory, 10, code.length + 4, 1, code.length + 2, 0, ...code, 0x0b]);
};

/** Instructions of WebAssembly that the core consists of, one of each feature. */
const INSTRUCTIONS: Readonly<Record<string, readonly number[]>> = {
  "sign extension": [0x41, 0, 0xc0, 0x1a],
  "saturating conversions": [0x43, 0, 0, 0, 0, 0xfc, 0, 0x1a],
  "bulk memory": [0x41, 0, 0x41, 0, 0x41, 0, 0xfc, 11, 0],
  "fixed-width SIMD": [0xfd, 12, ...new Array(16).fill(0), 0x1a],
  "tail calls": [0x12, 0],
};

/** Functions of the language that came last among those that el2 calls. */
const FUNCTIONS: Readonly<Record<string, () => unknown>> = {
  "Promise.withResolvers": () => Promise.withResolvers,
  "Iterator.prototype.map": () => Iterator.prototype.map,
  "Uint8Array.fromBase64": () => Uint8Array.fromBase64,
  "Uint8Array.prototype.toHex": () => Uint8Array.prototype.toHex,
};

/** Whether a value is there. */
function has(value: () => unknown): boolean {
  try {
    return Boolean(value());
  } catch {
    return false;
  }
}

/** The names of what the browser lacks. */
export function missingFeatures(validate: ((code: BufferSource) => boolean) | undefined): string[] {
  const functions = Object.keys(FUNCTIONS).filter((name) => !has(FUNCTIONS[name]));
  if (!validate) return ["WebAssembly", ...functions];
  const instructions = Object.keys(INSTRUCTIONS).filter((name) => !validate(moduleOf(INSTRUCTIONS[name])));
  return [...instructions.map((name) => `${name} of WebAssembly`), ...functions];
}
