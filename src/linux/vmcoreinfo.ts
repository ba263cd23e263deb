// VMCOREINFO: lines that a kernel leaves for readers of its memory (kernel:
// Documentation/admin-guide/kdump/vmcoreinfo.rst), in a page that begins with its release.

import { PAGE_SIZE } from "../support/sizes.ts";
import { type PhysicalMemory, textOf } from "./memory.ts";

const BEGINNING = new TextEncoder().encode("OSRELEASE=");
/** A line of it; `SYMBOL(prb)=ffff800009838358`, `PAGESIZE=4096`. */
const LINE = /^([A-Z_-]+)(?:\(([\w.]+)\))?=(.*)$/;

/** Its text and lines. */
export class VmCoreInfo {
  readonly symbols = new Map<string, bigint>();
  readonly release: string;

  private constructor(readonly text: string, readonly ipa: number) {
    const lines = text.split("\n").flatMap((line) => LINE.exec(line) ?? []);
    for (let at = 0; at < lines.length; at += 4) {
      const [kind, name, value] = lines.slice(at + 1, at + 4);
      if (kind === "SYMBOL" && /^[0-9a-f]{1,16}$/.test(value)) this.symbols.set(name, BigInt(`0x${value}`));
    }
    this.release = /^OSRELEASE=(.*)$/m.exec(text)?.[1] ?? "";
  }

  /** Finds it in a VM's memory; undefined before the kernel has written it. */
  static find(physical: PhysicalMemory): VmCoreInfo | undefined {
    for (const { ipa, size } of physical.ranges()) {
      for (let at = ipa; at < ipa + size; at += PAGE_SIZE) {
        const page = physical.page(at);
        if (page?.[0] !== BEGINNING[0] || !BEGINNING.every((byte, index) => page[index] === byte)) continue;
        const text = textOf(page);
        if (text.includes("\nPAGESIZE=") && text.includes("\nSYMBOL(")) return new VmCoreInfo(text, at);
      }
    }
    return undefined;
  }
}
