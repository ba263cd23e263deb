// Memory that files have, whatever their format, and the plain runs of bytes that most of them are.
// A file is a stranger's: nothing is read but what is asked for, and it may end early.

import { firstIndex } from "../../kit/support/values/in-order.ts";
import { PAGE_SIZE } from "../../kit/support/values/sizes.ts";
import { UserError } from "../../kit/support/problem.ts";

/** A file of which any part can be read. */
export interface DumpSource {
  readonly name: string;
  /** Bytes that it has. */
  readonly size: number;
  /** Fills `into` from a place on; what is after the file's end is zero. */
  read(at: number, into: Uint8Array): void;
}

/** A run of physical memory, in whole pages. */
export interface MemoryRun {
  readonly address: number;
  readonly size: number;
}

/** Registers of a CPU as a dump has them. */
export interface SavedCpu {
  readonly index: number;
  /** X0 to X30. */
  readonly x: readonly bigint[];
  readonly sp: bigint;
  readonly pc: bigint;
  readonly pstate: number;
}

/** The memory in a file. */
export interface FileMemory {
  /** Such as "ELF core file". */
  readonly form: string;
  /** From low to high. */
  readonly runs: readonly MemoryRun[];
  /** Fills `into` with whole pages of one run. @throws DumpError where the file is damaged */
  read(address: number, into: Uint8Array): void;
  readonly cpus: readonly SavedCpu[];
  /** The text of VMCOREINFO. */
  readonly info: string | undefined;
  /** Bytes of memory that the file should have and does not. */
  readonly missing: number;
}

/** A file that cannot be read as a dump: the place and the reason. */
export class DumpError extends UserError {}

/**
 * Bytes of a file that describe it.
 * @param bytes that become them
 * @throws DumpError if it ends before
 */
export function viewOf(source: DumpSource, at: number, size: number, bytes = new Uint8Array(size)): DataView {
  if (at + size > source.size) throw new DumpError(`${source.name}: byte ${at}: the file ends before the end of what describes it`);
  source.read(at, bytes);
  return new DataView(bytes.buffer);
}

/** Bytes of a file that are memory. */
export interface FileRun extends MemoryRun {
  /** Where they are in the file. */
  readonly offset: number;
}

/** Physical addresses of AArch64 have at most 52 bits. */
export const ADDRESS_END = 2 ** 52;
/** Runs of memory in a file: computers have some tens. */
export const RUNS_MAX = 65_536;

/**
 * Runs of a file as memory: in whole pages, in order, each address once, no more than the file has.
 * @param given in any order; of those at one address the first counts
 */
export function plainMemory(
  source: DumpSource,
  form: string,
  given: readonly FileRun[],
  more: Partial<Pick<FileMemory, "cpus" | "info">> = {},
): FileMemory {
  let missing = 0;
  const whole = given.flatMap(({ address, offset, size }): FileRun[] => {
    const skipped = (PAGE_SIZE - address % PAGE_SIZE) % PAGE_SIZE;
    const there = Math.min(size, Math.max(0, source.size - offset));
    missing += size - there;
    const left = there - skipped;
    return left > 0 ? [{ address: address + skipped, offset: offset + skipped, size: Math.ceil(left / PAGE_SIZE) * PAGE_SIZE }] : [];
  });
  const runs = withoutOverlaps(whole);
  return {
    form,
    runs,
    read(address, into) {
      const run = runAt(runs, address);
      if (!run) throw new Error(`no memory at 0x${address.toString(16)}`);
      source.read(run.offset + address - run.address, into);
    },
    cpus: more.cpus ?? [],
    info: more.info,
    missing,
  };
}

/** Runs in order; where two have the same addresses, the longer one keeps them. */
function withoutOverlaps(runs: readonly FileRun[]): FileRun[] {
  const sorted = runs.toSorted((one, other) => one.address - other.address || other.size - one.size), kept: FileRun[] = [];
  let end = 0;
  for (const { address, offset, size } of sorted) {
    const cut = Math.max(0, end - address);
    if (cut >= size) continue;
    kept.push({ address: address + cut, offset: offset + cut, size: size - cut });
    end = address + size;
  }
  return kept;
}

/** The run with an address, of runs in order. */
export function runAt<R extends MemoryRun>(runs: readonly R[], address: number): R | undefined {
  const run = runs[firstIndex(runs.length, (index) => runs[index].address + runs[index].size > address)];
  return run && address >= run.address ? run : undefined;
}
