// One answer about a kernel: its memory at one instant, and the gaps in it.

import type { Gap } from "../../../model/queries/facts/gap.ts";
import type { SymbolPlace } from "../../symbols/symbol-table.ts";
import { placeIn } from "../../symbols/vm-symbols.ts";
import { hex } from "../../../kit/support/text/number-text.ts";
import { type LinuxKernel, NoSymbol } from "./kernel.ts";
import { BadMemory, FAILURE, TooMuch, type VirtualMemory } from "./memory.ts";
import { NoType, type Struct } from "./types.ts";

/** Members of a list; a kernel's longest have as many as it has processes. */
const MEMBERS_MAX = 65_536;
/** Gaps that are kept: those after them are like the ones before. */
const GAPS_MAX = 100;
/** Members that cannot be read: a list with more of them is not a kernel's. */
const UNREAD_MAX = 64;
const CPUS_MAX = 512;
/** Steps for the symbol of an address, for a member of a list, and for one that becomes a row. */
const PLACE_STEPS = 8, MEMBER_STEPS = 3, ROW_STEPS = 4;
/** Characters of a command line. */
const LINE_MAX = 4096;

/** Registers of a vCPU that executes the kernel. */
export interface KernelRegisters {
  readonly pc: bigint;
  getX(index: number): bigint;
  /** Kernels keep the address of the current task in SP_EL0. */
  getRegister(name: "SP_EL0"): bigint;
}

/** A kernel's memory while one answer is made. */
export class Reading {
  readonly gaps: Gap[] = [];
  /** Attempts in progress, each inside the one before. */
  #attempts = 0;

  /**
   * @param vm the VM's name
   * @param vcpus those that are in the kernel
   * @param now virtual time (ns), where there is one
   */
  constructor(
    readonly vm: string,
    readonly kernel: LinuxKernel,
    readonly memory: VirtualMemory,
    readonly vcpus: readonly KernelRegisters[] = [],
    readonly now?: number,
  ) {}

  /** The structure of this type at an address. */
  struct(type: string, address: bigint): Struct {
    return this.kernel.struct(this.memory, type, address);
  }

  /** The structure at a symbol. @throws NoSymbol */
  global(type: string, symbol: string): Struct {
    return this.struct(type, this.address(symbol));
  }

  /** @throws NoSymbol */
  address(symbol: string): bigint {
    return this.kernel.address(this.memory, symbol);
  }

  /** Of the first symbol that there is. @throws NoSymbol */
  anyOf(...symbols: string[]): { symbol: string; address: bigint } {
    for (const symbol of symbols) {
      const address = this.kernel.find(this.memory, symbol);
      if (address !== undefined) return { symbol, address };
    }
    throw new NoSymbol(symbols.join(" or "));
  }

