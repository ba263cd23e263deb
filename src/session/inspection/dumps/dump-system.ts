// The contents of a dump: its memory, the kernel that was found in it, its CPUs, and symbols that
// were given. There is no machine: nothing runs, and there is one instant.

import type { Dump } from "../../../inside/dumps/dump.ts";
import type { SavedCpu } from "../../../inside/dumps/file-memory.ts";
import { findKernel, type PlacedKernel } from "../../../inside/dumps/kernel-place.ts";
import { LinuxKernel } from "../../../inside/linux/kernel/kernel.ts";
import { BadMemory, type VirtualMemory } from "../../../inside/linux/kernel/memory.ts";
import { Reading } from "../../../inside/linux/kernel/reading.ts";
import { KernelNames } from "../../../inside/linux/structures/kernel-names.ts";
import { allTasks, isRunning } from "../../../inside/linux/structures/tasks.ts";
import { GivenFile } from "../../../inside/symbols/given-file.ts";
import type { SymbolTable } from "../../../inside/symbols/symbol-table.ts";
import { Pstate } from "../../../cpu/core/interface.ts";
import { type Tables, tablesOf, UPPER_HALF } from "../../../kit/formats/page-tables.ts";
import { PAGE_SIZE } from "../../../kit/support/values/sizes.ts";
import type { InPieces } from "../../../kit/support/values/work.ts";

/** The name of a dump's one VM. */
export const DUMP = "dump";

/** `TCR_EL1.EPD0`: a dump does not say which program's tables a CPU had. */
const NO_LOWER_HALF = 1n << 7n;

export class DumpSystem {
  readonly #given: GivenFile[] = [];

  private constructor(readonly dump: Dump, readonly placed: PlacedKernel | undefined, readonly kernel: LinuxKernel | undefined) {}

  /** Finds the kernel in a dump. */
  static *of(dump: Dump): InPieces<DumpSystem> {
    const placed = yield* findKernel(dump);
    const kernel = placed && LinuxKernel.find({ physical: dump.memory, registers: placed.registers, tables: [placed.symbols] });
    if (kernel) yield* kernel.learn(dump.memory);
    return new DumpSystem(dump, placed, kernel);
  }

  /**
   * Adds the symbols of an ELF file, which is moved as the kernel was.
   * @throws Error that names its defect
   */
  give(file: Uint8Array, source: string): void {
    this.#given.unshift(new GivenFile(file, source));
  }

  #placedFiles() {
    const vectors = this.placed?.symbols.find("vectors")?.address;
    return this.#given.map((file) => file.at((vectors === undefined ? undefined : file.movedBy(vectors)) ?? 0n));
  }

  /** Names of addresses: of files that were given, then of the kernel. */
  get symbols(): SymbolTable[] {
    return [...this.#placedFiles().map(({ table }) => table), ...this.placed ? [this.placed.symbols] : []];
  }

  /** Debug information of the files. */
  get infos() {
    return this.#placedFiles().flatMap(({ info }) => info ?? []);
  }

  get cpus(): readonly SavedCpu[] {
    return this.dump.cpus;
  }

  /** Those that execute its kernel. */
  get inKernel(): readonly SavedCpu[] {
    return this.cpus.filter(isInKernel);
  }

  /** Another answer begins. */
  renew(): void {
    this.dump.memory.renew();
  }

  /** The kernel's memory for one answer; undefined without a kernel. */
  memory(): VirtualMemory | undefined {
    return this.kernel?.memory(this.dump.memory);
  }

  /** A reading of the kernel; undefined without one. */
  reading(): Reading | undefined {
    if (!this.kernel) return undefined;
    const reading: Reading = new Reading(
      DUMP,
      this.kernel,
      this.kernel.memory(this.dump.memory),
      this.inKernel.map((cpu) => ({
        pc: cpu.pc,
        getX: (index: number) => cpu.x[index],
        getRegister: () => currentTask(reading, cpu.index),
      })),
    );
    return reading;
  }

  /** The registers that decide a translation, as far as the kernel's tables say them. */
  registers(name: string): bigint {
    const { ttbr1 = 0n, tcr = 0n } = this.placed?.registers ?? {};
    return name === "TTBR1_EL1" ? ttbr1 : name === "TCR_EL1" ? tcr | NO_LOWER_HALF : 0n;
  }

  /** The kernel's tables; undefined without a kernel. */
  get tables(): Tables | undefined {
    const registers = this.placed?.registers;
    return this.kernel?.tables ?? (registers && tablesOf(registers.ttbr1, registers.tcr, true));
  }

  /** A copy of physical memory; undefined where some of it is not in the dump. */
  bytesAt(address: number, size: number): Uint8Array | undefined {
    const bytes = new Uint8Array(size);
    for (let done = 0; done < size;) {
      const at = address + done, offset = at % PAGE_SIZE, length = Math.min(size - done, PAGE_SIZE - offset);
      const page = this.dump.memory.page(at - offset);
      if (!page) return undefined;
      bytes.set(page.subarray(offset, offset + length), done);
      done += length;
    }
    return bytes;
  }
}

/** Whether a CPU executes its kernel. */
const isInKernel = ({ pc, pstate }: SavedCpu) => pc >= UPPER_HALF && (pstate & Pstate.ElMask) !== 0;

/** The task of a CPU, whose register with its address is not in a dump. */
export function currentTask(reading: Reading, cpu: number): bigint {
  const queue = new KernelNames(reading).ofCpu("runqueues", cpu);
  if (queue !== undefined) return reading.struct("rq", queue).pointer("curr");
  for (const task of allTasks(reading)) if (isRunning(task) && task.number("cpu") === cpu) return task.address;
  throw new BadMemory("invalid", `CPU ${cpu} runs no task`, 0n);
}
