// A GIC with an ITS whose tables lie in plain memory, and the registers and commands by which
// software drives it.

import assert from "node:assert/strict";
import { Gicd, Gicr, Icc } from "../../../../../src/machine/hypervisor/gic/gic-registers.ts";
import { ItsFrame } from "../../../../../src/machine/hypervisor/gic/its-frame.ts";
import {
  Baser,
  Command,
  COMMAND_SIZE,
  type CommandName,
  Gits,
  LPI_BITS_MIN,
  LPI_FIRST,
} from "../../../../../src/machine/hypervisor/gic/its/its-registers.ts";
import type { TableMemory } from "../../../../../src/machine/hypervisor/gic/its/table-memory.ts";
import { Distributor } from "../../../../../src/machine/hypervisor/gic/vgic-distributor.ts";
import { Redistributor } from "../../../../../src/machine/hypervisor/gic/vgic-redistributor.ts";
import { Vgic } from "../../../../../src/machine/hypervisor/gic/vgic.ts";

const KIB = 1024;
export const MEMORY_SIZE = 1024 * KIB;
/** Where tables are. */
export const QUEUE = 0, DEVICES = 64 * KIB, COLLECTIONS = 128 * KIB, PROPERTIES = 192 * KIB, ITT = 512 * KIB;
export const pendingTable = (cpu: number) => 256 * KIB + cpu * 64 * KIB;
export const QUEUE_SIZE = 4 * KIB;
const VCPUS = 2, SPURIOUS = 1023;

/** Memory from address 0 on; a range may fail. */
class PlainTables implements TableMemory {
  readonly bytes = new Uint8Array(MEMORY_SIZE);
  /** Accesses from here on fail. */
  end = MEMORY_SIZE;

  read(ipa: number, into: Uint8Array): boolean {
    if (ipa + into.length > this.end) return false;
    into.set(this.bytes.subarray(ipa, ipa + into.length));
    return true;
  }
  write(ipa: number, bytes: Uint8Array): boolean {
    if (ipa + bytes.length > this.end) return false;
    this.bytes.set(bytes, ipa);
    return true;
  }
}

/** The fields that a command needs. */
interface CommandFields {
  readonly device?: number;
  readonly event?: number;
  readonly intid?: number;
  readonly collection?: number;
  readonly cpu?: number;
  readonly to?: number;
  readonly bits?: number;
  readonly itt?: number;
}

export class ItsRig {
  readonly memory = new PlainTables();
  readonly gic: Vgic;
  readonly frame: ItsFrame;
  readonly redistributors: Redistributor[];
  /** Commands with their errors, as events show them. */
  readonly events: string[] = [];
  #next = 0;

  constructor() {
    this.gic = new Vgic(VCPUS, () => true, undefined, LPI_BITS_MIN);
    this.frame = new ItsFrame(this.gic.its!);
    this.gic.its!.place(this.memory);
    for (const { lpis } of this.gic.cpus) lpis!.place(this.memory);
    this.redistributors = this.gic.cpus.map((cpu, index) => new Redistributor(this.gic, cpu, () => index === VCPUS - 1));
    this.gic.its!.report({
      wanted: true,
      command: (name, _fields, error) => void this.events.push(error === undefined ? name : `${name}: ${error}`),
    });
  }

  /** Groups, LPIs and ITS on; tables of one page each; LPIs enabled with priority 0xa0. */
  on(flags = 0n): this {
    assert.ok(new Distributor(this.gic).write(this.gic.cpus[0], Gicd.CTLR, 4, 2n));
    this.memory.bytes.fill(0xa1, PROPERTIES, PROPERTIES + 8192);
    this.gic.cpus.forEach((cpu, index) => {
      cpu.writeRegister(Icc.PMR, 0xffn);
      cpu.writeRegister(Icc.IGRPEN1, 1n);
      this.gicr(index, Gicr.PROPBASER, BigInt(PROPERTIES) | 13n, 8);
      this.gicr(index, Gicr.PENDBASER, BigInt(pendingTable(index)) | 1n << 62n, 8);
      this.gicr(index, Gicr.CTLR, 1n);
    });
    this.gits(Gits.BASER, Baser.Valid | BigInt(DEVICES) | flags);
    this.gits(Gits.BASER + 8, Baser.Valid | BigInt(COLLECTIONS));
    this.gits(Gits.CBASER, Baser.Valid | BigInt(QUEUE));
    this.gits(Gits.CTLR, 1n, 4);
    return this;
  }

  /** Device 0 with 16 events, and a collection for each vCPU. */
  mapped(): this {
    this.command("MAPD", { device: 0, bits: 4, itt: ITT });
    this.gic.cpus.forEach((_, cpu) => this.command("MAPC", { collection: cpu, cpu }));
    return this;
  }

  gits(offset: number, value: bigint, size = 8): void {
    assert.ok(this.frame.write(offset, size, value));
  }
  readGits(offset: number, size = 8): bigint | undefined {
    return this.frame.read(offset, size);
  }
  gicr(cpu: number, offset: number, value: bigint, size = 4): void {
    assert.ok(this.redistributors[cpu].write(offset, size, value));
  }
  readGicr(cpu: number, offset: number, size = 4): bigint | undefined {
    return this.redistributors[cpu].read(this.gic.cpus[cpu], offset, size);
  }

  /** Puts a command into the queue, and lets the ITS execute it: the error that it shows. */
  command(name: CommandName, fields: CommandFields = {}): string | undefined {
    this.events.length = 0;
    this.put(words(name, fields));
    this.gits(Gits.CWRITER, BigInt(this.#next));
    return this.events.find((event) => event.includes(":"))?.replace(/^[^:]*: /, "");
  }

  /** Puts four double words into the queue. */
  put(command: readonly bigint[]): void {
    const view = new DataView(this.memory.bytes.buffer, QUEUE + this.#next);
    command.forEach((word, index) => view.setBigUint64(index * 8, word, true));
    this.#next = (this.#next + COMMAND_SIZE) % QUEUE_SIZE;
  }

  get next(): number {
    return this.#next;
  }

  property(intid: number, value: number): void {
    this.memory.bytes[PROPERTIES + intid - LPI_FIRST] = value;
  }

  /** LPIs that a vCPU acknowledges and ends, until there are no more. */
  taken(cpu = 0): number[] {
    const found: number[] = [];
    for (let id = this.acknowledge(cpu); id !== SPURIOUS; id = this.acknowledge(cpu)) {
      found.push(id);
      assert.ok(this.gic.cpus[cpu].writeRegister(Icc.EOIR1, BigInt(id)));
    }
    return found;
  }

  acknowledge(cpu = 0): number {
    return this.gic.cpus[cpu].readRegister(Icc.IAR1)!;
  }
}

/** The double words of a command. */
export function words(name: CommandName, fields: CommandFields): bigint[] {
  const { device = 0, event = 0, intid = 0, collection = 0, cpu = 0, to = 0, bits = 1, itt = 0 } = fields;
  const first = BigInt(Command[name]) | BigInt(device) << 32n;
  switch (name) {
    case "MAPD":
      return [first, BigInt(bits - 1), BigInt(itt) | Baser.Valid, 0n];
    case "MAPC":
      return [first, 0n, BigInt(collection) | BigInt(cpu) << 16n | Baser.Valid, 0n];
    case "SYNC":
      return [first, 0n, BigInt(cpu) << 16n, 0n];
    case "MOVALL":
      return [first, 0n, BigInt(cpu) << 16n, BigInt(to) << 16n];
    default:
      return [first, BigInt(event) | BigInt(intid) << 32n, BigInt(collection), 0n];
  }
}
