// A Linux guest in the test's own thread: what it does until its console shows something, in virtual time, the same in every run.

import { assemble } from "../../src/workstation/assemble.ts";
import type { GuestSystem } from "../../src/workstation/guest-system.ts";
import { type DevicePlan, PRIMARY_CONSOLE } from "../../src/workstation/plan.ts";

/** Turns of the CPUs between two looks at the console. */
const TURNS = 200;
/** Text that a failure shows. */
const SHOWN = 2000;

/** A primary VM with virtio devices, booted from a kernel and a ramdisk. */
export class Guest {
  readonly system: GuestSystem;
  readonly #decoder = new TextDecoder();
  #text = "";
  #seen = 0;

  constructor(image: Uint8Array, initrd: Uint8Array, devices: readonly DevicePlan[], memory = 256 << 20) {
    const what = { kind: "boot", image, initrd, dtb: undefined, append: "console=ttyAMA0 quiet", devices } as const;
    this.system = assemble({ cpus: 1, memory, turbo: true, seed: 1, duration: undefined, hashAt: [], what });
  }

  /**
   * Runs until what follows the previous match matches `pattern`; gives the match.
   * @param seconds virtual time that it may take
   */
  async expect(pattern: RegExp, seconds: number): Promise<RegExpExecArray> {
    const { machine } = this.system;
    const limit = machine.time + seconds * 1e9;
    for (;;) {
      const match = pattern.exec(this.#text.slice(this.#seen));
      if (match) {
        this.#seen += match.index + match[0].length;
        return match;
      }
      const ended = this.system.ended();
      if (ended || machine.time >= limit) {
        const why = ended?.message ?? `nothing of that in ${seconds} s`;
        throw new Error(`expected ${pattern}: ${why}. The console ends with:\n${this.#text.slice(-SHOWN)}`);
      }
      const result = machine.run(limit, TURNS);
      // Answers from outside enter between two runs; a guest that waits for one has no time to pass.
      const { busy } = this.system.outside;
      await Promise.resolve();
      if (result.kind === "idle" && !busy) machine.skipTo(Math.min(result.next, limit));
      for (const { bytes } of this.system.takeOutput()) this.#text += this.#decoder.decode(bytes, { stream: true }).replaceAll("\r", "");
    }
  }

  /** Types a line. */
  type(line: string): void {
    this.system.input(PRIMARY_CONSOLE, new TextEncoder().encode(`${line}\n`));
  }

  /** Counters of the VM's device with this id. */
  metrics(id: string): Readonly<Record<string, number>> {
    const slot = this.system.virtio.find((one) => one.id === id);
    if (!slot) throw new Error(`no ${id}`);
    return slot.device.metrics();
  }
}
