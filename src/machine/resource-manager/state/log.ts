// The Resource Manager's log: a ring of text in its own memory, which the primary VM can read
// (docs/spec/observed.md §2). Layout: u32 write index, u32 size of the text area, text. A line
// begins with seconds.micros.

import type { Ipa } from "../../abi/numbers.ts";
import type { NativeVcpu } from "../../abi/native-guest.ts";

const HEADER_SIZE = 8;

/** Appends lines to the ring at `ipa`. The object has no state: the ring is guest memory. */
export class Log {
  constructor(readonly ipa: Ipa, readonly size: number) {}

  clear(vcpu: NativeVcpu): void {
    this.#write(vcpu, 0, new Uint8Array(this.size));
    this.#write(vcpu, 4, u32(this.size - HEADER_SIZE));
  }

  line(vcpu: NativeVcpu, text: string): void {
    const micros = Math.floor(vcpu.now / 1000);
    const stamp = `${Math.floor(micros / 1_000_000)}.${String(micros % 1_000_000).padStart(6, "0")}`;
    const bytes = new TextEncoder().encode(`${stamp}: ${text}\n`);
    const capacity = this.size - HEADER_SIZE;
    const header = vcpu.read(this.ipa, 4);
    if (header === undefined) throw new Error("the log of the Resource Manager is not readable");
    let index = new DataView(header.buffer, header.byteOffset).getUint32(0, true) % capacity;
    for (let at = 0; at < bytes.length;) {
      const part = bytes.subarray(at, at + Math.min(bytes.length - at, capacity - index));
      this.#write(vcpu, HEADER_SIZE + index, part);
      at += part.length;
      index = (index + part.length) % capacity;
    }
    this.#write(vcpu, 0, u32(index));
  }

  #write(vcpu: NativeVcpu, offset: number, bytes: Uint8Array): void {
    if (!vcpu.write(this.ipa + offset, bytes)) throw new Error("the log of the Resource Manager is not writable");
  }
}

function u32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}
