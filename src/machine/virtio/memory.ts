// The guest's memory as a virtio device sees it: the backend decides which pages those are. A page
// that the backend's VM has lent is not among them (docs/design/decisions.md §7).

import { hex } from "../../kit/support/text/number-text.ts";

/** Guest memory by guest physical address (IPA). Addresses and lengths are bytes. */
export interface GuestMemory {
  /**
   * Fills `into` from `address` on; false, with `into` undefined, if a byte is not readable for
   * the backend.
   */
  read(address: number, into: Uint8Array): boolean;
  /**
   * Writes `from` to `address`; false, and nothing is written, where a byte is not writable for the
   * backend.
   */
  write(address: number, from: Uint8Array): boolean;
}

/**
 * A guest's violation of a virtio rule: the device needs a reset, and the message is shown to the
 * user.
 */
export class VirtioFault extends Error {
  /**
   * @param section section of the virtio 1.2 specification
   * @param rule the rule that was broken, as a phrase
   * @param values the values that broke it
   */
  constructor(readonly section: string, readonly rule: string, readonly values: Readonly<Record<string, unknown>> = {}) {
    super(`${rule} (virtio ${section})${valuesText(values)}`);
  }
}

/** Values that are shown as hexadecimal numbers. */
const HEXADECIMAL: ReadonlySet<string> = new Set(["ipa", "flags"]);

function valuesText(values: VirtioFault["values"]): string {
  const texts = Object.entries(values).map(([name, value]) =>
    `${name} ${typeof value === "number" && HEXADECIMAL.has(name) ? hex(value) : value}`
  );
  return texts.length > 0 ? `: ${texts.join(", ")}` : "";
}

/**
 * Typed access to guest memory for rings and headers, little endian. Every miss is a `VirtioFault`
 * that names what could not be reached.
 */
export class GuestWords {
  readonly #bytes = new Uint8Array(16);
  readonly #view = new DataView(this.#bytes.buffer);
  readonly #two = this.#bytes.subarray(0, 2);
  readonly #four = this.#bytes.subarray(0, 4);
  readonly #eight = this.#bytes.subarray(0, 8);

  constructor(readonly memory: GuestMemory) {}

  readU16(address: number, what: string): number {
    this.#load(address, this.#two, what);
    return this.#view.getUint16(0, true);
  }

  readU32(address: number): number {
    this.#load(address, this.#four, "the device area of a queue");
    return this.#view.getUint32(0, true);
  }

  writeU16(address: number, value: number, what: string): void {
    this.#view.setUint16(0, value, true);
    this.#store(address, this.#two, what);
  }

  writeU32Pair(address: number, low: number, high: number, what: string): void {
    this.#view.setUint32(0, low, true);
    this.#view.setUint32(4, high, true);
    this.#store(address, this.#eight, what);
  }

  /** 16 bytes, valid until the next access. */
  readBlock(address: number, what: string): DataView {
    this.#load(address, this.#bytes, what);
    return this.#view;
  }

  #load(address: number, into: Uint8Array, what: string): void {
    if (!this.memory.read(address, into)) throw unreachable(what, address, into.length, "read");
  }

  #store(address: number, from: Uint8Array, what: string): void {
    if (!this.memory.write(address, from)) throw unreachable(what, address, from.length, "write");
  }
}

/**
 * The fault of memory that the backend may not see: lent to others, never given, or no memory at
 * all.
 */
export function unreachable(what: string, address: number, size: number, access: "read" | "write"): VirtioFault {
  return new VirtioFault("2.7", `${what} lies in memory that the device's side may not ${access}: lent, donated, or no memory`, {
    ipa: address,
    size,
  });
}
