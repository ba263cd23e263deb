// The executed parts of each VM's code, as plain data: of one run, or of several together.

import type { CountedPage } from "../../../cpu/core/interface.ts";

const WORD = 4;

/** A function, by a symbol. */
export interface ExecutedFunction {
  readonly name: string;
  /** Virtual address. */
  readonly address: bigint;
  /** Where debug information has its first instruction. */
  readonly file: string | undefined;
  readonly line: number | undefined;
  /** Executions of its first instruction. */
  calls: number;
  /** Instructions executed in it. */
  instructions: number;
}

/** A line of a source file. */
export interface ExecutedLine {
  /** Executions of its most frequent statement, in all functions that have it. */
  executions: number;
  /** Instructions executed for it. */
  instructions: number;
  /** By the address of each conditional branch in it. */
  readonly branches: Map<bigint, { taken: number; passed: number }>;
}

/** Instructions that were executed one after the other. */
export interface ExecutedBlock {
  readonly address: bigint;
  /** Bytes. */
  readonly size: number;
}

export interface ExecutedVm {
  readonly vm: string;
  /** Instructions executed. */
  instructions: number;
  /** By address; of functions that were not executed, those whose source is known. */
  readonly functions: Map<bigint, ExecutedFunction>;
  /** Addresses of the other functions that were not executed: a kernel has a hundred thousand. */
  unexecuted: BigUint64Array<ArrayBuffer>;
  /** All lines that have code, by file and number. */
  readonly files: Map<string, Map<number, ExecutedLine>>;
  /** The code that was executed, by address; pieces that touch are one. */
  blocks: readonly ExecutedBlock[];
}

/** Adds another run of the same VM. */
function add(sum: ExecutedVm, more: ExecutedVm): void {
  sum.instructions += more.instructions;
  const unexecuted = new Set([...sum.unexecuted, ...more.unexecuted]);
  for (const [address, one] of more.functions) {
    const known = sum.functions.get(address);
    if (!known) sum.functions.set(address, { ...one });
    else {
      known.calls += one.calls;
      known.instructions += one.instructions;
    }
  }
  for (const address of sum.functions.keys()) unexecuted.delete(address);
  sum.unexecuted = BigUint64Array.from(unexecuted);
  for (const [file, lines] of more.files) {
    const known = sum.files.get(file);
    if (!known) sum.files.set(file, lines);
    else for (const [number, line] of lines) addLine(known, number, line);
  }
  sum.blocks = joined([...sum.blocks, ...more.blocks]);
}

function addLine(lines: Map<number, ExecutedLine>, number: number, more: ExecutedLine): void {
  const line = lines.get(number);
  if (!line) return void lines.set(number, more);
  line.executions += more.executions;
  line.instructions += more.instructions;
  for (const [address, { taken, passed }] of more.branches) {
    const known = line.branches.get(address);
    if (!known) line.branches.set(address, { taken, passed });
    else {
      known.taken += taken;
      known.passed += passed;
    }
  }
}

/** Several runs together, by VM. */
export function together(runs: readonly (readonly ExecutedVm[])[]): ExecutedVm[] {
  const vms = new Map<string, ExecutedVm>();
  for (const run of runs) {
    for (const one of run) {
      const known = vms.get(one.vm);
      if (known) add(known, one);
      else vms.set(one.vm, one);
    }
  }
  return [...vms.values()].sort((a, b) => a.vm < b.vm ? -1 : 1);
}

/** The code of a page that was executed. */
export function executedBlocks({ address, counts }: CountedPage): ExecutedBlock[] {
  const blocks: ExecutedBlock[] = [];
  let first = -1;
  for (let index = 0; index <= counts.length; index++) {
    const isExecuted = index < counts.length && counts[index] !== 0;
    if (isExecuted && first < 0) first = index;
    if (isExecuted || first < 0) continue;
    blocks.push({ address: address + BigInt(first * WORD), size: (index - first) * WORD });
    first = -1;
  }
  return blocks;
}

/** Pieces of code in order; those that touch or overlap are one. */
export function joined(blocks: readonly ExecutedBlock[]): ExecutedBlock[] {
  const sorted = [...blocks].sort((a, b) => a.address < b.address ? -1 : a.address > b.address ? 1 : 0), found: ExecutedBlock[] = [];
  for (const block of sorted) {
    const last = found.at(-1), gap = last && Number(block.address - last.address) - last.size;
    if (last && gap !== undefined && gap <= 0) {
      found[found.length - 1] = { address: last.address, size: Math.max(last.size, gap + last.size + block.size) };
    } else found.push(block);
  }
  return found;
}
