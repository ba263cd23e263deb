// A VM's memory as its VMM's process has it: its mappings, what is loaded there, and the arrays of
// its flash.

import { ipaId } from "../abi/ids.ts";
import type { FlashArray } from "../devices/cfi-flash.ts";
import type { VirtioDevice } from "../virtio/device.ts";
import type { Board, FlashVariables, ProcessMemory } from "./boards/board.ts";
import { ERASED } from "./boards/flash-size.ts";
import type { VmRegion } from "./boards/layout.ts";
import type { DriverTraits } from "./boards/nodes.ts";
import type { VmPlan } from "./data/plan.ts";
import { vmContents } from "./vm-contents.ts";
import { Refused, type Steps } from "./vmm-steps.ts";
import { node } from "../../kit/support/node-modules.ts";
import { hex } from "../../kit/support/text/number-text.ts";

/** The memory of one VM. Steps that are refused throw `Refused`. */
export class VmmMemory implements ProcessMemory {
  /**
   * @param variables for firmware; without them its variables are lost with the VM
   * @param kept content of the region that outlives the VM, from its last run
   */
  constructor(
    readonly steps: Steps,
    readonly plan: VmPlan,
    readonly board: Board,
    readonly variables: FlashVariables | undefined,
    readonly kept: Uint8Array | undefined,
  ) {}

  /** Guest address of the devicetree. */
  get devicetree(): number {
    return this.plan.base + this.board.layout(this.plan).devicetree;
  }

  /**
   * Loads the VM's memory, which is at this user address.
   * @param objects its virtio devices, if the hypervisor has their registers
   */
  load(memory: number, objects: readonly VirtioDevice[] | undefined, traits: DriverTraits): void {
    const { name, base } = this.plan, { trace } = this.steps.kernel.cpu;
    for (const { offset, bytes } of vmContents(this.plan, objects, traits)) {
      this.steps.store(memory + offset, bytes);
      if (!trace.isWanted("mem")) continue;
      const ipa = ipaId(name, base + offset);
      trace.event("mem", "load", { ipa, size: bytes.length, sha256: node.crypto.createHash("sha256").update(bytes).digest("hex") });
    }
  }

  /** Memory for a region with its own mapping: its user address. */
  map({ purpose, size }: Pick<VmRegion, "purpose" | "size">): number {
    const { data } = this.steps, address = this.steps.mapMemory(size);
    if (purpose === "pool") data.pool = address;
    if (purpose === "pstore") {
      data.pstore = address;
      if (this.kept !== undefined) this.steps.store(address, this.kept);
    }
    if (purpose === "window") (data.windows ??= []).push(address);
    return address;
  }

  /** Fills the banks of flash: the code, and the variables that are kept. */
  loadFlash(): void {
    const { flash } = this.plan, banks = this.board.flash(this.plan);
    if (flash === undefined) return;
    const address = this.steps.data.flash = this.steps.mapMemory(banks.reduce((sum, { size }) => sum + size, 0));
    banks.forEach(({ size }, bank) => {
      const content = new Uint8Array(size).fill(ERASED);
      if (bank === 0) content.set(flash.code);
      else if (this.variables) content.set(this.variables.content);
      this.steps.store(this.flashAddress(bank, address), content);
    });
  }

  /** User address of a bank's array. */
  flashAddress(bank: number, first = this.steps.data.flash ?? 0): number {
    return this.board.flash(this.plan).slice(0, bank).reduce((address, { size }) => address + size, first);
  }

  /** A bank's array; writes to that of the variables are kept. */
  flashArray(bank: number): FlashArray {
    const { size } = this.board.flash(this.plan)[bank], { kernel } = this.steps;
    const kept = bank === 0 ? undefined : this.variables;
    return {
      size,
      read: (offset, length) => {
        const read = kernel.load(this.steps.pid, this.flashAddress(bank) + offset, Math.min(length, size - offset));
        if (!read.ok) throw new Refused("the array of the flash cannot be read");
        return read.value;
      },
      write: (offset, bytes) => {
        this.steps.store(this.flashAddress(bank) + offset, bytes);
        kept?.write(offset, bytes);
      },
      flush: () => kept?.flush(),
      replaced: () => {},
    };
  }

  /** Content of the region that outlives the VM; undefined before the VM has it, or without one. */
  get outliving(): Uint8Array | undefined {
    const { pstore } = this.plan, { data, kernel, pid } = this.steps;
    if (pstore === undefined || data.pstore === undefined) return undefined;
    const bytes = new Uint8Array(pstore);
    return kernel.loadInto(pid, data.pstore, bytes) === undefined ? bytes : undefined;
  }

  read(address: number, into: Uint8Array): boolean {
    const at = this.#userAddress(address, into.length);
    return at !== undefined && this.steps.kernel.loadInto(this.steps.pid, at, into) === undefined;
  }

  write(address: number, from: Uint8Array): boolean {
    const at = this.#userAddress(address, from.length);
    return at !== undefined && this.steps.kernel.store(this.steps.pid, at, from).ok;
  }

  whyLent(address: number, length: number): string | undefined {
    const { plan: { base, memory, firmware }, devicetree, board: { rules } } = this, end = devicetree + rules.devicetreeSize;
    if (address < base || address + length > base + memory) return undefined;
    if (firmware !== undefined) return "the VM is protected";
    if (address < end && address + length > devicetree) {
      const place = `${hex(devicetree)}..${hex(end - 1)}`;
      return `${place} is the place of the devicetree, which the driver lends for the Resource Manager: put no buffer there`;
    }
    return "this generation of /dev/gunyah shares no memory that guests execute";
  }

  #userAddress(address: number, length: number): number | undefined {
    const { base, memory, swiotlb = 0, pstore = 0, windows } = this.plan, { data } = this.steps;
    const pool = base + memory - swiotlb, kept = pool - pstore, end = base + memory;
    if (data.pstore !== undefined && address >= kept && address + length <= pool) return data.pstore + address - kept;
    if (address >= base && address + length <= kept) return data.memory + address - base;
    if (data.pool !== undefined && address >= pool && address + length <= end) return data.pool + address - pool;
    if (windows === undefined) return undefined;
    for (let index = 0; index < windows.length; index++) {
      const offset = address - windows[index].base, user = data.windows?.[index];
      if (user !== undefined && offset >= 0 && offset + length <= windows[index].size) return user + offset;
    }
    return undefined;
  }
}