  /**
   * The value of `read`; undefined, with a gap, if the memory does not let it.
   * @param of what is read, for the gap
   * @param failed called for a gap
   */
  tried<T>(of: string, read: () => T, failed?: () => void): T | undefined {
    if (this.#attempts === 0 && this.memory.work.isSpent) return void this.gap({ code: "work", of });
    this.#attempts++;
    try {
      return read();
    } catch (error) {
      const gap = gapOf(of, error);
      // Without steps everything after fails too: the outermost attempt keeps what was read.
      if (!gap || gap.code === "work" && this.#attempts > 1) throw error;
      this.memory.work.owe(FAILURE);
      this.gap(gap);
      failed?.();
      return undefined;
    } finally {
      this.#attempts--;
    }
  }

  /**
   * The rows of the members that can be read. A member that cannot be read adds a gap.
   * @param rowOf undefined: the member is not shown
   */
  rows<M, R>(of: string, members: () => Iterable<M>, rowOf: (member: M) => R | undefined): R[] {
    const rows: R[] = [];
    let unread = 0;
    this.tried(of, () => {
      for (const member of members()) {
        this.spend(ROW_STEPS);
        const row = this.tried(of, () => rowOf(member), () => unread++);
        if (row !== undefined) rows.push(row);
        if (unread > UNREAD_MAX) return this.gap({ code: "unread", of, limit: UNREAD_MAX });
      }
    });
    return rows;
  }

  /** Whether the kernel was built with a structure. */
  hasType(type: string): boolean {
    return this.kernel.types(this.memory)?.sizeOf(type) !== undefined;
  }

  /** Bytes of a structure. @throws NoType */
  sizeOf(type: string): number {
    const size = this.kernel.types(this.memory)?.sizeOf(type);
    if (size === undefined) throw new NoType(type);
    return size;
  }

  /** Its CPUs that may exist. */
  get cpus(): number {
    return Math.min(this.memory.u32(this.address("nr_cpu_ids")), CPUS_MAX);
  }

  /** The address of a CPU's part of data that each CPU has. */
  perCpu(data: bigint, cpu: number): bigint {
    const offset = this.memory.u64(this.address("__per_cpu_offset") + BigInt(8 * cpu));
    return BigInt.asUintN(64, data + offset);
  }

  /** The value of a `percpu_counter`: its sum, with what the CPUs have not added yet. */
  sumPerCpu(counter: Struct): bigint {
    let sum = BigInt.asIntN(64, counter.big("count"));
    const parts = counter.big("counters");
    for (let cpu = 0; cpu < this.cpus; cpu++) sum += BigInt.asIntN(32, BigInt(this.memory.u32(this.perCpu(parts, cpu))));
    return sum;
  }

  /** The function of the kernel or of its modules that an address is in. */
  placeOf(address: bigint): SymbolPlace | undefined {
    this.spend(PLACE_STEPS);
    return placeIn(this.kernel.symbols, address) ?? placeIn(this.kernel.modules.in(this.memory).map(({ table }) => table), address);
  }

  /** The command line, as /proc/cmdline has it. */
  commandLine(): string | undefined {
    return this.tried("command line", () => this.memory.text(this.memory.u64(this.address("saved_command_line")), LINE_MAX));
  }

  /** Counts the steps of a loop that does not read memory, before they are taken. */
  spend(steps?: number): void {
    this.memory.work.spend(steps);
  }

  /** Rows in order. */
  sorted<R>(rows: R[], compare: (a: R, b: R) => number): R[] {
    this.memory.work.owe(rows.length * (32 - Math.clz32(rows.length)) >> 1);
    return rows.sort(compare);
  }

  gap(gap: Gap): void {
    // That an answer was cut short is reported however many gaps there are.
    const ends = gap.code === "work" && !this.gaps.some(({ code }) => code === "work");
    if (this.gaps.length < GAPS_MAX || ends) this.gaps.push(gap);
  }

  /**
   * The structures in a list, in its order, up to one that was there before.
   * @param head address of its head
   * @param type structure of the members
   * @param field where the list's links are in them
   */
  *list(of: string, head: bigint, type: string, field: string): Generator<Struct> {
    const offset = this.struct(type, 0n).addressOf(field);
    const seen = new Set<bigint>();
    for (let at = this.struct("list_head", head).pointer("next"); at !== head; at = this.struct("list_head", at).pointer("next")) {
      this.spend(MEMBER_STEPS);
      if (seen.has(at)) return this.gap({ code: "cycle", of, address: hex(at, 16) });
      if (at === 0n) return this.gap({ code: "invalid", of, what: "the list has no end", address: hex(head, 16) });
      if (seen.size === MEMBERS_MAX) return this.gap({ code: "many", of, limit: MEMBERS_MAX });
      seen.add(at);
      yield this.struct(type, at - offset);
    }
  }
}

/** The gap that an error of reading is; undefined for errors of el2. */
export function gapOf(of: string, error: unknown): Gap | undefined {
  if (error instanceof BadMemory) return { code: error.code, of, what: error.what, address: hex(error.address, 16) };
  if (error instanceof NoType) return { code: "type", of, name: error.missing };
  if (error instanceof NoSymbol) return { code: "symbol", of, name: error.missing };
  if (error instanceof TooMuch) return { code: "work", of };
  return undefined;
}
