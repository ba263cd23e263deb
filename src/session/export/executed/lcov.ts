// Coverage as lcov's tracefile, for genhtml and CI services: man geninfo(1), "FILES". A branch is a
// conditional branch instruction, taken or passed; the executions of a line are those of its most
// frequent statement.

import { coveredBranches, coveredLines } from "./covered.ts";
import type { ExecutedFunction, ExecutedLine, ExecutedVm } from "../../inspection/execution/executed.ts";

/**
 * The records of each VM's files: the test's name is the VM's.
 * @param nameOf the name of a file in the records: debug information may name any file of the
 * computer, and genhtml shows what it finds there
 */
export function* lcov(vms: readonly ExecutedVm[], nameOf: (file: string) => string): Generator<string> {
  for (const { vm, files, functions } of vms) {
    const byFile = Map.groupBy(functions.values(), ({ file }) => file);
    for (const [file, lines] of files) {
      yield `TN:${vm.replaceAll(/\W/g, "_")}\nSF:${nameOf(oneLine(file))}\n`;
      yield* ofFunctions(byFile.get(file) ?? []);
      yield* ofLines([...lines].sort(([a], [b]) => a - b));
      yield "end_of_record\n";
    }
  }
}

/** A name of the guest's: what follows a line break would be another record. */
const oneLine = (name: string): string => name.replaceAll(/[\r\n]/g, " ");

function* ofFunctions(functions: readonly ExecutedFunction[]): Generator<string> {
  for (const { line, name } of functions) yield `FN:${line},${oneLine(name)}\n`;
  for (const { calls, name } of functions) yield `FNDA:${calls},${oneLine(name)}\n`;
  yield `FNF:${functions.length}\nFNH:${functions.filter(({ calls }) => calls > 0).length}\n`;
}

function* ofLines(numbered: readonly (readonly [number, ExecutedLine])[]): Generator<string> {
  for (const [number, line] of numbered) {
    for (const [block, [, { taken, passed }]] of [...line.branches].sort(([a], [b]) => a < b ? -1 : 1).entries()) {
      yield `BRDA:${number},${block},0,${taken}\nBRDA:${number},${block},1,${passed}\n`;
    }
  }
  const all = numbered.map(([, line]) => line), lines = coveredLines(all), branches = coveredBranches(all);
  yield `BRF:${branches.valid}\nBRH:${branches.covered}\n`;
  for (const [number, { executions }] of numbered) yield `DA:${number},${executions}\n`;
  yield `LF:${lines.valid}\nLH:${lines.covered}\n`;
}
